//! Attachments: a zone's switch joined to a real network, through an interface (`AF_PACKET`) or a TAP device.
//!
//! # Theory of operation
//! Two threads each, outside the confinement of the kernel's: one reads frames, finishes what the sender left undone
//! (`offload`) and hands them to the kernel ([`LiveControl::frame`]); one writes what the kernel lets out
//! (see `gate`: answers alone). Between them and the kernel lie bounded queues; what does not fit is dropped
//! and counted.
//!
//! An interface is opened only where no cable can lie behind it (veth, bridge, dummy, TAP), unless its owner says so,
//! and only after a look for address conflicts (`conflict`). Open attachments before a thread is confined.
//!
//! # What can go wrong
//! The interface goes down or away: that is reported, and it is opened again as soon as it is there, looked for with
//! growing pauses. IPv6, which every Linux host chatters by itself, does not enter: no host of the lab speaks it.
//! Neither does what is addressed to the machine's own card.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use site::{MacAddress, Subnet};

use crate::gate::LONGEST;
use crate::live::LiveControl;
use crate::packet::{EthernetHead, TYPE_ARP};
use crate::uplink_counters::UplinkCounters;
use crate::{conflict, interface, offload, packet_socket, tap};

/// Frames that may wait to be written.
const WAITING_OUT: usize = 1024;
/// How often the threads look whether they are to end.
const BEAT: Duration = Duration::from_millis(200);
/// Pauses between two attempts to open a lost interface: from the first, doubled up to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How often drops are reported, if there are new ones.
const REPORT_EVERY: Duration = Duration::from_secs(10);
/// EtherType of IPv6.
const TYPE_IPV6: u16 = 0x86dd;

/// A real interface and the zone that it is joined to: `eth0=control`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attach {
    /// Name of the interface, or an address that it has; or the name of the TAP device to be made.
    pub interface: String,
    /// Name of the zone.
    pub zone: String,
}

impl FromStr for Attach {
    type Err = UplinkError;
    fn from_str(text: &str) -> Result<Self, UplinkError> {
        match text.split_once('=') {
            Some((interface, zone))
                if !interface.is_empty() && interface.len() < libc::IFNAMSIZ && !zone.is_empty() =>
            {
                Ok(Self { interface: interface.to_owned(), zone: zone.to_owned() })
            }
            _ => Err(UplinkError::Form { got: text.to_owned() }),
        }
    }
}

/// A zone as conflicts see it.
#[derive(Clone, Debug)]
pub struct ZoneHosts {
    /// Its name.
    pub zone: Arc<str>,
    /// Its networks.
    pub networks: Vec<Subnet>,
    /// Its hosts by address, the firewall included.
    pub hosts: BTreeMap<Ipv4Addr, String>,
}

/// Why a real network cannot be attached.
#[derive(Debug, thiserror::Error)]
pub enum UplinkError {
    /// Not an interface and a zone.
    #[error("an attachment is written INTERFACE=ZONE, as in eth0=control, got {got:?}")]
    Form {
        /// What stood there.
        got: String,
    },
    /// No such interface.
    #[error("{interface}: no such interface; there are {there}")]
    NoInterface {
        /// As it was named.
        interface: String,
        /// Those that there are.
        there: String,
    },
    /// No interface has this address.
    #[error("no interface has the address {address}")]
    NoAddress {
        /// As it was named.
        address: Ipv4Addr,
    },
    /// Its frames are no Ethernet frames.
    #[error("{interface} is no Ethernet interface\n  fix: attach a veth, a bridge, a dummy or a TAP device")]
    NotEthernet {
        /// The interface.
        interface: String,
    },
    /// A cable may lie behind it.
    #[error(
        "{interface} is no veth, bridge, dummy or TAP device (its driver is {driver:?}): a real plant may lie behind it\n  fix: attach a container's or namespace's interface; if the whole network behind it is yours to try things on, add --network-is-mine {interface}"
    )]
    MayBeReal {
        /// The interface.
        interface: String,
        /// Its driver.
        driver: String,
    },
    /// Neither root nor the capability.
    #[error(
        "{interface}: not permitted: this needs {capability}\n  fix: start as root, in a container with cap_add [{capability}], or once: setcap {setcap}+ep on the program"
    )]
    NotPermitted {
        /// The interface.
        interface: String,
        /// As containers call it.
        capability: &'static str,
        /// As setcap calls it.
        setcap: &'static str,
    },
    /// The interface is not set up.
    #[error("{interface} is down\n  fix: ip link set {interface} up")]
    Down {
        /// The interface.
        interface: String,
    },
    /// The operating system refused a step.
    #[error("{interface}: cannot {doing}: {source}")]
    System {
        /// The interface.
        interface: String,
        /// The step.
        doing: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// This machine has an address of a host of the lab.
    #[error(
        "{address} is {host} in the lab, and this machine's own address on {interface}\n  fix: ip address del {address} dev {interface}, or give the interface another address of that network"
    )]
    OwnAddress {
        /// Where it is.
        interface: String,
        /// The address.
        address: Ipv4Addr,
        /// Who has it in the lab.
        host: String,
    },
    /// A real network of this machine has the zone's addresses.
    #[error(
        "zone {zone} is {ours}, and this machine reaches a real network {network} through {interface}\n  fix: run the lab in a container or network namespace without {interface}; if that network is yours and may be mistaken for the lab, add --network-is-mine {interface}"
    )]
    RealNetwork {
        /// The zone.
        zone: String,
        /// Its network.
        ours: Subnet,
        /// The interface.
        interface: String,
        /// The network behind it.
        network: Subnet,
    },
    /// Somebody on the wire has an address of a host of the lab.
    #[error(
        "{address} is {host} in the lab, and on {interface} {mac} has it already\n  fix: give that machine another address, end the other lab, or attach another network"
    )]
    AddressInUse {
        /// The wire.
        interface: String,
        /// The address.
        address: Ipv4Addr,
        /// Who has it in the lab.
        host: String,
        /// Who has it there.
        mac: MacAddress,
    },
}

