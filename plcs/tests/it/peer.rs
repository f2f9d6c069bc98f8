//! PLC-2 and PLC-3 with a stream between them.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use futures::FutureExt;
use futures::task::LocalSpawnExt;
use plcs::{Controller, EventKind, PeerPoint, poll_peer};

use crate::harness::{Bench, Wires, device, ms};

/// PLC-3 on a bench, and PLC-2 beside it on the same clock, polling it while `up`.
fn pair() -> (Bench, plcs::Handle, Rc<Cell<bool>>) {
    let bench = Bench::new("PLC-3");
    let (rtu, pump_device) = (device("PLC-3"), device("PLC-2"));
    let wires = Wires::of(&pump_device);
    wires.set("PIT-300", 3.0);
    let pumps = Controller::for_device(&pump_device, wires, bench.clock.clone()).unwrap();
    let handle = pumps.handle();
    let point = PeerPoint::of(&rtu, "LIT-401", "TANK.LEVEL").unwrap();
    let (door, up) = (bench.door(), Rc::new(Cell::new(true)));
    let connect = {
        let up = up.clone();
        move || {
            let (near, far) = tokio::io::duplex(1024);
            let outcome = if up.get() {
                door.unbounded_send(far).map_err(|_| io::ErrorKind::BrokenPipe.into()).map(|()| near)
            } else {
                Err(io::ErrorKind::ConnectionRefused.into())
            };
            async move { outcome }
        }
    };
    let polling = poll_peer(handle.clone(), bench.clock.clone(), connect, point);
    bench.spawner().spawn_local(pumps.run()).unwrap();
    bench.spawner().spawn_local(polling.map(|outcome| panic!("{outcome:?}"))).unwrap();
    (bench, handle, up)
}

#[test]
fn the_level_arrives_once_a_second() {
    let (mut bench, pumps, _) = pair();
    bench.wires.set("LIT-401", 5.25);
    bench.run_for(ms(1500));
    assert_eq!(pumps.snapshot("TANK.LEVEL"), Some(5.25));
    bench.wires.set("LIT-401", 5.3);
    bench.run_for(ms(1300));
    assert_eq!(pumps.snapshot("TANK.LEVEL"), Some(5.3));
    bench.run_for(ms(60_000));
    assert_eq!(pumps.snapshot("TANK.COMM"), Some(1.0));
    let polls = bench.handle.statistics().served;
    assert!((62..=63).contains(&polls), "{polls} polls");
    assert!(bench.handle.connections() <= 1, "over one connection at a time");
    assert!(pumps.drain_events().iter().all(|event| !matches!(&event.kind,
        EventKind::State { tag, .. } if tag == "TANK.COMM")));
}

#[test]
fn who_takes_the_last_place_keeps_the_link_out_until_it_lets_go() {
    let (mut bench, pumps, _) = pair();
    bench.wires.set("LIT-401", 5.25);
    bench.run_for(ms(5000));
    // A rogue takes the four free places, and keeps knocking for the fifth.
    let mut rogue: Vec<_> = (0..4).map(|_| bench.connect()).collect();
    assert_eq!(bench.handle.connections(), 5);
    let mut seconds = 0;
    while pumps.snapshot("TANK.COMM") == Some(1.0) {
        assert!(seconds < 60, "the link is renewed every {} s", plcs::peer::RENEW_AFTER_READINGS);
        seconds += 1;
        for _ in 0..2 {
            let mut knock = bench.connect();
            knock.take();
            if !knock.is_closed() {
                rogue.push(knock);
            }
            bench.run_for(ms(500));
        }
    }
    assert_eq!((rogue.len(), bench.handle.connections()), (5, 5));
    bench.wires.set("LIT-401", 6.0);
    bench.run_for(ms(20_000));
    assert_eq!(pumps.snapshot("TANK.LEVEL"), Some(5.25), "the last level is held");
    // The RTU drops them after a minute without a request; then the link is back.
    bench.run_for(ms(60_000));
    assert_eq!(pumps.snapshot("TANK.LEVEL"), Some(6.0));
    let states: Vec<bool> = pumps
        .drain_events()
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::State { tag, on } if tag == "TANK.COMM" => Some(*on),
            _ => None,
        })
        .collect();
    assert_eq!(states, [false, true]);
}

#[test]
fn a_link_that_is_refused_comes_back_by_itself() {
    let (mut bench, pumps, up) = pair();
    up.set(false);
    bench.wires.set("LIT-401", 5.25);
    bench.run_for(ms(20_000));
    assert_eq!((pumps.snapshot("TANK.COMM"), pumps.snapshot("TANK.LEVEL")), (Some(0.0), Some(3.0)));
    up.set(true);
    bench.run_for(ms(6_000));
    assert_eq!((pumps.snapshot("TANK.COMM"), pumps.snapshot("TANK.LEVEL")), (Some(1.0), Some(5.25)));
}
