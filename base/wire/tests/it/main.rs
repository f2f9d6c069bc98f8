//! Modbus and DNP3 as the specification prints it, as other programs send it, and as nobody should.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod captures;
mod dnp3_conformance;
mod dnp3_round_trip;
mod dnp3_strict;
mod refusals;
mod round_trip;
mod specification;
mod tools;

/// Octets from hexadecimal text; blanks are ignored.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}
