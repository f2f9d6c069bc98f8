//! The points of an outstation: their present values, and which changes are worth an event.
//!
//! Rows of each kind are sorted by index. A row knows the class of its changes now, which a master may assign, and the
//! one of the map, to which a restart goes back. The first value after a restart is no event: it is not known to be a
//! change.

use site::PointKind as PointType;
use site::dnp3::Outstation as Map;
use wire::dnp3::object::Flags;
use wire::dnp3::request::Selection;
use wire::dnp3::{EventClass, Measurement, PointKind};

/// One point.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) index: u16,
    /// The value; of a counter since it was last cleared.
    value: f64,
    flags: Flags,
    time_ms: u64,
    pub(crate) class: Option<EventClass>,
    mapped_class: Option<EventClass>,
    /// Class of commands to it as events.
    pub(crate) command_class: Option<EventClass>,
    static_variation: u8,
    event_variation: u8,
    pub(crate) deadband: f64,
    mapped_deadband: f64,
    /// What the latest event, or the first value, said.
    reported: f64,
    /// What the source of a counter said when it was last cleared.
    cleared_at: f64,
}

impl Row {
    pub(crate) fn measurement(&self, kind: PointKind) -> Measurement {
        Measurement {
            kind,
            index: self.index,
            value: self.value,
            flags: self.flags,
            time_ms: Some(self.time_ms),
        }
    }

    /// The variation of its present value for a master that asked for this one, or for any. Bits with a quality to tell
    /// are never packed (annex A, group 1 variation 1).
    pub(crate) fn static_variation(&self, kind: PointKind, asked: Option<u8>) -> u8 {
        let variation = asked.unwrap_or(self.static_variation);
        if kind.is_binary() && variation == 1 && self.flags != Flags::ONLINE { 2 } else { variation }
    }
}

/// A change that is an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) class: EventClass,
    pub(crate) measurement: Measurement,
    /// Variation of the event where the master leaves it open.
    pub(crate) variation: u8,
}

/// A text that the device holds.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) index: u16,
    pub(crate) octets: Vec<u8>,
    pub(crate) class: Option<EventClass>,
}

/// All points.
#[derive(Clone, Debug, Default)]
pub(crate) struct Database {
    rows: [Vec<Row>; PointKind::ALL.len()],
    pub(crate) texts: Vec<Text>,
}

impl Database {
    pub(crate) fn of(map: &Map) -> Self {
        let mut database = Self::default();
        for entry in &map.points {
            let kind = match entry.kind {
                PointType::BinaryInput => PointKind::BinaryInput,
                PointType::DoubleBitInput => PointKind::DoubleBitInput,
                PointType::BinaryOutput => PointKind::BinaryOutput,
                PointType::Counter => PointKind::Counter,
                PointType::AnalogInput => PointKind::AnalogInput,
                PointType::AnalogOutput => PointKind::AnalogOutput,
            };
            let class = EventClass::from_number(entry.class);
            let second_class = EventClass::from_number(entry.second_class);
            let row = |kind: PointKind, class: Option<EventClass>| Row {
                index: *entry.index.get_ref(),
                value: if kind == PointKind::DoubleBitInput { 3.0 } else { 0.0 },
                flags: Flags::RESTART,
                time_ms: 0,
                class,
                mapped_class: class,
                command_class: if kind == PointKind::BinaryOutput { second_class } else { None },
                static_variation: entry.static_variation.unwrap_or(kind.static_variations()[0]),
                event_variation: entry.event_variation.unwrap_or(kind.event_variations()[0]),
                deadband: entry.deadband,
                mapped_deadband: entry.deadband,
                reported: 0.0,
                cleared_at: 0.0,
            };
            database.rows[kind as usize].push(row(kind, class));
            if kind == PointKind::Counter {
                let frozen = row(PointKind::FrozenCounter, second_class);
                database.rows[PointKind::FrozenCounter as usize].push(frozen);
            }
        }
        for rows in &mut database.rows {
            rows.sort_by_key(|row| row.index);
        }
        database.texts.extend(map.settings.texts.iter().map(|entry| Text {
            index: *entry.index.get_ref(),
            octets: entry.text.clone().into_bytes(),
            class: EventClass::from_number(entry.class),
        }));
        database.texts.sort_by_key(|text| text.index);
        database
    }

    pub(crate) fn rows(&self, kind: PointKind) -> &[Row] {
        &self.rows[kind as usize]
    }

    pub(crate) fn row(&self, kind: PointKind, index: u16) -> Option<&Row> {
        let rows = self.rows(kind);
        rows.binary_search_by_key(&index, |row| row.index).ok().and_then(|place| rows.get(place))
    }

