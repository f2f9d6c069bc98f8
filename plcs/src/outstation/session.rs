//! One master and the outstation: requests in, responses out (IEEE 1815-2012, clauses 4.2, 4.4 and 5.1).
//!
//! # Theory of operation
//! *Solicited.* A request with a new sequence number or other octets than the last one is carried out and answered. The same octets
//! again get the same answer, and nothing is done twice; only a read that nobody waits for any more is answered afresh.
//! An answer with events, and every answer but the last of several, asks for a confirmation. While it is awaited, any new
//! request gives the events back and ends the series.
//!
//! *Unsolicited.* After a restart a null response goes out until it is confirmed. Then events of the classes that the master
//! has enabled do, one response at a time. A read that comes meanwhile waits for the confirmation or its time limit; every
//! other request is answered at once.
//!
//! ```text
//!            read with events                      null or events to tell
//!   Idle ---------------------> AwaitingConfirm     Idle -------------> unsolicited awaiting
//!    ^   <--------------------- confirm, time out    ^  <------------- confirm, or the last retry
//! ```
//!
//! Events of classes 2 and 3 may be held for a while, so that a value that moves does not make a response of every step: one
//! response then tells of them all. Class 1 is never held.

use std::time::Duration;

use record::VirtualTime;
use wire::dnp3::request::{Request, Write};
use wire::dnp3::{
    AppControl, ClassSet, EventClass, Fragment, FunctionCode, Iin, LinkAddress, PointKind, Reassembly,
    ResponseWriter,
};

use super::channel::ChannelId;
use super::control::{By, Selected, control};
use super::events::{EventBuffer, Occurrence, Wanted};
use super::link::LinkStates;
use super::reading::Series;
use super::station::{NoticeKind, Process, Restart, Station};

/// Longest fragment that a master may send.
pub(crate) const RECEIVE_MAX: usize = 2048;

/// An answer that waits for its confirmation.
#[derive(Clone, Copy, Debug)]
struct Awaiting {
    sequence: u8,
    deadline: VirtualTime,
    /// More fragments follow.
    more: bool,
}

/// An unsolicited response that waits for its confirmation.
#[derive(Clone, Debug)]
struct Unconfirmed {
    fragment: Vec<u8>,
    deadline: VirtualTime,
    /// How often it may be sent again; `None` for as often as it takes.
    retries: Option<u32>,
}

/// How a broadcast wants its receipt to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broadcast {
    /// In the next response, once.
    Told,
    /// In every response until one is confirmed.
    Confirmed,
}

#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) master: u16,
    /// Where it was last heard.
    pub(crate) channel: Option<ChannelId>,
    pub(crate) link: LinkStates,
    pub(crate) reassembly: Reassembly,
    pub(crate) transport_sequence: u8,
    pub(crate) events: EventBuffer,
    /// The latest request, whole.
    last_request: Vec<u8>,
    /// The latest fragment of an answer to it; empty where there was none.
    last_response: Vec<u8>,
    awaiting: Option<Awaiting>,
    series: Series,
    series_refused: Iin,
    selected: Option<Selected>,
    broadcast: Option<Broadcast>,
    restarted: bool,
    recorded_at: Option<VirtualTime>,
    enabled: ClassSet,
    null_confirmed: bool,
    unsolicited_sequence: u8,
    unconfirmed: Option<Unconfirmed>,
    /// Retries are used up; nothing is tried until there is something new.
    exhausted: bool,
    /// Until when events of classes 2 and 3 are gathered before they are reported.
    held_until: Option<VirtualTime>,
    deferred: Option<Vec<u8>>,
    /// Fragments to be sent.
    pub(crate) outgoing: Vec<Vec<u8>>,
}

impl Session {
    pub(crate) fn new(master: u16, station: &Station) -> Self {
        let buffers = station.map.settings.buffers;
        Self {
            master,
            channel: None,
            link: LinkStates::default(),
            reassembly: Reassembly::default(),
            transport_sequence: 0,
            events: EventBuffer::new([buffers.class_1, buffers.class_2, buffers.class_3]),
            last_request: Vec::new(),
            last_response: Vec::new(),
            awaiting: None,
            series: Series::default(),
            series_refused: Iin::default(),
            selected: None,
            broadcast: None,
            restarted: true,
            recorded_at: None,
            enabled: ClassSet::NONE,
            null_confirmed: false,
            unsolicited_sequence: 0,
            unconfirmed: None,
            exhausted: false,
            held_until: None,
            deferred: None,
            outgoing: Vec::new(),
        }
    }

