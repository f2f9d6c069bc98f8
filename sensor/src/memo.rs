//! What the rules said to a record, for the next one like it.
//!
//! # Theory of operation
//! Plants poll: of a thousand records nearly all are like one before, but for their time, frame and transaction. What
//! rules can see of a record is its [`Key`]; records with the same key match the same rules. So a key is remembered
//! with what it matched, and the rules are asked once.
//!
//! Where a match is counted by a correlation, time matters. A correlation that counts different values does not grow by
//! the same value again: there the answer holds for a tenth of the shortest time over which anything is counted, so that
//! a value counts for nine tenths of its time at least. One that counts events grows with each: those are always asked.
//!
//! # What can go wrong
//! A field that rules see and that the key does not hold would be a finding that is missed. Keys are therefore made by
//! taking records apart whole: whoever adds a field cannot build without saying here what becomes of it. A rule that asks
//! for one of the few fields that are left out (the connection's id and port, the transaction), or for words anywhere,
//! switches the memory off for its service.

use std::net::IpAddr;
use std::rc::Rc;

use indexmap::IndexMap;

use crate::event::{Facts, ModbusRecord, Record};
use crate::facts::{Crept, RequestNews};
use crate::known::HostView;

/// Answers kept; then it begins anew.
const KEPT_MAX: usize = 8192;

const SECOND: u64 = 1_000_000_000;

/// Fields that a key does not hold.
pub(crate) const LEFT_OUT: [&str; 3] = ["uid", "id.orig_p", "tid"];

/// What rules said: whether it is a correlation, the rule's id, and what a correlation counted.
pub(crate) type Said = (bool, String, Option<f64>);

/// A host as rules see it; the rest of it follows from the address.
type Host = (IpAddr, bool);

/// What rules can see of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Modbus {
        conn: Option<(IpAddr, IpAddr, u16)>,
        source: Host,
        target: Option<Host>,
        learning: bool,
        unit: u8,
        function: u8,
        request: bool,
        exception: Option<String>,
        sub_function: Option<u16>,
        range: (Option<u16>, Option<u16>),
        /// Reads, writes, asks for the identity; bits; the site's writer; a new exception, a broken tie.
        flags: [bool; 7],
        news: RequestNews,
    },
}

impl Key {
    /// `None` for a record that is rarely like another.
    pub(crate) fn of(record: &Record<'_>) -> Option<Self> {
        let Record { at: _, frame: _, conn, source, target, device: _, learning, facts } = record;
        let host = |view: &HostView<'_>| {
            // The rest is the documentation's, and follows from the address.
            let HostView { address, name: _, role: _, zone: _, level: _, known } = view;
            (*address, *known)
        };
        let Facts::Modbus(modbus) = facts else { return None };
        let ModbusRecord {
            transaction: _,
            unit,
            function,
            // Follows from function and exception.
            name: _,
            request,
            exception,
            sub_function,
            read,
            write,
            identity,
            address,
            quantity,
            bits,
            points,
            site_writer,
            news,
            new_exception,
            crept,
            judged,
            tie_broken,
        } = modbus;
        // Values are seldom the same.
        if !points.is_empty() || judged.is_some() || *crept != Crept::default() {
            return None;
        }
        Some(Self::Modbus {
            conn: conn.map(|conn| (conn.orig.0, conn.resp.0, conn.resp.1)),
            source: host(source),
            target: target.as_ref().map(host),
            learning: *learning,
            unit: *unit,
            function: *function,
            request: *request,
            exception: exception.map(str::to_owned),
            sub_function: *sub_function,
            range: (*address, *quantity),
            flags: [*read, *write, *identity, *bits, *site_writer, *new_exception, *tie_broken],
            news: *news,
        })
    }
}

#[derive(Debug)]
struct Answer {
    /// The last second at which it holds; `None`: at any time.
    until: Option<u64>,
    said: Rc<[Said]>,
}

/// Answers by key.
#[derive(Debug)]
pub(crate) struct Memo {
    answers: IndexMap<Key, Answer, foldhash::fast::RandomState>,
    /// Seconds for which an answer that is counted holds.
    holds_s: u64,
}

impl Memo {
    /// `span_s`: the shortest time over which anything is counted.
    pub(crate) fn new(span_s: u64) -> Self {
        Self { answers: IndexMap::default(), holds_s: span_s / 10 }
    }

    /// What the rules said to a record like this, as far as it still holds.
    pub(crate) fn get(&self, key: &Key, at: u64) -> Option<Rc<[Said]>> {
        let answer = self.answers.get(key)?;
        let holds = answer
            .until
            .is_none_or(|until| (until.saturating_sub(self.holds_s)..=until).contains(&(at / SECOND)));
        holds.then(|| answer.said.clone())
    }

    /// Remembers it; `counted`: it does not hold for ever.
    pub(crate) fn keep(&mut self, key: Key, at: u64, counted: bool, said: Rc<[Said]>) {
        if self.answers.len() >= KEPT_MAX {
            self.answers.clear();
        }
        let until = counted.then_some(at / SECOND + self.holds_s);
        self.answers.insert(key, Answer { until, said });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Facts;
    use std::net::Ipv4Addr;

    fn record(frame: u64, address: u16, points: &[crate::event::Point<'_>]) -> Option<Key> {
        let source = HostView {
            address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
            name: None,
            role: "unknown",
            zone: "",
            level: "",
            known: false,
        };
        let modbus = ModbusRecord {
            transaction: frame as u16,
            unit: 1,
            function: 3,
            name: "READ_HOLDING_REGISTERS",
            request: true,
            exception: None,
            sub_function: None,
            read: true,
            write: false,
            identity: false,
            address: Some(address),
            quantity: Some(1),
            bits: false,
            points,
            site_writer: false,
            news: RequestNews::default(),
            new_exception: false,
            crept: Crept::default(),
            judged: None,
            tie_broken: false,
        };
        let record = Record {
            at: frame,
            frame,
            conn: None,
            source,
            target: None,
            device: None,
            learning: false,
            facts: Facts::Modbus(modbus),
        };
        Key::of(&record)
    }

    #[test]
    fn polls_that_differ_in_time_and_transaction_alone_are_one() {
        assert_eq!(record(1, 7, &[]), record(2, 7, &[]));
        assert_ne!(record(1, 7, &[]), record(1, 8, &[]));
    }

    #[test]
    fn an_answer_that_is_counted_holds_for_a_tenth_of_the_time() {
        let mut memo = Memo::new(60);
        let said: Rc<[Said]> = Rc::new([(false, "a".to_owned(), None)]);
        memo.keep(record(1, 7, &[]).unwrap(), 100 * SECOND, true, said.clone());
        memo.keep(record(1, 8, &[]).unwrap(), 100 * SECOND, false, said);
        let holds =
            |address: u16, at: u64| memo.get(&record(1, address, &[]).unwrap(), at * SECOND).is_some();
        assert!(holds(7, 100) && holds(7, 106) && !holds(7, 107) && !holds(7, 99));
        assert!(holds(8, 100) && holds(8, 100_000));
        assert!(!holds(9, 100));
    }
}
