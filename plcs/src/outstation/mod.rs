//! A DNP3 outstation: octets in, octets out, time passed in.
//!
//! # Theory of operation
//! [`Outstation`] is a state machine without sockets, threads or a clock of its own. Whoever owns the connections opens a
//! [`ChannelId`] for each, hands in what arrives ([`Outstation::receive`]), calls [`Outstation::tick`] when
//! [`Outstation::deadline`] has come, and sends what [`Outstation::take_output`] gives. Values come in through
//! [`Outstation::update`]; commands go out through a [`Process`]. A frame passes these files:
//!
//! ```text
//! octets -> wire Framer -> link (who is meant) -> wire Reassembly -> session (request, response, confirmation)
//!                                                                      reading, control, events, database
//! ```
//! Each master has a session with events, sequence numbers and a select of its own; points, clock and switches are
//! shared (`station.rs`). A session answers on the connection that the request came by, and sends unsolicited responses
//! by the connection where its master was last heard. When there is one master only, it is told at once when it connects.
//!
//! # Terms
//! *Master*: a link address, nothing more; there is nothing in DNP3 that proves it. *Static*: a present value. *Event*: a
//! change that was kept. *Class*: 1 to 3 for events, 0 for all present values. *Series*: fragments of one answer.
//!
//! # What can go wrong
//! Malformed octets are passed over or answered as [`wire::dnp3`] says; nothing that arrives can fail. Memory is bounded:
//! events by class and master, one fragment under way per master, 256 KiB towards a master that does not read (then its
//! connection is closed).
//!
//! Not supported, and answered IIN2.0: files, secure authentication, applications, freeze at a time. Data link
//! confirmations are given where a master asks for them and never asked for, as is usual over TCP.

mod binding;
mod channel;
mod control;
mod database;
mod events;
mod link;
mod reading;
mod session;
mod station;
mod task;

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Duration;

use record::VirtualTime;
use site::dnp3::Outstation as Map;
use wire::dnp3::object::Flags;
use wire::dnp3::transport::segments;
use wire::dnp3::{LinkAddress, LinkControl, LinkFunction, LinkHeader, PointKind};

pub use binding::Bound;
pub use channel::ChannelId;
pub use station::{Action, BinaryAction, Notice, NoticeKind, Process, Restart};
pub use task::{OutstationHandle, SharedOutstation, Standalone, run_outstation, serve_outstation};

use channel::Channel;
use events::Occurrence;
use link::{Addressed, addressed};
use session::{RECEIVE_MAX, Session};
use station::Station;

/// Masters that are remembered at most.
const SESSIONS_MAX: usize = 8;
/// Attributes of set 0 that a device tells (annex A, group 0).
const ATTRIBUTE_TEXT: u8 = 1;
const ATTRIBUTE_UNSIGNED: u8 = 2;

/// An outstation.
#[derive(Debug)]
pub struct Outstation {
    station: Station,
    sessions: Vec<Session>,
    channels: BTreeMap<ChannelId, Channel>,
    next_channel: u64,
    /// Restarting until then, as this.
    down: Option<(VirtualTime, Restart)>,
}

impl Outstation {
    /// An outstation that has just been switched on. `unix_ms` is what its clock says: milliseconds since 1970.
    pub fn new(map: &Map, now: VirtualTime, unix_ms: u64) -> Self {
        let mut station = Station::new(map, now, unix_ms);
        let fragment = (map.settings.fragment_octets as u16).to_le_bytes();
        let received = (RECEIVE_MAX as u16).to_le_bytes();
        for (variation, octets) in [(240, fragment), (241, received)] {
            station.attributes.push((variation, [&[ATTRIBUTE_UNSIGNED, 2], octets.as_slice()].concat()));
        }
        let sessions = map.settings.masters.iter().map(|master| Session::new(*master, &station)).collect();
        Self { station, sessions, channels: BTreeMap::new(), next_channel: 0, down: None }
    }

    /// Sets a text attribute of the device, at most 255 octets: 242 software version, 243 hardware version, 247 name, 248
    /// serial number, 250 product, 252 manufacturer (annex A, group 0).
    pub fn set_attribute(&mut self, variation: u8, text: &str) {
        let text = &text.as_bytes()[..text.len().min(255)];
        self.station.attributes.retain(|(known, _)| *known != variation);
        let value = [&[ATTRIBUTE_TEXT, text.len() as u8], text].concat();
        self.station.attributes.push((variation, value));
        self.station.attributes.sort_by_key(|(variation, _)| *variation);
    }

    /// The point map.
    pub fn map(&self) -> &Map {
        &self.station.map
    }

    /// Takes a connection; `None` while the device restarts.
    pub fn connect(&mut self, now: VirtualTime) -> Option<ChannelId> {
        self.finish_restart(now);
        if self.down.is_some() {
            return None;
        }
        let id = ChannelId(self.next_channel);
        self.next_channel += 1;
        self.channels.insert(id, Channel::new(now));
        if let [only] = self.sessions.as_mut_slice()
            && only.channel.is_none()
        {
            only.move_to(Some(id));
            only.speak_up(&mut self.station, now);
        }
        self.send(now);
        Some(id)
    }

