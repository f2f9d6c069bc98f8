//! How connections end, and how a lab does.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use net::KernelError;
use record::{Clock, VirtualTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::lab::{Lab, PLC_1, at};
use crate::tshark::{assert_clean, tshark};

/// Runs an actor for a minute; what it noted.
fn notes<F: Future<Output = ()> + 'static>(
    lab: &mut Lab,
    actor: impl FnOnce(Rc<RefCell<Vec<String>>>) -> F,
) -> Vec<String> {
    let notes = Rc::new(RefCell::new(Vec::new()));
    lab.spawn("actor", actor(notes.clone()));
    lab.run(60.0);
    Rc::try_unwrap(notes).unwrap().into_inner()
}

#[test]
fn a_closed_port_refuses() {
    let mut lab = Lab::new(1);
    let host = lab.host("hmi");
    let noted = notes(&mut lab, |notes| async move {
        let error = host.connect(at(PLC_1, 81)).await.unwrap_err();
        notes.borrow_mut().push(format!("{:?}", error.kind()));
    });
    assert_eq!(noted, ["ConnectionRefused"]);
    assert_eq!(lab.kernel.connections(), 0);
    assert_clean(&lab.capture());
}

#[test]
fn who_is_turned_away_sees_a_reset() {
    let mut lab = Lab::new(1);
    let listener = lab.host("plc-1").listen(502, 4).unwrap();
    lab.spawn("doorman", async move {
        loop {
            listener.accept().await.abort();
        }
    });
    let host = lab.host("hmi");
    let noted = notes(&mut lab, |notes| async move {
        let mut stream = host.connect(at(PLC_1, 502)).await.unwrap();
        let error = stream.read_u8().await.unwrap_err();
        notes.borrow_mut().push(format!("{:?}", error.kind()));
    });
    assert_eq!(noted, ["ConnectionReset"]);
    assert_eq!(lab.kernel.connections(), 0);
    let capture = lab.capture();
    assert_clean(&capture);
    if let Some(lines) = tshark(&capture, &["-Y", "tcp.flags.reset == 1"]) {
        assert_eq!(lines.len(), 1, "{lines:#?}");
    }
}

#[test]
fn a_full_backlog_is_silent_until_there_is_room() {
    let mut lab = Lab::new(1);
    let listener = lab.host("plc-1").listen(502, 2).unwrap();
    let clock = lab.kernel.clock();
    lab.spawn("late acceptor", async move {
        clock.sleep(Duration::from_millis(500)).await;
        let mut kept = Vec::new();
        loop {
            kept.push(listener.accept().await);
        }
    });
    let (host, clock) = (lab.host("hmi"), lab.kernel.clock());
    let noted = notes(&mut lab, |notes| async move {
        let mut streams = Vec::new();
        for _ in 0..3 {
            streams.push(host.connect(at(PLC_1, 502)).await.unwrap());
            notes.borrow_mut().push(format!("{}", clock.now().as_nanos() / 500_000_000));
        }
    });
    assert_eq!(noted, ["0", "0", "2"], "the third gets in with its second SYN, a second later");
}

