//! An entry on its way between two threads: as one of a stream, but its content never a stream.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use crate::error::{Context, Result};
use crate::layer::Pieces;
use crate::tree::{Content, Device, Entry, Meta, Node, Opened, RelPath};

/// Files up to this many bytes travel in the parcel.
const SMALL: u64 = 64 * 1024;

/// One entry.
pub(super) struct Parcel {
    path: RelPath,
    meta: Meta,
    body: Body,
}

/// The kinds of files a directory tree has; see [`Node`].
enum Body {
    Directory,
    File(Load),
    Symlink(PathBuf),
    Hardlink(RelPath),
    Char(Device),
    Block(Device),
    Fifo,
}

/// The bytes of a file, or where they are.
pub(super) enum Load {
    /// All of them.
    Bytes(Vec<u8>),
    /// In a file of an open directory.
    At { size: u64, dir: Arc<OwnedFd>, name: OsString },
    /// On their way: pieces of a stream that only the reader can read.
    Pipe { size: u64, pieces: Receiver<io::Result<Vec<u8>>> },
}

/// What an entry had for content.
pub(super) enum Taken {
    /// It is no regular file.
    Nothing,
    /// What goes into the parcel.
    Load(Load),
    /// So many bytes that come while the entry is the last one.
    Stream(u64, Box<dyn Read>),
}

/// Takes the content out of `entry`, read if it is small.
pub(super) fn take_content(entry: &mut Entry) -> Result<Taken> {
    let Node::File { size, content } = &mut entry.node else { return Ok(Taken::Nothing) };
    let size = *size;
    Ok(Taken::Load(match std::mem::replace(content, Content::Bytes(Vec::new())) {
        Content::Bytes(bytes) => Load::Bytes(bytes),
        Content::At { dir, name } if size <= SMALL => {
            let mut bytes = vec![0; usize::try_from(size).expect("a small file fits")];
            let read = open(&dir, &name).and_then(|mut file| file.read_exact(&mut bytes));
            read.cannot("read", &entry.path)?;
            Load::Bytes(bytes)
        }
        Content::At { dir, name } => Load::At { size, dir, name },
        Content::Seen { .. } => unreachable!("its attributes would be missing"),
        Content::Stream(stream) => return Ok(Taken::Stream(size, stream)),
    }))
}

/// Opens the regular file `name` in `dir`.
pub(super) fn open(dir: &Arc<OwnedFd>, name: &OsStr) -> io::Result<File> {
    match (Content::At { dir: dir.clone(), name: name.to_owned() }).open()? {
        Opened::File(file) => Ok(file),
        Opened::Bytes(_) | Opened::Stream(_) => unreachable!("a name opens as a file"),
    }
}

impl Parcel {
    /// Packs `entry`, whose content was taken into `load`.
    pub(super) fn pack(entry: &Entry, load: Option<Load>) -> Self {
        let body = match &entry.node {
            Node::Directory { .. } => Body::Directory,
            Node::File { .. } => Body::File(load.expect("a file has its content")),
            Node::Symlink(target) => Body::Symlink(target.clone()),
            Node::Hardlink(target) => Body::Hardlink(target.clone()),
            Node::Char(device) => Body::Char(*device),
            Node::Block(device) => Body::Block(*device),
            Node::Fifo => Body::Fifo,
            Node::Socket | Node::Whiteout => unreachable!("neither is gathered"),
        };
        Parcel { path: entry.path.clone(), meta: entry.meta.clone(), body }
    }

    /// Makes an entry of it again.
    pub(super) fn unpack(self) -> Entry {
        let node = match self.body {
            Body::Directory => Node::Directory { opaque: false },
            Body::File(Load::Bytes(bytes)) => {
                Node::File { size: bytes.len() as u64, content: Content::Bytes(bytes) }
            }
            Body::File(Load::At { size, dir, name }) => {
                Node::File { size, content: Content::At { dir, name } }
            }
            Body::File(Load::Pipe { size, pieces }) => {
                let pipe = Pieces::new(pieces);
                Node::File { size, content: Content::Stream(Box::new(pipe)) }
            }
            Body::Symlink(target) => Node::Symlink(target),
            Body::Hardlink(target) => Node::Hardlink(target),
            Body::Char(device) => Node::Char(device),
            Body::Block(device) => Node::Block(device),
            Body::Fifo => Node::Fifo,
        };
        Entry { path: self.path, meta: self.meta, node }
    }

    /// How many bytes of content it holds.
    pub(super) fn len(&self) -> usize {
        match &self.body {
            Body::File(Load::Bytes(bytes)) => bytes.len(),
            _ => 0,
        }
    }
}
