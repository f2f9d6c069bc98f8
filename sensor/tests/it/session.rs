//! Builds frames of TCP conversations, so that tests can tell stories.

use sensor::{Log, LogFormat, MemorySink, RuleSet, Sensor, SensorConfig, Summary};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const SECOND: u64 = 1_000_000_000;

pub(crate) const HMI: [u8; 4] = [192, 168, 1, 20];
pub(crate) const EWS: [u8; 4] = [192, 168, 1, 30];
pub(crate) const ROGUE: [u8; 4] = [192, 168, 1, 77];
pub(crate) const PLC_1: [u8; 4] = [192, 168, 1, 101];
pub(crate) const PLC_2: [u8; 4] = [192, 168, 1, 102];
pub(crate) const PLC_3: [u8; 4] = [192, 168, 1, 103];

/// A conversation under way.
pub(crate) struct Talk {
    client: [u8; 4],
    server: [u8; 4],
    ports: (u16, u16),
    sequence: (u32, u32),
    transaction: u16,
}

/// Frames with their times.
#[derive(Default)]
pub(crate) struct Story {
    pub(crate) frames: Vec<(u64, Vec<u8>)>,
    next_port: u16,
}

impl Story {
    pub(crate) fn new() -> Self {
        Self { frames: Vec::new(), next_port: 49_152 }
    }

