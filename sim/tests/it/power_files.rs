//! Plant files of power systems with a mistake: each gets a message with its line and a remedy.

use sim::Plant;

const GOOD: &str = include_str!("../../plants/power.toml");

/// Replaces the first `good` by `bad`, of as many lines, and expects a refusal at the line of the replacement's line `offset`.
#[track_caller]
fn check_at(offset: usize, good: &str, bad: &str, problem: &str, fix: &str) {
    let place = GOOD.find(good).unwrap_or_else(|| panic!("{good:?} is not in the plant file"));
    let text = GOOD.replacen(good, bad, 1);
    let line = GOOD[..place].split('\n').count() + offset;
    let error = Plant::load("plants/mine.toml", &text, 1).unwrap_err();
    assert_eq!((error.file.as_str(), error.line), ("plants/mine.toml", line), "{error}");
    assert!(error.problem.contains(problem), "{error}");
    assert!(error.fix.contains(fix), "{error}");
}

#[track_caller]
fn check(good: &str, bad: &str, problem: &str, fix: &str) {
    check_at(0, good, bad, problem, fix);
}

#[test]
fn the_good_file_is_good() {
    let plant = Plant::load("plants/power.toml", GOOD, 1).unwrap();
    assert_eq!(plant.name(), "power");
    println!(
        "{} instruments, {} actuators, {} contacts",
        plant.instruments().len(),
        plant.actuators().len(),
        plant.switches().count()
    );
}

#[test]
fn the_kind_of_plant_must_be_known() {
    check("kind = \"power\"", "kind = \"steam\"", "no kind of plant \"steam\"", "kind = \"power\"");
    let error = Plant::load("plants/mine.toml", &GOOD.replacen("kind = \"power\"\n", "", 1), 1).unwrap_err();
    assert!(error.problem.contains("kind") && error.fix.contains("add the key"), "{error}");
    // The first table that a water works does not know.
    let error = Plant::load("plants/mine.toml", &GOOD.replacen("\"power\"\ntitle", "\"water\"\ntitle", 1), 1);
    assert!(error.unwrap_err().problem.contains("unknown field"));
}

#[test]
fn unknown_keys_and_wrong_units_are_refused() {
    check("rating_mva = 247.5", "rating_kva = 247.5", "rating_kva", "units are part of the key");
    check("unit = \"kV\"", "unit = \"V\"", "V-1 is measured in kV", "write unit = \"kV\"");
    check("pickup_pu = 0.9", "pickup_kv = 207.0", "pickup_kv", "units are part of the key");
}

#[test]
fn names_that_do_not_exist_are_refused() {
    check("to = \"5\"", "to = \"55\"", "no bus \"55\"", "5");
    check(
        "breaker = \"52L5\"\nwander",
        "breaker = \"52-45\"\nwander",
        "52-45 is there twice",
        "another name",
    );
    check_at(
        1,
        "tag = \"25-G1\"\nbreaker = \"52G1\"",
        "tag = \"25-G1\"\nbreaker = \"52G9\"",
        "no breaker \"52G9\"",
        "52G1",
    );
    check("trips = [\"86-G1\"]", "trips = [\"86-G4\"]", "no breaker or lockout \"86-G4\"", "86-G1");
    check("voltage_kv = \"1\"", "voltage_kv = \"17\"", "no bus \"17\"", "1, 2");
    check_at(
        1,
        "tag = \"81-5\"\nbus = \"5\"",
        "tag = \"81-5\"\nbus = \"7\"",
        "no load at bus \"7\"",
        "5, 6, 8",
    );
    check_at(
        1,
        "kind = \"line_fault\"\ntag = \"5-7\"",
        "kind = \"line_fault\"\ntag = \"5-8\"",
        "no line \"5-8\"",
        "5-7",
    );
}

#[test]
fn tags_of_two_terminals_are_refused() {
    check("tag = \"V-1\"", "tag = \"52-45\"", "also the tag of an contact", "another tag");
    check("name = \"2\"", "name = \"1\"", "1 is there twice", "another name");
}

#[test]
fn impossible_quantities_are_refused() {
    check("step_ms = 5", "step_ms = 0", "1 to 20 ms", "step_ms = 5");
    check("measure_every_ms = 50", "measure_every_ms = 12", "between two steps", "multiple of step_ms");
    check("reactance_pu = 0.085", "reactance_pu = 0.0", "reactance_pu is 0", "from");
    check("stored_energy_mws = 2364.0", "stored_energy_mws = -1.0", "stored_energy_mws is -1", "above 0");
    check("droop = 0.05", "droop = 0.0", "droop is 0", "from 0.001");
    let text = GOOD.replacen("dispatch_mw = 163.0\n", "", 1);
    let error = Plant::load("plants/mine.toml", &text, 1).unwrap_err();
    assert!(error.problem.contains("makes up") && error.fix.contains("leave dispatch_mw out"), "{error}");
    check("steps = 16", "steps = 0", "without taps", "steps = 16");
    check("pickup_hz = 59.5", "pickup_hz = 5.95", "pickup_hz is 5.95", "from 40 to 70");
}

#[test]
fn a_system_that_cannot_run_is_refused() {
    let text = GOOD.replacen("active_mw = 125.0", "active_mw = 1250.0", 1);
    let error = Plant::load("plants/mine.toml", &text, 1).unwrap_err();
    assert!(error.problem.contains("did not converge") || error.problem.contains("singular"), "{error}");
    let text = GOOD.replacen("dispatch_mw = 85.0", "dispatch_mw = 129.0", 1);
    let error = Plant::load("plants/mine.toml", &text, 1).unwrap_err();
    assert!(error.problem.contains("129.0 MW of its 128 MVA"), "{error}");
    let text = GOOD.replacen("[[line]]", "[[bus]]\nname = \"10\"\nvoltage_kv = 230.0\n\n[[line]]", 1);
    let error = Plant::load("plants/mine.toml", &text, 1).unwrap_err();
    assert!(error.problem.contains("singular"), "{error}");
}

#[test]
fn faults_of_another_kind_of_plant_are_refused() {
    check(
        "kind = \"bus_fault\"",
        "kind = \"sticking_valve\"",
        "does not happen in this kind of plant",
        "take the table out",
    );
    check("kind = \"bus_fault\"", "kind = \"gremlin\"", "unknown kind of fault", "sticking_governor");
    check("of = \"unserved_mwh\"", "of = \"naoh_kg\"", "unknown variant", "one of those expected");
}
