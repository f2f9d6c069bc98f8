//! Protection of the power system: load shedding, synchronism check, relays and lockouts.

use crate::power_plant::{cause, plant, pulse, steps, tags};
use crate::{close, command, run, truth};
use sim::{Plant, PlantEventKind};

/// Lowest frequency of unit 1 over some seconds, Hz.
fn nadir(plant: &mut Plant, seconds: u64) -> f64 {
    let mut lowest = f64::MAX;
    for _ in 0..seconds * 20 {
        steps(plant, 10);
        lowest = lowest.min((23.64 * truth(plant, "F-G1") + 6.4 * truth(plant, "F-G2")) / 30.04);
    }
    lowest
}

#[test]
fn load_shedding_stops_the_fall_after_the_loss_of_a_unit() {
    // Own reference: nadir of the centre of inertia and stages, for the loss of unit 3 and of unit 2.
    for (unit, nadir_hz, stages) in [("52G3.T", 59.025, 3), ("52G2.T", 57.953, 4)] {
        let mut plant = plant();
        pulse(&mut plant, unit);
        let mut lowest = f64::MAX;
        for _ in 0..10 * 200 {
            plant.step();
            let lost = if unit == "52G3.T" { ("F-G2", 6.4) } else { ("F-G3", 3.01) };
            let hz = (23.64 * truth(&plant, "F-G1") + lost.1 * truth(&plant, lost.0)) / (23.64 + lost.1);
            lowest = lowest.min(hz);
        }
        let operated = (1..=4).filter(|n| plant.switch(&format!("81-5.S{n}")) == Some(true)).count();
        println!("{unit}: {lowest:.3} Hz, {operated} stages");
        close(lowest, nadir_hz, 0.01, &format!("{unit}: nadir, Hz"));
        assert_eq!(operated, stages, "{unit}");
        assert!(cause(&plant, "load-lost").0 > 0.1);
    }
}

#[test]
fn blocked_load_shedding_lets_the_frequency_fall() {
    // Own. The second reference swings without damping, and machines that swing carry less on average: hence its tolerance.
    for (unit, nadir_hz, tolerance_hz) in [("52G3.T", 58.169, 0.01), ("52G2.T", 54.967, 0.1)] {
        let mut plant = plant();
        for tag in ["81-5.BLK", "81-6.BLK", "81-8.BLK"] {
            command(&mut plant, tag, 1.0);
        }
        for n in 1..=3 {
            command(&mut plant, &format!("81U1-G{n}.BLK"), 1.0);
            command(&mut plant, &format!("81U2-G{n}.BLK"), 1.0);
        }
        pulse(&mut plant, unit);
        let lowest = if unit == "52G3.T" {
            nadir(&mut plant, 20)
        } else {
            let mut lowest = f64::MAX;
            for _ in 0..20 * 200 {
                plant.step();
                let hz = (23.64 * truth(&plant, "F-G1") + 3.01 * truth(&plant, "F-G3")) / 26.65;
                lowest = lowest.min(hz);
            }
            lowest
        };
        println!("{unit}: {lowest:.3} Hz");
        close(lowest, nadir_hz, tolerance_hz, &format!("{unit}: nadir, Hz"));
    }
}

#[test]
fn pickups_that_somebody_lowered_shed_nothing() {
    let mut plant = plant();
    for relay in ["81-5", "81-6", "81-8"] {
        for stage in 1..=4 {
            command(&mut plant, &format!("{relay}.SP{stage}"), 50.0);
        }
    }
    pulse(&mut plant, "52G3.T");
    run(&mut plant, 10);
    assert_eq!(plant.switch("81-5.S1"), Some(false));
    assert!(nadir(&mut plant, 1) < 58.9);
}

#[test]
fn feeders_come_back_when_they_are_told() {
    let mut plant = plant();
    pulse(&mut plant, "52G3.T");
    run(&mut plant, 60);
    let shed_mw = plant.state("LOAD.unserved_mw").unwrap();
    close(shed_mw, 0.21 * 315.0, 0.5, "three stages of 7 %, MW");
    for relay in ["81-5", "81-6", "81-8"] {
        pulse(&mut plant, &format!("{relay}.RST"));
    }
    steps(&mut plant, 1);
    assert_eq!(plant.state("LOAD.unserved_mw"), Some(0.0));
    assert_eq!(plant.switch("81-5.S1"), Some(false));
}

