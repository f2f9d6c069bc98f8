//! The numbers of Modbus, each with a type of its own so that they do not mix.

use std::fmt;
use std::ops::Range;

use super::bounded::CountError;

/// The server a request is for, behind one TCP address. 255 and 0 mean the device itself (the guide, section 4.4.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitId(pub u8);

impl UnitId {
    /// "Use me, not a device behind me": what the guide recommends clients of a TCP device to send.
    pub const DEVICE: Self = Self(255);
}

impl fmt::Display for UnitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What pairs a response with its request. Chosen by the client, copied by the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub u16);

impl TransactionId {
    /// The next one; after 65535 comes 0.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Address in one of the four tables, counted from 0 as on the wire. A document's 40001 is holding register 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegisterAddress(pub u16);

impl RegisterAddress {
    /// The `quantity` addresses from this one on; ends above 65536 where the request runs past the last address,
    /// which deserves exception 2.
    pub fn range(self, quantity: u16) -> Range<u32> {
        let start = u32::from(self.0);
        start..start + u32::from(quantity)
    }

    /// The address `offset` further on, or `None` past 65535.
    pub fn checked_add(self, offset: u16) -> Option<Self> {
        self.0.checked_add(offset).map(Self)
    }
}

impl fmt::Display for RegisterAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many addresses a request asks for: 1 to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity<const MAX: u16>(u16);

/// Bits that one request may read (function codes 1 and 2): 1 to 2000.
pub type BitQuantity = Quantity<2000>;
/// Registers that one request may read (function codes 3, 4 and 23): 1 to 125.
pub type RegisterQuantity = Quantity<125>;
/// Coils that one request may write (function code 15): 1 to 1968.
pub type CoilWriteQuantity = Quantity<1968>;
/// Registers that one request may write (function code 16): 1 to 123.
pub type RegisterWriteQuantity = Quantity<123>;

impl<const MAX: u16> Quantity<MAX> {
    /// One address.
    pub const ONE: Self = Self(1);

    /// `Some` for 1 to `MAX`.
    pub const fn new(quantity: u16) -> Option<Self> {
        if quantity >= 1 && quantity <= MAX { Some(Self(quantity)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl<const MAX: u16> TryFrom<u16> for Quantity<MAX> {
    type Error = CountError;
    fn try_from(quantity: u16) -> Result<Self, CountError> {
        Self::new(quantity).ok_or(CountError { got: usize::from(quantity), min: 1, max: usize::from(MAX) })
    }
}

impl<const MAX: u16> fmt::Display for Quantity<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_is_at_least_one_and_at_most_its_limit() {
        assert_eq!(RegisterQuantity::new(0), None);
        assert_eq!(RegisterQuantity::new(125).map(RegisterQuantity::get), Some(125));
        assert_eq!(RegisterQuantity::try_from(126), Err(CountError { got: 126, min: 1, max: 125 }));
    }

    #[test]
    fn a_range_past_the_last_address_shows() {
        assert_eq!(RegisterAddress(65535).range(2), 65535..65537);
        assert_eq!(RegisterAddress(65535).checked_add(1), None);
    }
}