    pub(crate) fn row_mut(&mut self, kind: PointKind, index: u16) -> Option<&mut Row> {
        let rows = &mut self.rows[kind as usize];
        rows.binary_search_by_key(&index, |row| row.index).ok().and_then(|place| rows.get_mut(place))
    }

    /// Takes a value; gives the event, where it is one. Points that the map does not have are passed over.
    pub(crate) fn update(
        &mut self,
        kind: PointKind,
        index: u16,
        value: f64,
        flags: Flags,
        time_ms: u64,
    ) -> Option<Change> {
        let row = self.row_mut(kind, index)?;
        let first = row.flags.has(Flags::RESTART);
        let value = if kind == PointKind::Counter { counted(value, row.cleared_at) } else { value };
        let flags_changed = row.flags != flags;
        (row.value, row.flags) = (value, flags);
        if first {
            (row.reported, row.time_ms) = (value, time_ms);
            return None;
        }
        // NaN is a change from everything, itself not included: bits are compared.
        let moved = if kind.is_binary() || row.deadband == 0.0 {
            value.to_bits() != row.reported.to_bits()
        } else {
            (value - row.reported).abs() > row.deadband || value.is_nan() != row.reported.is_nan()
        };
        if !moved && !flags_changed {
            return None;
        }
        (row.reported, row.time_ms) = (value, time_ms);
        let (class, variation) = (row.class?, row.event_variation);
        Some(Change { class, measurement: row.measurement(kind), variation })
    }

    /// Freezes counters; gives the events.
    pub(crate) fn freeze(
        &mut self,
        selection: &Selection<'_>,
        clear: bool,
        time_ms: u64,
    ) -> (Vec<Change>, bool) {
        let (places, complete) = self.places(PointKind::Counter, selection);
        let mut changes = Vec::new();
        for place in places.into_iter().flat_map(|(from, to)| from..to) {
            let Some(row) = self.rows[PointKind::Counter as usize].get_mut(place) else { continue };
            let (index, value, flags) = (row.index, row.value, row.flags);
            if clear {
                row.cleared_at = counted(row.cleared_at + row.value, 0.0);
                row.value = 0.0;
                row.reported = 0.0;
            }
            changes.extend(self.update(PointKind::FrozenCounter, index, value, flags, time_ms));
        }
        (changes, complete)
    }

    /// Places of the rows that a header names, as ranges; false where it names some that there are not.
    pub(crate) fn places(&self, kind: PointKind, selection: &Selection<'_>) -> (Vec<(usize, usize)>, bool) {
        places(self.rows(kind), |row| row.index, selection)
    }

    /// The same of texts.
    pub(crate) fn text_places(&self, selection: &Selection<'_>) -> (Vec<(usize, usize)>, bool) {
        places(&self.texts, |text| text.index, selection)
    }

    pub(crate) fn assign(
        &mut self,
        kind: PointKind,
        selection: &Selection<'_>,
        class: Option<EventClass>,
    ) -> bool {
        let (places, complete) = self.places(kind, selection);
        for (from, to) in places {
            for row in self.rows[kind as usize].get_mut(from..to).unwrap_or_default() {
                row.class = class;
            }
        }
        complete
    }

    /// As after power up: no value is known, classes and deadbands are those of the map.
    pub(crate) fn restart(&mut self) {
        for row in self.rows.iter_mut().flatten() {
            row.flags = Flags::RESTART;
            (row.class, row.deadband, row.cleared_at) = (row.mapped_class, row.mapped_deadband, 0.0);
        }
    }
}

fn places<T>(
    rows: &[T],
    index: impl Fn(&T) -> u16,
    selection: &Selection<'_>,
) -> (Vec<(usize, usize)>, bool) {
    match selection {
        Selection::All => (vec![(0, rows.len())], true),
        Selection::Range { start, stop } => {
            let from = rows.partition_point(|row| index(row) < *start);
            let to = rows.partition_point(|row| index(row) <= *stop);
            (vec![(from, to)], to - from == usize::from(stop - start) + 1)
        }
        Selection::Count(count) => {
            let count = usize::from(*count);
            (vec![(0, count.min(rows.len()))], count <= rows.len())
        }
        Selection::Indices(indices) => {
            let found: Vec<_> = indices.iter().map(|it| rows.binary_search_by_key(&it, &index)).collect();
            let complete = found.iter().all(Result::is_ok);
            (found.into_iter().flatten().map(|place| (place, place + 1)).collect(), complete)
        }
    }
}

/// A count of 32 bits since it was cleared.
fn counted(source: f64, cleared_at: f64) -> f64 {
    let whole = |number: f64| number.max(0.0).round() as u64 as u32;
    f64::from(whole(source).wrapping_sub(whole(cleared_at)))
}
