//! A controller as an outstation, polled and commanded by our own master, in virtual time.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use clients::dnp3::{Dnp3Master, MasterError, MasterSettings, Output};
use futures::StreamExt;
use futures::channel::mpsc;
use futures::task::LocalSpawnExt;
use plcs::outstation::{NoticeKind, SharedOutstation};
use plcs::{Accept, Controller, Image, Logic, SignalId, run_outstation};
use record::Clock;
use site::Device;
use tokio::io::DuplexStream;
use wire::dnp3::{ClassSet, EventClass, Iin, PointKind};

use crate::harness::{Bench, BenchClock, Wires, ms};

const RTU: &str = r#"
name = "RTU-7"
host = "rtu-7"
description = "Substation at bus 7"
vendor = "EXERCISE"
product_code = "EX-7"
revision = "1"
product_name = "RTU"
scan_ms = 100
max_connections = 2
requests_per_scan = 4
idle_timeout_s = 60
writers = []
inputs = ["52-7.CLOSED", "I-7"]
outputs = ["52-7.CLOSE", "52-7.TRIP", "HORN", "LIMIT"]
outstation = 10
point = [
    { kind = "double_bit_input", index = 0, tag = "52-7.CLOSED", class = 1 },
    { kind = "analog_input", index = 0, tag = "I-7", class = 2, scale = 0.1, deadband = 20.0 },
    { kind = "counter", index = 0, tag = "OPERATIONS", class = 3 },
    { kind = "binary_output", index = 0, tag = "52-7.CLOSED", command = "52-7.CLOSE", trip = "52-7.TRIP", model = "trip_close" },
    { kind = "binary_output", index = 1, tag = "HORN", model = "pulse" },
    { kind = "analog_output", index = 0, tag = "LIMIT", scale = 0.1, min = 0.0, max = 1000.0 },
]
[dnp3]
unsolicited = true
cold_restart_ms = 2000
"#;

/// Counts how often the breaker was closed.
struct Counting {
    closed: SignalId,
    operations: SignalId,
    was: bool,
}

impl Logic for Counting {
    fn scan(&mut self, image: &mut Image, _: Duration) {
        let closed = image.is_on(self.closed);
        if closed != self.was {
            image.set(self.operations, image.get(self.operations) + 1.0);
        }
        self.was = closed;
    }

    fn restart(&mut self, _: &mut Image) {}

    fn program(&self) -> &[u8] {
        b"counting"
    }

    fn retained(&self) -> &[SignalId] {
        &[]
    }
}

pub(crate) struct Door(pub(crate) mpsc::UnboundedReceiver<DuplexStream>);

impl Accept for Door {
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<(DuplexStream, SocketAddr)> {
        let peer = SocketAddr::from(([192, 168, 1, 20], 40_000));
        self.0.next().await.map(|stream| (stream, peer)).ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }

    fn refuse(&mut self, stream: DuplexStream) {
        drop(stream);
    }
}

pub(crate) type Master = Dnp3Master<DuplexStream, BenchClock>;
pub(crate) type Knock = Rc<dyn Fn() -> Master>;