    /// A connection is gone.
    pub fn disconnect(&mut self, id: ChannelId) {
        self.channels.remove(&id);
        for session in &mut self.sessions {
            if session.channel == Some(id) {
                session.move_to(None);
            }
        }
    }

    /// Takes octets that arrived.
    pub fn receive(&mut self, id: ChannelId, now: VirtualTime, octets: &[u8], process: &mut dyn Process) {
        self.finish_restart(now);
        let Some(mut framer) = self.channels.get_mut(&id).map(|channel| std::mem::take(&mut channel.framer))
        else {
            return;
        };
        framer.push(octets, |header, data| self.frame(id, now, header, data, &mut *process));
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.framer = framer;
            channel.received(now);
        }
        self.send(now);
        self.begin_restart(now, process);
    }

    /// Does what is due: confirmations that did not come, unsolicited responses, keep-alive, the end of a restart.
    pub fn tick(&mut self, now: VirtualTime, process: &mut dyn Process) {
        self.finish_restart(now);
        for session in &mut self.sessions {
            session.tick(&mut self.station, process, now);
        }
        self.send(now);
        let (keep_alive, own) = (self.keep_alive(), self.station.map.address);
        let ids: Vec<ChannelId> = self.channels.keys().copied().collect();
        for id in ids {
            let Some(channel) = self.channels.get_mut(&id) else { continue };
            if !channel.tick(now, keep_alive, own) {
                continue;
            }
            let mut framer = std::mem::take(&mut channel.framer);
            framer.give_up(|header, data| self.frame(id, now, header, data, &mut *process));
            if let Some(channel) = self.channels.get_mut(&id) {
                channel.framer = framer;
            }
            self.send(now);
        }
        self.begin_restart(now, process);
    }

    /// When [`Outstation::tick`] has something to do.
    pub fn deadline(&self) -> Option<VirtualTime> {
        let keep_alive = self.keep_alive();
        let channels = self.channels.values().filter_map(|channel| channel.deadline(keep_alive));
        self.sessions.iter().filter_map(Session::deadline).chain(channels).min()
    }

    /// Octets to be sent on a connection.
    pub fn take_output(&mut self, id: ChannelId) -> Vec<u8> {
        self.channels.get_mut(&id).map(|channel| std::mem::take(&mut channel.outbox)).unwrap_or_default()
    }

    /// Whether octets wait to be sent on a connection.
    pub fn has_output(&self, id: ChannelId) -> bool {
        self.channels.get(&id).is_some_and(|channel| !channel.outbox.is_empty())
    }

    /// Whether the device wants the connection closed once the output is out, or does not have it any more.
    pub fn is_closing(&self, id: ChannelId) -> bool {
        self.channels.get(&id).is_none_or(|channel| channel.closing)
    }

    /// Wakes the task of a connection when there is something to send, or to close.
    pub fn wake_on_output(&mut self, id: ChannelId, waker: &Waker) {
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.waker = Some(waker.clone());
        }
    }

    /// Takes the value of a point: a state as 0 or 1, two contacts as 0 to 3, a count, a measurement. A change becomes an
    /// event for every master. Points that the map does not have are passed over.
    pub fn update(&mut self, now: VirtualTime, kind: PointKind, index: u16, value: f64, flags: Flags) {
        let time = self.station.unix_ms(now);
        let Some(change) = self.station.database.update(kind, index, value, flags, time) else { return };
        for session in &mut self.sessions {
            session.occur(now, change.class, (&change).into(), &self.station);
        }
    }

    /// Takes the text of a text point, at most 255 octets; an empty one is passed over, as group 110 has none.
    pub fn update_text(&mut self, now: VirtualTime, index: u16, text: &[u8]) {
        let octets = text[..text.len().min(255)].to_vec();
        let known = self.station.database.texts.iter_mut().find(|known| known.index == index);
        let Some(known) = known.filter(|known| !octets.is_empty() && known.octets != octets) else { return };
        known.octets.clone_from(&octets);
        let Some(class) = known.class else { return };
        for session in &mut self.sessions {
            let what = Occurrence::Text { index, octets: octets.clone() };
            session.occur(now, class, what, &self.station);
        }
    }

    /// Sends unsolicited what the latest updates are worth. To be called after a round of [`Outstation::update`].
    pub fn publish(&mut self, now: VirtualTime) {
        self.send(now);
    }

    /// Sets what the clock says without making it trusted: a battery-backed clock at power up.
    pub fn start_clock(&mut self, now: VirtualTime, unix_ms: u64) {
        self.station.start_clock(now, unix_ms);
    }

    /// Switches the outputs to local: commands are refused, IIN1.5 is set.
    pub fn set_local(&mut self, local: bool) {
        self.station.local = local;
    }

    /// Sets or clears IIN1.6.
    pub fn set_trouble(&mut self, trouble: bool) {
        self.station.trouble = trouble;
    }

    /// Sets or clears IIN2.5.
    pub fn set_config_corrupt(&mut self, corrupt: bool) {
        self.station.config_corrupt = corrupt;
    }

    /// Milliseconds since 1970 by the device's clock.
    pub fn unix_ms(&self, now: VirtualTime) -> u64 {
        self.station.unix_ms(now)
    }

    /// Whether the device restarts at this moment.
    pub fn is_down(&self, now: VirtualTime) -> bool {
        self.down.is_some_and(|(until, _)| now < until)
    }

    /// What masters made it do since the last drain, oldest first; at most the latest 1024.
    pub fn drain_notices(&mut self) -> Vec<Notice> {
        self.station.notices.drain(..).collect()
    }

    /// Restarts, as from the cabinet.
    pub fn restart(&mut self, now: VirtualTime, restart: Restart, process: &mut dyn Process) {
        self.station.restart = Some(restart);
        self.begin_restart(now, process);
    }

    fn keep_alive(&self) -> Duration {
        Duration::from_secs(self.station.map.settings.keep_alive_s)
    }

    /// One frame.
    fn frame(
        &mut self,
        id: ChannelId,
        now: VirtualTime,
        header: LinkHeader,
        data: &[u8],
        process: &mut dyn Process,
    ) {
        let map = &self.station.map;
        let meant = addressed(header.destination, map.address, map.settings.self_address);
        let from_master = header.control.from_master() && header.source.0 < 0xfff0;
        if !from_master || meant == Addressed::Others || self.station.restart.is_some() {
            return;
        }
        let Some(place) = self.session_of(header.source.0) else { return };
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.hear(now);
            channel.master = Some(header.source.0);
        }
        let (Some(session), station) = (self.sessions.get_mut(place), &mut self.station) else { return };
        session.move_to(Some(id));
        let verdict = session.link.judge(header);
        if let Some(function) = verdict.answer {
            let control = LinkControl::new(false, function, false, false);
            let answer =
                LinkHeader { control, destination: header.source, source: LinkAddress(station.map.address) };
            if let Some(channel) = self.channels.get_mut(&id) {
                channel.send(answer, &[]);
            }
        }
        if verdict.take {
            let mut reassembly = std::mem::take(&mut session.reassembly);
            if let Some(fragment) = reassembly.push(data, RECEIVE_MAX).fragment {
                match meant {
                    Addressed::All => session.overhear(station, process, now, fragment, header.destination),
                    _ => session.take(station, process, now, fragment),
                }
            }
            session.reassembly = reassembly;
        }
        self.send(now);
    }

    /// The session of a master; a new one where strangers are answered.
    fn session_of(&mut self, master: u16) -> Option<usize> {
        let known = self.sessions.iter().position(|session| session.master == master);
        if known.is_some() || !self.station.map.settings.any_master || self.sessions.len() >= SESSIONS_MAX {
            return known;
        }
        self.sessions.push(Session::new(master, &self.station));
        Some(self.sessions.len() - 1)
    }

    /// What happened to the events of all masters; fragments of all sessions into frames.
    fn send(&mut self, now: VirtualTime) {
        let own = LinkAddress(self.station.map.address);
        let control = LinkControl::new(false, LinkFunction::UnconfirmedUserData, false, false);
        for (class, occurrence) in std::mem::take(&mut self.station.occurred) {
            for session in &mut self.sessions {
                session.occur(now, class, occurrence.clone(), &self.station);
            }
        }
        for session in &mut self.sessions {
            session.speak_up(&mut self.station, now);
        }
        for session in &mut self.sessions {
            let fragments = std::mem::take(&mut session.outgoing);
            let Some(channel) = session.channel.and_then(|id| self.channels.get_mut(&id)) else { continue };
            let header = LinkHeader { control, destination: LinkAddress(session.master), source: own };
            for fragment in fragments {
                for segment in segments(&fragment, session.transport_sequence) {
                    channel.send(header, &segment);
                    session.transport_sequence = (session.transport_sequence + 1) & 0x3f;
                }
            }
        }
    }

    /// The answer is out: what was asked for happens now.
    fn begin_restart(&mut self, now: VirtualTime, process: &mut dyn Process) {
        let Some(restart) = self.station.restart.take_if(|_| self.down.is_none()) else { return };
        let delay = match restart {
            Restart::Cold => self.station.map.settings.cold_restart_ms,
            Restart::Warm => self.station.map.settings.warm_restart_ms,
        };
        self.down = Some((now + Duration::from_millis(delay.into()), restart));
        for session in &mut self.sessions {
            session.move_to(None);
            session.restart(restart, &self.station);
        }
        if restart == Restart::Cold {
            self.station.database.restart();
            for session in &mut self.sessions {
                session.events.clear();
            }
        }
        self.station.doubt_clock();
        for channel in self.channels.values_mut() {
            channel.close();
        }
        process.restart(restart);
    }

    fn finish_restart(&mut self, now: VirtualTime) {
        self.down = self.down.filter(|(until, _)| now < *until);
    }
}
