//! Frames per second through the whole sensor: polling traffic of 16 clients, with the site's documentation, all logs
//! and all rules. Run with `cargo bench -p sensor`.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on has failed")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sensor::{Log, LogSink, RuleSet, Sensor, SensorConfig};

const CLIENTS: u8 = 16;
const ROUNDS: u64 = 2000;

/// Counts octets, so that writing them is not what is measured.
#[derive(Default)]
struct Counting(u64);

impl LogSink for Counting {
    fn write(&mut self, _: Log, lines: &[u8]) -> std::io::Result<()> {
        self.0 += lines.len() as u64;
        Ok(())
    }
}

fn frame(client: u8, from_client: bool, flags: u8, numbers: (u32, u32), payload: &[u8]) -> Vec<u8> {
    let (client_ip, server_ip) = ([192, 168, 1, 20 + client], [192, 168, 1, 101]);
    let (source, target) = if from_client { (client_ip, server_ip) } else { (server_ip, client_ip) };
    let (source_port, target_port): (u16, u16) = if from_client { (50_000, 502) } else { (502, 50_000) };
    let mut frame = vec![0, 0x80, 0xf4, 0, 1, target[3], 0, 0x80, 0xf4, 0, 1, source[3], 8, 0, 0x45, 0];
    frame.extend((40 + payload.len() as u16).to_be_bytes());
    frame.extend([0, 1, 0, 0, 64, 6, 0, 0]);
    frame.extend(source);
    frame.extend(target);
    frame.extend(source_port.to_be_bytes());
    frame.extend(target_port.to_be_bytes());
    frame.extend(numbers.0.to_be_bytes());
    frame.extend(numbers.1.to_be_bytes());
    frame.extend([0x50, flags, 0x20, 0, 0, 0, 0, 0]);
    frame.extend(payload);
    let mut summed = [&frame[26..34], &frame[34..]].concat();
    let segment_len = (frame.len() - 34) as u32;
    summed.resize(summed.len().next_multiple_of(2), 0);
    let words = summed.chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum = 6 + segment_len + words.sum::<u32>();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    frame[50..52].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    frame
}

/// Request, answer of 13 registers, acknowledgement: what a poller on a virtual stack sends.
fn traffic() -> Vec<(u64, Vec<u8>)> {
    let mut frames = Vec::new();
    for client in 0..CLIENTS {
        frames.push((0, frame(client, true, 2, (0, 0), &[])));
        frames.push((1, frame(client, false, 0x12, (0, 1), &[])));
        frames.push((2, frame(client, true, 0x10, (1, 1), &[])));
    }
    let mut answer = vec![0, 0, 0, 0, 0, 29, 1, 4, 26];
    answer.extend([0x12; 26]);
    for round in 0..ROUNDS {
        for client in 0..CLIENTS {
            let at = round * 1_000_000_000 + u64::from(client) * 10_000_000;
            let number = (round as u16).to_be_bytes();
            let request = [number[0], number[1], 0, 0, 0, 6, 1, 4, 0, 0, 0, 13];
            answer[..2].copy_from_slice(&number);
            let (c, s) = (1 + round as u32 * 12, 1 + round as u32 * answer.len() as u32);
            frames.push((at, frame(client, true, 0x18, (c, s), &request)));
            frames.push((at + 500_000, frame(client, false, 0x18, (s, c + 12), &answer)));
            frames.push((at + 600_000, frame(client, true, 0x10, (c + 12, s + answer.len() as u32), &[])));
        }
    }
    frames
}

fn polling(criterion: &mut Criterion) {
    let frames = traffic();
    let site = Arc::new(site::Site::named("waterworks").unwrap());
    let mut group = criterion.benchmark_group("sensor");
    group.throughput(Throughput::Elements(frames.len() as u64)).sample_size(10);
    group.bench_function("polling", |bencher| {
        bencher.iter(|| {
            let config = SensorConfig { site: Some(site.clone()), ..SensorConfig::default() };
            let mut sensor = Sensor::new(config, RuleSet::embedded().unwrap(), Counting::default());
            for (at, octets) in &frames {
                sensor.on_frame(*at, octets);
            }
            let summary = sensor.finish().unwrap();
            assert_eq!(summary.bad_checksums, 0);
            assert_eq!(summary.modbus_pdus, 2 * u64::from(CLIENTS) * ROUNDS);
            black_box(sensor.into_sink().0)
        });
    });
    group.finish();
}

criterion_group!(benches, polling);
criterion_main!(benches);
