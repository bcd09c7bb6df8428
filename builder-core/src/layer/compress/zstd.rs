//! zstd by the library's own workers, each with a section of the input.
//!
//! How hard a worker looks for repetitions is told section by section: where bytes are nearly random, and none of a
//! sample of them comes again, what repeats is heads of files, which the quickest search finds as well. What is decided
//! depends on the bytes alone.

use std::io::{self, Write};

use zstd::zstd_safe::CParameter;

use super::entropy::{NEARLY_RANDOM, bits_per_byte};
use crate::sys::memory;

/// How many bytes one worker gets at a time (`ZSTD_c_jobSize`). The buffers grow with it: 4 MiB in place of 3 take 14
/// MiB more, for layers of programs that are 0.2% smaller. The default for level 3 is 8 MiB.
const SECTION: u32 = 3 << 20;

/// How many workers at most: eight take 40 MiB more, and what all get is hashed by one thread.
const WORKERS: usize = 4;

/// How far back zstd looks for a repetition, as a power of two (`ZSTD_c_windowLog`): 4 MiB; every decoder should be
/// able to hold 8 (RFC 8878). The default for level 3 is half of it: text that repeats itself after half a megabyte
/// then takes twice the room.
const WINDOW_LOG: u32 = 22;

/// From this level on the table of places (`ZSTD_c_hashLog`) would be for more bytes than a worker ever sees, a section
/// and half of a window; at the highest level, 128 MiB.
const FIRST_LARGE: i32 = 10;

/// What it is instead, as a power of two: 8 MiB.
const LARGE_HASH_LOG: u32 = 21;

/// From this level on there is a tree of places, too (`ZSTD_c_chainLog`), of up to half a gigabyte …
const FIRST_TREE: i32 = 13;

/// … which is 16 MiB instead …
const TREE_LOG: u32 = 22;

/// … and so many workers have one: four of them would take 142 MiB together.
const TREE_WORKERS: usize = 2;

/// The level at which sections are told apart.
const DEFAULT: i32 = 3;

/// The size of the table of places at the default level, as a power of two (`ZSTD_c_hashLog`; default 17): it has to
/// grow with the window. 1% smaller layers of programs and scripts, for 1 MiB a worker.
const HASH_LOG: u32 = 18;

/// How much of what comes before a worker may refer to (`ZSTD_c_overlapLog`): half of the window.
const OVERLAP: u32 = 8;

/// The level where bytes are nearly random, with its own small table …
const EASY: i32 = 1;

/// … as a power of two (`ZSTD_c_hashLog`).
const EASY_HASH_LOG: u32 = 14;

/// How many bytes are looked at together …
const STRETCH: usize = 64 << 10;

/// … and how many times a section has as many.
const STRETCHES: usize = SECTION as usize / STRETCH;

/// So many of them tell how random they are.
const SAMPLE: usize = 16 << 10;

/// Eight bytes that begin with this one are remembered: of random bytes one in 256 is it, and heads of files, which
/// always repeat, have none.
const MARK: u8 = 0xa7;

/// How many such words are remembered, as a power of two: about as many as two sections of random bytes have.
const WORDS: u32 = 15;

/// A section is not easy where more than one of so many of its words was seen before.
const SELDOM: u32 = 128;

/// The encoder; see the module.
pub(crate) struct Sections<W: Write> {
    encoder: zstd::Encoder<'static, W>,
    /// What came of the next stretch.
    stretch: Vec<u8>,
    /// What shows which sections are easy; none where all are taken alike.
    survey: Option<Survey>,
}

