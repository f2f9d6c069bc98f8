//! Responses: the strict view that a master has of them, and how a device writes them (IEEE 1815-2012, clause 4.2).
//!
//! [`Response::parse`] refuses a fragment as a whole where anything in it makes no sense; what it gives is in terms of
//! points, with relative times made absolute. [`ResponseWriter`] fills a fragment up to a limit and says how much it took,
//! so that a device can go on in the next one.

use super::object::{CommandStatus, Crob, EventTime, Prefix, Qualifier, Trouble, Unfit, Value};
use super::point::{Measurement, PointKind};
use super::{AppControl, Fragment, FunctionCode, Iin};

/// Octets of a response's header.
const HEADER: usize = 4;

/// Why a fragment is no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// Not even a header.
    #[error("response header needs 4 octets, got {got}")]
    Short {
        /// Octets.
        got: usize,
    },
    /// Neither response nor unsolicited response.
    #[error("function {:#04x} is no response", .function.0)]
    Function {
        /// The function.
        function: FunctionCode,
    },
    /// The UNS bit contradicts the function, or an unsolicited response is not one fragment.
    #[error("control octet {:#04x} does not fit function {:#04x}", .control.0, .function.0)]
    Control {
        /// The control octet.
        control: AppControl,
        /// The function.
        function: FunctionCode,
    },
    /// The octets behind the header are not whole object headers and objects.
    #[error(transparent)]
    Objects(#[from] Trouble),
    /// An object that has no place in a response, or is not written as it should be.
    #[error("g{group}v{variation} with qualifier {qualifier:#04x} has no place in a response")]
    Object {
        /// Group.
        group: u8,
        /// Variation.
        variation: u8,
        /// The qualifier octet.
        qualifier: u8,
    },
}

/// One thing that a response says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Item<'a> {
    /// A present value.
    Static(Measurement),
    /// A change.
    Event(Measurement),
    /// A deadband of an analog input.
    Deadband {
        /// Index of the analog input.
        index: u16,
        /// Its width, in the input's unit.
        width: f64,
    },
    /// What became of a command to a binary output.
    Crob {
        /// Index of the output.
        index: u16,
        /// The command, and its status.
        crob: Crob,
    },
    /// What became of a setpoint.
    Setpoint {
        /// Index of the output.
        index: u16,
        /// The setpoint.
        value: f64,
        /// What became of it.
        status: CommandStatus,
    },
    /// A command to an output as an event (groups 13 and 43).
    Commanded {
        /// Index of the output.
        index: u16,
        /// The state or setpoint that was commanded.
        value: f64,
        /// What became of it.
        status: CommandStatus,
        /// Milliseconds since 1970, where the object says so.
        time_ms: Option<u64>,
    },
    /// A delay in milliseconds (group 52): of the way, or until a restart is over.
    Delay(u32),
    /// The device's time, milliseconds since 1970 (group 50 variation 1).
    Time(u64),
    /// One of the internal indications, read as an object (group 80).
    Indication {
        /// Its number, IIN1.0 is 0.
        index: u16,
        /// Set.
        on: bool,
    },
    /// A device attribute (group 0).
    Attribute {
        /// Which, as its variation.
        variation: u8,
        /// Its data type.
        kind: u8,
        /// Its value.
        octets: &'a [u8],
    },
    /// An object of the standard that is not taken apart here.
    Other {
        /// Group.
        group: u8,
        /// Variation.
        variation: u8,
    },
    /// A text (group 110), or its change (group 111).
    Text {
        /// Index of the point.
        index: u16,
        /// The octets.
        octets: &'a [u8],
        /// A change rather than the present value.
        event: bool,
    },
}

/// A fragment of a response that makes sense.
#[derive(Clone, Debug, PartialEq)]
pub struct Response<'a> {
    /// First, last, confirmation asked for, unsolicited, sequence.
    pub control: AppControl,
    /// What the outstation says of itself.
    pub iin: Iin,
    /// What it says else, in order.
    pub items: Vec<Item<'a>>,
}

