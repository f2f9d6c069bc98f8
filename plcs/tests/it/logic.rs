//! The three programs, scanned by hand.

use std::time::Duration;

use plcs::logic::pumps::{Pumps, UPDATES};
use plcs::logic::tank::Tank;
use plcs::logic::treatment::Treatment;
use plcs::{CommLossAction, Image, Logic};

use crate::harness::{device, ms};

struct Rig<L> {
    image: Image,
    logic: L,
}

impl<L: Logic> Rig<L> {
    fn set(&mut self, tag: &str, value: f64) {
        let id = self.image.require(tag).unwrap();
        self.image.set(id, value);
    }

    fn get(&self, tag: &str) -> f64 {
        self.image.get(self.image.require(tag).unwrap())
    }

    fn run_for(&mut self, span: Duration) {
        for _ in 0..span.as_millis() / 100 {
            self.logic.scan(&mut self.image, ms(100));
        }
    }
}

fn treatment() -> Rig<Treatment> {
    let mut image = Image::of(&device("PLC-1"));
    let logic = Treatment::new(&mut image).unwrap();
    let mut rig = Rig { image, logic };
    for (tag, value) in [("FIT-101", 190.0), ("AIT-202", 7.24), ("LIT-301", 3.0)] {
        rig.set(tag, value);
    }
    rig
}

#[test]
fn the_naoh_dose_follows_setpoint_and_flow_up_to_the_pump() {
    let mut rig = treatment();
    for (setpoint, flow, speed) in [
        (100.0, 190.0, 28.571_428),
        (100.0, 95.0, 14.285_714),
        (350.0, 190.0, 100.0),
        (11_100.0, 190.0, 100.0),
    ] {
        rig.set("NAOH.SP", setpoint);
        rig.set("FIT-101", flow);
        rig.run_for(ms(100));
        assert!(
            (rig.get("P-201") - speed).abs() < 1e-5,
            "{setpoint} mg/L at {flow} L/s: {}",
            rig.get("P-201")
        );
    }
    rig.set("FIT-101", -1.0);
    rig.run_for(ms(100));
    assert_eq!(rig.get("P-201"), 0.0, "a flow transmitter below zero doses nothing");
}

#[test]
fn the_clamp_limits_the_setpoint_and_leaves_it_as_written() {
    let mut rig = treatment();
    rig.set("NAOH.SP.MAX", 150.0);
    rig.set("NAOH.SP", 11_100.0);
    rig.run_for(ms(100));
    assert!((rig.get("P-201") - 100.0 * 150.0 / 350.0).abs() < 1e-9);
    assert_eq!(rig.get("NAOH.SP"), 11_100.0);
}

#[test]
fn manual_follows_the_hand() {
    let mut rig = treatment();
    for (mode, hand, pump) in [("NAOH.MODE", "NAOH.MAN", "P-201"), ("CL2.MODE", "CL2.MAN", "P-202")] {
        rig.set(mode, 0.0);
        rig.set(hand, 655.35);
        rig.run_for(ms(100));
        assert_eq!(rig.get(pump), 100.0);
        rig.set(hand, 40.0);
        rig.run_for(ms(100));
        assert_eq!(rig.get(pump), 40.0);
    }
}

#[test]
fn the_trip_needs_ten_seconds_latches_and_lifts_on_reset_alone() {
    let mut rig = treatment();
    rig.set("PH.TRIP.EN", 1.0);
    rig.set("AIT-202", 9.5);
    rig.run_for(ms(9_900));
    assert_eq!(rig.get("PH.TRIPPED"), 0.0);
    rig.set("AIT-202", 8.9);
    rig.run_for(ms(100));
    rig.set("AIT-202", 9.5);
    rig.run_for(ms(9_900));
    assert_eq!(rig.get("PH.TRIPPED"), 0.0, "the ten seconds start over");
    rig.run_for(ms(100));
    assert_eq!((rig.get("PH.TRIPPED"), rig.get("P-201")), (1.0, 0.0));
    rig.set("PH.TRIP.RESET", 1.0);
    rig.run_for(ms(100));
    assert_eq!((rig.get("PH.TRIPPED"), rig.get("PH.TRIP.RESET")), (1.0, 0.0), "not while the pH is high");
    rig.set("AIT-202", 7.2);
    rig.set("NAOH.MODE", 0.0);
    rig.set("NAOH.MAN", 50.0);
    rig.set("PH.TRIP.EN", 0.0);
    rig.run_for(ms(60_000));
    assert_eq!((rig.get("PH.TRIPPED"), rig.get("P-201")), (1.0, 0.0), "in manual and disabled too");
    rig.set("PH.TRIP.RESET", 1.0);
    rig.run_for(ms(100));
    assert_eq!((rig.get("PH.TRIPPED"), rig.get("P-201")), (0.0, 50.0));
}

