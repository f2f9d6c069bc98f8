//! Numbers as text: most of what is written into logs.
//!
//! Most numbers are below a thousand, so their text is looked up rather than divided out. Up to eight octets are put
//! together in a register and written whole, then cut to length: to copy just as many as there are costs a call each
//! time, and octets put together in memory one by one make the copy wait for them.

/// Numbers below 1000 as text, the first digit in the lowest octet, with zeros in front.
static THREE_DIGITS: [u32; 1000] = {
    let (mut all, mut number) = ([0; 1000], 0);
    while number < all.len() {
        let (hundreds, tens, ones) = (number / 100, number / 10 % 10, number % 10);
        all[number] = u32::from_le_bytes([b'0' + hundreds as u8, b'0' + tens as u8, b'0' + ones as u8, 0]);
        number += 1;
    }
    all
};

/// Numbers below 1000 as text, without zeros in front; in the highest octet how many digits there are.
static SMALL: [u32; 1000] = {
    let (mut all, mut number) = ([0; 1000], 0);
    while number < all.len() {
        let len = match number {
            0..10 => 1,
            10..100 => 2,
            _ => 3,
        };
        all[number] = THREE_DIGITS[number] >> (8 * (3 - len)) | len << 24;
        number += 1;
    }
    all
};

/// Digits of a number of [`SMALL`], and how many they are.
#[inline]
fn small_digits(known: u32) -> (u32, u32) {
    (known & 0x00ff_ffff, known >> 24)
}

/// Six digits of a number below a million.
pub(crate) fn six_digits(number: u64) -> u64 {
    let three = |number: u64| u64::from(THREE_DIGITS[(number % 1000) as usize]);
    three(number / 1000) | three(number) << 24
}

/// Up to eight octets, the first in the lowest place.
#[inline]
pub(crate) fn push(out: &mut Vec<u8>, octets: u64, len: u32) {
    let end = out.len() + len as usize;
    out.extend_from_slice(&octets.to_le_bytes());
    out.truncate(end);
}

/// A number.
#[inline]
pub(crate) fn write_number(out: &mut Vec<u8>, number: u64) {
    match SMALL.get(number as usize) {
        Some(known) => {
            let (digits, len) = small_digits(*known);
            let end = out.len() + len as usize;
            out.extend_from_slice(&digits.to_le_bytes());
            out.truncate(end);
        }
        None => write_large(out, number),
    }
}

/// A number and what stands behind it.
#[inline]
pub(crate) fn write_number_and(out: &mut Vec<u8>, number: u64, then: u8) {
    let Some(known) = SMALL.get(number as usize) else {
        write_large(out, number);
        return out.push(then);
    };
    let (digits, len) = small_digits(*known);
    let end = out.len() + len as usize + 1;
    out.extend_from_slice(&(digits | u32::from(then) << (8 * len)).to_le_bytes());
    out.truncate(end);
}

/// A number from 1000 on.
#[inline(never)]
pub(crate) fn write_large(out: &mut Vec<u8>, number: u64) {
    let (mut front, mut back) = (number / 1000, u64::from(THREE_DIGITS[(number % 1000) as usize]));
    let mut behind = 3;
    if front >= 1000 {
        (front, back, behind) = (number / 1_000_000, six_digits(number % 1_000_000), 6);
    }
    match SMALL.get(front as usize) {
        Some(known) if behind == 3 => {
            let (digits, len) = small_digits(*known);
            push(out, u64::from(digits) | back << (8 * len), len + behind);
        }
        _ => {
            write_number(out, front);
            push(out, back, behind);
        }
    }
}

/// Numbers with commas between them: those of one digit, nearly all that polls bring, eight at a time. `small` has what
/// [`SMALL`] may have as it is, and `other` writes what it has not.
pub(crate) fn write_numbers<T: Copy>(
    out: &mut Vec<u8>,
    items: &[T],
    small: impl Fn(T) -> u32,
    other: impl Fn(&mut Vec<u8>, T),
) {
    let each = |out: &mut Vec<u8>, items: &[T]| {
        for item in items {
            let number = small(*item);
            if (number as usize) < SMALL.len() {
                write_number_and(out, number.into(), b',');
            } else {
                other(out, *item);
                out.push(b',');
            }
        }
    };
    let (eights, rest) = items.as_chunks::<8>();
    for eight in eights {
        let numbers = eight.map(&small);
        if numbers.iter().all(|number| *number < 10) {
            out.extend_from_slice(numbers.map(|number| [b'0' + number as u8, b',']).as_flattened());
        } else {
            each(out, eight);
        }
    }
    each(out, rest);
    if !items.is_empty() {
        // The last comma.
        out.pop();
    }
}

