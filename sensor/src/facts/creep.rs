//! Setpoints that creep: many small writes in one direction, none of which alone is unusual.

use std::net::IpAddr;

use indexmap::IndexMap;

/// Points remembered.
const POINTS_MAX: usize = 16 << 10;
/// A point that was written so often while learning is a value that somebody sends along, not a setpoint.
const STREAM_MIN: u32 = 3;

/// A point that is written: the server, its unit or outstation address, the register or index, and whether it is DNP3's.
pub(crate) type PointKey = (IpAddr, u16, u32, bool);

#[derive(Clone, Copy, Debug)]
struct Written {
    first: f64,
    last: f64,
    upwards: bool,
    steps: u32,
    learnt: u32,
}

/// How far a setpoint has crept.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Crept {
    /// Writes in one direction in a row.
    pub(crate) steps: u32,
    /// The change over all of them, as a share of where they began.
    pub(crate) share: f64,
}

/// What is written where.
#[derive(Debug, Default)]
pub(crate) struct Creep {
    points: IndexMap<PointKey, Written, foldhash::fast::RandomState>,
}

impl Creep {
    /// Takes a write. A value that is written again changes nothing; one in the other direction begins anew.
    pub(crate) fn write(&mut self, key: PointKey, value: f64, learning: bool) -> Crept {
        if !value.is_finite() || (self.points.len() >= POINTS_MAX && !self.points.contains_key(&key)) {
            return Crept::default();
        }
        let fresh = Written { first: value, last: value, upwards: false, steps: 0, learnt: 0 };
        let point = self.points.entry(key).or_insert(fresh);
        point.learnt = point.learnt.saturating_add(u32::from(learning));
        let (before, upwards) = (point.last, value > point.last);
        if value != before {
            if point.steps > 0 && upwards == point.upwards {
                point.steps = point.steps.saturating_add(1);
            } else {
                (point.first, point.steps, point.upwards) = (before, 1, upwards);
            }
            point.last = value;
        }
        if point.learnt >= STREAM_MIN {
            return Crept::default();
        }
        Crept { steps: point.steps, share: (value - point.first).abs() / point.first.abs().max(1e-9) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: PointKey = (IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1, 40, false);

    #[test]
    fn steps_in_one_direction_add_up_and_one_back_begins_anew() {
        let mut creep = Creep::default();
        let steps =
            [100.0, 102.0, 102.0, 104.0, 106.0, 100.0, 101.0].map(|value| creep.write(KEY, value, false));
        assert_eq!(steps.map(|crept| crept.steps), [0, 1, 1, 2, 3, 1, 1]);
        assert!((steps[4].share - 0.06).abs() < 1e-12);
    }

    #[test]
    fn a_value_that_is_sent_along_is_no_setpoint() {
        let mut creep = Creep::default();
        for n in 0..10 {
            creep.write(KEY, f64::from(n), true);
        }
        assert_eq!(creep.write(KEY, 20.0, false), Crept::default());
    }
}