#[test]
fn without_its_enable_the_trip_never_acts() {
    let mut rig = treatment();
    rig.set("AIT-202", 11.0);
    rig.run_for(ms(60_000));
    assert_eq!(rig.get("PH.TRIPPED"), 0.0);
    assert!(rig.get("P-201") > 20.0);
    assert_eq!((rig.get("PH.HIGH"), rig.get("PH.HIGHHIGH")), (1.0, 1.0));
}

#[test]
fn ph_alarms_come_at_their_limits_and_go_below_them() {
    let mut rig = treatment();
    for (ph, high, highhigh) in [
        (7.8, 0.0, 0.0),
        (7.81, 1.0, 0.0),
        (7.76, 1.0, 0.0),
        (8.51, 1.0, 1.0),
        (8.44, 1.0, 0.0),
        (7.7, 0.0, 0.0),
    ] {
        rig.set("AIT-202", ph);
        rig.run_for(ms(100));
        assert_eq!((rig.get("PH.HIGH"), rig.get("PH.HIGHHIGH")), (high, highhigh), "pH {ph}");
    }
}

#[test]
fn level_control_holds_the_clearwell_against_a_changed_draw() {
    let mut rig = treatment();
    // dh/dt = (250 L/s * opening - draw) / 500 m2, the clearwell of the plant file.
    let (mut level_m, mut highest_m) = (3.0_f64, 3.0_f64);
    for second in 0..86_400 {
        let draw_l_s = if second < 3600 { 190.0 } else { 120.0 };
        rig.set("LIT-301", level_m);
        rig.logic.scan(&mut rig.image, ms(1000));
        level_m += (2.5 * rig.get("FCV-101") - draw_l_s) / 1000.0 / 500.0;
        if second < 3600 {
            assert!((level_m - 3.0).abs() < 0.01, "holds from the start: {level_m}");
        }
        highest_m = highest_m.max(level_m);
    }
    assert!((level_m - 3.0).abs() < 0.02, "{level_m}");
    assert!(highest_m < 3.4, "{highest_m}");
}

#[test]
fn not_a_number_stops_dosing_and_leaves_the_valve() {
    let mut rig = treatment();
    rig.run_for(ms(1000));
    let valve = rig.get("FCV-101");
    for tag in ["FIT-101", "AIT-202", "LIT-301", "NAOH.SP"] {
        rig.set(tag, f64::NAN);
    }
    rig.run_for(ms(1000));
    assert_eq!((rig.get("P-201"), rig.get("P-202")), (0.0, 0.0));
    assert!((rig.get("FCV-101") - valve).abs() <= 0.5);
    rig.set("LIT-301", 3.0);
    rig.run_for(ms(1000));
    assert!((rig.get("FCV-101") - valve).abs() <= 0.5, "the integrator is sound");
}

fn pumps(action: CommLossAction) -> Rig<Pumps> {
    let mut image = Image::of(&device("PLC-2"));
    let logic = Pumps::new(&mut image, action).unwrap();
    let mut rig = Rig { image, logic };
    rig.set("PIT-300", 3.0);
    rig
}

/// One level arrives from PLC-3, then a second passes.
fn arrive(rig: &mut Rig<Pumps>, level: f64) {
    let updates = rig.get(UPDATES);
    rig.set("TANK.LEVEL", level);
    rig.set(UPDATES, updates + 1.0);
    rig.run_for(ms(1000));
}

