//! Application layer: the header of a fragment, and the lenient view of all of it (IEEE 1815-2012, clause 4).
//!
//! ```text
//!    7     6     5     4    3 ... 0
//! +-----+-----+-----+-----+----------+----------+---------------------------+-------------------
//! | FIR | FIN | CON | UNS | sequence | function | IIN, 2 octets, of answers | object headers ...
//! +-----+-----+-----+-----+----------+----------+---------------------------+-------------------
//! ```

use super::FunctionCode;
use super::object::Blocks;

/// The application control octet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AppControl(pub u8);

impl AppControl {
    /// First and last fragment at once, nothing to confirm, solicited; of `sequence` the low four bits.
    pub const fn single(sequence: u8) -> Self {
        Self(0xc0 | sequence & 0x0f)
    }

    /// The same with CON set.
    #[must_use]
    pub const fn with_confirm(self) -> Self {
        Self(self.0 | 0x20)
    }

    /// The same with UNS set.
    #[must_use]
    pub const fn unsolicited(self) -> Self {
        Self(self.0 | 0x10)
    }

    /// First fragment of a message (FIR).
    pub const fn is_first(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// Last fragment of a message (FIN).
    pub const fn is_last(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// An application confirmation is asked for (CON).
    pub const fn wants_confirm(self) -> bool {
        self.0 & 0x20 != 0
    }

    /// An unsolicited response, or the confirmation of one (UNS).
    pub const fn is_unsolicited(self) -> bool {
        self.0 & 0x10 != 0
    }

    /// 0 to 15, then 0 again.
    pub const fn sequence(self) -> u8 {
        self.0 & 0x0f
    }
}

/// Internal indications: what an outstation says of itself in every response (clause 4.2.2.6).
///
/// IIN1.0 is bit 0, IIN2.0 bit 8. Zeek's number, in `dnp3.log`, has the two octets the other way round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Iin(pub u16);

impl Iin {
    /// IIN1.0: a broadcast was received.
    pub const BROADCAST: Self = Self(1);
    /// IIN1.1: events of class 1 wait.
    pub const CLASS_1_EVENTS: Self = Self(1 << 1);
    /// IIN1.2: events of class 2 wait.
    pub const CLASS_2_EVENTS: Self = Self(1 << 2);
    /// IIN1.3: events of class 3 wait.
    pub const CLASS_3_EVENTS: Self = Self(1 << 3);
    /// IIN1.4: the time is to be set.
    pub const NEED_TIME: Self = Self(1 << 4);
    /// IIN1.5: some outputs are under local control.
    pub const LOCAL_CONTROL: Self = Self(1 << 5);
    /// IIN1.6: something is wrong with the device.
    pub const DEVICE_TROUBLE: Self = Self(1 << 6);
    /// IIN1.7: the device has restarted.
    pub const DEVICE_RESTART: Self = Self(1 << 7);
    /// IIN2.0: the function code is not supported.
    pub const NO_FUNCTION_CODE_SUPPORT: Self = Self(1 << 8);
    /// IIN2.1: an object is unknown.
    pub const OBJECT_UNKNOWN: Self = Self(1 << 9);
    /// IIN2.2: a parameter is wrong: qualifier, range or data.
    pub const PARAMETER_ERROR: Self = Self(1 << 10);
    /// IIN2.3: events were lost, because the buffer is full.
    pub const EVENT_BUFFER_OVERFLOW: Self = Self(1 << 11);
    /// IIN2.4: what was asked for is being done already.
    pub const ALREADY_EXECUTING: Self = Self(1 << 12);
    /// IIN2.5: the configuration is corrupt.
    pub const CONFIG_CORRUPT: Self = Self(1 << 13);

    const NAMES: [&'static str; 16] = [
        "BROADCAST",
        "CLASS_1_EVENTS",
        "CLASS_2_EVENTS",
        "CLASS_3_EVENTS",
        "NEED_TIME",
        "LOCAL_CONTROL",
        "DEVICE_TROUBLE",
        "DEVICE_RESTART",
        "NO_FUNCTION_CODE_SUPPORT",
        "OBJECT_UNKNOWN",
        "PARAMETER_ERROR",
        "EVENT_BUFFER_OVERFLOW",
        "ALREADY_EXECUTING",
        "CONFIG_CORRUPT",
        "RESERVED_1",
        "RESERVED_2",
    ];

    /// From the octets IIN1 and IIN2.
    pub const fn from_octets(first: u8, second: u8) -> Self {
        Self(u16::from_le_bytes([first, second]))
    }

    /// IIN1 and IIN2.
    pub const fn octets(self) -> [u8; 2] {
        self.0.to_le_bytes()
    }

    /// Whether all indications of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// These and those.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Function, object or parameter refused: IIN2.0 to IIN2.2.
    pub const fn is_refusal(self) -> bool {
        self.0 & 0x0700 != 0
    }

    /// Names of those that are set, IIN1.0 first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES
            .into_iter()
            .enumerate()
            .filter(move |(bit, _)| self.0 >> bit & 1 == 1)
            .map(|(_, name)| name)
    }
}

/// A fragment as it was sent, sense or nonsense: what the sensor reads.
///
/// Every accessor reads one fact at its place and answers `None` where the octets end too early. Nothing here
/// allocates or panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    octets: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// Any octets will do, none too.
    pub const fn new(octets: &'a [u8]) -> Self {
        Self { octets }
    }