    /// Another connection, or none: whatever was under way on the old one is over.
    pub(crate) fn move_to(&mut self, channel: Option<ChannelId>) {
        if self.channel == channel {
            return;
        }
        self.channel = channel;
        self.link = LinkStates::default();
        self.reassembly.clear();
        self.end_series();
        if self.unconfirmed.take().is_some() {
            self.events.give_back();
        }
        (self.deferred, self.selected, self.exhausted) = (None, None, false);
        self.last_request.clear();
        self.last_response.clear();
        self.outgoing.clear();
    }

    /// As after a restart of the device.
    pub(crate) fn restart(&mut self, restart: Restart, station: &Station) {
        let events = std::mem::replace(&mut self.events, EventBuffer::new([1; 3]));
        *self = Self::new(self.master, station);
        if restart == Restart::Warm {
            self.events = events;
            self.events.give_back();
        }
    }

    pub(crate) fn occur(&mut self, now: VirtualTime, class: EventClass, what: Occurrence, station: &Station) {
        self.events.push(class, what, station.is_synchronised());
        self.exhausted = false;
        if station.map.settings.unsolicited_hold_ms > 0 && self.held_until.is_none() {
            self.held_until = Some(now + Duration::from_millis(station.map.settings.unsolicited_hold_ms));
        }
    }

    /// When [`Session::tick`] has something to do.
    pub(crate) fn deadline(&self) -> Option<VirtualTime> {
        self.channel?;
        let solicited = self.awaiting.map(|awaiting| awaiting.deadline);
        let unsolicited = self.unconfirmed.as_ref().map(|waiting| waiting.deadline);
        solicited.into_iter().chain(unsolicited).chain(self.held_until).min()
    }

    /// Time limits that have passed, and unsolicited responses that are due.
    pub(crate) fn tick(&mut self, station: &mut Station, process: &mut dyn Process, now: VirtualTime) {
        if self.awaiting.is_some_and(|awaiting| now >= awaiting.deadline) {
            self.end_series();
        }
        if let Some(waiting) = self.unconfirmed.as_mut().filter(|waiting| now >= waiting.deadline) {
            let again = self.deferred.is_none() && waiting.retries != Some(0);
            if again {
                waiting.retries = waiting.retries.map(|left| left - 1);
                waiting.deadline = now + station.confirm_timeout();
                self.outgoing.push(waiting.fragment.clone());
            } else {
                // The null response is tried again from the start; events wait for something new to tell.
                self.exhausted = self.null_confirmed && self.deferred.is_none();
                self.unconfirmed = None;
                self.events.give_back();
                self.serve_deferred(station, process, now);
            }
        }
        self.speak_up(station, now);
    }

    fn end_series(&mut self) {
        if self.awaiting.take().is_some() {
            self.events.give_back();
        }
        self.series = Series::default();
    }

    fn serve_deferred(&mut self, station: &mut Station, process: &mut dyn Process, now: VirtualTime) {
        if let Some(fragment) = self.deferred.take() {
            self.carry_out(station, process, now, &fragment);
        }
    }

    /// A fragment that was sent to this device alone.
    pub(crate) fn take(
        &mut self,
        station: &mut Station,
        process: &mut dyn Process,
        now: VirtualTime,
        octets: &[u8],
    ) {
        let fragment = Fragment::new(octets);
        let (Some(header), Some(function)) = (fragment.control(), fragment.function()) else { return };
        if function == FunctionCode::CONFIRM {
            self.confirmed(station, process, now, header);
        } else if octets == self.last_request.as_slice() {
            self.repeated(station, process, now, function);
        } else if function == FunctionCode::READ && self.unconfirmed.is_some() {
            self.deferred = Some(octets.to_vec());
        } else {
            self.deferred = None;
            self.carry_out(station, process, now, octets);
        }
        self.speak_up(station, now);
    }