/// What an attachment tells while it runs: one line each.
pub type Reporter = Arc<dyn Fn(&str) + Send + Sync>;

/// How the real side is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Interface,
    Tap,
}

/// An attachment that is open and carries nothing yet.
#[derive(Debug)]
pub struct Attachment {
    name: Arc<str>,
    zone: ZoneHosts,
    kind: Kind,
    mine: Vec<String>,
    wire: File,
    own: [u8; 6],
}

impl Attachment {
    /// Opens an interface that is there, after a look for conflicts; an address stands for the interface that has
    /// it. `mine` names interfaces behind which a cable may lie.
    pub fn interface(name: &str, zone: ZoneHosts, mine: &[String]) -> Result<Self, UplinkError> {
        let (wire, own) = open_interface(name, mine)?;
        let found = interface_called(name)?;
        conflict::on_this_machine(&found, &zone, mine)?;
        conflict::on_the_wire(&found, &zone, &wire, own)?;
        Ok(Self { name: name.into(), zone, kind: Kind::Interface, mine: mine.to_vec(), wire, own })
    }

    /// Makes a TAP device and sets it up, after a look for conflicts.
    pub fn tap(name: &str, zone: ZoneHosts, mine: &[String]) -> Result<Self, UplinkError> {
        conflict::on_this_machine(name, &zone, mine)?;
        let wire = open_tap(name)?;
        Ok(Self { name: name.into(), zone, kind: Kind::Tap, mine: Vec::new(), wire, own: [0; 6] })
    }

    /// Joins it to a lab that runs live or is about to.
    ///
    /// Error: the system gives no thread.
    pub fn start(self, control: &LiveControl, report: Reporter) -> io::Result<RunningAttachment> {
        let counters = Arc::new(UplinkCounters::default());
        let is_over = Arc::new(AtomicBool::new(false));
        let line = Line {
            name: self.name.clone(),
            kind: self.kind,
            mine: self.mine.into(),
            wire: Arc::new(Mutex::new(Some(Arc::new(self.wire)))),
            counters: counters.clone(),
            is_over: is_over.clone(),
            report,
        };
        let (frames, from_lab) = sync_channel(WAITING_OUT);
        control.plug_in(&self.zone.zone, frames, counters.clone());
        let (reader, control, zone, own) = (line.clone(), control.clone(), self.zone.zone.clone(), self.own);
        let threads = vec![
            thread::Builder::new()
                .name(format!("{} in", self.name))
                .spawn(move || reader.read(&control, &zone, own))?,
            thread::Builder::new().name(format!("{} out", self.name)).spawn(move || line.write(&from_lab))?,
        ];
        Ok(RunningAttachment { name: self.name, zone: self.zone.zone, counters, is_over, threads })
    }
}

