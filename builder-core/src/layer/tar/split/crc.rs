//! CRC-64 as ISO 3309 has it: polynomial x⁶⁴ + x⁴ + x³ + x + 1, bits from the least, all ones before and after.

/// A checksum in the making.
#[derive(Debug, Clone, Copy)]
pub(super) struct Crc(u64);

impl Crc {
    /// Of nothing.
    pub fn new() -> Self {
        Crc(!0)
    }

    /// Takes bytes in.
    ///
    /// Eight at a time, without tables: to take a word in is to multiply by x⁶⁴, which modulo the polynomial is
    /// x⁴ + x³ + x + 1. The four bits that this shifts out at most are reduced in the same way, and then fit.
    pub fn update(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        let times = |value: u64| value ^ (value >> 1) ^ (value >> 3) ^ (value >> 4);
        for word in words {
            let value = self.0 ^ u64::from_le_bytes(*word);
            let out = (value << 63) ^ (value << 61) ^ (value << 60);
            self.0 = times(value ^ out);
        }
        for byte in rest {
            self.0 ^= u64::from(*byte);
            for _ in 0..8 {
                let carry = if self.0 & 1 == 1 { 0xd800_0000_0000_0000 } else { 0 };
                self.0 = (self.0 >> 1) ^ carry;
            }
        }
    }

    /// The checksum, as it is written.
    pub fn finish(self) -> [u8; 8] {
        (!self.0).to_be_bytes()
    }
}
