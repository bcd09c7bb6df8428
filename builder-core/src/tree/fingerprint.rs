//! What a stream of entries is by content: equal for equal files, whatever their times and however they are stored.
//!
//! The content of a file is hashed with BLAKE3, five times as fast as SHA-256 here, so that it keeps up with copying;
//! what is shown is a SHA-256 over all entries.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use rustix::io::Errno;
use sha2::{Digest, Sha256};

use crate::error::{Context, Result};
use crate::oci;
use crate::tree::{self, Content, Entry, Marks, Node, Opened, RelPath, Root, Timestamp};

mod inputs;
mod known;

pub(crate) use inputs::{Inputs, first_difference};
pub(crate) use known::Known;

/// The unit of content. Blocks of zeros count as holes.
pub(crate) const BLOCK: usize = 64 * 1024;

/// The hash of one file's content.
pub(crate) type ContentHash = [u8; 32];

/// Takes entries in the order of their stream.
#[derive(Debug, Default)]
pub(crate) struct Fingerprint {
    hash: Sha256,
}

impl Fingerprint {
    /// Adds an entry by its path below `base`, so that the place does not count; `content` is that of a regular file.
    pub(crate) fn add(&mut self, base: &RelPath, entry: &Entry, content: Option<&ContentHash>) {
        let below = |path: &RelPath| path.strip(base).unwrap_or_else(|| path.clone()).as_bytes().to_vec();
        let (kind, more): (u8, Vec<u8>) = match &entry.node {
            Node::Directory { opaque } => (b'd', vec![u8::from(*opaque)]),
            Node::File { size, .. } => (b'f', size.to_le_bytes().to_vec()),
            Node::Symlink(target) => (b'l', target.as_os_str().as_bytes().to_vec()),
            Node::Hardlink(target) => (b'h', below(target)),
            Node::Char(device) => (b'c', [device.major.to_le_bytes(), device.minor.to_le_bytes()].concat()),
            Node::Block(device) => (b'b', [device.major.to_le_bytes(), device.minor.to_le_bytes()].concat()),
            Node::Fifo => (b'p', Vec::new()),
            Node::Socket => (b's', Vec::new()),
            Node::Whiteout => (b'w', Vec::new()),
        };
        self.hash.update([kind]);
        self.field(&below(&entry.path));
        self.field(&more);
        // A hard link has all else from the entry it names.
        if !matches!(entry.node, Node::Hardlink(_) | Node::Whiteout) {
            for number in [entry.meta.mode, entry.meta.uid, entry.meta.gid] {
                self.hash.update(number.to_le_bytes());
            }
            self.hash.update((entry.meta.xattrs.len() as u64).to_le_bytes());
            for (name, value) in &entry.meta.xattrs {
                self.field(name);
                self.field(value);
            }
        }
        self.field(content.map_or(&[], |content| content.as_slice()));
    }

    /// The SHA-256 of all entries, in hexadecimal.
    pub(crate) fn finish(self) -> String {
        self.digest().hex()
    }

    /// The SHA-256 of all entries.
    pub(crate) fn digest(self) -> oci::Digest {
        oci::Digest::from_bytes(self.hash.finalize().into())
    }

    /// Adds the modification time of the entry that was added last.
    pub(crate) fn time(&mut self, time: Option<Timestamp>) {
        let time = time.map(|time| [time.seconds.to_le_bytes(), i64::from(time.nanoseconds).to_le_bytes()]);
        self.field(&time.map(|time| time.concat()).unwrap_or_default());
    }

    /// Adds bytes so that no other sequence of fields gives the same.
    fn field(&mut self, bytes: &[u8]) {
        self.hash.update((bytes.len() as u64).to_le_bytes());
        self.hash.update(bytes);
    }
}

/// What a whole tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Whole {
    /// Over all its entries.
    pub digest: oci::Digest,
    /// The sum of its files, bytes.
    pub bytes: u64,
    /// Whether a file has several names.
    pub linked: bool,
}

