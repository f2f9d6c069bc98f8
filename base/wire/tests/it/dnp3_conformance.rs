//! DNP3 against an independent decoder: the logs of the conformance test tool.
//!
//! Each log holds the octets of every frame, and what the tool read from them: application header, object headers, points
//! with index, flags, value and time. The octets are read here and told in the tool's words; both must agree, line for
//! line. Runs only where the captures lie beside the workspace, in `../shared/captures`, and says so where they do not.

use std::fmt::Write as _;
use std::path::Path;

use wire::dnp3::link::{Framing, next_frame};
use wire::dnp3::object::{EventTime, Prefix, Range};
use wire::dnp3::{Block, Fragment, Iin, Point, Reassembly, Value};

/// Logs whose lines are not the tool's reading of the octets beside them, and why.
const DIFFERENT: &[(&str, &str, &str)] = &[
    ("6.6.2.5", "transmit", "frames made by hand, which the tool does not tell"),
    ("8.9.2.2", "transmit", "a sequence number of 0x29, of which four bits go on the wire"),
];

/// Octets and words of one direction.
#[derive(Debug, Default)]
struct Told {
    octets: Vec<u8>,
    lines: Vec<String>,
}

#[test]
fn points_are_read_as_the_conformance_tool_reads_them() {
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/captures/iti/conformance");
    if !logs.exists() {
        eprintln!("SKIPPED: {} does not exist, nothing was compared", logs.display());
        return;
    }
    let mut procedures: Vec<_> =
        std::fs::read_dir(&logs).unwrap().map(|entry| entry.unwrap().path()).collect();
    procedures.sort();
    let (mut compared, mut points, mut failed) = (0, 0, Vec::new());
    for procedure in &procedures {
        let name = procedure.file_name().unwrap().to_string_lossy().into_owned();
        let html = std::fs::read_to_string(procedure.join("log.html")).unwrap();
        for direction in ["transmit", "receive"] {
            let told = read_log(&html, direction);
            let ours = read_octets(&told.octets);
            compared += ours.len();
            points += ours.iter().filter(|line| line.starts_with('[')).count();
            if ours != told.lines
                && !DIFFERENT.iter().any(|(log, side, _)| *log == name && *side == direction)
            {
                let at = ours.iter().zip(&told.lines).position(|(one, other)| one != other);
                let at = at.unwrap_or(ours.len().min(told.lines.len()));
                failed.push(format!(
                    "{name} {direction} line {at}: ours {:?}, theirs {:?}",
                    ours.get(at),
                    told.lines.get(at)
                ));
            }
        }
    }
    println!("{} logs, {compared} lines, {points} points", procedures.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(points > 3000, "the logs were not read");
}

/// Rows of the log are table rows with a class: direction, and level 1 for octets, 4 for the application layer.
fn read_log(html: &str, direction: &str) -> Told {
    let mut told = Told::default();
    for row in html.split("<tr ").skip(1) {
        let class = row.split('"').nth(1).unwrap_or_default();
        let cell = row.split("<td>").nth(3).and_then(|cell| cell.split("</td>").next()).unwrap_or_default();
        let text = cell.trim().replace("&gt;", ">").replace("&lt;", "<");
        if !class.contains(direction) {
        } else if class.ends_with("data-level-1") {
            told.octets.extend(super::hex(&text));
        } else if class.ends_with("data-level-4") {
            told.lines.push(normal(&text));
        }
    }
    told
}

/// Function and indications in an order of our own: the tool's differs from row to row.
fn normal(line: &str) -> String {
    let Some((_, rest)) = line.split_once("(0x").filter(|_| line.contains("fir:")) else {
        return line.to_owned();
    };
    let (head, iin) = rest.split_once(" IIN(").unwrap_or((rest, ""));
    let mut names: Vec<_> = iin.trim_end_matches(')').split(", ").filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    format!("{head} {}", names.join(" ")).trim_end().to_owned()
}

fn read_octets(stream: &[u8]) -> Vec<String> {
    let (mut reassembly, mut lines, mut left) = (Reassembly::default(), Vec::new(), stream);
    loop {
        match next_frame(left) {
            Framing::Whole { frame, consumed } => {
                left = &left[consumed..];
                let mut data = Vec::new();
                // What some procedures damage on purpose has no reading.
                if frame.user_data(&mut data).is_ok()
                    && frame.header.control.has_user_data()
                    && let Some(fragment) = reassembly.push(&data, 4096).fragment
                {
                    tell(&Fragment::new(fragment), &mut lines);
                }
            }
            Framing::Noise { consumed, .. } => left = &left[consumed..],
            Framing::Short { .. } => return lines,
        }
    }
}

fn tell(fragment: &Fragment<'_>, lines: &mut Vec<String>) {
    let (control, function) = (fragment.control().unwrap(), fragment.function().unwrap());
    let bit = u8::from;
    let mut line = format!(
        "{:02X}) fir: {} fin: {} con: {} uns: {} seq: 0x{:02X}",
        function.0,
        bit(control.is_first()),
        bit(control.is_last()),
        bit(control.wants_confirm()),
        bit(control.is_unsolicited()),
        control.sequence()
    );
    let mut names: Vec<_> = indications(fragment.iin().unwrap_or_default());
    names.sort_unstable();
    for name in names {
        let _ = write!(line, " {name}");
    }
    lines.push(line);
    let mut blocks = fragment.blocks();
    for block in blocks.by_ref() {
        lines.push(header(&block));
        lines.extend(block.points().map(|point| tell_point(&block, &point)));
    }
    assert_eq!(blocks.trouble(), None);
}

/// The tool's names of indications.
fn indications(iin: Iin) -> Vec<&'static str> {
    let names = [
        (Iin::BROADCAST, "Broadcast"),
        (Iin::CLASS_1_EVENTS, "Class1Events"),
        (Iin::CLASS_2_EVENTS, "Class2Events"),
        (Iin::CLASS_3_EVENTS, "Class3Events"),
        (Iin::NEED_TIME, "NeedTime"),
        (Iin::LOCAL_CONTROL, "LocalControl"),
        (Iin::DEVICE_TROUBLE, "DeviceTrouble"),
        (Iin::DEVICE_RESTART, "DeviceRestart"),
        (Iin::NO_FUNCTION_CODE_SUPPORT, "FuncNotSupported"),
        (Iin::OBJECT_UNKNOWN, "ObjectUnknown"),
        (Iin::PARAMETER_ERROR, "ParamError"),
        (Iin::EVENT_BUFFER_OVERFLOW, "EventBufferOverflow"),
    ];
    names.into_iter().filter(|(bit, _)| iin.has(*bit)).map(|(_, name)| name).collect()
}

