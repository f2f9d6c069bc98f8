//! The handful of records that a person on a first shift is shown: every Modbus request that is not a plain read.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use record::VirtualTime;
use sensor::LinkType;
use sensor::frame::{Content, Frame, Transport};
use site::Site;
use wire::modbus::FunctionCode;
use wire::modbus::mbap::{Framing, PORT, next_adu};
use wire::modbus::packet::Packet;

/// One request worth a look.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Remark {
    /// Number of the frame on the mirror port, from 1.
    pub(crate) frame: u64,
    pub(crate) t: VirtualTime,
    /// Who asked: name, or address where the documentation has none.
    pub(crate) source: String,
    /// What was asked, in words.
    pub(crate) what: String,
    /// Points that were written.
    pub(crate) writes: Vec<(String, f64)>,
}

/// Finds remarkable requests in frames. Segments that hold part of an ADU are passed over: this is a window, not the
/// sensor.
pub(crate) struct Lookout {
    site: Arc<Site>,
}

impl Lookout {
    /// A lookout that knows the site's documentation.
    pub(crate) fn new(site: Arc<Site>) -> Self {
        Self { site }
    }

    /// What a frame says that a person should see.
    pub(crate) fn look(&self, t: VirtualTime, frame: u64, octets: &[u8]) -> Option<Remark> {
        let parsed = Frame::parse(LinkType::Ethernet, octets, octets.len());
        let Content::Ip(packet) = &parsed.content else { return None };
        let Transport::Tcp(segment) = &packet.transport else { return None };
        if segment.destination_port != PORT {
            return None;
        }
        let Framing::Whole { adu, .. } = next_adu(segment.payload) else { return None };
        let request = Packet::request(adu.pdu);
        let function = request.function()?;
        if function.reads() && !function.writes() {
            return None;
        }
        let (IpAddr::V4(source), IpAddr::V4(target)) = (packet.source, packet.destination) else {
            return None;
        };
        let writes = self.writes(target, &request);
        let device = self.device_name(target);
        let what = if writes.is_empty() {
            format!("asks {device}: {}", function_words(function))
        } else {
            let points: Vec<String> = writes.iter().map(|(tag, value)| self.point(tag, *value)).collect();
            format!("writes to {device}: {}", points.join(", "))
        };
        Some(Remark { frame, t, source: self.host_name(source), what, writes })
    }

    fn host_name(&self, address: Ipv4Addr) -> String {
        match self.site.host_at(address) {
            Some(host) => format!("{} ({address})", host.name.get_ref()),
            None => address.to_string(),
        }
    }

    fn device_name(&self, address: Ipv4Addr) -> String {
        self.device(address).map_or_else(|| address.to_string(), |device| device.name.get_ref().clone())
    }

    fn device(&self, address: Ipv4Addr) -> Option<&site::Device> {
        self.site.device_on(self.site.host_at(address)?.name.get_ref())
    }

    fn point(&self, tag: &str, value: f64) -> String {
        let Some(described) = self.site.tag(tag) else { return format!("{tag} = {}", rounded(value)) };
        match described.states.get(value as usize) {
            Some(state) => format!("{} ({tag}) = {state}", described.description),
            None => format!("{} ({tag}) = {} {}", described.description, rounded(value), described.unit),
        }
    }

    /// Tags and values of a write, through the register map of the device.
    fn writes(&self, target: Ipv4Addr, request: &Packet<'_>) -> Vec<(String, f64)> {
        let (Some(device), Some((first, count))) = (self.device(target), request.write_range()) else {
            return Vec::new();
        };
        let is_bits = request.coil_word().is_some() || request.bits().is_some();
        let table = if is_bits { site::Table::Coil } else { site::Table::Holding };
        device
            .registers
            .iter()
            .filter(|entry| entry.table == table)
            .filter_map(|entry| {
                let offset = entry.address.get_ref().checked_sub(first.0).filter(|offset| *offset < count)?;
                let word = |n: usize| match (request.coil_word(), request.bits()) {
                    (Some(word), _) => Some(u16::from(word != 0)),
                    (None, Some(bits)) => bits.clone().nth(n).map(u16::from),
                    (None, None) => request.registers()?.get(n),
                };
                let words = [word(usize::from(offset))?, word(usize::from(offset) + 1).unwrap_or(0)];
                Some((entry.tag.get_ref().clone(), entry.decode(words)))
            })
            .collect()
    }
}

/// A value without the dust of binary fractions.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// What a function asks for, in words first.
fn function_words(function: FunctionCode) -> String {
    let words = match function.0 {
        7 => "its exception status",
        8 => "a diagnostic or restart of its communications",
        11 | 12 => "its communication counters",
        17 => "what kind of server it is",
        43 => "its vendor, model and revision",
        90 => "to start, stop or hand out its program",
        _ => "something unusual",
    };
    format!("{words} (function {})", function.0)
}
