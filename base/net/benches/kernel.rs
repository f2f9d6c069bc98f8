//! How fast the kernel is: frames per second through one switch, with and without capture, and what a day leaves
//! in memory. `cargo bench -p net`; a figure after it runs longer: `cargo bench -p net -- 10`.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on fails")]

use std::cell::Cell;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use net::{Kernel, KernelConfig, Network, PcapngWriter};
use record::{Clock, StartTime, VirtualTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Counts octets and keeps none.
struct Sink(Rc<Cell<u64>>);

impl Write for Sink {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.set(self.0.get() + octets.len() as u64);
        Ok(octets.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn lab(capture: bool) -> (Kernel, Network) {
    let start: StartTime = "2021-02-05T08:00:00Z".parse().unwrap();
    let mut kernel = Kernel::new(KernelConfig::new(1, start));
    let network = net::build(&mut kernel, &site::Site::named("waterworks").unwrap()).unwrap();
    if capture {
        let sink = io::BufWriter::with_capacity(1 << 16, Sink(Rc::default()));
        let mut writer = PcapngWriter::new(sink, "span").unwrap();
        let consumer = move |at, _, frame: &[u8]| writer.write(start.unix_nanos(at), frame).unwrap();
        network.mirror("control", Box::new(consumer));
    }
    (kernel, network)
}

/// `sessions` clients that ask each `period` and servers that answer, 12 octets each way.
fn polls(kernel: &Kernel, network: &Network, sessions: u16, period: Duration) {
    let servers = ["plc-1", "plc-2", "plc-3"];
    for name in servers {
        let listener = network.host(name).unwrap().listen(502, 64).unwrap();
        let spawner = kernel.spawner();
        kernel.spawner().spawn("listener", async move {
            loop {
                let mut stream = listener.accept().await;
                spawner.spawn("server", async move {
                    let mut buffer = [0; 260];
                    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                        stream.write_all(&buffer[..count]).await.unwrap();
                    }
                });
            }
        });
    }
    for session in 0..sessions {
        let host = network.host(["hmi", "historian", "ews"][usize::from(session) % 3]).unwrap();
        let server = network.host(servers[usize::from(session) / 3 % 3]).unwrap();
        let clock = kernel.clock();
        kernel.spawner().spawn("client", async move {
            let to = std::net::SocketAddrV4::new(server.address(), 502);
            let mut stream = host.connect(to).await.unwrap();
            let mut answer = [0; 12];
            loop {
                stream.write_all(&[7; 12]).await.unwrap();
                stream.read_exact(&mut answer).await.unwrap();
                clock.sleep(period).await;
            }
        });
    }
}

fn measure(what: &str, sessions: u16, period: Duration, capture: bool, span: Duration) {
    let (mut kernel, network) = lab(capture);
    polls(&kernel, &network, sessions, period);
    kernel.run_until(VirtualTime::from_secs(1)).unwrap();
    let (frames, from, processor) =
        (network.mirror_ledger().last_frame(), Instant::now(), processor_seconds());
    let mut end = kernel.now();
    while from.elapsed() < span {
        end += Duration::from_millis(500);
        kernel.run_until(end).unwrap();
    }
    let wall = from.elapsed().as_secs_f64();
    let busy = processor.zip(processor_seconds()).map_or(wall, |(from, to)| to - from);
    let frames = (network.mirror_ledger().last_frame() - frames) as f64;
    println!(
        "{what:34} {:>9.0} frames/s, {:>9.0} per processor second; {:>5.0} and {:>5.0} times real time",
        frames / wall,
        frames / busy,
        (end.as_secs_f64() - 1.0) / wall,
        (end.as_secs_f64() - 1.0) / busy,
    );
}

/// Seconds for which this thread has had a processor, where Linux tells: what the wall clock would show on a
/// machine with nothing else to do.
fn processor_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split_whitespace().next()?.parse::<f64>().ok()? / 1e9)
}

/// Resident memory of this process in KiB; 0 where the system does not tell.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|count| count.parse().ok()).unwrap_or(0)
}

fn day() {
    let (mut kernel, network) = lab(true);
    polls(&kernel, &network, 9, Duration::from_secs(1));
    let from = Instant::now();
    for hour in [1, 6, 12, 24] {
        kernel.run_until(VirtualTime::from_secs(hour * 3600)).unwrap();
        println!(
            "a day of 9 sessions at 1 Hz, hour {hour:>2}         {:>10} KiB resident {:>6} events waiting {:>6} connection ends",
            resident_kib(),
            kernel.events_waiting(),
            kernel.connections(),
        );
    }
    let took = from.elapsed().as_secs_f64();
    println!("the day took {took:.1} s, {:.0} times real time", 86_400.0 / took);
}

fn main() {
    let seconds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(3.0);
    let span = Duration::from_secs_f64(seconds);
    let (slow, fast) = (Duration::from_millis(100), Duration::from_millis(1));
    measure("40 sessions at 10 Hz, capture on", 40, slow, true, span);
    measure("40 sessions at 10 Hz, capture off", 40, slow, false, span);
    measure("9 sessions at 1 kHz, capture on", 9, fast, true, span);
    day();
}
