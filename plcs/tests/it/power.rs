//! The controllers of the power site against the power system itself: commands over DNP3 and Modbus, breakers and units that
//! answer, in virtual time.

use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use clients::dnp3::{Dnp3Master, MasterError, MasterSettings, Output};
use futures::channel::mpsc;
use futures::task::LocalSpawnExt;
use plcs::logic::breaker::LONGEST;
use plcs::logic::generation::Generation;
use plcs::logic::substation::{RTU_7, Substation};
use plcs::{Controller, Image, KeySwitch, Logic, run_outstation};
use record::Clock;
use sim::Plant;
use site::{Device, Operation, PointKind as PointType, Site};
use wire::dnp3::{ClassSet, Iin, PointKind};

use crate::dnp3_bound::{Door, Knock};
use crate::harness::{Bench, BenchClock, Wires, ms};

/// Indices of RTU-7, from the site file.
const LINE_7_5: u16 = 0;
const BYPASS_7_5: u16 = 10;
const LOAD_8: u16 = 4;
const RAISE: u16 = 5;
const AUTOMATIC: u16 = 7;

/// Refused because the outputs are switched to local.
const LOCAL: u8 = 7;

fn device(name: &str) -> Device {
    Site::named("power").unwrap().device(name).unwrap().clone()
}

/// Everything that the plant shows to one device.
fn show(plant: &Plant, device: &Device, wires: &Wires) {
    for tag in &device.inputs {
        let tag = tag.get_ref();
        let instrument = plant.instrument_index(tag).map(|index| plant.read(index));
        let contact = plant.switch(tag).map(|made| f64::from(u8::from(made)));
        wires.set(tag, instrument.or(contact).unwrap());
    }
}

/// One controller of the site, or more, wired to the running plant.
struct Rig {
    bench: Bench,
    plant: Rc<RefCell<Plant>>,
    wires: Vec<(Device, Wires)>,
    knock: Option<Knock>,
}

impl Rig {
    /// The first device is the one that the bench's Modbus door belongs to.
    fn new(names: &[&str]) -> Self {
        let plant = Rc::new(RefCell::new(Plant::named("power", 7).unwrap()));
        let clock = BenchClock::default();
        let wires: Vec<(Device, Wires)> = names
            .iter()
            .map(|name| {
                let device = device(name);
                let wires = Wires::of(&device);
                show(&plant.borrow(), &device, &wires);
                (device, wires)
            })
            .collect();
        let build = |(device, wires): &(Device, Wires)| {
            Controller::for_device(device, wires.clone(), clock.clone()).unwrap()
        };
        let bench = Bench::around(build(&wires[0]), wires[0].1.clone(), clock.clone());
        let mut knock = bench.handle.outstation().map(|_| bench.handle.clone());
        for other in &wires[1..] {
            let controller = build(other);
            knock = knock.or_else(|| controller.handle().outstation().map(|_| controller.handle()));
            bench.spawner().spawn_local(controller.run()).unwrap();
        }
        let knock = knock.map(|handle| {
            let (door, streams) = mpsc::unbounded();
            let server = run_outstation(handle, clock.clone(), Door(streams));
            bench.spawner().spawn_local(async move { drop(server.await) }).unwrap();
            let outstation = wires.iter().find_map(|(device, _)| device.outstation.as_ref()).unwrap();
            let (address, clock) = (*outstation.get_ref(), clock.clone());
            Rc::new(move || {
                let (near, far) = tokio::io::duplex(64 * 1024);
                door.unbounded_send(far).unwrap();
                Dnp3Master::new(near, clock.clone(), MasterSettings::new(1, address))
            }) as Knock
        });
        let (turned, field) = (plant.clone(), wires.clone());
        bench
            .spawner()
            .spawn_local(async move {
                let step = turned.borrow().step_length();
                loop {
                    clock.sleep(step).await;
                    let mut plant = turned.borrow_mut();
                    for (device, wires) in &field {
                        for (tag, value) in &wires.0.borrow().outputs {
                            let actuator = plant.actuator_index(tag).unwrap();
                            plant.command(actuator, *value);
                        }
                        show(&plant, device, wires);
                    }
                    plant.step();
                }
            })
            .unwrap();
        let mut rig = Self { bench, plant, wires, knock };
        rig.bench.run_for(ms(250));
        rig
    }