/// Runs the controller, its breaker, and a master's script to its end.
fn run<F: Future<Output = Result<(), MasterError>> + 'static>(
    script: impl FnOnce(Knock, BenchClock) -> F,
) -> (Bench, Wires) {
    let device: Device = site::parse_toml("rtu.toml", RTU).unwrap();
    let (wires, clock) = (Wires::of(&device), BenchClock::default());
    let logic = |image: &mut Image| {
        let (closed, operations) = (image.require("52-7.CLOSED")?, image.require("OPERATIONS")?);
        Ok(Box::new(Counting { closed, operations, was: false }) as Box<dyn Logic>)
    };
    let controller = Controller::new(&device, logic, wires.clone(), clock.clone()).unwrap();
    let mut bench = Bench::around(controller, wires.clone(), clock.clone());
    let (door, streams) = mpsc::unbounded();
    let server = run_outstation(bench.handle.clone(), clock.clone(), Door(streams));
    bench.spawner().spawn_local(async move { drop(server.await) }).unwrap();
    // The breaker follows its coils, and the current follows the breaker.
    let (field, time) = (wires.clone(), clock.clone());
    let breaker = async move {
        loop {
            time.sleep(ms(50)).await;
            let coil = |tag| field.0.borrow().outputs.get(tag).is_some_and(|value| *value > 0.5);
            if coil("52-7.CLOSE") {
                field.set("52-7.CLOSED", 1.0);
                field.set("I-7", 12.5);
            } else if coil("52-7.TRIP") {
                field.set("52-7.CLOSED", 0.0);
                field.set("I-7", 0.0);
            }
        }
    };
    bench.spawner().spawn_local(breaker).unwrap();
    bench.run_for(ms(250));
    let knock_clock = clock.clone();
    let knock: Knock = Rc::new(move || {
        let (near, far) = tokio::io::duplex(64 * 1024);
        door.unbounded_send(far).unwrap();
        Dnp3Master::new(near, knock_clock.clone(), MasterSettings::new(1, 10))
    });
    let outcome = Rc::new(RefCell::new(None));
    let (told, script) = (outcome.clone(), script(knock, clock));
    bench.spawner().spawn_local(async move { *told.borrow_mut() = Some(script.await) }).unwrap();
    bench.run_for(ms(120_000));
    assert_eq!(*outcome.borrow(), Some(Ok(())), "the script did not end well");
    (bench, wires)
}

#[test]
fn a_command_closes_the_breaker_and_its_event_comes_unsolicited() {
    let (bench, wires) = run(|knock, _| async move {
        let mut master = knock();
        let first = master.next_unsolicited(ms(1000)).await?.unwrap();
        assert!(first.items().is_empty() && first.iin().has(Iin::DEVICE_RESTART.with(Iin::NEED_TIME)));
        let everything = master.start_up(1_772_431_200_000, ClassSet::ALL).await?;
        let open = everything.statics().into_iter().find(|it| it.kind == PointKind::DoubleBitInput);
        assert_eq!(open.map(|it| it.value), Some(1.0), "determined off");
        assert!(!master.iin().has(Iin::DEVICE_RESTART) && !master.iin().has(Iin::NEED_TIME));
        let closed = master.select_operate(&[Output::trip_close(0, true, 200)]).await?;
        assert!(closed.is_success());
        let mut events = Vec::new();
        while let Some(answer) = master.next_unsolicited(ms(2000)).await? {
            events.extend(answer.events().into_iter().map(|event| (event.kind, event.value)));
        }
        assert!(events.contains(&(PointKind::DoubleBitInput, 2.0)), "{events:?}");
        assert!(events.contains(&(PointKind::AnalogInput, 125.0)), "{events:?}");
        assert!(events.contains(&(PointKind::Counter, 1.0)), "{events:?}");
        assert!(master.event_poll(ClassSet::ALL).await?.events().is_empty());
        assert!(master.link_status().await?);
        Ok(())
    });
    // The pulse is over, the breaker stays closed.
    assert!((wires.output("52-7.CLOSE")).abs() < 1e-9);
    assert_eq!(bench.handle.snapshot("52-7.CLOSED"), Some(1.0));
    let notices = bench.handle.outstation().unwrap().with(|outstation, _| outstation.drain_notices());
    let operated = notices.iter().filter(|notice| matches!(notice.what, NoticeKind::Operated { .. })).count();
    assert_eq!((operated, notices[0].master.0), (1, 1));
}

#[test]
fn a_setpoint_reaches_the_wire_in_engineering_units() {
    let (_, wires) = run(|knock, clock| async move {
        let mut master = knock();
        assert!(master.direct_operate(&[Output::Int16(0, 250)]).await?.is_success());
        clock.sleep(ms(300)).await;
        let read = master.read_all(40, 0).await?.statics();
        assert_eq!(read.iter().map(|it| it.value).collect::<Vec<_>>(), [250.0]);
        let refused = master.direct_operate(&[Output::Int16(0, 1001)]).await?;
        assert_eq!((refused.statuses[0].0, refused.iin.has(Iin::PARAMETER_ERROR)), (12, true));
        Ok(())
    });
    assert!((wires.output("LIMIT") - 25.0).abs() < 1e-9);
}