    fn repeated(
        &mut self,
        station: &mut Station,
        process: &mut dyn Process,
        now: VirtualTime,
        function: FunctionCode,
    ) {
        if function == FunctionCode::READ && self.awaiting.is_none() {
            if self.unconfirmed.is_some() {
                self.deferred = Some(self.last_request.clone());
            } else {
                let request = std::mem::take(&mut self.last_request);
                self.carry_out(station, process, now, &request);
            }
            return;
        }
        if let Some(awaiting) = &mut self.awaiting {
            awaiting.deadline = now + station.confirm_timeout();
        }
        if !self.last_response.is_empty() {
            self.outgoing.push(self.last_response.clone());
        }
    }

    fn confirmed(
        &mut self,
        station: &mut Station,
        process: &mut dyn Process,
        now: VirtualTime,
        header: AppControl,
    ) {
        if header.is_unsolicited() {
            if self.unconfirmed.is_none() || header.sequence() != self.unsolicited_sequence {
                return;
            }
            self.unconfirmed = None;
            self.unsolicited_sequence = (self.unsolicited_sequence + 1) & 0x0f;
            self.null_confirmed = true;
            self.events.confirm();
            self.broadcast = None;
            self.serve_deferred(station, process, now);
            return;
        }
        let Some(awaiting) = self.awaiting.filter(|awaiting| awaiting.sequence == header.sequence()) else {
            return;
        };
        self.awaiting = None;
        self.events.confirm();
        self.broadcast = None;
        if awaiting.more {
            self.answer_fragment(station, now, false, (awaiting.sequence + 1) & 0x0f);
        }
    }

    /// A new request.
    fn carry_out(
        &mut self,
        station: &mut Station,
        process: &mut dyn Process,
        now: VirtualTime,
        octets: &[u8],
    ) {
        self.end_series();
        let fragment = Fragment::new(octets);
        let header = fragment.control().unwrap_or_default();
        let request = match Request::parse(fragment) {
            Ok(request) => request,
            Err(error) => {
                let Some(iin) = error.indications() else { return };
                self.selected = None;
                self.last_request = octets.to_vec();
                self.last_response.clear();
                if !fragment.function().is_some_and(FunctionCode::is_without_response) {
                    self.answer(station, now, header.sequence(), ResponseWriter::new(0), iin);
                }
                return;
            }
        };
        self.last_request = octets.to_vec();
        self.last_response.clear();
        if let Request::Read(read) = &request {
            self.selected = None;
            let own = self.indications(station, now);
            let (series, refused) = Series::plan(read, station, &mut self.events, now, own);
            (self.series, self.series_refused) = (series, refused);
            self.answer_fragment(station, now, true, header.sequence());
            return;
        }
        let answered = request.is_answered();
        let (writer, iin) = self.perform(station, process, now, header.sequence(), request);
        if answered {
            self.answer(station, now, header.sequence(), writer, iin);
        }
    }

    /// A fragment that was sent to everybody: acted on where that makes sense without an answer, and never answered.
    pub(crate) fn overhear(
        &mut self,
        station: &mut Station,
        process: &mut dyn Process,
        now: VirtualTime,
        octets: &[u8],
        to: LinkAddress,
    ) {
        let Ok(request) = Request::parse(Fragment::new(octets)) else { return };
        let pointless = match &request {
            Request::Confirm | Request::Read(_) | Request::MeasureDelay => true,
            Request::Control(control) => {
                use wire::dnp3::request::ControlFunction::{Operate, Select};
                matches!(control.function, Select | Operate)
            }
            _ => false,
        };
        self.broadcast =
            Some(if to == LinkAddress::BROADCAST_MANDATORY { Broadcast::Confirmed } else { Broadcast::Told });
        if !pointless {
            let sequence = Fragment::new(octets).control().unwrap_or_default().sequence();
            self.perform(station, process, now, sequence, request);
        }
        self.speak_up(station, now);
    }

