//! The recorded conformance procedures against our outstation.
//!
//! Each log of `../shared/captures/iti/conformance` is one published procedure as a conformance tool ran it against opendnp3: what
//! the master sent, what was changed at the inputs, and in words what the answer has to be. The master's octets are played to our
//! outstation at the times of the log, the inputs are changed as noted, and what the notes ask for is checked. A note that this file
//! does not know is a failure. What comes out is a table, `testdata/dnp3-conformance.md`; run with `UPDATE=1` to write it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use plcs::outstation::Action;
use record::VirtualTime;
use site::dnp3::Outstation as Map;
use wire::dnp3::object::Qualifier;
use wire::dnp3::response::Item;
use wire::dnp3::{Fragment, FunctionCode, Iin, PointKind, Response};

use super::dnp3_rig::Rig;

/// Procedures that may fail, with the reason. None does.
const FAILURES: &[(&str, &str)] = &[];

const TABLE: &str = "testdata/dnp3-conformance.md";

#[derive(Debug)]
struct Row {
    time_ms: u64,
    class: String,
    text: String,
}

fn rows(html: &str) -> Vec<Row> {
    let cell = |part: &str| part.split("</td>").next().unwrap_or_default().trim().to_owned();
    html.split("<tr ")
        .skip(1)
        .map(|row| {
            let class = row.split('"').nth(1).unwrap_or_default().to_owned();
            let cells: Vec<String> = row.split("<td>").skip(1).map(cell).collect();
            let clock: Vec<f64> = cells[0].split(':').map(|part| part.parse().unwrap()).collect();
            let time_ms = ((clock[0] * 3600.0 + clock[1] * 60.0 + clock[2]) * 1000.0).round() as u64;
            let text = cells[2]
                .replace("&gt;", ">")
                .replace("&lt;", "<")
                .replace("&quot;", "\"")
                .replace("&#39;", "'");
            Row { time_ms, class, text }
        })
        .collect()
}

fn hex(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|octet| u8::from_str_radix(octet, 16).unwrap()).collect()
}

/// The point database that the procedures assume: four inputs of each kind, far apart, and 20 outputs of each kind.
fn map(name: &str, without: &[&str], unsolicited: bool) -> Map {
    let mut points = String::new();
    let mut add = |kind: &str, index: u32, rest: &str| {
        if !without.contains(&kind) {
            let _ = writeln!(
                points,
                "{{ kind = \"{kind}\", index = {index}, tag = \"{kind}-{index}\", {rest} }},"
            );
        }
    };
    for index in [0, 41, 1024, 65_535] {
        add("binary_input", index, "class = 1, event_variation = 1");
        add("double_bit_input", index, "class = 1, event_variation = 1");
        add("counter", index, "class = 2, second_class = 1, static_variation = 2, event_variation = 1");
        add("analog_input", index, "class = 3, static_variation = 2, event_variation = 1");
    }
    for index in 0..20 {
        add("binary_output", index, "model = \"trip_close\"");
        add("analog_output", index, "class = 1, static_variation = 2, event_variation = 1");
    }
    // This one generates 200 events of two kinds that are both of class 1.
    let class_1 = if name == "8.9.2.2" { 400 } else { 200 };
    let text = format!(
        "outstation = 1024\npoint = [\n{points}]\n[dnp3]\nmasters = [1]\nunsolicited = {unsolicited}\ncontrols_max = 4\n\
         cold_restart_ms = 200\nkeep_alive_s = 0\nbuffers = {{ class_1 = {class_1} }}\nselect_timeout_ms = 5000\n"
    );
    Map::parse("conformance.toml", &text).unwrap()
}

/// One procedure being played.
struct Play {
    name: String,
    rig: Rig,
    without: Vec<&'static str>,
    unsolicited: bool,
    local: bool,
    /// What was changed at inputs and is not confirmed yet.
    outstanding: Vec<(PointKind, u16, f64)>,
    /// Latest values of inputs.
    values: BTreeMap<(PointKind, u16), f64>,
    recorded: Vec<f64>,
    /// Fragments that the step at hand is about.
    current: Vec<Vec<u8>>,
    setpoint: Option<f64>,
    checks: usize,
    failures: Vec<String>,
}

