//! Faults that are not attacks.

use crate::{close, controlled, run, sent, truth};
use sim::{FaultError, Plant, PlantEventKind};

#[test]
fn a_sticking_valve_stands_then_jumps() {
    let mut plant = controlled(2);
    plant.start_fault("sticking_valve", "FCV-101", &[("stiction_percent", 8.0)]).unwrap();
    plant.set_setpoint("LIC-301.SP", 3.4).unwrap();
    let mut positions = Vec::new();
    for _ in 0..6 * 360 {
        run(&mut plant, 10);
        positions.push(truth(&plant, "ZT-101"));
    }
    let moves: Vec<f64> =
        positions.windows(2).map(|pair| (pair[1] - pair[0]).abs()).filter(|way| *way > 0.0).collect();
    assert!(!moves.is_empty() && moves.len() < 100, "{} moves", moves.len());
    assert!(moves.iter().all(|way| *way >= 7.0), "{moves:?}");
    plant.clear_fault("sticking_valve", "FCV-101").unwrap();
    run(&mut plant, 120);
    let valve = plant.actuator_index("FCV-101").unwrap();
    close(plant.position(valve), plant.state("FCV-101.cmd").unwrap(), 0.1, "valve, mended");
}

#[test]
fn a_drifting_transmitter_leaves_the_truth_alone() {
    let mut plant = controlled(2);
    let mut healthy = controlled(2);
    plant.start_fault("drifting_transmitter", "LIT-401", &[("rate_per_h", -0.6)]).unwrap();
    run(&mut plant, 3600);
    run(&mut healthy, 3600);
    assert_eq!(truth(&plant, "LIT-401").to_bits(), truth(&healthy, "LIT-401").to_bits());
    close(sent(&plant, "LIT-401") - sent(&healthy, "LIT-401"), -0.6, 0.002, "drift after an hour, m");
    run(&mut plant, 4 * 3600);
    assert!(truth(&plant, "LIT-401") - sent(&plant, "LIT-401") < 1.55, "the limit holds");
    plant.clear_fault("drifting_transmitter", "LIT-401").unwrap();
    run(&mut plant, 1);
    close(sent(&plant, "LIT-401"), truth(&plant, "LIT-401"), 0.05, "level, mended");
}

#[test]
fn a_failing_probe_reads_high_and_noisy_while_the_water_is_good() {
    let mut plant = controlled(2);
    plant.start_fault("failing_probe", "AIT-202", &[]).unwrap();
    run(&mut plant, 600);
    let mut readings = Vec::new();
    for _ in 0..200 {
        run(&mut plant, 1);
        readings.push(sent(&plant, "AIT-202"));
    }
    let mean = readings.iter().sum::<f64>() / readings.len() as f64;
    let sigma =
        (readings.iter().map(|r| (r - mean) * (r - mean)).sum::<f64>() / readings.len() as f64).sqrt();
    close(mean, 7.24 + 1.6, 0.05, "mean reading");
    close(sigma, 0.12, 0.03, "noise");
    close(truth(&plant, "AIT-202"), 7.24, 0.02, "pH of the water");
    let kinds: Vec<PlantEventKind> = plant.drain_events().iter().map(|event| event.kind).collect();
    assert!(kinds.contains(&PlantEventKind::FaultStarted) && kinds.contains(&PlantEventKind::AlarmRaised));
}

#[test]
fn what_the_file_does_not_list_is_refused_with_what_there_is() {
    let mut plant = Plant::named("water", 1).unwrap();
    let unknown = plant.start_fault("failing_probe", "LIT-401", &[]).unwrap_err();
    assert!(matches!(unknown, FaultError::Unknown { .. }));
    assert!(unknown.to_string().contains("failing_probe on AIT-202"), "{unknown}");
    let parameter = plant.start_fault("failing_probe", "AIT-202", &[("offest", 1.0)]).unwrap_err();
    assert!(parameter.to_string().contains("offset, ramp_s, noise_sigma"), "{parameter}");
    assert!(plant.start_fault("failing_probe", "AIT-202", &[("offset", f64::NAN)]).is_err());
    assert!(plant.clear_fault("sticking_valve", "P-301").is_err());
}
