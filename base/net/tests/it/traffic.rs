//! Hosts that talk.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use net::Selector;
use record::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::lab::{HISTORIAN, Lab, PLC_1, at};
use crate::tshark::{assert_clean, tshark};

#[test]
fn two_hosts_talk_and_the_same_seed_gives_the_same_capture() {
    let run = |seed| {
        let mut lab = Lab::new(seed);
        lab.serve_echo("plc-1", 502);
        let done = lab.poll_echo("hmi", at(PLC_1, 502), 100, 50);
        lab.run(20.0);
        assert_eq!(*done.borrow(), 50);
        lab.capture()
    };
    let first = run(1);
    assert!(first.len() > 50 * 2 * 60);
    assert!(first == run(1), "same seed, other octets");
    assert!(first != run(2), "other seed, same octets");
    assert_clean(&first);
}

#[test]
fn a_connection_ends_with_fin_from_both_sides() {
    let mut lab = Lab::new(1);
    lab.serve_echo("plc-1", 502);
    lab.poll_echo("hmi", at(PLC_1, 502), 100, 3);
    lab.run(30.0);
    assert_eq!(lab.kernel.connections(), 0, "both ends are forgotten");
    let capture = lab.capture();
    assert_clean(&capture);
    if let Some(lines) = tshark(&capture, &["-Y", "tcp.flags.fin == 1"]) {
        assert_eq!(lines.len(), 2, "{lines:#?}");
    }
    if let Some(lines) = tshark(&capture, &["-Y", "tcp.flags.reset == 1"]) {
        assert_eq!(lines.len(), 0, "{lines:#?}");
    }
}

/// A server that sends `octets` as fast as the client takes them, which takes them at once.
fn transfer(lab: &mut Lab, octets: usize) -> Rc<RefCell<Vec<u8>>> {
    let listener = lab.host("historian").listen(1433, 4).unwrap();
    lab.spawn("server", async move {
        let mut stream = listener.accept().await;
        let all: Vec<u8> = (0..octets).map(|n| (n * 31 % 251) as u8).collect();
        stream.write_all(&all).await.unwrap();
    });
    let received = Rc::new(RefCell::new(Vec::new()));
    let (host, into) = (lab.host("hmi"), received.clone());
    lab.spawn("client", async move {
        let mut stream = host.connect(at(HISTORIAN, 1433)).await.unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).await.unwrap();
        *into.borrow_mut() = all;
    });
    lab.run(120.0);
    received
}

#[test]
fn bulk_arrives_whole_and_looks_clean() {
    let mut lab = Lab::new(3);
    let received = transfer(&mut lab, 500_000);
    assert_eq!(received.borrow().len(), 500_000);
    assert!(received.borrow().iter().enumerate().all(|(n, octet)| *octet == (n * 31 % 251) as u8));
    assert_clean(&lab.capture());
}

#[test]
fn bulk_arrives_whole_over_a_link_that_loses() {
    let mut lab = Lab::new(3);
    lab.host("hmi").set_link(net::LinkProperties { loss: 0.02, ..net::LinkProperties::PLANT });
    let received = transfer(&mut lab, 100_000);
    assert_eq!(received.borrow().len(), 100_000);
    if let Some(lines) = tshark(&lab.capture(), &["-Y", "tcp.analysis.retransmission"]) {
        assert!(!lines.is_empty(), "a loss was repaired without a retransmission");
    }
}

