//! From a tar that goes by to its tar-split.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, Write};

use super::crc::Crc;
use super::{FILE, Line, MAX_SEGMENT, SEGMENT, encode};
use crate::layer::tar::{BLOCK, header, pax};

/// As many bytes as a pax header or a long name may have; the reader of layers has the same bound.
const MAX_EXTRA: u64 = 1 << 20;

/// What is known of a tar that went by whole.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// Every user id that owns something in it.
    pub uids: BTreeSet<u32>,
    /// Every group id.
    pub gids: BTreeSet<u32>,
}

/// Takes a tar in pieces of any size and writes its tar-split.
pub(crate) struct Recorder<W: Write> {
    out: flate2::write::GzEncoder<W>,
    /// Lines so far.
    position: u64,
    /// Bytes that are kept as they are, and not written yet.
    segment: Vec<u8>,
    state: State,
    /// What extended headers said of the next entry.
    next: Extra,
    names: HashSet<Vec<u8>>,
    recorded: Recorded,
}

#[derive(Debug)]
enum State {
    /// In a header; so much of it is in the segment already.
    Header(usize),
    /// In the body of an extended header of this type: what of it came, and how much is to come, padding included.
    Extra { kind: u8, body: Vec<u8>, size: u64, left: u64 },
    /// In a file's content.
    Content { name: Vec<u8>, size: u64, left: u64, sum: Crc },
    /// In bytes that are kept as they are.
    Raw(u64),
    /// In a block of a sparse file's map; so much of it came, and so much content follows the map.
    Map(usize, u64),
    /// After the end mark.
    End,
}

#[derive(Debug, Default)]
struct Extra {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<i64>,
    gid: Option<i64>,
    sparse: bool,
}

impl<W: Write> Recorder<W> {
    /// Writes the tar-split to `out`.
    pub fn new(out: W) -> Self {
        Recorder {
            // Headers are mostly zeros: the fastest level does as well.
            out: flate2::write::GzEncoder::new(out, flate2::Compression::fast()),
            position: 0,
            segment: Vec::new(),
            state: State::Header(0),
            next: Extra::default(),
            names: HashSet::new(),
            recorded: Recorded::default(),
        }
    }

    /// Writes the end and gives the sink back.
    pub fn finish(mut self) -> io::Result<(W, Recorded)> {
        match self.state {
            State::End | State::Header(0) => {}
            _ => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the tar ends within an entry")),
        }
        self.flush_segment()?;
        Ok((self.out.finish()?, self.recorded))
    }

    /// Takes some of `bytes`, at least one of them; says how many.
    fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.state {
            State::End => {
                self.segment.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            State::Raw(left) => {
                let count = at_most(bytes, *left);
                *left -= count as u64;
                let ended = *left == 0;
                self.segment.extend_from_slice(&bytes[..count]);
                if ended {
                    self.state = State::Header(0);
                }
                Ok(count)
            }
            State::Header(have) => {
                let count = bytes.len().min(BLOCK - *have);
                *have += count;
                let whole = *have == BLOCK;
                self.segment.extend_from_slice(&bytes[..count]);
                if whole {
                    let block = self.segment[self.segment.len() - BLOCK..].try_into().expect("a block");
                    self.header(&block)?;
                }
                Ok(count)
            }
            State::Map(have, size) => {
                let count = bytes.len().min(BLOCK - *have);
                *have += count;
                self.segment.extend_from_slice(&bytes[..count]);
                if *have == BLOCK {
                    let goes_on = self.segment[self.segment.len() - BLOCK + 504] != 0;
                    self.state = if goes_on { State::Map(0, *size) } else { raw(padded(*size)) };
                }
                Ok(count)
            }
            State::Extra { kind, body, size, left } => {
                let count = at_most(bytes, *left);
                *left -= count as u64;
                let wanted = at_most(&bytes[..count], *size - body.len() as u64);
                body.extend_from_slice(&bytes[..wanted]);
                self.segment.extend_from_slice(&bytes[..count]);
                if *left == 0 {
                    let (kind, body) = (*kind, std::mem::take(body));
                    self.extra(kind, &body)?;
                    self.state = State::Header(0);
                }
                Ok(count)
            }
            State::Content { left, sum, .. } => {
                let count = at_most(bytes, *left);
                *left -= count as u64;
                sum.update(&bytes[..count]);
                if *left == 0 {
                    self.content_ended()?;
                }
                Ok(count)
            }
        }
    }

