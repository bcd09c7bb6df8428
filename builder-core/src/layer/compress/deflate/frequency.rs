//! Bytes coded by their frequency alone: deflate's blocks with codes of their own (RFC 1951, 3.2.7), without any
//! reference to what came before.
//!
//! zlib's "Huffman only" makes the same, but goes through the machinery for references: this takes a fifth of its time,
//! and counts anew often enough to be no larger.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The symbols there are: the bytes, and the end of a block.
const SYMBOLS: usize = 257;

/// The symbol that ends a block.
const END: usize = 256;

/// The longest code of a symbol, bits.
const LONGEST: u8 = 15;

/// The longest code in a block's head, bits.
const LONGEST_IN_HEAD: u8 = 7;

/// What is in a head: lengths of codes up to 15, and three ways to repeat one.
const TOKENS: usize = 19;

/// The order in which a head says how long the codes of its tokens are.
const ORDER: [usize; TOKENS] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Input of one block; for each, frequencies are counted anew.
const BLOCK: usize = 64 * 1024;

/// The bits of a code, the first one lowest, and how many they are.
#[derive(Debug, Clone, Copy, Default)]
struct Code {
    bits: u64,
    length: u32,
}

/// Appends `run` as whole bytes of a deflate stream.
pub(super) fn encode(run: &[u8], output: &mut Vec<u8>) {
    let mut out = Bits { bytes: output, pending: 0, count: 0 };
    for block in run.chunks(BLOCK) {
        let lengths = lengths(&counts(block), LONGEST);
        head(&lengths, &mut out);
        body(block, &codes(&lengths), &mut out);
    }
    // An empty stored block ends at a whole byte.
    out.put(0, 3);
    out.fill();
    out.bytes.extend_from_slice(&[0, 0, 0xff, 0xff]);
}

fn counts(block: &[u8]) -> [u32; SYMBOLS] {
    // Four counts side by side: runs of one byte would wait for each other.
    let mut counts = [[0_u32; 256]; 4];
    for quad in block.chunks(4) {
        for (count, byte) in counts.iter_mut().zip(quad) {
            count[usize::from(*byte)] += 1;
        }
    }
    let mut sums = [0; SYMBOLS];
    for (byte, sum) in sums.iter_mut().take(END).enumerate() {
        *sum = counts.iter().map(|count| count[byte]).sum();
    }
    sums[END] = 1;
    sums
}

/// How long the code of each symbol is; 0 for one that does not occur.
fn lengths<const N: usize>(counts: &[u32; N], longest: u8) -> [u8; N] {
    let mut counts = *counts;
    loop {
        let lengths = huffman(&counts);
        if lengths.iter().all(|length| *length <= longest) {
            return lengths;
        }
        // Flatter frequencies have shorter codes. In the end all are alike, and then no code is longer than 9 bits, or
        // 5 in a head.
        for count in counts.iter_mut().filter(|count| **count > 0) {
            *count = *count / 2 + 1;
        }
    }
}

/// The lengths of the shortest codes for frequencies, by Huffman's way: the two rarest become one, until there is one.
fn huffman<const N: usize>(counts: &[u32; N]) -> [u8; N] {
    let mut lengths = [0; N];
    // Numbers below `N` are symbols, those above are pairs, in the order they were made.
    let occur = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let mut rarest: BinaryHeap<_> = occur.map(|(symbol, count)| Reverse((*count, symbol))).collect();
    let mut parents = vec![0; 2 * N];
    let mut pairs = N;
    while let Some(Reverse((rare, one))) = rarest.pop() {
        let Some(Reverse((rarer, other))) = rarest.pop() else { break };
        (parents[one], parents[other]) = (pairs, pairs);
        rarest.push(Reverse((rare + rarer, pairs)));
        pairs += 1;
    }
    let mut depths = vec![0_u8; pairs.max(N + 1)];
    // The pair made last is the root.
    for pair in (N..pairs.saturating_sub(1)).rev() {
        depths[pair] = depths[parents[pair]] + 1;
    }
    for (symbol, length) in lengths.iter_mut().enumerate().filter(|(symbol, _)| counts[*symbol] > 0) {
        // A symbol that is alone has no parent, and one bit.
        *length = depths[parents[symbol].max(N)] + 1;
    }
    lengths
}