#[test]
fn the_synchronism_check_stops_a_wrong_closing_and_a_defeated_one_breaks_the_shaft() {
    for defeated in [false, true] {
        let mut plant = plant();
        command(&mut plant, "25-G3.DEF", f64::from(u8::from(defeated)));
        let mut slipping = Vec::new();
        for _ in 0..4 {
            pulse(&mut plant, "52G3.T");
            // 50 ms to open, 80 ms to close: apart for about 20 cycles.
            steps(&mut plant, 60);
            slipping.push(plant.switch("25-G3") == Some(false));
            pulse(&mut plant, "52G3.C");
            run(&mut plant, 14);
        }
        assert!(slipping[0], "after a third of a second the unit is out of phase");
        let events = plant.drain_events();
        let (peak_pu, life) = (truth(&plant, "TQ-G3"), plant.state("SHAFT.life_percent").unwrap());
        println!("defeated {defeated}: peak {peak_pu:.2} pu, life used {life:.1} %");
        if defeated {
            close(peak_pu, 2.05, 0.15, "torque of the machine's rating");
            assert!(life > 5.0 && cause(&plant, "shaft-life").1 > 250_000.0);
            assert!(tags(&events, PlantEventKind::LimitCrossed).contains(&"torque-G3"));
            let closed = events.iter().find(|event| event.kind == PlantEventKind::BreakerClosed).unwrap();
            assert!(closed.value.abs() > 90.0, "{closed:?}");
        } else {
            assert!(peak_pu < 1.5 && life == 0.0);
            assert!(tags(&events, PlantEventKind::BreakerRefused).contains(&"52G3"));
            assert!(!tags(&events, PlantEventKind::BreakerClosed).contains(&"52G3"));
        }
    }
}

#[test]
fn a_unit_without_load_trips_at_110_per_cent_and_can_be_brought_back() {
    let mut plant = plant();
    pulse(&mut plant, "52G3.T");
    run(&mut plant, 2);
    let events = plant.drain_events();
    let tripped = events.iter().find(|event| event.tag == "12-G3").unwrap();
    // 0.865 s after the contacts parted at 0.05 s.
    close(tripped.time.as_secs_f64(), 0.915, 0.01, "overspeed trip, s");
    assert_eq!(plant.switch("86-G3"), Some(true));
    assert_eq!(cause(&plant, "unit-trips").0, 1.0);
    // Steam off, the unit coasts; near rated speed the governor takes it over and holds it there.
    command(&mut plant, "GOV-3.SP", 0.0);
    while truth(&plant, "F-G3") > 60.2 {
        run(&mut plant, 1);
    }
    pulse(&mut plant, "86-G3.RST");
    run(&mut plant, 1);
    assert_eq!(plant.switch("86-G3"), Some(false));
    let mut closed_at = None;
    let mut secondary_mw = 71.64;
    for second in 0..900 {
        // As operators would: unit 1 brings the frequency back, unit 3 runs a little faster than the network.
        let hz = truth(&plant, "F-9");
        secondary_mw += 0.5 * (60.0 - hz);
        command(&mut plant, "GOV-1.SP", secondary_mw);
        command(&mut plant, "GOV-3.SP", (hz + 0.03 - 60.0) / 3.0 * 128.0);
        // Without unit 3, which took reactive power, the voltage stands high.
        let ratio = truth(&plant, "V-9") / 230.0 * 13.8 / truth(&plant, "V-3");
        let voltage_setpoint = plant.actuator_index("AVR-3.SP").unwrap();
        let setpoint = plant.commanded(voltage_setpoint) * (1.0 + 0.1 * (ratio - 1.0));
        plant.command(voltage_setpoint, setpoint);
        for _ in 0..40 {
            steps(&mut plant, 5);
            if plant.switch("25-G3") == Some(true) && plant.switch("52G3.B") == Some(true) {
                pulse(&mut plant, "52G3.C");
            }
        }
        if plant.switch("52G3") == Some(true) {
            closed_at = Some(second);
            break;
        }
    }
    println!("synchronised {closed_at:?} s after the reset; torque {:.2} pu", truth(&plant, "TQ-G3"));
    assert!(closed_at.is_some(), "slip {} Hz", truth(&plant, "F-9") - truth(&plant, "F-G3"));
    command(&mut plant, "GOV-3.SP", 85.0);
    run(&mut plant, 120);
    assert!(truth(&plant, "P-G3") > 50.0 && plant.switch("52G3") == Some(true));
    assert!(plant.state("SHAFT.life_percent") == Some(0.0), "a soft closing hurts nobody");
}

#[test]
fn lightning_opens_a_line_at_both_ends_and_it_can_be_closed_again() {
    let mut plant = plant();
    run(&mut plant, 1);
    plant.start_fault("line_fault", "8-9", &[("lasts_s", 0.4)]).unwrap();
    run(&mut plant, 20);
    let events = plant.drain_events();
    assert_eq!(tags(&events, PlantEventKind::Tripped), ["87L-89"]);
    let opened: Vec<f64> = events
        .iter()
        .filter(|event| event.kind == PlantEventKind::BreakerOpened)
        .map(|event| event.time.as_secs_f64())
        .collect();
    assert_eq!(opened.len(), 2);
    close(opened[0] - 1.0, 0.085, 0.011, "fault to clearing, s");
    assert_eq!(plant.switch("52-89"), Some(false));
    for tag in ["52-89.C", "52-98.C"] {
        pulse(&mut plant, tag);
        run(&mut plant, 1);
    }
    assert_eq!((plant.switch("52-89"), plant.switch("52-98")), (Some(true), Some(true)));
    assert_eq!(plant.switch("86-G3"), Some(false), "the units ride through");
}