    fn header(&mut self, block: &[u8; BLOCK]) -> io::Result<()> {
        if block.iter().all(|byte| *byte == 0) {
            self.state = State::End;
            return Ok(());
        }
        if !header::is_whole(block) {
            return Err(bad("a header of the tar has a wrong checksum"));
        }
        let size = header::number(&block[124..136], "size").map_err(bad)?;
        let size = u64::try_from(size).map_err(|_| bad("an entry has a negative size"))?;
        let kind = block[156];
        if matches!(kind, b'x' | b'g' | b'L' | b'K') {
            if size > MAX_EXTRA {
                return Err(bad("an extended header is too long"));
            }
            self.state = match padded(size) {
                0 => State::Header(0),
                left => State::Extra { kind, body: Vec::new(), size, left },
            };
            return Ok(());
        }
        let next = std::mem::take(&mut self.next);
        let size = next.size.unwrap_or(size);
        for (field, said, set) in [
            (&block[108..116], next.uid, &mut self.recorded.uids),
            (&block[116..124], next.gid, &mut self.recorded.gids),
        ] {
            let written = || header::number(field, "owner").ok();
            set.extend(said.or_else(written).and_then(|id| u32::try_from(id).ok()));
        }
        let name = next.name.unwrap_or_else(|| plain_name(block));
        let is_file = matches!(kind, b'0' | 0 | b'7') && !(kind == 0 && name.ends_with(b"/"));
        // Of links and devices the size says nothing, as the readers of the field have it.
        let size = if matches!(kind, b'1'..=b'6') { 0 } else { size };
        if next.sparse || !is_file {
            // GNU's old form has more blocks of the map behind the header.
            self.state =
                if kind == b'S' && block[482] != 0 { State::Map(0, size) } else { raw(padded(size)) };
            // What holds no content of a file in the tree stays as it is, whatever it is called.
            return if next.sparse || size > 0 { Ok(()) } else { self.entry(name, 0, None) };
        }
        if size == 0 {
            self.state = State::Header(0);
            return self.entry(name, 0, None);
        }
        if self.names.contains(&cleaned(&name)) {
            return Err(bad(format!("`{}` is in it twice", String::from_utf8_lossy(&name))));
        }
        self.state = State::Content { name, size, left: size, sum: Crc::new() };
        Ok(())
    }

    fn extra(&mut self, kind: u8, body: &[u8]) -> io::Result<()> {
        match kind {
            b'L' => self.next.name = Some(body.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()),
            b'x' => {
                for (key, value) in pax::parse(body).map_err(bad)? {
                    match key.as_slice() {
                        b"path" => self.next.name = Some(value),
                        b"size" => self.next.size = pax::decimal(&value),
                        b"uid" => self.next.uid = pax::decimal(&value),
                        b"gid" => self.next.gid = pax::decimal(&value),
                        key if key.starts_with(b"GNU.sparse.") => self.next.sparse = true,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn content_ended(&mut self) -> io::Result<()> {
        let State::Content { name, size, sum, .. } = std::mem::replace(&mut self.state, State::Header(0))
        else {
            return Ok(());
        };
        self.state = raw(padded(size) - size);
        self.entry(name, size, Some(sum.finish()))
    }

    /// Writes what came before, and the line of an entry; a name that was there already gets none.
    fn entry(&mut self, name: Vec<u8>, size: u64, sum: Option<[u8; 8]>) -> io::Result<()> {
        if !self.names.insert(cleaned(&name)) {
            return Ok(());
        }
        self.flush_segment()?;
        let payload = sum.map(|sum| encode(&sum));
        let line = match String::from_utf8(name) {
            Ok(name) => Line { kind: FILE, name: Some(name), size, payload, ..Line::default() },
            Err(raw) => {
                let name_raw = Some(encode(raw.as_bytes()));
                Line { kind: FILE, name_raw, size, payload, ..Line::default() }
            }
        };
        self.line(line)
    }

    fn flush_segment(&mut self) -> io::Result<()> {
        if self.segment.is_empty() {
            return Ok(());
        }
        let payload = Some(encode(&self.segment));
        self.segment.clear();
        self.line(Line { kind: SEGMENT, payload, ..Line::default() })
    }

    fn line(&mut self, mut line: Line) -> io::Result<()> {
        line.position = self.position;
        self.position += 1;
        serde_json::to_writer(&mut self.out, &line)?;
        self.out.write_all(b"\n")
    }
}

impl<W: Write> Write for Recorder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let count = self.take(bytes)?;
        if self.segment.len() >= MAX_SEGMENT && !matches!(self.state, State::Header(1..) | State::Map(1.., _))
        {
            self.flush_segment()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn raw(left: u64) -> State {
    if left == 0 { State::Header(0) } else { State::Raw(left) }
}

/// A size with what fills its last block.
fn padded(size: u64) -> u64 {
    size.saturating_add(BLOCK as u64 - 1) / BLOCK as u64 * BLOCK as u64
}

fn at_most(bytes: &[u8], left: u64) -> usize {
    bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX))
}

/// The name in a header, with its prefix where the form has one.
fn plain_name(block: &[u8; BLOCK]) -> Vec<u8> {
    let name = header::text(&block[..100]);
    let prefix = header::text(&block[345..500]);
    // Only POSIX's form has a prefix there; GNU's has other fields.
    if &block[257..263] == b"ustar\0" && !prefix.is_empty() {
        return [prefix, b"/", name].concat();
    }
    name.to_vec()
}

/// A name as it compares: without a beginning `./` or `/`, and without slashes at its end.
fn cleaned(name: &[u8]) -> Vec<u8> {
    let mut name = name;
    while let Some(rest) = name.strip_prefix(b"./").or_else(|| name.strip_prefix(b"/")) {
        name = rest;
    }
    while let Some(rest) = name.strip_suffix(b"/") {
        name = rest;
    }
    name.to_vec()
}

fn bad(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
