//! Controllers: identity, limits, wiring, register map and DNP3 point map.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_spanned::Spanned;

use crate::FileError;
use crate::dnp3::{ControlModel, Operation, OutstationSettings};
use crate::file::Source;

/// One of Modbus's four tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Table {
    /// Bits that a client may write (functions 1, 5, 15).
    Coil,
    /// Bits that a client only reads (function 2).
    Discrete,
    /// Registers that a client only reads (function 4).
    Input,
    /// Registers that a client may write (functions 3, 6, 16, 22, 23).
    Holding,
}

impl Table {
    /// Whether its entries are single bits.
    pub const fn is_bits(self) -> bool {
        matches!(self, Self::Coil | Self::Discrete)
    }

    /// Whether the protocol has a function that writes it.
    pub const fn is_writable(self) -> bool {
        matches!(self, Self::Coil | Self::Holding)
    }

    /// The word in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Coil => "coil",
            Self::Discrete => "discrete",
            Self::Input => "input",
            Self::Holding => "holding",
        }
    }
}

/// How a value lies in registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// One bit.
    Bool,
    /// One register, unsigned.
    #[default]
    U16,
    /// One register, two's complement.
    I16,
    /// Two registers, IEEE 754 single, most significant word first.
    F32,
}

impl Encoding {
    /// Addresses it takes.
    pub const fn width(self) -> u16 {
        if matches!(self, Self::F32) { 2 } else { 1 }
    }
}

/// What a client's write does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// The device answers exception 2.
    #[default]
    Read,
    /// The value is taken at the next scan.
    Write,
    /// The value is taken and overwritten by the next scan, as with a copy of an input.
    Refreshed,
}

/// One line of a register map.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterEntry {
    /// Which table.
    pub table: Table,
    /// Address as on the wire, counted from 0 (documents that say 40041 mean 40).
    pub address: Spanned<u16>,
    /// The tag whose value it holds.
    pub tag: Spanned<String>,
    /// How the value lies there.
    #[serde(default)]
    pub encoding: Encoding,
    /// Engineering units per count.
    #[serde(default = "one")]
    pub scale: f64,
    /// Engineering value of count 0.
    #[serde(default)]
    pub offset: f64,
    /// What a write does.
    #[serde(default)]
    pub access: Access,
}

fn one() -> f64 {
    1.0
}

impl RegisterEntry {
    /// The engineering value as registers, most significant first; saturates at the ends of the encoding, NaN is 0.
    pub fn encode(&self, value: f64) -> [u16; 2] {
        let counts = ((value - self.offset) / self.scale).round();
        match self.encoding {
            Encoding::Bool => [u16::from(value >= 0.5), 0],
            Encoding::U16 => [counts as u16, 0],
            Encoding::I16 => [(counts as i16).cast_unsigned(), 0],
            Encoding::F32 => {
                let bits = (((value - self.offset) / self.scale) as f32).to_bits();
                [(bits >> 16) as u16, bits as u16]
            }
        }
    }

    /// The engineering value of registers; `words[1]` matters for two-register encodings only.
    pub fn decode(&self, words: [u16; 2]) -> f64 {
        let raw = match self.encoding {
            Encoding::Bool => return f64::from(u8::from(words[0] != 0)),
            Encoding::U16 => f64::from(words[0]),
            Encoding::I16 => f64::from(words[0].cast_signed()),
            Encoding::F32 => f64::from(f32::from_bits(u32::from(words[0]) << 16 | u32::from(words[1]))),
        };
        raw * self.scale + self.offset
    }
}

/// Kinds of DNP3 points (IEEE 1815-2012, clause 11: point types), as far as they stand for values of a plant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PointKind {
    /// A bit that is read.
    BinaryInput,
    /// Two bits of one switch: 0 under way, 1 open, 2 closed, 3 faulty.
    DoubleBitInput,
    /// A bit that is commanded, and its state.
    BinaryOutput,
    /// Something counted.
    Counter,
    /// A number that is read.
    AnalogInput,
    /// A number that is commanded, and its state.
    AnalogOutput,
}

impl PointKind {
    /// The word in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BinaryInput => "binary_input",
            Self::DoubleBitInput => "double_bit_input",
            Self::BinaryOutput => "binary_output",
            Self::Counter => "counter",
            Self::AnalogInput => "analog_input",
            Self::AnalogOutput => "analog_output",
        }
    }

    /// Whether masters command it.
    pub const fn is_output(self) -> bool {
        matches!(self, Self::BinaryOutput | Self::AnalogOutput)
    }
}