    /// Runs a master's script to its end.
    fn script<F: Future<Output = Result<(), MasterError>> + 'static>(
        &mut self,
        within: Duration,
        script: impl FnOnce(Knock, BenchClock) -> F,
    ) {
        let outcome = Rc::new(RefCell::new(None));
        let (told, script) = (outcome.clone(), script(self.knock.clone().unwrap(), self.bench.clock.clone()));
        self.bench.spawner().spawn_local(async move { *told.borrow_mut() = Some(script.await) }).unwrap();
        self.bench.run_for(within);
        assert_eq!(*outcome.borrow(), Some(Ok(())), "the script did not end well");
    }

    fn truth(&self, tag: &str) -> f64 {
        let plant = self.plant.borrow();
        plant.true_value(plant.instrument_index(tag).unwrap())
    }

    fn contact(&self, tag: &str) -> bool {
        self.plant.borrow().switch(tag).unwrap()
    }

    fn output(&self, tag: &str) -> f64 {
        self.wires.iter().find_map(|(_, wires)| wires.0.borrow().outputs.get(tag).copied()).unwrap()
    }
}

/// Function 6: register and count.
fn write(address: u16, count: i16) -> Vec<u8> {
    [&[6], address.to_be_bytes().as_slice(), &count.to_be_bytes()].concat()
}

#[test]
fn every_wire_of_the_site_ends_at_a_terminal_of_the_plant() {
    let plant = Plant::named("power", 1).unwrap();
    let site = Site::named("power").unwrap();
    let mut commanded = Vec::new();
    for device in &site.devices {
        for tag in &device.inputs {
            let tag = tag.get_ref();
            assert!(plant.instrument_index(tag).is_some() || plant.switch(tag).is_some(), "{tag}");
        }
        for tag in &device.outputs {
            let tag = tag.get_ref();
            let actuator = plant.actuator_index(tag).unwrap_or_else(|| panic!("no actuator {tag}"));
            assert!(!commanded.contains(tag), "{tag} is commanded twice");
            commanded.push(tag.clone());
            // What the logic commands at first is where the plant starts.
            let mut image = Image::of(device);
            plcs::program_for(device.name.get_ref()).unwrap()(&mut image).unwrap();
            let first = image.get(image.require(tag).unwrap());
            let told = plant.commanded(actuator);
            assert!((first - told).abs() < 0.002, "{tag}: {first} for {told}");
        }
    }
    for instrument in plant.instruments() {
        let Some(tag) = site.tag(&instrument.tag) else { continue };
        assert_eq!(
            (&tag.unit, tag.low, tag.high),
            (&instrument.unit, instrument.low, instrument.high),
            "{}",
            instrument.tag
        );
    }
    let breakers = (0..5).chain(8..14);
    for name in ["RTU-5", "RTU-7", "RTU-9"] {
        let points = &site.device(name).unwrap().points;
        let outputs = || points.iter().filter(|point| point.kind == PointType::BinaryOutput);
        for point in outputs() {
            let selected = breakers.clone().any(|index| index == *point.index.get_ref());
            let expected = if selected { Operation::Select } else { Operation::Direct };
            assert_eq!(point.operation, Some(expected), "{name} {}", point.tag.get_ref());
        }
        assert_eq!(outputs().filter(|point| point.trip.is_some()).count(), 5);
        let contacts = points.iter().filter(|point| point.kind == PointType::DoubleBitInput);
        assert_eq!(
            contacts.map(|point| [1.0, 2.0].map(|raw| point.decode(raw))).collect::<Vec<_>>(),
            [[0.0, 1.0]; 6]
        );
    }
}

#[test]
fn an_undisturbed_system_stays_where_it_is() {
    let mut rig = Rig::new(&["GEN-1", "RTU-5", "RTU-7", "RTU-9"]);
    rig.bench.run_for(ms(120_000));
    assert_eq!(rig.plant.borrow_mut().drain_events(), Vec::new());
    assert!((rig.truth("F-5") - 60.0).abs() < 1e-4, "{} Hz", rig.truth("F-5"));
    assert!((rig.truth("P-G1") - 71.64).abs() < 0.02);
}

