//! The scan: order of steps, when writes take effect, and what a day of it costs.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use plcs::{Controller, EventKind, FieldWiring, Image, Logic, LogicLoadError, MissingSignal, SignalId};

use crate::harness::{Bench, BenchClock, Wires, adu, device, ms};

#[test]
fn a_write_takes_effect_with_the_scan_that_serves_it() {
    let mut bench = Bench::new("PLC-1");
    bench.scan();
    let before = bench.wires.output("P-201");
    assert!((before - 100.0 * 100.0 / 350.0).abs() < 1e-9, "{before}");
    let mut client = bench.connect();
    client.send(&adu(1, 1, &[6, 0, 40, 0, 175]));
    bench.run_for(ms(99));
    assert_eq!(bench.wires.output("P-201"), before);
    bench.run_for(ms(1));
    assert!((bench.wires.output("P-201") - 50.0).abs() < 1e-9);
}

#[test]
fn a_write_to_a_copy_of_an_input_stands_until_the_next_scan_and_moves_nothing() {
    let mut bench = Bench::new("PLC-1");
    bench.scan();
    let before = bench.wires.output("P-201");
    let mut client = bench.connect();
    // FIT-101's copy becomes 0, and is read in the same scan and in the next.
    let read = adu(2, 1, &[3, 0, 0, 0, 1]);
    client.send(&[adu(1, 1, &[6, 0, 0, 0, 0]), read.clone()].concat());
    bench.scan();
    assert_eq!(client.take()[12..], adu(2, 1, &[3, 2, 0, 0]));
    assert_eq!(bench.wires.output("P-201"), before);
    client.send(&read);
    bench.scan();
    assert_eq!(client.take(), adu(2, 1, &[3, 2, 0x4a, 0x38]), "190.00 L/s again");
}

#[test]
fn writes_are_all_or_nothing() {
    let mut bench = Bench::new("PLC-1");
    let mut client = bench.connect();
    let answer = client.ask(&mut bench, &[16, 0, 46, 0, 2, 4, 0, 1, 0, 1]);
    assert_eq!(answer, [0x90, 2]);
    assert_eq!(bench.handle.snapshot("LIC-301.MAN"), Some(76.0));
}

#[test]
fn what_an_attacker_writes_the_image_holds_and_the_pump_gives_what_it_can() {
    let mut bench = Bench::new("PLC-1");
    let mut client = bench.connect();
    let [high, low] = 11_100_u16.to_be_bytes();
    client.ask(&mut bench, &[6, 0, 40, high, low]);
    assert_eq!(bench.handle.snapshot("NAOH.SP"), Some(11_100.0));
    assert_eq!(bench.wires.output("P-201"), 100.0);
}

#[test]
fn presets_hold_from_the_start_and_are_no_event() {
    let device = device("PLC-1");
    let (wires, clock) = (Wires::of(&device), BenchClock::default());
    let mut controller = Controller::for_device(&device, wires.clone(), clock.clone()).unwrap();
    controller.preset("NAOH.SP.MAX", 150.0).unwrap();
    controller.preset("PH.TRIPPED", 1.0).unwrap();
    assert!(controller.preset("NAOH.MAX", 1.0).is_err());
    let mut bench = Bench::around(controller, wires, clock);
    bench.scan();
    assert_eq!(bench.handle.snapshot("NAOH.SP.MAX"), Some(150.0));
    assert!(bench.handle.drain_events().is_empty());
}

#[test]
fn a_device_that_lacks_what_its_logic_needs_is_an_error() {
    let mut device = device("PLC-1");
    device.registers.retain(|entry| entry.tag.get_ref() != "NAOH.SP");
    let clock = BenchClock::default();
    let error = Controller::for_device(&device, Wires::of(&device), clock).unwrap_err();
    assert!(error.to_string().contains("NAOH.SP"), "{error}");
}

/// Wires that cost nothing, with a level that swings so that the logic has something to do.
struct Swinging(Rc<Cell<u64>>);

