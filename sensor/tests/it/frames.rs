//! The same frames give the same files, however they come in.

use std::io::Write;
use std::process::Command;

use sensor::Log;

use crate::session::{PLC_1, ROGUE, SECOND, Story};

fn story() -> Story {
    let mut story = Story::new();
    let mut talks = story.hmi();
    story.poll(1..20, &mut talks, |_| 4.0);
    let mut rogue = story.connect(10 * SECOND + 7, ROGUE, PLC_1, 502);
    story.ask(10 * SECOND + 9_000, &mut rogue, 1, &[6, 0, 40, 1, 44], &[6, 0, 40, 1, 44]);
    story.frames.sort_by_key(|(at, _)| *at);
    story
}

fn pcap(frames: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut octets = Vec::new();
    for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        octets.extend(word.to_le_bytes());
    }
    for (at, frame) in frames {
        let words = [at / SECOND, at % SECOND, frame.len() as u64, frame.len() as u64];
        for word in words {
            octets.extend((word as u32).to_le_bytes());
        }
        octets.extend(frame);
    }
    octets
}

#[test]
fn the_binary_writes_what_the_sensor_in_line_writes() {
    let story = story();
    let directory = tempfile::tempdir().unwrap();
    let capture = directory.path().join("span.pcap");
    std::fs::File::create(&capture).unwrap().write_all(&pcap(&story.frames)).unwrap();
    let logs = directory.path().join("logs");
    let output = Command::new(env!("CARGO_BIN_EXE_fieldrange-sensor"))
        .args(["--site", "waterworks", "--learn", "5s", "--origin", "1970-01-01T00:00:00Z", "--json", "-r"])
        .arg(&capture)
        .arg("--log-dir")
        .arg(&logs)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let in_line = story.run(5);
    for log in Log::ALL {
        let path = logs.join(log.file_name());
        let written = std::fs::read(&path).unwrap_or_default();
        assert_eq!(String::from_utf8_lossy(&written), in_line.logs.text(log), "{log:?}");
    }
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["frames"], in_line.summary.frames);
    assert_eq!(summary["findings"][3], 1);
}

#[test]
fn a_truncated_capture_is_an_error_and_its_frames_are_kept() {
    let story = story();
    let mut octets = pcap(&story.frames);
    octets.truncate(octets.len() - 3);
    let directory = tempfile::tempdir().unwrap();
    let capture = directory.path().join("cut.pcap");
    std::fs::write(&capture, &octets).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_fieldrange-sensor"))
        .arg("-r")
        .arg(&capture)
        .arg("--log-dir")
        .arg(directory.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("cut.pcap: truncated: the record at octet "), "{error}");
    assert!(error.contains(&format!("{} frames before it were read", story.frames.len() - 1)), "{error}");
    assert!(directory.path().join("conn.log").exists());
}

#[test]
fn bad_input_is_refused_with_file_and_fix_and_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let rules = directory.path().join("rules");
    std::fs::create_dir(&rules).unwrap();
    std::fs::write(rules.join("mine.yml"), "title: Mine\nlevle: high\n").unwrap();
    let logs = directory.path().join("logs");
    for (extra, problem) in [
        (vec!["--site".to_owned(), "nowhere".to_owned()], "no site is called"),
        (vec!["--rules".to_owned(), rules.display().to_string()], "mine.yml:1"),
        (vec![], "missing.pcap"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_fieldrange-sensor"))
            .args(["-r", "missing.pcap", "--log-dir"])
            .arg(&logs)
            .args(&extra)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(problem), "{error}");
        assert!(!logs.exists());
    }
}

#[test]
fn a_uid_does_not_depend_on_the_callers_port() {
    let uids = |skip: u16| {
        let mut story = Story::new();
        for _ in 0..skip {
            story.refused(SECOND, ROGUE, PLC_1, 1);
        }
        story.connect(2 * SECOND, ROGUE, PLC_1, 502);
        let seen = story.run(1);
        let text = seen.logs.text(Log::Conn);
        let row = text.lines().find(|line| line.contains("\t502\ttcp")).unwrap().to_owned();
        row.split('\t').nth(1).unwrap().to_owned()
    };
    assert_eq!(uids(0), uids(3));
}
