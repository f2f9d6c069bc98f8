//! Lists whose length fits the PDU that will carry them, so that emitting never fails.

use std::ops::Deref;

/// A list is too short or too long for the PDU that should carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("count must be {min} to {max}, got {got}")]
pub struct CountError {
    /// How many there were.
    pub got: usize,
    /// How many there must be at least.
    pub min: usize,
    /// How many there may be.
    pub max: usize,
}

/// `MIN` to `MAX` items, in the order of the wire. Reads like a slice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bounded<T, const MIN: usize, const MAX: usize>(Vec<T>);

impl<T, const MIN: usize, const MAX: usize> Bounded<T, MIN, MAX> {
    /// The items, or how many would have been right.
    pub fn new(items: Vec<T>) -> Result<Self, CountError> {
        if (MIN..=MAX).contains(&items.len()) {
            Ok(Self(items))
        } else {
            Err(CountError { got: items.len(), min: MIN, max: MAX })
        }
    }

    /// The first `MAX` of the items. For callers that know there are at least `MIN`.
    pub(super) fn cut(mut items: Vec<T>) -> Self {
        debug_assert!(items.len() >= MIN, "a list of at least {MIN} cannot have {}", items.len());
        items.truncate(MAX);
        Self(items)
    }

    /// The items as a vector.
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T, const MIN: usize, const MAX: usize> Deref for Bounded<T, MIN, MAX> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MIN: usize, const MAX: usize> TryFrom<Vec<T>> for Bounded<T, MIN, MAX> {
    type Error = CountError;
    fn try_from(items: Vec<T>) -> Result<Self, CountError> {
        Self::new(items)
    }
}

impl<T: Clone, const MIN: usize, const MAX: usize> TryFrom<&[T]> for Bounded<T, MIN, MAX> {
    type Error = CountError;
    fn try_from(items: &[T]) -> Result<Self, CountError> {
        Self::new(items.to_vec())
    }
}

/// One to 2000 bits as a read answers them: packed, the first bit lowest in the first octet.
///
/// The answer does not say how many bits were asked for; the bits that fill the last octet read as what was sent
/// (zero from a well-behaved server).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bits(Bounded<u8, 1, 250>);

impl Bits {
    /// Packs 1 to 2000 bits; the rest of the last octet is zero.
    pub fn pack(bits: &[bool]) -> Result<Self, CountError> {
        if bits.is_empty() || bits.len() > 2000 {
            return Err(CountError { got: bits.len(), min: 1, max: 2000 });
        }
        Bounded::new(pack_bits(bits)).map(Self)
    }

    /// Takes 1 to 250 octets of packed bits.
    pub fn from_octets(octets: &[u8]) -> Result<Self, CountError> {
        Bounded::try_from(octets).map(Self)
    }

    pub(super) fn from_bounded(octets: Bounded<u8, 1, 250>) -> Self {
        Self(octets)
    }

    /// The packed octets.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    /// All bits, eight for each octet, first address first.
    pub fn iter(&self) -> impl Iterator<Item = bool> + '_ {
        unpack_bits(&self.0)
    }

    /// The first `quantity` bits, or fewer where fewer were sent.
    pub fn first(&self, quantity: u16) -> Vec<bool> {
        self.iter().take(usize::from(quantity)).collect()
    }
}

/// Bits into octets, the first bit lowest in the first octet, the last octet filled with zeros.
pub(super) fn pack_bits(bits: &[bool]) -> Vec<u8> {
    bits.chunks(8)
        .map(|eight| eight.iter().enumerate().fold(0, |octet, (at, &bit)| octet | (u8::from(bit) << at)))
        .collect()
}

/// Octets into bits, the lowest of the first octet first.
pub(super) fn unpack_bits(octets: &[u8]) -> impl Iterator<Item = bool> + '_ {
    octets.iter().flat_map(|octet| (0..8).map(move |at| octet >> at & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Coils 20 to 38 of the example in section 6.1 of the specification.
    #[test]
    fn bits_pack_as_the_specification_shows() {
        let bits = Bits::from_octets(&[0xcd, 0x6b, 0x05]).unwrap();
        let first = bits.first(19);
        let text: String = first.iter().rev().map(|&bit| if bit { '1' } else { '0' }).collect();
        assert_eq!(text, "1010110101111001101");
        assert_eq!(Bits::pack(&first).unwrap(), bits);
    }

    #[test]
    fn lists_keep_to_their_limits() {
        assert_eq!(Bits::pack(&[]), Err(CountError { got: 0, min: 1, max: 2000 }));
        assert!(Bits::pack(&[true; 2000]).is_ok());
        assert!(Bits::pack(&[true; 2001]).is_err());
        assert!(Bounded::<u16, 1, 123>::new(vec![0; 124]).is_err());
    }
}
