//! What the rules find in labelled captures that nobody of this project made, and what they keep quiet about.
//!
//! Prints a table; run it with `cargo test -p sensor --test it detection -- captures --nocapture`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sensor::{Baseline, CaptureReader, Log, MemorySink, RuleSet, Sensor, SensorConfig};

const HOUR: Duration = Duration::from_hours(1);
/// How far the clock of the attack script and that of the capture may differ, seconds.
const CLOCKS_S: f64 = 5.0;
/// Answers and retries go on for a while after the script has ended, seconds.
const AFTERMATH_S: f64 = 30.0;

fn captures() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures");
    if path.is_dir() {
        return Some(path);
    }
    println!("no ../shared/captures here: not run");
    None
}

/// The only file of a zip archive, inflated.
fn unzip(path: &Path) -> impl Read + use<> {
    let archive = std::fs::read(path).unwrap();
    assert_eq!(archive[..4], *b"PK\x03\x04", "{}", path.display());
    let word = |at: usize| usize::from(u16::from_le_bytes([archive[at], archive[at + 1]]));
    assert_eq!(word(8), 8, "deflated");
    let start = 30 + word(26) + word(28);
    flate2::read::DeflateDecoder::new(std::io::Cursor::new(archive[start..].to_vec()))
}

struct Run {
    incidents: Vec<record::Incident>,
    baseline: Baseline,
    span_s: f64,
}

/// Everything that `source` holds up to `until`, a fraction of `whole` seconds from its start.
fn sense(name: &str, source: impl Read, learn: Duration, baseline: Option<&Baseline>) -> Run {
    let config = SensorConfig { learn, baseline: baseline.cloned().map(Arc::new), ..SensorConfig::default() };
    let mut sensor = Sensor::new(config, RuleSet::embedded().unwrap(), MemorySink::default());
    let mut reader = CaptureReader::new(name, source).unwrap();
    let (mut first, mut last) = (None, 0);
    while let Some(frame) = reader.next_frame().unwrap() {
        first.get_or_insert(frame.unix_nanos);
        last = frame.unix_nanos;
        sensor.on_frame_of(frame.link, frame.unix_nanos, frame.octets, frame.wire_len as usize);
    }
    let baseline = sensor.baseline();
    sensor.finish().unwrap();
    let text = sensor.into_sink().text(Log::Incidents);
    let incidents = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    Run { incidents, baseline, span_s: (last - first.unwrap_or(0)) as f64 / 1e9 }
}

struct Window {
    start: f64,
    end: f64,
    name: String,
}

/// The attack script's log: its clock is UTC+10.
fn windows(log: &str) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    for line in log.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let [date, time, name, ..] = words[..] else { continue };
        let moment: jiff::civil::DateTime = format!("{date}T{time}").parse().unwrap();
        let unix = moment.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
        let unix = unix.as_nanosecond() as f64 / 1e9 - 36_000.0;
        if line.trim_end().ends_with("START") {
            windows.push(Window { start: unix, end: f64::INFINITY, name: name.to_owned() });
        } else if let Some(window) = windows.last_mut() {
            window.end = unix;
        }
    }
    windows
}

fn overlaps(incident: &record::Incident, window: &Window) -> bool {
    incident.first.as_secs_f64() <= window.end + AFTERMATH_S
        && incident.last.as_secs_f64() >= window.start - CLOCKS_S
}

/// Every one of the 35 windows leaves packets in its capture, if only three, so that none had to be left out.
#[test]
fn captures_of_dnp3_attacks_show_nine_windows_in_ten() {
    let Some(captures) = captures() else { return };
    let set = captures.join("qut-dnp3-2017");
    let control = || unzip(&set.join("Control/attacker.pcap.zip"));
    let learnt = sense("Control", control(), 1000 * HOUR, None);
    assert!(learnt.incidents.is_empty(), "{:#?}", learnt.incidents);
    let half = Duration::from_secs_f64(learnt.span_s / 2.0);
    let judged = sense("Control", control(), half, None);
    println!("Control, second half judged by the first: {} incidents", judged.incidents.len());
    assert!(judged.incidents.is_empty(), "{:#?}", judged.incidents);
    for class in ["Flooding", "Injection", "Masqurading"] {
        let folder = set.join(class);
        let mut log = String::new();
        unzip(&folder.join("Attack_script_log.log.zip")).read_to_string(&mut log).unwrap();
        let run =
            sense(class, unzip(&folder.join("attacker.pcap.zip")), Duration::ZERO, Some(&learnt.baseline));
        let windows = windows(&log);
        let mut found = 0;
        for window in &windows {
            let hits: Vec<_> = run.incidents.iter().filter(|incident| overlaps(incident, window)).collect();
            found += usize::from(!hits.is_empty());
            let titles: Vec<_> = hits.iter().map(|hit| format!("{}: {}", hit.incident, hit.title)).collect();
            println!(
                "{class:12} {:42} {:5.0} s  {}",
                window.name,
                window.end - window.start,
                titles.join(" | ")
            );
            assert!(hits.len() <= 3, "{class} {}: {titles:?}", window.name);
        }
        let false_ones =
            run.incidents.iter().filter(|incident| !windows.iter().any(|window| overlaps(incident, window)));
        let false_ones: Vec<_> = false_ones.map(|incident| (&incident.title, &incident.message)).collect();
        let per_day = false_ones.len() as f64 * 86_400.0 / run.span_s;
        println!("{class}: {found} of {} windows, {per_day:.1} false incidents in 24 h", windows.len());
        assert!(found * 10 >= windows.len() * 9, "{class}: {found} of {}", windows.len());
        assert!(per_day <= 2.0, "{class}: {false_ones:#?}");
    }
}

#[test]
fn captures_of_an_intruder_who_reads_registers_show_him_within_ten_packets() {
    let Some(captures) = captures() else { return };
    let folder = captures.join("lemay");
    let labels = folder.join("characterization_modbus_6RTU_with_operate_labeled.csv");
    let labels = std::fs::read_to_string(labels).unwrap();
    let hostile: Vec<u64> = labels
        .lines()
        .filter_map(|line| line.split_once(';'))
        .filter(|(_, label)| label.trim() == "1")
        .map(|(frame, _)| frame.parse().unwrap())
        .collect();
    let capture = std::fs::File::open(folder.join("characterization_modbus_6RTU_with_operate.pcap")).unwrap();
    let run = sense("lemay", capture, SensorConfig::default().learn, None);
    for incident in &run.incidents {
        println!("{} frames {:?}..: {}", incident.title, &incident.frames[..1], incident.message);
        assert!(incident.frames.iter().any(|frame| hostile.contains(frame)), "false: {incident:#?}");
    }
    let first = run.incidents.iter().filter_map(|incident| incident.frames.first()).min().unwrap();
    assert!(*first <= hostile[9], "found at frame {first}, the tenth of his is {}", hostile[9]);
}