impl Play {
    fn new(name: &str) -> Self {
        let mut rig = Rig::new(&map(name, &[], false));
        rig.now = VirtualTime::ZERO;
        Self {
            name: name.to_owned(),
            rig,
            without: Vec::new(),
            unsolicited: false,
            local: false,
            outstanding: Vec::new(),
            values: BTreeMap::new(),
            recorded: Vec::new(),
            current: Vec::new(),
            setpoint: None,
            checks: 0,
            failures: Vec::new(),
        }
    }

    fn cycle_power(&mut self) {
        let now = self.rig.now;
        self.rig = Rig::new(&map(&self.name, &self.without, self.unsolicited));
        self.rig.now = now;
        self.rig.outstation.set_local(self.local);
        self.outstanding.clear();
        self.values.clear();
    }

    fn check(&mut self, holds: bool, what: &str) {
        self.checks += 1;
        if !holds {
            let said: Vec<String> = self.current.iter().map(|fragment| format!("{fragment:02x?}")).collect();
            self.failures.push(format!("{what}; answer {}", said.join(" | ")));
        }
    }

    fn responses(&self) -> Vec<Response<'_>> {
        self.current.iter().map(|fragment| Response::parse(Fragment::new(fragment)).unwrap()).collect()
    }

    fn items(&self) -> Vec<Item<'_>> {
        self.responses().into_iter().flat_map(|response| response.items).collect()
    }

    /// Groups, variations and qualifiers of the answer.
    fn headers(&self) -> Vec<(u8, u8, Qualifier)> {
        let fragments = self.current.iter().map(|fragment| Fragment::new(fragment));
        fragments
            .flat_map(|fragment| {
                fragment.blocks().map(|it| (it.group, it.variation, it.qualifier)).collect::<Vec<_>>()
            })
            .collect()
    }

    fn iin(&self) -> Iin {
        self.current.last().and_then(|fragment| Fragment::new(fragment).iin()).unwrap_or_default()
    }

    fn wants_confirm(&self) -> bool {
        self.current.last().is_some_and(|fragment| Fragment::new(fragment).control().unwrap().wants_confirm())
    }

    fn events(&self) -> Vec<(PointKind, u16, f64)> {
        self.items()
            .into_iter()
            .filter_map(|item| match item {
                Item::Event(event) => Some((event.kind, event.index, event.value)),
                _ => None,
            })
            .collect()
    }

    fn static_values(&self) -> Vec<f64> {
        self.items()
            .into_iter()
            .filter_map(|item| match item {
                Item::Static(point) => Some(point.value),
                _ => None,
            })
            .collect()
    }

    /// The next fragment; what is sent of its own accord is waited for.
    fn pull(&mut self, unsolicited: bool) -> Option<Vec<u8>> {
        for _ in 0..60 {
            let wanted =
                if unsolicited { FunctionCode::UNSOLICITED_RESPONSE } else { FunctionCode::RESPONSE };
            let place = self.rig.fragments.iter().position(|it| Fragment::new(it).function() == Some(wanted));
            if let Some(place) = place {
                return self.rig.fragments.remove(place);
            }
            if !unsolicited {
                return None;
            }
            self.rig.advance(Duration::from_millis(100));
        }
        None
    }

    fn read(&mut self, sequence: Option<u8>, unsolicited: bool) {
        let fragment = self.pull(unsolicited);
        self.current = fragment.into_iter().collect();
        let control = self.current.first().and_then(|it| Fragment::new(it).control());
        let right = control.is_some_and(|it| sequence.is_none_or(|sequence| it.sequence() == sequence));
        self.check(right, "no response with the sequence that was asked for");
        let parsed = self.current.iter().all(|it| Response::parse(Fragment::new(it)).is_ok());
        self.check(parsed, "the response makes no sense");
        if !parsed {
            self.current.clear();
        }
    }

    /// The events that the answer should hold: those generated and not confirmed, of the classes that are asked for.
    fn expect_events(&mut self, limit: Option<usize>) {
        let events = self.events();
        let expected: Vec<_> = match limit {
            Some(limit) => self.outstanding.iter().take(limit).copied().collect(),
            None => self.outstanding.clone(),
        };
        self.check(events == expected, &format!("events {expected:?}, got {events:?}"));
    }

    fn transmit(&mut self, octets: &[u8]) {
        let confirm = octets.get(12) == Some(&0) && octets.len() > 13;
        let (before, written) = (self.rig.outstation.deadline(), self.events().len());
        self.rig.receive(octets);
        // An accepted confirmation ends the wait for it.
        if confirm && self.rig.outstation.deadline() != before {
            self.outstanding.drain(..written.min(self.outstanding.len()));
        }
        let fed_back: Vec<Action> = self.rig.process.operated.clone();
        for action in fed_back {
            if let Action::Analog { index, value } = action {
                self.setpoint = Some(value);
                self.rig.update(PointKind::AnalogOutput, index, value);
            }
        }
    }

    fn updated(&mut self, text: &str) {
        // Updated BI 65535: value=true, flags=81, timestamp=DNPTime(1586534529658)
        let words: Vec<&str> = text.split([' ', ':', ',', '=']).filter(|word| !word.is_empty()).collect();
        let (kind, class) = match words[1] {
            "BI" => (PointKind::BinaryInput, 1),
            "DBBI" => (PointKind::DoubleBitInput, 1),
            "Counter" => (PointKind::Counter, 2),
            "AI" => (PointKind::AnalogInput, 3),
            other => panic!("a point of kind {other}"),
        };
        let value = match words[4] {
            "true" | "DETERMINED_OFF" => 1.0,
            "false" => 0.0,
            "DETERMINED_ON" => 2.0,
            number => number.parse().unwrap(),
        };
        let index: u16 = words[2].parse().unwrap();
        let known = self.values.insert((kind, index), value);
        let first = if kind == PointKind::Counter { 1.0 } else { 0.0 };
        if known.unwrap_or(first) != value {
            self.outstanding.push((kind, index, value));
        }
        let limit = if self.name == "8.9.2.2" && class == 1 { 400 } else { 200 };
        let of_class = |it: &(PointKind, u16, f64)| match it.0 {
            PointKind::Counter => 2,
            PointKind::AnalogInput => 3,
            _ => 1,
        } == class;
        if self.outstanding.iter().filter(|it| of_class(it)).count() > limit {
            let oldest = self.outstanding.iter().position(of_class).unwrap();
            self.outstanding.remove(oldest);
        }
        self.rig.update(kind, index, value);
    }
}

