//! Alarms, hard-wired switches and trips: what watches the plant without a controller.
//!
//! An alarm and a trip see what the instrument transmits; a hard-wired switch sees the process itself, so nobody on
//! the network can talk it out of it. An alarm comes after its delay and goes when the value has come back by the
//! deadband. A trip latches: it lets go when its cause is gone and every actuator that it stops is commanded off.

use bevy_ecs::prelude::{Component, Entity, Query, Res, ResMut};

use crate::actuator::{Command, Tripped};
use crate::design::{AlarmDesign, SwitchDesign, Threshold, TripDesign};
use crate::instrument::Transmitted;
use crate::journal::{Journal, PlantEventKind};
use crate::plant::Tick;
use crate::process::Process;

/// Which instrument is watched.
#[derive(Component, Clone, Debug)]
pub(crate) struct Watches {
    pub(crate) instrument: Entity,
    pub(crate) tag: String,
}

/// An alarm. Parameter.
#[derive(Component, Clone, Debug)]
pub(crate) struct Alarm(pub(crate) AlarmDesign);

/// Whether an alarm or a trip is in, and since when its cause has stood. Written by the watching system.
#[derive(Component, Clone, Copy, Debug, Default)]
pub(crate) struct Latch {
    pub(crate) is_in: bool,
    since_s: Option<f64>,
}

impl Latch {
    /// Whether the cause has now stood for the delay.
    fn has_stood(&mut self, threshold: Threshold, value: f64, delay_s: f64, now_s: f64) -> bool {
        if threshold.is_passed_by(value) {
            let since_s = *self.since_s.get_or_insert(now_s);
            now_s - since_s >= delay_s
        } else {
            self.since_s = None;
            false
        }
    }
}

/// A hard-wired switch. Parameter.
#[derive(Component, Clone, Debug)]
pub(crate) struct Switch(pub(crate) SwitchDesign);

/// Whether a switch is made. Written by [`watch_switches`].
#[derive(Component, Clone, Copy, Debug, Default)]
pub(crate) struct Made(pub(crate) bool);

/// A hard-wired trip. Parameter, but for `enabled`.
#[derive(Component, Clone, Debug)]
pub(crate) struct Trip {
    pub(crate) design: TripDesign,
    pub(crate) stops: Vec<Entity>,
    pub(crate) enabled: bool,
}

/// Raises and clears alarms.
pub(crate) fn watch_alarms(
    tick: Res<Tick>,
    instruments: Query<&Transmitted>,
    mut journal: ResMut<Journal>,
    mut alarms: Query<(&Alarm, &Watches, &mut Latch)>,
) {
    for (alarm, watches, mut latch) in &mut alarms {
        let Ok(Transmitted(value)) = instruments.get(watches.instrument).copied() else { continue };
        let design = &alarm.0;
        let kind = if latch.is_in {
            if !design.threshold.is_left_by(value, design.deadband) {
                continue;
            }
            latch.is_in = false;
            PlantEventKind::AlarmCleared
        } else {
            if !latch.has_stood(design.threshold, value, design.delay_s, tick.now_s()) {
                continue;
            }
            latch.is_in = true;
            PlantEventKind::AlarmRaised
        };
        journal.report(kind, &design.tag, &watches.tag, value, &design.message, design.priority);
    }
}

/// Makes and breaks the hard-wired contacts; those that are alarms say so.
pub(crate) fn watch_switches(
    process: Res<Process>,
    mut journal: ResMut<Journal>,
    mut switches: Query<(&Switch, &mut Made)>,
) {
    for (switch, mut made) in &mut switches {
        let design = &switch.0;
        let (is_made, value) = process.contact(design.sees, made.0);
        if is_made == made.0 {
            continue;
        }
        made.0 = is_made;
        let kind = if is_made { PlantEventKind::SwitchOperated } else { PlantEventKind::SwitchReleased };
        if let Some((priority, message)) = &design.alarm {
            journal.report(kind, &design.tag, &design.tag, value, message, *priority);
        }
    }
}

/// Trips, and lets go.
pub(crate) fn watch_trips(
    tick: Res<Tick>,
    instruments: Query<&Transmitted>,
    mut journal: ResMut<Journal>,
    mut trips: Query<(&Trip, &Watches, &mut Latch)>,
    mut actuators: Query<(&Command, &mut Tripped)>,
) {
    let mut changed = false;
    for (trip, watches, mut latch) in &mut trips {
        let Ok(Transmitted(value)) = instruments.get(watches.instrument).copied() else { continue };
        let design = &trip.design;
        let stands = latch.has_stood(design.threshold, value, design.delay_s, tick.now_s());
        if latch.is_in {
            let all_off = trip
                .stops
                .iter()
                .all(|stopped| actuators.get(*stopped).is_ok_and(|(command, _)| command.0 == 0.0));
            if stands || design.threshold.is_passed_by(value) || (trip.enabled && !all_off) {
                continue;
            }
            latch.is_in = false;
            journal.report(PlantEventKind::TripReset, &design.tag, &watches.tag, value, &design.message, 3);
        } else {
            if !(stands && trip.enabled) {
                continue;
            }
            latch.is_in = true;
            journal.report(PlantEventKind::Tripped, &design.tag, &watches.tag, value, &design.message, 1);
        }
        changed = true;
    }
    if !changed {
        return;
    }
    for (_, mut tripped) in &mut actuators {
        tripped.0 = false;
    }
    for (trip, _, latch) in &trips {
        for stopped in trip.stops.iter().filter(|_| latch.is_in) {
            if let Ok((_, mut tripped)) = actuators.get_mut(*stopped) {
                tripped.0 = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_must_stand_without_a_break() {
        let mut latch = Latch::default();
        let high = Threshold::Above(8.5);
        assert!(!latch.has_stood(high, 9.0, 10.0, 0.0));
        assert!(!latch.has_stood(high, 8.0, 10.0, 9.0));
        assert!(!latch.has_stood(high, 9.0, 10.0, 10.0));
        assert!(latch.has_stood(high, 9.0, 10.0, 20.0));
    }
}