impl<'a> Response<'a> {
    /// Understands a fragment.
    pub fn parse(fragment: Fragment<'a>) -> Result<Self, ResponseError> {
        let (Some(control), Some(function)) = (fragment.control(), fragment.function()) else {
            return Err(ResponseError::Short { got: fragment.octets().len() });
        };
        let unsolicited = match function {
            FunctionCode::RESPONSE => false,
            FunctionCode::UNSOLICITED_RESPONSE => true,
            function => return Err(ResponseError::Function { function }),
        };
        let iin = fragment.iin().ok_or(ResponseError::Short { got: fragment.octets().len() })?;
        let single = control.is_first() && control.is_last();
        if control.is_unsolicited() != unsolicited || (unsolicited && !single) {
            return Err(ResponseError::Control { control, function });
        }
        let (mut items, mut common_time, mut blocks) = (Vec::new(), None, fragment.blocks());
        while let Some(block) = blocks.next() {
            if let Some(trouble) = blocks.trouble() {
                return Err(trouble.into());
            }
            let misplaced = ResponseError::Object {
                group: block.group,
                variation: block.variation,
                qualifier: block.qualifier.0,
            };
            let placed = matches!(block.qualifier.prefix(), Prefix::None | Prefix::Index(_));
            if !placed || block.variation == 0 {
                return Err(misplaced);
            }
            for point in block.points() {
                let index = || point.index.and_then(|index| u16::try_from(index).ok()).ok_or(misplaced);
                let status = point.status.unwrap_or_default();
                let kind_of_static = PointKind::of_static_group(block.group);
                let kind_of_event = PointKind::of_event_group(block.group);
                let item = match (block.group, block.variation, point.value) {
                    (51, _, Value::Time(time)) => {
                        common_time = Some(time);
                        continue;
                    }
                    (50, 1, Value::Time(time)) => Item::Time(time),
                    (52, 1, Value::Unsigned(seconds)) => Item::Delay(seconds.saturating_mul(1000)),
                    (52, _, Value::Unsigned(delay)) => Item::Delay(delay),
                    (12, 1, Value::Crob(crob)) => Item::Crob { index: index()?, crob },
                    (13 | 43, _, value) => Item::Commanded {
                        index: index()?,
                        value: value.number().ok_or(misplaced)?,
                        status,
                        time_ms: match point.time {
                            Some(EventTime::Absolute(time)) => Some(time),
                            _ => None,
                        },
                    },
                    (41, _, value) => {
                        Item::Setpoint { index: index()?, value: value.number().ok_or(misplaced)?, status }
                    }
                    (34, _, value) => {
                        Item::Deadband { index: index()?, width: value.number().ok_or(misplaced)? }
                    }
                    (80, 1, Value::Bit(on)) => Item::Indication { index: index()?, on },
                    (0, variation, Value::Attribute(attribute)) => {
                        Item::Attribute { variation, kind: attribute.kind, octets: attribute.octets }
                    }
                    (110 | 111, _, Value::Octets(octets)) => {
                        Item::Text { index: index()?, octets, event: block.group == 111 }
                    }
                    _ => match (kind_of_static, kind_of_event) {
                        (Some(kind), _) => {
                            Item::Static(Measurement::of(kind, &point, None).ok_or(misplaced)?)
                        }
                        (_, Some(kind)) => {
                            Item::Event(Measurement::of(kind, &point, common_time).ok_or(misplaced)?)
                        }
                        // Devices have more than masters understand: it is known to be there, and passed over.
                        _ => Item::Other { group: block.group, variation: block.variation },
                    },
                };
                items.push(item);
            }
        }
        match blocks.trouble() {
            None => Ok(Self { control, iin, items }),
            Some(trouble) => Err(trouble.into()),
        }
    }

    /// Whether the device sent it of its own accord.
    pub const fn is_unsolicited(&self) -> bool {
        self.control.is_unsolicited()
    }

    /// Whether it says nothing but its indications.
    pub const fn is_null(&self) -> bool {
        self.items.is_empty()
    }
}

/// A response under construction, never longer than its limit.
#[derive(Clone, Debug)]
pub struct ResponseWriter {
    octets: Vec<u8>,
    limit: usize,
}

impl ResponseWriter {
    /// An empty response of at most `limit` octets, header included; at least the header is written.
    pub fn new(limit: usize) -> Self {
        Self { octets: vec![0; HEADER], limit }
    }

    /// Whether there is nothing but the header.
    pub const fn is_empty(&self) -> bool {
        self.octets.len() == HEADER
    }

    /// Octets that fit still.
    pub const fn room(&self) -> usize {
        self.limit.saturating_sub(self.octets.len())
    }

    /// Appends octets that are object headers and objects already, all or nothing; false where they do not fit.
    pub fn raw(&mut self, octets: &[u8]) -> bool {
        let fits = octets.len() <= self.room();
        if fits {
            self.octets.extend_from_slice(octets);
        }
        fits
    }

