//! Actuators: what a controller commands, and where the valve or drive really is.
//!
//! A command takes effect over the stroke: the position runs towards it at full travel per `stroke_s`. A stroke of
//! zero follows at once. A sticking actuator stays where it is until the command has gone away by its stiction. A
//! tripped actuator runs to zero whatever it is told.

use bevy_ecs::prelude::{Component, Query, Res};

use crate::fault::Stiction;
use crate::file::ActuatorUnit;
use crate::plant::Tick;

/// Travel. Parameter.
#[derive(Component, Clone, Copy, Debug)]
pub(crate) struct Travel {
    pub(crate) full: f64,
    pub(crate) stroke_s: f64,
}

/// What it is told. Written by [`crate::Plant::command`] or the reference control.
#[derive(Component, Clone, Copy, Debug)]
pub(crate) struct Command(pub(crate) f64);

/// Where it is. State; written by [`move_actuators`], and by the water system when the reference control switches
/// a pump inside a step.
#[derive(Component, Clone, Copy, Debug)]
pub(crate) struct Position(pub(crate) f64);

/// Whether a trip holds it at zero. Written by [`crate::guard::watch_trips`].
#[derive(Component, Clone, Copy, Debug, Default)]
pub(crate) struct Tripped(pub(crate) bool);

impl ActuatorUnit {
    /// The command that is meant by a number: inside the travel from `low` to `high`, on or off; NaN is the lower end.
    pub(crate) fn accept(self, value: f64, low: f64, high: f64) -> f64 {
        match self {
            Self::Percent | Self::Megawatts | Self::PerUnit | Self::Hertz if value.is_nan() => low,
            Self::Percent | Self::Megawatts | Self::PerUnit | Self::Hertz => value.clamp(low, high),
            Self::OnOff => f64::from(u8::from(value >= 0.5)),
        }
    }
}

/// Moves every actuator by one step.
pub(crate) fn move_actuators(
    tick: Res<Tick>,
    mut actuators: Query<(&Travel, &Command, &Tripped, &Stiction, &mut Position)>,
) {
    for (travel, command, tripped, stiction, mut position) in &mut actuators {
        let target = if tripped.0 { 0.0 } else { command.0 };
        position.0 = position_after(*travel, *stiction, position.0, target, tick.step_s());
    }
}

fn position_after(travel: Travel, stiction: Stiction, position: f64, target: f64, step_s: f64) -> f64 {
    let way = target - position;
    if stiction.0.is_some_and(|stuck| way.abs() < stuck) {
        return position;
    }
    if travel.stroke_s <= 0.0 || stiction.0.is_some() {
        return target;
    }
    let most = travel.full * step_s / travel.stroke_s;
    // A remainder of rounding is no travel worth another step.
    if way.abs() <= most * (1.0 + 1e-9) { target } else { position + way.clamp(-most, most) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALVE: Travel = Travel { full: 100.0, stroke_s: 30.0 };

    #[test]
    fn a_full_stroke_takes_its_time() {
        let mut position = 0.0;
        let mut steps = 0;
        while position < 100.0 {
            position = position_after(VALVE, Stiction(None), position, 100.0, 1.0);
            steps += 1;
        }
        assert_eq!(steps, 30);
    }

    #[test]
    fn a_sticking_valve_waits_then_jumps() {
        let stuck = Stiction(Some(5.0));
        assert_eq!(position_after(VALVE, stuck, 50.0, 54.0, 1.0), 50.0);
        assert_eq!(position_after(VALVE, stuck, 50.0, 56.0, 1.0), 56.0);
    }

    #[test]
    fn a_command_is_brought_into_the_travel() {
        assert_eq!(ActuatorUnit::Percent.accept(140.0, 0.0, 100.0), 100.0);
        assert_eq!(ActuatorUnit::Percent.accept(f64::NAN, 0.0, 100.0), 0.0);
        assert_eq!(ActuatorUnit::OnOff.accept(7.0, 0.0, 1.0), 1.0);
        assert_eq!(ActuatorUnit::OnOff.accept(f64::NAN, 0.0, 1.0), 0.0);
    }
}