/// The codes that belong to lengths (RFC 1951, 3.2.2).
fn codes<const N: usize>(lengths: &[u8; N]) -> [Code; N] {
    let mut codes = [Code::default(); N];
    let mut next = 0_u32;
    for length in 1..=LONGEST {
        next <<= 1;
        for (code, _) in codes.iter_mut().zip(lengths).filter(|(_, own)| **own == length) {
            let length = u32::from(length);
            *code = Code { bits: (next.reverse_bits() >> (32 - length)).into(), length };
            next += 1;
        }
    }
    codes
}

/// Opens a block with the codes that belong to `lengths`.
fn head(lengths: &[u8; SYMBOLS], out: &mut Bits<'_>) {
    let tokens = tokens(lengths);
    let mut counts = [0; TOKENS];
    for token in &tokens {
        counts[token.name] += 1;
    }
    let lengths = self::lengths(&counts, LONGEST_IN_HEAD);
    let codes = codes(&lengths);
    // Not the last block, of type 2, with the fewest lengths there can be: 257 of symbols and one of a distance.
    out.put(2 << 1, 3);
    out.put(0, 5);
    out.put(0, 5);
    let named = ORDER.iter().rposition(|token| lengths[*token] > 0).map_or(4, |last| 4.max(last + 1));
    out.put(named as u64 - 4, 4);
    for token in &ORDER[..named] {
        out.put(lengths[*token].into(), 3);
    }
    for token in tokens {
        out.put(codes[token.name].bits, codes[token.name].length);
        out.put(token.more, token.more_bits);
    }
}

/// A length of a code, or one repeated.
struct Token {
    name: usize,
    more: u64,
    more_bits: u32,
}

/// The lengths of all symbols and of a distance that does not occur, in the tokens of a head.
fn tokens(lengths: &[u8; SYMBOLS]) -> Vec<Token> {
    let all: Vec<u8> = lengths.iter().copied().chain([0]).collect();
    let mut tokens = Vec::new();
    for same in all.chunk_by(|one, next| one == next) {
        let (length, mut left) = (usize::from(same[0]), same.len());
        if length > 0 {
            tokens.push(Token { name: length, more: 0, more_bits: 0 });
            left -= 1;
        }
        while left > 0 {
            // How often each of them repeats: zeros up to 138 or 10 times, the length before up to 6 times.
            let (name, least, most, more_bits) = match (length, left) {
                (0, 11..) => (18, 11, 138, 7),
                (0, 3..) => (17, 3, 10, 3),
                (1.., 3..) => (16, 3, 6, 2),
                _ => (length, 1, 1, 0),
            };
            let times = left.min(most);
            tokens.push(Token { name, more: (times - least) as u64, more_bits });
            left -= times;
        }
    }
    tokens
}

fn body(block: &[u8], codes: &[Code; SYMBOLS], out: &mut Bits<'_>) {
    for three in block.chunks(3) {
        let (mut bits, mut length) = (0, 0);
        for byte in three {
            let code = codes[usize::from(*byte)];
            bits |= code.bits << length;
            length += code.length;
        }
        out.put(bits, length);
    }
    out.put(codes[END].bits, codes[END].length);
}

/// Writes bits into bytes, the lowest first.
struct Bits<'a> {
    bytes: &'a mut Vec<u8>,
    pending: u64,
    /// How many are pending: at most 7 between two calls.
    count: u32,
}

impl Bits<'_> {
    /// Appends the lowest `length` bits, at most 45, of `bits`, which has no others.
    #[inline]
    fn put(&mut self, bits: u64, length: u32) {
        self.pending |= bits << self.count;
        self.count += length;
        let whole = self.count / 8;
        // All eight at once, and those that are no whole bytes taken back: that is one write without a branch.
        let kept = self.bytes.len() + whole as usize;
        self.bytes.extend_from_slice(&self.pending.to_le_bytes());
        self.bytes.truncate(kept);
        self.pending >>= whole * 8;
        self.count %= 8;
    }

    /// Ends the byte that was begun.
    fn fill(&mut self) {
        self.put(0, (8 - self.count) % 8);
    }
}

#[cfg(test)]
mod tests;
