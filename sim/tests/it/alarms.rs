//! Alarms, hard-wired switches, trips, and what the plant is made of.

use crate::{command, controlled, run, truth};
use sim::{Plant, PlantEventKind};

/// Tags that register maps, scenarios and the sensor's tag map rely on.
const INSTRUMENTS: [&str; 25] = [
    "FIT-101", "AIT-101", "TIT-101", "ZT-101", "AIT-202", "FIT-202", "LIT-201", "AIT-203", "FIT-203",
    "LIT-202", "LIT-301", "AIT-301", "AIT-302", "FIT-301", "FIT-302", "PIT-300", "PIT-301", "IIT-301",
    "IIT-302", "LIT-401", "FIT-401", "PIT-401", "PIT-402", "PIT-403", "PIT-404",
];

#[test]
fn the_tags_of_the_site_are_there_with_its_spans() {
    let plant = Plant::named("water", 1).unwrap();
    let tags: Vec<&str> = plant.instruments().iter().map(|instrument| instrument.tag.as_str()).collect();
    assert_eq!(tags, INSTRUMENTS);
    let site = site::Site::named("waterworks").unwrap();
    for instrument in plant.instruments() {
        let tag = site.tags.iter().find(|tag| tag.name.get_ref() == &instrument.tag).unwrap();
        assert_eq!((tag.low, tag.high), (instrument.low, instrument.high), "{}", instrument.tag);
        assert_eq!(tag.unit, instrument.unit, "{}", instrument.tag);
    }
    for tag in ["FCV-101", "P-201", "P-202", "P-301", "P-302"] {
        assert!(plant.actuator_index(tag).is_some(), "{tag}");
    }
}

#[test]
fn an_ordinary_day_raises_no_alarm_and_costs_nothing() {
    let mut plant = controlled(4);
    run(&mut plant, 24 * 3600);
    let kinds: Vec<_> = plant.drain_events().into_iter().map(|event| (event.kind, event.tag)).collect();
    assert!(kinds.iter().all(|(kind, _)| *kind == PlantEventKind::RefillStarted), "{kinds:?}");
    assert!(plant.harm().total < plant.harm().floor, "{:?}", plant.harm());
}

#[test]
fn pressure_alarms_come_after_their_delay_and_go_with_the_pumps() {
    let mut plant = Plant::named("water", 4).unwrap();
    command(&mut plant, "P-301", 0.0);
    command(&mut plant, "P-302", 0.0);
    run(&mut plant, 14);
    assert!(plant.active_alarms().is_empty());
    run(&mut plant, 10);
    let active = plant.active_alarms();
    assert_eq!((active[0].tag.as_str(), active[0].priority), ("PIT-401.LL", 1));
    assert_eq!(active[1].tag, "PIT-401.L");
    command(&mut plant, "P-301", 1.0);
    command(&mut plant, "P-302", 1.0);
    run(&mut plant, 10);
    assert!(plant.active_alarms().is_empty());
    let cleared = plant.drain_events().iter().filter(|e| e.kind == PlantEventKind::AlarmCleared).count();
    assert_eq!(cleared, 2);
}

#[test]
fn the_hard_wired_switch_sees_the_water_whatever_the_transmitter_says() {
    let mut plant = Plant::named("water", 4).unwrap();
    plant.start_fault("drifting_transmitter", "LIT-401", &[("rate_per_h", -100.0), ("limit", 3.0)]).unwrap();
    assert_eq!(plant.switch("LSHH-401"), Some(false));
    assert_eq!(plant.switch("LSHH-999"), None);
    let mut made_at_m = None;
    for _ in 0..72 * 3600 {
        plant.set_setpoint("FCV-101", 50.0).unwrap();
        plant.step();
        if plant.switch("LSHH-401") == Some(true) {
            made_at_m = Some(truth(&plant, "LIT-401"));
            break;
        }
    }
    let level_m = made_at_m.unwrap();
    assert!((6.4..6.41).contains(&level_m), "{level_m}");
    let events = plant.drain_events();
    assert!(events.iter().any(|e| e.kind == PlantEventKind::SwitchOperated && e.tag == "LSHH-401"));
    assert!(!events.iter().any(|e| e.tag == "LIT-401.H"), "the transmitter shows 3 m less");
}

#[test]
fn the_suction_trip_latches_until_the_pumps_are_commanded_off() {
    let mut plant = Plant::named("water", 4).unwrap();
    command(&mut plant, "FCV-101", 0.0);
    run(&mut plant, 2 * 3600 + 1800);
    let events = plant.drain_events();
    assert!(events.iter().any(|e| e.kind == PlantEventKind::Tripped && e.tag == "PSLL-300"));
    assert!(!events.iter().any(|e| e.kind == PlantEventKind::SuctionLost), "the trip came before the air");
    assert_eq!(truth(&plant, "FIT-301"), 0.0);
    command(&mut plant, "FCV-101", 100.0);
    run(&mut plant, 1800);
    assert_eq!(truth(&plant, "FIT-301"), 0.0, "still latched: the pumps are commanded on");
    command(&mut plant, "P-301", 0.0);
    command(&mut plant, "P-302", 0.0);
    run(&mut plant, 2);
    command(&mut plant, "P-301", 1.0);
    run(&mut plant, 2);
    assert!(truth(&plant, "FIT-301") > 50.0);
    let trips = plant.harm().causes.into_iter().find(|cause| cause.name == "trips").unwrap();
    assert_eq!((trips.amount, trips.money), (1.0, 1500.0));
}

#[test]
fn a_relay_for_high_ph_stops_the_dose_only_where_it_is_armed() {
    for armed in [false, true] {
        let mut plant = controlled(4);
        assert!(plant.arm_trip("ASHH-202", armed) && !plant.arm_trip("ASHH-999", true));
        plant.set_setpoint("NAOH.SP", 11_100.0).unwrap();
        run(&mut plant, 1800);
        let stopped = plant.drain_events().iter().any(|e| e.kind == PlantEventKind::Tripped);
        let crossed = plant.harm().limits.iter().any(|l| l.name == "ph-high" && l.first.is_some());
        assert_eq!((stopped, crossed), (armed, !armed));
    }
}
