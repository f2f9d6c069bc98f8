//! CRC-16/DNP, the check of every header and block of the link layer (IEEE 1815-2012, clause 9.2.6).
//!
//! Generator x^16 + x^13 + x^12 + x^11 + x^10 + x^8 + x^6 + x^5 + x^2 + 1, least significant bit first, start 0,
//! complemented at the end, sent low octet first. Listed as CRC-16/DNP in the CRC RevEng catalogue.
//!
//! A header is 8 octets and a block mostly 16, so the sum is taken over eight octets at a time: one table for each
//! distance from the end of the eight.

/// The generator, bits reversed.
const POLYNOMIAL: u16 = 0xa6bc;

static TABLES: [[u16; 256]; 8] = tables();

const fn tables() -> [[u16; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut octet = 0;
    while octet < 256 {
        let mut crc = octet as u16;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        tables[0][octet] = crc;
        octet += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut octet = 0;
        while octet < 256 {
            let before = tables[table - 1][octet];
            tables[table][octet] = before >> 8 ^ tables[0][(before & 0xff) as usize];
            octet += 1;
        }
        table += 1;
    }
    tables
}

/// CRC-16/DNP of `octets`; on the wire its low octet comes first.
pub fn crc16(octets: &[u8]) -> u16 {
    let mut crc = 0_u16;
    let (eights, rest) = octets.as_chunks::<8>();
    for &[a, b, c, d, e, f, g, h] in eights {
        let [low, high] = crc.to_le_bytes();
        crc = TABLES[7][usize::from(a ^ low)]
            ^ TABLES[6][usize::from(b ^ high)]
            ^ TABLES[5][usize::from(c)]
            ^ TABLES[4][usize::from(d)]
            ^ TABLES[3][usize::from(e)]
            ^ TABLES[2][usize::from(f)]
            ^ TABLES[1][usize::from(g)]
            ^ TABLES[0][usize::from(h)];
    }
    for &octet in rest {
        crc = crc >> 8 ^ TABLES[0][usize::from(octet ^ crc as u8)];
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bit by bit, straight from the definition.
    fn slow(octets: &[u8]) -> u16 {
        let mut crc = 0_u16;
        for &octet in octets {
            crc ^= u16::from(octet);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
            }
        }
        !crc
    }

    #[test]
    fn the_check_value_is_the_catalogues() {
        assert_eq!(crc16(b"123456789"), 0xea82);
    }

    #[test]
    fn eight_at_a_time_is_one_at_a_time() {
        let octets: Vec<u8> = (0_u16..300).map(|n| (n.wrapping_mul(167) >> 3) as u8).collect();
        for len in 0..octets.len() {
            assert_eq!(crc16(&octets[..len]), slow(&octets[..len]), "{len}");
        }
    }
}
