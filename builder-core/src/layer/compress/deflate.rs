//! One block of input as whole bytes of a deflate stream (RFC 1951), by the cheapest way that loses little.
//!
//! A block is looked at in segments. What is as good as random is stored. Where next to nothing repeats within
//! deflate's window, bytes are only coded by their frequency, which takes a twentieth of the time that looking for
//! repetitions does. All else is deflated. What is decided depends on the bytes and the level alone, and is reckoned
//! in integers: the same on any machine.

mod frequency;

use std::io;

use zlib_rs::{Deflate, DeflateConfig, DeflateFlush};

use super::entropy::{BIT, NEARLY_RANDOM, RANDOM, bits_per_byte};

/// How far back deflate can refer.
pub(super) const WINDOW: usize = 32 * 1024;

/// The unit of decisions.
const SEGMENT: usize = 128 * 1024;

/// Up to this level time matters more than the last percent.
const THOROUGH: i32 = 7;

/// The level for what is mostly random …
const EASY: i32 = 2;

/// … and the window, as a power of two. What repeats there are heads of files, which are near each other; in a wider
/// window most of the candidates that a hash gives are chance. Of small random files in a tar both together make 0.4%
/// more than level 5 with all of deflate's window, in well under half the time.
const EASY_WINDOW: i32 = 13;

/// The window of everything else, as a power of two: all that deflate can have.
const WHOLE_WINDOW: i32 = 15;

/// What becomes of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    /// Stored: it would not become smaller.
    Store,
    /// Coded by the frequency of its bytes.
    Frequency,
    /// Deflated at a low level: single bytes are nearly random, and what repeats is easily found.
    Easy,
    /// Deflated.
    Repetition,
}

/// Puts `block` in `output`. It may refer to `window`, the input just before it.
pub(super) fn deflate(level: i32, block: &[u8], window: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
    output.clear();
    let mut survey = Survey::default();
    let looks: Vec<Look> = block.chunks(SEGMENT).map(|segment| survey.look(level, segment)).collect();
    let methods: Vec<Method> = looks.iter().map(|look| look.method(level, &looks)).collect();
    let mut begin = 0;
    // Segments treated alike go together.
    for alike in methods.chunk_by(|one, next| one == next) {
        let end = (begin + alike.len() * SEGMENT).min(block.len());
        let run = &block[begin..end];
        match alike[0] {
            Method::Store => store(run, output),
            Method::Frequency => frequency::encode(run, output),
            Method::Easy | Method::Repetition => {
                let before = if begin == 0 { window } else { &block[begin.saturating_sub(WINDOW)..begin] };
                let (level, reach) = match alike[0] {
                    Method::Easy => (level.min(EASY), EASY_WINDOW),
                    _ => (level, WHOLE_WINDOW),
                };
                compress(level, reach, run, before, output)?;
            }
        }
        begin = end;
    }
    Ok(())
}

/// Refers back at most two to the power of `reach` bytes. The compressor is a new one for every run: what zlib-rs 0.6
/// keeps over a reset shows in a few bytes of its output, and which runs a worker had before is chance.
fn compress(level: i32, reach: i32, run: &[u8], window: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
    // Negative window bits ask for a stream without zlib's frame.
    let config = DeflateConfig { level, window_bits: -reach, ..DeflateConfig::default() };
    let mut deflate = Deflate::new_with_config(config);
    if !window.is_empty() {
        deflate.set_dictionary(window).map_err(failed)?;
    }
    // More than deflate ever needs, so that one call does it and the bytes do not depend on the room there was.
    let start = output.len();
    output.resize(start + run.len() + run.len() / 8 + 1024, 0);
    deflate.compress(run, &mut output[start..], DeflateFlush::SyncFlush).map_err(failed)?;
    let made = usize::try_from(deflate.total_out()).expect("it is in memory");
    if deflate.total_in() != run.len() as u64 || start + made == output.len() {
        return Err(io::Error::other("deflate did not take a whole run"));
    }
    output.truncate(start + made);
    Ok(())
}

fn failed(error: zlib_rs::DeflateError) -> io::Error {
    io::Error::other(error.as_str())
}

/// As stored blocks: a type byte, the length and its complement, the bytes.
fn store(run: &[u8], output: &mut Vec<u8>) {
    output.reserve(run.len() + run.len() / 4096);
    for part in run.chunks(usize::from(u16::MAX)) {
        let length = u16::try_from(part.len()).expect("cut to size");
        output.push(0);
        output.extend_from_slice(&length.to_le_bytes());
        output.extend_from_slice(&(!length).to_le_bytes());
        output.extend_from_slice(part);
    }
}

/// Of each stretch of a segment the last part is searched for repetitions …
const STRETCH: usize = 8 * 1024;

/// … this many bytes,
const SEARCHED: usize = 1024;

/// … for what is anywhere before, of which every second position is noted: that finds all but the shortest.
const NOTED: usize = 2;