impl<W: Write> Sections<W> {
    pub(super) fn new(out: W, level: i32, workers: usize) -> io::Result<Self> {
        memory::give_back_large();
        let mut encoder = zstd::Encoder::new(out, level)?;
        // Without workers zstd cuts the input in another way, so that the bytes would differ.
        let most = if level >= FIRST_TREE { TREE_WORKERS } else { WORKERS };
        encoder.multithread(u32::try_from(workers.min(most)).expect("a few"))?;
        encoder.window_log(WINDOW_LOG)?;
        if level >= FIRST_LARGE {
            encoder.set_parameter(CParameter::HashLog(LARGE_HASH_LOG))?;
        }
        if level >= FIRST_TREE {
            encoder.set_parameter(CParameter::ChainLog(TREE_LOG))?;
        }
        if level == DEFAULT {
            encoder.set_parameter(CParameter::HashLog(HASH_LOG))?;
        }
        encoder.set_parameter(CParameter::JobSize(SECTION))?;
        encoder.set_parameter(CParameter::OverlapSizeLog(OVERLAP))?;
        encoder.include_checksum(true)?;
        let survey = (level == DEFAULT).then(Survey::default);
        Ok(Sections { encoder, stretch: Vec::new(), survey })
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        let rest = std::mem::take(&mut self.stretch);
        self.pass_on(&rest)?;
        self.judge()?;
        self.encoder.finish()
    }

    /// Compresses a stretch, which comes next.
    fn pass_on(&mut self, stretch: &[u8]) -> io::Result<()> {
        if let Some(survey) = &mut self.survey {
            survey.look(stretch);
            if survey.stretches == STRETCHES {
                // zstd takes what it was told last when a section is full; before the first bytes of a section are
                // taken the one before may not have begun.
                self.judge()?;
            }
        }
        self.encoder.write_all(stretch)
    }

    /// Tells the workers how to take the section that is looked at.
    fn judge(&mut self) -> io::Result<()> {
        let Some(survey) = &mut self.survey else { return Ok(()) };
        let was_easy = survey.easy;
        survey.judge();
        if survey.easy == was_easy {
            return Ok(());
        }
        let (level, hash_log) = if survey.easy { (EASY, EASY_HASH_LOG) } else { (DEFAULT, HASH_LOG) };
        self.encoder.set_parameter(CParameter::CompressionLevel(level))?;
        self.encoder.set_parameter(CParameter::HashLog(hash_log))
    }
}

impl<W: Write> Write for Sections<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.stretch.is_empty() && bytes.len() >= STRETCH {
            self.pass_on(&bytes[..STRETCH])?;
            return Ok(STRETCH);
        }
        let count = bytes.len().min(STRETCH - self.stretch.len());
        self.stretch.extend_from_slice(&bytes[..count]);
        if self.stretch.len() == STRETCH {
            let mut stretch = std::mem::take(&mut self.stretch);
            self.pass_on(&stretch)?;
            stretch.clear();
            self.stretch = stretch;
        }
        Ok(count)
    }

    /// Forces nothing out, since that would change the bytes.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What was seen of a section.
struct Survey {
    stretches: usize,
    /// How many stretches are nearly random.
    random: usize,
    /// How many words were looked at …
    words: u32,
    /// … and how many of them not for the first time.
    seen: u32,
    /// Words that were seen, also in sections before.
    places: Box<[u64; 1 << WORDS]>,
    /// Whether the last section that was judged is easy.
    easy: bool,
}

impl Default for Survey {
    fn default() -> Self {
        Survey { stretches: 0, random: 0, words: 0, seen: 0, places: Box::new([0; 1 << WORDS]), easy: false }
    }
}

impl Survey {
    fn look(&mut self, stretch: &[u8]) {
        self.stretches += 1;
        let sample = &stretch[..stretch.len().min(SAMPLE)];
        if sample.len() < SAMPLE || bits_per_byte(sample) < NEARLY_RANDOM {
            return;
        }
        self.random += 1;
        for at in memchr::memchr_iter(MARK, stretch) {
            let Some(word) = stretch[at..].first_chunk() else { break };
            let word = u64::from_le_bytes(*word);
            let place = &mut self.places[(word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - WORDS)) as usize];
            self.words += 1;
            self.seen += u32::from(*place == word);
            *place = word;
        }
    }

    /// Decides on the section, which is easy where more than two thirds are nearly random, and goes on to the next.
    fn judge(&mut self) {
        self.easy = self.random * 3 > self.stretches * 2 && self.seen * SELDOM <= self.words;
        (self.stretches, self.random, self.words, self.seen) = (0, 0, 0, 0);
    }
}

#[cfg(test)]
mod tests;
