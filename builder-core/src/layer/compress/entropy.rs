//! How many bits bytes take by their frequency: tells what is as good as random. Reckoned in integers: the same on any
//! machine.

/// Bits are counted in this many parts.
pub(super) const BIT: u64 = 1 << FRACTION;

const FRACTION: u32 = 10;

/// Random bytes have 8 bits each; a segment of them measures within a thousandth of that, text below 6.
pub(super) const RANDOM: u64 = BIT * 797 / 100;

/// Bytes that take so much each are mostly random: programs have about 6.
pub(super) const NEARLY_RANDOM: u64 = BIT * 27 / 4;

/// The entropy of single bytes, in parts of a bit ([`BIT`]).
pub(super) fn bits_per_byte(segment: &[u8]) -> u64 {
    // Four counts side by side: runs of one byte would wait for each other.
    let mut counts = [[0_u32; 256]; 4];
    for quad in segment.chunks_exact(4) {
        for (count, byte) in counts.iter_mut().zip(quad) {
            count[usize::from(*byte)] += 1;
        }
    }
    let total = u64::try_from(segment.len() / 4 * 4).expect("a segment is short");
    let bits = (0..256)
        .map(|byte| counts.iter().map(|count| u64::from(count[byte])).sum::<u64>())
        .filter(|count| *count > 0)
        .map(|count| count * (logarithm(total) - logarithm(count)));
    bits.sum::<u64>() / total
}

/// The logarithm to base two of a number above 0, in parts of a bit.
fn logarithm(number: u64) -> u64 {
    let whole = number.ilog2();
    // The mantissa, 1 to 2, in 31 bits after the point; each squaring gives one more digit of the logarithm.
    let mut mantissa = if whole > 31 { number >> (whole - 31) } else { number << (31 - whole) };
    let mut digits = 0;
    for _ in 0..FRACTION {
        mantissa = (mantissa * mantissa) >> 31;
        digits <<= 1;
        if mantissa >= 1 << 32 {
            mantissa >>= 1;
            digits |= 1;
        }
    }
    (u64::from(whole) << FRACTION) + digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_right_to_a_thousandth() {
        for number in [1, 2, 3, 255, 256, 131_072, 131_073, u64::from(u32::MAX), 1 << 40] {
            let exact = (number as f64).log2();
            let found = logarithm(number) as f64 / BIT as f64;
            assert!((exact - found).abs() < 0.001, "{number}: {found}, not {exact}");
        }
        assert_eq!(bits_per_byte(&[b'x'; 4096]), 0);
        let all: Vec<u8> = (0..=255).collect();
        // A byte each in 256 places, in four counts.
        assert_eq!(bits_per_byte(&all.repeat(16)), 8 * BIT);
    }
}
