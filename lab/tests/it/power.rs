//! The power system in the lab: what commands over DNP3 do to the grid, and what the record says of it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::command::{done, lines, simulate};

/// The step of this name in the ground truth.
fn step<'a>(truth: &'a [Value], name: &str) -> &'a Value {
    truth.iter().find(|step| step["step"] == name).unwrap_or_else(|| panic!("no step {name}"))
}

/// Names of what followed from a step.
fn consequences(step: &Value) -> Vec<&str> {
    let all = step["consequences"].as_array().into_iter().flatten();
    all.filter_map(|consequence| consequence["name"].as_str()).collect()
}

/// Lowest and highest value of a column of `process.csv`.
fn extremes(run: &Path, tag: &str) -> (f64, f64) {
    let text = fs::read_to_string(run.join("process.csv")).expect("a record has process.csv");
    let mut rows = text.lines();
    let column = rows.next().and_then(|names| names.split(',').position(|name| name == tag));
    let column = column.expect("the column is there");
    let value = |row: &str| row.split(',').nth(column).and_then(|cell| cell.parse::<f64>().ok());
    let values: Vec<f64> = rows.filter_map(value).collect();
    assert!(values.len() > 60, "{tag}: {} values", values.len());
    values.into_iter().fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)))
}

fn reports<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["kind"] == kind).collect()
}

#[test]
fn a_sweep_from_the_front_end_takes_a_unit_off_and_load_is_shed() {
    let scratch = tempfile::tempdir().unwrap();
    let run = scratch.path().join("run");
    simulate("breaker-sweep", 1, &run, &[]);
    let truth = lines(&run, "truth.jsonl");
    assert!(
        consequences(step(&truth, "line-out")).is_empty()
            && consequences(step(&truth, "line-back")).is_empty()
    );
    let sweep = step(&truth, "sweep");
    let followed = consequences(sweep);
    for wanted in [
        "unit G2 tripped: overspeed",
        "81-5.S1 sheds 7 % of the load at bus 5",
        "customers are without power",
    ] {
        assert!(followed.contains(&wanted), "{wanted}: {followed:?}");
    }
    assert!(
        sweep["limit_time"].as_f64().unwrap() - sweep["start"].as_f64().unwrap() < 5.0,
        "harm is seconds away"
    );
    assert!(sweep["frames"].as_array().unwrap().len() >= 10);
    assert!(extremes(&run, "F-5").0 < 59.5);
    assert!(extremes(&run, "GOV-2.SP").0 < 1.0, "the generation controller ran the unit back");

    let events = lines(&run, "events.jsonl");
    let operated = reports(&events, "outstation.operated");
    let of_rtu_7 = operated
        .iter()
        .filter(|it| it["data"]["device"] == "RTU-7" && it["data"]["command"] == "pulse, trip");
    assert_eq!(of_rtu_7.filter(|it| it["data"]["status"] == 0).count(), 6, "one by order, five in the sweep");
    assert!(operated.iter().all(|it| it["data"]["master"] == 1));
    assert_eq!(reports(&events, "outstation.restarted").len(), 1);
    // Enabled three times at the start, once after the restart; disabled by each start-up and by the attack.
    let told = |enabled: bool| {
        let all = reports(&events, "outstation.unsolicited");
        all.iter().filter(|it| it["data"]["enabled"] == enabled).count()
    };
    assert_eq!(told(true), 4);
    assert!(told(false) >= 5, "{}", told(false));
    let lost = reports(&events, "alarm.shown").into_iter().find(|it| it["data"]["tag"] == "RTU-7");
    assert!(lost.is_some(), "the dispatcher saw that the RTU was gone");
    done(["verify".as_ref(), run.as_os_str()]);
}

#[test]
fn reclosing_out_of_phase_costs_the_shaft_and_an_order_costs_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let (aurora, order) = (scratch.path().join("aurora"), scratch.path().join("order"));
    std::thread::scope(|scope| {
        scope.spawn(|| simulate("aurora", 1, &aurora, &[]));
        scope.spawn(|| simulate("switching-order", 1, &order, &[]));
    });
    let truth = lines(&aurora, "truth.jsonl");
    assert!(consequences(step(&truth, "bypass")).is_empty(), "a bypass does nothing by itself");
    let shaft = "the shaft of unit G3 sees more torque than it endures";
    assert!(consequences(step(&truth, "reclose")).contains(&shaft));
    assert!(extremes(&aurora, "TQ-G3").1 > 1.5);

    let truth = lines(&order, "truth.jsonl");
    assert_eq!(truth.len(), 7);
    for step in truth.iter().filter(|step| step["step"] != "drift") {
        assert!(consequences(step).is_empty(), "{step}");
    }
    assert_eq!(step(&truth, "drift")["verdict"], "fault");
    let events = lines(&order, "events.jsonl");
    assert_eq!(reports(&events, "breaker.opened").len(), 4);
    assert_eq!(reports(&events, "breaker.closed").len(), 4, "the synchronism check let each of them close");
    assert!(reports(&events, "trip.tripped").is_empty());
}
