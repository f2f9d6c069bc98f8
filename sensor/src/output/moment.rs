//! Moments as tools want them.

use std::fmt::Write as _;

use crate::row::civil;

/// `2026-03-02T06:03:56` and as many decimals as asked for, at most nine; in UTC, without a zone.
pub(crate) fn iso(unix_nanos: u64, decimals: usize) -> String {
    let mut text = civil(unix_nanos);
    // 2026-03-02-06-03-56
    for (at, letter) in [(10, "T"), (13, ":"), (16, ":")] {
        if text.is_char_boundary(at) && text.is_char_boundary(at + 1) {
            text.replace_range(at..=at, letter);
        }
    }
    let decimals = decimals.min(9);
    if decimals > 0 {
        let fraction = unix_nanos % 1_000_000_000 / 10_u64.pow(9 - decimals as u32);
        let _ = write!(text, ".{fraction:0decimals$}");
    }
    text
}

/// FNV-1a, 64 bits: a number for a name that is the same everywhere and at all times. Source: draft-eastlake-fnv.
pub(crate) fn fnv1a(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_the_decimals_asked_for() {
        let at = 1_400_547_199_029_569_400;
        assert_eq!(iso(at, 9), "2014-05-20T00:53:19.029569400");
        assert_eq!(iso(at, 6), "2014-05-20T00:53:19.029569");
        assert_eq!(iso(at, 3), "2014-05-20T00:53:19.029");
        assert_eq!(iso(at, 0), "2014-05-20T00:53:19");
    }

    #[test]
    fn the_hash_is_the_published_one() {
        // Test vectors of draft-eastlake-fnv, appendix C.
        assert_eq!(fnv1a(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a("foobar"), 0x8594_4171_f739_67e8);
    }
}
