//! Little-endian octets with a front and an end.

use super::TdsError;

/// Reads from front to back; a read past the end names the part that is cut.
pub(super) struct Octets<'a> {
    left: &'a [u8],
    what: &'static str,
}

impl<'a> Octets<'a> {
    pub(super) fn new(octets: &'a [u8], what: &'static str) -> Self {
        Self { left: octets, what }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], TdsError> {
        let (taken, left) =
            self.left.split_at_checked(count).ok_or(TdsError::Truncated { what: self.what })?;
        self.left = left;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], TdsError> {
        let (taken, left) = self.left.split_first_chunk().ok_or(TdsError::Truncated { what: self.what })?;
        self.left = left;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, TdsError> {
        self.array::<1>().map(|[octet]| octet)
    }

    pub(super) fn u16(&mut self) -> Result<u16, TdsError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u16_be(&mut self) -> Result<u16, TdsError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, TdsError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, TdsError> {
        self.array().map(u64::from_le_bytes)
    }

    /// Text with its length in characters in one octet.
    pub(super) fn short_text(&mut self) -> Result<String, TdsError> {
        let characters = usize::from(self.u8()?);
        self.take(2 * characters).map(text)
    }

    /// Text with its length in characters in two octets.
    pub(super) fn long_text(&mut self) -> Result<String, TdsError> {
        let characters = usize::from(self.u16()?);
        self.take(2 * characters).map(text)
    }
}

/// UTF-16, what is not becomes U+FFFD; an odd octet at the end is left out.
pub(super) fn text(octets: &[u8]) -> String {
    let units = octets.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// UTF-16, at most `units` of it.
pub(super) fn text_octets(text: &str, units: usize) -> Vec<u8> {
    text.encode_utf16().take(units).flat_map(u16::to_le_bytes).collect()
}

/// Text of at most 255 characters with its length in one octet.
pub(super) fn put_short_text(out: &mut Vec<u8>, text: &str) {
    let octets = text_octets(text, 255);
    out.push((octets.len() / 2) as u8);
    out.extend_from_slice(&octets);
}

/// Text of at most 4000 characters with its length in two octets.
pub(super) fn put_long_text(out: &mut Vec<u8>, text: &str) {
    let octets = text_octets(text, 4000);
    out.extend_from_slice(&((octets.len() / 2) as u16).to_le_bytes());
    out.extend_from_slice(&octets);
}
