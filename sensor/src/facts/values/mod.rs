//! What registers and points usually say: range, steps, stand-stills and repetitions of each; learnt first, judged
//! afterwards. For whatever no tag map knows: what the site's map knows is judged by its ties.
//!
//! # Theory of operation
//! Values lie in *banks*: one table of a Modbus unit, one kind of point of a DNP3 outstation. While learning, every
//! answer adds to its points. Afterwards four things are said, each when it begins and not again until it was over:
//! - *beyond*: a value is outside the learnt range by half its span or more. Not of what runs one way (counters), nor of
//!   a range that still grew in the last quarter of the learning.
//! - *jump*: from one reading to the next it moved by three times the largest learnt step and half the learnt span.
//! - *frozen*: it changed at every other reading at least, and now stands still, over sixty readings, for a minute and
//!   ten times its longest learnt stand-still. Counted per bank: that many points together are no stopped pump.
//! - *repeats*: the answers to one and the same question repeat an earlier row of answers number for number, which they
//!   never did while learning (see [`crate::repeats`]).
//!
//! Bits are not kept: either value of a bit is usual. Points come into being while learning only, so a flood later on
//! costs nothing.
//!
//! # What can go wrong
//! Learning for less than ten minutes, or a hundred readings, gives nothing to judge by. At most [`POINTS_MAX`] points,
//! [`POINTS_BANK_MAX`] of one bank and [`BLOCKS_MAX`] questions are kept, about 8 MiB; readings that find no room are counted.

mod file;
mod point;

use std::net::IpAddr;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::repeats::Repeats;
pub(crate) use file::EVENTS;
pub(super) use file::write_toml;
pub use file::{BaselineBlock, BaselinePoint, BaselineValues};
use point::{Point, Range};

/// Points kept in all.
const POINTS_MAX: usize = 32 << 10;
/// Points kept of one bank.
const POINTS_BANK_MAX: usize = 4096;
/// Banks kept.
const BANKS_MAX: usize = 4096;
/// Questions whose answers are compared with earlier ones: in all, and of one bank.
const BLOCKS_MAX: usize = 512;
const BLOCKS_BANK_MAX: usize = 16;
/// Answers to a question that must have been learnt without a repetition, before one is news.
const BLOCK_READINGS_MIN: u32 = 240;

/// The kind of a bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueKind {
    /// Holding registers of a Modbus unit.
    Holding,
    /// Input registers of a Modbus unit.
    Input,
    /// Counters of a DNP3 outstation.
    Counter,
    /// Analog inputs of a DNP3 outstation.
    AnalogInput,
    /// Analog outputs of a DNP3 outstation, as it reports them.
    AnalogOutput,
}

impl ValueKind {
    /// The word in files and fields.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Holding => "holding",
            Self::Input => "input",
            Self::Counter => "counter",
            Self::AnalogInput => "analog_input",
            Self::AnalogOutput => "analog_output",
        }
    }

    /// Sixteen bits that may mean a number with or without sign.
    pub(crate) const fn is_word(self) -> bool {
        matches!(self, Self::Holding | Self::Input)
    }
}

/// A bank: the server or outstation's host, the unit or link address, the kind.
pub(crate) type BankKey = (IpAddr, u16, ValueKind);

/// What values began to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Oddity {
    /// How many learnt spans outside the learnt range.
    Beyond(f64),
    /// How many times the largest learnt step.
    Jump(f64),
    /// Seconds of standing still, and how many points of the bank do by now.
    Frozen(f64, u32),
    /// Answers in a row that are an earlier row.
    Repeats(u32),
}

/// Something that has just begun, with the point that shows it most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ValueNews {
    pub(crate) oddity: Oddity,
    pub(crate) bank: BankKey,
    /// Address or index; of a repetition the first one asked for.
    pub(crate) address: u32,
    pub(crate) value: f64,
    /// The learnt range.
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// How long it was learnt, hours.
    pub(crate) learnt_h: f64,
    /// How many points of the same answer began the same.
    pub(crate) points: u32,
}

/// The answers to one question: a range of registers, static points of one range, or events.
#[derive(Debug, Default)]
struct Block {
    key: (u32, u32),
    repeats: Repeats,
    /// Learnt answers.
    readings: u32,
    /// It repeated itself while learning: a simulator, a sequence.
    repeating: bool,
    told: bool,
}

#[derive(Debug, Default)]
struct Bank {
    /// Address or index, and place in [`Values::points`]; sorted.
    index: Vec<(u32, u32)>,
    blocks: Vec<Block>,
    /// Points that stand still now.
    frozen: u32,
}

impl Bank {
    /// Where an address lies in the index, or would; `guess` is where it lies in most cases.
    fn find(&self, address: u32, guess: usize) -> Result<usize, usize> {
        match self.index.get(guess) {
            Some((found, _)) if *found == address => Ok(guess),
            _ => self.index.binary_search_by_key(&address, |(address, _)| *address),
        }
    }
}