impl FieldWiring for Swinging {
    fn read(&mut self, input: usize) -> f64 {
        self.0.set(self.0.get() + 1);
        3.0 + (self.0.get() % 1000) as f64 * 0.001 + input as f64
    }
    fn write(&mut self, _output: usize, _value: f64) {}
}

/// Counts scans; run by hand with `cargo test --release -p plcs -- --ignored --nocapture a_day`.
#[test]
#[ignore = "a measurement, for release builds"]
fn a_day_of_three_controllers_costs_less_than_two_seconds() {
    let start = std::time::Instant::now();
    let mut scans = 0;
    for name in ["PLC-1", "PLC-2", "PLC-3"] {
        let device = device(name);
        let clock = BenchClock::default();
        let mut controller =
            Controller::for_device(&device, Swinging(Rc::new(Cell::new(0))), clock.clone()).unwrap();
        let period = controller.period();
        for _ in 0..86_400_000 / device.scan_ms {
            clock.set(record::Clock::now(&clock) + period);
            controller.scan();
            scans += 1;
        }
    }
    let took = start.elapsed();
    eprintln!("{scans} scans in {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

/// A program of one octet: the value it holds an output at.
struct Holding {
    output: SignalId,
    program: Vec<u8>,
}

impl Holding {
    fn build(image: &mut Image) -> Result<Box<dyn Logic>, MissingSignal> {
        Ok(Box::new(Self { output: image.require("FCV-101")?, program: vec![10] }))
    }
}

impl Logic for Holding {
    fn scan(&mut self, image: &mut Image, _dt: Duration) {
        image.set(self.output, f64::from(self.program[0]));
    }
    fn restart(&mut self, _image: &mut Image) {}
    fn program(&self) -> &[u8] {
        &self.program
    }
    fn takes_programs(&self) -> bool {
        true
    }
    fn load(&mut self, program: &[u8], _image: &mut Image) -> Result<(), LogicLoadError> {
        if program.len() > 300 {
            return Err(LogicLoadError::Program { line: 1, problem: "too long".to_owned() });
        }
        self.program = program.to_vec();
        Ok(())
    }
    fn retained(&self) -> &[SignalId] {
        &[]
    }
}

#[test]
fn a_changed_program_is_a_changed_plant() {
    let device = device("PLC-1");
    let (wires, clock) = (Wires::of(&device), BenchClock::default());
    let controller = Controller::new(&device, Holding::build, wires.clone(), clock.clone()).unwrap();
    let mut bench = Bench::around(controller, wires, clock);
    let mut client = bench.connect();
    let piece = |total: u8, offset: u8, octets: &[u8]| {
        [&[90, 4, 0, 0, 0, total, 0, 0, 0, offset][..], octets].concat()
    };
    assert_eq!(client.ask(&mut bench, &piece(3, 0, &[77])), [0xda, 4], "key in Run");
    bench.handle.turn_key(plcs::KeySwitch::Program);
    assert_eq!(client.ask(&mut bench, &piece(3, 0, &[77])), [90, 4, 0, 0, 0, 1]);
    assert_eq!(bench.wires.output("FCV-101"), 0.0, "stands while the program comes");
    assert_eq!(client.ask(&mut bench, &piece(3, 2, &[1])), [0xda, 2], "a gap");
    assert_eq!(client.ask(&mut bench, &piece(3, 1, &[1, 2, 3])), [0xda, 2], "more than announced");
    assert_eq!(client.ask(&mut bench, &piece(3, 1, &[1, 2])), [90, 4, 0, 0, 0, 3]);
    assert_eq!(client.ask(&mut bench, &[90, 1]), [90, 1]);
    assert_eq!(bench.wires.output("FCV-101"), 77.0);
    let kinds: Vec<_> = bench.handle.drain_events().into_iter().map(|event| event.kind).collect();
    assert!(kinds.contains(&EventKind::ProgramLoaded) && kinds.contains(&EventKind::Restarted), "{kinds:?}");
}