#[test]
fn pulses_are_counted_out_in_scans() {
    let (bench, _) = run(|knock, clock| async move {
        let mut master = knock();
        let horn = Output::Crob { index: 1, code: 1, count: 3, on_ms: 200, off_ms: 300 };
        assert!(master.direct_operate(&[horn]).await?.is_success());
        // While it sounds another pulse is refused: already active, and IIN2.4.
        clock.sleep(ms(150)).await;
        let again = master.direct_operate(&[horn]).await?;
        assert_eq!((again.statuses[0].0, again.iin.has(Iin::ALREADY_EXECUTING)), (5, true));
        let mut heard = 0;
        for _ in 0..20 {
            clock.sleep(ms(100)).await;
            let on = master.read_all(10, 2).await?.statics()[1].value > 0.5;
            heard += u32::from(on);
        }
        assert!((4..=6).contains(&heard), "on for 600 ms of 2 s, seen {heard} times");
        Ok(())
    });
    assert_eq!(bench.handle.snapshot("HORN"), Some(0.0));
}

#[test]
fn a_cold_restart_takes_the_device_away_and_starts_its_logic_over() {
    let (bench, _) = run(|knock, clock| async move {
        let mut master = knock();
        master.start_up(0, ClassSet::NONE).await?;
        assert!(master.direct_operate(&[Output::trip_close(0, true, 200)]).await?.is_success());
        clock.sleep(ms(600)).await;
        assert_eq!(master.restart(true).await?, Some(ms(2000)));
        assert_eq!(master.integrity_poll().await, Err(MasterError::Closed));
        clock.sleep(ms(500)).await;
        let mut early = knock();
        assert_eq!(
            early.integrity_poll().await,
            Err(MasterError::Closed),
            "it does not answer while it restarts"
        );
        clock.sleep(ms(2000)).await;
        let mut late = knock();
        let answer = late.integrity_poll().await?;
        assert!(answer.iin().has(Iin::DEVICE_RESTART.with(Iin::NEED_TIME)));
        let breaker = answer.statics().into_iter().find(|it| it.kind == PointKind::DoubleBitInput);
        assert_eq!(breaker.map(|it| it.value), Some(2.0), "outputs held");
        Ok(())
    });
    // Counted once before the restart; the logic's count began again.
    assert_eq!(bench.handle.snapshot("OPERATIONS"), Some(0.0));
}

#[test]
fn what_no_master_would_send_is_sent_and_answered_as_it_should_be() {
    let _ = run(|knock, _| async move {
        let mut master = knock();
        // A select-less operate, a broadcast trip, classes muted: the raw ways of an intruder.
        master.next_unsolicited(ms(100)).await?;
        master
            .send_fragment(&[0xc1, 4, 12, 1, 0x17, 1, 0, 0x81, 1, 100, 0, 0, 0, 0, 0, 0, 0, 0], None)
            .await?;
        let answer = master.receive(ms(500)).await?.unwrap();
        assert_eq!((answer[1], *answer.last().unwrap()), (0x81, 2));
        master
            .send_fragment(&[0xc2, 5, 12, 1, 0x17, 1, 0, 0x81, 1, 100, 0, 0, 0, 0, 0, 0, 0, 0], Some(0xffff))
            .await?;
        assert_eq!(master.receive(ms(500)).await?, None);
        master.assign_class(PointKind::DoubleBitInput, None).await?;
        master.assign_class(PointKind::AnalogInput, Some(EventClass::Class3)).await?;
        master.send_octets(&[5, 0x64, 9, 9, 9]).await?;
        assert!(master.direct_operate(&[Output::trip_close(0, true, 200)]).await?.is_success());
        master.next_unsolicited(ms(1000)).await?;
        let events = master.event_poll(ClassSet::ALL).await?.events();
        assert!(events.iter().all(|event| event.kind != PointKind::DoubleBitInput) && !events.is_empty());
        Ok(())
    });
}
