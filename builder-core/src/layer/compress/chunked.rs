//! zstd with a table of contents, "zstd:chunked": each file is in frames of its own, and skippable frames at the end
//! tell where, so that a reader who knows most of the files fetches the others alone. Whoever does not know of it reads
//! plain zstd.
//!
//! Source of the form: the documentation of zstd:chunked in the containers/storage project. After the tar's frames come
//! three to be skipped: the table, what a tar has beside its files, and a footer; where they are is also in annotations
//! of the layer.

mod frames;
mod split;

use std::collections::BTreeMap;
use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use self::frames::Frames;
use self::split::Split;
use crate::layer::tar::{Passing, Scan, Watch};
use crate::oci::Digest;
use crate::tree::Timestamp;

/// The most that one frame has of a file.
const CHUNK: usize = 1 << 20;

/// The annotation that makes a layer one with a table: the digest of the table as it is compressed.
pub(crate) const TABLE_DIGEST: &str = "io.github.containers.zstd-chunked.manifest-checksum";
const TABLE_PLACE: &str = "io.github.containers.zstd-chunked.manifest-position";
const SPLIT_PLACE: &str = "io.github.containers.zstd-chunked.tarsplit-position";

/// The one kind of table there is.
const KIND: u64 = 1;

/// The last bytes of a layer.
const MAGIC: [u8; 8] = *b"GNUlInUx";

/// What a frame that is skipped begins with (RFC 8878, 3.1.2).
const SKIPPED: [u8; 4] = [0x50, 0x2a, 0x4d, 0x18];

/// The encoder: a tar goes in.
pub(crate) struct Chunked<W> {
    scan: Scan,
    parts: Parts<W>,
}

struct Parts<W> {
    frames: Frames<W>,
    split: Split,
    level: i32,
    files: Vec<File>,
    /// The file whose content goes by.
    open: Option<Open>,
}

/// A file that is known in full, but for where its frames are.
struct File {
    entry: Passing,
    digest: Option<Digest>,
    chunks: Vec<Chunk>,
}

struct Chunk {
    /// The number of its frame.
    frame: usize,
    size: u64,
    digest: Digest,
}

struct Open {
    entry: Passing,
    whole: Sha256,
    chunk: Sha256,
    chunks: Vec<Chunk>,
}

impl<W: Write> Chunked<W> {
    pub(super) fn new(out: W, level: i32, workers: usize) -> io::Result<Self> {
        let (frames, split) = (Frames::new(out, level, workers), Split::new(level)?);
        Ok(Chunked {
            scan: Scan::new(),
            parts: Parts { frames, split, level, files: Vec::new(), open: None },
        })
    }

    /// Writes the end. Gives the sink and the layer's annotations.
    pub(super) fn finish(self) -> io::Result<(W, BTreeMap<String, String>)> {
        self.scan.finish()?;
        let Parts { frames, split, level, files, .. } = self.parts;
        let (mut out, ends) = frames.finish()?;
        let (split, split_plain) = split.finish()?;
        let table =
            Table { version: 1, entries: entries(&files, &ends), tar_split_digest: Digest::of(&split) };
        let plain = serde_json::to_vec(&table)?;
        let table = zstd::encode_all(plain.as_slice(), level)?;
        let header = SKIPPED.len() as u64 + 4;
        let table_at = ends.last().copied().unwrap_or(0) + header;
        let split_at = table_at + table.len() as u64 + header;
        let footer = [
            table_at,
            table.len() as u64,
            plain.len() as u64,
            KIND,
            split_at,
            split.len() as u64,
            split_plain,
            u64::from_le_bytes(MAGIC),
        ];
        let footer: Vec<u8> = footer.iter().flat_map(|number| number.to_le_bytes()).collect();
        for frame in [&table, &split, &footer] {
            let size = u32::try_from(frame.len()).map_err(|_| io::Error::other("the table is too large"))?;
            out.write_all(&SKIPPED)?;
            out.write_all(&size.to_le_bytes())?;
            out.write_all(frame)?;
        }
        let annotations = [
            (TABLE_DIGEST, Digest::of(&table).to_string()),
            (TABLE_PLACE, format!("{table_at}:{}:{}:{KIND}", table.len(), plain.len())),
            (SPLIT_PLACE, format!("{split_at}:{}:{split_plain}", split.len())),
        ];
        Ok((out, annotations.map(|(name, value)| (name.to_owned(), value)).into()))
    }
}

impl<W: Write> Write for Chunked<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.scan.pass(bytes, &mut self.parts)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write> Watch for Parts<W> {
    fn between(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.frames.push(bytes);
        if self.frames.filled() >= CHUNK {
            self.frames.close()?;
        }
        self.split.between(bytes)
    }

    fn entry(&mut self, entry: Passing) -> io::Result<()> {
        self.split.begin(&entry.name, entry.size)?;
        if entry.size > 0 {
            self.frames.close()?;
        }
        self.open = Some(Open { entry, whole: Sha256::new(), chunk: Sha256::new(), chunks: Vec::new() });
        Ok(())
    }