#[test]
fn another_flow_leaves_a_flow_as_it_is() {
    let run = |with_operator: bool| {
        let mut lab = Lab::new(5);
        lab.serve_echo("plc-1", 502);
        lab.poll_echo("hmi", at(PLC_1, 502), 1000, 20);
        if with_operator {
            let (host, clock) = (lab.host("hmi").used_by("operator"), lab.kernel.clock());
            lab.spawn("operator", async move {
                clock.sleep(Duration::from_millis(3500)).await;
                let mut stream = host.connect(at(PLC_1, 502)).await.unwrap();
                stream.write_all(b"hello").await.unwrap();
            });
        }
        let flow = lab.host("hmi").next_flow(at(PLC_1, 502));
        let ledger = lab.network.mirror_ledger();
        ledger.begin("poll", Selector::Flow(flow));
        lab.run(30.0);
        let numbers = ledger.frames("poll");
        let capture = lab.capture();
        let fields = ["-T", "fields", "-e", "frame.number", "-e", "frame.time_epoch", "-e", "tcp.seq_raw"];
        tshark(&capture, &fields).map(|lines| -> Vec<String> {
            let of_flow =
                |line: &&String| numbers.contains(&line.split('\t').next().unwrap().parse().unwrap());
            lines.iter().filter(of_flow).map(|line| line.split_once('\t').unwrap().1.to_owned()).collect()
        })
    };
    let (alone, with_operator) = (run(false), run(true));
    assert_eq!(alone, with_operator, "times and sequence numbers of the poll");
    if let Some(lines) = alone {
        assert!(lines.len() > 60, "{}", lines.len());
    }
}

#[test]
fn the_ledger_lists_the_frames_of_a_step() {
    let mut lab = Lab::new(1);
    lab.serve_echo("plc-1", 502);
    lab.serve_echo("plc-1", 80);
    lab.poll_echo("hmi", at(PLC_1, 502), 500, 10);
    lab.poll_echo("ews", at(PLC_1, 80), 700, 10);
    let ledger = lab.network.mirror_ledger();
    ledger.begin("ews", Selector::Host("ews".into()));
    ledger.begin("service", Selector::Service { host: "plc-1".into(), port: 502 });
    lab.run(2.0);
    ledger.end("ews");
    lab.run(10.0);
    let (ews, service) = (ledger.frames("ews"), ledger.frames("service"));
    assert_eq!(ledger.frames("never"), [0_u64; 0]);
    let capture = lab.capture();
    let fields = ["-T", "fields", "-e", "frame.number", "-Y"];
    let numbers = |filter: &str| {
        tshark(&capture, &[&fields[..], &[filter]].concat())
            .map(|lines| lines.iter().map(|line| line.parse().unwrap()).collect::<Vec<u64>>())
    };
    if let Some(expected) = numbers(
        "(ip.addr == 192.168.1.30 || arp.src.proto_ipv4 == 192.168.1.30 || arp.dst.proto_ipv4 == 192.168.1.30) && frame.time_relative < 2",
    ) {
        assert_eq!(ews, expected);
        assert_eq!(Some(service), numbers("tcp.port == 502"));
    }
}

#[test]
fn a_quiet_day_leaves_nothing_behind() {
    let mut lab = Lab::new(1);
    lab.serve_echo("plc-1", 502);
    let (host, clock) = (lab.host("hmi"), lab.kernel.clock());
    lab.spawn("reconnecting poller", async move {
        for _ in 0..2000 {
            let mut stream = host.connect(at(PLC_1, 502)).await.unwrap();
            let asking = async {
                stream.write_all(b"?").await.unwrap();
                stream.read_u8().await.unwrap()
            };
            // The limit is far away and never comes: its timer must not stay.
            assert!(record::with_timeout(&clock, Duration::from_hours(1), asking).await.is_some());
            drop(stream);
            clock.sleep(Duration::from_secs(5)).await;
        }
    });
    lab.run(6000.0);
    assert!(lab.kernel.events_waiting() < 600, "{}", lab.kernel.events_waiting());
    assert!(lab.kernel.connections() < 10, "{}", lab.kernel.connections());
    assert_clean(&lab.capture());
}

