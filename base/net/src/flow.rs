//! Flows and frames: who talks to whom, in words that do not depend on anything else that happens.
//!
//! A flow's key is (source host, destination host, service port, actor, how-many-th connection of that actor to
//! that port), never the ephemeral port: what is drawn for a flow is the same in every twin of a seed, whatever
//! other flows there are.

use std::fmt;
use std::sync::Arc;

use record::KeyedStream;

/// What a flow carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowProtocol {
    /// A TCP connection, or an attempt at one.
    Tcp,
    /// Echo requests and their answers.
    Icmp,
    /// An address resolution.
    Arp,
    /// Anything else over IPv4, or another protocol on the cable: it comes from real networks alone.
    Other,
}

/// Names one flow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey {
    /// Host that opened it.
    pub source: Arc<str>,
    /// Host it was opened to; the address where no host has it.
    pub destination: Arc<str>,
    /// What it carries.
    pub protocol: FlowProtocol,
    /// Service port; 0 for ICMP and ARP.
    pub port: u16,
    /// Who on the source host opened it; the host's own name where nobody said.
    pub actor: Arc<str>,
    /// How many such flows this actor opened before it.
    pub occurrence: u64,
}

impl FlowKey {
    /// The draws of this flow for one purpose, occurrence = position in the flow.
    pub(crate) fn draws(&self, seed: u64, purpose: &str) -> KeyedStream {
        KeyedStream::new(seed, &self.to_string(), purpose)
    }

    /// Whether a host is at either end.
    pub fn touches(&self, host: &str) -> bool {
        &*self.source == host || &*self.destination == host
    }
}

impl fmt::Display for FlowKey {
    /// `hmi>plc-1:502#0`, `hmi(operator)>plc-1:502#0`, `hmi>plc-1:arp#0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source)?;
        if self.actor != self.source {
            write!(f, "({})", self.actor)?;
        }
        write!(f, ">{}:", self.destination)?;
        match self.protocol {
            FlowProtocol::Tcp => write!(f, "{}", self.port)?,
            FlowProtocol::Icmp => f.write_str("icmp")?,
            FlowProtocol::Arp => f.write_str("arp")?,
            FlowProtocol::Other => f.write_str("other")?,
        }
        write!(f, "#{}", self.occurrence)
    }
}

/// One Ethernet frame under way.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// From the destination address on, without check sequence.
    pub(crate) octets: Vec<u8>,
    /// The flow it belongs to.
    pub(crate) flow: Arc<FlowKey>,
    /// Its position among the frames that its sender sent in the flow.
    pub(crate) position: u64,
    /// The keyed draw of this frame; each link takes sixteen bits of it, at most four links in a row.
    pub(crate) draw: u64,
}

impl Frame {
    /// The same frame with no octets in it.
    pub(crate) fn clone_without_octets(&self) -> Self {
        Self { octets: Vec::new(), flow: self.flow.clone(), position: self.position, draw: self.draw }
    }

    /// The next link's share of the draw, uniform in [0, 65536).
    pub(crate) fn take_draw(&mut self) -> u64 {
        let share = self.draw & 0xffff;
        self.draw = self.draw.rotate_right(16);
        share
    }
}
