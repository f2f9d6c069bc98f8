//! Neighbour tables: which Ethernet address an IPv4 address has, as one network card believes.
//!
//! smoltcp's own table asks once a second per interface, ignores announcements and holds few entries, so hosts
//! keep theirs here. An entry comes from an answer to a request of ours or from a request to us; an
//! announcement alters entries that exist already, as in real stacks, which is what ARP spoofing lives on. An
//! entry in use is refreshed by a unicast request every few minutes, without holding up packets.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::flow::Frame;

/// Time between two requests for one address, in nanoseconds.
pub(crate) const RETRY: u64 = 1_000_000_000;
/// Requests without an answer after which an address counts as unreachable.
pub(crate) const TRIES: u8 = 3;
/// Age at which an entry in use is refreshed, in nanoseconds.
const REFRESH: u64 = 240_000_000_000;
/// Spread of that age, so that hosts do not ask in step.
const REFRESH_SPREAD: u64 = 120_000_000_000;
/// Packets that wait for one address; older ones are dropped.
const WAITING: usize = 16;

/// What is known about one address.
#[derive(Debug)]
enum Entry {
    /// Asked for; these frames wait.
    Asked { tries: u8, waiting: Vec<Frame> },
    /// Known.
    Known { mac: [u8; 6], refresh_at: u64, unanswered: u8 },
}

/// The table of one card.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    entries: BTreeMap<Ipv4Addr, Entry>,
}

/// What to do about a frame.
#[derive(Debug)]
pub(crate) enum Way {
    /// Send it there.
    To([u8; 6], Frame),
    /// Send it there, and ask that neighbour whether it still has the address.
    ToAndRefresh([u8; 6], Frame),
    /// It waits; ask everybody.
    Ask,
    /// It waits; somebody asked already.
    Wait,
}

impl Neighbours {
    /// Where a frame for `address` goes.
    pub(crate) fn way(&mut self, address: Ipv4Addr, now: u64, frame: Frame) -> Way {
        match self.entries.get_mut(&address) {
            Some(Entry::Known { mac, refresh_at, unanswered }) => {
                let mac = *mac;
                if now < *refresh_at {
                    return Way::To(mac, frame);
                }
                *refresh_at = now + RETRY;
                *unanswered += 1;
                if *unanswered <= TRIES {
                    return Way::ToAndRefresh(mac, frame);
                }
                self.entries.insert(address, Entry::Asked { tries: 1, waiting: vec![frame] });
                Way::Ask
            }
            Some(Entry::Asked { waiting, .. }) => {
                if waiting.len() == WAITING {
                    waiting.remove(0);
                }
                waiting.push(frame);
                Way::Wait
            }
            None => {
                self.entries.insert(address, Entry::Asked { tries: 1, waiting: vec![frame] });
                Way::Ask
            }
        }
    }

    /// Learns from a message that was meant for us; gives the frames that waited for it.
    pub(crate) fn learn(&mut self, address: Ipv4Addr, mac: [u8; 6], now: u64, spread: u64) -> Vec<Frame> {
        let refresh_at = now + REFRESH + ((REFRESH_SPREAD * (spread & 0xffff)) >> 16);
        match self.entries.insert(address, Entry::Known { mac, refresh_at, unanswered: 0 }) {
            Some(Entry::Asked { waiting, .. }) => waiting,
            _ => Vec::new(),
        }
    }

    /// Learns from an announcement: alters what is known already, adds nothing.
    pub(crate) fn hear(&mut self, address: Ipv4Addr, new: [u8; 6]) {
        if let Some(Entry::Known { mac, .. }) = self.entries.get_mut(&address) {
            *mac = new;
        }
    }

    /// Whether an answer from this address is awaited.
    pub(crate) fn expects(&self, address: Ipv4Addr) -> bool {
        match self.entries.get(&address) {
            Some(Entry::Asked { .. }) => true,
            Some(Entry::Known { unanswered, .. }) => *unanswered > 0,
            None => false,
        }
    }

    /// A request got no answer in time. `Some(true)`: ask again. `Some(false)`: give up, the frames are dropped.
    pub(crate) fn retry(&mut self, address: Ipv4Addr) -> Option<bool> {
        match self.entries.get_mut(&address) {
            Some(Entry::Asked { tries, .. }) if *tries < TRIES => {
                *tries += 1;
                Some(true)
            }
            Some(Entry::Asked { .. }) => {
                self.entries.remove(&address);
                Some(false)
            }
            _ => None,
        }
    }
}
