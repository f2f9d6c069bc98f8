//! MAC addresses and IPv4 subnets as they stand in files.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not an address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not six octets in hexadecimal with colons.
    #[error("a MAC address is six octets as in 00:80:f4:01:02:03, got {got:?}")]
    Mac {
        /// What stood there.
        got: String,
    },
    /// Not an IPv4 network in CIDR form, or host bits set.
    #[error("a network is written as in 192.168.1.0/24 with no host bits set, got {got:?}")]
    Subnet {
        /// What stood there.
        got: String,
    },
}

/// Six octets of an Ethernet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct MacAddress(pub [u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl FromStr for MacAddress {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError::Mac { got: text.to_owned() };
        let mut octets = [0; 6];
        let mut parts = text.split(':');
        for octet in &mut octets {
            let part = parts.next().filter(|part| part.len() == 2).ok_or_else(wrong)?;
            *octet = u8::from_str_radix(part, 16).map_err(|_| wrong())?;
        }
        if parts.next().is_some() { Err(wrong()) } else { Ok(Self(octets)) }
    }
}

impl From<MacAddress> for String {
    fn from(mac: MacAddress) -> Self {
        mac.to_string()
    }
}

impl TryFrom<String> for MacAddress {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

/// An IPv4 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Subnet {
    address: Ipv4Addr,
    prefix: u8,
}

impl Subnet {
    /// The network of one address alone.
    pub const fn single(address: Ipv4Addr) -> Self {
        Self { address, prefix: 32 }
    }

    /// First address.
    pub const fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Number of network bits.
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether an address lies inside.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        address.to_bits() & self.mask() == self.address.to_bits()
    }

    /// Whether two networks share an address.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.address) || other.contains(self.address)
    }

    /// The `n`-th address of the network, as far as it has one.
    pub fn nth(&self, n: u32) -> Option<Ipv4Addr> {
        let address = Ipv4Addr::from_bits(self.address.to_bits().checked_add(n)?);
        self.contains(address).then_some(address)
    }

    fn mask(self) -> u32 {
        if self.prefix == 0 { 0 } else { u32::MAX << (32 - u32::from(self.prefix)) }
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = || AddressError::Subnet { got: text.to_owned() };
        let (address, prefix) = text.split_once('/').ok_or_else(wrong)?;
        let subnet = Self {
            address: address.parse().map_err(|_| wrong())?,
            prefix: prefix.parse().ok().filter(|prefix| *prefix <= 32).ok_or_else(wrong)?,
        };
        if subnet.contains(subnet.address) { Ok(subnet) } else { Err(wrong()) }
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> Self {
        subnet.to_string()
    }
}

impl TryFrom<String> for Subnet {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subnets_know_their_addresses() {
        let control: Subnet = "192.168.1.0/24".parse().unwrap();
        assert!(control.contains(Ipv4Addr::new(192, 168, 1, 255)));
        assert!(!control.contains(Ipv4Addr::new(192, 168, 2, 0)));
        assert_eq!(control.nth(1), Some(Ipv4Addr::new(192, 168, 1, 1)));
        assert_eq!(control.nth(256), None);
        for wrong in ["192.168.1.1/24", "192.168.1.0", "192.168.1.0/33", "x/8"] {
            assert!(wrong.parse::<Subnet>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_mac_has_six_octets() {
        assert_eq!("00:80:F4:01:02:03".parse::<MacAddress>().unwrap().to_string(), "00:80:f4:01:02:03");
        for wrong in ["", "00:80:f4:01:02", "00:80:f4:01:02:03:04", "0:80:f4:01:02:03", "zz:80:f4:01:02:03"] {
            assert!(wrong.parse::<MacAddress>().is_err(), "{wrong}");
        }
    }
}