    /// Everything but reads and confirmations.
    fn perform(
        &mut self,
        station: &mut Station,
        process: &mut dyn Process,
        now: VirtualTime,
        sequence: u8,
        request: Request<'_>,
    ) -> (ResponseWriter, Iin) {
        let mut writer = ResponseWriter::new(RECEIVE_MAX);
        let mut iin = Iin::default();
        let whole = |complete: bool| if complete { Iin::default() } else { Iin::PARAMETER_ERROR };
        if !matches!(request, Request::Control(_)) {
            self.selected = None;
        }
        match request {
            Request::Confirm | Request::Read(_) => {}
            Request::Control(request) => {
                let by = By { now, master: self.master, sequence };
                let (objects, refused) = control(station, process, &mut self.selected, by, &request);
                iin = refused;
                writer.raw(&objects);
            }
            Request::Write(writes) => {
                for write in writes {
                    iin = iin.with(self.write(station, now, write));
                }
            }
            Request::Freeze(freeze) => {
                let time = station.unix_ms(now);
                for counters in &freeze.counters {
                    let (changes, complete) = station.database.freeze(counters, freeze.clear, time);
                    iin = iin.with(whole(complete));
                    let occurred = changes.iter().map(|change| (change.class, change.into()));
                    station.occurred.extend(occurred);
                }
                station.note(now, self.master, NoticeKind::Frozen(freeze.clear));
            }
            Request::ColdRestart => {
                iin = begin_restart(station, now, self.master, Restart::Cold, &mut writer);
            }
            Request::WarmRestart => {
                iin = begin_restart(station, now, self.master, Restart::Warm, &mut writer);
            }
            Request::EnableUnsolicited(_) | Request::DisableUnsolicited(_)
                if !station.map.settings.unsolicited =>
            {
                iin = Iin::NO_FUNCTION_CODE_SUPPORT;
            }
            Request::EnableUnsolicited(classes) => {
                self.enabled = self.enabled.union(classes);
                self.exhausted = false;
                station.note(now, self.master, NoticeKind::Unsolicited { enabled: true });
            }
            Request::DisableUnsolicited(classes) => {
                self.enabled = self.enabled.without(classes);
                // What is under way and not wanted any more is not repeated.
                if self.null_confirmed && self.unconfirmed.take().is_some() {
                    self.events.give_back();
                }
                station.note(now, self.master, NoticeKind::Unsolicited { enabled: false });
            }
            Request::AssignClass(assignments) => {
                for assignment in &assignments {
                    let (kind, selection) = (assignment.kind, &assignment.selection);
                    iin = iin.with(whole(station.database.assign(kind, selection, assignment.class)));
                }
                station.note(now, self.master, NoticeKind::ClassAssigned);
            }
            // Requests are answered as they arrive: the delay is less than a millisecond.
            Request::MeasureDelay => {
                writer.counted(52, 2, &[0, 0]);
            }
            Request::RecordTime => self.recorded_at = Some(now),
        }
        (writer, iin)
    }

    fn write(&mut self, station: &mut Station, now: VirtualTime, write: Write) -> Iin {
        match write {
            Write::ClearRestart => self.restarted = false,
            Write::Time(time) => {
                station.set_clock(now, time);
                station.note(now, self.master, NoticeKind::TimeSet(time));
            }
            Write::RecordedTime(time) => {
                // Without a record there is nothing that the time could belong to.
                let Some(at) = self.recorded_at.take() else { return Iin::PARAMETER_ERROR };
                let since = u64::try_from(now.since(at).as_millis()).unwrap_or(u64::MAX);
                let time = time.saturating_add(since);
                station.set_clock(now, time);
                station.note(now, self.master, NoticeKind::TimeSet(time));
            }
            Write::Deadbands(deadbands) => {
                let mut iin = Iin::default();
                for (index, width) in deadbands {
                    match station.database.row_mut(PointKind::AnalogInput, index) {
                        Some(row) => row.deadband = width,
                        None => iin = Iin::PARAMETER_ERROR,
                    }
                }
                station.note(now, self.master, NoticeKind::DeadbandWritten);
                return iin;
            }
        }
        Iin::default()
    }

    /// What the outstation says of itself to this master, now.
    fn indications(&self, station: &mut Station, now: VirtualTime) -> Iin {
        let mut iin = station.indications(now);
        for class in self.events.waiting().iter() {
            iin = iin.with(class.indication());
        }
        let set = |on: bool, bit: Iin| if on { bit } else { Iin::default() };
        iin.with(set(self.restarted, Iin::DEVICE_RESTART))
            .with(set(self.broadcast.is_some(), Iin::BROADCAST))
            .with(set(self.events.overflown(), Iin::EVENT_BUFFER_OVERFLOW))
    }