#[test]
fn a_bus_fault_takes_the_bus_and_a_stuck_breaker_feeds_it_on() {
    for stuck in [false, true] {
        let mut plant = plant();
        if stuck {
            plant.start_fault("breaker_fails_to_open", "52-75", &[]).unwrap();
        }
        plant.start_fault("bus_fault", "7", &[]).unwrap();
        run(&mut plant, 1);
        assert_eq!(plant.switch("52G2"), Some(false));
        assert_eq!(plant.switch("52-78"), Some(false));
        assert_eq!(plant.switch("52-75"), Some(stuck));
        if stuck {
            plant.clear_fault("breaker_fails_to_open", "52-75").unwrap();
            pulse(&mut plant, "52-75.T");
            run(&mut plant, 1);
            assert_eq!(plant.switch("52-75"), Some(false), "mended, it opens");
        }
    }
}

#[test]
fn blocked_load_shedding_and_the_loss_of_a_unit_end_in_the_dark() {
    let mut plant = plant();
    for tag in ["81-5.BLK", "81-6.BLK", "81-8.BLK"] {
        command(&mut plant, tag, 1.0);
    }
    pulse(&mut plant, "52G2.T");
    run(&mut plant, 30);
    let events = plant.drain_events();
    let tripped = tags(&events, PlantEventKind::Tripped);
    assert!(tripped.contains(&"81U1-G1") || tripped.contains(&"81U2-G1"), "{tripped:?}");
    assert_eq!((truth(&plant, "V-5"), truth(&plant, "V-6")), (0.0, 0.0));
    close(plant.state("LOAD.unserved_mw").unwrap(), 315.0, 1e-9, "all load, MW");
}

#[test]
fn low_voltage_is_signalled_and_high_voltage_takes_the_load_off() {
    let mut plant = plant();
    pulse(&mut plant, "52-45.T");
    pulse(&mut plant, "52-54.T");
    run(&mut plant, 15);
    println!("V5 {:.4} pu with line 4-5 out", truth(&plant, "V-5") / 230.0);
    assert_eq!((plant.switch("27-5"), plant.switch("52L5")), (Some(true), Some(true)));
    let mut plant = crate::power_plant::plant();
    for tag in ["AVR-1.SP", "AVR-2.SP", "AVR-3.SP"] {
        command(&mut plant, tag, 1.2);
    }
    run(&mut plant, 15);
    let events = plant.drain_events();
    assert!(tags(&events, PlantEventKind::Tripped).contains(&"59-8"), "{events:?}");
    assert_eq!(plant.switch("52L8"), Some(false));
}

#[test]
fn a_unit_that_stays_connected_and_runs_too_fast_is_taken_off() {
    let mut plant = plant();
    for tag in ["52L5.T", "52L6.T", "52L8.T"] {
        pulse(&mut plant, tag);
    }
    run(&mut plant, 5);
    let events = plant.drain_events();
    let tripped = tags(&events, PlantEventKind::Tripped);
    assert!(tripped.iter().any(|tag| tag.starts_with("81O-")), "{tripped:?}");
}

#[test]
fn a_closing_against_a_standing_trip_is_refused() {
    let mut plant = plant();
    pulse(&mut plant, "86-G3.T");
    run(&mut plant, 15);
    pulse(&mut plant, "52G3.C");
    run(&mut plant, 1);
    assert_eq!(plant.switch("52G3"), Some(false));
    let events = plant.drain_events();
    assert_eq!(tags(&events, PlantEventKind::BreakerRefused), ["52G3"]);
    assert!(
        cause(&plant, "unit-trips").0 == 1.0 && tags(&events, PlantEventKind::Tripped).contains(&"86-G3")
    );
}

#[test]
fn a_relay_does_not_chatter_about_its_pickup() {
    let mut plant = plant();
    for tag in ["TC-5.AUTO", "TC-6.AUTO", "TC-8.AUTO"] {
        command(&mut plant, tag, 0.0);
    }
    pulse(&mut plant, "52-45.T");
    pulse(&mut plant, "52-54.T");
    run(&mut plant, 60);
    // 27-5 has operated at 0.880 pu and drops out at 0.90 + 0.02 pu.
    let settle = |plant: &mut Plant, pickup_pu: f64| {
        command(plant, "27-5.SP", pickup_pu);
        run(plant, 20);
        (truth(plant, "V-5") / 230.0, plant.switch("27-5"))
    };
    let (voltage_pu, _) = settle(&mut plant, 0.9);
    assert_eq!(
        settle(&mut plant, voltage_pu - 0.01).1,
        Some(true),
        "below its pickup no more, but not by its margin"
    );
    assert_eq!(settle(&mut plant, voltage_pu - 0.03).1, Some(false));
    assert_eq!(settle(&mut plant, voltage_pu - 0.01).1, Some(false), "it has dropped out");
}