#[test]
fn one_half_may_close_before_the_other() {
    let mut lab = Lab::new(1);
    let listener = lab.host("plc-1").listen(502, 4).unwrap();
    lab.spawn("server", async move {
        let mut stream = listener.accept().await;
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        stream.write_all(&all).await.unwrap();
    });
    let host = lab.host("hmi");
    let noted = notes(&mut lab, |notes| async move {
        let mut stream = host.connect(at(PLC_1, 502)).await.unwrap();
        stream.write_all(b"all of it").await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(stream.write_all(b"more").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        notes.borrow_mut().push(answer);
    });
    assert_eq!(noted, ["all of it"]);
    assert_eq!(lab.kernel.connections(), 0);
    assert_clean(&lab.capture());
}

#[test]
fn data_that_nobody_will_read_is_answered_with_a_reset() {
    let mut lab = Lab::new(1);
    let listener = lab.host("plc-1").listen(502, 4).unwrap();
    lab.spawn("impatient server", async move {
        drop(listener.accept().await);
        std::future::pending::<()>().await;
        drop(listener);
    });
    let (host, clock) = (lab.host("hmi"), lab.kernel.clock());
    let noted = notes(&mut lab, |notes| async move {
        let mut stream = host.connect(at(PLC_1, 502)).await.unwrap();
        clock.sleep(Duration::from_millis(10)).await;
        stream.write_all(b"anybody?").await.unwrap();
        clock.sleep(Duration::from_millis(10)).await;
        let error = stream.write_all(b"hello?").await.unwrap_err();
        notes.borrow_mut().push(format!("{:?}", error.kind()));
    });
    assert_eq!(noted, ["ConnectionReset"]);
    assert_eq!(lab.kernel.connections(), 0);
}

#[test]
fn a_connection_that_nobody_waits_for_any_more_sends_nothing_more() {
    let mut lab = Lab::new(1);
    lab.host("plc-1").set_cable(false);
    let (host, clock) = (lab.host("hmi"), lab.kernel.clock());
    notes(&mut lab, |_| async move {
        let limit = Duration::from_millis(300);
        assert!(record::with_timeout(&clock, limit, host.connect(at(PLC_1, 502))).await.is_none());
    });
    assert_eq!(lab.kernel.connections(), 0);
}

#[test]
fn a_power_cut_loses_connections_without_a_packet() {
    let mut lab = Lab::new(1);
    lab.serve_echo("plc-1", 502);
    let (host, plc, clock) = (lab.host("hmi"), lab.host("plc-1"), lab.kernel.clock());
    let noted = notes(&mut lab, |notes| async move {
        let mut stream = host.connect(at(PLC_1, 502)).await.unwrap();
        stream.write_all(b"?").await.unwrap();
        stream.read_u8().await.unwrap();
        // Longer than any acknowledgement waits, so that nothing is under way.
        clock.sleep(Duration::from_secs(1)).await;
        plc.power_cycle();
        clock.sleep(Duration::from_secs(1)).await;
        stream.write_all(b"?").await.unwrap();
        let error = stream.read_u8().await.unwrap_err();
        notes.borrow_mut().push(format!("{:?}", error.kind()));
        let mut again = host.connect(at(PLC_1, 502)).await.unwrap();
        again.write_all(b"?").await.unwrap();
        let answer = again.read_u8().await.unwrap();
        notes.borrow_mut().push(format!("{answer}"));
    });
    assert_eq!(noted, ["ConnectionReset", "63"]);
}

#[test]
fn a_panic_ends_the_lab_with_the_name_of_its_task() {
    let mut lab = Lab::new(1);
    let clock = lab.kernel.clock();
    lab.spawn("operator", async move {
        clock.sleep(Duration::from_secs(2)).await;
        panic!("out of coffee");
    });
    let error = lab.kernel.run_until(VirtualTime::from_secs(10)).unwrap_err();
    assert_eq!(error, KernelError::TaskPanicked { task: "operator".into(), message: "out of coffee".into() });
    assert_eq!(lab.kernel.now(), VirtualTime::from_secs(2));
    assert_eq!(lab.kernel.run_until(VirtualTime::from_secs(20)).unwrap_err(), error, "it runs no further");
}

#[test]
fn labs_do_not_know_of_each_other() {
    let run = || {
        let mut lab = Lab::new(1);
        lab.serve_echo("plc-1", 502);
        lab.poll_echo("hmi", at(PLC_1, 502), 100, 10);
        lab.run(5.0);
        lab.capture()
    };
    let alone = run();
    let together: Vec<_> = (0..3).map(|_| std::thread::spawn(run)).collect();
    for other in together {
        assert!(other.join().unwrap() == alone);
    }
}
