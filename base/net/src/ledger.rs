//! The ledger: which frames of a mirror belong to which step of ground truth.
//!
//! A step is begun with a selector before it acts and ended when it has acted; every frame that crosses the
//! mirror in between and that the selector picks is its frame. So the list is written as the step happens and
//! nothing is aligned afterwards. Frames count from 1 as Wireshark counts them in the capture.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::flow::{FlowKey, FlowProtocol};
use crate::world::Shared;

/// Picks frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// Those of one flow, both ways.
    Flow(FlowKey),
    /// Those of every flow that a host opened or that was opened to it, ARP and ICMP included.
    Host(String),
    /// Those of every connection to one port of a host.
    Service {
        /// The host that serves.
        host: String,
        /// Its port.
        port: u16,
    },
    /// Those of every connection that one host opened to one port of another.
    Between {
        /// The host that opened it.
        source: String,
        /// The host that serves.
        destination: String,
        /// Its port.
        port: u16,
    },
}

impl Selector {
    /// Whether a frame of this flow is picked.
    pub fn picks(&self, flow: &FlowKey) -> bool {
        match self {
            Self::Flow(key) => key == flow,
            Self::Host(host) => flow.touches(host),
            Self::Service { host, port } => {
                flow.protocol == FlowProtocol::Tcp && flow.port == *port && *flow.destination == **host
            }
            Self::Between { source, destination, port } => {
                flow.protocol == FlowProtocol::Tcp
                    && flow.port == *port
                    && *flow.source == **source
                    && *flow.destination == **destination
            }
        }
    }
}

/// The ledger of one switch.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    open: Vec<(Arc<str>, Selector)>,
    frames: BTreeMap<Arc<str>, Vec<u64>>,
}

impl Ledger {
    /// Enters a frame under every open step that picks it.
    pub(crate) fn enter(&mut self, number: u64, flow: &FlowKey) {
        for (step, selector) in &self.open {
            if selector.picks(flow) {
                let frames = self.frames.entry(step.clone()).or_default();
                if frames.last() != Some(&number) {
                    frames.push(number);
                }
            }
        }
    }
}

/// The ledger of one mirror port. Cheap to clone.
#[derive(Clone, Debug)]
pub struct FrameLedger {
    pub(crate) shared: Arc<Shared>,
    pub(crate) switch: usize,
}

impl FrameLedger {
    /// From now on frames that `selector` picks belong to `step`; several selectors of one step add up.
    pub fn begin(&self, step: &str, selector: Selector) {
        self.shared.world().switches[self.switch].ledger.open.push((step.into(), selector));
    }

    /// From now on no frame belongs to `step` any more; what it has, it keeps.
    pub fn end(&self, step: &str) {
        self.shared.world().switches[self.switch].ledger.open.retain(|(open, _)| **open != *step);
    }

    /// Numbers of the frames that belong to `step`, ascending; empty for a step that never began.
    pub fn frames(&self, step: &str) -> Vec<u64> {
        self.shared.world().switches[self.switch].ledger.frames.get(step).cloned().unwrap_or_default()
    }

    /// Number of the frame that crossed the mirror last, 0 before the first.
    pub fn last_frame(&self) -> u64 {
        self.shared.world().switches[self.switch].crossed
    }
}
