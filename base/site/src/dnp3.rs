//! Outstations: how a controller behaves as one. Address and points stand in the device itself.
//!
//! ```toml
//! [[device]]
//! outstation = 10
//! point = [
//!     { kind = "double_bit_input", index = 0, tag = "52-75A", class = 1 },
//!     { kind = "analog_input", index = 0, tag = "F-7", class = 2, scale = 0.001, deadband = 10.0 },
//!     { kind = "binary_output", index = 0, tag = "52-75A", command = "52-75A.CMD", model = "trip_close" },
//! ]
//! [device.dnp3]
//! masters = [1]
//! unsolicited = true
//! ```

use serde::{Deserialize, Serialize};
use serde_spanned::Spanned;

use crate::device::{Device, PointEntry, PointKind};
use crate::file::Source;
use crate::{FileError, OUTSTATION_MAX};

/// How a binary output takes commands (the control models of IEEE 1815-2012, annex A, group 12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlModel {
    /// Complementary latch: latch on and latch off; pulse on with close and trip mean the same.
    #[default]
    Latch,
    /// Complementary two-output: pulse on with close and pulse on with trip; latch on and off mean the same.
    TripClose,
    /// Activation: whatever comes, the output is on for the on-time, as often as the count says.
    Pulse,
}

/// How the site's own masters command an output. This is documentation: the outstation takes either, as most devices do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Select, then operate (IEEE 1815-2012, 4.4.4).
    Select,
    /// Direct operate.
    Direct,
}

/// Most events that each class keeps for each master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventBuffers {
    /// Class 1.
    pub class_1: usize,
    /// Class 2.
    pub class_2: usize,
    /// Class 3.
    pub class_3: usize,
}

impl Default for EventBuffers {
    fn default() -> Self {
        Self { class_1: 200, class_2: 200, class_3: 200 }
    }
}

/// A text that the device holds (groups 110 and 111).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextEntry {
    /// Its index.
    pub index: Spanned<u16>,
    /// 1 to 255 octets.
    pub text: String,
    /// Class of its changes, 1 to 3; 0 for none.
    #[serde(default)]
    pub class: u8,
}

/// How a controller behaves as an outstation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutstationSettings {
    /// Link addresses of its masters, 1 to 8; the first is told at once when it connects.
    pub masters: Vec<u16>,
    /// Whether it also answers masters that are not in the list, up to eight in all. Many devices do.
    pub any_master: bool,
    /// Whether it answers to the self address FFFC.
    pub self_address: bool,
    /// Whether it sends unsolicited responses.
    pub unsolicited: bool,
    /// Longest fragment that it sends, 512 to 2048 octets.
    pub fragment_octets: usize,
    /// Time that a master has to confirm.
    pub confirm_timeout_ms: u64,
    /// Time for which events of classes 2 and 3 are gathered before they are reported; class 1 is told at once.
    pub unsolicited_hold_ms: u64,
    /// How often an unsolicited response with events is sent again. The null response is sent until it is confirmed.
    pub unsolicited_retries: u32,
    /// Time from a select to its operate.
    pub select_timeout_ms: u64,
    /// Most commands in one request.
    pub controls_max: usize,
    /// How long a cold restart takes.
    pub cold_restart_ms: u32,
    /// How long a warm restart takes.
    pub warm_restart_ms: u32,
    /// Time after which it asks for the time again; 0 to ask after a restart only.
    pub time_sync_s: u64,
    /// Silence after which it asks for the link's status, and closes the connection when nothing comes; 0 for never.
    pub keep_alive_s: u64,
    /// The tag of its local or remote switch, where it has one: while that is 1 every command is refused as local.
    pub local: Option<Spanned<String>>,
    /// Events that it keeps.
    pub buffers: EventBuffers,
    /// Texts.
    #[serde(rename = "text")]
    pub texts: Vec<TextEntry>,
}

impl Default for OutstationSettings {
    fn default() -> Self {
        Self {
            masters: vec![1],
            any_master: false,
            self_address: false,
            unsolicited: false,
            fragment_octets: 2048,
            confirm_timeout_ms: 5000,
            unsolicited_hold_ms: 0,
            unsolicited_retries: 5,
            select_timeout_ms: 10_000,
            controls_max: 16,
            cold_restart_ms: 5000,
            warm_restart_ms: 1000,
            time_sync_s: 0,
            keep_alive_s: 60,
            local: None,
            buffers: EventBuffers::default(),
            texts: Vec::new(),
        }
    }
}