    /// One TCP segment in an Ethernet frame, checksum right.
    pub(crate) fn segment(
        &mut self,
        at: u64,
        ends: ([u8; 4], [u8; 4]),
        ports: (u16, u16),
        numbers: (u32, u32),
        flags: u8,
        payload: &[u8],
    ) {
        let (source, target) = ends;
        let mut tcp = Vec::new();
        tcp.extend(ports.0.to_be_bytes());
        tcp.extend(ports.1.to_be_bytes());
        tcp.extend(numbers.0.to_be_bytes());
        tcp.extend(numbers.1.to_be_bytes());
        tcp.extend([0x50, flags, 0x20, 0, 0, 0, 0, 0]);
        tcp.extend(payload);
        let mut sum = 6 + tcp.len() as u32;
        let mut padded = [source.as_slice(), target.as_slice(), tcp.as_slice()].concat();
        padded.resize(padded.len().next_multiple_of(2), 0);
        for word in padded.chunks_exact(2) {
            sum += u32::from(u16::from_be_bytes([word[0], word[1]]));
        }
        while sum >> 16 != 0 {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        tcp[16..18].copy_from_slice(&(!(sum as u16)).to_be_bytes());
        let mut frame = mac(target).to_vec();
        frame.extend(mac(source));
        frame.extend([8, 0, 0x45, 0]);
        frame.extend((20 + tcp.len() as u16).to_be_bytes());
        frame.extend([0, 1, 0, 0, 64, 6, 0, 0]);
        frame.extend(source);
        frame.extend(target);
        frame.extend(tcp);
        self.frames.push((at, frame));
    }

    /// One UDP datagram in an Ethernet frame, without checksum.
    pub(crate) fn datagram(&mut self, at: u64, ends: ([u8; 4], [u8; 4]), ports: (u16, u16), payload: &[u8]) {
        let (source, target) = ends;
        let mut frame = mac(target).to_vec();
        frame.extend(mac(source));
        frame.extend([8, 0, 0x45, 0]);
        frame.extend((28 + payload.len() as u16).to_be_bytes());
        frame.extend([0, 1, 0, 0, 64, 17, 0, 0]);
        frame.extend(source);
        frame.extend(target);
        frame.extend(ports.0.to_be_bytes());
        frame.extend(ports.1.to_be_bytes());
        frame.extend((8 + payload.len() as u16).to_be_bytes());
        frame.extend([0, 0]);
        frame.extend(payload);
        self.frames.push((at, frame));
    }

    pub(crate) fn arp(&mut self, at: u64, sender: [u8; 4], target: [u8; 4]) {
        let mut frame = vec![0xff; 6];
        frame.extend(mac(sender));
        frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
        frame.extend(mac(sender));
        frame.extend(sender);
        frame.extend([0; 6]);
        frame.extend(target);
        self.frames.push((at, frame));
    }

    fn port(&mut self) -> u16 {
        self.next_port += 1;
        self.next_port
    }

    /// The handshake.
    pub(crate) fn connect(&mut self, at: u64, client: [u8; 4], server: [u8; 4], port: u16) -> Talk {
        let ports = (self.port(), port);
        self.segment(at, (client, server), ports, (1000, 0), 2, &[]);
        self.segment(at + 1000, (server, client), (ports.1, ports.0), (5000, 1001), 0x12, &[]);
        self.segment(at + 2000, (client, server), ports, (1001, 5001), 0x10, &[]);
        Talk { client, server, ports, sequence: (1001, 5001), transaction: 0 }
    }

    /// A SYN that is answered with a RST.
    pub(crate) fn refused(&mut self, at: u64, client: [u8; 4], server: [u8; 4], port: u16) {
        let ports = (self.port(), port);
        self.segment(at, (client, server), ports, (1000, 0), 2, &[]);
        self.segment(at + 1000, (server, client), (ports.1, ports.0), (0, 1001), 0x14, &[]);
    }

    pub(crate) fn say(&mut self, at: u64, talk: &mut Talk, from_client: bool, payload: &[u8]) {
        let (client, server, ports) = (talk.client, talk.server, talk.ports);
        let (c, s) = talk.sequence;
        if from_client {
            self.segment(at, (client, server), ports, (c, s), 0x18, payload);
            talk.sequence.0 = c.wrapping_add(payload.len() as u32);
        } else {
            self.segment(at, (server, client), (ports.1, ports.0), (s, c), 0x18, payload);
            talk.sequence.1 = s.wrapping_add(payload.len() as u32);
        }
    }

    /// A Modbus request, and its answer a millisecond later.
    pub(crate) fn ask(&mut self, at: u64, talk: &mut Talk, unit: u8, request: &[u8], answer: &[u8]) {
        talk.transaction += 1;
        let adu = |pdu: &[u8]| {
            let mut adu = talk.transaction.to_be_bytes().to_vec();
            adu.extend([0, 0]);
            adu.extend((pdu.len() as u16 + 1).to_be_bytes());
            adu.push(unit);
            adu.extend(pdu);
            adu
        };
        let (request, answer) = (adu(request), adu(answer));
        self.say(at, talk, true, &request);
        self.say(at + 1_000_000, talk, false, &answer);
    }

    pub(crate) fn close(&mut self, at: u64, talk: &Talk) {
        let (c, s) = talk.sequence;
        let back = (talk.ports.1, talk.ports.0);
        self.segment(at, (talk.client, talk.server), talk.ports, (c, s), 0x11, &[]);
        self.segment(at + 1000, (talk.server, talk.client), back, (s, c + 1), 0x11, &[]);
        self.segment(at + 2000, (talk.client, talk.server), talk.ports, (c + 1, s + 1), 0x10, &[]);
    }

    /// The HMI polls PLC-1 and PLC-3 each second: flow 190 L/s, setpoint 100 mg/L, level 4 m; PLC-2's copy follows.
    pub(crate) fn poll(
        &mut self,
        seconds: std::ops::Range<u64>,
        talks: &mut [Talk],
        copy_m: impl Fn(u64) -> f64,
    ) {
        for second in seconds {
            let at = second * SECOND;
            let level = ((copy_m(second) * 1000.0) as u16).to_be_bytes();
            self.ask(at + 10_000_000, &mut talks[0], 1, &[4, 0, 0, 0, 1], &[4, 2, 0x4a, 0x38]);
            self.ask(at + 20_000_000, &mut talks[0], 1, &[3, 0, 40, 0, 1], &[3, 2, 0, 100]);
            self.ask(at + 30_000_000, &mut talks[1], 2, &[4, 0, 6, 0, 1], &[4, 2, level[0], level[1]]);
            self.ask(at + 40_000_000, &mut talks[2], 3, &[4, 0, 0, 0, 1], &[4, 2, 0x0f, 0xa0]);
        }
    }

    /// The HMI's connections to the three controllers.
    pub(crate) fn hmi(&mut self) -> [Talk; 3] {
        [PLC_1, PLC_2, PLC_3].map(|plc| self.connect(0, HMI, plc, 502))
    }

    /// Runs the frames in the order of their times.
    pub(crate) fn run(self, learn_s: u64) -> Seen {
        self.run_at("waterworks", learn_s)
    }

    /// Runs the frames at a site.
    pub(crate) fn run_at(mut self, site: &str, learn_s: u64) -> Seen {
        self.frames.sort_by_key(|(at, _)| *at);
        let site = Arc::new(site::Site::named(site).unwrap());
        let config = SensorConfig {
            site: Some(site),
            learn: Duration::from_secs(learn_s),
            origin: Some("1970-01-01T00:00:00Z".parse().unwrap()),
            format: LogFormat::Tsv,
            ..SensorConfig::default()
        };
        let mut sensor = Sensor::new(config, RuleSet::embedded().unwrap(), MemorySink::default());
        for (at, frame) in &self.frames {
            sensor.on_frame(*at, frame);
        }
        let summary = sensor.finish().unwrap();
        Seen { summary, logs: sensor.into_sink() }
    }
}

fn mac(address: [u8; 4]) -> [u8; 6] {
    [0, 0x80, 0xf4, 0, address[2], address[3]]
}

/// What came out.
pub(crate) struct Seen {
    pub(crate) summary: Summary,
    pub(crate) logs: MemorySink,
}

impl Seen {
    pub(crate) fn findings(&self) -> Vec<record::Finding> {
        self.logs.text(Log::Findings).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Findings of a rule.
    pub(crate) fn of(&self, rule: &str) -> Vec<record::Finding> {
        self.findings().into_iter().filter(|finding| finding.rule == rule).collect()
    }

    /// Rules that spoke at medium or above.
    pub(crate) fn alarms(&self) -> Vec<String> {
        let mut rules: Vec<_> = self
            .findings()
            .into_iter()
            .filter(|finding| finding.level >= record::Level::Medium)
            .map(|finding| finding.rule)
            .collect();
        rules.dedup();
        rules
    }
}
