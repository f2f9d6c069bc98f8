//! Plant files with a mistake: each gets a message with its line and a remedy.

use sim::Plant;

const GOOD: &str = include_str!("../../plants/water.toml");

/// Replaces the first `good` by `bad` and expects a refusal at the line of the replacement.
#[track_caller]
fn check(good: &str, bad: &str, problem: &str, fix: &str) {
    let place = GOOD.find(good).unwrap_or_else(|| panic!("{good:?} is not in the plant file"));
    let text = format!("{}{bad}{}", &GOOD[..place], &GOOD[place + good.len()..]);
    let offset = bad.lines().position(|line| line.contains(BAD_LINE)).unwrap_or(0);
    let text = text.replace(BAD_LINE, "");
    let line = GOOD[..place].lines().count().max(1) + offset + usize::from(GOOD[..place].ends_with('\n'));
    let error = Plant::load("plants/mine.toml", &text, 1).unwrap_err();
    assert_eq!((error.file.as_str(), error.line), ("plants/mine.toml", line), "{error}");
    assert!(error.problem.contains(problem), "{error}");
    assert!(error.fix.contains(fix), "{error}");
}

/// Marks the line of a replacement of several lines on which the error is.
const BAD_LINE: &str = "#HERE";

#[test]
fn the_good_file_is_good() {
    Plant::load("plants/water.toml", GOOD, 1).unwrap();
}

#[test]
fn an_unknown_key_is_refused() {
    check("elevation_m = 37.09", "elevation_ft = 121.7", "elevation_ft", "units are part of the key");
    check("step_s = 1\n", "step_s = 1\ncolour = \"blue\"#HERE\n", "colour", "remove the key");
}

#[test]
fn a_wrong_unit_is_refused() {
    check("unit = \"degC\"", "unit = \"degF\"", "TIT-101 is measured in degC", "write unit = \"degC\"");
    check("unit = \"%\"\nstroke", "unit = \"per cent\"\nstroke", "per cent", "");
}

#[test]
fn a_missing_tag_is_refused() {
    check("instrument = \"AIT-202\"", "instrument = \"AIT-999\"", "no instrument \"AIT-999\"", "AIT-202");
    check("tag = \"FIT-101\"", "tag = \"\"", "empty", "write the tag");
    check("valve = \"FCV-101\"", "valve = \"FCV-102\"", "no actuator \"FCV-102\"", "FCV-101");
    check("pressure = \"J156\"", "pressure = \"J1\"", "no junction \"J1\"", "J156");
    check("pattern = \"J301\"", "pattern = \"J302\"", "no pattern \"J302\"", "J301");
    check("from = \"J285\"", "from = \"J999\"", "no node \"J999\"", "J285");
}

#[test]
fn a_missing_key_is_refused() {
    // The table that lacks a key is named by the line of its header.
    let text = GOOD.replacen("noise_sigma = 0.6\n", "", 1);
    let error = Plant::load("plants/mine.toml", &text, 1).unwrap_err();
    let header = GOOD[..GOOD.find("noise_sigma = 0.6").unwrap()].rfind("[[instrument]]").unwrap();
    assert_eq!(error.line, GOOD[..header].lines().count() + 1, "{error}");
    assert!(error.problem.contains("noise_sigma") && error.fix.contains("add the key"), "{error}");
}

#[test]
fn a_tag_given_twice_is_refused_and_both_places_named() {
    check("tag = \"AIT-101\"", "tag = \"FIT-101\"", "FIT-101 is there twice, first in line", "another name");
    check("name = \"P310\"", "name = \"P15\"", "P15 is there twice", "another name");
}

#[test]
fn impossible_quantities_are_refused() {
    check("diameter_m = 31.3", "diameter_m = 0.0", "diameter_m is 0", "above 0");
    check("length_m = 395.29", "length_m = -3.0", "length_m is -3", "above 0");
    check("[[0.0, 70.0]", "[[0.0, 20.0]", "no falling curve", "three points");
    check("initial_level_m = 3.0", "initial_level_m = 9.0", "initial_level_m is 9", "from 0 to 6.5");
    check("step_s = 1\n", "step_s = 0\n", "step", "write step_s = 1");
    check("priority = 1", "priority = 7", "priority is 7", "1 (at once)");
    check("kind = \"sticking_valve\"", "kind = \"gremlin\"", "unknown kind of fault", "failing_probe");
    check("stiction_percent = 6.0", "stiction = 6.0", "no parameter \"stiction\"", "stiction_percent");
    check("on_below_m = 4.0", "on_below_m = 6.4", "not under", "under off_above_m");
    check(
        "tag = \"AIT-202.HH\"\ninstrument = \"AIT-202\"\nhigh = 8.5\n",
        "tag = \"AIT-202.HH\"#HERE\ninstrument = \"AIT-202\"\n",
        "AIT-202.HH needs one limit",
        "either high or low",
    );
}

#[test]
fn a_junction_without_a_pipe_is_refused() {
    check(
        "[[junction]]\nname = \"J39\"",
        "[[junction]]\nname = \"J40\"#HERE\nelevation_m = 3.0\n\n[[junction]]\nname = \"J39\"",
        "no pipe leads from a tank or reservoir to J40",
        "[[pipe]]",
    );
}

#[test]
fn what_is_no_toml_is_refused() {
    let error = Plant::load("plants/mine.toml", "[plant\nname = 3", 1).unwrap_err();
    assert_eq!(error.line, 1, "{error}");
    assert!(Plant::load("plants/mine.toml", "", 1).is_err());
    let unknown = Plant::named("reactor", 1).unwrap_err();
    assert!(unknown.fix.contains("water"), "{unknown}");
}