    /// All octets.
    pub const fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// The control octet.
    pub fn control(&self) -> Option<AppControl> {
        self.octets.first().copied().map(AppControl)
    }

    /// The function code.
    pub fn function(&self) -> Option<FunctionCode> {
        self.octets.get(1).copied().map(FunctionCode)
    }

    /// Whether the function code is an outstation's.
    pub fn is_response(&self) -> bool {
        self.function().is_some_and(FunctionCode::is_response)
    }

    /// Internal indications, of responses.
    pub fn iin(&self) -> Option<Iin> {
        match self.octets {
            [_, function, first, second, ..] if FunctionCode(*function).is_response() => {
                Some(Iin::from_octets(*first, *second))
            }
            _ => None,
        }
    }

    /// Whether its header is whole: two octets, of responses four.
    pub fn has_whole_header(&self) -> bool {
        self.octets.len() >= if self.is_response() { 4 } else { 2 }
    }

    /// The octets behind the header.
    pub fn object_octets(&self) -> &'a [u8] {
        self.octets.get(if self.is_response() { 4 } else { 2 }..).unwrap_or_default()
    }

    /// The object headers with what they bring.
    pub fn blocks(&self) -> Blocks<'a> {
        Blocks::new(self.function().unwrap_or(FunctionCode::CONFIRM), self.object_octets())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_tells_what_it_says() {
        // Unsolicited null response of a device that restarted, asking for confirmation; by figure 4-3.
        let fragment = Fragment::new(&[0xf0, 0x82, 0x80, 0x00]);
        let control = fragment.control().unwrap();
        assert!(
            control.is_first() && control.is_last() && control.wants_confirm() && control.is_unsolicited()
        );
        assert_eq!(control, AppControl::single(0).with_confirm().unsolicited());
        assert_eq!(fragment.function(), Some(FunctionCode::UNSOLICITED_RESPONSE));
        assert_eq!(fragment.iin(), Some(Iin::DEVICE_RESTART));
        assert_eq!(
            Iin(0x4181).names().collect::<Vec<_>>().join(" "),
            "BROADCAST DEVICE_RESTART NO_FUNCTION_CODE_SUPPORT RESERVED_1"
        );
    }

    #[test]
    fn short_headers_have_no_parts_that_are_not_there() {
        for (octets, whole) in
            [(&[][..], false), (&[0xc0], false), (&[0xc0, 0], true), (&[0xc0, 0x81, 0], false)]
        {
            let fragment = Fragment::new(octets);
            assert_eq!(fragment.has_whole_header(), whole, "{octets:?}");
            assert_eq!(fragment.iin(), None);
            assert_eq!(fragment.object_octets().len(), 0);
        }
    }
}