#[test]
fn a_trip_from_the_control_centre_opens_its_breaker_and_comes_back_as_an_event() {
    let mut rig = Rig::new(&["RTU-7"]);
    let before_mw = rig.truth("P-75");
    assert!(before_mw > 80.0, "{before_mw}");
    rig.script(ms(30_000), |knock, _| async move {
        let mut master = knock();
        let all = master.start_up(1_772_431_200_000, ClassSet::ALL).await?.statics();
        let value = |kind, index| all.iter().find(|it| it.kind == kind && it.index == index).unwrap().value;
        assert_eq!(value(PointKind::DoubleBitInput, LINE_7_5), 2.0, "determined on");
        assert!((value(PointKind::AnalogInput, 2) - 60_000.0).abs() < 20.0, "F-7 in mHz");
        assert!((value(PointKind::AnalogOutput, 0) - 5950.0).abs() < 1e-6, "81-8.SP1 in 10 mHz");
        let trip = [Output::trip_close(LINE_7_5, false, 200)];
        assert!(master.select_operate(&trip).await?.is_success());
        let (mut events, mut flow) = (Vec::new(), f64::NAN);
        while let Some(answer) = master.next_unsolicited(ms(3000)).await? {
            for event in answer.events() {
                events.push((event.kind, event.index, event.value));
                if event.kind == PointKind::AnalogInput && event.index == 3 {
                    flow = event.value;
                }
            }
        }
        assert!(events.contains(&(PointKind::DoubleBitInput, LINE_7_5, 1.0)), "{events:?}");
        assert!(events.contains(&(PointKind::Counter, LINE_7_5, 1.0)), "{events:?}");
        assert!(flow.abs() < 20.0, "P-75 in 0.1 MW: {flow}");
        Ok(())
    });
    assert!(!rig.contact("52-75") && rig.contact("52-75.B") && rig.contact("52-78"));
    assert_eq!(rig.truth("P-75"), 0.0);
    assert_eq!(rig.output("52-75.T"), 0.0, "the pulse is over");
    // The angle across the open line is beyond its check: a close is refused by the relay, until the check is bypassed. A latch
    // means the same as a pulse to this output.
    assert!(!rig.contact("25-75"));
    rig.script(ms(30_000), |knock, clock| async move {
        let mut master = knock();
        let mut states = Vec::new();
        for bypass in [false, true] {
            assert!(master.direct_operate(&[Output::latch(BYPASS_7_5, bypass)]).await?.is_success());
            clock.sleep(ms(300)).await;
            assert!(master.direct_operate(&[Output::latch(LINE_7_5, true)]).await?.is_success());
            clock.sleep(ms(5000)).await;
            states.push(master.read_all(3, 0).await?.statics()[0].value);
        }
        assert_eq!(states, [1.0, 2.0]);
        assert!(master.direct_operate(&[Output::latch(LINE_7_5, false)]).await?.is_success());
        clock.sleep(ms(500)).await;
        assert_eq!(master.read_all(3, 0).await?.statics()[0].value, 1.0, "and a latch off trips");
        Ok(())
    });
    assert!(!rig.contact("52-75"));
    assert_eq!((rig.output("52-75.C"), rig.bench.handle.snapshot("52-75.CLOSE")), (0.0, Some(0.0)));
}

#[test]
fn at_local_commands_are_refused_and_go_nowhere() {
    let mut rig = Rig::new(&["RTU-7"]);
    let switch = rig.bench.handle.signal("43-7").unwrap();
    rig.bench.handle.deliver(switch, 1.0);
    rig.script(ms(10_000), |knock, clock| async move {
        let mut master = knock();
        clock.sleep(ms(200)).await;
        let refused = master.direct_operate(&[Output::trip_close(LINE_7_5, false, 200)]).await?;
        assert_eq!((refused.statuses[0].0, refused.iin.has(Iin::LOCAL_CONTROL)), (LOCAL, true));
        Ok(())
    });
    assert!(rig.contact("52-75"));
    rig.bench.handle.deliver(switch, 0.0);
    rig.script(ms(5000), |knock, clock| async move {
        let mut master = knock();
        clock.sleep(ms(200)).await;
        assert!(master.direct_operate(&[Output::trip_close(LINE_7_5, false, 200)]).await?.is_success());
        clock.sleep(ms(1000)).await;
        Ok(())
    });
    assert!(!rig.contact("52-75"));
}

