//! A reader over the octets of one PDU that knows what is missing.

use super::error::PduError;

/// Reads a PDU from front to back; every read that fails says how much was needed.
pub(super) struct Octets<'a> {
    pdu: &'a [u8],
    at: usize,
}

impl<'a> Octets<'a> {
    /// Starts behind the function code.
    pub(super) fn after_function(pdu: &'a [u8]) -> Self {
        Self { pdu, at: 1 }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], PduError> {
        let need = self.at + count;
        let taken = self.pdu.get(self.at..need).ok_or(PduError::Truncated { need, got: self.pdu.len() })?;
        self.at = need;
        Ok(taken)
    }

    pub(super) fn octet(&mut self) -> Result<u8, PduError> {
        self.take(1).map(|octets| octets[0])
    }

    pub(super) fn word(&mut self) -> Result<u16, PduError> {
        self.take(2).map(word)
    }

    pub(super) fn long(&mut self) -> Result<u32, PduError> {
        Ok(u32::from(self.word()?) << 16 | u32::from(self.word()?))
    }

    /// Unreads the last `count` octets.
    pub(super) fn back(&mut self, count: usize) {
        self.at = self.at.saturating_sub(count).max(1);
    }

    /// How many octets have not been read.
    pub(super) fn left(&self) -> usize {
        self.pdu.len().saturating_sub(self.at)
    }

    /// Everything that has not been read.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        let rest = self.pdu.get(self.at..).unwrap_or_default();
        self.at = self.pdu.len();
        rest
    }

    /// Nothing may be left.
    pub(super) fn finish(&self) -> Result<(), PduError> {
        if self.left() == 0 {
            Ok(())
        } else {
            Err(PduError::Trailing { expected: self.at, got: self.pdu.len() })
        }
    }
}

/// Big-endian word from two octets.
pub(super) fn word(octets: &[u8]) -> u16 {
    u16::from_be_bytes([octets[0], octets[1]])
}

/// Words from pairs of octets; an odd octet at the end is left out.
pub(super) fn words(octets: &[u8]) -> impl ExactSizeIterator<Item = u16> + Clone + '_ {
    octets.chunks_exact(2).map(word)
}

/// Appends words, each high octet first.
pub(super) fn put_words(out: &mut Vec<u8>, words: &[u16]) {
    out.extend(words.iter().flat_map(|word| word.to_be_bytes()));
}
