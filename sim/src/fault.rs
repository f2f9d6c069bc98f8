//! Faults that are not attacks: what breaks in a plant by itself, and how it shows.

use bevy_ecs::prelude::Component;

/// The kinds of fault that a plant file can list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// A valve or drive that moves only when its command has gone away from it by the stiction, then jumps to it.
    StickingValve,
    /// A transmitter whose zero walks away at a steady rate, up to a limit.
    DriftingTransmitter,
    /// A probe that fails: its reading moves away over a ramp and becomes noisy.
    FailingProbe,
    /// A transmitter that repeats its last value.
    FrozenTransmitter,
    /// A governor whose valve moves only when its demand has gone away by the stiction, and then follows.
    StickingGovernor,
    /// A breaker that does not open, whoever trips it.
    BreakerFailsToOpen,
    /// A three-phase short circuit on a line, outside the breaker at its `from` end.
    LineFault,
    /// A three-phase short circuit on a bus.
    BusFault,
}

const ALL: [FaultKind; 8] = [
    FaultKind::StickingValve,
    FaultKind::DriftingTransmitter,
    FaultKind::FailingProbe,
    FaultKind::FrozenTransmitter,
    FaultKind::StickingGovernor,
    FaultKind::BreakerFailsToOpen,
    FaultKind::LineFault,
    FaultKind::BusFault,
];

/// What a fault can strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strikes {
    Actuator,
    Instrument,
    Breaker,
    Unit,
    Line,
    Bus,
}

impl FaultKind {
    /// The name in plant files and scenarios.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StickingValve => "sticking_valve",
            Self::DriftingTransmitter => "drifting_transmitter",
            Self::FailingProbe => "failing_probe",
            Self::FrozenTransmitter => "frozen_transmitter",
            Self::StickingGovernor => "sticking_governor",
            Self::BreakerFailsToOpen => "breaker_fails_to_open",
            Self::LineFault => "line_fault",
            Self::BusFault => "bus_fault",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// All names, for messages.
    pub fn names() -> Vec<&'static str> {
        ALL.into_iter().map(Self::name).collect()
    }

    /// Names of its parameters. A short circuit with `lasts_s` = 0 stays until it is cleared. Quantities without a unit in their name are in the instrument's unit.
    pub const fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::StickingValve | Self::StickingGovernor => &["stiction_percent"],
            Self::DriftingTransmitter => &["rate_per_h", "limit"],
            Self::FailingProbe => &["offset", "ramp_s", "noise_sigma"],
            Self::FrozenTransmitter | Self::BreakerFailsToOpen => &[],
            Self::LineFault | Self::BusFault => &["lasts_s"],
        }
    }

    /// What it strikes.
    pub(crate) const fn strikes(self) -> Strikes {
        match self {
            Self::StickingValve => Strikes::Actuator,
            Self::DriftingTransmitter | Self::FailingProbe | Self::FrozenTransmitter => Strikes::Instrument,
            Self::StickingGovernor => Strikes::Unit,
            Self::BreakerFailsToOpen => Strikes::Breaker,
            Self::LineFault => Strikes::Line,
            Self::BusFault => Strikes::Bus,
        }
    }
}

/// Why a fault was not started or cleared.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FaultError {
    /// The plant file lists no such fault.
    #[error("the plant has no fault {kind} on {tag}; it has {}", known.join(", "))]
    Unknown {
        /// Kind asked for.
        kind: String,
        /// Tag asked for.
        tag: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The fault has no such parameter.
    #[error("a {kind} has no parameter {parameter:?}; it has {}", known.join(", "))]
    Parameter {
        /// Kind of the fault.
        kind: String,
        /// Parameter asked for.
        parameter: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A parameter is not a finite number.
    #[error("parameter {parameter} of a {kind} is {value}, not a finite number")]
    NotFinite {
        /// Kind of the fault.
        kind: String,
        /// Parameter.
        parameter: String,
        /// What was given.
        value: f64,
    },
}

/// What is wrong with an actuator: how far its command must go before it moves. Written by [`crate::Plant::start_fault`].
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Stiction(pub(crate) Option<f64>);

/// What is wrong with an instrument. Written by [`crate::Plant::start_fault`].
#[derive(Component, Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Ailment {
    /// Nothing.
    #[default]
    None,
    /// It repeats its last value.
    Frozen,
    /// Its zero walks.
    Drift {
        /// When it began, s.
        since_s: f64,
        /// In its unit per second.
        rate_per_s: f64,
        /// Largest error, in its unit.
        limit: f64,
    },
    /// It fails.
    Failing {
        /// When it began, s.
        since_s: f64,
        /// Error at the end of the ramp, in its unit.
        offset: f64,
        /// Length of the ramp, s.
        ramp_s: f64,
        /// Additional noise at the end of the ramp, in its unit.
        noise_sigma: f64,
    },
}

impl Ailment {
    /// Error and additional noise at a time.
    pub(crate) fn at(self, now_s: f64) -> (f64, f64) {
        match self {
            Self::None | Self::Frozen => (0.0, 0.0),
            Self::Drift { since_s, rate_per_s, limit } => {
                let limit = limit.abs();
                (((now_s - since_s) * rate_per_s).clamp(-limit, limit), 0.0)
            }
            Self::Failing { since_s, offset, ramp_s, noise_sigma } => {
                let share = if ramp_s > 0.0 { ((now_s - since_s) / ramp_s).clamp(0.0, 1.0) } else { 1.0 };
                (offset * share, noise_sigma * share)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drift_stops_at_its_limit() {
        let drift = Ailment::Drift { since_s: 100.0, rate_per_s: -0.01, limit: 0.5 };
        assert_eq!(drift.at(110.0), (-0.1, 0.0));
        assert_eq!(drift.at(1e6), (-0.5, 0.0));
    }

    #[test]
    fn a_failing_probe_ramps() {
        let failing = Ailment::Failing { since_s: 0.0, offset: 2.0, ramp_s: 100.0, noise_sigma: 0.4 };
        assert_eq!(failing.at(50.0), (1.0, 0.2));
        assert_eq!(failing.at(500.0), (2.0, 0.4));
    }

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in ALL {
            assert_eq!(FaultKind::named(kind.name()), Some(kind));
        }
        assert_eq!(FaultKind::named("gremlin"), None);
    }
}
