//! Whatever masters send to an outstation, on several connections, while points change and time passes: it goes on, what
//! it sends is whole frames with responses that make sense, and it holds and sends no more than it should.
//!
//! The input is a choice of outstation and a row of events: a first octet says what happens and on which connection, the
//! following ones what is in it. Fragments are put into frames with right checksums here, as octets alone hardly get
//! past the link layer; those come too.
#![no_main]

use std::alloc::System;
use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use cap::Cap;
use libfuzzer_sys::fuzz_target;
use plcs::Outstation;
use plcs::outstation::{Action, ChannelId, Process, Restart};
use record::VirtualTime;
use site::dnp3::Outstation as Map;
use wire::dnp3::object::{CommandStatus, Flags};
use wire::dnp3::transport::segments;
use wire::dnp3::{Fragment, Framer, LinkAddress, LinkControl, LinkHeader, PointKind, Reassembly, Response};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// Longest fragment that the outstation may send.
const FRAGMENT: usize = 600;
/// Connections at a time. How many there may be is for whoever accepts them.
const CHANNELS: usize = 4;
/// Octets of output that may wait for a master that does not read, and the frame that passes the mark.
const OUTPUT: usize = 256 * 1024 + 292;
/// What it may hold: events of eight masters and what waits for four that do not read, with room for capacity.
const MEMORY: usize = 3 << 20;
const POINTS: [(&str, u16); 6] = [
    ("binary_input", 60),
    ("double_bit_input", 9),
    ("counter", 30),
    ("analog_input", 90),
    ("binary_output", 3),
    ("analog_output", 3),
];

fn map(choice: u8) -> &'static Map {
    static MAPS: [OnceLock<Map>; 4] = [const { OnceLock::new() }; 4];
    MAPS[usize::from(choice & 3)].get_or_init(|| {
        let mut points = String::new();
        for (kind, count) in POINTS {
            for index in 0..count {
                let class = index % 4;
                let _ = writeln!(points, "{{ kind = \"{kind}\", index = {index}, tag = \"T\", class = {class} }},");
            }
        }
        let text = format!(
            "outstation = 10\npoint = [\n{points}]\n[dnp3]\nmasters = {masters}\nany_master = {any}\nself_address = true\n\
             unsolicited = {any}\nunsolicited_hold_ms = {hold}\nfragment_octets = {FRAGMENT}\ntime_sync_s = 600\n\
             buffers = {{ class_1 = 5, class_2 = 40, class_3 = 300 }}\n\
             text = [{{ index = 0, text = \"PUMPS\", class = 1 }}]\n",
            masters = if choice & 2 == 0 { "[1]" } else { "[1, 2]" },
            any = choice & 1 == 0,
            hold = if choice & 2 == 0 { 0 } else { 700 },
        );
        Map::parse("fuzz.toml", &text).unwrap_or_else(|error| panic!("{error}"))
    })
}

struct Plant(CommandStatus);

impl Process for Plant {
    fn judge(&mut self, _: &Action) -> CommandStatus {
        self.0
    }

    fn operate(&mut self, _: &Action) -> CommandStatus {
        self.0
    }

    fn restart(&mut self, _: Restart) {}
}

/// The master's end of a connection.
struct End {
    channel: ChannelId,
    framer: Framer,
    /// One for each master: their frames are mixed.
    reassemblies: Vec<(LinkAddress, Reassembly)>,
    reads: bool,
}

struct Bench {
    outstation: Outstation,
    process: Plant,
    now: VirtualTime,
    ends: Vec<End>,
}

impl Bench {
    fn connect(&mut self) {
        if self.ends.len() == CHANNELS {
            let oldest = self.ends.remove(0);
            self.outstation.disconnect(oldest.channel);
        }
        let Some(channel) = self.outstation.connect(self.now) else { return };
        self.ends.push(End { channel, framer: Framer::default(), reassemblies: Vec::new(), reads: true });
    }

    fn receive(&mut self, end: u8, octets: &[u8]) {
        if self.ends.is_empty() {
            self.connect();
        }
        let Some(count) = self.ends.len().checked_sub(1) else { return };
        let channel = self.ends[usize::from(end) % (count + 1)].channel;
        self.outstation.receive(channel, self.now, octets, &mut self.process);
    }

    fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        let mut ticks = 0;
        while let Some(due) = self.outstation.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.outstation.tick(self.now, &mut self.process);
            self.collect();
            ticks += 1;
            assert!(ticks < 10_000, "it comes due for ever");
        }
        self.now = end;
        self.outstation.tick(self.now, &mut self.process);
    }

    /// Reads what there is to read.
    fn collect(&mut self) {
        let Self { outstation, ends, .. } = self;
        ends.retain_mut(|end| {
            if end.reads {
                read(end, &outstation.take_output(end.channel));
            }
            let stays = !outstation.is_closing(end.channel);
            if !stays {
                read(end, &outstation.take_output(end.channel));
                outstation.disconnect(end.channel);
            }
            stays
        });
    }
}

