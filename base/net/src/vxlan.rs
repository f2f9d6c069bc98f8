//! The mirror port for a machine outside: each frame inside a UDP datagram (VXLAN, RFC 7348).
//!
//! ```text
//! 0 flags 0x08   1..4 zero   4..7 network identifier (VNI)   7 zero   8.. the frame
//! ```
//!
//! A Linux bridge passes no frame on whose addresses it learnt on the port where it came in, so mirrored frames cannot go
//! out as they are. Inside datagrams they pass, and `ip link add eth1 type vxlan id 42 dstport 4789 dev eth0` unpacks them.
//! A frame of the lab's 1450 octets and its wrapping fit an ordinary network.
//!
//! A thread of its own sends; the kernel's hands over copies, and drops and counts what does not fit. The receiver must be
//! this machine or a neighbour on a virtual interface: copies of a lab's frames have no business on a real network.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use record::VirtualTime;

use crate::interface;
use crate::uplink_counters::UplinkCounters;

/// Port of VXLAN.
const PORT: u16 = 4789;
/// Frames that may wait to be sent.
const WAITING: usize = 4096;
/// Length of the header.
const HEADER: usize = 8;

/// Where a mirror goes: `172.20.0.9`, `172.20.0.9:4789`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MirrorTarget(pub SocketAddrV4);

/// Why frames cannot be mirrored there.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// Not an address.
    #[error(
        "a receiver of the mirror is written ADDRESS or ADDRESS:PORT, as in 172.20.0.9:4789, got {got:?}"
    )]
    Form {
        /// What stood there.
        got: String,
    },
    /// Larger than 24 bits.
    #[error("a VXLAN network identifier is at most 16777215, got {got}")]
    Identifier {
        /// What it was.
        got: u32,
    },
    /// Not this machine, nor a neighbour behind a virtual interface.
    #[error(
        "{address} is neither this machine nor a neighbour on a veth, bridge, dummy or TAP device: the mirror would leave the lab\n  fix: mirror to a container or namespace on a network of this one; if it is reached by an interface whose network is yours, add --network-is-mine INTERFACE"
    )]
    Elsewhere {
        /// The receiver.
        address: Ipv4Addr,
    },
    /// The operating system refused.
    #[error("the mirror cannot be sent to {target}: {source}")]
    System {
        /// The receiver.
        target: SocketAddrV4,
        /// What it said.
        source: io::Error,
    },
}

impl FromStr for MirrorTarget {
    type Err = MirrorError;
    fn from_str(text: &str) -> Result<Self, MirrorError> {
        let bare = || text.parse().map(|address| SocketAddrV4::new(address, PORT));
        let target = text.parse().or_else(|_| bare());
        target.map(Self).map_err(|_| MirrorError::Form { got: text.to_owned() })
    }
}

/// Takes frames of a mirror port: when, number, octets. To be watched with by the kernel's thread.
pub type SentMirror = Box<dyn FnMut(VirtualTime, u64, &[u8]) + Send>;

/// A mirror that is sent out until its frames end.
#[derive(Debug)]
pub struct MirrorOut {
    target: SocketAddrV4,
    counters: Arc<UplinkCounters>,
}