/// One line of a DNP3 point map.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointEntry {
    /// Which kind.
    pub kind: PointKind,
    /// Its index among the points of that kind, counted from 0.
    pub index: Spanned<u16>,
    /// The tag whose value it holds.
    pub tag: Spanned<String>,
    /// Engineering units per count.
    #[serde(default = "one")]
    pub scale: f64,
    /// Engineering value of count 0.
    #[serde(default)]
    pub offset: f64,
    /// The tag of the other contact of a double-bit input, which is 1 when the thing is open. Without one the two contacts
    /// always agree.
    #[serde(default)]
    pub opposite: Option<Spanned<String>>,
    /// The tag that commands write, where it is not `tag`.
    #[serde(default)]
    pub command: Option<Spanned<String>>,
    /// The tag that a trip writes, where close and trip have outputs of their own.
    #[serde(default)]
    pub trip: Option<Spanned<String>>,
    /// Class of its changes, 1 to 3; 0 for none.
    #[serde(default)]
    pub class: u8,
    /// Class of commands to it as events (group 13), of a counter's frozen values; 0 for none.
    #[serde(default)]
    pub second_class: u8,
    /// Variation of its present value where the master leaves it open.
    #[serde(default)]
    pub static_variation: Option<u8>,
    /// Variation of its changes where the master leaves it open.
    #[serde(default)]
    pub event_variation: Option<u8>,
    /// Changes of up to this much, in counts, are no events.
    #[serde(default)]
    pub deadband: f64,
    /// How a binary output takes commands.
    #[serde(default)]
    pub model: ControlModel,
    /// How the site's masters command it; none where that is not written down.
    #[serde(default)]
    pub operation: Option<Operation>,
    /// Least setpoint that is taken, in counts.
    #[serde(default = "least")]
    pub min: f64,
    /// Greatest setpoint that is taken, in counts.
    #[serde(default = "most")]
    pub max: f64,
}

fn least() -> f64 {
    f64::MIN
}

fn most() -> f64 {
    f64::MAX
}

impl PointEntry {
    /// Its tags: the one that it reports, and those of contacts and commands.
    pub fn tags(&self) -> impl Iterator<Item = &Spanned<String>> {
        std::iter::once(&self.tag).chain(&self.opposite).chain(&self.command).chain(&self.trip)
    }

    /// The value in counts.
    pub fn encode(&self, value: f64) -> f64 {
        (value - self.offset) / self.scale
    }

    /// The engineering value of what the outstation reports.
    pub fn decode(&self, raw: f64) -> f64 {
        raw * self.scale + self.offset
    }
}

/// Highest link address that a DNP3 outstation may have; those above are reserved, or mean several (IEEE 1815-2012,
/// 9.2.5.2).
pub const OUTSTATION_MAX: u16 = 0xffef;

/// One controller as its documentation describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// `PLC-1`.
    pub name: Spanned<String>,
    /// Host it answers on.
    pub host: Spanned<String>,
    /// What it does in the plant.
    pub description: String,
    /// Modbus unit id; 0 where it speaks no Modbus.
    #[serde(default)]
    pub unit_id: u8,
    /// Vendor name, as function 43/14 object 0 says it. Fictional.
    pub vendor: String,
    /// Product code, object 1.
    pub product_code: String,
    /// Revision, object 2.
    pub revision: String,
    /// Product name, object 4.
    pub product_name: String,
    /// Scan period.
    pub scan_ms: u64,
    /// Clients it takes at once; further connections are reset.
    pub max_connections: usize,
    /// Requests served in one scan; the rest wait for the next.
    pub requests_per_scan: usize,
    /// Seconds without a request after which it drops a connection.
    pub idle_timeout_s: u64,
    /// Modbus function codes it supports; others get exception 1.
    #[serde(default)]
    pub functions: Vec<u8>,
    /// Hosts that write to it in ordinary operation.
    pub writers: Vec<Spanned<String>>,
    /// Instrument and switch tags wired to its inputs.
    pub inputs: Vec<Spanned<String>>,
    /// Actuator tags wired to its outputs.
    pub outputs: Vec<Spanned<String>>,
    /// Register map; none where it speaks no Modbus.
    #[serde(rename = "register", default)]
    pub registers: Vec<RegisterEntry>,
    /// DNP3 link address, where it is an outstation.
    #[serde(default)]
    pub outstation: Option<Spanned<u16>>,
    /// DNP3 point map.
    #[serde(rename = "point", default)]
    pub points: Vec<PointEntry>,
    /// How it behaves as an outstation.
    #[serde(default)]
    pub dnp3: OutstationSettings,
}

impl Device {
    /// First entry of the map that holds a tag and satisfies `wanted`.
    pub fn entry(&self, tag: &str, wanted: impl Fn(&RegisterEntry) -> bool) -> Option<&RegisterEntry> {
        self.registers.iter().find(|entry| entry.tag.get_ref() == tag && wanted(entry))
    }

