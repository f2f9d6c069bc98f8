//! The journal of a run: events of plant, controllers, firewall and actors, put in the order of time.
//!
//! Reports arrive in bursts (the plant's once a step, the others' as they happen), so they are held until every
//! source has passed a moment and then written in the order of their times; ties keep the order of arrival.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

use net::FirewallEvent;
use plcs::outstation::{Action, BinaryAction, Notice, NoticeKind, Restart};
use plcs::{ControllerEvent, EventKind};
use record::{EventLog, EventSource, VirtualTime};
use serde_json::{Value, json};
use sim::PlantEvent;

fn binary_command(action: BinaryAction) -> String {
    match action {
        BinaryAction::On => "on".to_owned(),
        BinaryAction::Off => "off".to_owned(),
        BinaryAction::Pulse { trip: true, .. } => "pulse, trip".to_owned(),
        BinaryAction::Pulse { trip: false, .. } => "pulse".to_owned(),
        BinaryAction::Cancel => "cancel".to_owned(),
    }
}

struct Pending {
    t: VirtualTime,
    source: EventSource,
    kind: String,
    data: Value,
}

/// Collects events; clones share it.
#[derive(Clone)]
pub(crate) struct Journal {
    inner: Rc<RefCell<Inner>>,
}

struct Inner {
    pending: Vec<Pending>,
    log: EventLog<Box<dyn Write>>,
    failure: Option<io::Error>,
}

impl Journal {
    /// A journal that writes to `out`.
    pub(crate) fn new(out: Box<dyn Write>) -> Self {
        Self {
            inner: Rc::new(RefCell::new(Inner {
                pending: Vec::new(),
                log: EventLog::new(out),
                failure: None,
            })),
        }
    }

    /// Takes one event.
    pub(crate) fn report(&self, t: VirtualTime, source: EventSource, kind: &str, data: Value) {
        self.inner.borrow_mut().pending.push(Pending { t, source, kind: kind.to_owned(), data });
    }

    /// A report of the plant, if a person in the control room would be told of it.
    pub(crate) fn plant(&self, event: &PlantEvent) {
        if event.kind.is_visible() {
            let value = (event.value * 1e6).round() / 1e6;
            self.report(
                event.time,
                EventSource::Plant,
                event.kind.name(),
                json!({ "tag": event.tag, "instrument": event.instrument, "value": value, "message": event.message, "priority": event.priority }),
            );
        }
    }

    /// A report of a controller.
    pub(crate) fn controller(&self, device: &str, event: &ControllerEvent) {
        let (kind, data) = match &event.kind {
            EventKind::State { tag, on } => {
                ("controller.state", json!({ "device": device, "tag": tag, "on": on }))
            }
            EventKind::Mode { from, to } => (
                "controller.mode",
                json!({ "device": device, "from": format!("{from:?}"), "to": format!("{to:?}") }),
            ),
            EventKind::Key { from, to } => (
                "controller.key",
                json!({ "device": device, "from": format!("{from:?}"), "to": format!("{to:?}") }),
            ),
            EventKind::Restarted => ("controller.restarted", json!({ "device": device })),
            EventKind::ProgramLoaded => ("controller.program_loaded", json!({ "device": device })),
            EventKind::CommunicationsRestarted => {
                ("controller.communications_restarted", json!({ "device": device }))
            }
            EventKind::ListenOnly => ("controller.listen_only", json!({ "device": device })),
            EventKind::ConnectionRefused { peer } => {
                ("controller.connection_refused", json!({ "device": device, "peer": peer.to_string() }))
            }
            EventKind::FramingLost { peer } => {
                ("controller.framing_lost", json!({ "device": device, "peer": peer.to_string() }))
            }
            EventKind::TimedOut { peer, within_adu } => (
                "controller.timed_out",
                json!({ "device": device, "peer": peer.to_string(), "within_adu": within_adu }),
            ),
        };
        self.report(event.at, EventSource::Controller, kind, data);
    }

    /// What an outstation did because a master said so: its own sequence of events, as a substation keeps it.
    pub(crate) fn outstation(&self, device: &str, notice: &Notice) {
        let mut data = json!({ "device": device, "master": notice.master.0 });
        let (kind, particulars) = match notice.what {
            NoticeKind::Operated { action, status } => {
                let (output, command) = match action {
                    Action::Binary { index, action } => (format!("binary {index}"), binary_command(action)),
                    Action::Analog { index, value } => (format!("analog {index}"), value.to_string()),
                };
                ("outstation.operated", json!({ "output": output, "command": command, "status": status.0 }))
            }
            NoticeKind::Restarted(restart) => {
                let restart = if restart == Restart::Cold { "cold" } else { "warm" };
                ("outstation.restarted", json!({ "restart": restart }))
            }
            NoticeKind::TimeSet(unix_ms) => ("outstation.time_set", json!({ "unix_ms": unix_ms })),
            NoticeKind::Unsolicited { enabled } => ("outstation.unsolicited", json!({ "enabled": enabled })),
            NoticeKind::ClassAssigned => ("outstation.class_assigned", json!({})),
            NoticeKind::DeadbandWritten => ("outstation.deadband_written", json!({})),
            NoticeKind::Frozen(cleared) => ("outstation.frozen", json!({ "cleared": cleared })),
        };
        if let (Some(data), Value::Object(particulars)) = (data.as_object_mut(), particulars) {
            data.extend(particulars);
        }
        self.report(notice.at, EventSource::Controller, kind, data);
    }

    /// A line of the firewall's log.
    pub(crate) fn firewall(&self, event: &FirewallEvent) {
        let data = serde_json::to_value(event).unwrap_or_default();
        let kind =
            data["kind"].as_str().map_or_else(|| "firewall".to_owned(), |kind| format!("firewall.{kind}"));
        self.report(event.time, EventSource::Net, &kind, data);
    }

    /// Writes everything before `until`.
    pub(crate) fn flush_before(&self, until: VirtualTime) {
        let mut inner = self.inner.borrow_mut();
        let Inner { pending, log, failure } = &mut *inner;
        if pending.is_empty() || failure.is_some() {
            return;
        }
        pending.sort_by_key(|event| event.t);
        let ready = pending.partition_point(|event| event.t < until);
        for event in pending.drain(..ready) {
            if let Err(error) = log.append(event.t, event.source, &event.kind, event.data) {
                *failure = Some(error);
                return;
            }
        }
    }

    /// Writes the rest. The error of the first write that failed.
    pub(crate) fn finish(&self) -> io::Result<()> {
        self.flush_before(VirtualTime::MAX);
        self.inner.borrow_mut().failure.take().map_or(Ok(()), Err)
    }
}
