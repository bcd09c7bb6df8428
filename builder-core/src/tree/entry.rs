//! The element every copy, unpack, diff and commit is a stream of.
//!
//! An entry says everything about one file system object but where its tree is. Overlay's own marks never appear in
//! it as device nodes or xattrs: a walker turns them into [`Node::Whiteout`] and `opaque`, a sink turns them back.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};

/// A path below some root: no leading slash, no `.`, no `..`, no empty part. The root itself is the empty path.
///
/// Ordered part by part, so that a directory is followed by all that is in it.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(PathBuf);

impl RelPath {
    /// The root itself.
    #[must_use]
    pub fn root() -> Self {
        RelPath::default()
    }

    /// Takes `path` apart: leading and doubled slashes and `.` go, `..` is refused, and so is a NUL byte.
    pub fn parse(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut clean = PathBuf::new();
        for part in path.components() {
            match part {
                Component::Normal(part) => clean.push(part),
                Component::RootDir | Component::CurDir => {}
                Component::ParentDir | Component::Prefix(_) => {
                    return Err(Error::invalid(format!("cannot use the path `{}`", path.display()))
                        .because("`..` leads out of the tree"));
                }
            }
        }
        if clean.as_os_str().as_bytes().contains(&0) {
            return Err(Error::invalid(format!("cannot use the path `{}`", path.display()))
                .because("it has a NUL byte"));
        }
        Ok(RelPath(clean))
    }

    /// As [`RelPath::parse`], but `..` goes one part up and stops at the root, as the kernel does under `chroot`.
    #[must_use]
    pub fn clamp(path: impl AsRef<Path>) -> Self {
        let mut clean = PathBuf::new();
        for part in path.as_ref().components() {
            match part {
                Component::Normal(part) => clean.push(part),
                Component::ParentDir => {
                    clean.pop();
                }
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
        RelPath(clean)
    }

    /// This path with one more part, which must be a plain file name.
    #[must_use]
    pub fn join(&self, name: impl AsRef<OsStr>) -> Self {
        let name = name.as_ref();
        debug_assert!(Path::new(name).components().count() == 1, "{name:?} is not one part");
        RelPath(self.0.join(name))
    }

    /// This path followed by all parts of `tail`.
    #[must_use]
    pub fn append(&self, tail: &RelPath) -> Self {
        if tail.is_root() { self.clone() } else { RelPath(self.0.join(&tail.0)) }
    }

    /// The directory above, or `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<RelPath> {
        self.0.parent().map(|path| RelPath(path.to_path_buf()))
    }

    /// The last part, or `None` for the root.
    #[must_use]
    pub fn name(&self) -> Option<&OsStr> {
        self.0.file_name()
    }

    /// Whether this is the root itself.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.as_os_str().is_empty()
    }

    /// Whether this path is `above` or below it.
    #[must_use]
    pub fn starts_with(&self, above: &RelPath) -> bool {
        self.0.starts_with(&above.0)
    }

    /// What is left of this path below `above`.
    #[must_use]
    pub fn strip(&self, above: &RelPath) -> Option<RelPath> {
        self.0.strip_prefix(&above.0).ok().map(|path| RelPath(path.to_path_buf()))
    }

    /// The parts from the root down.
    pub fn parts(&self) -> impl Iterator<Item = &OsStr> {
        self.0.iter()
    }

    /// As a relative path; empty for the root.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// As bytes; empty for the root.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_os_str().as_bytes()
    }
}

/// With a leading slash, as people write a path in a container.
impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.0.display())
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// A moment: whole seconds since the epoch (negative before it) and nanoseconds into that second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// Nanoseconds, below 1,000,000,000.
    pub nanoseconds: u32,
}

impl Timestamp {
    /// A whole second.
    #[must_use]
    pub fn from_seconds(seconds: i64) -> Self {
        Timestamp { seconds, nanoseconds: 0 }
    }
}

/// Extended attributes by full name (`user.x`, `security.capability`).
pub(crate) type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

/// What every kind of file has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    /// Permission bits with setuid, setgid and sticky: 0o7777 at most.
    pub mode: u32,
    /// Owner, as numbered inside the container.
    pub uid: u32,
    /// Group, as numbered inside the container.
    pub gid: u32,
    /// Last modification.
    pub mtime: Timestamp,
    /// Extended attributes without overlay's own.
    pub xattrs: Xattrs,
}

/// The two numbers of a device node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Device {
    /// The driver.
    pub major: u32,
    /// The device of that driver.
    pub minor: u32,
}

/// Where a file's bytes come from. Read at most once, before the next entry of a stream is asked for.
pub(crate) enum Content {
    /// Already in memory; also every empty file.
    Bytes(Vec<u8>),
    /// `name` in an open directory, opened when it is needed (`O_NOFOLLOW`).
    At {
        /// The directory it is in.
        dir: Arc<OwnedFd>,
        /// Its name there.
        name: std::ffi::OsString,
    },
    /// As `At`, of a file whose attributes are not read yet, with what tells whether they and its bytes are known.
    Seen {
        /// The directory it is in.
        dir: Arc<OwnedFd>,
        /// Its name there.
        name: std::ffi::OsString,
        /// What it looked like.
        stamp: crate::tree::Stamp,
    },
    /// The next bytes of a stream, such as a tar.
    Stream(Box<dyn Read>),
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Content::Bytes(_) => "Bytes",
            Content::At { .. } => "At",
            Content::Seen { .. } => "Seen",
            Content::Stream(_) => "Stream",
        })
    }
}

/// What sort of object it is, with what only that sort has.
#[derive(Debug)]
pub(crate) enum Node {
    /// A directory; an opaque one hides what layers below have under its path.
    Directory {
        /// Whether it hides the layers below.
        opaque: bool,
    },
    /// A regular file.
    File {
        /// Its length in bytes, holes included.
        size: u64,
        /// Its bytes.
        content: Content,
    },
    /// A symbolic link and what it says, unchecked.
    Symlink(PathBuf),
    /// Another name of a file that came earlier in the same stream.
    Hardlink(RelPath),
    /// A character device.
    Char(Device),
    /// A block device.
    Block(Device),
    /// A named pipe.
    Fifo,
    /// A socket; it has no form in a tar and is left out there.
    Socket,
    /// Nothing is here, whatever the layers below have.
    Whiteout,
}

/// One file system object on its way from a source to a sink.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Where it goes, below the root of the tree.
    pub path: RelPath,
    /// Mode, owner, time, xattrs. Of no meaning for a whiteout or a hard link.
    pub meta: Meta,
    /// What it is.
    pub node: Node,
}