impl MirrorOut {
    /// Opens the way to a receiver; gives what to hand to [`crate::Network::mirror`]. `mine` names interfaces behind
    /// which a cable may lie. To be called on a thread that is not confined.
    pub fn open(
        target: MirrorTarget,
        identifier: u32,
        mine: &[String],
    ) -> Result<(Self, SentMirror), MirrorError> {
        let target = target.0;
        if identifier >> 24 != 0 {
            return Err(MirrorError::Identifier { got: identifier });
        }
        let system = |source| MirrorError::System { target, source };
        if !is_near(*target.ip(), mine).map_err(system)? {
            return Err(MirrorError::Elsewhere { address: *target.ip() });
        }
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).map_err(system)?;
        socket.connect(target).map_err(system)?;
        let (frames, waiting) = sync_channel::<Vec<u8>>(WAITING);
        let counters = Arc::new(UplinkCounters::default());
        let counted = counters.clone();
        thread::Builder::new()
            .name("mirror out".to_owned())
            .spawn(move || send(&socket, &waiting, &counted))
            .map_err(system)?;
        let own = counters.clone();
        let consumer: SentMirror = Box::new(move |_, _, frame| {
            if frames.try_send(wrap(identifier, frame)).is_err() {
                counters.dropped_out.add(1);
            }
        });
        Ok((Self { target, counters: own }, consumer))
    }

    /// The receiver.
    pub fn target(&self) -> SocketAddrV4 {
        self.target
    }

    /// Frames sent and dropped so far.
    pub fn counters(&self) -> &UplinkCounters {
        &self.counters
    }
}

fn wrap(identifier: u32, frame: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(HEADER + frame.len());
    octets.extend([0x08, 0, 0, 0]);
    octets.extend((identifier << 8).to_be_bytes());
    octets.extend_from_slice(frame);
    octets
}

fn send(socket: &UdpSocket, waiting: &Receiver<Vec<u8>>, counters: &UplinkCounters) {
    for octets in waiting {
        // The first datagram after nobody listened fails with what came back for the one before.
        let sent = socket.send(&octets).or_else(|_| socket.send(&octets));
        match sent {
            Ok(_) => counters.sent_out.add(1),
            Err(_) => counters.dropped_out.add(1),
        }
    }
}

/// Whether an address is this machine's, or a private one on the network of a virtual interface.
fn is_near(address: Ipv4Addr, mine: &[String]) -> io::Result<bool> {
    if address.is_loopback() {
        return Ok(true);
    }
    let own = interface::own_addresses()?;
    Ok(own.iter().any(|it| {
        let mask = u32::MAX.checked_shl(32 - u32::from(it.prefix)).unwrap_or(0);
        let is_neighbour = (it.address.to_bits() ^ address.to_bits()) & mask == 0;
        is_neighbour
            && (mine.contains(&it.interface)
                || (address.is_private() && interface::is_virtual(&it.interface)))
    }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_receiver_is_an_address_with_or_without_a_port() {
        let target: MirrorTarget = "127.0.0.1".parse().unwrap();
        assert_eq!(target.0.port(), 4789);
        assert_eq!("172.20.0.9:4790".parse::<MirrorTarget>().unwrap().0.to_string(), "172.20.0.9:4790");
        assert!("analyst:4789".parse::<MirrorTarget>().is_err());
    }

    #[test]
    fn frames_arrive_wrapped() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let to = receiver.local_addr().unwrap().to_string().parse().unwrap();
        let (mirror, mut consumer) = MirrorOut::open(to, 42, &[]).unwrap();
        consumer(VirtualTime::ZERO, 1, &[7; 60]);
        let mut buffer = [0; 100];
        let count = receiver.recv(&mut buffer).unwrap();
        // RFC 7348, section 5: the I flag, 24 bits reserved, VNI 42, 8 bits reserved.
        assert_eq!(buffer[..8], [8, 0, 0, 0, 0, 0, 42, 0]);
        assert_eq!(buffer[8..count], [7; 60]);
        assert_eq!(mirror.counters().dropped(), 0);
    }

    #[test]
    fn nothing_is_mirrored_to_the_world() {
        for far in ["192.0.2.1", "8.8.8.8:4789"] {
            let error = MirrorOut::open(far.parse().unwrap(), 42, &[]).map(|_| ()).unwrap_err();
            assert!(matches!(error, MirrorError::Elsewhere { .. }), "{error}");
        }
        let error = MirrorOut::open("127.0.0.1".parse().unwrap(), 1 << 24, &[]).map(|_| ()).unwrap_err();
        assert!(matches!(error, MirrorError::Identifier { .. }), "{error}");
    }
}
