//! Sparse files as GNU tar stores them: the data without the holes, and a map that says where they go.
//!
//! Four forms of the map are in use: in the header and extension blocks after it ("old GNU"), and the pax forms 0.0
//! (a record for each number), 0.1 (one record) and 1.0 (decimal lines before the data).

use std::io::{self, Read};

use super::header::number;
use super::pax::{Values, decimal};
use super::{BLOCK, header};
use crate::error::{Error, Result};

/// As many segments as a map may have; it is kept in memory.
const MAX_SEGMENTS: usize = 1 << 18;

/// Where data go, and the whole length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Map {
    /// Offset and length of each run of data, in order, without overlap.
    segments: Vec<(u64, u64)>,
    pub(super) size: u64,
}

impl Map {
    fn push(&mut self, offset: u64, length: u64) -> Result<()> {
        let end = self.segments.last().map_or(0, |(offset, length)| offset + length);
        let next = offset.checked_add(length).filter(|next| *next <= self.size);
        if offset < end || next.is_none() || self.segments.len() == MAX_SEGMENTS {
            return Err(bad("the map of its holes makes no sense"));
        }
        self.segments.push((offset, length));
        Ok(())
    }

    /// How many bytes of data there are.
    pub(super) fn data(&self) -> u64 {
        self.segments.iter().map(|(_, length)| length).sum()
    }
}

fn bad(cause: &'static str) -> Error {
    Error::corrupt("cannot read a sparse file in a tar").because(cause)
}

/// The map of an old GNU header; `more` gives the extension blocks.
pub(super) fn old(block: &[u8; BLOCK], mut more: impl FnMut() -> Result<[u8; BLOCK]>) -> Result<Map> {
    let size = positive(&block[483..495])?;
    let mut map = Map { size, ..Map::default() };
    take_pairs(&mut map, &block[386..482])?;
    let mut extended = block[482] != 0;
    while extended {
        let block = more()?;
        take_pairs(&mut map, &block[..504])?;
        extended = block[504] != 0;
    }
    Ok(map)
}

/// Pairs of twelve-byte numbers; an empty one ends them.
fn take_pairs(map: &mut Map, fields: &[u8]) -> Result<()> {
    for pair in fields.chunks_exact(24) {
        if pair[0] == 0 || pair[12] == 0 {
            break;
        }
        map.push(positive(&pair[..12])?, positive(&pair[12..])?)?;
    }
    Ok(())
}

fn positive(field: &[u8]) -> Result<u64> {
    u64::try_from(number(field, "sparse map")?).map_err(|_| header::unreadable("sparse map"))
}

/// The map of a pax header of form 0.0 or 0.1, if it has one.
pub(super) fn from_records(values: &Values) -> Result<Option<Map>> {
    let Some(size) = values.get(b"GNU.sparse.size") else { return Ok(None) };
    let mut map =
        Map { size: decimal(size).ok_or_else(|| bad("its size is not a number"))?, ..Map::default() };
    let mut numbers: Vec<&[u8]> = Vec::new();
    if let Some(joined) = values.get(b"GNU.sparse.map") {
        numbers.extend(joined.split(|byte| *byte == b','));
    } else {
        for (key, value) in values.own() {
            if matches!(key.as_slice(), b"GNU.sparse.offset" | b"GNU.sparse.numbytes") {
                numbers.push(value);
            }
        }
    }
    if !numbers.len().is_multiple_of(2) {
        return Err(bad("the map of its holes is cut off"));
    }
    for pair in numbers.chunks_exact(2) {
        let number = |text| decimal(text).ok_or_else(|| bad("the map of its holes is not made of numbers"));
        map.push(number(pair[0])?, number(pair[1])?)?;
    }
    Ok(Some(map))
}

/// The map of form 1.0, which stands before the data in whole blocks; `next` gives those. Returns the map and how many
/// blocks it took.
pub(super) fn from_body(size: u64, mut next: impl FnMut() -> Result<[u8; BLOCK]>) -> Result<(Map, u64)> {
    let mut map = Map { size, ..Map::default() };
    let mut block = [0; BLOCK];
    let mut blocks = 0;
    let mut at = BLOCK;
    let mut line = || -> Result<u64> {
        let mut number: u64 = 0;
        for digit in 0.. {
            if at == BLOCK {
                block = next()?;
                blocks += 1;
                at = 0;
            }
            at += 1;
            match block[at - 1] {
                b'\n' if digit > 0 => break,
                byte @ b'0'..=b'9' if digit < 19 => number = number * 10 + u64::from(byte - b'0'),
                _ => return Err(bad("the map of its holes is not made of numbers")),
            }
        }
        Ok(number)
    };
    for _ in 0..line()? {
        let (offset, length) = (line()?, line()?);
        map.push(offset, length)?;
    }
    Ok((map, blocks))
}

/// The file with its holes filled in.
pub(super) struct Filled<R> {
    data: R,
    map: Map,
    segment: usize,
    at: u64,
}

impl<R: Read> Filled<R> {
    pub(super) fn new(data: R, map: Map) -> Self {
        Filled { data, map, segment: 0, at: 0 }
    }
}

impl<R: Read> Read for Filled<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let limit = |length: u64| usize::try_from(length).unwrap_or(usize::MAX).min(buffer.len());
        while let Some((offset, length)) = self.map.segments.get(self.segment).copied() {
            if self.at < offset {
                let count = limit(offset - self.at);
                buffer[..count].fill(0);
                self.at += count as u64;
                return Ok(count);
            }
            let count = limit(offset + length - self.at);
            if self.at < offset + length {
                let count = self.data.read(&mut buffer[..count])?;
                self.at += count as u64;
                return Ok(count);
            }
            self.segment += 1;
        }
        let count = limit(self.map.size - self.at);
        buffer[..count].fill(0);
        self.at += count as u64;
        Ok(count)
    }
}