impl OutstationSettings {
    pub(crate) fn check(&self, source: &Source<'_>, address: &Spanned<u16>) -> Result<(), FileError> {
        let wrong = |problem: &str, fix: &str| Err(source.error(address, problem, fix));
        if self.masters.is_empty() || self.masters.len() > 8 {
            return wrong("an outstation has 1 to 8 masters", "list their link addresses: masters = [1]");
        }
        if self.masters.iter().any(|master| *master > OUTSTATION_MAX) {
            return wrong("DNP3 reserves addresses from 65520 up", "use smaller link addresses for masters");
        }
        if !(512..=2048).contains(&self.fragment_octets) {
            return wrong("fragment_octets must be 512 to 2048", "leave it out for 2048");
        }
        let sizes = [self.buffers.class_1, self.buffers.class_2, self.buffers.class_3];
        if sizes.iter().any(|size| !(1..=10_000).contains(size)) {
            return wrong("a class keeps 1 to 10000 events", "leave buffers out for 200 each");
        }
        for text in &self.texts {
            let twice = self.texts.iter().filter(|it| it.index.get_ref() == text.index.get_ref()).count() > 1;
            if twice || !(1..=255).contains(&text.text.len()) || text.class > 3 {
                return Err(source.error(
                    &text.index,
                    "a text has an index of its own, 1 to 255 octets, and class 0 to 3",
                    "write { index = 0, text = \"...\" }",
                ));
            }
        }
        Ok(())
    }
}

/// A whole outstation: what a device's documentation says of it as one.
#[derive(Clone, Debug)]
pub struct Outstation {
    /// Its link address.
    pub address: u16,
    /// How it behaves.
    pub settings: OutstationSettings,
    /// Its points.
    pub points: Vec<PointEntry>,
}

/// The keys of a device that concern its outstation, in a file of their own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Alone {
    outstation: Spanned<u16>,
    #[serde(rename = "point")]
    points: Vec<PointEntry>,
    #[serde(default)]
    dnp3: OutstationSettings,
}

impl Outstation {
    /// The outstation that a device is, where it is one.
    pub fn of(device: &Device) -> Option<Self> {
        let address = *device.outstation.as_ref()?.get_ref();
        Some(Self { address, settings: device.dnp3.clone(), points: device.points.clone() })
    }

    /// Reads one that stands in a file of its own: `outstation`, `point` and `dnp3` at the top. Tags are not looked up.
    pub fn parse(file: &str, text: &str) -> Result<Self, FileError> {
        let source = Source { file, text };
        let Alone { outstation, points, dnp3 } = source.parse()?;
        if *outstation.get_ref() > OUTSTATION_MAX {
            return Err(source.error(
                &outstation,
                "DNP3 reserves addresses from 65520 up",
                "use a smaller one",
            ));
        }
        dnp3.check(&source, &outstation)?;
        for (number, point) in points.iter().enumerate() {
            let index = point.index.get_ref();
            let same = |it: &&PointEntry| it.kind == point.kind && it.index.get_ref() == index;
            if points.iter().take(number).any(|it| same(&it)) {
                return Err(source.error(
                    &point.index,
                    format!("two points are {} {index}", point.kind.as_str()),
                    "give each point of a kind an index of its own",
                ));
            }
            check_point(&source, point)?;
        }
        Ok(Self { address: *outstation.get_ref(), settings: dnp3, points })
    }

    /// The point of a kind with an index.
    pub fn point(&self, kind: PointKind, index: u16) -> Option<&PointEntry> {
        self.points.iter().find(|point| point.kind == kind && *point.index.get_ref() == index)
    }

    /// The output through which a tag is commanded.
    pub fn output_of(&self, tag: &str) -> Option<&PointEntry> {
        let mut outputs = self.points.iter().filter(|point| point.kind.is_output());
        outputs.find(|point| point.tags().any(|name| name.get_ref() == tag))
    }
}

