//! Learnt values in the baseline file: a table per bank, a line per point.
//!
//! Neighbours about which the same was learnt, as registers that never moved, share a line.

use std::fmt::Write as _;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{BANKS_MAX, BLOCKS_BANK_MAX, BLOCKS_MAX, POINTS_BANK_MAX, POINTS_MAX};
use super::{Bank, Block, Point, Range, ValueKind, Values};

/// The values of one table of a Modbus unit, or of one kind of point of a DNP3 outstation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineValues {
    /// The server's or outstation's host.
    pub device: IpAddr,
    /// Unit of a Modbus server, link address of a DNP3 outstation.
    pub unit: u16,
    /// Which table, or kind of point.
    pub kind: ValueKind,
    /// Registers or points.
    #[serde(default, rename = "point")]
    pub points: Vec<BaselinePoint>,
    /// Questions whose answers are compared with earlier ones.
    #[serde(default, rename = "block")]
    pub blocks: Vec<BaselineBlock>,
}

/// What neighbouring registers or points usually say. Raw values, as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselinePoint {
    /// First and last address or index.
    pub at: (u32, u32),
    /// Lowest value; of a register below 0 where it has a sign.
    pub low: f32,
    /// Highest value.
    pub high: f32,
    /// Largest step from one reading to the next.
    #[serde(default)]
    pub step: f32,
    /// Readings.
    pub readings: u32,
    /// Readings at which it had changed.
    #[serde(default)]
    pub changes: u32,
    /// Changes upwards.
    #[serde(default)]
    pub rising: u32,
    /// Longest stand-still, seconds.
    #[serde(default)]
    pub still_s: u32,
    /// Longest time between two readings, seconds.
    #[serde(default)]
    pub pause_s: u32,
    /// How long it was learnt, seconds.
    pub learnt_s: u32,
    /// When within that its range last grew by much, seconds.
    #[serde(default)]
    pub settled_s: u32,
}

/// A question that is asked again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineBlock {
    /// First address and count that are asked for; `EVENTS` for DNP3 events.
    pub at: (u32, u32),
    /// Answers.
    pub readings: u32,
    /// A long row of answers came twice.
    pub repeats: bool,
}

/// The key of what is no range of points: DNP3 events of a bank.
pub(crate) const EVENTS: (u32, u32) = (u32::MAX, 0);

/// Writes the tables as TOML, one line for each point.
pub(in crate::facts) fn write_toml(out: &mut String, banks: &[BaselineValues]) {
    for bank in banks {
        let BaselineValues { device, unit, kind, points, blocks } = bank;
        let kind = kind.as_str();
        // Writing to a String cannot fail.
        let _ = write!(out, "\n[[values]]\ndevice = \"{device}\"\nunit = {unit}\nkind = \"{kind}\"\n");
        *out += "point = [\n";
        for point in points {
            let BaselinePoint { at, low, high, step, readings, changes, rising, still_s, pause_s, .. } =
                point;
            let BaselinePoint { learnt_s, settled_s, .. } = point;
            let _ = write!(out, "  {{ at = [{}, {}], low = {low:?}, high = {high:?}, ", at.0, at.1);
            if *changes > 0 {
                let _ = write!(out, "step = {step:?}, changes = {changes}, rising = {rising}, ");
                let _ = write!(out, "settled_s = {settled_s}, ");
            }
            let _ = write!(out, "still_s = {still_s}, pause_s = {pause_s}, ");
            let _ = writeln!(out, "readings = {readings}, learnt_s = {learnt_s} }},");
        }
        *out += "]\nblock = [\n";
        for BaselineBlock { at, readings, repeats } in blocks {
            let (first, count) = at;
            let _ =
                writeln!(out, "  {{ at = [{first}, {count}], readings = {readings}, repeats = {repeats} }},");
        }
        *out += "]\n";
    }
}

impl Values {
    /// What was learnt so far, sorted.
    pub(in crate::facts) fn baseline(&self) -> Vec<BaselineValues> {
        let banks = self.banks.iter().map(|((device, unit, kind), bank)| {
            let mut points: Vec<BaselinePoint> = Vec::new();
            for (address, place) in &bank.index {
                let Some(point) = self.points.get(*place as usize) else { continue };
                let point = told(*address, point);
                match points.last_mut() {
                    Some(last)
                        if last.at.1.checked_add(1) == Some(*address)
                            && BaselinePoint { at: point.at, ..*last } == point =>
                    {
                        last.at.1 = *address;
                    }
                    _ => points.push(point),
                }
            }
            let blocks = bank.blocks.iter().map(|block| {
                let Block { key, readings, repeating, .. } = block;
                BaselineBlock { at: *key, readings: *readings, repeats: *repeating }
            });
            let mut blocks: Vec<_> = blocks.collect();
            blocks.sort_by_key(|block| block.at);
            BaselineValues { device: *device, unit: *unit, kind: *kind, points, blocks }
        });
        let mut banks: Vec<_> = banks.filter(|bank| !bank.points.is_empty()).collect();
        banks.sort_by_key(|bank| (bank.device, bank.unit, bank.kind));
        banks
    }

    /// Takes what a file says as learnt, as far as there is room.
    pub(in crate::facts) fn expect(&mut self, banks: &[BaselineValues]) {
        for known in banks.iter().take(BANKS_MAX) {
            let key = (known.device, known.unit, known.kind);
            let bank: &mut Bank = self.banks.entry(key).or_default();
            for line in &known.points {
                for address in line.at.0..=line.at.1 {
                    let Err(place) = bank.find(address, usize::MAX) else { continue };
                    if bank.index.len() >= POINTS_BANK_MAX || self.points.len() >= POINTS_MAX {
                        self.left_out += 1;
                        break;
                    }
                    bank.index.insert(place, (address, self.points.len() as u32));
                    self.points.push(learnt(line, known.kind));
                }
            }
            for block in &known.blocks {
                if bank.blocks.len() < BLOCKS_BANK_MAX && self.blocks < BLOCKS_MAX {
                    self.blocks += 1;
                    let (key, readings, repeating) = (block.at, block.readings, block.repeats);
                    bank.blocks.push(Block { key, readings, repeating, ..Block::default() });
                }
            }
        }
    }
}

fn told(address: u32, point: &Point) -> BaselinePoint {
    let Range { low, high } = point.range();
    let up = |seconds: f32| seconds.ceil() as u32;
    BaselinePoint {
        at: (address, address),
        low,
        high,
        step: point.step,
        readings: point.readings,
        changes: point.changes,
        rising: point.rising,
        still_s: up(point.still_s),
        pause_s: up(point.pause_s),
        learnt_s: point.learnt_s as u32,
        settled_s: up(point.settled_s),
    }
}

fn learnt(line: &BaselinePoint, kind: ValueKind) -> Point {
    let narrow = Range { low: line.low, high: line.high.max(line.low) };
    let mut point = Point::new(narrow);
    if kind.is_word() && narrow.low < 0.0 {
        point.ranges[0] = Range { low: 0.0, high: 65_535.0 };
    }
    point.step = line.step;
    point.readings = line.readings;
    // Who edits the file may have more changes upwards than changes.
    point.changes = line.changes;
    point.rising = line.rising.min(line.changes);
    (point.still_s, point.pause_s) = (line.still_s as f32, line.pause_s as f32);
    (point.learnt_s, point.settled_s) = (line.learnt_s as f32, line.settled_s as f32);
    point
}