    /// Appends one object that only counts, with its header (qualifier 07): times, delays.
    pub fn counted(&mut self, group: u8, variation: u8, object: &[u8]) -> bool {
        self.raw(&[&[group, variation, Qualifier::COUNT_8.0, 1], object].concat())
    }

    /// Appends present values with consecutive indices, as a range; gives how many of them fit. Packed where the
    /// variation is.
    pub fn range(&mut self, group: u8, variation: u8, points: &[Measurement]) -> Result<usize, Unfit> {
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return Ok(0) };
        let wide = last.index > 0xff;
        let header = if wide { 7 } else { 5 };
        let Some(room) = self.room().checked_sub(header) else { return Ok(0) };
        let start = self.octets.len();
        self.octets.extend([group, variation]);
        // The end of the range is filled in once it is known.
        self.octets.extend(if wide {
            [Qualifier::RANGE_16.0, 0, 0, 0, 0].as_slice()
        } else {
            &[Qualifier::RANGE_8.0, 0, 0]
        });
        let written = match (group, variation) {
            (1 | 10, 1) => self.packed(points, 1, room),
            (3, 1) => self.packed(points, 2, room),
            _ => self.unpacked(group, variation, points, room)?,
        };
        if written == 0 {
            self.octets.truncate(start);
            return Ok(0);
        }
        let stop = first.index.saturating_add((written - 1) as u16);
        if wide {
            self.octets[start + 3..start + 5].copy_from_slice(&first.index.to_le_bytes());
            self.octets[start + 5..start + 7].copy_from_slice(&stop.to_le_bytes());
        } else {
            self.octets[start + 3] = first.index as u8;
            self.octets[start + 4] = stop as u8;
        }
        Ok(written)
    }

    fn packed(&mut self, points: &[Measurement], width: usize, room: usize) -> usize {
        let count = points.len().min(room * 8 / width);
        let start = self.octets.len();
        self.octets.resize(start + (count * width).div_ceil(8), 0);
        for (number, point) in points.iter().take(count).enumerate() {
            let place = number * width;
            let bits = if width == 1 { u8::from(point.value >= 0.5) } else { point.value as u8 & 3 };
            self.octets[start + place / 8] |= bits << (place % 8);
        }
        count
    }

    fn unpacked(
        &mut self,
        group: u8,
        variation: u8,
        points: &[Measurement],
        room: usize,
    ) -> Result<usize, Unfit> {
        let end = self.octets.len() + room;
        for (number, point) in points.iter().enumerate() {
            let before = self.octets.len();
            point.emit(group, variation, 0, &mut self.octets)?;
            if self.octets.len() > end {
                self.octets.truncate(before);
                return Ok(number);
            }
        }
        Ok(points.len())
    }

    /// Appends objects with their indices before them (qualifier 17, or 28 where `wide`), each written by `emit` after its
    /// index; gives how many of them fit. With an error nothing is appended.
    pub fn indexed(
        &mut self,
        group: u8,
        variation: u8,
        wide: bool,
        objects: impl Iterator<Item = (u16, impl FnOnce(&mut Vec<u8>) -> Result<(), Unfit>)>,
    ) -> Result<usize, Unfit> {
        let start = self.octets.len();
        let (header, most) = if wide { (5, usize::from(u16::MAX)) } else { (4, 0xff) };
        if self.room() < header {
            return Ok(0);
        }
        self.octets.extend([group, variation]);
        self.octets.extend(if wide {
            [Qualifier::INDEXED_16.0, 0, 0].as_slice()
        } else {
            &[Qualifier::INDEXED_8.0, 0]
        });
        let mut written = 0;
        for (index, emit) in objects.take(most) {
            let before = self.octets.len();
            if wide {
                self.octets.extend(index.to_le_bytes());
            } else {
                self.octets.push(index as u8);
            }
            if emit(&mut self.octets).is_err() {
                self.octets.truncate(start);
                return Err(Unfit);
            }
            if self.octets.len() > self.limit {
                self.octets.truncate(before);
                break;
            }
            written += 1;
        }
        if written == 0 {
            self.octets.truncate(start);
        } else if wide {
            self.octets[start + 3..start + 5].copy_from_slice(&(written as u16).to_le_bytes());
        } else {
            self.octets[start + 3] = written as u8;
        }
        Ok(written)
    }

    /// The fragment, with its header.
    pub fn finish(mut self, control: AppControl, function: FunctionCode, iin: Iin) -> Vec<u8> {
        let [first, second] = iin.octets();
        self.octets[..HEADER].copy_from_slice(&[control.0, function.0, first, second]);
        self.octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dnp3::object::Flags;

    fn points(kind: PointKind, start: u16, values: &[f64]) -> Vec<Measurement> {
        let numbered = values.iter().zip(start..);
        numbered
            .map(|(&value, index)| Measurement { kind, index, value, flags: Flags::ONLINE, time_ms: None })
            .collect()
    }

    #[test]
    fn ranges_are_as_short_as_their_indices_allow() {
        let mut writer = ResponseWriter::new(2048);
        let written = [
            writer.range(1, 2, &points(PointKind::BinaryInput, 3, &[1.0, 0.0])).unwrap(),
            writer.range(1, 1, &points(PointKind::BinaryInput, 255, &[1.0, 0.0, 1.0])).unwrap(),
            writer.range(3, 1, &points(PointKind::DoubleBitInput, 0, &[1.0, 2.0, 3.0, 0.0, 2.0])).unwrap(),
        ];
        let octets = writer.finish(AppControl::single(5), FunctionCode::RESPONSE, Iin::DEVICE_RESTART);
        assert_eq!(written, [2, 3, 5]);
        assert_eq!(
            octets,
            [
                0xc5,
                0x81,
                0x80,
                0,
                1,
                2,
                0,
                3,
                4,
                0x81,
                1,
                1,
                1,
                1,
                255,
                0,
                1,
                1,
                0b101,
                3,
                1,
                0,
                0,
                4,
                0b0011_1001,
                0b10
            ]
        );
    }

    #[test]
    fn what_does_not_fit_is_left_for_the_next_fragment() {
        for (limit, fits) in [(4, 0), (8, 0), (9, 0), (11, 0), (12, 1), (14, 1), (15, 2), (2048, 3)] {
            let mut writer = ResponseWriter::new(limit);
            let analogs = points(PointKind::AnalogInput, 0, &[1.0, 2.0, 3.0]);
            assert_eq!(writer.range(30, 2, &analogs), Ok(fits), "{limit}");
            assert_eq!(writer.is_empty(), fits == 0);
            let octets = writer.finish(AppControl::single(0), FunctionCode::RESPONSE, Iin::default());
            assert!(octets.len() <= limit.max(4));
            let parsed = Response::parse(Fragment::new(&octets)).unwrap();
            assert_eq!(parsed.items, analogs[..fits].iter().copied().map(Item::Static).collect::<Vec<_>>());
        }
    }

    #[test]
    fn relative_times_count_from_the_common_time() {
        // Conformance procedure 8.14.2.12, step 7, shortened: g51v2, then g2v3.
        let octets = [0xe2, 0x81, 0x90, 0, 51, 2, 7, 1, 0, 1, 0, 0, 0, 0, 2, 3, 0x28, 1, 0, 9, 0, 0x81, 5, 0];
        let parsed = Response::parse(Fragment::new(&octets)).unwrap();
        let [Item::Event(event)] = parsed.items[..] else { panic!("{parsed:?}") };
        assert_eq!((event.index, event.value, event.time_ms), (9, 1.0, Some(261)));
        assert!(parsed.control.wants_confirm() && parsed.iin.has(Iin::NEED_TIME));
        // Without it there is nothing to count from.
        let alone = [&octets[..4], &octets[14..]].concat();
        assert!(matches!(
            Response::parse(Fragment::new(&alone)),
            Err(ResponseError::Object { group: 2, .. })
        ));
    }

    #[test]
    fn what_is_no_response_is_refused() {
        for octets in [
            &[0xc0, 0x81, 0][..],
            &[0xc0, 1],
            &[0xc0, 0x83, 0, 0],
            &[0xd0, 0x81, 0, 0],
            &[0xc0, 0x82, 0, 0],
            &[0x50, 0x82, 0, 0],
            &[0xc0, 0x81, 0, 0, 60, 1],
            &[0xc0, 0x81, 0, 0, 1, 0, 0, 0, 0, 1],
            &[0xc0, 0x81, 0, 0, 2, 1, 7, 1, 1],
        ] {
            assert!(Response::parse(Fragment::new(octets)).is_err(), "{octets:02x?}");
        }
        let null = Response::parse(Fragment::new(&[0xf0, 0x82, 0x80, 0])).unwrap();
        assert!(null.is_null() && null.is_unsolicited());
    }
}
