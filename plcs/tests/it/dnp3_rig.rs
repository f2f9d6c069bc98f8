//! An outstation on a bench: octets in, fragments and link frames out, time by hand.

use std::collections::VecDeque;
use std::time::Duration;

use plcs::Outstation;
use plcs::outstation::{Action, ChannelId, Process, Restart};
use record::VirtualTime;
use site::PointKind as PointType;
use site::dnp3::Outstation as Map;
use wire::dnp3::object::{CommandStatus, Flags};
use wire::dnp3::transport::segments;
use wire::dnp3::{Framer, LinkAddress, LinkControl, LinkHeader, PointKind, Reassembly};

/// What the clock of the device says at the start: 2026-03-02T06:00:00Z.
pub(crate) const START_MS: u64 = 1_772_431_200_000;

/// Notes what it is told, and accepts everything.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) operated: Vec<Action>,
    pub(crate) restarts: Vec<Restart>,
    pub(crate) status: CommandStatus,
}

impl Process for Recorder {
    fn judge(&mut self, _: &Action) -> CommandStatus {
        self.status
    }

    fn operate(&mut self, action: &Action) -> CommandStatus {
        if self.status == CommandStatus::SUCCESS {
            self.operated.push(*action);
        }
        self.status
    }

    fn restart(&mut self, restart: Restart) {
        self.restarts.push(restart);
    }
}

pub(crate) struct Rig {
    pub(crate) outstation: Outstation,
    pub(crate) process: Recorder,
    pub(crate) now: VirtualTime,
    pub(crate) own: u16,
    pub(crate) master: u16,
    channel: Option<ChannelId>,
    framer: Framer,
    reassembly: Reassembly,
    /// Control octets of link frames without data.
    pub(crate) links: VecDeque<u8>,
    /// Application fragments.
    pub(crate) fragments: VecDeque<Vec<u8>>,
    /// Headers of all frames.
    pub(crate) headers: Vec<LinkHeader>,
    pub(crate) closed: bool,
}

impl Rig {
    /// Connected, all points known.
    pub(crate) fn new(map: &Map) -> Self {
        let outstation = Outstation::new(map, VirtualTime::ZERO, START_MS);
        let mut rig = Self {
            outstation,
            process: Recorder::default(),
            now: VirtualTime::ZERO,
            own: map.address,
            master: map.settings.masters[0],
            channel: None,
            framer: Framer::default(),
            reassembly: Reassembly::default(),
            links: VecDeque::new(),
            fragments: VecDeque::new(),
            headers: Vec::new(),
            closed: false,
        };
        rig.measure_all();
        rig.connect();
        rig
    }

    /// The first value of every point: 0, and 1 of counters.
    pub(crate) fn measure_all(&mut self) {
        let map = self.outstation.map().clone();
        for entry in &map.points {
            let (kind, value) = match entry.kind {
                PointType::BinaryInput => (PointKind::BinaryInput, 0.0),
                PointType::DoubleBitInput => (PointKind::DoubleBitInput, 0.0),
                PointType::BinaryOutput => (PointKind::BinaryOutput, 0.0),
                PointType::Counter => (PointKind::Counter, 1.0),
                PointType::AnalogInput => (PointKind::AnalogInput, 0.0),
                PointType::AnalogOutput => (PointKind::AnalogOutput, 0.0),
            };
            let index = *entry.index.get_ref();
            self.outstation.update(self.now, kind, index, value, Flags::ONLINE);
            if kind == PointKind::Counter {
                self.outstation.update(self.now, PointKind::FrozenCounter, index, value, Flags::ONLINE);
            }
        }
    }

    pub(crate) fn connect(&mut self) {
        if let Some(old) = self.channel.take() {
            self.outstation.disconnect(old);
        }
        self.channel = self.outstation.connect(self.now);
        self.closed = self.channel.is_none();
        (self.framer, self.reassembly) = (Framer::default(), Reassembly::default());
        self.collect();
    }

    pub(crate) fn receive(&mut self, octets: &[u8]) {
        if let Some(channel) = self.channel {
            self.outstation.receive(channel, self.now, octets, &mut self.process);
        }
        self.collect();
    }

    pub(crate) fn update(&mut self, kind: PointKind, index: u16, value: f64) {
        self.outstation.update(self.now, kind, index, value, Flags::ONLINE);
        self.outstation.publish(self.now);
        self.collect();
    }

    /// Moves the clock, with everything that is due on the way.
    pub(crate) fn advance_to(&mut self, end: VirtualTime) {
        while let Some(due) = self.outstation.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.outstation.tick(self.now, &mut self.process);
            self.collect();
        }
        self.now = self.now.max(end);
        self.outstation.tick(self.now, &mut self.process);
        self.collect();
    }

    pub(crate) fn advance(&mut self, span: Duration) {
        self.advance_to(self.now + span);
    }

    fn collect(&mut self) {
        let Some(channel) = self.channel else { return };
        let output = self.outstation.take_output(channel);
        let Self { framer, reassembly, links, fragments, headers, .. } = self;
        framer.push(&output, |header, data| {
            headers.push(header);
            if data.is_empty() {
                links.push_back(header.control.0);
            } else if let Some(fragment) = reassembly.push(data, 2048).fragment {
                fragments.push_back(fragment.to_vec());
            }
        });
        if self.outstation.is_closing(channel) {
            self.outstation.disconnect(channel);
            self.channel = None;
            self.closed = true;
        }
    }

    /// A fragment as frames of unconfirmed data from the master to some address.
    pub(crate) fn frames(&self, fragment: &[u8], control: u8, destination: u16) -> Vec<u8> {
        let mut out = Vec::new();
        let header = LinkHeader {
            control: LinkControl(control),
            destination: LinkAddress(destination),
            source: LinkAddress(self.master),
        };
        for segment in segments(fragment, 0) {
            header.emit(&segment, &mut out);
        }
        out
    }

    /// Sends a fragment to the outstation and gives everything that came back.
    pub(crate) fn ask(&mut self, fragment: &[u8]) -> Vec<Vec<u8>> {
        let frames = self.frames(fragment, 0xc4, self.own);
        self.receive(&frames);
        self.fragments.drain(..).collect()
    }
}
