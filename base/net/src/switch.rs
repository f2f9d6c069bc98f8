//! Learning switches with a mirror port.

use std::collections::BTreeMap;

use crate::ledger::Ledger;
use crate::packet::EthernetHead;

/// One switch.
#[derive(Debug)]
pub(crate) struct Switch {
    /// Zone that it serves.
    pub(crate) zone: String,
    /// Cards plugged in, in order of plugging.
    pub(crate) ports: Vec<usize>,
    /// Where each Ethernet address was last seen.
    learnt: BTreeMap<[u8; 6], usize>,
    /// Frames that crossed it so far: the number of the last one.
    pub(crate) crossed: u64,
    /// Which of them belong to what.
    pub(crate) ledger: Ledger,
}

/// Addresses a switch remembers; one more and it forgets all, as if flooded.
const TABLE: usize = 4096;

impl Switch {
    /// A switch without ports.
    pub(crate) fn new(zone: &str) -> Self {
        Self {
            zone: zone.to_owned(),
            ports: Vec::new(),
            learnt: BTreeMap::new(),
            crossed: 0,
            ledger: Ledger::default(),
        }
    }

    /// Plugs a card in.
    pub(crate) fn plug_in(&mut self, nic: usize) {
        self.ports.push(nic);
    }

    /// Learns the sender, finds the receiver; `None` means all ports but the sender's.
    pub(crate) fn forward(&mut self, from: usize, head: &EthernetHead) -> Option<usize> {
        if head.source[0] & 1 == 0
            && self.learnt.insert(head.source, from).is_none()
            && self.learnt.len() > TABLE
        {
            self.learnt.clear();
        }
        if head.destination[0] & 1 == 1 { None } else { self.learnt.get(&head.destination).copied() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const B: [u8; 6] = [2, 0, 0, 0, 0, 2];

    fn head(source: [u8; 6], destination: [u8; 6]) -> EthernetHead {
        EthernetHead { destination, source, kind: 0x0800 }
    }

    #[test]
    fn it_floods_until_it_has_learnt() {
        let mut switch = Switch::new("control");
        assert_eq!(switch.forward(0, &head(A, B)), None);
        assert_eq!(switch.forward(1, &head(B, A)), Some(0));
        assert_eq!(switch.forward(0, &head(A, B)), Some(1));
        assert_eq!(switch.forward(1, &head(B, [0xff; 6])), None);
    }

    #[test]
    fn it_follows_an_address_that_moves() {
        let mut switch = Switch::new("control");
        switch.forward(0, &head(A, B));
        switch.forward(2, &head(A, B));
        assert_eq!(switch.forward(1, &head(B, A)), Some(2));
    }
}