#[test]
fn taps_move_by_hand_and_shedding_keeps_to_its_settings() {
    let mut rig = Rig::new(&["RTU-7"]);
    rig.script(ms(20_000), |knock, clock| async move {
        let mut master = knock();
        assert!(master.direct_operate(&[Output::latch(AUTOMATIC, false)]).await?.is_success());
        clock.sleep(ms(300)).await;
        let raise = Output::Crob { index: RAISE, code: 1, count: 2, on_ms: 300, off_ms: 500 };
        assert!(master.direct_operate(&[raise]).await?.is_success());
        clock.sleep(ms(3000)).await;
        // A pickup above the frequency sheds; one that is out of range is refused (status 12).
        assert!(master.direct_operate(&[Output::Int16(1, 6000)]).await?.is_success());
        let refused = master.direct_operate(&[Output::Int16(0, 5499)]).await?;
        assert_eq!(refused.statuses[0].0, 12);
        let hollow = master.direct_operate(&[Output::Float(2, f32::NAN)]).await?;
        assert!(!hollow.is_success(), "not a number is refused");
        clock.sleep(ms(1000)).await;
        Ok(())
    });
    assert_eq!(rig.truth("TAP-8"), 2.0, "two pulses, two taps");
    assert!((rig.output("81-8.SP2") - 60.0).abs() < 1e-9 && (rig.output("81-8.SP1") - 59.5).abs() < 1e-9);
    assert!((rig.output("81-8.SP3") - 59.1).abs() < 1e-9);
}

#[test]
fn a_load_that_is_dropped_over_dnp3_is_seen_in_the_frequency_over_modbus() {
    let mut rig = Rig::new(&["GEN-1", "RTU-7"]);
    let mut client = rig.bench.connect();
    let read = |rig: &mut Rig, client: &mut crate::harness::Client| {
        let answer = client.ask(&mut rig.bench, &[4, 0, 2, 0, 2]);
        assert_eq!(answer[..2], [4, 4]);
        f32::from_be_bytes(answer[2..6].try_into().unwrap())
    };
    let before_hz = read(&mut rig, &mut client);
    assert!((before_hz - 60.0).abs() < 0.02, "{before_hz}");
    rig.script(ms(8000), |knock, _| async move {
        let mut master = knock();
        assert!(master.select_operate(&[Output::trip_close(LOAD_8, false, 200)]).await?.is_success());
        Ok(())
    });
    let after_hz = read(&mut rig, &mut client);
    assert!(after_hz > 60.2, "{after_hz} Hz without the load at bus 8");
}

#[test]
fn a_load_target_over_modbus_ramps_the_reference_and_the_unit_follows() {
    let mut rig = Rig::new(&["GEN-1"]);
    let mut client = rig.bench.connect();
    let before_mw = rig.truth("P-G1");
    // 90 MW at 5 % of 247.5 MW a minute: 18.36 MW take 89 s.
    assert_eq!(client.ask(&mut rig.bench, &write(40, 9000)), write(40, 9000));
    rig.bench.run_for(ms(30_000));
    let midway_mw = rig.output("GOV-1.SP");
    assert!((midway_mw - (71.64 + 0.5 * 12.375)).abs() < 0.2, "{midway_mw}");
    rig.bench.run_for(ms(90_000));
    assert!((rig.output("GOV-1.SP") - 90.0).abs() < 1e-9);
    let after_mw = rig.truth("P-G1");
    // The others give way by their droop, so that the unit gains less than its reference.
    assert!(after_mw > before_mw + 8.0, "{before_mw} to {after_mw} MW");
    assert!(rig.truth("F-5") > 60.01);
    // The first connection has been idle for too long. Above the rating is taken as written and carried out as far as the rating.
    let mut client = rig.bench.connect();
    client.ask(&mut rig.bench, &write(42, 24_750));
    client.ask(&mut rig.bench, &write(40, 32_000));
    rig.bench.run_for(ms(60_000));
    assert!((rig.output("GOV-1.SP") - 247.5).abs() < 1e-9);
    assert_eq!(rig.bench.handle.snapshot("GOV-1.TGT"), Some(320.0));
}

