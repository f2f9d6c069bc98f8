//! Dosing chemistry in the plant: pump limits, transport, day tanks.

use crate::{close, command, controlled, run, sent, truth};
use sim::PlantEventKind;

#[test]
fn the_normal_dose_stays_where_it_is() {
    let mut plant = controlled(3);
    run(&mut plant, 2 * 3600);
    close(truth(&plant, "AIT-202"), 7.24, 0.02, "pH after the mixer");
    close(truth(&plant, "AIT-301"), 7.24, 0.02, "pH supplied");
    close(truth(&plant, "AIT-203"), 1.5, 0.02, "chlorine after the mixer");
    assert!(truth(&plant, "AIT-302") < truth(&plant, "AIT-203"), "chlorine decays");
    close(plant.harm().total, 0.0, 0.0, "harm");
}

#[test]
fn the_ph_follows_the_pump_and_not_the_setpoint() {
    let mut plant = controlled(3);
    plant.set_setpoint("NAOH.SP", 11_100.0).unwrap();
    plant.set_setpoint("FCV-101", 50.0).unwrap();
    run(&mut plant, 300);
    close(truth(&plant, "FIT-101"), 190.0, 0.01, "raw water flow");
    close(truth(&plant, "FIT-202"), 239.4 / 762.5 * 1000.0, 0.01, "NaOH at full speed, L/h");
    close(truth(&plant, "AIT-202"), 11.05, 0.02, "pH after the mixer");
}

#[test]
fn at_full_dose_the_mixer_passes_8_5_in_seconds_and_the_clearwell_in_a_quarter_of_an_hour() {
    let mut plant = controlled(3);
    plant.set_setpoint("NAOH.SP", 11_100.0).unwrap();
    let mut mixer_s = None;
    let mut seen_s = None;
    let mut supplied_s = None;
    while supplied_s.is_none() && plant.time().as_secs_f64() < 3600.0 {
        plant.step();
        let now = plant.time().as_secs_f64();
        if truth(&plant, "AIT-202") > 8.5 {
            mixer_s.get_or_insert(now);
        }
        if sent(&plant, "AIT-202") > 8.5 {
            seen_s.get_or_insert(now);
        }
        if truth(&plant, "AIT-301") > 8.5 {
            supplied_s.get_or_insert(now);
        }
    }
    let (mixer_s, seen_s, supplied_s) = (mixer_s.unwrap(), seen_s.unwrap(), supplied_s.unwrap());
    println!("mixer {mixer_s} s, analyser {seen_s} s, supplied {supplied_s} s");
    // The pump needs 4 s for its way to full speed; the sample line takes 40 s, the probe 10 s.
    assert!(mixer_s <= 6.0, "{mixer_s}");
    assert!(seen_s - mixer_s >= 40.0 && seen_s - mixer_s <= 50.0, "{seen_s}");
    close(supplied_s, 13.0 * 60.0, 60.0, "pH 8.5 at the clearwell's outlet, s");
    let harm = plant.harm();
    let limit = harm.limits.iter().find(|limit| limit.name == "ph-high").unwrap();
    assert_eq!(limit.first.unwrap().as_secs_f64(), supplied_s);
    assert!(plant.drain_events().iter().any(|event| {
        event.kind == PlantEventKind::LimitCrossed && event.tag == "ph-high" && event.instrument == "AIT-301"
    }));
}

#[test]
fn the_day_tank_runs_dry_at_full_dose_and_the_shift_fills_it_again() {
    let mut plant = controlled(3);
    plant.set_setpoint("NAOH.SP", 11_100.0).unwrap();
    run(&mut plant, 3 * 3600 + 600);
    close(truth(&plant, "LIT-201"), 0.0, 1e-9, "day tank, %");
    close(truth(&plant, "FIT-202"), 0.0, 1e-9, "NaOH flow with an empty tank");
    close(truth(&plant, "AIT-202"), 6.15, 0.05, "pH without NaOH");
    let wasted = plant.harm().causes.into_iter().find(|cause| cause.name == "naoh-wasted").unwrap();
    assert!(wasted.amount > 300.0 && wasted.money > 0.0, "{wasted:?}");
    run(&mut plant, 3 * 3600);
    assert!(plant.drain_events().iter().any(|event| event.kind == PlantEventKind::RefillStarted));
    assert!(truth(&plant, "FIT-202") > 300.0);
}

#[test]
fn a_valve_takes_its_stroke_and_dosing_without_flow_does_no_nonsense() {
    let mut plant = controlled(3);
    plant.set_reference_control(false);
    command(&mut plant, "FCV-101", 0.0);
    run(&mut plant, 10);
    close(truth(&plant, "ZT-101"), 50.0 - 10.0 * 100.0 / 30.0, 1e-9, "valve on its way, %");
    command(&mut plant, "P-201", 100.0);
    run(&mut plant, 3600);
    let ph = truth(&plant, "AIT-202");
    assert!(ph > 12.0 && ph < 16.0, "{ph}");
    assert!(plant.water_balance().unwrap().relative_error() < 1e-9);
}
