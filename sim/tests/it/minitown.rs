//! The network against EPANET 2.2.
//!
//! `data/minitown_epanet22_48h.csv`: MiniTown of epanetCPA (rtaormina/epanetCPA, commit 5329bea8, MIT), run for 48 h by
//! the EPANET 2.2 engine through wntr 1.5.0, a row for each 5 minutes. Pump events between the rows and the figures with
//! both pumps off come from the same engine.

use crate::{close, command, controlled, run, truth};
use sim::Plant;

struct Row {
    time_s: u64,
    level_m: f64,
    pump_1_l_s: f64,
    pump_2_l_s: f64,
    pressures_m: [f64; 4],
}

const PRESSURES: [&str; 4] = ["PIT-401", "PIT-403", "PIT-402", "PIT-404"];

fn reference() -> Vec<Row> {
    let text = include_str!("../data/minitown_epanet22_48h.csv");
    let rows = text.lines().skip(1).map(|line| {
        let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        Row {
            time_s: (cells[0] * 3600.0 / 300.0).round() as u64 * 300,
            level_m: cells[1],
            pump_1_l_s: cells[2],
            pump_2_l_s: cells[4],
            pressures_m: [cells[6], cells[7], cells[8], cells[9]],
        }
    });
    rows.filter(|row| row.time_s <= 48 * 3600).collect()
}

#[test]
fn levels_flows_and_pressures_follow_epanet_for_48_hours() {
    let mut plant = controlled(1);
    plant.hold_suction_head(Some(59.0));
    let rows = reference();
    assert_eq!(rows.len(), 577);
    let mut worst_m = 0.0_f64;
    for row in &rows {
        let elapsed_s = plant.time().as_secs_f64() as u64;
        run(&mut plant, row.time_s - elapsed_s);
        let at = format!("at {} s", row.time_s);
        let level_m = truth(&plant, "LIT-401");
        worst_m = worst_m.max((level_m - row.level_m).abs());
        close(level_m, row.level_m, 0.01, &format!("level {at}"));
        close(truth(&plant, "FIT-301"), row.pump_1_l_s, 0.05, &format!("PUMP1 {at}"));
        close(truth(&plant, "FIT-302"), row.pump_2_l_s, 0.05, &format!("PUMP2 {at}"));
        for (tag, pressure_m) in PRESSURES.iter().zip(row.pressures_m) {
            close(truth(&plant, tag), pressure_m, 0.02, &format!("{tag} {at}"));
        }
    }
    println!("largest difference of level: {worst_m:.5} m");
    assert_eq!(plant.unconverged_solutions(), 0);
}

#[test]
fn pumps_switch_when_epanets_do() {
    let mut plant = controlled(1);
    plant.hold_suction_head(Some(59.0));
    let mut switched = Vec::new();
    let mut was_on = true;
    while plant.time().as_secs_f64() < 48.0 * 3600.0 {
        plant.step();
        let is_on = truth(&plant, "FIT-302") > 0.0;
        if is_on != was_on {
            switched.push(plant.time().as_secs_f64());
            was_on = is_on;
        }
        assert!(truth(&plant, "FIT-301") > 0.0, "PUMP1 never stops in these 48 h");
    }
    println!("PUMP2 switched at {switched:?} s");
    assert_eq!(switched.len(), 2);
    close(switched[0], 32.71 * 3600.0, 60.0, "PUMP2 off, s");
    close(switched[1], 41.21 * 3600.0, 60.0, "PUMP2 on, s");
}

fn both_pumps_off() -> Plant {
    let mut plant = Plant::named("water", 1).unwrap();
    plant.hold_suction_head(Some(59.0));
    command(&mut plant, "P-301", 0.0);
    command(&mut plant, "P-302", 0.0);
    plant
}

#[test]
fn with_both_pumps_off_pressure_falls_at_once_and_the_tank_empties_as_in_epanet() {
    let mut plant = both_pumps_off();
    plant.step();
    for (tag, pressure_m) in PRESSURES.iter().zip([10.696, 15.393, 30.019, 23.482]) {
        close(truth(&plant, tag), pressure_m, 0.01, tag);
    }
    assert_eq!(truth(&plant, "FIT-301"), 0.0);
    for (time_s, level_m) in [(3600, 1.944), (7200, 0.923), (9900, 0.175)] {
        let elapsed_s = plant.time().as_secs_f64() as u64;
        run(&mut plant, time_s - elapsed_s);
        close(truth(&plant, "LIT-401"), level_m, 0.002, &format!("level at {time_s} s"));
    }
}

#[test]
fn an_empty_tank_gives_nothing_and_customers_get_what_there_is() {
    let mut plant = both_pumps_off();
    run(&mut plant, 4 * 3600);
    assert_eq!(truth(&plant, "LIT-401"), 0.0);
    close(truth(&plant, "FIT-401"), 0.0, 1e-6, "flow out of an empty tank");
    assert!(plant.is_pressure_driven());
    // All water stands at the lowest customer, J421 at 37.09 m: the high zone at 56.16 m is under vacuum.
    close(truth(&plant, "PIT-402"), 0.0, 0.01, "pressure at J421");
    close(truth(&plant, "PIT-401"), 37.09 - 56.16, 0.01, "pressure at J156");
    assert_eq!(plant.unconverged_solutions(), 0);

    // One pump alone feeds the town by pressure; two fill the tank again, and supply becomes whole.
    command(&mut plant, "P-301", 1.0);
    run(&mut plant, 60);
    let flow_l_s = truth(&plant, "FIT-301");
    assert!(flow_l_s > 80.0, "{flow_l_s}");
    command(&mut plant, "P-302", 1.0);
    run(&mut plant, 12 * 3600);
    assert!(truth(&plant, "LIT-401") > 0.5 && !plant.is_pressure_driven());
    assert_eq!(plant.unconverged_solutions(), 0);
    assert!(plant.water_balance().unwrap().relative_error() < 1e-9);
}

#[test]
fn water_balance_closes_with_overflow_of_tank_and_clearwell() {
    let mut plant = Plant::named("water", 1).unwrap();
    command(&mut plant, "FCV-101", 100.0);
    run(&mut plant, 60 * 3600);
    let balance = plant.water_balance().unwrap();
    assert!(truth(&plant, "LIT-401") == 6.5 && truth(&plant, "LIT-301") == 4.8, "both overflow");
    let harm = plant.harm();
    for name in ["tank-overflow", "clearwell-overflow"] {
        let cause = harm.causes.iter().find(|cause| cause.name == name).unwrap();
        assert!(cause.amount > 100.0 && cause.money > 0.0, "{name}: {cause:?}");
        assert!(harm.limits.iter().any(|limit| limit.name == name && limit.first.is_some()));
    }
    println!("{balance:?}, relative error {:e}", balance.relative_error());
    assert!(balance.overflow_m3 > 1000.0);
    assert!(balance.relative_error() < 1e-9);
}

#[test]
fn pumps_that_draw_air_stop_delivering_and_the_balance_still_closes() {
    let mut plant = Plant::named("water", 1).unwrap();
    assert!(plant.arm_trip("PSLL-300", false));
    command(&mut plant, "FCV-101", 0.0);
    run(&mut plant, 3 * 3600);
    assert!(truth(&plant, "FIT-301") == 0.0 && truth(&plant, "LIT-301") > 0.25);
    assert!(plant.drain_events().iter().any(|event| event.kind == sim::PlantEventKind::SuctionLost));
    assert!(plant.water_balance().unwrap().relative_error() < 1e-9);
}
