//! What the system says about its network interfaces.

#![expect(unsafe_code, reason = "ioctl and getifaddrs have no safe interface; each block says why it holds")]

use std::ffi::{CStr, CString};
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;

use site::Subnet;

/// Drivers behind which there is no cable: what containers, namespaces and virtual machines are joined with.
const VIRTUAL: [&str; 4] = ["veth", "bridge", "dummy", "tun"];

const ARPHRD_ETHER: u16 = 1;
const ETHTOOL_GDRVINFO: u32 = 3;

/// An IPv4 address of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnAddress {
    pub(crate) interface: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) prefix: u8,
}

/// `struct ifreq`: a name, and up to 24 octets that depend on the request.
#[repr(C)]
struct Request {
    name: [u8; libc::IFNAMSIZ],
    data: [u8; 24],
}

/// `struct ifreq` that points to something larger.
#[repr(C)]
struct PointingRequest {
    name: [u8; libc::IFNAMSIZ],
    data: *mut u8,
    rest: [u8; 16],
}

fn name_octets(interface: &str) -> [u8; libc::IFNAMSIZ] {
    let mut name = [0; libc::IFNAMSIZ];
    for (into, octet) in name.iter_mut().zip(interface.bytes()).take(libc::IFNAMSIZ - 1) {
        *into = octet;
    }
    name
}

/// Number of an interface; `None` if there is none of this name.
pub(crate) fn index(interface: &str) -> Option<i32> {
    let name = CString::new(interface).ok()?;
    // SAFETY: a string with its zero, read and not kept.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => None,
        index => Some(index as i32),
    }
}

/// Asks about an interface, or tells it something.
pub(crate) fn ask(interface: &str, request: libc::c_ulong, data: [u8; 24]) -> io::Result<[u8; 24]> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let mut asked = Request { name: name_octets(interface), data };
    // SAFETY: these requests read a name and read or write at most the 24 octets behind it.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), request as _, &raw mut asked) };
    if done == 0 { Ok(asked.data) } else { Err(io::Error::last_os_error()) }
}

/// Whether an interface is set up.
pub(crate) fn is_up(interface: &str) -> io::Result<bool> {
    let data = ask(interface, libc::SIOCGIFFLAGS as _, [0; 24])?;
    Ok(i32::from(u16::from_ne_bytes([data[0], data[1]])) & libc::IFF_UP != 0)
}

/// Sets an interface up.
pub(crate) fn set_up(interface: &str) -> io::Result<()> {
    let mut data = ask(interface, libc::SIOCGIFFLAGS as _, [0; 24])?;
    let flags = u16::from_ne_bytes([data[0], data[1]]) | libc::IFF_UP as u16;
    data[..2].copy_from_slice(&flags.to_ne_bytes());
    ask(interface, libc::SIOCSIFFLAGS as _, data).map(|_| ())
}

/// Ethernet address of an interface; `None` if it is no Ethernet interface.
pub(crate) fn ethernet_address(interface: &str) -> io::Result<Option<[u8; 6]>> {
    let data = ask(interface, libc::SIOCGIFHWADDR as _, [0; 24])?;
    let is_ethernet = u16::from_ne_bytes([data[0], data[1]]) == ARPHRD_ETHER;
    Ok(is_ethernet.then(|| std::array::from_fn(|n| data[2 + n])))
}

/// The driver of an interface, as `ethtool -i` says it; empty where it says none.
pub(crate) fn driver(interface: &str) -> String {
    // struct ethtool_drvinfo: the command, then 32 octets of name, 196 octets in all.
    let mut information = [0_u8; 196];
    information[..4].copy_from_slice(&ETHTOOL_GDRVINFO.to_ne_bytes());
    let Ok(socket) = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)) else { return String::new() };
    let mut asked =
        PointingRequest { name: name_octets(interface), data: information.as_mut_ptr(), rest: [0; 16] };
    // SAFETY: the request points to a whole ethtool_drvinfo, which outlives the call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut asked) };
    if done != 0 {
        return String::new();
    }
    let name = &information[4..36];
    let end = name.iter().position(|octet| *octet == 0).unwrap_or(name.len());
    String::from_utf8_lossy(&name[..end]).into_owned()
}

/// Whether no cable lies behind an interface.
pub(crate) fn is_virtual(interface: &str) -> bool {
    VIRTUAL.contains(&driver(interface).as_str())
}

/// IPv4 addresses of this machine.
pub(crate) fn own_addresses() -> io::Result<Vec<OwnAddress>> {
    let mut list = ptr::null_mut();
    // SAFETY: writes a list, which is freed below.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut addresses = Vec::new();
    let mut at = list;
    while !at.is_null() {
        // SAFETY: an element of the list, which is whole until it is freed.
        let entry = unsafe { &*at };
        at = entry.ifa_next;
        let (Some(address), Some(mask)) = (ipv4(entry.ifa_addr), ipv4(entry.ifa_netmask)) else { continue };
        // SAFETY: a string with its zero, in the same list.
        let interface = unsafe { CStr::from_ptr(entry.ifa_name) }.to_string_lossy().into_owned();
        addresses.push(OwnAddress { interface, address, prefix: mask.to_bits().count_ones() as u8 });
    }
    // SAFETY: the list that getifaddrs made; nothing refers to it any more.
    unsafe { libc::freeifaddrs(list) };
    Ok(addresses)
}

fn ipv4(address: *const libc::sockaddr) -> Option<Ipv4Addr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: not null, so a whole sockaddr of the kind that its first field says.
    let (family, data) = unsafe { ((*address).sa_family, (*address).sa_data) };
    // struct sockaddr_in: behind the family two octets of port, then the address.
    let octet = |n: usize| data[n].cast_unsigned();
    (i32::from(family) == libc::AF_INET).then(|| Ipv4Addr::new(octet(2), octet(3), octet(4), octet(5)))
}

/// Interface and network of each route but the default, as `/proc/net/route` lists them.
pub(crate) fn routes() -> Vec<(String, Subnet)> {
    let table = std::fs::read_to_string("/proc/thread-self/net/route").unwrap_or_default();
    table.lines().skip(1).filter_map(route).filter(|(_, network)| network.prefix() > 0).collect()
}

fn route(line: &str) -> Option<(String, Subnet)> {
    let mut fields = line.split_whitespace();
    let (interface, network) = (fields.next()?, fields.next()?);
    let mask = fields.nth(5)?;
    let number = |text| u32::from_str_radix(text, 16).ok().map(u32::from_be);
    let network = format!("{}/{}", Ipv4Addr::from_bits(number(network)?), number(mask)?.count_ones());
    Some((interface.to_owned(), network.parse().ok()?))
}

/// Names of all interfaces, for messages.
pub(crate) fn names() -> String {
    let table = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap_or_default();
    let names = table.lines().skip(2).filter_map(|line| Some(line.split_once(':')?.0.trim()));
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_route_table_is_read() {
        let line = "eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0";
        let found = route(line).unwrap();
        assert_eq!(found, ("eth0".to_owned(), "192.168.1.0/24".parse().unwrap()));
        assert_eq!(route("eth0 x"), None);
    }

    #[test]
    fn the_loopback_interface_has_an_index_and_no_cable_of_ours() {
        assert!(index("lo").is_some());
        assert!(index("no-such-interface").is_none());
        assert!(!is_virtual("lo"));
        assert_eq!(ethernet_address("lo").unwrap(), None);
        assert!(names().contains("lo"));
    }
}
