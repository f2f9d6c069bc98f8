//! Integration tests of the plant.

#![allow(clippy::unwrap_used, reason = "tests")]

mod abuse;
mod alarms;
mod bad_files;
mod determinism;
mod dosing;
mod faults;
mod minitown;
mod power_abuse;
mod power_files;
mod power_plant;
mod power_protection;
mod power_reference;

use sim::Plant;

/// The water works with the stand-in for the controllers.
fn controlled(seed: u64) -> Plant {
    let mut plant = Plant::named("water", seed).unwrap();
    plant.set_reference_control(true);
    plant
}

/// Runs for some seconds.
fn run(plant: &mut Plant, seconds: u64) {
    for _ in 0..u128::from(seconds) * 1000 / plant.step_length().as_millis() {
        plant.step();
    }
}

/// A true value by its tag.
fn truth(plant: &Plant, tag: &str) -> f64 {
    plant.true_value(plant.instrument_index(tag).unwrap())
}

/// A transmitted value by its tag.
fn sent(plant: &Plant, tag: &str) -> f64 {
    plant.read(plant.instrument_index(tag).unwrap())
}

/// Commands an actuator by its tag.
fn command(plant: &mut Plant, tag: &str, value: f64) {
    let actuator = plant.actuator_index(tag).unwrap();
    plant.command(actuator, value);
}

#[track_caller]
fn close(actual: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (actual - expected).abs() <= tolerance,
        "{what}: {actual}, expected {expected} within {tolerance}"
    );
}
