//! How fast DNP3 is: frames and requests understood per second, requests answered per second by the outstation alone, and
//! transactions per second between our master and our outstation over streams in memory. `cargo bench -p plcs`.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on fails")]

use std::fmt::Write as _;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use clients::dnp3::{Dnp3Master, MasterSettings};
use futures::executor::LocalPool;
use futures::task::LocalSpawnExt;
use plcs::Outstation;
use plcs::outstation::{Action, Process, Restart, Standalone, serve_outstation};
use record::{Clock, VirtualTime};
use wire::dnp3::object::{CommandStatus, Flags};
use wire::dnp3::{
    Fragment, Framer, LinkAddress, LinkControl, LinkHeader, PointKind, Reassembly, Request, Response,
};

/// Time stands still: nothing in the bench waits.
#[derive(Clone, Copy)]
struct Still;

struct Never;

impl Future for Never {
    type Output = ();
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Clock for Still {
    type Sleep = Never;
    fn now(&self) -> VirtualTime {
        VirtualTime::ZERO
    }
    fn sleep_until(&self, _: VirtualTime) -> Never {
        Never
    }
}

struct Nothing;

impl Process for Nothing {
    fn judge(&mut self, _: &Action) -> CommandStatus {
        CommandStatus::SUCCESS
    }
    fn operate(&mut self, _: &Action) -> CommandStatus {
        CommandStatus::SUCCESS
    }
    fn restart(&mut self, _: Restart) {}
}

/// A substation: 32 contacts, 16 breakers, 32 measurements, 16 outputs.
fn outstation() -> Outstation {
    let mut text = String::from("outstation = 10\npoint = [\n");
    for (kind, count) in
        [("binary_input", 32), ("double_bit_input", 16), ("analog_input", 32), ("binary_output", 16)]
    {
        for index in 0..count {
            writeln!(text, "{{ kind = \"{kind}\", index = {index}, tag = \"T\", class = 1 }},").unwrap();
        }
    }
    let map = site::dnp3::Outstation::parse("bench", &(text + "]\n")).unwrap();
    let mut outstation = Outstation::new(&map, VirtualTime::ZERO, 0);
    for index in 0..32 {
        for kind in [
            PointKind::BinaryInput,
            PointKind::DoubleBitInput,
            PointKind::AnalogInput,
            PointKind::BinaryOutput,
        ] {
            outstation.update(VirtualTime::ZERO, kind, index, 1.0, Flags::ONLINE);
        }
    }
    outstation
}

fn frame(fragment: &[u8], from_master: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let (control, source, destination) = if from_master { (0xc4, 1, 10) } else { (0x44, 10, 1) };
    LinkHeader {
        control: LinkControl(control),
        destination: LinkAddress(destination),
        source: LinkAddress(source),
    }
    .emit(&[&[0xc0], fragment].concat(), &mut out);
    out
}

/// Runs `work`, which does `per_round` things, for about a second; things per second.
fn rate(name: &str, per_round: u32, mut work: impl FnMut()) {
    let (start, mut rounds) = (Instant::now(), 0_u32);
    while start.elapsed().as_millis() < 1000 {
        work();
        rounds += 1;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{name:<58} {:>10.0} per second", f64::from(rounds) * f64::from(per_round) / seconds);
}

const POLL: [u8; 14] = [0xc0, 1, 60, 2, 6, 60, 3, 6, 60, 4, 6, 60, 1, 6];
const RANGE: [u8; 7] = [0xc0, 1, 30, 1, 0, 0, 15];

fn main() {
    let request = frame(&POLL, true);
    let requests = request.repeat(100);
    rate("requests framed and understood", 100, || {
        let (mut framer, mut reassembly, mut headers) = (Framer::default(), Reassembly::default(), 0);
        framer.push(&requests, |_, data| {
            let fragment = reassembly.push(data, 2048).fragment.unwrap();
            let Ok(Request::Read(read)) = Request::parse(Fragment::new(fragment)) else { panic!("a read") };
            headers += read.headers.len();
        });
        assert_eq!(black_box(headers), 400);
    });

    let mut station = outstation();
    let mut process = Nothing;
    let channel = station.connect(VirtualTime::ZERO).unwrap();
    station.receive(channel, VirtualTime::ZERO, &frame(&RANGE, true), &mut process);
    let answers = station.take_output(channel).repeat(100);
    rate("responses of 16 measurements framed and understood", 100, || {
        let (mut framer, mut reassembly, mut items) = (Framer::default(), Reassembly::default(), 0);
        framer.push(&answers, |_, data| {
            if let Some(fragment) = reassembly.push(data, 2048).fragment {
                items += Response::parse(Fragment::new(fragment)).unwrap().items.len();
            }
        });
        assert_eq!(black_box(items), 1600);
    });

    for (name, fragment) in
        [("reads of 16 measurements answered", &RANGE[..]), ("integrity polls of 96 points answered", &POLL)]
    {
        let frames: Vec<Vec<u8>> =
            (0..16).map(|sequence| frame(&[&[0xc0 | sequence], &fragment[1..]].concat(), true)).collect();
        rate(name, 16, || {
            for octets in &frames {
                station.receive(channel, VirtualTime::ZERO, octets, &mut process);
                assert!(!black_box(station.take_output(channel)).is_empty());
            }
        });
    }

    for (name, group) in
        [("transactions over streams, 32 measurements", 30), ("transactions over streams, 16 outputs", 10)]
    {
        let shared = Standalone::new(outstation(), Nothing);
        let (near, far) = tokio::io::duplex(64 * 1024);
        let mut pool = LocalPool::new();
        pool.spawner().spawn_local(serve_outstation(shared, Still, far)).unwrap();
        let mut master = Dnp3Master::new(near, Still, MasterSettings::new(1, 10));
        rate(name, 100, || {
            pool.run_until(async {
                for _ in 0..100 {
                    assert!(!master.read_all(group, 0).await.unwrap().fragments().is_empty());
                }
            });
        });
    }
}