/// Numbers below 1000, each with a comma behind it.
static COUNTING: [u8; place_in_counting(1000)] = {
    let (mut text, mut number, mut end) = ([0; place_in_counting(1000)], 0, 0);
    while number < SMALL.len() {
        let digits = SMALL[number].to_le_bytes();
        let mut at = 0;
        while at < digits[3] as usize {
            text[end + at] = digits[at];
            at += 1;
        }
        text[end + at] = b',';
        end += at + 1;
        number += 1;
    }
    text
};

/// Where a number stands in [`COUNTING`].
const fn place_in_counting(number: usize) -> usize {
    match number {
        0..10 => 2 * number,
        10..100 => 3 * number - 10,
        _ => 4 * number - 110,
    }
}

/// Indices with commas between them: mostly one after the other, as outstations number their points.
pub(crate) fn write_indices(out: &mut Vec<u8>, items: &[u32]) {
    if let [first, .., last] = *items
        && (last as usize) < SMALL.len()
        && items.is_sorted_by(|one, next| one.checked_add(1) == Some(*next))
    {
        let (start, end) = (place_in_counting(first as usize), place_in_counting(last as usize + 1) - 1);
        return out.extend_from_slice(COUNTING.get(start..end).unwrap_or_default());
    }
    write_numbers(out, items, |item| item, |out, item| write_large(out, item.into()));
}

/// A number that [`SMALL`] may have, or one that it has not.
#[inline]
pub(crate) fn small(number: f64) -> u32 {
    // From 2^52 on a double counts in ones, and its lowest bits are the number.
    const ONES: f64 = 4_503_599_627_370_496.0;
    let shifted = number + ONES;
    if shifted - ONES == number {
        u32::try_from(shifted.to_bits().wrapping_sub(ONES.to_bits())).unwrap_or(u32::MAX)
    } else {
        u32::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = b">".to_vec();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// All that have few digits, and the edges of the others.
    fn numbers() -> impl Iterator<Item = u64> {
        let tens = (0..20).map(|power| 10_u64.pow(power));
        (0..12_000).chain(tens.flat_map(|ten| [ten - 1, ten, ten + 1, ten / 2 * 3])).chain([u64::MAX])
    }

    #[test]
    fn numbers_are_written_as_the_standard_library_writes_them() {
        for number in numbers() {
            assert_eq!(text(|out| write_number(out, number)), format!(">{number}"));
            if number >= 1000 {
                assert_eq!(text(|out| write_large(out, number)), format!(">{number}"));
            }
            assert_eq!(text(|out| write_number_and(out, number, b'.')), format!(">{number}."));
        }
    }

    #[test]
    fn lists_are_written_as_their_numbers_are() {
        let joined = |items: &[u32]| {
            let items: Vec<_> = items.iter().map(u32::to_string).collect();
            format!(">{}", items.join(","))
        };
        let rows = (0..40).map(|len| (990_u32..).take(len).collect::<Vec<_>>());
        let runs = [0, 5, 9, 95, 980].map(|first| (first..first + 19).collect::<Vec<_>>());
        let mixed =
            [vec![1; 17], vec![9, 10], vec![7, 5_000, 3, u32::MAX, 0], vec![3, 2, 1], vec![u32::MAX, 0]];
        let long = (0..90).map(|number| number * number * number).collect();
        for items in rows.chain(runs).chain(mixed).chain([long, (0..1001).collect()]) {
            let halves: Vec<f64> = items.iter().map(|item| f64::from(*item)).collect();
            let other = |out: &mut Vec<u8>, item: f64| write_large(out, item as u64);
            assert_eq!(text(|out| write_indices(out, &items)), joined(&items));
            assert_eq!(text(|out| write_numbers(out, &halves, small, other)), joined(&items));
        }
    }

    #[test]
    fn only_whole_numbers_below_a_thousand_are_small() {
        for number in 0..1000_u16 {
            assert_eq!(small(number.into()), u32::from(number));
        }
        let others =
            [0.5, 1e-300, -1.0, -1e-300, 999.999_999_999, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        for number in others.into_iter().chain([-0.5, 1000.0, 4e15, -4e15, 5e15, 1e300, f64::MAX, f64::MIN]) {
            assert!(small(number) as usize >= SMALL.len(), "{number}");
        }
        assert_eq!(small(-0.0), 0);
    }
}