/// The values of all banks.
#[derive(Debug, Default)]
pub(crate) struct Values {
    banks: IndexMap<BankKey, Bank, foldhash::fast::RandomState>,
    points: Vec<Point>,
    blocks: usize,
    /// Readings that found no room while learning.
    pub(crate) left_out: u64,
}

impl Values {
    /// Takes the values of one answer, in rising order of addresses as a rule. `block` says which question it answers; `elsewhere`
    /// whether something else judges an address.
    pub(crate) fn take(
        &mut self,
        key: BankKey,
        block: (u32, u32),
        at: u64,
        learning: bool,
        values: impl Iterator<Item = (u32, f64)>,
        elsewhere: impl Fn(u32) -> bool,
    ) -> Vec<ValueNews> {
        if learning && !self.banks.contains_key(&key) {
            if self.banks.len() >= BANKS_MAX {
                self.left_out += 1;
                return Vec::new();
            }
            self.banks.insert(key, Bank::default());
        }
        let Some(bank) = self.banks.get_mut(&key) else { return Vec::new() };
        let word = key.2.is_word();
        let mut news = Vec::new();
        let (mut digest, mut guess) = (0u64, usize::MAX);
        for (address, value) in values {
            digest = (digest.rotate_left(23) ^ value.to_bits() ^ u64::from(address))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let place = match bank.find(address, guess) {
                Ok(place) => place,
                Err(place) => {
                    if learning && !elsewhere(address) {
                        if bank.index.len() >= POINTS_BANK_MAX || self.points.len() >= POINTS_MAX {
                            self.left_out += 1;
                        } else if let Some(point) = Point::begin(value, word, at) {
                            bank.index.insert(place, (address, self.points.len() as u32));
                            self.points.push(point);
                            guess = place + 1;
                        }
                    }
                    continue;
                }
            };
            guess = place + 1;
            let Some(point) = self.points.get_mut(bank.index[place].1 as usize) else { continue };
            if learning {
                point.learn(value, word, at);
                continue;
            }
            let verdict = point.judge(value, word, at);
            bank.frozen = bank.frozen.saturating_sub(verdict.thawed.into());
            if verdict.beyond > 0.0 {
                tell(&mut news, Oddity::Beyond(verdict.beyond), key, address, value, point);
            }
            if verdict.jump > 0.0 {
                tell(&mut news, Oddity::Jump(verdict.jump), key, address, value, point);
            }
            if verdict.still_s > 0.0 {
                bank.frozen += 1;
                tell(&mut news, Oddity::Frozen(verdict.still_s, bank.frozen), key, address, value, point);
            }
        }
        let digest = (digest >> 48) as u16;
        let place = bank.blocks.iter().position(|known| known.key == block);
        let place = match place {
            None if learning && bank.blocks.len() < BLOCKS_BANK_MAX && self.blocks < BLOCKS_MAX => {
                self.blocks += 1;
                bank.blocks.push(Block { key: block, ..Block::default() });
                Some(bank.blocks.len() - 1)
            }
            place => place,
        };
        if let Some(block) = place.and_then(|place| bank.blocks.get_mut(place))
            && let Some(repeated) = block.take(digest, learning)
        {
            let first = bank.index.binary_search_by_key(&block.key.0, |(address, _)| *address);
            let point = first.ok().and_then(|first| self.points.get(bank.index[first].1 as usize));
            let learnt_h = point.map_or(0.0, |point| f64::from(point.learnt_s) / 3600.0);
            news.push(ValueNews {
                oddity: Oddity::Repeats(repeated),
                bank: key,
                address: block.key.0,
                value: f64::NAN,
                low: f64::NAN,
                high: f64::NAN,
                learnt_h,
                points: block.key.1,
            });
        }
        news
    }
}

impl Block {
    /// One more answer. How many answers are a repetition, when that has just become sure.
    fn take(&mut self, digest: u16, learning: bool) -> Option<u32> {
        let repeated = self.repeats.step(digest);
        if learning {
            self.readings = self.readings.saturating_add(1);
            self.repeating |= repeated > 0;
            return None;
        }
        let is_new = repeated > 0 && !self.told;
        self.told = repeated > 0;
        (is_new && !self.repeating && self.readings >= BLOCK_READINGS_MIN).then_some(repeated as u32)
    }
}