/// What a point says for itself, apart from its tags and its place among the others.
pub(crate) fn check_point(source: &Source<'_>, point: &PointEntry) -> Result<(), FileError> {
    let what = format!("{} {}", point.kind.as_str(), point.index.get_ref());
    let wrong = |problem: &str, fix: &str| Err(source.error(&point.index, format!("{what}: {problem}"), fix));
    if point.class > 3 || point.second_class > 3 {
        return wrong("classes are 0 to 3", "0 is for changes that are no events");
    }
    if point.scale == 0.0 || !point.scale.is_finite() || !point.offset.is_finite() {
        return wrong("scale must not be 0", "leave scale out for one unit per count");
    }
    if point.deadband.is_nan() || point.deadband < 0.0 {
        return wrong("a deadband is not negative", "leave it out to report every change");
    }
    if point.min.is_nan() || point.max.is_nan() || point.min > point.max {
        return wrong("min is above max", "swap them");
    }
    if (point.command.is_some() || point.trip.is_some()) && !point.kind.is_output() {
        return wrong("nobody commands an input", "remove command and trip");
    }
    if point.operation.is_some() && !point.kind.is_output() {
        return wrong("nobody operates an input", "remove operation");
    }
    if point.trip.is_some() && point.model != ControlModel::TripClose {
        return wrong("trip has an output of its own", "add model = \"trip_close\"");
    }
    let (statics, events): (&[u8], &[u8]) = match point.kind {
        PointKind::BinaryInput | PointKind::DoubleBitInput => (&[1, 2], &[1, 2, 3]),
        PointKind::BinaryOutput => (&[1, 2], &[1, 2]),
        PointKind::Counter => (&[1, 2, 5, 6], &[1, 2, 5, 6]),
        PointKind::AnalogInput => (&[1, 2, 3, 4, 5, 6], &[1, 2, 3, 4, 5, 6, 7, 8]),
        PointKind::AnalogOutput => (&[1, 2, 3, 4], &[1, 2, 3, 4, 5, 6, 7, 8]),
    };
    let known = |variation: Option<u8>, known: &[u8]| variation.is_none_or(|it| known.contains(&it));
    if !known(point.static_variation, statics) || !known(point.event_variation, events) {
        return wrong("there is no such variation", "leave it out for the usual one");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outstation(points: &str) -> Result<Outstation, FileError> {
        Outstation::parse("rtu.toml", &format!("outstation = 10\npoint = [\n{points}\n]\n"))
    }

    #[test]
    fn a_map_is_read_with_its_defaults() {
        let map = outstation(
            r#"{ kind = "analog_input", index = 3, tag = "F-7", class = 2, deadband = 0.01 },
               { kind = "binary_output", index = 0, tag = "52-75A", command = "52-75A.CMD", model = "trip_close" }"#,
        )
        .unwrap();
        let settings = &map.settings;
        assert_eq!(
            (settings.confirm_timeout_ms, settings.buffers.class_3, settings.fragment_octets),
            (5000, 200, 2048)
        );
        assert_eq!(map.point(PointKind::AnalogInput, 3).map(|point| point.class), Some(2));
        assert_eq!(map.output_of("52-75A.CMD").map(|point| point.model), Some(ControlModel::TripClose));
    }

    #[test]
    fn what_makes_no_sense_is_named_with_its_line() {
        for (points, problem) in [
            (
                r#"{ kind = "counter", index = 0, tag = "A" }, { kind = "counter", index = 0, tag = "B" }"#,
                "two points",
            ),
            (r#"{ kind = "counter", index = 0, tag = "A", class = 4 }"#, "classes"),
            (r#"{ kind = "counter", index = 0, tag = "A", event_variation = 3 }"#, "variation"),
            (r#"{ kind = "binary_input", index = 0, tag = "A", command = "B" }"#, "commands an input"),
            (r#"{ kind = "counter", index = 0, tag = "A", operation = "direct" }"#, "operates an input"),
            (r#"{ kind = "binary_output", index = 0, tag = "A", trip = "B" }"#, "output of its own"),
        ] {
            let error = outstation(points).unwrap_err();
            assert!(error.problem.contains(problem) && error.line == 3, "{error}");
        }
        for (text, problem) in [
            ("outstation = 65533\npoint = []", "reserves"),
            ("outstation = 1\npoint = []\n[dnp3]\nmasters = []", "masters"),
            ("outstation = 1\npoint = []\n[dnp3]\nmasters = [65535]", "reserves"),
            ("outstation = 1\npoint = []\n[dnp3]\nfragment_octets = 100", "512"),
        ] {
            let error = Outstation::parse("rtu.toml", text).unwrap_err();
            assert!(error.problem.contains(problem), "{error}");
        }
        let error = Outstation::parse(
            "rtu.toml",
            "outstation = 1\npoint = []\n[dnp3]\ntext = [{ index = 0, text = \"\" }]",
        );
        assert_eq!(error.unwrap_err().line, 4);
    }
}