/// Indications by the tool's names.
fn bits(text: &str) -> Vec<Iin> {
    let inner = text.split("IIN(").nth(1).unwrap().split(')').next().unwrap();
    inner
        .split(", ")
        .map(|name| match name {
            "Broadcast" => Iin::BROADCAST,
            "LocalControl" => Iin::LOCAL_CONTROL,
            "DeviceRestart" => Iin::DEVICE_RESTART,
            "FuncNotSupported" => Iin::NO_FUNCTION_CODE_SUPPORT,
            "ObjectUnknown" => Iin::OBJECT_UNKNOWN,
            "ParamError" => Iin::PARAMETER_ERROR,
            "EventBufferOverflow" => Iin::EVENT_BUFFER_OVERFLOW,
            "AlreadyExecuting" => Iin::ALREADY_EXECUTING,
            "ConfigCorrupt" => Iin::CONFIG_CORRUPT,
            "Reserved1" => Iin(1 << 14),
            "Reserved2" => Iin(1 << 15),
            other => panic!("indication {other}"),
        })
        .collect()
}

/// The groups and variations in a sentence.
fn objects(text: &str) -> Vec<(u8, u8)> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .filter_map(|word| {
            let (group, variation) = word.strip_prefix('g')?.split_once('v')?;
            Some((group.parse().ok()?, variation.parse().ok()?))
        })
        .collect()
}

fn number_in(text: &str, before: &str) -> Option<u8> {
    let hex = text.split(before).nth(1)?.split("0x").nth(1)?;
    u8::from_str_radix(hex.get(..2)?, 16).ok()
}