/// What all of `root` is by content. Times count as well, but for those from `since` to `until`, in nanoseconds since
/// the epoch: they only say when something was done.
pub(crate) fn of_tree(root: &Root, marks: Marks, since: i64, until: i64) -> Result<Whole> {
    let mut print = Fingerprint::default();
    let (mut bytes, mut linked) = (0, false);
    for entry in tree::walk(root, marks) {
        let mut entry = entry?;
        let hash = hash_entry(&mut entry)?;
        print.add(&RelPath::root(), &entry, hash.as_ref());
        if let Node::File { size, .. } = &entry.node {
            bytes += size;
        }
        linked |= matches!(entry.node, Node::Hardlink(_));
        let time = entry.meta.mtime;
        let at = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanoseconds);
        let idle = matches!(entry.node, Node::Whiteout | Node::Hardlink(_))
            || (i128::from(since)..=i128::from(until)).contains(&at);
        print.time((!idle).then_some(time));
    }
    Ok(Whole { digest: print.digest(), bytes, linked })
}

/// The hash of an entry's content, which is read; none for what is no regular file.
pub(crate) fn hash_entry(entry: &mut Entry) -> Result<Option<ContentHash>> {
    let Node::File { size, content } = &mut entry.node else { return Ok(None) };
    let content = std::mem::replace(content, Content::Bytes(Vec::new()));
    let hash = match content.open().cannot("read", &entry.path)? {
        Opened::Bytes(bytes) => hash_bytes(&bytes),
        Opened::File(file) => hash_file(file, *size).cannot("read", &entry.path)?,
        Opened::Stream(_) => unreachable!("a directory tree gives names"),
    };
    Ok(Some(hash))
}

/// The hash of content in memory.
pub(crate) fn hash_bytes(bytes: &[u8]) -> ContentHash {
    let mut content = ContentHasher::default();
    bytes.chunks(BLOCK).for_each(|block| content.add(block));
    content.finish()
}

/// Hashes content that goes by.
#[derive(Debug, Default)]
pub(crate) struct ContentHasher {
    hash: blake3::Hasher,
    index: u64,
}

impl ContentHasher {
    /// Adds the next [`BLOCK`] bytes; only the last block may be shorter.
    pub(crate) fn add(&mut self, block: &[u8]) {
        add_block(&mut self.hash, self.index, block);
        self.index += 1;
    }

    /// The hash of all of it.
    pub(crate) fn finish(self) -> ContentHash {
        *self.hash.finalize().as_bytes()
    }
}

/// The hash of an open file's first `size` bytes; holes are not read. Fewer bytes are `UnexpectedEof`.
pub(crate) fn hash_file(mut file: File, size: u64) -> io::Result<ContentHash> {
    let sparse = file.metadata()?.blocks().saturating_mul(512) < size;
    let mut hash = blake3::Hasher::new();
    let mut buffer = vec![0; BLOCK];
    let mut at = 0;
    while at < size {
        if sparse {
            let data = match rustix::fs::seek(&file, rustix::fs::SeekFrom::Data(at)) {
                Err(Errno::NXIO) => break,
                data => data?,
            };
            at = data - data % BLOCK as u64;
            if at >= size {
                break;
            }
            file.seek(SeekFrom::Start(at))?;
        }
        let length = usize::try_from(size - at).unwrap_or(BLOCK).min(BLOCK);
        file.read_exact(&mut buffer[..length])?;
        add_block(&mut hash, at / BLOCK as u64, &buffer[..length]);
        at += length as u64;
    }
    Ok(*hash.finalize().as_bytes())
}

fn add_block(hash: &mut blake3::Hasher, index: u64, block: &[u8]) {
    if block.iter().any(|byte| *byte != 0) {
        hash.update(&index.to_le_bytes());
        hash.update(block);
    }
}

#[cfg(test)]
mod tests;
