//! The power system as a plant: terminals, breakers, protection, faults and harm.

use crate::{close, command, run, sent, truth};
use sim::{Plant, PlantEvent, PlantEventKind};

fn plant() -> Plant {
    Plant::named("power", 3).unwrap()
}

/// A pulse of one step.
fn pulse(plant: &mut Plant, tag: &str) {
    command(plant, tag, 1.0);
    plant.step();
    command(plant, tag, 0.0);
}

fn steps(plant: &mut Plant, count: usize) {
    for _ in 0..count {
        plant.step();
    }
}

/// Lowest frequency of unit 1 over some seconds, Hz.
fn nadir(plant: &mut Plant, seconds: u64) -> f64 {
    let mut lowest = f64::MAX;
    for _ in 0..seconds * 20 {
        steps(plant, 10);
        lowest = lowest.min((23.64 * truth(plant, "F-G1") + 6.4 * truth(plant, "F-G2")) / 30.04);
    }
    lowest
}

fn tags(events: &[PlantEvent], kind: PlantEventKind) -> Vec<&str> {
    events.iter().filter(|event| event.kind == kind).map(|event| event.tag.as_str()).collect()
}

fn cause(plant: &Plant, name: &str) -> (f64, f64) {
    let cause = plant.harm().causes.into_iter().find(|cause| cause.name == name).unwrap();
    (cause.amount, cause.money)
}

#[test]
fn an_undisturbed_hour_is_quiet_and_free() {
    let mut plant = plant();
    run(&mut plant, 3600);
    assert_eq!(plant.drain_events(), Vec::new());
    assert_eq!(plant.harm().total, 0.0);
    assert!(plant.active_alarms().is_empty(), "{:?}", plant.active_alarms());
    close(truth(&plant, "F-5"), 60.0, 1e-6, "frequency, Hz");
    close(truth(&plant, "P-G1"), 71.64, 0.01, "P of unit 1, MW");
    close(truth(&plant, "V-5"), 0.99563 * 230.0, 0.01, "V of bus 5, kV");
    close(sent(&plant, "V-5"), truth(&plant, "V-5"), 0.5, "V of bus 5 as sent, kV");
    close(
        truth(&plant, "P-57") + truth(&plant, "P-54"),
        -125.0,
        0.01,
        "power that comes to the load at bus 5, MW",
    );
}

#[test]
fn a_breaker_opens_in_50_ms_and_its_contacts_tell() {
    let mut plant = plant();
    assert_eq!((plant.switch("52-57"), plant.switch("52-57.B")), (Some(true), Some(false)));
    pulse(&mut plant, "52-57.T");
    assert_eq!((plant.switch("52-57"), plant.switch("52-57.B")), (Some(false), Some(false)), "it moves");
    let before_mw = truth(&plant, "P-57");
    assert!(before_mw < -80.0);
    steps(&mut plant, 9);
    assert_eq!(plant.switch("52-57.B"), Some(false));
    steps(&mut plant, 1);
    assert_eq!((plant.switch("52-57"), plant.switch("52-57.B")), (Some(false), Some(true)));
    steps(&mut plant, 10);
    assert_eq!(truth(&plant, "P-57"), 0.0);
    // The other end still feeds the line's charging: 0.306 pu at about 1.05 pu.
    close(truth(&plant, "Q-75"), -34.0, 3.0, "charging of the line, Mvar");
    let events = plant.drain_events();
    let opened = events.iter().find(|event| event.kind == PlantEventKind::BreakerOpened).unwrap();
    assert_eq!((opened.tag.as_str(), opened.time.as_secs_f64()), ("52-57", 0.055));
}

