//! What happens to a frame before its connection is looked for: its time, its fragments, its checksum.

use crate::capture::LinkType;
use crate::checksum::Checksum;
use crate::clock::{TIME_MAX, Tick};
use crate::frame::{Content, Frame, IpPacket, Transport};
use crate::packet::put_together;
use crate::sensor::{SECOND, Sensor};
use crate::sink::LogSink;

/// What a reader of `weird.log` can do about it.
const UNFINISHED: &str = "captured on the sender, before its card finished them: read all the same; capture at a mirror \
                          port, or switch it off with `ethtool -K IFACE tx off`";

/// What the input was like, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Input {
    /// Frames that the capturing tool or the kernel lost before the sensor could see them, as far as they say so.
    pub dropped: u64,
    /// Frames whose checksum the sender's network card had yet to finish.
    pub unfinished_checksums: u64,
    /// Frames whose time was more than ten seconds behind that of an earlier one.
    pub late_frames: u64,
    /// Times that the frames' clock went back for good.
    pub clock_steps: u64,
    /// IP datagrams of which not all fragments came.
    pub incomplete_datagrams: u64,
    /// Streams that lost segments waiting for earlier ones, because all of them together took too much memory.
    pub relieved_streams: u64,
    /// More hosts came than the inventory keeps.
    pub inventory_full: bool,
    /// Readings of registers or points that found no room in the baseline.
    pub unlearnt_readings: u64,
    /// More pairs of hosts came than the baseline keeps.
    pub baseline_full: bool,
}

impl<S: LogSink> Sensor<S> {
    /// Takes one frame of any link type, of which `octets` were captured and which had `wire_len` on the wire.
    pub fn on_frame_of(&mut self, link: LinkType, unix_nanos: u64, octets: &[u8], wire_len: usize) {
        self.summary.frames += 1;
        let at = unix_nanos.min(TIME_MAX);
        self.log.frame_at(at);
        self.move_clock(at);
        let frame = Frame::parse(link, octets, wire_len);
        if let Some(oddity) = frame.oddity {
            self.summary.odd_frames += 1;
            self.weird(at, None, oddity.name(), "");
        }
        match &frame.content {
            Content::Ip(packet) => match &packet.transport {
                Transport::Fragment(_) => self.on_fragment(at, &frame, packet),
                _ => self.on_packet(at, &frame, packet),
            },
            Content::Arp(arp) => self.on_arp(at, arp),
            Content::Other => {}
        }
    }

    /// Time has passed without a frame, as a live capture knows.
    pub fn on_quiet(&mut self, unix_nanos: u64) {
        let at = unix_nanos.min(TIME_MAX);
        // Before the first frame there is nothing to be late for; and silence never sets a clock back.
        if self.summary.frames > 0 && at > self.clock.now() {
            self.move_clock(at);
        }
    }

    /// Frames that were lost on the way to the sensor, since the last call.
    pub fn on_drops(&mut self, unix_nanos: u64, count: u64) {
        if count > 0 {
            self.summary.input.dropped += count;
            self.weird(unix_nanos.min(TIME_MAX), None, "frames_dropped", &count.to_string());
        }
    }

    /// Something about the input itself that belongs into `weird.log`.
    pub fn on_oddity(&mut self, unix_nanos: u64, name: &'static str, addl: &str) {
        self.weird(unix_nanos.min(TIME_MAX), None, name, addl);
    }

    /// Writes what is buffered; the first error that a log gave comes out here.
    pub fn flush(&mut self) -> std::io::Result<()> {
        self.log.flush()
    }

    fn move_clock(&mut self, at: u64) {
        match self.clock.take(at) {
            Tick::On => {}
            Tick::Behind => {
                self.summary.input.late_frames += 1;
                if self.summary.input.late_frames == 1 {
                    let by = format!("{} s behind", (self.now - at) / SECOND);
                    self.weird(at, None, "frames_out_of_order", &by);
                }
            }
            Tick::Back(by) => {
                self.summary.input.late_frames += 1;
                self.summary.input.clock_steps += 1;
                self.end_connections();
                self.weird(at, None, "time_went_back", &format!("{} s", by / SECOND));
            }
        }
        self.now = self.clock.now();
        self.facts.tick(self.now);
        self.look_at_clock();
    }

    /// Nothing that was open goes on.
    pub(crate) fn end_connections(&mut self) {
        for conn in self.flows.drain() {
            self.on_conn_over(conn);
        }
        let mut names = Vec::new();
        self.fragments.expire(u64::MAX, &mut |name| names.push(name));
        for name in names {
            self.weird(self.now, None, name, "");
        }
        self.next_second = 0;
    }

    fn on_fragment(&mut self, at: u64, frame: &Frame<'_>, packet: &IpPacket<'_>) {
        let Transport::Fragment(fragment) = &packet.transport else { return };
        let mut names = Vec::new();
        let whole = self.fragments.take(at, packet, fragment, &mut |name| names.push(name));
        for name in names {
            let ends = format!("{} to {}", packet.source, packet.destination);
            self.weird(at, None, name, &ends);
        }
        let Some(whole) = whole else { return };
        let addresses = (packet.source, packet.destination);
        let (whole, oddity) =
            put_together(&whole.octets, whole.len, packet.protocol, whole.header_len, addresses);
        if let Some(oddity) = oddity {
            self.summary.odd_frames += 1;
            self.weird(at, None, oddity.name(), "");
        }
        if let Some(whole) = whole {
            self.on_packet(at, frame, &whole);
        }
    }

    /// Says what a packet's checksum means; `slot` is its connection.
    pub(crate) fn note_checksum(&mut self, at: u64, slot: usize, packet: &IpPacket<'_>) {
        match packet.checksum {
            Checksum::Right => {}
            Checksum::Unfinished => {
                self.summary.input.unfinished_checksums += 1;
                if self.summary.input.unfinished_checksums == 1 {
                    let id = self.flows.get(slot).map(|conn| conn.id);
                    self.weird(at, id, "unfinished_checksums", UNFINISHED);
                }
            }
            Checksum::Wrong => {
                self.summary.bad_checksums += 1;
                let name = match packet.transport {
                    Transport::Tcp(_) => "bad_TCP_checksum",
                    Transport::Udp(_) => "bad_UDP_checksum",
                    _ => "bad_ICMP_checksum",
                };
                let id = self.flows.get(slot).map(|conn| conn.id);
                self.weird(at, id, name, "");
            }
        }
    }
}
