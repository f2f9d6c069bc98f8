//! Events of classes 2 and 3 that are gathered before they are reported.

use std::time::Duration;

use site::dnp3::Outstation as Map;
use wire::dnp3::{Fragment, FunctionCode, PointKind, Response};

use super::dnp3_rig::Rig;

const MAP: &str = r#"
outstation = 10
point = [
    { kind = "binary_input", index = 0, tag = "A", class = 1 },
    { kind = "analog_input", index = 0, tag = "H", class = 2 },
]
[dnp3]
unsolicited = true
unsolicited_hold_ms = 2000
"#;

fn ms(span: u64) -> Duration {
    Duration::from_millis(span)
}

/// Confirms what came unsolicited; how many items each response had.
fn taken(rig: &mut Rig) -> Vec<usize> {
    let mut counts = Vec::new();
    while let Some(fragment) = rig.fragments.pop_front() {
        let response = Response::parse(Fragment::new(&fragment)).unwrap();
        assert_eq!(Fragment::new(&fragment).function(), Some(FunctionCode::UNSOLICITED_RESPONSE));
        counts.push(response.items.len());
        let confirm = [0xd0 | response.control.sequence(), 0];
        let frames = rig.frames(&confirm, 0xc4, rig.own);
        rig.receive(&frames);
    }
    counts
}

fn rig() -> Rig {
    let mut rig = Rig::new(&Map::parse("hold.toml", MAP).unwrap());
    assert_eq!(taken(&mut rig), [0], "the null response");
    let answers = rig.ask(&[0xc1, 20, 60, 2, 6, 60, 3, 6, 60, 4, 6]);
    assert_eq!(answers.len(), 1);
    // What was measured before anybody asked is no news.
    rig.advance(ms(3000));
    taken(&mut rig);
    rig
}

#[test]
fn values_that_move_are_told_together_when_the_time_is_over() {
    let mut rig = rig();
    for value in 1..=10 {
        rig.update(PointKind::AnalogInput, 0, f64::from(value));
        rig.advance(ms(150));
        assert!(rig.fragments.is_empty(), "held, {value}");
    }
    rig.advance(ms(499));
    assert!(rig.fragments.is_empty());
    rig.advance(ms(1));
    assert_eq!(taken(&mut rig), [10]);
    rig.advance(ms(60_000));
    assert!(rig.fragments.is_empty());
    // The next one waits as long again.
    rig.update(PointKind::AnalogInput, 0, 20.0);
    rig.advance(ms(1999));
    assert!(rig.fragments.is_empty());
    rig.advance(ms(1));
    assert_eq!(taken(&mut rig), [1]);
}

#[test]
fn class_1_is_told_at_once_and_takes_the_others_along() {
    let mut rig = rig();
    rig.update(PointKind::AnalogInput, 0, 1.0);
    rig.advance(ms(100));
    rig.update(PointKind::BinaryInput, 0, 1.0);
    assert_eq!(taken(&mut rig), [2]);
    rig.advance(ms(10_000));
    assert!(rig.fragments.is_empty());
}

#[test]
fn a_poll_gets_what_is_held() {
    let mut rig = rig();
    rig.update(PointKind::AnalogInput, 0, 1.0);
    let answers = rig.ask(&[0xc2, 1, 60, 3, 6]);
    let response = Response::parse(Fragment::new(&answers[0])).unwrap();
    assert_eq!(response.items.len(), 1);
}