fn header(block: &Block<'_>) -> String {
    let width = block.qualifier.range_len().unwrap();
    let text = match (block.range, block.qualifier.prefix()) {
        (Range::All, _) => "All Objects".to_owned(),
        (Range::StartStop { start, stop }, _) => {
            format!("{}-Byte Start/Stop, start: {start} stop: {stop}", width / 2)
        }
        (Range::Count(count), Prefix::Index(_)) => format!("{width}-Byte Count and Index, count: {count}"),
        (Range::Count(count), _) => format!("{width}-Byte Count, count: {count}"),
        (other, _) => format!("{other:?}"),
    };
    format!("g{}v{}, {text}", block.group, block.variation)
}

fn tell_point(block: &Block<'_>, point: &Point<'_>) -> String {
    let flags = point.flags.unwrap_or_default().0;
    let index = point.index.unwrap_or_default();
    match (point.value, point.time) {
        (Value::Unsigned(delay), _) => format!("delay: {delay}"),
        (Value::Time(time), _) => format!("time: {time}"),
        (Value::Bit(bit), _) if point.flags.is_none() => format!("[{index}] - BooleanValue({bit})"),
        (Value::Bit(_) | Value::DoubleBit(_), Some(EventTime::Absolute(time))) => {
            format!("[{index}] - flags: 0x{flags:02X} time: {time}")
        }
        (Value::Bit(_) | Value::DoubleBit(_), Some(EventTime::Relative(time))) => {
            format!("[{index}] - flags: 0x{flags:02X} cto: {time}")
        }
        (Value::Bit(_) | Value::DoubleBit(_), None) => format!("[{index}] - flags: 0x{flags:02X}"),
        (Value::Counter(count), _) => format!("[{index}] - flags: 0x{flags:02X} count: {count}"),
        (Value::Integer(value), _) if block.group == 41 => {
            format!("[{index}] - value: {value} status: {}", point.status.unwrap().0)
        }
        (Value::Integer(value), _) => format!("[{index}] - flags: 0x{flags:02X} value: {value}"),
        (Value::Crob(crob), _) => format!(
            "[{index}] - code: {} count: {} onTime: {} offTime: {} status: {}",
            crob.control_code, crob.count, crob.on_time_ms, crob.off_time_ms, crob.status.0
        ),
        other => format!("{other:?}"),
    }
}
