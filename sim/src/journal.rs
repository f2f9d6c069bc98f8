//! What a plant reports besides its measured values: alarms, trips, switches, limits crossed, faults.

use bevy_ecs::prelude::Resource;
use record::VirtualTime;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlantEventKind {
    /// An alarm came up.
    AlarmRaised,
    /// An alarm went away.
    AlarmCleared,
    /// A hard-wired trip stopped something.
    Tripped,
    /// A trip was reset: its cause is gone and its actuators are commanded off.
    TripReset,
    /// A hard-wired switch operated.
    SwitchOperated,
    /// A hard-wired switch fell back.
    SwitchReleased,
    /// A limit that matters for harm was crossed for the first time in this run.
    LimitCrossed,
    /// Somebody began to fill a day tank.
    RefillStarted,
    /// The pumps draw air: the clearwell is too low.
    SuctionLost,
    /// The pumps draw water again.
    SuctionRegained,
    /// A circuit breaker has opened.
    BreakerOpened,
    /// A circuit breaker has closed. The value is the angle across it in the moment before, degrees.
    BreakerClosed,
    /// A circuit breaker was told to close and did not.
    BreakerRefused,
    /// A fault began. Ground truth: not for the eyes of a trainee.
    FaultStarted,
    /// A fault ended. Ground truth: not for the eyes of a trainee.
    FaultCleared,
}

impl PlantEventKind {
    /// The stable name in `events.jsonl`, for example `alarm.raised`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AlarmRaised => "alarm.raised",
            Self::AlarmCleared => "alarm.cleared",
            Self::Tripped => "trip.tripped",
            Self::TripReset => "trip.reset",
            Self::SwitchOperated => "switch.operated",
            Self::SwitchReleased => "switch.released",
            Self::LimitCrossed => "limit.crossed",
            Self::RefillStarted => "refill.started",
            Self::SuctionLost => "suction.lost",
            Self::SuctionRegained => "suction.regained",
            Self::BreakerOpened => "breaker.opened",
            Self::BreakerClosed => "breaker.closed",
            Self::BreakerRefused => "breaker.refused",
            Self::FaultStarted => "fault.started",
            Self::FaultCleared => "fault.cleared",
        }
    }

    /// Whether a person in the control room would be told.
    pub const fn is_visible(self) -> bool {
        !matches!(self, Self::FaultStarted | Self::FaultCleared | Self::LimitCrossed)
    }
}

/// One report.
#[derive(Clone, Debug, PartialEq)]
pub struct PlantEvent {
    /// When, at the end of the step in which it happened.
    pub time: VirtualTime,
    /// What.
    pub kind: PlantEventKind,
    /// Tag of the alarm, trip, switch, limit or device.
    pub tag: String,
    /// Tag of the instrument on which it shows; the same as `tag` where there is none.
    pub instrument: String,
    /// Value that went with it, in the instrument's unit.
    pub value: f64,
    /// In words.
    pub message: String,
    /// 1 (at once) to 3; 0 where it has none.
    pub priority: u8,
}

/// Reports not yet drained, and the time that new ones get.
#[derive(Resource, Debug, Default)]
pub(crate) struct Journal {
    pub(crate) now: VirtualTime,
    pub(crate) events: Vec<PlantEvent>,
}

impl Journal {
    pub(crate) fn report(
        &mut self,
        kind: PlantEventKind,
        tag: &str,
        instrument: &str,
        value: f64,
        message: &str,
        priority: u8,
    ) {
        self.events.push(PlantEvent {
            time: self.now,
            kind,
            tag: tag.to_owned(),
            instrument: instrument.to_owned(),
            value,
            message: message.to_owned(),
            priority,
        });
    }
}