#[test]
fn a_unit_that_is_taken_off_runs_back_and_is_synchronised_again() {
    let mut rig = Rig::new(&["GEN-1"]);
    let mut client = rig.bench.connect();
    // Unloaded first, while G1 takes over: the steam in the reheater would bring even a small load to overspeed.
    for (address, count) in [(42, 24_750), (62, 12_800), (40, 15_664), (60, 0)] {
        client.ask(&mut rig.bench, &write(address, count));
    }
    rig.bench.run_for(ms(110_000));
    assert!(rig.truth("P-G3").abs() < 3.0, "{} MW", rig.truth("P-G3"));
    // Coil 16: 52G3.TRIP.
    let trip = [5, 0, 16, 0xff, 0];
    assert_eq!(client.ask(&mut rig.bench, &trip), trip);
    rig.bench.run_for(ms(10_000));
    assert!(!rig.contact("52G3"));
    assert_eq!((rig.output("GOV-3.SP"), rig.bench.handle.snapshot("GOV-3.TGT")), (0.0, Some(0.0)));
    assert_eq!(client.ask(&mut rig.bench, &[1, 0, 16, 0, 1]), [1, 1, 0], "the command took itself back");
    // Brought in a little fast, and closed where the check permits it. Coil 17: 52G3.CLOSE.
    let mut closed = false;
    for _ in 0..600 {
        rig.bench.run_for(ms(300));
        let above = (rig.truth("F-9") + 0.03 - 60.0) / 60.0;
        client.ask(&mut rig.bench, &write(60, (above / 0.05 * 128.0 * 100.0) as i16));
        if rig.contact("25-G3") {
            client.ask(&mut rig.bench, &[5, 0, 17, 0xff, 0]);
            rig.bench.run_for(ms(1000));
            closed = rig.contact("52G3");
            break;
        }
    }
    assert!(closed, "F-9 {} Hz, F-G3 {} Hz", rig.truth("F-9"), rig.truth("F-G3"));
    assert!(rig.truth("TQ-G3") < 1.5, "gently: {} pu", rig.truth("TQ-G3"));
}

#[test]
fn stopped_and_started_again_the_units_are_taken_over_where_they_are() {
    let mut rig = Rig::new(&["GEN-1"]);
    rig.bench.handle.turn_key(KeySwitch::Stop);
    rig.bench.run_for(ms(2000));
    assert_eq!(rig.output("GOV-2.SP"), 0.0);
    let power_mw = rig.truth("P-G2");
    rig.bench.handle.turn_key(KeySwitch::Run);
    rig.bench.run_for(ms(300));
    assert!((rig.output("GOV-2.SP") - power_mw).abs() < 5.0, "{} MW for {power_mw}", rig.output("GOV-2.SP"));
    assert!((rig.output("AVR-2.SP") - 1.025).abs() < 1e-9);
}

/// A program scanned by hand.
struct Hand<L> {
    image: Image,
    logic: L,
}

impl<L: Logic> Hand<L> {
    fn set(&mut self, tag: &str, value: f64) {
        let id = self.image.require(tag).unwrap();
        self.image.set(id, value);
    }

    /// After one scan.
    fn next(&mut self, tags: [&str; 2]) -> [bool; 2] {
        self.logic.scan(&mut self.image, ms(100));
        tags.map(|tag| self.image.is_on(self.image.require(tag).unwrap()))
    }
}

#[test]
fn a_coil_is_energised_for_a_moment_and_a_trip_bars_the_close_that_stands_with_it() {
    let mut image = Image::of(&device("RTU-7"));
    let logic = Substation::new(&mut image, &RTU_7).unwrap();
    let mut hand = Hand { image, logic };
    let coils = ["52-75.T", "52-75.C"];
    hand.set("52-75", 1.0);
    hand.set("52-75.TRIP", 1.0);
    hand.set("52-75.CLOSE", 1.0);
    let scans = LONGEST.as_millis() / 100;
    for _ in 0..scans {
        hand.set("52-75.CLOSE", 1.0);
        assert_eq!(hand.next(coils), [true, false]);
    }
    hand.set("52-75.CLOSE", 1.0);
    assert_eq!(hand.next(coils), [false, false], "the close stood with the trip: it must come anew");
    assert_eq!(hand.next(coils), [false, false]);
    hand.set("52-75.CLOSE", 1.0);
    assert_eq!(hand.next(coils), [false, true]);
}

#[test]
fn what_is_not_a_number_moves_no_unit_beyond_its_limits() {
    let mut image = Image::of(&device("GEN-1"));
    let logic = Generation::new(&mut image).unwrap();
    let mut hand = Hand { image, logic };
    hand.set("52G1", 1.0);
    for tag in ["GOV-1.TGT", "GOV-1.RAMP", "GOV-1.MAX", "AVR-1.TGT"] {
        hand.set(tag, f64::NAN);
    }
    for _ in 0..100 {
        hand.next(["52G1", "86-G1"]);
    }
    let value = |hand: &Hand<Generation>, tag| hand.image.get(hand.image.require(tag).unwrap());
    assert_eq!(value(&hand, "GOV-1.SP"), 71.64, "no ramp, no move");
    assert!((value(&hand, "AVR-1.SP") - 0.95).abs() < 1e-9);
}