/// As [`NOTED`], where bytes are as good as random: to say of a short repetition where it is takes as many bits.
const NOTED_OF_RANDOM: usize = 8;

/// Looking for repetitions is left out where it saves less than this, in percent, over all of a block that is alike …
const LITTLE: u64 = 10;

/// … and in the segment itself less than this: what was searched of one segment is little, and may be chance.
const LITTLE_OF_ONE: u64 = 20;

/// What is shorter is not judged.
const ENOUGH: usize = 32 * 1024;

/// How many positions the search remembers, as a power of two.
const PLACES: u32 = 13;

/// What a segment looks like.
#[derive(Debug, Clone, Copy, Default)]
struct Look {
    /// What a byte takes by its frequency, in parts of a bit.
    bits: u64,
    /// What referring back to repetitions saves in the parts that were searched …
    saved: u64,
    /// … of so much; 0 where none was searched.
    of: u64,
}

impl Look {
    /// What becomes of the segment, one of a block whose segments look like `all`.
    fn method(&self, level: i32, all: &[Look]) -> Method {
        if self.of == 0 {
            return Method::Repetition;
        }
        if self.bits >= RANDOM && self.saved * 200 < self.of {
            return Method::Store;
        }
        if level >= THOROUGH {
            return Method::Repetition;
        }
        let searched = if self.bits < NEARLY_RANDOM { Method::Repetition } else { Method::Easy };
        if self.saved * 100 >= self.of * LITTLE_OF_ONE {
            return searched;
        }
        let alike = all.iter().filter(|other| self.bits.abs_diff(other.bits) < BIT / 8);
        let (saved, of) = alike.fold((0, 0), |(saved, of), look| (saved + look.saved, of + look.of));
        if saved * 100 < of * LITTLE { Method::Frequency } else { searched }
    }
}

/// Looks at segments.
struct Survey {
    /// Where four bytes of a hash were last seen.
    places: Box<[u32; 1 << PLACES]>,
}

impl Default for Survey {
    fn default() -> Self {
        Survey { places: Box::new([0; 1 << PLACES]) }
    }
}

impl Survey {
    fn look(&mut self, level: i32, segment: &[u8]) -> Look {
        if level == 0 || segment.len() < ENOUGH {
            return Look::default();
        }
        let bits = bits_per_byte(segment);
        if bits < RANDOM && level >= THOROUGH {
            return Look { bits, ..Look::default() };
        }
        let (saved, of) = self.savings(segment, bits);
        Look { bits, saved, of }
    }

    /// Estimates how many bits referring back to repetitions saves in parts of a segment whose bytes take `bits` each
    /// by their frequency, and how many bits those parts have.
    fn savings(&mut self, segment: &[u8], bits: u64) -> (u64, u64) {
        let noted = if bits < RANDOM { NOTED } else { NOTED_OF_RANDOM };
        self.places.fill(0);
        let (mut saved, mut searched) = (0, 0);
        // Position 0 stands for never seen.
        let mut at = 1;
        for stretch in 1..=(segment.len() - 8) / STRETCH {
            let end = stretch * STRETCH;
            while at < end - SEARCHED {
                self.note(segment, at);
                at += noted;
            }
            searched += SEARCHED as u64;
            while at < end {
                let seen = self.note(segment, at);
                let (length, gain) = worth(segment, seen, at, bits);
                at += 1;
                if gain > 0 {
                    saved += gain;
                    let after = end.min(at + length - 1);
                    (at..after).for_each(|inside| _ = self.note(segment, inside));
                    at = after;
                }
            }
        }
        (saved, searched * bits)
    }

    /// Notes the four bytes at `at`, and says where such were before.
    fn note(&mut self, segment: &[u8], at: usize) -> usize {
        let hash = word(segment, at).wrapping_mul(0x9e37_79b1) >> (32 - PLACES);
        let now = u32::try_from(at).expect("a segment is short");
        std::mem::replace(&mut self.places[hash as usize], now) as usize
    }
}

/// How many bytes at `at` repeat those at `seen`, and how many bits it saves to say so; 0 if none.
fn worth(segment: &[u8], seen: usize, at: usize, bits: u64) -> (usize, u64) {
    let distance = at - seen;
    if seen == 0 || distance > WINDOW || word(segment, seen) != word(segment, at) {
        return (0, 0);
    }
    let pairs = segment[seen..].iter().zip(&segment[at..]).take(258);
    let length = pairs.take_while(|(old, new)| old == new).count();
    // A length and a distance take about eleven bits, and those that say where exactly in a range (RFC 1951, 3.2.5).
    let exact = distance.ilog2().saturating_sub(1) + if length > 10 { 2 } else { 0 };
    let cost = (11 + u64::from(exact)) * BIT;
    (length, (length as u64 * bits).saturating_sub(cost))
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

#[cfg(test)]
mod tests;
