//! How fast and how small: 24 hours of `ordinary-day` with capture and sensor on, one process, one core.
//!
//! Run as `cargo bench -p lab`. Prints simulated seconds per second, frames per second and peak memory; asserts
//! nothing, because machines differ.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often the child's peak memory is read.
const BEAT: Duration = Duration::from_millis(50);

fn main() {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let mut lab = Command::new(env!("CARGO_BIN_EXE_fieldrange"))
        .args(["simulate", "ordinary-day", "--json", "--out"])
        .arg(scratch.path().join("run"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let started = Instant::now();
    let status = format!("/proc/{}/status", lab.id());
    let mut peak_kib = 0;
    while lab.try_wait().expect("the command can be waited for").is_none() {
        peak_kib = peak_kib.max(peak_kib_of(&status));
        std::thread::sleep(BEAT);
    }
    let seconds = started.elapsed().as_secs_f64();
    let output = lab.wait_with_output().expect("the command ends");
    assert!(output.status.success(), "the run failed");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let simulated = told["manifest"]["duration"].as_f64().expect("a duration");
    let frames = told["frames"].as_f64().expect("frames");
    println!("ordinary-day, {:.0} h, capture and sensor on", simulated / 3600.0);
    println!("{seconds:.1} s: {:.0} simulated seconds per second", simulated / seconds);
    println!(
        "{frames:.0} frames: {:.0} frames per second through kernel, capture, sensor and record",
        frames / seconds
    );
    println!("peak memory {:.1} MiB", f64::from(peak_kib) / 1024.0);
}

/// Largest resident size so far, in KiB, from the kernel's own account; 0 where it cannot be read.
fn peak_kib_of(status: &str) -> u32 {
    std::fs::read_to_string(status)
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
            line.split_whitespace().nth(1)?.parse().ok()
        })
        .unwrap_or(0)
}
