//! Looks for somebody who has the lab's addresses already, before the lab answers for them on a real network.
//!
//! 192.168.1.0/24 is a plant in this lab and somebody's home elsewhere. Two who answer for one address are a trouble
//! that is hard to find afterwards, so it is looked for first: among this machine's own addresses and routes, and on
//! the wire by ARP probes (RFC 5227, section 2.1.1). The RFC probes for seconds, as a cable and its hosts may be slow;
//! between namespaces half a second is long.

use std::fs::File;
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use site::{MacAddress, Subnet};

use crate::attach::{UplinkError, ZoneHosts};
use crate::interface::{self, OwnAddress};
use crate::offload;
use crate::packet::{Arp, BROADCAST, ETHERNET, EthernetHead, TYPE_ARP};
use crate::packet_socket;

/// Rounds of probes, and the time after each in which answers count.
const ROUNDS: u32 = 2;
const LISTEN: Duration = Duration::from_millis(250);

/// Whether this machine itself has an address of the zone's hosts, or a real network of the same addresses.
pub(crate) fn on_this_machine(name: &str, zone: &ZoneHosts, mine: &[String]) -> Result<(), UplinkError> {
    let trouble =
        |source| UplinkError::System { interface: name.to_owned(), doing: "list addresses", source };
    let own = interface::own_addresses().map_err(trouble)?;
    let is_real = |interface: &str| {
        interface != "lo" && !mine.iter().any(|it| it == interface) && !interface::is_virtual(interface)
    };
    judge(name, zone, &own, &interface::routes(), &is_real)
}

fn judge(
    name: &str,
    zone: &ZoneHosts,
    own: &[OwnAddress],
    routes: &[(String, Subnet)],
    is_real: &dyn Fn(&str) -> bool,
) -> Result<(), UplinkError> {
    for OwnAddress { interface, address, .. } in own {
        if let Some(host) = zone.hosts.get(address) {
            return Err(UplinkError::OwnAddress {
                interface: interface.clone(),
                address: *address,
                host: host.clone(),
            });
        }
    }
    let on_link = own.iter().filter_map(|it| {
        let mask = u32::MAX.checked_shl(32 - u32::from(it.prefix)).unwrap_or(0);
        let first = Ipv4Addr::from_bits(it.address.to_bits() & mask);
        Some((&it.interface, format!("{first}/{}", it.prefix).parse().ok()?))
    });
    let routed = routes.iter().map(|(interface, network)| (interface, *network));
    for (interface, network) in on_link.chain(routed) {
        let clash = zone.networks.iter().find(|it| it.overlaps(&network));
        if let Some(ours) = clash
            && interface != name
            && is_real(interface)
        {
            return Err(UplinkError::RealNetwork {
                zone: zone.zone.to_string(),
                ours: *ours,
                interface: interface.clone(),
                network,
            });
        }
    }
    Ok(())
}

/// Whether somebody on the wire has an address of the zone's hosts.
pub(crate) fn on_the_wire(
    name: &str,
    zone: &ZoneHosts,
    mut wire: &File,
    own: [u8; 6],
) -> Result<(), UplinkError> {
    let trouble = |source| UplinkError::System { interface: name.to_owned(), doing: "probe", source };
    let mut buffer = vec![0; 1 << 16];
    let mut octets = Vec::new();
    for _ in 0..ROUNDS {
        for address in zone.hosts.keys() {
            let probe = Arp {
                is_request: true,
                sender_mac: own,
                sender: Ipv4Addr::UNSPECIFIED,
                target_mac: [0; 6],
                target: *address,
            };
            probe.emit(BROADCAST, &mut octets);
            octets.splice(..0, [0; offload::HEADER]);
            wire.write_all(&octets).map_err(trouble)?;
        }
        let until = Instant::now() + LISTEN;
        while Instant::now() < until {
            packet_socket::wait(wire, 20);
            while let Ok(count) = wire.read(&mut buffer) {
                if let Some((address, mac)) = holder(buffer.get(offload::HEADER..count).unwrap_or_default())
                    && let Some(host) = zone.hosts.get(&address)
                    && mac != own
                {
                    return Err(UplinkError::AddressInUse {
                        interface: name.to_owned(),
                        address,
                        host: host.clone(),
                        mac: MacAddress(mac),
                    });
                }
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
    Ok(())
}

/// Who says in an ARP message that they have which address.
fn holder(frame: &[u8]) -> Option<(Ipv4Addr, [u8; 6])> {
    let head = EthernetHead::parse(frame).filter(|head| head.kind == TYPE_ARP)?;
    let arp = Arp::parse(&frame[ETHERNET..])?;
    (!arp.sender.is_unspecified() && head.source == arp.sender_mac).then_some((arp.sender, arp.sender_mac))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> ZoneHosts {
        ZoneHosts {
            zone: "control".into(),
            networks: vec!["192.168.1.0/24".parse().unwrap()],
            hosts: [([192, 168, 1, 101].into(), "plc-1".to_owned())].into(),
        }
    }

    fn own(interface: &str, address: [u8; 4]) -> OwnAddress {
        OwnAddress { interface: interface.to_owned(), address: address.into(), prefix: 24 }
    }

    #[test]
    fn an_address_of_our_own_is_named_with_its_fix() {
        let error = judge("v0", &zone(), &[own("v0", [192, 168, 1, 101])], &[], &|_| false).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("192.168.1.101") && said.contains("plc-1") && said.contains("fix:"), "{said}");
        assert!(judge("v0", &zone(), &[own("v0", [192, 168, 1, 2])], &[], &|_| false).is_ok());
    }

    #[test]
    fn a_real_network_of_the_same_addresses_is_refused() {
        let home = own("wlan0", [192, 168, 1, 7]);
        let said = judge("v0", &zone(), std::slice::from_ref(&home), &[], &|it| it == "wlan0").unwrap_err();
        assert!(said.to_string().contains("wlan0"), "{said}");
        assert!(
            judge("v0", &zone(), &[home], &[], &|_| false).is_ok(),
            "the other end of a veth may have one"
        );
        let routed = [("eth0".to_owned(), "192.168.0.0/16".parse().unwrap())];
        assert!(judge("v0", &zone(), &[], &routed, &|_| true).is_err());
        let elsewhere = [("eth0".to_owned(), "10.0.0.0/8".parse().unwrap())];
        assert!(judge("v0", &zone(), &[], &elsewhere, &|_| true).is_ok());
    }

    #[test]
    fn a_probe_claims_nothing() {
        let mut octets = Vec::new();
        let mut arp = Arp {
            is_request: true,
            sender_mac: [2; 6],
            sender: Ipv4Addr::UNSPECIFIED,
            target_mac: [0; 6],
            target: [192, 168, 1, 101].into(),
        };
        arp.emit(BROADCAST, &mut octets);
        assert_eq!(holder(&octets), None);
        arp.sender = [192, 168, 1, 101].into();
        arp.emit(BROADCAST, &mut octets);
        assert_eq!(holder(&octets), Some(([192, 168, 1, 101].into(), [2; 6])));
    }
}
