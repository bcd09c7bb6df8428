//! Which bodies files with some stamp have: what spares reading a file that did not change since it was read.
//!
//! A table is a list of records of a fixed length, sorted by stamp, with its digest at the end, so that one that a
//! power cut has damaged counts as none. Where tables are kept is not known here.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;

use super::{ContentHash, hash_file};
use crate::tree::stamp::{self, Stamp};
use crate::tree::{Content, Opened, attributes_of};

/// A file changed less than this before it is looked at is read again the next time, nanoseconds: another change might
/// leave it looking the same.
const SETTLED: i64 = 2_000_000_000;

/// Bytes of a record.
const RECORD: usize = Stamp::LENGTH + 32;

/// What was known of a tree's files, and what is found out.
#[derive(Debug)]
pub(crate) struct Known {
    table: Vec<u8>,
    /// What the next table has.
    seen: Vec<(Stamp, ContentHash)>,
    /// Whether that says more than this one.
    learnt: bool,
    /// When the look began, nanoseconds since the epoch.
    now: i64,
    /// By device, whether its stamps can be trusted.
    trusted: HashMap<u64, bool>,
}

impl Known {
    /// Begins a look at `now`, nanoseconds since the epoch, with a table that was kept; an empty one is as good.
    pub(crate) fn new(mut table: Vec<u8>, now: i64) -> Self {
        let whole = table.len().checked_sub(32).filter(|length| length % RECORD == 0);
        match whole {
            Some(length) if blake3::hash(&table[..length]).as_bytes() == &table[length..] => {
                table.truncate(length);
            }
            _ => table.clear(),
        }
        Known { table, seen: Vec::new(), learnt: false, now, trusted: HashMap::new() }
    }

    /// The hash of a file's bytes and attributes, read only if it must be.
    pub(super) fn body(
        &mut self,
        dir: &std::sync::Arc<OwnedFd>,
        name: &std::ffi::OsStr,
        stamp: Stamp,
        size: u64,
    ) -> io::Result<ContentHash> {
        let trusted = *self.trusted.entry(stamp.device()).or_insert_with(|| stamp::is_kept_by(dir.as_ref()));
        if trusted && let Some(body) = self.find(&stamp) {
            self.seen.push((stamp, body));
            return Ok(body);
        }
        let content = Content::At { dir: dir.clone(), name: name.to_owned() };
        let content = match content.open()? {
            Opened::File(file) => hash_file(file, size)?,
            Opened::Bytes(_) | Opened::Stream(_) => unreachable!("a name opens as a file"),
        };
        let body = body(&content, &attributes_of(dir, name)?);
        if trusted && stamp.changed() < self.now.saturating_sub(SETTLED) {
            self.seen.push((stamp, body));
            self.learnt = true;
        }
        Ok(body)
    }

    fn find(&self, stamp: &Stamp) -> Option<ContentHash> {
        let count = self.table.len() / RECORD;
        let record = |at: usize| &self.table[at * RECORD..(at + 1) * RECORD];
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low.midpoint(high);
            match record(middle)[..Stamp::LENGTH].cmp(stamp.as_bytes()) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return record(middle)[Stamp::LENGTH..].try_into().ok(),
            }
        }
        None
    }

    /// The table to keep, if anything was learnt: of the files that were looked at.
    pub(crate) fn finish(mut self) -> Option<Vec<u8>> {
        if !self.learnt {
            return None;
        }
        self.seen.sort_unstable();
        self.seen.dedup();
        let mut table = Vec::with_capacity(self.seen.len() * RECORD + 32);
        for (stamp, body) in &self.seen {
            table.extend_from_slice(stamp.as_bytes());
            table.extend_from_slice(body);
        }
        let digest = blake3::hash(&table);
        table.extend_from_slice(digest.as_bytes());
        Some(table)
    }
}

/// The hash of a file's bytes, of which `content` is the hash, and its attributes.
pub(super) fn body(content: &ContentHash, attributes: &crate::tree::Xattrs) -> ContentHash {
    let mut hash = blake3::Hasher::new();
    hash.update(content);
    for (name, value) in attributes {
        for bytes in [name, value] {
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
    }
    *hash.finalize().as_bytes()
}

#[cfg(test)]
mod tests;
