//! Answers to reads: events first, then present values, in as many fragments as it takes.

use std::collections::VecDeque;

use record::VirtualTime;
use wire::dnp3::object::Point;
use wire::dnp3::request::{Read, Readable, Selection};
use wire::dnp3::{Iin, Measurement, PointKind, ResponseWriter};

use super::events::{EventBuffer, Wanted};
use super::station::Station;

/// Points of one range that are written at a time.
const RUN: usize = 256;

/// Present values still to be written.
#[derive(Clone, Debug)]
enum Part {
    /// Places of rows, in a variation or each its own.
    Rows {
        kind: PointKind,
        variation: Option<u8>,
        from: usize,
        to: usize,
    },
    Deadbands {
        variation: u8,
        from: usize,
        to: usize,
    },
    Texts {
        from: usize,
        to: usize,
    },
    /// Header and object as they go out.
    Ready(Vec<u8>),
}

/// An answer under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    parts: VecDeque<Part>,
}

impl Series {
    /// Plans the answer: selects events and lists present values. Gives the indications of what cannot be had.
    pub(crate) fn plan(
        read: &Read<'_>,
        station: &mut Station,
        events: &mut EventBuffer,
        now: VirtualTime,
        own_indications: Iin,
    ) -> (Self, Iin) {
        let (mut series, mut iin) = (Self::default(), read.refused);
        for header in &read.headers {
            let limit = match header.selection {
                Selection::Count(count) => Some(count),
                _ => None,
            };
            let (wanted, variation) = match header.object {
                Readable::Class(class) => (Wanted::Class(class), None),
                Readable::Events(kind, variation) => (Wanted::Kind(kind), variation),
                Readable::CommandEvents(variation) => (Wanted::Commands, variation),
                Readable::TextEvents => (Wanted::Texts, None),
                present => {
                    let complete =
                        series.plan_present(present, &header.selection, station, now, own_indications);
                    iin = iin.with(complete.err().unwrap_or_default());
                    continue;
                }
            };
            events.select(wanted, variation, limit);
        }
        (series, iin)
    }

    fn plan_present(
        &mut self,
        object: Readable,
        selection: &Selection<'_>,
        station: &Station,
        now: VirtualTime,
        own_indications: Iin,
    ) -> Result<(), Iin> {
        let whole = |complete: bool| if complete { Ok(()) } else { Err(Iin::PARAMETER_ERROR) };
        match object {
            Readable::Class0 => {
                for kind in PointKind::ALL {
                    let to = station.database.rows(kind).len();
                    self.parts.push_back(Part::Rows { kind, variation: None, from: 0, to });
                }
                self.parts.push_back(Part::Texts { from: 0, to: station.database.texts.len() });
                Ok(())
            }
            Readable::Static(kind, variation) => {
                let (places, complete) = station.database.places(kind, selection);
                let parts = places.into_iter().map(|(from, to)| Part::Rows { kind, variation, from, to });
                self.parts.extend(parts);
                whole(complete)
            }
            Readable::Deadbands(variation) => {
                let variation = variation.unwrap_or(3);
                let (places, complete) = station.database.places(PointKind::AnalogInput, selection);
                self.parts.extend(places.into_iter().map(|(from, to)| Part::Deadbands {
                    variation,
                    from,
                    to,
                }));
                whole(complete)
            }
            Readable::Texts => {
                let (places, complete) = station.database.text_places(selection);
                self.parts.extend(places.into_iter().map(|(from, to)| Part::Texts { from, to }));
                whole(complete)
            }
            Readable::Attribute(variation) => self.plan_attributes(station, variation, selection),
            Readable::Time => {
                let time = station.unix_ms(now).to_le_bytes();
                self.parts.push_back(Part::Ready([&[50, 1, 7, 1], &time[..6]].concat()));
                Ok(())
            }
            Readable::Indications => {
                let (start, stop) = match selection {
                    Selection::Range { start, stop } if *stop < 16 => (*start as u8, *stop as u8),
                    Selection::All => (0, 15),
                    _ => return Err(Iin::PARAMETER_ERROR),
                };
                let kept = own_indications.0 >> start & (0xffff >> (15 - (stop - start)));
                let octets = usize::from(stop - start) / 8 + 1;
                let header = [80, 1, 0, start, stop];
                self.parts.push_back(Part::Ready([&header, &kept.to_le_bytes()[..octets]].concat()));
                Ok(())
            }
            Readable::Class(_) | Readable::Events(..) | Readable::CommandEvents(_) | Readable::TextEvents => {
                Ok(())
            }
        }
    }

