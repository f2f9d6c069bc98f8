//! The event heap: what will happen, ordered by (time, sequence number).
//!
//! Two events of one moment are delivered in the order in which they were put in, so a run has one order only.
//! An event that has become pointless (a timer whose sleeper is gone, a deadline that moved) stays in the heap
//! and is passed over; [`Queue::is_crowded`] says when so many of them lie there that the heap is worth cleaning.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::net::Ipv4Addr;

use crate::flow::Frame;
use crate::slab::Key;

/// What can happen at a moment.
#[derive(Debug)]
pub(crate) enum Event {
    /// A frame from a network card reaches its switch.
    AtSwitch {
        /// The card that sent it.
        nic: usize,
        /// The frame.
        frame: Frame,
    },
    /// A frame from a switch reaches a network card.
    AtNic {
        /// The card.
        nic: usize,
        /// The frame.
        frame: Frame,
    },
    /// A connection asked to be looked at.
    Deadline {
        /// The connection.
        conn: Key,
    },
    /// A sleeper's time has come.
    Timer {
        /// The timer.
        timer: Key,
    },
    /// An ARP request got no answer.
    ArpRetry {
        /// The card that asked.
        nic: usize,
        /// The address asked for.
        address: Ipv4Addr,
    },
    /// A firewall rule's lifetime is over.
    RuleExpiry {
        /// The rule.
        rule: u64,
    },
}

/// An event with its place in the order.
#[derive(Debug)]
pub(crate) struct Scheduled {
    /// Nanoseconds since the start of the run.
    pub(crate) at: u64,
    sequence: u64,
    /// What happens.
    pub(crate) event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    /// Reversed: the heap gives its greatest first, we want the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

/// The heap.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Scheduled>,
    next_sequence: u64,
    stale: usize,
}

/// Below this many pointless events the heap is not worth cleaning.
const CROWD: usize = 256;

impl Queue {
    /// Puts an event in.
    pub(crate) fn push(&mut self, at: u64, event: Event) {
        self.heap.push(Scheduled { at, sequence: self.next_sequence, event });
        self.next_sequence += 1;
    }

    /// Time of the earliest event, pointless or not.
    pub(crate) fn next_at(&self) -> Option<u64> {
        self.heap.peek().map(|scheduled| scheduled.at)
    }

    /// The earliest event without taking it.
    pub(crate) fn peek(&self) -> Option<&Scheduled> {
        self.heap.peek()
    }

    /// Takes the earliest event.
    pub(crate) fn pop(&mut self) -> Option<Scheduled> {
        self.heap.pop()
    }

    /// Notes that one event in the heap has become pointless.
    pub(crate) fn note_stale(&mut self) {
        self.stale += 1;
    }

    /// Notes that a pointless event left the heap.
    pub(crate) fn note_stale_gone(&mut self) {
        self.stale = self.stale.saturating_sub(1);
    }

    /// Whether more than half of the heap is pointless.
    pub(crate) fn is_crowded(&self) -> bool {
        self.stale > CROWD && self.stale * 2 > self.heap.len()
    }

    /// Throws out what `is_live` does not want.
    pub(crate) fn clean(&mut self, is_live: impl FnMut(&Scheduled) -> bool) {
        self.heap.retain(is_live);
        self.stale = 0;
    }

    /// Number of events in the heap, pointless ones included.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(event: &Event) -> u64 {
        match event {
            Event::RuleExpiry { rule } => *rule,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn events_come_by_time_and_then_in_the_order_of_arrival() {
        let mut queue = Queue::default();
        for (at, id) in [(5, 0), (3, 1), (5, 2), (3, 3), (0, 4)] {
            queue.push(at, Event::RuleExpiry { rule: id });
        }
        let order: Vec<u64> = std::iter::from_fn(|| queue.pop()).map(|s| rule(&s.event)).collect();
        assert_eq!(order, [4, 1, 3, 0, 2]);
    }

    #[test]
    fn cleaning_keeps_the_order_of_the_rest() {
        let mut queue = Queue::default();
        for id in 0..1000 {
            queue.push(id % 7, Event::RuleExpiry { rule: id });
        }
        for _ in 0..600 {
            queue.note_stale();
        }
        assert!(queue.is_crowded());
        queue.clean(|scheduled| rule(&scheduled.event) >= 600);
        assert_eq!(queue.len(), 400);
        let order: Vec<(u64, u64)> =
            std::iter::from_fn(|| queue.pop()).map(|s| (s.at, rule(&s.event))).collect();
        assert!(order.is_sorted(), "{order:?}");
    }
}
