//! The numbers and strings of one header block.

use crate::error::{Error, Result};

/// A string field: up to its first NUL.
pub(super) fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    &field[..end]
}

/// A number field: octal digits between spaces and NULs, or, with the highest bit set, a big-endian two's complement
/// number of 95 or 63 bits (GNU). An empty field is 0.
pub(super) fn number(field: &[u8], what: &str) -> Result<i64> {
    if field[0] & 0x80 != 0 {
        return base256(field).ok_or_else(|| unreadable(what).because("the number is too large"));
    }
    let digits = field.trim_ascii_start();
    let end = digits.iter().position(|byte| matches!(byte, 0 | b' ')).unwrap_or(digits.len());
    digits[..end].iter().try_fold(0_i64, |number, digit| match digit {
        b'0'..=b'7' if number < 1 << 59 => Ok(number << 3 | i64::from(digit - b'0')),
        _ => Err(unreadable(what).because("not an octal number")),
    })
}

fn base256(field: &[u8]) -> Option<i64> {
    // The first bit marks the form, the second is the sign.
    let negative = field[0] & 0x40 != 0;
    let first = if negative { field[0] | 0x80 } else { field[0] & 0x7f };
    let mut number: i128 = if negative { -1 } else { 0 };
    for byte in std::iter::once(&first).chain(&field[1..]) {
        number = number << 8 | i128::from(*byte);
    }
    i64::try_from(number).ok()
}

/// Whether the block's checksum is right: the sum of its bytes with the field itself as spaces. Some old writers
/// summed signed bytes.
pub(super) fn is_whole(block: &[u8; super::BLOCK]) -> bool {
    let Ok(sum) = number(&block[148..156], "checksum") else { return false };
    let bytes = || {
        let field = |index: usize| (148..156).contains(&index);
        block.iter().enumerate().map(move |(index, byte)| if field(index) { b' ' } else { *byte })
    };
    let unsigned: i64 = bytes().map(i64::from).sum();
    let signed: i64 = bytes().map(|byte| i64::from(byte.cast_signed())).sum();
    sum == unsigned || sum == signed
}

pub(super) fn unreadable(what: &str) -> Error {
    Error::corrupt(format!("cannot read the {what} of a tar entry"))
}