/// Says it of the point that shows it most; the others are counted.
fn tell(news: &mut Vec<ValueNews>, oddity: Oddity, bank: BankKey, address: u32, value: f64, point: &Point) {
    let Range { low, high } = point.range();
    let learnt_h = f64::from(point.learnt_s) / 3600.0;
    let told =
        ValueNews { oddity, bank, address, value, low: low.into(), high: high.into(), learnt_h, points: 1 };
    let is_same =
        |one: &&mut ValueNews| std::mem::discriminant(&one.oddity) == std::mem::discriminant(&oddity);
    let Some(known) = news.iter_mut().find(is_same) else { return news.push(told) };
    let points = known.points + 1;
    let more = match (known.oddity, oddity) {
        (Oddity::Beyond(known), Oddity::Beyond(found)) | (Oddity::Jump(known), Oddity::Jump(found)) => {
            found > known
        }
        // The last one knows how many there are.
        _ => true,
    };
    if more {
        *known = told;
    }
    known.points = points;
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const KEY: BankKey = (IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 101)), 1, ValueKind::Holding);

    fn noise(n: u64, address: u32) -> f64 {
        let mut x = (n << 8 | u64::from(address)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x ^= x >> 31;
        500.0 + ((x.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) % 100) as f64
    }

    /// Ten registers that were read every second for half an hour.
    fn learnt() -> Values {
        let mut values = Values::default();
        for n in 0..1800 {
            let answer = (0..10).map(|address| (address, noise(n, address)));
            assert!(values.take(KEY, (0, 10), n * SECOND, true, answer, |_| false).is_empty());
        }
        values
    }

    fn show(values: &mut Values, n: u64, value: impl Fn(u32) -> f64) -> Vec<ValueNews> {
        let answer = (0..10).map(|address| (address, value(address)));
        values.take(KEY, (0, 10), n * SECOND, false, answer, |_| false)
    }

    #[test]
    fn what_was_learnt_is_no_news() {
        let mut values = learnt();
        assert!((1800..4000).all(|n| show(&mut values, n, |address| noise(n, address)).is_empty()));
    }

    #[test]
    fn the_point_that_is_furthest_outside_is_told_and_the_others_are_counted() {
        let mut values = learnt();
        let news = show(&mut values, 1800, |address| match address {
            3 => 700.0,
            4 => 2000.0,
            _ => noise(1800, address),
        });
        let beyond = news.iter().find(|one| matches!(one.oddity, Oddity::Beyond(_))).unwrap();
        assert_eq!((beyond.address, beyond.points, beyond.value), (4, 2, 2000.0));
        assert!((beyond.low, beyond.high) == (500.0, 599.0) && (beyond.learnt_h - 0.5).abs() < 0.01);
        assert!(news.iter().any(|one| matches!(one.oddity, Oddity::Jump(factor) if factor > 10.0)));
    }

    #[test]
    fn a_recording_of_a_block_is_told_once() {
        let mut values = learnt();
        let found: Vec<_> = (1800..1900)
            .flat_map(|n| show(&mut values, n, |address| noise(n - 600, address)))
            .map(|news| news.oddity)
            .collect();
        assert_eq!(found, [Oddity::Repeats(24)]);
    }

    #[test]
    fn a_sequence_that_repeated_itself_while_learning_may_go_on() {
        let mut values = Values::default();
        let answer = |n: u64| (0..10).map(move |address| (address, noise(n % 60, address)));
        for n in 0..1800 {
            values.take(KEY, (0, 10), n * SECOND, true, answer(n), |_| false);
        }
        assert!(
            (1800..2500)
                .all(|n| values.take(KEY, (0, 10), n * SECOND, false, answer(n), |_| false).is_empty())
        );
    }

    #[test]
    fn points_that_freeze_together_are_counted() {
        let mut values = learnt();
        let found: Vec<_> =
            (1800..2000).flat_map(|n| show(&mut values, n, |address| noise(1799, address))).collect();
        // One of them had the same value twice.
        let (first, last) = (found[0], found[found.len() - 1]);
        assert!(matches!(last.oddity, Oddity::Frozen(_, 10)), "{found:?}");
        assert!(found.len() <= 2 && (found.len() == 1 || first.points == 1), "{found:?}");
    }

    #[test]
    fn values_are_bounded_and_nothing_comes_into_being_after_learning() {
        let mut values = Values::default();
        let all = |first: u32| (first..first + 125).map(|address| (address, 1.0));
        for unit in 0..40 {
            for block in 0..60u32 {
                let key = (KEY.0, unit, ValueKind::Input);
                values.take(key, (block * 125, 125), 1, true, all(block * 125), |_| false);
            }
        }
        assert_eq!(values.points.len(), POINTS_MAX);
        assert!(values.banks.values().all(|bank| bank.index.len() <= POINTS_BANK_MAX));
        assert!(values.blocks <= BLOCKS_MAX && values.left_out > 0);
        values.take((KEY.0, 999, ValueKind::Input), (0, 125), 2, false, all(0), |_| false);
        assert_eq!(values.banks.len(), 40);
    }

    #[test]
    fn what_something_else_judges_is_not_kept() {
        let mut values = Values::default();
        let answer = (0..10).map(|address| (address, 1.0));
        values.take(KEY, (0, 10), 1, true, answer, |address| address < 4);
        assert_eq!(values.banks[0].index.first().map(|(address, _)| *address), Some(4));
    }
}