/// An answer to commands in the tool's words.
fn in_words(fragment: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    for block in Fragment::new(fragment).blocks() {
        let width = block.qualifier.range_len().unwrap();
        let count = block.range.count();
        lines.push(format!(
            "g{}v{}, {width}-Byte Count and Index, count: {count}",
            block.group, block.variation
        ));
        for point in block.points() {
            let index = point.index.unwrap();
            lines.push(match point.value {
                wire::dnp3::Value::Crob(crob) => format!(
                    "[{index}] - code: {} count: {} onTime: {} offTime: {} status: {}",
                    crob.control_code, crob.count, crob.on_time_ms, crob.off_time_ms, crob.status.0
                ),
                value => format!(
                    "[{index}] - value: {} status: {}",
                    value.number().unwrap(),
                    point.status.unwrap().0
                ),
            });
        }
    }
    lines
}

const STATIC: &[u8] = &[1, 3, 10, 20, 21, 30, 40, 110];
const CHANGES: &[u8] = &[2, 4, 11, 13, 22, 23, 32, 42, 51, 111];

impl Play {
    fn judge_notes(&mut self, notes: &[String]) {
        let mut notes = notes.iter().peekable();
        while let Some(note) = notes.next() {
            let text = note.trim().trim_start_matches("- ").trim();
            let must = [
                "Verify",
                "Expect",
                "Check",
                "Validat",
                "Read a",
                "Read single",
                "Record",
                "If an uns",
                "If the response is not",
            ];
            if !must.iter().any(|start| text.starts_with(start)) {
                continue;
            }
            if text.contains("exact object header") {
                let mut expected = Vec::new();
                while let Some(line) = notes.peek().map(|note| note.trim().trim_start_matches("- ").trim()) {
                    if !line.starts_with('g') && !line.starts_with('[') {
                        break;
                    }
                    expected.push(line.to_owned());
                    notes.next();
                }
                let got = self.current.last().map(|it| in_words(it)).unwrap_or_default();
                self.check(!expected.is_empty() && got == expected, &format!("{expected:?}, got {got:?}"));
                continue;
            }
            self.judge(text);
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm for each sentence of the logs")]
    fn judge(&mut self, text: &str) {
        let sequence = number_in(text, "sequence");
        let headers = self.headers();
        let has = |groups: &[u8]| headers.iter().all(|(group, _, _)| groups.contains(group));
        if text.starts_with("Read any number of valid responses") || text.starts_with("Read single fragment")
        {
            self.read(sequence, false);
        } else if text.starts_with("Read a single fragment response") {
            self.read(sequence, false);
            let whole = self.current.last().and_then(|it| Fragment::new(it).control());
            self.check(whole.is_some_and(|it| it.is_first() && it.is_last()), "not a single fragment");
        } else if text.starts_with("Read an unsolicited response")
            || text.starts_with("If an unsolicited NULL")
        {
            self.read(None, true);
            if text.contains("NULL") {
                self.check(self.items().is_empty(), text);
            } else {
                let analogs: Vec<_> =
                    self.outstanding.iter().filter(|it| it.0 == PointKind::AnalogInput).copied().collect();
                self.check(self.events() == analogs, "the events of the class that is enabled");
            }
        } else if text.starts_with("Expect no") || text.contains("no link layer frames are received") {
            let quiet = self.rig.fragments.is_empty() && self.rig.links.is_empty();
            self.check(quiet, text);
        } else if text.starts_with("Expect link layer timeout") {
            let quiet = match self.rig.links.pop_front() {
                None => true,
                Some(control) => {
                    number_in(text, "block") == Some(control)
                        || (text.contains("NOT_SUPPORTED") && control == 0x0f)
                }
            };
            self.check(quiet && self.rig.fragments.is_empty(), text);
        } else if text.contains("responds with a valid link frame") {
            self.check(!self.rig.links.is_empty(), text);
        } else if text.contains("frame uses link control block 0x44") {
            self.check(self.rig.headers.iter().all(|header| header.control.0 == 0x44), text);
        } else if text.contains("frame uses link control block") {
            let control = self.rig.links.pop_front();
            let allowed: Vec<Option<u8>> =
                text.split("0x").skip(1).map(|it| u8::from_str_radix(&it[..2], 16).ok()).collect();
            self.check(allowed.contains(&control), text);
        } else if text.contains("response is empty") {
            self.check(!self.current.is_empty() && headers.is_empty(), text);
        } else if text.contains("confirmation is requested") {
            self.check(self.wants_confirm(), text);
        } else if text.starts_with("If the response is not Null") {
            self.check(headers.is_empty() || self.wants_confirm(), text);
        } else if text.contains("IIN field does not contain") {
            let iin = self.iin();
            self.check(bits(text).into_iter().all(|bit| !iin.has(bit)), text);
        } else if text.contains("IIN field contains one of") {
            let iin = self.iin();
            self.check(bits(text).into_iter().any(|bit| iin.has(bit)), text);
        } else if text.contains("IIN field contains") {
            let iin = self.iin();
            self.check(bits(text).into_iter().all(|bit| iin.has(bit)), text);
        } else if text.contains("table 8-3") {
            let ranges = headers.iter().all(|it| matches!(it.2, Qualifier::RANGE_8 | Qualifier::RANGE_16));
            self.check(!headers.is_empty() && has(STATIC) && ranges, text);
        } else if text.contains("table 8-4") || text.contains("only event data or a Null") {
            self.check(has(CHANGES), text);
        } else if text.contains("table 8-5") {
            self.check(
                !headers.is_empty() && headers.iter().all(|it| it.0 == 20 && matches!(it.1, 1 | 2 | 5 | 6)),
                text,
            );
        } else if text.contains("table 8-6") {
            let known = |it: &(u8, u8, Qualifier)| it.0 == 21 && matches!(it.1, 1 | 2 | 5 | 6 | 9 | 10);
            self.check(!headers.is_empty() && headers.iter().all(known), text);
        } else if text.contains("only contains Group40") {
            let ranges = headers.iter().all(|it| matches!(it.2, Qualifier::RANGE_8 | Qualifier::RANGE_16));
            self.check(!headers.is_empty() && has(&[40]) && ranges, text);
        } else if text.contains("Object 22, Variation 1 and/or 2") {
            self.check(headers.iter().all(|it| it.0 == 22 && it.1 <= 2), text);
        } else if text.contains("precedes the") {
            let first = self.current.iter().all(|it| Fragment::new(it).object_octets().first() == Some(&51));
            self.check(first && !self.current.is_empty(), text);
        } else if text.contains("contains only")
            || text.contains("only g51v1")
            || text.contains("only the following")
        {
            let allowed = objects(text);
            self.check(!allowed.is_empty() && headers.iter().all(|it| allowed.contains(&(it.0, it.1))), text);
        } else if text.contains("preceded by a new CTO") {
            self.check(headers.iter().filter(|it| it.0 == 51).count() == 2, text);
        } else if text.contains("8 bit indexing") {
            let indexed =
                |it: &(u8, u8, Qualifier)| matches!(it.2, Qualifier::INDEXED_8 | Qualifier::INDEXED_16);
            self.check(headers.iter().filter(|it| it.0 != 51).all(indexed), text);
        } else if text.contains("timestamps") {
            let now = self.rig.outstation.unix_ms(self.rig.now);
            let near = |time: u64| time <= now && now - time < 120_000;
            let reasonable = self.items().iter().all(|item| match item {
                Item::Event(event) => event.time_ms.is_none_or(near),
                _ => true,
            });
            self.check(reasonable, text);
        } else if text.contains("flag behavior") {
            let online = self.items().iter().all(|item| match item {
                Item::Event(point) | Item::Static(point) => point.flags.0 == 1,
                _ => true,
            });
            self.check(online, text);
        } else if text.contains("a single") && text.contains("Change Event") {
            self.check(self.events().len() == 1, text);
            self.expect_events(Some(1));
        } else if text.contains("with the first") {
            self.expect_events(Some(1));
        } else if text.contains("the rest of")
            || text.contains("all generated")
            || text.contains("in a single response")
            || text.contains("additional data generated")
            || text.contains("previous data followed by")
            || text.contains("values representing the current state of the counters")
        {
            self.expect_events(None);
        } else if text.contains("plus the counts generated") {
            let counts: Vec<f64> = [0, 41, 1024, 65_535]
                .iter()
                .map(|index| self.values.get(&(PointKind::Counter, *index)).copied().unwrap_or(1.0))
                .collect();
            self.check(self.static_values() == counts, text);
        } else if text.contains("match the values recorded previously") {
            self.check(self.static_values() == self.recorded && !self.recorded.is_empty(), text);
        } else if text.starts_with("Record the values") {
            self.recorded = self.static_values();
        } else if text.contains("non zero") {
            let values = self.static_values();
            self.check(!values.is_empty() && values.iter().all(|value| *value > 0.0), text);
        } else if text.contains("all zero") {
            let values = self.static_values();
            self.check(!values.is_empty() && values.iter().all(|value| *value == 0.0), text);
        } else if text.contains("reflects the value sent previously") {
            let value = self.static_values().first().copied();
            self.check(value.is_some() && value == self.setpoint, text);
        } else if text.contains("static data is returned after all event data")
            || text.contains("validity of the returned")
        {
            let items = self.items();
            let first_static =
                items.iter().position(|item| matches!(item, Item::Static(_))).unwrap_or(items.len());
            let events_after = items.iter().skip(first_static).any(|item| matches!(item, Item::Event(_)));
            self.check(!events_after && !items.is_empty(), text);
        } else if text.contains("current state of its inputs") {
            let items = self.items();
            let online =
                items.iter().filter(|item| matches!(item, Item::Static(it) if it.flags.0 == 1)).count();
            self.check(online == items.len() && online >= 16, text);
        } else if text.contains("Time Delay Fine or Coarse") {
            self.check(matches!(self.items().as_slice(), [Item::Delay(delay)] if *delay > 0), text);
        } else if text.contains("FIR and FIN unset") {
            let control = self.current.last().and_then(|it| Fragment::new(it).control());
            self.check(control.is_some_and(|it| !it.is_first() && !it.is_last()), text);
        } else if text.contains("also performs report-by exception") {
            // A device that reports by exception; the rest of the procedure shows it.
            self.check(true, text);
        } else if text.starts_with("Check that no") {
            self.check(self.rig.process.operated.is_empty(), text);
        } else if text.starts_with("Check that") {
            let index: u16 = text.split("point ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
            let place = self.rig.process.operated.iter().position(|action| match action {
                Action::Binary { index: it, .. } => *it == index && text.contains("binary"),
                Action::Analog { index: it, .. } => *it == index && text.contains("analog"),
            });
            self.check(place.is_some(), text);
            place.map(|place| self.rig.process.operated.remove(place));
        } else {
            self.check(false, &format!("a note that is not known: {text}"));
        }
    }
}

/// Outcome, number of checks, reason.
fn play(name: &str, html: &str) -> (&'static str, usize, String) {
    let rows = rows(html);
    if let Some(row) = rows.iter().find(|row| row.text.starts_with("Skipped procedure")) {
        let reason = rows.iter().find(|it| it.text.contains("configuration value"));
        let reason = reason.map_or(row.text.as_str(), |it| it.text.trim_start_matches([' ', '-']));
        return ("not applicable", 0, reason.replace("This procedure was skipped because", "the log:"));
    }
    if rows.iter().any(|row| row.text.contains("Not implemented!")) {
        return ("not applicable", 0, "the tool that made the logs does not implement it".to_owned());
    }
    let mut play = Play::new(name);
    let start = rows[0].time_ms;
    let (mut notes, mut sent, mut mirror): (Vec<String>, Vec<u8>, bool) = (Vec::new(), Vec::new(), false);
    for row in &rows {
        let time = VirtualTime::ZERO + Duration::from_millis(row.time_ms - start);
        let more = row.class == "detail-level-0 transmit data-level-1";
        if !sent.is_empty() && !more {
            // What was read is judged before it is confirmed.
            if sent.get(12) == Some(&0) && sent.len() > 13 {
                play.judge_notes(&std::mem::take(&mut notes));
            }
            play.transmit(&std::mem::take(&mut sent));
        }
        play.rig.advance_to(time);
        if play.rig.closed {
            play.rig.connect();
            if !play.rig.closed {
                play.rig.measure_all();
            }
        }
        match row.class.as_str() {
            "transmit data-level-1" | "detail-level-0 transmit data-level-1" => sent.extend(hex(&row.text)),
            "note" => {
                play.judge_notes(&std::mem::take(&mut notes));
                mirror = false;
            }
            "detail-level-0 note" => match row.text.trim_start_matches([' ', '-']) {
                "Cycle power to the DUT" => play.cycle_power(),
                text if text.starts_with("Configure the DUT such that all") => {
                    let kinds = ["Binary Input", "Binary Output", "Analog Output", "Binary Counter"];
                    let names = ["binary_input", "binary_output", "analog_output", "counter"];
                    let place = kinds.iter().position(|kind| text.contains(kind)).unwrap();
                    play.without.push(names[place]);
                    play.cycle_power();
                }
                text if text.starts_with("Configure the unsolicited response mode") => {
                    play.unsolicited = true;
                }
                text if text.starts_with("Change the DUT's global switch") => {
                    play.local = true;
                }
                text if text.starts_with("Repeat these steps") => {
                    notes.clear();
                    mirror = true;
                }
                _ => notes.push(row.text.clone()),
            },
            "info" if row.text.starts_with("Updated") => play.updated(&row.text),
            // Steps that are repeated have no notes of their own: what came then has to come now.
            "receive data-level-2" if mirror && !row.text.contains("USER_DATA") => {
                let control = number_in(&row.text, ")");
                let ours = play.rig.links.pop_front();
                play.check(ours.is_some() && ours == control, &row.text);
            }
            "receive data-level-4" if mirror => play.read(number_in(&row.text, "seq:"), false),
            _ => {}
        }
    }
    play.judge_notes(&std::mem::take(&mut notes));
    let log_passed = rows.iter().any(|row| row.text.starts_with("Passed procedure"));
    assert!(log_passed, "{name}: the log has no end");
    match (play.failures.is_empty(), play.checks) {
        (_, 0) => ("not applicable", 0, "the procedure sends nothing and asks for nothing".to_owned()),
        (true, checks) => ("pass", checks, String::new()),
        (false, checks) => ("fail", checks, play.failures.join("; then ")),
    }
}

#[test]
fn our_outstation_answers_the_recorded_procedures_as_they_prescribe() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let logs = root.join("../shared/captures/iti/conformance");
    if !logs.exists() {
        eprintln!("SKIPPED: {} does not exist, no procedure was played", logs.display());
        return;
    }
    let mut procedures: Vec<_> =
        std::fs::read_dir(&logs).unwrap().map(|entry| entry.unwrap().path()).collect();
    procedures.sort();
    let mut table = String::from(
        "# Conformance procedures against our outstation\n\n\
         Written by the test `our_outstation_answers_the_recorded_procedures_as_they_prescribe` (`plcs/tests/it/dnp3_conformance.rs`): the\n\
         master's octets of each recorded procedure, played to our outstation; what its log prescribes, checked.\n\n\
         | procedure | result | checks | reason |\n|---|---|---|---|\n",
    );
    let (mut counts, mut unlisted) = (BTreeMap::new(), Vec::new());
    for procedure in &procedures {
        let name = procedure.file_name().unwrap().to_string_lossy().into_owned();
        let html = std::fs::read_to_string(procedure.join("log.html")).unwrap();
        let (result, checks, reason) = play(&name, &html);
        let listed = FAILURES.iter().find(|(known, _)| *known == name);
        if result == "fail" && listed.is_none() {
            unlisted.push(format!("{name}: {reason}"));
        }
        let reason = listed.map_or(reason.as_str(), |(_, why)| why);
        let _ = writeln!(table, "| {name} | {result} | {checks} | {reason} |");
        *counts.entry(result).or_insert(0) += 1;
    }
    let _ = writeln!(table, "\n{} procedures: {counts:?}", procedures.len());
    println!("{table}");
    assert!(unlisted.is_empty(), "{}", unlisted.join("\n"));
    assert!(procedures.len() >= 80, "logs are missing");
    let path = root.join(TABLE);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == table, "{TABLE} is not what the test found: run it with UPDATE=1");
}