    /// The next fragment of an answer to a read.
    fn answer_fragment(&mut self, station: &mut Station, now: VirtualTime, first: bool, sequence: u8) {
        let mut writer = ResponseWriter::new(station.map.settings.fragment_octets);
        let (with_events, last) = self.series.write(station, &mut self.events, &mut writer);
        let iin = self.indications(station, now).with(self.series_refused);
        let confirm = with_events || !last || self.broadcast == Some(Broadcast::Confirmed);
        let bits = u8::from(first) << 7 | u8::from(last) << 6 | u8::from(confirm) << 5;
        let control = AppControl(bits | sequence);
        if confirm {
            let deadline = now + station.confirm_timeout();
            self.awaiting = Some(Awaiting { sequence, deadline, more: !last });
        }
        self.send_response(writer.finish(control, FunctionCode::RESPONSE, iin));
    }

    /// An answer in one fragment.
    fn answer(
        &mut self,
        station: &mut Station,
        now: VirtualTime,
        sequence: u8,
        writer: ResponseWriter,
        refused: Iin,
    ) {
        let iin = self.indications(station, now).with(refused);
        let mut control = AppControl::single(sequence);
        if self.broadcast == Some(Broadcast::Confirmed) {
            control = control.with_confirm();
            let deadline = now + station.confirm_timeout();
            self.awaiting = Some(Awaiting { sequence, deadline, more: false });
        }
        self.send_response(writer.finish(control, FunctionCode::RESPONSE, iin));
    }

    fn send_response(&mut self, fragment: Vec<u8>) {
        if self.broadcast == Some(Broadcast::Told) {
            self.broadcast = None;
        }
        self.last_response.clone_from(&fragment);
        self.outgoing.push(fragment);
    }

    /// Sends an unsolicited response where one is due.
    pub(crate) fn speak_up(&mut self, station: &mut Station, now: VirtualTime) {
        self.held_until = self.held_until.filter(|until| now < *until);
        let busy = self.unconfirmed.is_some() || self.awaiting.is_some() || self.exhausted;
        if !station.map.settings.unsolicited || self.channel.is_none() || busy || station.restart.is_some() {
            return;
        }
        let mut writer = ResponseWriter::new(station.map.settings.fragment_octets);
        if self.null_confirmed {
            let urgent = self.enabled.has(EventClass::Class1)
                && self.events.has(ClassSet::NONE.with(EventClass::Class1));
            if !self.events.has(self.enabled) || (self.held_until.is_some() && !urgent) {
                return;
            }
            self.events.select(Wanted::Classes(self.enabled), None, None);
            let (written, _) = self.events.write(&mut writer);
            if !written {
                return;
            }
        }
        let retries = self.null_confirmed.then_some(station.map.settings.unsolicited_retries);
        let iin = self.indications(station, now);
        if self.broadcast == Some(Broadcast::Told) {
            self.broadcast = None;
        }
        let control = AppControl::single(self.unsolicited_sequence).with_confirm().unsolicited();
        let fragment = writer.finish(control, FunctionCode::UNSOLICITED_RESPONSE, iin);
        let deadline = now + station.confirm_timeout();
        self.unconfirmed = Some(Unconfirmed { fragment: fragment.clone(), deadline, retries });
        self.outgoing.push(fragment);
    }
}

/// The answer says how long it will take (group 52 variation 2).
fn begin_restart(
    station: &mut Station,
    now: VirtualTime,
    master: u16,
    restart: Restart,
    writer: &mut ResponseWriter,
) -> Iin {
    if station.restart.is_some() {
        return Iin::ALREADY_EXECUTING;
    }
    let delay = match restart {
        Restart::Cold => station.map.settings.cold_restart_ms,
        Restart::Warm => station.map.settings.warm_restart_ms,
    };
    // Milliseconds as long as they fit, seconds otherwise.
    if let Ok(milliseconds) = u16::try_from(delay) {
        writer.counted(52, 2, &milliseconds.to_le_bytes());
    } else {
        let seconds = u16::try_from(delay.div_ceil(1000)).unwrap_or(u16::MAX);
        writer.counted(52, 1, &seconds.to_le_bytes());
    }
    station.restart = Some(restart);
    station.note(now, master, NoticeKind::Restarted(restart));
    Iin::default()
}