#[test]
fn a_line_is_closed_again_within_its_check_and_not_before_the_spring_is_wound() {
    let mut plant = plant();
    pulse(&mut plant, "52-46.T");
    run(&mut plant, 20);
    assert_eq!(plant.switch("25-46"), Some(true));
    pulse(&mut plant, "52-46.C");
    steps(&mut plant, 20);
    assert_eq!((plant.switch("52-46"), plant.switch("52-46.SPR")), (Some(true), Some(false)));
    pulse(&mut plant, "52-46.T");
    run(&mut plant, 1);
    pulse(&mut plant, "52-46.C");
    run(&mut plant, 1);
    assert_eq!(plant.switch("52-46"), Some(false), "the spring is not wound");
    run(&mut plant, 11);
    assert_eq!(plant.switch("52-46.SPR"), Some(true));
    pulse(&mut plant, "52-46.C");
    run(&mut plant, 1);
    assert_eq!(plant.switch("52-46"), Some(true));
    let events = plant.drain_events();
    assert_eq!(tags(&events, PlantEventKind::BreakerRefused), ["52-46"]);
    assert_eq!(tags(&events, PlantEventKind::BreakerClosed).len(), 2);
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
fn a_sticking_governor_leaves_the_others_to_help() {
    let power_after = |sticks: bool| {
        let mut plant = plant();
        if sticks {
            plant.start_fault("sticking_governor", "G2", &[]).unwrap();
        }
        pulse(&mut plant, "52L6.T");
        run(&mut plant, 60);
        (truth(&plant, "P-G2"), truth(&plant, "F-5"))
    };
    let (healthy_mw, healthy_hz) = power_after(false);
    let (stuck_mw, stuck_hz) = power_after(true);
    println!("{healthy_mw} {healthy_hz} {stuck_mw} {stuck_hz}");
    assert!(healthy_mw < 140.0 && stuck_mw > 155.0 && stuck_hz > healthy_hz);
}

#[test]
fn a_frozen_transmitter_repeats_itself() {
    let mut plant = plant();
    run(&mut plant, 1);
    plant.start_fault("frozen_transmitter", "V-7", &[]).unwrap();
    let before = sent(&plant, "V-7");
    pulse(&mut plant, "52-78.T");
    run(&mut plant, 5);
    assert_eq!(sent(&plant, "V-7"), before);
    assert!((truth(&plant, "V-7") - before).abs() > 1.0);
    plant.clear_fault("frozen_transmitter", "V-7").unwrap();
    run(&mut plant, 60);
    close(sent(&plant, "V-7"), truth(&plant, "V-7"), 1.0, "mended, kV");
}

#[test]
fn a_tap_changer_brings_customers_their_voltage_back() {
    let mut plant = plant();
    pulse(&mut plant, "52-45.T");
    run(&mut plant, 25);
    assert_eq!(truth(&plant, "TAP-5"), 0.0, "it waits half a minute");
    run(&mut plant, 300);
    assert!(truth(&plant, "TAP-5") >= 10.0, "{}", truth(&plant, "TAP-5"));
    let mut by_hand = self::plant();
    command(&mut by_hand, "TC-5.AUTO", 0.0);
    pulse(&mut by_hand, "TC-5.R");
    steps(&mut by_hand, 20);
    assert_eq!(truth(&by_hand, "TAP-5"), 1.0);
}

#[test]
fn setpoints_move_the_units() {
    let mut plant = plant();
    command(&mut plant, "GOV-2.SP", 140.0);
    command(&mut plant, "AVR-1.SP", 1.06);
    run(&mut plant, 120);
    assert!(truth(&plant, "P-G2") < 150.0 && truth(&plant, "P-G1") > 78.0);
    assert!(truth(&plant, "V-4") > 1.03 * 230.0);
    assert!(truth(&plant, "F-5") < 59.95, "23 MW less, and three governors share it");
}

#[test]
fn a_region_without_units_is_dark_and_costs() {
    let mut plant = plant();
    for unit in ["86-G1.T", "86-G2.T", "86-G3.T"] {
        pulse(&mut plant, unit);
    }
    run(&mut plant, 360);
    close(truth(&plant, "V-5"), 0.0, 1e-9, "V of bus 5, kV");
    assert_eq!(truth(&plant, "F-5"), 0.0);
    let (mwh, money) = cause(&plant, "load-lost");
    close(mwh, 31.5, 0.5, "315 MW for six minutes, MWh");
    assert!(money > 300_000.0);
    assert!(plant.harm().limits.iter().any(|limit| limit.name == "load-lost" && limit.first.is_some()));
}

#[test]
fn two_runs_of_one_seed_agree_to_the_last_bit() {
    let bits = |seed: u64| {
        let mut plant = Plant::named("power", seed).unwrap();
        let (mut bits, mut row) = (Vec::new(), Vec::new());
        for second in 0..60 {
            match second {
                5 => pulse(&mut plant, "52-57.T"),
                20 => pulse(&mut plant, "52G3.T"),
                30 => plant.start_fault("drifting_transmitter", "F-5", &[]).unwrap(),
                40 => plant.start_fault("line_fault", "7-8", &[]).unwrap(),
                _ => {}
            }
            run(&mut plant, 1);
            plant.row(&mut row);
            assert_eq!(row.len(), plant.columns().len());
            bits.extend(row.iter().map(|value| value.to_bits()));
        }
        bits
    };
    let first = bits(7);
    assert!(first == bits(7));
    assert!(first != bits(8), "another seed, another noise");
}

#[test]
fn a_command_of_the_value_that_is_there_changes_nothing() {
    let (mut idle, mut busy) = (plant(), plant());
    run(&mut idle, 20);
    run(&mut busy, 10);
    for tag in ["52-57.C", "52-57.T", "81-5.BLK", "25-G3.DEF"] {
        command(&mut busy, tag, 0.0);
    }
    let setpoint = busy.actuator_index("GOV-1.SP").unwrap();
    let value = busy.commanded(setpoint);
    busy.command(setpoint, value);
    run(&mut busy, 10);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    idle.row(&mut first);
    busy.row(&mut second);
    assert!(first.iter().zip(&second).all(|(a, b)| a.to_bits() == b.to_bits()));
}

#[test]
fn demand_wanders_only_where_it_was_started() {
    let mut plant = plant();
    plant.start_patterns_at(8 * 3600);
    plant.step();
    close(truth(&plant, "F-5"), 60.0, 1e-9, "frequency at the start, Hz");
    let (mut lowest, mut highest) = (f64::MAX, 0.0_f64);
    for _ in 0..1800 {
        run(&mut plant, 1);
        lowest = lowest.min(truth(&plant, "F-5"));
        highest = highest.max(truth(&plant, "F-5"));
    }
    println!("{lowest:.4} to {highest:.4} Hz");
    assert!(lowest < 59.996 && highest > 60.004 && lowest > 59.95 && highest < 60.05);
    assert_eq!((plant.drain_events(), plant.harm().total), (Vec::new(), 0.0), "an ordinary half hour");
}

#[test]
fn a_dead_bus_is_energised_again_without_a_synchronism_check() {
    let mut plant = plant();
    pulse(&mut plant, "52-87.T");
    pulse(&mut plant, "52-89.T");
    run(&mut plant, 15);
    assert_eq!((truth(&plant, "V-8"), truth(&plant, "P-L8")), (0.0, 0.0));
    close(plant.state("LOAD.unserved_mw").unwrap(), 100.0, 1e-9, "load at bus 8, MW");
    assert_eq!(plant.switch("25-87"), Some(true), "nothing to be in synchronism with");
    pulse(&mut plant, "52-87.C");
    run(&mut plant, 1);
    assert!(truth(&plant, "V-8") > 200.0 && plant.state("LOAD.unserved_mw") == Some(0.0));
}

#[test]
fn an_island_runs_at_a_frequency_of_its_own_and_is_joined_again_in_synchronism() {
    let mut plant = plant();
    // Units 2 and 3 with the loads at 8 and 6, against unit 1 with the load at 5; 248 MW against 190, so steam off first.
    command(&mut plant, "GOV-2.SP", 120.0);
    command(&mut plant, "GOV-1.SP", 115.0);
    run(&mut plant, 120);
    pulse(&mut plant, "52-57.T");
    pulse(&mut plant, "52-46.T");
    run(&mut plant, 60);
    let (east_hz, west_hz) = (truth(&plant, "F-7"), truth(&plant, "F-5"));
    println!("{east_hz:.3} and {west_hz:.3} Hz");
    assert!((east_hz - west_hz).abs() > 0.05);
    assert!(plant.switch("86-G2") == Some(false) && plant.switch("86-G1") == Some(false));
    // The two sides also have to agree in voltage.
    command(&mut plant, "AVR-1.SP", 1.09);
    command(&mut plant, "AVR-2.SP", 1.0);
    let mut joined = false;
    let mut setpoint_mw = 115.0;
    for _ in 0..600 {
        setpoint_mw += 5.0 * (truth(&plant, "F-7") - truth(&plant, "F-5") - 0.03);
        command(&mut plant, "GOV-1.SP", setpoint_mw);
        for _ in 0..40 {
            steps(&mut plant, 5);
            if plant.switch("25-57") == Some(true) && plant.switch("52-57.B") == Some(true) {
                pulse(&mut plant, "52-57.C");
            }
        }
        if plant.switch("52-57") == Some(true) {
            joined = true;
            break;
        }
    }
    assert!(joined);
    run(&mut plant, 30);
    close(truth(&plant, "F-7"), truth(&plant, "F-5"), 0.02, "one frequency again, Hz");
    assert_eq!(plant.state("SHAFT.life_percent"), Some(0.0));
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
    let mut plant = self::plant();
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
fn trip_coils_that_stay_energised_and_close_coils_do_not_pump() {
    let mut plant = plant();
    command(&mut plant, "52-69.T", 1.0);
    command(&mut plant, "52-69.C", 1.0);
    run(&mut plant, 60);
    command(&mut plant, "52-69.T", 0.0);
    run(&mut plant, 5);
    assert_eq!(plant.switch("52-69"), Some(false), "the close coil has been on all the time");
    let opened = tags(&plant.drain_events(), PlantEventKind::BreakerOpened).len();
    assert_eq!(opened, 1);
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
