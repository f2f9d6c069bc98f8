//! The chronicle: ground truth and journal, written as things happen.
//!
//! # Theory of operation
//! Every event that takes place holds an [`Act`]. When it begins it opens an entry; it names the flows whose frames
//! are its own (the network's ledger collects their numbers), notes each moment at which somebody could first see
//! it, and closes. What is read back at the end is [`TruthStep`]s, with no alignment and nothing labelled by hand.
//!
//! Two things show on the operator's screen later than they are done: a value that the station polls and a link
//! that it loses. They are *awaited* here, and the poller tells the chronicle what the screen shows.
//!
//! The journal holds only what people at the works would have written down themselves: tickets, values entered at the
//! operator station, alarms shown and acknowledged. It never tells who was behind a write.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use net::{FlowKey, FrameLedger, KernelClock, Selector};
use record::{Channel, Clock, EventSource, Role, TruthStep, VirtualTime};
use serde_json::Value;

use crate::plan::{EventKind, PlannedEvent};

/// One line for the journal of the run.
#[derive(Clone, Debug, PartialEq)]
pub struct JournalEntry {
    /// When.
    pub t: VirtualTime,
    /// Who reports it.
    pub source: EventSource,
    /// A stable name, `ticket.opened`.
    pub kind: &'static str,
    /// Particulars.
    pub data: Value,
}

/// What the operator's screen must show for an event to be seen there.
#[derive(Clone, Debug, PartialEq)]
pub enum Sign {
    /// A tag has a value.
    Value {
        /// The tag.
        tag: String,
        /// The value, to half a count.
        value: f64,
    },
    /// The station lost a controller.
    Lost {
        /// The controller.
        device: String,
    },
}

struct Entry {
    event: Rc<PlannedEvent>,
    start: VirtualTime,
    end: Option<VirtualTime>,
    observable: BTreeMap<Role, BTreeMap<Channel, VirtualTime>>,
}

#[derive(Default)]
struct Inner {
    entries: BTreeMap<String, Entry>,
    awaited: Vec<(String, Sign)>,
    journal: Vec<JournalEntry>,
}

/// Ground truth and journal of one run. Clones share it.
#[derive(Clone)]
pub struct Chronicle {
    inner: Rc<RefCell<Inner>>,
    clock: KernelClock,
    ledger: FrameLedger,
}

impl std::fmt::Debug for Chronicle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chronicle")
            .field("entries", &self.inner.borrow().entries.len())
            .finish_non_exhaustive()
    }
}

impl Chronicle {
    /// An empty one. The ledger is that of the mirror whose capture the record holds.
    pub fn new(clock: KernelClock, ledger: FrameLedger) -> Self {
        Self { inner: Rc::default(), clock, ledger }
    }

    /// The act of an event that has not begun.
    pub fn act(&self, event: Rc<PlannedEvent>) -> Act {
        Act { chronicle: self.clone(), event }
    }

    /// Whether a labelled event has begun.
    pub fn has_begun(&self, event: &str) -> bool {
        self.inner.borrow().entries.contains_key(event)
    }

    /// Writes a line for the journal.
    pub fn report(&self, source: EventSource, kind: &'static str, data: Value) {
        let t = self.clock.now();
        self.inner.borrow_mut().journal.push(JournalEntry { t, source, kind, data });
    }

    /// Lines written since the last call, by time.
    pub fn drain_journal(&self) -> Vec<JournalEntry> {
        std::mem::take(&mut self.inner.borrow_mut().journal)
    }

    /// Tells what a tag shows on the operator's screen from now on.
    pub fn screen_shows(&self, tag: &str, shown: f64) {
        self.settle(|sign| matches!(sign, Sign::Value { tag: t, value } if t == tag && (shown - value).abs() <= value.abs().max(1.0) * 1e-6));
    }

    /// Tells that the operator's screen has lost a controller.
    pub fn screen_lost(&self, lost: &str) {
        self.settle(|sign| matches!(sign, Sign::Lost { device } if device == lost));
    }

    /// Whether anything is awaited on the screen: spares the poller the work where nothing is.
    pub fn awaits_screen(&self) -> bool {
        !self.inner.borrow().awaited.is_empty()
    }