#[test]
fn pumps_start_and_stop_with_the_tank_and_keep_their_state_between() {
    let mut rig = pumps(CommLossAction::HoldLast);
    for (level, p_301, p_302) in [
        (3.0, 1.0, 1.0),
        (4.49, 1.0, 1.0),
        (4.5, 1.0, 0.0),
        (6.29, 1.0, 0.0),
        (6.3, 0.0, 0.0),
        (4.0, 0.0, 0.0),
        (3.99, 1.0, 0.0),
        (1.0, 1.0, 0.0),
        (0.99, 1.0, 1.0),
        (4.4, 1.0, 1.0),
    ] {
        arrive(&mut rig, level);
        assert_eq!((rig.get("P-301"), rig.get("P-302")), (p_301, p_302), "at {level} m");
        assert_eq!((rig.get("P-301.RUN"), rig.get("P-302.RUN")), (p_301, p_302));
    }
}

#[test]
fn manual_follows_the_command() {
    let mut rig = pumps(CommLossAction::HoldLast);
    arrive(&mut rig, 0.5);
    rig.set("P-301.MODE", 0.0);
    arrive(&mut rig, 0.5);
    assert_eq!((rig.get("P-301"), rig.get("P-302")), (0.0, 1.0));
    rig.set("P-301.CMD", 1.0);
    arrive(&mut rig, 6.5);
    assert_eq!((rig.get("P-301"), rig.get("P-302")), (1.0, 0.0), "over the brim, as told");
}

#[test]
fn a_lost_link_holds_the_last_level() {
    let mut rig = pumps(CommLossAction::HoldLast);
    arrive(&mut rig, 5.0);
    rig.run_for(ms(2000));
    assert_eq!(rig.get("TANK.COMM"), 1.0, "2.9 s since the scan that took the level");
    rig.run_for(ms(100));
    assert_eq!(rig.get("TANK.COMM"), 0.0);
    rig.run_for(Duration::from_hours(1));
    assert_eq!((rig.get("TANK.LEVEL"), rig.get("P-301"), rig.get("P-302")), (5.0, 1.0, 0.0));
    arrive(&mut rig, 6.4);
    assert_eq!((rig.get("TANK.COMM"), rig.get("P-301")), (1.0, 0.0));
}

#[test]
fn other_actions_on_a_lost_link_stop_or_start_what_is_in_automatic() {
    for (action, expected) in [(CommLossAction::StopPumps, 0.0), (CommLossAction::StartPumps, 1.0)] {
        let mut rig = pumps(action);
        rig.set("P-302.MODE", 0.0);
        rig.set("P-302.CMD", 1.0 - expected);
        arrive(&mut rig, 5.0);
        rig.run_for(ms(3000));
        assert_eq!((rig.get("P-301"), rig.get("P-302")), (expected, 1.0 - expected), "{action:?}");
    }
}

#[test]
fn low_suction_stops_both_pumps_in_either_mode_until_it_is_back() {
    let mut rig = pumps(CommLossAction::HoldLast);
    rig.set("P-302.MODE", 0.0);
    rig.set("P-302.CMD", 1.0);
    arrive(&mut rig, 3.0);
    rig.set("PIT-300", 0.3);
    for _ in 0..9 {
        arrive(&mut rig, 3.0);
    }
    assert_eq!((rig.get("P-301"), rig.get("P-302")), (1.0, 1.0));
    arrive(&mut rig, 3.0);
    assert_eq!((rig.get("P-301"), rig.get("P-302"), rig.get("P-301.TRIPPED")), (0.0, 0.0, 1.0));
    rig.set("PIT-300", 3.0);
    for _ in 0..59 {
        arrive(&mut rig, 3.0);
    }
    assert_eq!(rig.get("P-301"), 0.0);
    arrive(&mut rig, 3.0);
    assert_eq!((rig.get("P-301"), rig.get("P-302")), (1.0, 1.0));
}

#[test]
fn the_tank_is_high_and_low_at_its_limits() {
    let mut image = Image::of(&device("PLC-3"));
    let logic = Tank::new(&mut image).unwrap();
    let mut rig = Rig { image, logic };
    for (level, high, low) in [
        (3.0, 0.0, 0.0),
        (6.41, 1.0, 0.0),
        (6.36, 1.0, 0.0),
        (6.34, 0.0, 0.0),
        (0.49, 0.0, 1.0),
        (0.56, 0.0, 0.0),
    ] {
        rig.set("LIT-401", level);
        rig.run_for(ms(100));
        assert_eq!((rig.get("TANK.HIGH"), rig.get("TANK.LOW")), (high, low), "at {level} m");
    }
}