fn read(end: &mut End, octets: &[u8]) {
    assert!(octets.len() <= OUTPUT, "{} octets wait", octets.len());
    let End { framer, reassemblies, .. } = end;
    framer.push(octets, |header, data| {
        assert!(header.source == LinkAddress(10) && !header.control.from_master());
        if data.is_empty() {
            return;
        }
        let place = reassemblies.iter().position(|(master, _)| *master == header.destination);
        let place = place.unwrap_or_else(|| {
            reassemblies.push((header.destination, Reassembly::default()));
            reassemblies.len() - 1
        });
        if let Some(fragment) = reassemblies[place].1.push(data, 2048).fragment {
            assert!(fragment.len() <= FRAGMENT, "a fragment of {} octets", fragment.len());
            assert!(Response::parse(Fragment::new(fragment)).is_ok(), "{fragment:02x?}");
        }
    });
    let counts = framer.counts();
    assert!(!framer.is_waiting() && counts.noise_octets == 0, "{counts:?}");
}

/// Cuts an input.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn octet(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn octets(&mut self) -> &'a [u8] {
        let count = usize::from(self.octet()).min(self.0.len());
        let (octets, rest) = self.0.split_at(count);
        self.0 = rest;
        octets
    }
}

fuzz_target!(|octets: &[u8]| {
    let mut input = Input(octets);
    let choice = input.octet();
    let map = map(choice);
    let before = ALLOCATOR.allocated();
    let mut bench = Bench {
        outstation: Outstation::new(map, VirtualTime::ZERO, 1_772_431_200_000),
        process: Plant(CommandStatus(choice >> 4)),
        now: VirtualTime::ZERO,
        ends: Vec::new(),
    };
    bench.connect();
    let mut sequence = 0;
    while !input.0.is_empty() {
        let what = input.octet();
        let end = what >> 4;
        match what & 15 {
            0 => bench.receive(end, input.octets()),
            // A request with the next sequence number, from the first master.
            1..=4 => {
                sequence = (sequence + 1) & 15;
                let fragment = [&[0xc0 | sequence], input.octets()].concat();
                bench.receive(end, &frames(&fragment, 0xc4, 10, 1, 0));
            }
            // A fragment as it stands: confirmations, repeats, several fragments.
            5 | 6 => bench.receive(end, &frames(input.octets(), 0xc4, 10, 1, 0)),
            // Any control octet, master, receiver and place in the transport's sequence.
            7 | 8 => {
                let [control, to, from, place] = [(); 4].map(|()| input.octet());
                let to = if to < 128 { 10 } else { 0xff00 | u16::from(to) };
                bench.receive(end, &frames(input.octets(), control, to, u16::from(from % 12), place));
            }
            9 | 10 => {
                let (index, value) = (u16::from(input.octet()), f64::from(input.octet()) - 100.0);
                for kind in PointKind::ALL {
                    let flags = Flags(if end == 0 { Flags::ONLINE.0 } else { input.octet() });
                    bench.outstation.update(bench.now, kind, index, value, flags);
                }
                bench.outstation.update_text(bench.now, 0, input.octets());
                bench.outstation.publish(bench.now);
            }
            11 => bench.wait(Duration::from_millis(u64::from(input.octet()))),
            12 => bench.wait(Duration::from_millis(400 * u64::from(input.octet()))),
            13 => bench.connect(),
            14 => {
                if let Some(place) = bench.ends.len().checked_sub(1) {
                    let gone = bench.ends.remove(usize::from(end).min(place));
                    bench.outstation.disconnect(gone.channel);
                }
            }
            _ => match end {
                0 => bench.outstation.restart(bench.now, Restart::Cold, &mut bench.process),
                1 => bench.outstation.restart(bench.now, Restart::Warm, &mut bench.process),
                2 | 3 => bench.outstation.set_local(end == 2),
                4 | 5 => bench.outstation.set_trouble(end == 4),
                6 | 7 => bench.outstation.set_config_corrupt(end == 6),
                // A master that does not read any more, or again.
                _ => {
                    if let Some(it) = bench.ends.first_mut() {
                        it.reads = !it.reads;
                    }
                }
            },
        }
        bench.collect();
        let held = ALLOCATOR.allocated().saturating_sub(before);
        assert!(held <= MEMORY, "{held} octets are held");
    }
    assert!(bench.outstation.drain_notices().len() <= 1024);
    // Nothing is left that would come due for ever.
    bench.wait(Duration::from_mins(2));
});

fn frames(fragment: &[u8], control: u8, to: u16, from: u16, place: u8) -> Vec<u8> {
    let mut out = Vec::new();
    let header =
        LinkHeader { control: LinkControl(control), destination: LinkAddress(to), source: LinkAddress(from) };
    for segment in segments(fragment, place) {
        header.emit(&segment, &mut out);
    }
    out
}
