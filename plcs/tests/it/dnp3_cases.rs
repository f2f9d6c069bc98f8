//! The table of protocol cases, `testdata/dnp3-cases.txt`, which says how it is read.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use site::dnp3::Outstation as Map;
use wire::dnp3::{LinkAddress, LinkControl, LinkHeader, PointKind};

use super::dnp3_rig::Rig;

const CASES: &str = include_str!("../../../testdata/dnp3-cases.txt");

const MAP: &str = r#"
point = [
    { kind = "binary_input", index = 0, tag = "A", class = 1, event_variation = 1 },
    { kind = "binary_input", index = 1, tag = "B", class = 1, event_variation = 1 },
    { kind = "binary_input", index = 2, tag = "C", class = 1, event_variation = 1 },
    { kind = "binary_input", index = 3, tag = "D", class = 1, event_variation = 1 },
    { kind = "double_bit_input", index = 0, tag = "E", class = 1 },
    { kind = "counter", index = 0, tag = "F", class = 2 },
    { kind = "counter", index = 1, tag = "G", class = 2 },
    { kind = "analog_input", index = 0, tag = "H", class = 3, deadband = 5.0, static_variation = 2 },
    { kind = "analog_input", index = 1, tag = "I", class = 3, deadband = 5.0, static_variation = 2 },
    { kind = "binary_output", index = 0, tag = "J", model = "latch" },
    { kind = "binary_output", index = 1, tag = "K", model = "trip_close" },
    { kind = "binary_output", index = 2, tag = "L", model = "pulse" },
    { kind = "analog_output", index = 0, tag = "M", min = -100.0, max = 100.0 },
]
"#;

fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|octet| u8::from_str_radix(octet, 16).unwrap()).collect()
}

fn rig(options: &str) -> Rig {
    let has = |option: &str| options.split(',').any(|it| it.trim() == option);
    let text = format!(
        "outstation = 10\n{MAP}\n[dnp3]\ntext = [{{ index = 0, text = \"RTU\" }}]\nmasters = {}\nunsolicited = {}\n\
         self_address = {}\nany_master = {}\n",
        if has("two") { "[1, 2]" } else { "[1]" },
        has("unsolicited"),
        has("self"),
        has("any"),
    );
    let mut rig = Rig::new(&Map::parse("cases.toml", &text).unwrap());
    rig.outstation.set_attribute(252, "EXERCISE");
    rig
}

/// `F3@FFFF#2`: link control, destination, master.
fn ends(text: &str, rig: &Rig) -> (u8, u16, u16) {
    let (rest, master) =
        text.split_once('#').map_or((text, rig.master), |(it, master)| (it, master.parse().unwrap()));
    let (control, to) =
        rest.split_once('@').map_or((rest, rig.own), |(it, to)| (it, u16::from_str_radix(to, 16).unwrap()));
    (if control.is_empty() { 0xc4 } else { u8::from_str_radix(control, 16).unwrap() }, to, master)
}

fn frame(control: u8, to: u16, master: u16, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    LinkHeader { control: LinkControl(control), destination: LinkAddress(to), source: LinkAddress(master) }
        .emit(data, &mut out);
    out
}

/// Flips a bit in the CRC of a block, 0 for the header's.
fn damage(mut frame: Vec<u8>, block: usize) -> Vec<u8> {
    let at = if block == 0 { 8 } else { (10 + 18 * block - 2).min(frame.len() - 2) };
    frame[at] ^= 1;
    frame
}

fn shown(fragments: &[Vec<u8>]) -> String {
    fragments.iter().fold(String::new(), |mut text, fragment| {
        let _ =
            write!(text, "{}", fragment.iter().fold("[".to_owned(), |it, octet| format!("{it}{octet:02X} ")));
        text + "]"
    })
}

/// One line of a case; what is wrong with what came.
fn step(rig: &mut Rig, line: &str) -> Result<(), String> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let pending = |rig: &Rig| {
        let fragments: Vec<Vec<u8>> = rig.fragments.iter().cloned().collect();
        format!("fragments {} links {:02x?}", shown(&fragments), rig.links)
    };
    match word {
        "<" => {
            let got = rig.fragments.pop_front().unwrap_or_default();
            let (expected, open) = rest.strip_suffix("..").map_or((rest, false), |front| (front, true));
            let expected = hex(expected);
            if got == expected || (open && got.starts_with(&expected)) {
                return Ok(());
            }
            return Err(format!("expected {rest}, got {}", shown(&[got])));
        }
        "L" => {
            let got = rig.links.pop_front();
            return if got == hex(rest).first().copied() {
                Ok(())
            } else {
                Err(format!("{line}: got {got:02x?}"))
            };
        }
        "-" => {
            let quiet = rig.fragments.is_empty() && rig.links.is_empty();
            return if quiet { Ok(()) } else { Err(format!("nothing more expected, got {}", pending(rig))) };
        }
        "op" => {
            let got = rig.process.operated.len();
            return if got.to_string() == rest { Ok(()) } else { Err(format!("{line}: got {got}")) };
        }
        "closed" => return if rig.closed { Ok(()) } else { Err("the connection stayed".to_owned()) },
        "connect" => {
            rig.connect();
            rig.measure_all();
        }
        "~" => rig.advance(Duration::from_millis(rest.parse().unwrap())),
        "=" => rig.receive(&hex(rest)),
        "crc" => {
            let (block, rest) = rest.split_once(' ').unwrap();
            let frames = rig.frames(&hex(rest), 0xc4, rig.own);
            rig.receive(&damage(frames, block.parse().unwrap()));
        }
        "seg" => rig.receive(&frame(0xc4, rig.own, rig.master, &hex(rest))),
        "link" => {
            let (control, to, master) = ends(rest, rig);
            rig.receive(&frame(control, to, master, &[]));
        }
        "set" => {
            let words: Vec<&str> = rest.split(' ').collect();
            let kind = match words[0] {
                "bi" => PointKind::BinaryInput,
                "db" => PointKind::DoubleBitInput,
                "co" => PointKind::Counter,
                "ai" => PointKind::AnalogInput,
                other => panic!("input {other}"),
            };
            rig.update(kind, words[1].parse().unwrap(), words[2].parse().unwrap());
        }
        word if word.starts_with('>') => {
            let (control, to, master) = ends(&word[1..], rig);
            let own = std::mem::replace(&mut rig.master, master);
            let frames = rig.frames(&hex(rest), control, to);
            rig.master = own;
            rig.receive(&frames);
        }
        other => panic!("a step called {other:?}"),
    }
    Ok(())
}

#[test]
fn every_case_of_the_table_is_answered_as_it_says() {
    let (mut names, mut failed) = (BTreeSet::new(), Vec::new());
    for case in CASES.split("\ncase ").skip(1) {
        let (title, steps) = case.split_once('\n').unwrap();
        let parts: Vec<&str> = title.split(" | ").map(str::trim).collect();
        assert!(parts.len() >= 2 && !parts[1].is_empty(), "{title}: no source");
        assert!(names.insert(parts[0]), "two cases are called {title}");
        let mut rig = rig(parts.get(2).copied().unwrap_or_default());
        let lines = steps.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        for (number, line) in lines.enumerate() {
            if let Err(problem) = step(&mut rig, line) {
                failed.push(format!("{} (step {}): {problem}", parts[0], number + 1));
                break;
            }
        }
    }
    println!("{} cases", names.len());
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), names.len(), failed.join("\n"));
    assert!(names.len() >= 80);
}
