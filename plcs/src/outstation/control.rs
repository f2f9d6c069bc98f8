//! Select, operate, direct operate (IEEE 1815-2012, clauses 4.4.4 and 4.5.1; annex A, groups 12 and 41).
//!
//! # Stated policies
//! - One select at a time. An operate must follow with the next sequence number, the same octets, and within the time;
//!   otherwise every command of it is answered *no select*, or *timeout*. Any other request in between, and any operate,
//!   ends the select. A select of which one command is refused selects nothing.
//! - Direct operates are carried out one by one; one that is refused does not keep the next from being carried out.
//! - Count 0 is accepted and does nothing. The queue bit is obsolete and refused; the clear bit cancels what is under
//!   way, and with operation *nul* that is all.
//! - What a point's control model does not have is *not supported* (4), with IIN2.2. So is a point that does not exist.
//! - While the device is switched to local every command is refused with status 7.

use std::time::Duration;

use record::VirtualTime;
use site::PointKind as PointType;
use site::dnp3::ControlModel;
use wire::dnp3::object::{CommandStatus, Crob, OperationType, TripClose};
use wire::dnp3::request::{Command, Control, ControlFunction, Order};
use wire::dnp3::{Iin, PointKind};

use super::events::Occurrence;
use super::station::{Action, BinaryAction, NoticeKind, Process, Station};

/// The setpoint is out of range (status 12).
const OUT_OF_RANGE: CommandStatus = CommandStatus(12);

/// What was selected.
#[derive(Clone, Debug)]
pub(crate) struct Selected {
    sequence: u8,
    objects: Vec<u8>,
    until: VirtualTime,
}

/// Who commands, when, and with which sequence number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct By {
    pub(crate) now: VirtualTime,
    pub(crate) master: u16,
    pub(crate) sequence: u8,
}

/// Carries a control request out. Gives the objects of the answer and indications.
pub(crate) fn control(
    station: &mut Station,
    process: &mut dyn Process,
    selected: &mut Option<Selected>,
    by: By,
    request: &Control<'_>,
) -> (Vec<u8>, Iin) {
    let (mut objects, mut iin) = (request.objects.to_vec(), Iin::default());
    let before = selected.take();
    let refused = match (request.function, before) {
        (ControlFunction::Operate, None) => Some(CommandStatus::NO_SELECT),
        (ControlFunction::Operate, Some(before)) => {
            let same =
                before.sequence.wrapping_add(1) & 0x0f == by.sequence && before.objects == request.objects;
            match same {
                true if by.now <= before.until => None,
                true => Some(CommandStatus::TIMEOUT),
                false => Some(CommandStatus::NO_SELECT),
            }
        }
        _ => None,
    };
    let mut all_accepted = true;
    for (number, command) in request.commands.iter().enumerate() {
        let status = match refused {
            Some(status) => status,
            None if number >= station.map.settings.controls_max => CommandStatus::TOO_MANY_OBJECTS,
            None => one(station, process, request.function, by, command),
        };
        all_accepted &= status == CommandStatus::SUCCESS;
        iin = iin.with(match status {
            CommandStatus::NOT_SUPPORTED | OUT_OF_RANGE => Iin::PARAMETER_ERROR,
            CommandStatus::ALREADY_ACTIVE => Iin::ALREADY_EXECUTING,
            _ => Iin::default(),
        });
        if let Some(octet) = objects.get_mut(command.status_at) {
            *octet = status.0;
        }
    }
    if request.function == ControlFunction::Select && all_accepted {
        let until = by.now + Duration::from_millis(station.map.settings.select_timeout_ms);
        *selected = Some(Selected { sequence: by.sequence, objects: request.objects.to_vec(), until });
    }
    (objects, iin)
}

