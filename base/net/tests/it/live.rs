//! Live mode, port forwards and replay.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::rc::Rc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use net::{Forward, Forwards, LiveControl, LiveEnd, Pace};
use record::{Clock, OutsideInput, VirtualTime};

use crate::lab::{Lab, PLC_1, at};
use crate::tshark::{assert_clean, tshark};

/// What a run leaves: its capture, its inputs, its actions, how it ended and when.
struct Left {
    capture: Vec<u8>,
    inputs: Vec<OutsideInput>,
    actions: Vec<String>,
    end: Option<LiveEnd>,
    now: VirtualTime,
    events: u64,
}

type Kept<T> = Rc<RefCell<Vec<T>>>;

fn lab_with_polls() -> (Lab, Kept<OutsideInput>, Kept<String>) {
    let mut lab = Lab::new(9);
    lab.serve_echo("plc-1", 502);
    lab.poll_echo("hmi", at(PLC_1, 502), 10, 100_000);
    let (inputs, actions) = (Rc::new(RefCell::new(Vec::new())), Rc::new(RefCell::new(Vec::new())));
    let into = inputs.clone();
    lab.kernel.on_outside_input(Box::new(move |input| into.borrow_mut().push(input.clone())));
    let (into, host, spawner) = (actions.clone(), lab.host("ews"), lab.kernel.spawner());
    lab.kernel.on_action(Box::new(move |time, _, command| {
        into.borrow_mut().push(format!("{time} {command}"));
        let host = host.clone();
        // An action that shows in the capture.
        spawner.spawn("action", async move {
            host.ping(PLC_1, Duration::from_secs(1)).await.unwrap();
        });
    }));
    (lab, inputs, actions)
}

fn leave(lab: Lab, end: Option<LiveEnd>, inputs: &Kept<OutsideInput>, actions: &Kept<String>) -> Left {
    let (now, events) = (lab.kernel.now(), lab.kernel.events_delivered());
    let (inputs, actions) = (inputs.borrow().clone(), actions.borrow().clone());
    Left { capture: lab.capture(), inputs, actions, end, now, events }
}

/// Runs live on a thread of its own while `visitor` acts on this one.
fn run_live(pace: f64, seconds: u64, visitor: impl FnOnce(&LiveControl)) -> Left {
    let (send, receive) = channel();
    let kernel_thread = thread::spawn(move || {
        let (mut lab, inputs, actions) = lab_with_polls();
        send.send(lab.kernel.live_control()).unwrap();
        let end = lab.kernel.run_live(Pace::new(pace).unwrap(), VirtualTime::from_secs(seconds)).unwrap();
        leave(lab, Some(end), &inputs, &actions)
    });
    visitor(&receive.recv().unwrap());
    kernel_thread.join().unwrap()
}

fn replay(of: &Left) -> Left {
    let (inputs, end) = (of.inputs.clone(), of.now);
    thread::spawn(move || {
        let (mut lab, kept, actions) = lab_with_polls();
        lab.kernel.run_replay(&inputs, end).unwrap();
        leave(lab, None, &kept, &actions)
    })
    .join()
    .unwrap()
}

#[track_caller]
fn assert_replays(live: &Left) {
    let again = replay(live);
    assert_eq!(again.inputs, live.inputs);
    assert_eq!(again.actions, live.actions);
    assert_eq!((again.now, again.events), (live.now, live.events));
    assert!(again.capture == live.capture, "the captures differ");
}

/// Says something to a forward and hears its echo.
fn echo(stream: &mut TcpStream, text: &[u8]) {
    stream.write_all(text).unwrap();
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, text);
}

