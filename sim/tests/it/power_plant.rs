//! The power system as a plant: terminals, breakers, islands, faults and harm.

use crate::{close, command, run, sent, truth};
use sim::{Plant, PlantEvent, PlantEventKind};

pub(crate) fn plant() -> Plant {
    Plant::named("power", 3).unwrap()
}

/// A pulse of one step.
pub(crate) fn pulse(plant: &mut Plant, tag: &str) {
    command(plant, tag, 1.0);
    plant.step();
    command(plant, tag, 0.0);
}

pub(crate) fn steps(plant: &mut Plant, count: usize) {
    for _ in 0..count {
        plant.step();
    }
}

pub(crate) fn tags(events: &[PlantEvent], kind: PlantEventKind) -> Vec<&str> {
    events.iter().filter(|event| event.kind == kind).map(|event| event.tag.as_str()).collect()
}

pub(crate) fn cause(plant: &Plant, name: &str) -> (f64, f64) {
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