fn one(
    station: &mut Station,
    process: &mut dyn Process,
    function: ControlFunction,
    by: By,
    command: &Command,
) -> CommandStatus {
    let actions = match actions(station, command) {
        Ok(actions) => actions,
        Err(status) => return status,
    };
    if station.local {
        return CommandStatus::LOCAL;
    }
    let mut status = CommandStatus::SUCCESS;
    for action in actions.into_iter().flatten() {
        if function == ControlFunction::Select {
            status = process.judge(&action);
        } else {
            status = process.operate(&action);
            station.note(by.now, by.master, NoticeKind::Operated { action, status });
            report(station, by.now, &action, status);
        }
        if status != CommandStatus::SUCCESS {
            break;
        }
    }
    status
}

/// A command as an event, where the map wants it.
fn report(station: &mut Station, now: VirtualTime, action: &Action, status: CommandStatus) {
    let Action::Binary { index, action } = *action else { return };
    let row = station.database.row(PointKind::BinaryOutput, index);
    let Some(class) = row.and_then(|row| row.command_class) else { return };
    let on = match action {
        BinaryAction::On => true,
        BinaryAction::Pulse { trip, .. } => !trip,
        BinaryAction::Off | BinaryAction::Cancel => false,
    };
    let time_ms = station.unix_ms(now);
    station.occurred.push((class, Occurrence::Command { index, on, status, time_ms }));
}

/// What a command means to its point: at most a cancel and then an action.
fn actions(station: &Station, command: &Command) -> Result<[Option<Action>; 2], CommandStatus> {
    match command.order {
        Order::Setpoint(value) => {
            let index = command.index;
            let entry = station.map.point(PointType::AnalogOutput, index);
            let entry = entry.ok_or(CommandStatus::NOT_SUPPORTED)?;
            if value < entry.min || value > entry.max {
                return Err(OUT_OF_RANGE);
            }
            Ok([Some(Action::Analog { index, value }), None])
        }
        Order::Crob(crob) => {
            let index = command.index;
            let model = station.model(index).ok_or(CommandStatus::NOT_SUPPORTED)?;
            if crob.queue() || crob.trip_close() == TripClose::Reserved {
                return Err(CommandStatus::NOT_SUPPORTED);
            }
            let cancel = crob.clear().then_some(Action::Binary { index, action: BinaryAction::Cancel });
            if crob.operation() == OperationType::Nul {
                let nothing_else = crob.clear() && crob.trip_close() == TripClose::Nul;
                return if nothing_else { Ok([cancel, None]) } else { Err(CommandStatus::NOT_SUPPORTED) };
            }
            let action = binary_action(model, &crob).ok_or(CommandStatus::NOT_SUPPORTED)?;
            let action = (crob.count > 0).then_some(Action::Binary { index, action });
            Ok([cancel, action])
        }
    }
}

fn binary_action(model: ControlModel, crob: &Crob) -> Option<BinaryAction> {
    use OperationType::{LatchOff, LatchOn, PulseOff, PulseOn};
    use TripClose::{Close, Nul, Trip};
    let pulse = |trip: bool| BinaryAction::Pulse {
        on: Duration::from_millis(crob.on_time_ms.into()),
        off: Duration::from_millis(crob.off_time_ms.into()),
        count: crob.count.max(1),
        trip,
    };
    #[expect(clippy::match_same_arms, reason = "one line for each code of each model")]
    match (model, crob.operation(), crob.trip_close()) {
        (ControlModel::Latch | ControlModel::TripClose, LatchOn, Nul) => Some(BinaryAction::On),
        (ControlModel::Latch | ControlModel::TripClose, LatchOff, Nul) => Some(BinaryAction::Off),
        (ControlModel::Latch, PulseOn, Close) => Some(BinaryAction::On),
        (ControlModel::Latch, PulseOn, Trip) => Some(BinaryAction::Off),
        (ControlModel::TripClose, PulseOn, Close) => Some(pulse(false)),
        (ControlModel::TripClose, PulseOn, Trip) => Some(pulse(true)),
        (ControlModel::Pulse, PulseOn | LatchOn, _) | (ControlModel::Pulse, PulseOff | LatchOff, Nul) => {
            Some(pulse(false))
        }
        _ => None,
    }
}