#[test]
fn a_real_client_talks_through_a_forward_and_the_run_replays() {
    let live = run_live(20.0, 600, |control| {
        let forward: Forward = "0=192.168.1.101:502".parse().unwrap();
        let closed: Forward = "0=192.168.1.101:81".parse().unwrap();
        let forwards = Forwards::open(control, std::net::Ipv4Addr::LOCALHOST, &[forward, closed]).unwrap();
        let address = forwards.addresses()[0].0;
        let mut first = TcpStream::connect(address).unwrap();
        echo(&mut first, b"hello");
        let mut second = TcpStream::connect(address).unwrap();
        echo(&mut second, &vec![7; 100_000]);
        control.act("console", "ping");
        echo(&mut first, b"again");
        second.shutdown(Shutdown::Write).unwrap();
        assert_eq!(second.read(&mut [0]).unwrap(), 0, "the server closes after us");
        // A closed port behind a forward closes the real connection.
        let mut refused = TcpStream::connect(forwards.addresses()[1].0).unwrap();
        assert!(matches!(refused.read(&mut [0]), Ok(0) | Err(_)));
        control.stop();
    });
    assert_eq!(live.end, Some(LiveEnd::Stopped));
    assert!(live.inputs.len() >= 8, "{:?}", live.inputs.len());
    assert_eq!(live.actions.len(), 1);
    assert_replays(&live);
    assert_clean(&live.capture);
    if let Some(lines) =
        tshark(&live.capture, &["-Y", "tcp.flags.syn == 1 && tcp.flags.ack == 0 && ip.src == 192.168.1.250"])
    {
        assert_eq!(lines.len(), 3, "{lines:#?}");
    }
}

#[test]
fn a_pace_holds_and_a_pause_stops_time() {
    let started = Instant::now();
    let live = run_live(100.0, 60, |_| {});
    let took = started.elapsed().as_secs_f64();
    assert_eq!(live.end, Some(LiveEnd::Reached));
    assert_eq!(live.now, VirtualTime::from_secs(60));
    assert!((0.59..1.5).contains(&took), "60 s at 100 times took {took} s");
    assert_replays(&live);

    let paused = run_live(100.0, 3600, |control| {
        thread::sleep(Duration::from_millis(100));
        control.pause();
        thread::sleep(Duration::from_millis(300));
        control.act("console", "while paused");
        control.step(Duration::from_secs(100));
        thread::sleep(Duration::from_secs(2));
        control.stop();
    });
    let now = paused.now.as_secs_f64();
    assert!((100.0..135.0).contains(&now), "some 10 s, 100 s stepped, nothing while paused: {now}");
    assert_eq!(paused.actions.len(), 1);
    assert_replays(&paused);
}

#[test]
fn a_long_step_hears_who_speaks() {
    let live = run_live(1.0, 10_000_000, |control| {
        control.step(Duration::from_hours(2500));
        thread::sleep(Duration::from_millis(100));
        control.act("console", "in the middle of it");
        control.stop();
    });
    assert_eq!(live.end, Some(LiveEnd::Stopped));
    assert_eq!(live.actions.len(), 1);
    assert!(live.now < VirtualTime::from_secs(9_000_000), "{}", live.now);
    assert_replays(&live);
}

#[test]
fn a_replay_of_another_run_is_refused() {
    let mut live = run_live(1000.0, 5, |control| control.act("console", "ping"));
    live.inputs[0].t = VirtualTime::from_secs(4);
    let (inputs, end) = (live.inputs.clone(), live.now);
    let error = thread::spawn(move || {
        let (mut lab, _, _) = lab_with_polls();
        lab.kernel.run_replay(&inputs, end).unwrap_err().to_string()
    });
    let error = error.join().unwrap();
    assert!(error.contains("input 0 of the replay"), "{error}");
}

#[test]
fn live_and_fast_give_the_same_capture() {
    let live = run_live(1000.0, 100, |_| {});
    let (mut lab, inputs, actions) = lab_with_polls();
    lab.run(100.0);
    assert_eq!(lab.kernel.clock().now(), VirtualTime::from_secs(100));
    let fast = leave(lab, None, &inputs, &actions);
    assert!(live.capture == fast.capture);
}