    /// Checks the outstation and its point map, apart from the names of its tags.
    pub(crate) fn check_points(&self, source: &Source<'_>) -> Result<(), FileError> {
        match (&self.outstation, self.points.first()) {
            (None, Some(point)) => {
                return Err(source.error(
                    &point.tag,
                    format!("{} has DNP3 points and no link address", self.name.get_ref()),
                    "add outstation = 10 (its link address) to the device",
                ));
            }
            (Some(address), _) if *address.get_ref() > OUTSTATION_MAX => {
                return Err(source.error(
                    address,
                    format!("{} is no address of an outstation: DNP3 reserves it", address.get_ref()),
                    format!("choose one of 0 to {OUTSTATION_MAX}"),
                ));
            }
            (Some(address), _) => self.dnp3.check(source, address)?,
            _ => {}
        }
        let mut taken = BTreeMap::new();
        for point in &self.points {
            let (kind, index, tag) = (point.kind, *point.index.get_ref(), point.tag.get_ref());
            if point.scale == 0.0 || !point.scale.is_finite() || !point.offset.is_finite() {
                return Err(source.error(
                    &point.tag,
                    format!("{tag}: scale must not be 0, and scale and offset are numbers"),
                    "leave scale out for one unit per count",
                ));
            }
            if let Some(other) = taken.insert((kind, index), tag) {
                return Err(source.error(
                    &point.index,
                    format!("{} {index} is both {other} and {tag}", kind.as_str()),
                    "give each point an index of its own among those of its kind",
                ));
            }
            crate::dnp3::check_point(source, point)?;
        }
        Ok(())
    }

    /// The output through which a master commands a tag.
    pub fn output(&self, tag: &str) -> Option<&PointEntry> {
        self.points.iter().find(|point| point.kind.is_output() && point.tag.get_ref() == tag)
    }

    /// Whether it answers Modbus.
    pub fn speaks_modbus(&self) -> bool {
        self.unit_id != 0 || !self.registers.is_empty()
    }

    /// The entry through which a client writes a tag.
    pub fn writable_entry(&self, tag: &str) -> Option<&RegisterEntry> {
        self.entry(tag, |entry| entry.access == Access::Write)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(encoding: Encoding, scale: f64) -> RegisterEntry {
        RegisterEntry {
            table: Table::Holding,
            address: Spanned::new(0..0, 0),
            tag: Spanned::new(0..0, String::new()),
            encoding,
            scale,
            offset: 0.0,
            access: Access::Write,
        }
    }

    #[test]
    fn values_survive_their_encoding() {
        for (encoding, scale, value) in [
            (Encoding::U16, 1.0, 11_100.0),
            (Encoding::I16, 0.1, -12.3),
            (Encoding::F32, 1.0, 7.25),
            (Encoding::Bool, 1.0, 1.0),
        ] {
            let entry = entry(encoding, scale);
            assert!((entry.decode(entry.encode(value)) - value).abs() < 1e-6, "{encoding:?}");
        }
    }

    /// A device with a point map, of which one thing is altered; the line, the problem, and that there is a fix.
    #[track_caller]
    fn check_altered(from: &str, to: &str, line: usize, problem: &str) {
        let text = include_str!("../sites/waterworks.toml");
        let at = text.find("\n[[device]]").unwrap();
        let before = text[..at].lines().count();
        let device = r#"
[[device]]
name = "RTU-9"
host = "plc-3"
description = "An outstation"
vendor = "v"
product_code = "p"
revision = "1"
product_name = "n"
scan_ms = 100
max_connections = 2
requests_per_scan = 4
idle_timeout_s = 60
writers = ["hmi"]
inputs = []
outputs = []
outstation = 10
point = [
  { kind = "analog_input", index = 0, tag = "LIT-401", scale = 0.001 },
  { kind = "analog_input", index = 1, tag = "FIT-401", scale = 0.1, offset = -5.0 },
]
"#;
        let whole = |device: &str| format!("{}{device}{}", &text[..at], &text[at..]);
        let site = crate::Site::parse("s.toml", &whole(device)).unwrap();
        let point = &site.device("RTU-9").unwrap().points[1];
        assert!((point.decode(100.0) - 5.0).abs() < 1e-9);
        assert!(device.contains(from), "{from:?}");
        let error = crate::Site::parse("s.toml", &whole(&device.replacen(from, to, 1))).unwrap_err();
        assert!(error.problem.contains(problem) && !error.fix.is_empty(), "{error}");
        assert_eq!(error.line - before, line, "{error}");
    }

    #[test]
    fn a_point_map_that_makes_no_sense_is_an_error_with_line_and_fix() {
        check_altered("outstation = 10\n", "\n", 19, "no link address");
        check_altered("outstation = 10", "outstation = 65533", 17, "reserves it");
        check_altered("index = 1", "index = 0", 20, "is both LIT-401 and FIT-401");
        check_altered("tag = \"FIT-401\"", "tag = \"FIT-409\"", 20, "no tag is called");
        check_altered("scale = 0.1", "scale = 0.0", 20, "scale must not be 0");
        check_altered("analog_input", "analogue_input", 19, "unknown variant");
        check_altered("scale = 0.1", "scaling = 0.1", 20, "unknown field");
    }

    #[test]
    fn a_value_too_large_saturates() {
        let entry = entry(Encoding::U16, 0.1);
        assert_eq!(entry.encode(11_100.0), [65_535, 0]);
        assert_eq!(entry.encode(-1.0), [0, 0]);
        assert_eq!(entry.encode(f64::NAN), [0, 0]);
    }
}