    fn content(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        self.split.content(bytes);
        while !bytes.is_empty() {
            let count = bytes.len().min(CHUNK - self.frames.filled());
            let (piece, rest) = bytes.split_at(count);
            self.frames.push(piece);
            if let Some(open) = &mut self.open {
                open.whole.update(piece);
                // Of the first chunk the sum so far is its own.
                if !open.chunks.is_empty() {
                    open.chunk.update(piece);
                }
            }
            if self.frames.filled() == CHUNK {
                self.end_chunk()?;
            }
            bytes = rest;
        }
        Ok(())
    }

    fn ended(&mut self) -> io::Result<()> {
        self.split.end()?;
        let has_content = self.open.as_ref().is_some_and(|open| open.entry.size > 0);
        if has_content && self.frames.filled() > 0 {
            self.end_chunk()?;
        }
        if let Some(Open { entry, whole, chunks, .. }) = self.open.take() {
            let digest = has_content.then(|| Digest::from_bytes(whole.finalize().into()));
            self.files.push(File { entry, digest, chunks });
        }
        Ok(())
    }
}

impl<W: Write> Parts<W> {
    /// What is in the present frame is a part of the file.
    fn end_chunk(&mut self) -> io::Result<()> {
        let size = self.frames.filled() as u64;
        let frame = self.frames.close()? - 1;
        if let Some(open) = &mut self.open {
            let digest = match open.chunks.is_empty() {
                true => open.whole.clone().finalize(),
                false => std::mem::take(&mut open.chunk).finalize(),
            };
            open.chunks.push(Chunk { frame, size, digest: Digest::from_bytes(digest.into()) });
        }
        Ok(())
    }
}

/// The table as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Table<'a> {
    version: u32,
    entries: Vec<Listed<'a>>,
    tar_split_digest: Digest,
}

/// One file of the table, or a further part of the file before it.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    r#type: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    link_name: &'a str,
    #[serde(skip_serializing_if = "is_default")]
    mode: i64,
    #[serde(skip_serializing_if = "is_default")]
    size: u64,
    #[serde(skip_serializing_if = "is_default")]
    uid: i64,
    #[serde(skip_serializing_if = "is_default")]
    gid: i64,
    #[serde(rename = "modtime", skip_serializing_if = "is_default")]
    modified: Option<String>,
    #[serde(rename = "accesstime", skip_serializing_if = "is_default")]
    accessed: Option<String>,
    #[serde(rename = "changetime", skip_serializing_if = "is_default")]
    changed: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    dev_major: i64,
    #[serde(skip_serializing_if = "is_default")]
    dev_minor: i64,
    #[serde(skip_serializing_if = "is_default")]
    xattrs: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "is_default")]
    digest: Option<Digest>,
    #[serde(skip_serializing_if = "is_default")]
    offset: u64,
    #[serde(skip_serializing_if = "is_default")]
    end_offset: u64,
    #[serde(skip_serializing_if = "is_default")]
    chunk_size: u64,
    #[serde(skip_serializing_if = "is_default")]
    chunk_offset: u64,
    #[serde(skip_serializing_if = "is_default")]
    chunk_digest: Option<Digest>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// All files, where `ends` are the ends of frames.
fn entries<'a>(files: &'a [File], ends: &[u64]) -> Vec<Listed<'a>> {
    let start = |frame: usize| frame.checked_sub(1).map_or(0, |before| ends[before]);
    let mut listed = Vec::with_capacity(files.len());
    for File { entry, digest, chunks } in files {
        let mut first = list(entry);
        first.digest = *digest;
        if let (Some(begin), Some(end)) = (chunks.first(), chunks.last()) {
            (first.offset, first.end_offset) = (start(begin.frame), ends[end.frame]);
        }
        listed.push(first);
        if chunks.len() < 2 {
            continue;
        }
        let at = listed.len() - 1;
        let mut offset = 0;
        for (number, chunk) in chunks.iter().enumerate() {
            if number > 0 {
                listed.push(Listed { r#type: "chunk", name: &entry.name, ..Listed::default() });
            }
            let part = &mut listed[at + number];
            (part.chunk_size, part.chunk_offset) = (chunk.size, offset);
            (part.offset, part.chunk_digest) = (start(chunk.frame), Some(chunk.digest));
            offset += chunk.size;
        }
    }
    listed
}

fn list(entry: &Passing) -> Listed<'_> {
    let kind = match entry.sort {
        b'1' => "hardlink",
        b'2' => "symlink",
        b'3' => "char",
        b'4' => "block",
        b'5' => "dir",
        b'6' => "fifo",
        _ => "reg",
    };
    let [modified, accessed, changed] = entry.times.map(|time| time.map(written));
    Listed {
        r#type: kind,
        name: &entry.name,
        link_name: &entry.link,
        mode: entry.mode,
        size: entry.size,
        uid: entry.uid,
        gid: entry.gid,
        modified,
        accessed,
        changed,
        dev_major: entry.device.0,
        dev_minor: entry.device.1,
        xattrs: entry.xattrs.iter().map(|(name, value)| (name.as_str(), STANDARD.encode(value))).collect(),
        ..Listed::default()
    }
}

/// A time as RFC 3339 has it.
fn written(time: Timestamp) -> String {
    let nanoseconds = i32::try_from(time.nanoseconds).unwrap_or(0);
    jiff::Timestamp::new(time.seconds, nanoseconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

#[cfg(test)]
mod tests;