/// An attachment that carries frames until it is dropped.
#[derive(Debug)]
pub struct RunningAttachment {
    name: Arc<str>,
    zone: Arc<str>,
    counters: Arc<UplinkCounters>,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl RunningAttachment {
    /// Name of the interface.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Zone that it is joined to.
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// What it carried and dropped so far.
    pub fn counters(&self) -> &UplinkCounters {
        &self.counters
    }
}

impl Drop for RunningAttachment {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Whether this process may attach interfaces: it tries, at the loopback interface, and hears nothing there.
///
/// Error: what the system said; `PermissionDenied` without CAP_NET_RAW.
pub fn may_attach() -> io::Result<()> {
    let index = interface::index("lo").ok_or(ErrorKind::NotFound)?;
    packet_socket::open(index).map(|_| ())
}

/// The interface of this name, or with this address.
fn interface_called(name: &str) -> Result<String, UplinkError> {
    let Ok(address) = name.parse() else { return Ok(name.to_owned()) };
    let trouble =
        |source| UplinkError::System { interface: name.to_owned(), doing: "list addresses", source };
    let own = interface::own_addresses().map_err(trouble)?;
    let found = own.into_iter().find(|it| it.address == address);
    found.map(|it| it.interface).ok_or(UplinkError::NoAddress { address })
}

fn open_interface(name: &str, mine: &[String]) -> Result<(File, [u8; 6]), UplinkError> {
    let found = interface_called(name)?;
    let name = found.as_str();
    let interface = || name.to_owned();
    let Some(index) = interface::index(name) else {
        return Err(UplinkError::NoInterface { interface: interface(), there: interface::names() });
    };
    let system = |doing| move |source| UplinkError::System { interface: name.to_owned(), doing, source };
    let Some(own) = interface::ethernet_address(name).map_err(system("ask for its kind"))? else {
        return Err(UplinkError::NotEthernet { interface: interface() });
    };
    if !mine.contains(&found) && !interface::is_virtual(name) {
        return Err(UplinkError::MayBeReal { interface: interface(), driver: interface::driver(name) });
    }
    if !interface::is_up(name).map_err(system("ask whether it is up"))? {
        return Err(UplinkError::Down { interface: interface() });
    }
    let wire = packet_socket::open(index).map_err(|source| match source.kind() {
        ErrorKind::PermissionDenied => {
            UplinkError::NotPermitted { interface: interface(), capability: "NET_RAW", setcap: "cap_net_raw" }
        }
        _ => system("open a packet socket")(source),
    })?;
    Ok((wire, own))
}

fn open_tap(name: &str) -> Result<File, UplinkError> {
    tap::open(name).map_err(|source| match source.kind() {
        ErrorKind::PermissionDenied => UplinkError::NotPermitted {
            interface: name.to_owned(),
            capability: "NET_ADMIN",
            setcap: "cap_net_admin",
        },
        _ => UplinkError::System { interface: name.to_owned(), doing: "make a TAP device", source },
    })
}

/// What both threads of an attachment share.
#[derive(Clone)]
struct Line {
    name: Arc<str>,
    kind: Kind,
    mine: Arc<[String]>,
    /// `None` while it is lost.
    wire: Arc<Mutex<Option<Arc<File>>>>,
    counters: Arc<UplinkCounters>,
    is_over: Arc<AtomicBool>,
    report: Reporter,
}

impl Line {
    fn wire(&self) -> Option<Arc<File>> {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_wire(&self, wire: Option<Arc<File>>) {
        *self.wire.lock().unwrap_or_else(PoisonError::into_inner) = wire;
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Frames from the real network, until the end.
    fn read(&self, control: &LiveControl, zone: &Arc<str>, mut own: [u8; 6]) {
        let mut buffer = vec![0; (1 << 16) + 64];
        let (mut reported, mut next_report) = (0, Instant::now() + REPORT_EVERY);
        while !self.is_over() {
            let Some(wire) = self.wire() else {
                own = self.heal();
                continue;
            };
            packet_socket::wait(&wire, BEAT.as_millis() as i32);
            if let Err(error) = self.read_all(&wire, &mut buffer, own, control, zone) {
                (self.report)(&format!("uplink {}: lost: {error}; it is looked for", self.name));
                self.set_wire(None);
            }
            if Instant::now() >= next_report {
                next_report = Instant::now() + REPORT_EVERY;
                if self.kind == Kind::Interface {
                    self.counters.dropped_in.add(packet_socket::drops(&wire));
                }
                let dropped = self.counters.dropped();
                if dropped > reported {
                    let more = dropped - reported;
                    (self.report)(&format!("uplink {}: {more} frames dropped in 10 s", self.name));
                    reported = dropped;
                }
            }
        }
        if let (Some(wire), Kind::Interface) = (self.wire(), self.kind) {
            self.counters.dropped_in.add(packet_socket::drops(&wire));
        }
    }

    /// Reads what is there now.
    fn read_all(
        &self,
        mut wire: &File,
        buffer: &mut [u8],
        own: [u8; 6],
        control: &LiveControl,
        zone: &Arc<str>,
    ) -> io::Result<()> {
        loop {
            match wire.read(buffer) {
                Ok(count) => {
                    let mut give = |frame: Vec<u8>| self.give(frame, own, control, zone);
                    let read = &buffer[..count];
                    let is_whole = match self.kind {
                        Kind::Interface => offload::finish(read, &mut give),
                        Kind::Tap => {
                            give(read.to_vec());
                            true
                        }
                    };
                    if !is_whole {
                        self.counters.refused_in.add(1);
                    }
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Ok(()),
                    ErrorKind::Interrupted => {}
                    // A frame of a kind for which there is no header.
                    ErrorKind::InvalidInput => self.counters.refused_in.add(1),
                    _ => return Err(error),
                },
            }
            if self.is_over() {
                return Ok(());
            }
        }
    }

    fn give(&self, frame: Vec<u8>, own: [u8; 6], control: &LiveControl, zone: &Arc<str>) {
        let Some(head) = EthernetHead::parse(&frame) else { return };
        // A TAP device's card belongs to the other side: whoever uses it.
        let is_for_machine = self.kind == Kind::Interface && head.destination == own;
        if head.kind == TYPE_IPV6 || (is_for_machine && head.kind != TYPE_ARP) {
            return;
        }
        if frame.len() > LONGEST {
            self.counters.refused_in.add(1);
        } else if control.frame(&self.name, zone, frame) {
            self.counters.taken_in.add(1);
        } else {
            self.counters.dropped_in.add(1);
        }
    }

    /// Looks for the interface until it is there again; its address then.
    fn heal(&self) -> [u8; 6] {
        let (started, mut pause) = (Instant::now(), PAUSES.0);
        let mut last = String::new();
        while !self.is_over() {
            thread::sleep(pause.min(BEAT));
            let opened = match self.kind {
                Kind::Interface => open_interface(&self.name, &self.mine),
                Kind::Tap => open_tap(&self.name).map(|wire| (wire, [0; 6])),
            };
            match opened {
                Ok((wire, own)) => {
                    self.set_wire(Some(Arc::new(wire)));
                    let seconds = started.elapsed().as_secs_f64();
                    (self.report)(&format!("uplink {}: there again after {seconds:.1} s", self.name));
                    return own;
                }
                Err(error) => {
                    let said = error.to_string();
                    if said != last {
                        (self.report)(&format!("uplink {}: {said}", self.name));
                        last = said;
                    }
                }
            }
            let until = Instant::now() + pause;
            while Instant::now() < until && !self.is_over() {
                thread::sleep(BEAT.min(pause));
            }
            pause = (pause * 2).min(PAUSES.1);
        }
        [0; 6]
    }

    /// Writes what the lab lets out, until the end.
    fn write(&self, from_lab: &Receiver<Vec<u8>>) {
        let mut octets = Vec::new();
        while !self.is_over() {
            let frame = match from_lab.recv_timeout(BEAT) {
                Ok(frame) => frame,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            octets.clear();
            if self.kind == Kind::Interface {
                octets.extend([0; offload::HEADER]);
            }
            octets.extend(frame);
            // An error shows to the reader as well, who reports and heals it.
            match self.wire().map(|wire| (&*wire).write(&octets)) {
                Some(Ok(_)) => self.counters.sent_out.add(1),
                Some(Err(_)) | None => self.counters.dropped_out.add(1),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attachment_is_an_interface_and_a_zone() {
        let attach: Attach = "eth0=control".parse().unwrap();
        assert_eq!((attach.interface.as_str(), attach.zone.as_str()), ("eth0", "control"));
        for wrong in ["", "eth0", "=control", "eth0=", "an-interface-name=control"] {
            assert!(wrong.parse::<Attach>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_there_or_has_a_cable_is_refused_with_a_fix() {
        let zone = ZoneHosts { zone: "control".into(), networks: Vec::new(), hosts: BTreeMap::new() };
        let said = Attachment::interface("no-such", zone.clone(), &[]).unwrap_err().to_string();
        assert!(said.contains("there are") && said.contains("lo"), "{said}");
        let said = Attachment::interface("lo", zone, &[]).unwrap_err().to_string();
        assert!(said.contains("no Ethernet"), "{said}");
    }
}