/// A server that answers each request of 12 octets after `think_ms`, and reads nothing meanwhile.
fn serve_slowly(lab: &Lab, host: &str, port: u16, think_ms: u64) {
    let listener = lab.host(host).listen(port, 8).unwrap();
    let (spawner, clock) = (lab.kernel.spawner(), lab.kernel.clock());
    lab.spawn("slow listener", async move {
        loop {
            let mut stream = listener.accept().await;
            let clock = clock.clone();
            spawner.spawn("slow server", async move {
                let mut request = [0; 12];
                while stream.read_exact(&mut request).await.is_ok() {
                    clock.sleep(Duration::from_millis(think_ms)).await;
                    stream.write_all(&request).await.unwrap();
                }
            });
        }
    });
}

#[test]
fn slow_servers_look_clean() {
    let mut lab = Lab::new(4);
    let thinks = [1, 9, 39, 40, 41, 100, 350];
    let done: Vec<_> = (0_u16..)
        .zip(thinks)
        .map(|(n, think)| {
            serve_slowly(&lab, "plc-2", 502 + n, think);
            lab.poll_echo("hmi", at(std::net::Ipv4Addr::new(192, 168, 1, 102), 502 + n), 70, 20)
        })
        .collect();
    lab.run(20.0);
    assert!(done.iter().all(|done| *done.borrow() == 20));
    assert_clean(&lab.capture());
}

#[test]
fn pipelined_requests_look_clean() {
    let mut lab = Lab::new(4);
    serve_slowly(&lab, "plc-1", 502, 100);
    let (host, clock) = (lab.host("hmi"), lab.kernel.clock());
    lab.spawn("pipeliner", async move {
        let mut stream = host.connect(at(PLC_1, 502)).await.unwrap();
        for n in 0..30_u8 {
            stream.write_all(&[n; 12]).await.unwrap();
            clock.sleep(Duration::from_millis(u64::from(n) * 3)).await;
        }
        let mut answers = [0; 360];
        stream.read_exact(&mut answers).await.unwrap();
        assert!(answers.chunks(12).zip(0..).all(|(answer, n)| answer == [n; 12]));
    });
    lab.run(20.0);
    assert_eq!(lab.kernel.connections(), 0);
    assert_clean(&lab.capture());
}

#[test]
fn both_sides_may_close_at_once() {
    let mut lab = Lab::new(4);
    let listener = lab.host("plc-1").listen(502, 8).unwrap();
    let (host, clocks) = (lab.host("hmi"), (lab.kernel.clock(), lab.kernel.clock()));
    let when = record::VirtualTime::from_secs(1);
    lab.spawn("server", async move {
        let mut stream = listener.accept().await;
        stream.write_all(b"hello").await.unwrap();
        clocks.0.sleep_until(when).await;
    });
    lab.spawn("client", async move {
        let mut stream = host.connect(at(PLC_1, 502)).await.unwrap();
        stream.read_exact(&mut [0; 5]).await.unwrap();
        clocks.1.sleep_until(when).await;
    });
    lab.run(30.0);
    assert_eq!(lab.kernel.connections(), 0);
    assert_clean(&lab.capture());
}

#[test]
fn a_reader_that_comes_by_now_and_then_looks_clean() {
    let mut lab = Lab::new(4);
    let listener = lab.host("historian").listen(5000, 8).unwrap();
    let clock = lab.kernel.clock();
    lab.spawn("server", async move {
        let mut stream = listener.accept().await;
        let mut buffer = [0; 16_384];
        while let Ok(1..) = stream.read(&mut buffer).await {
            clock.sleep(Duration::from_millis(250)).await;
        }
    });
    let (host, clock) = (lab.host("hmi"), lab.kernel.clock());
    lab.spawn("client", async move {
        let mut stream = host.connect(at(HISTORIAN, 5000)).await.unwrap();
        for _ in 0..50 {
            stream.write_all(&[1; 3000]).await.unwrap();
            clock.sleep(Duration::from_millis(200)).await;
        }
    });
    lab.run(60.0);
    assert_eq!(lab.kernel.connections(), 0);
    assert_clean(&lab.capture());
}
