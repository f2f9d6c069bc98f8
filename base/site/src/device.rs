//! Controllers: identity, limits, wiring and register map.

use serde::{Deserialize, Serialize};
use serde_spanned::Spanned;

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
    /// Modbus unit id.
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
    /// Function codes it supports; others get exception 1.
    pub functions: Vec<u8>,
    /// Hosts that write to it in ordinary operation.
    pub writers: Vec<Spanned<String>>,
    /// Instrument and switch tags wired to its inputs.
    pub inputs: Vec<Spanned<String>>,
    /// Actuator tags wired to its outputs.
    pub outputs: Vec<Spanned<String>>,
    /// Register map.
    #[serde(rename = "register")]
    pub registers: Vec<RegisterEntry>,
}

impl Device {
    /// First entry of the map that holds a tag and satisfies `wanted`.
    pub fn entry(&self, tag: &str, wanted: impl Fn(&RegisterEntry) -> bool) -> Option<&RegisterEntry> {
        self.registers.iter().find(|entry| entry.tag.get_ref() == tag && wanted(entry))
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

    #[test]
    fn a_value_too_large_saturates() {
        let entry = entry(Encoding::U16, 0.1);
        assert_eq!(entry.encode(11_100.0), [65_535, 0]);
        assert_eq!(entry.encode(-1.0), [0, 0]);
        assert_eq!(entry.encode(f64::NAN), [0, 0]);
    }
}