    /// Attributes of set 0: one, all (254), or the list of those there are (255).
    fn plan_attributes(
        &mut self,
        station: &Station,
        variation: u8,
        selection: &Selection<'_>,
    ) -> Result<(), Iin> {
        if !matches!(selection, Selection::All | Selection::Range { start: 0, stop: 0 }) {
            return Err(Iin::PARAMETER_ERROR);
        }
        let header = |variation: u8| [0, variation, 0, 0, 0];
        if variation == 255 {
            // Data type 254: pairs of a variation and its property, 0 for what is only read.
            let pairs: Vec<u8> =
                station.attributes.iter().flat_map(|(variation, _)| [*variation, 0]).collect();
            let head = [254, pairs.len() as u8];
            self.parts.push_back(Part::Ready([header(255).as_slice(), &head, &pairs].concat()));
            return Ok(());
        }
        let wanted = station.attributes.iter().filter(|(known, _)| variation == 254 || *known == variation);
        let before = self.parts.len();
        let ready =
            |(known, value): &(u8, Vec<u8>)| Part::Ready([&header(*known), value.as_slice()].concat());
        self.parts.extend(wanted.map(ready));
        if self.parts.len() > before { Ok(()) } else { Err(Iin::OBJECT_UNKNOWN) }
    }

    /// Writes one fragment. Gives whether it holds events, and whether all is written.
    pub(crate) fn write(
        &mut self,
        station: &Station,
        events: &mut EventBuffer,
        writer: &mut ResponseWriter,
    ) -> (bool, bool) {
        let (with_events, all) = events.write(writer);
        if !all {
            return (with_events, false);
        }
        while let Some(part) = self.parts.front_mut() {
            if !part.write(station, writer) {
                return (with_events, false);
            }
            self.parts.pop_front();
        }
        (with_events, true)
    }
}

impl Part {
    /// Writes as much as fits; whether that was all.
    fn write(&mut self, station: &Station, writer: &mut ResponseWriter) -> bool {
        match self {
            Self::Ready(octets) => writer.raw(octets),
            Self::Rows { kind, variation, from, to } => {
                let rows = station.database.rows(*kind);
                let mut run: Vec<Measurement> = Vec::new();
                while let Some(first) = rows.get(*from).filter(|_| *from < *to) {
                    let wanted = first.static_variation(*kind, *variation);
                    run.clear();
                    let alike = rows.iter().take(*to).skip(*from).zip(u32::from(first.index)..).take(RUN);
                    run.extend(
                        alike
                            .take_while(|(row, index)| {
                                u32::from(row.index) == *index
                                    && row.static_variation(*kind, *variation) == wanted
                            })
                            .map(|(row, _)| row.measurement(*kind)),
                    );
                    // Variations are checked where they come in, so a value always fits.
                    let written = writer.range(kind.static_group(), wanted, &run).unwrap_or(0);
                    *from += written;
                    if written < run.len() {
                        return false;
                    }
                }
                true
            }
            Self::Deadbands { variation, from, to } => {
                let rows = station.database.rows(PointKind::AnalogInput);
                while let Some(row) = rows.get(*from).filter(|_| *from < *to) {
                    let mut octets = vec![34, *variation, 1];
                    octets.extend([row.index.to_le_bytes(), row.index.to_le_bytes()].concat());
                    if deadband(*variation, row.deadband, &mut octets).is_err() || !writer.raw(&octets) {
                        return false;
                    }
                    *from += 1;
                }
                true
            }
            Self::Texts { from, to } => {
                while let Some(text) = station.database.texts.get(*from).filter(|_| *from < *to) {
                    let [low, high] = text.index.to_le_bytes();
                    let header = [110, text.octets.len() as u8, 1, low, high, low, high];
                    if !writer.raw(&[&header, text.octets.as_slice()].concat()) {
                        return false;
                    }
                    *from += 1;
                }
                true
            }
        }
    }
}

/// A deadband as an object of group 34, cut to what the variation holds.
fn deadband(variation: u8, width: f64, out: &mut Vec<u8>) -> Result<(), wire::dnp3::object::Unfit> {
    use wire::dnp3::object::{Unfit, Value, shape};
    let value = match variation {
        1 => Value::Unsigned(width.round().min(f64::from(u16::MAX)) as u32),
        2 => Value::Unsigned(width.round() as u32),
        3 => Value::Single(width as f32),
        _ => return Err(Unfit),
    };
    let shape = shape(34, variation).ok_or(Unfit)?;
    Point { index: None, flags: None, status: None, value, time: None }.emit(shape, out)
}