    fn settle(&self, is_met: impl Fn(&Sign) -> bool) {
        let now = self.clock.now();
        let mut inner = self.inner.borrow_mut();
        let mut awaited = std::mem::take(&mut inner.awaited);
        awaited.retain(|(id, sign)| {
            let met = is_met(sign);
            if met && let Some(entry) = inner.entries.get_mut(id) {
                entry.observable.entry(Role::Operator).or_default().entry(Channel::Hmi).or_insert(now);
            }
            !met
        });
        inner.awaited = awaited;
    }

    /// Ground truth so far: labelled events that left a trace, by start. Steps that have not ended end at `end`.
    /// Limits and consequences are the lab's to fill in: they lie in the plant.
    pub fn truth(&self, end: VirtualTime) -> Vec<TruthStep> {
        let inner = self.inner.borrow();
        let mut steps: Vec<TruthStep> = inner
            .entries
            .values()
            .filter(|entry| !entry.observable.is_empty())
            .map(|entry| {
                let event = &entry.event;
                TruthStep {
                    step: event.id.clone(),
                    campaign: event.campaign.clone(),
                    verdict: event.verdict,
                    summary: event.summary.clone(),
                    techniques: event.techniques.clone(),
                    start: entry.start,
                    end: entry.end.unwrap_or(end),
                    observable: entry.observable.clone(),
                    source: event.source.clone(),
                    target: event.target.clone(),
                    points: event.points.clone(),
                    frames: self.ledger.frames(&event.id),
                    severity: event.severity,
                    limit_time: None,
                    consequences: Vec::new(),
                    ticket: event.ticket.clone(),
                }
            })
            .collect();
        steps.sort_by(|a, b| (a.start, &a.step).cmp(&(b.start, &b.step)));
        steps
    }
}

/// One event on its way: what an actor writes its truth with. For ordinary work, which nobody labels, all of this
/// does nothing.
#[derive(Clone, Debug)]
pub struct Act {
    chronicle: Chronicle,
    event: Rc<PlannedEvent>,
}

impl Act {
    /// The event.
    pub fn event(&self) -> &PlannedEvent {
        &self.event
    }

    fn is_labelled(&self) -> bool {
        self.event.kind != EventKind::Ordinary
    }

    /// It begins now. Again does nothing.
    pub fn begin(&self) {
        let start = self.chronicle.clock.now();
        if self.is_labelled() {
            let entry = || Entry { event: self.event.clone(), start, end: None, observable: BTreeMap::new() };
            self.chronicle.inner.borrow_mut().entries.entry(self.event.id.clone()).or_insert_with(entry);
        }
    }

    /// Frames that `selector` picks are its own from now on.
    pub fn tag(&self, selector: Selector) {
        if self.is_labelled() {
            self.chronicle.ledger.begin(&self.event.id, selector);
        }
    }

    /// Frames of a flow are its own, from its first frame on.
    pub fn tag_flow(&self, flow: FlowKey) {
        self.tag(Selector::Flow(flow));
    }

    /// No frame is its own from now on.
    pub fn untag(&self) {
        if self.is_labelled() {
            self.chronicle.ledger.end(&self.event.id);
        }
    }

    /// A role can see it over a channel from now on.
    pub fn seen(&self, role: Role, channel: Channel) {
        let now = self.chronicle.clock.now();
        if let Some(entry) = self.chronicle.inner.borrow_mut().entries.get_mut(&self.event.id) {
            entry.observable.entry(role).or_default().entry(channel).or_insert(now);
        }
    }

    /// Its first frame is on the wire.
    pub fn on_the_wire(&self) {
        self.seen(Role::Analyst, Channel::Network);
    }

    /// Its first request is answered, so that a protocol log holds it.
    pub fn in_the_log(&self) {
        self.seen(Role::Analyst, Channel::ProtocolLog);
    }

    /// The operator sees it once the screen shows a sign.
    pub fn awaits(&self, sign: Sign) {
        if self.is_labelled() {
            self.chronicle.inner.borrow_mut().awaited.push((self.event.id.clone(), sign));
        }
    }

    /// It is over now; the last call counts.
    pub fn end(&self) {
        let now = self.chronicle.clock.now();
        if let Some(entry) = self.chronicle.inner.borrow_mut().entries.get_mut(&self.event.id) {
            entry.end = Some(now);
        }
    }

    /// Writes a line for the journal.
    pub fn report(&self, source: EventSource, kind: &'static str, data: Value) {
        self.chronicle.report(source, kind, data);
    }
}
