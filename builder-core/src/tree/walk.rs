//! From a directory tree to a stream of entries: depth first, names in byte order, a directory before its content.
//!
//! [`Scan`] reads the tree and says of every file which inode it is; [`Links`] turns later names of an inode into hard
//! links. They are apart because a merge drops names in between. Neither recurses, and a scan holds no more than
//! [`OPEN`] directories open (fewer where many are read side by side): it goes back up through `..` and checks that
//! this is the directory it came from.

use std::ffi::{CStr, CString, OsStr};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat};
use rustix::io::Errno;

use crate::error::{Context, Error, Result};
use crate::sys::xattr;
use crate::tree::links::{Inode, Links};
use crate::tree::marks::{HIDDEN_MARK, OPAQUE};
use crate::tree::owners;
use crate::tree::{Content, Device, Entry, Marks, Meta, Node, RelPath, Root, Stamp, Timestamp, Xattrs};

/// How many directories of one path are held open at once.
pub(super) const OPEN: usize = 64;

/// All of `root` as a stream, the root itself (the empty path) first.
pub(crate) fn walk(root: &Root, marks: Marks) -> impl Iterator<Item = Result<Entry>> + use<> {
    entries(Scan::new(root, marks, OPEN))
}

/// As [`walk`] through an ordinary tree, but the attributes of regular files stay unread; see [`Content::Seen`].
pub(crate) fn walk_lazily(root: &Root) -> impl Iterator<Item = Result<Entry>> + use<> {
    entries(Scan::new(root, Marks::None, OPEN).lazy())
}

/// As [`walk_lazily`], the one entry at `path`, which is not followed; none if it is gone.
pub(crate) fn entry_at(root: &Root, path: &RelPath) -> Result<Option<Entry>> {
    Ok(look_at(root, path, Marks::None, true)?.map(|found| found.entry))
}

/// As [`entry_at`], with all attributes.
pub(crate) fn whole_entry_at(root: &Root, path: &RelPath, marks: Marks) -> Result<Option<Entry>> {
    Ok(look_at(root, path, marks, false)?.map(|found| found.entry))
}

fn entries(mut scan: Scan) -> impl Iterator<Item = Result<Entry>> + use<> {
    let mut links = Links::default();
    std::iter::from_fn(move || scan.next().map(|found| found.map(|found| links.name(found))))
}

/// An entry that is never a hard link, and its inode if that has more than one name.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) entry: Entry,
    pub(super) inode: Option<Inode>,
    pub(super) signature: Signature,
}

/// What changes with every change of a file or of what is said of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Signature {
    /// Its number on the file system.
    pub inode: u64,
    /// The last change of anything about it.
    pub changed: Timestamp,
    /// Bytes.
    pub size: i64,
    /// Sort and permissions.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Signature {
    fn of(stat: &Stat) -> Self {
        Signature {
            inode: stat.st_ino,
            changed: Timestamp { seconds: stat.st_ctime, nanoseconds: stat.st_ctime_nsec as u32 },
            size: stat.st_size,
            mode: stat.st_mode,
            uid: stat.st_uid,
            gid: stat.st_gid,
        }
    }
}

/// The sorted names of one directory in two allocations: a directory may have a million.
#[derive(Debug, Default)]
struct Names {
    /// All names, each ended by a NUL.
    bytes: Vec<u8>,
    /// Where each begins, sorted by name.
    starts: Vec<u32>,
    next: usize,
}

impl Names {
    fn read(dir: BorrowedFd<'_>, marks: Marks, buffer: &mut [MaybeUninit<u8>]) -> std::io::Result<Self> {
        let mut names = Names::default();
        let mut raw = RawDir::new(dir, buffer);
        while let Some(item) = raw.next() {
            let item = item?;
            let name = item.file_name().to_bytes_with_nul();
            if name == b".\0" || name == b"..\0" || (marks == Marks::Names && name.starts_with(HIDDEN_MARK)) {
                continue;
            }
            let start = u32::try_from(names.bytes.len()).map_err(|_| std::io::Error::from(Errno::FBIG))?;
            names.starts.push(start);
            names.bytes.extend_from_slice(name);
        }
        let Names { bytes, starts, .. } = &mut names;
        if marks == Marks::Names {
            // In the order of what is meant; a name that is here is not hidden by another beside it.
            let meant = |start: &u32| {
                let name = name_at(bytes, *start).to_bytes();
                marks.hidden_by(name).map_or((name, false), |hidden| (hidden, true))
            };
            starts.sort_unstable_by(|a, b| meant(a).cmp(&meant(b)));
            starts.dedup_by(|next, kept| meant(next).0 == meant(kept).0);
        } else {
            starts.sort_unstable_by(|a, b| name_at(bytes, *a).to_bytes().cmp(name_at(bytes, *b).to_bytes()));
        }
        Ok(names)
    }
}

fn name_at(bytes: &[u8], start: u32) -> &CStr {
    CStr::from_bytes_until_nul(&bytes[start as usize..]).expect("every name ends with a NUL")
}

/// A directory the scan is in.
#[derive(Debug)]
struct Level {
    /// `None` while deeper levels need the handles.
    dir: Option<Arc<OwnedFd>>,
    /// Device and inode number, known once the handle was given up.
    identity: Option<(u64, u64)>,
    names: Names,
    /// Whether it has owners written down of names in it.
    of_names: bool,
}

/// What is to be done before the next name.
#[derive(Debug)]
enum Pending {
    /// Give the root itself.
    Start(rustix::io::Result<OwnedFd>),
    /// Go into the directory that was given last.
    Descend(Arc<OwnedFd>, CString),
    Nothing,
}

/// Reads one tree. After a failure it is at its end.
pub(super) struct Scan {
    marks: Marks,
    /// How many directories it may hold open.
    open: usize,
    levels: Vec<Level>,
    /// The directory of the last level.
    here: RelPath,
    pending: Pending,
    /// Directory records as the kernel gives them.
    records: Vec<u8>,
    attributes: Attributes,
}

impl Scan {
    pub(super) fn new(root: &Root, marks: Marks, open: usize) -> Self {
        Scan {
            marks,
            open,
            levels: Vec::new(),
            here: RelPath::root(),
            // A failed open shows when the first entry is asked for.
            pending: Pending::Start(rustix::fs::openat(root.fd(), ".", DIRECTORY, Mode::empty())),
            records: Vec::with_capacity(32 * 1024),
            attributes: Attributes::default(),
        }
    }

    /// Leaves the attributes of regular files unread, and says how to tell whether they are as they were.
    pub(super) fn lazy(mut self) -> Self {
        self.attributes.lazy = true;
        self
    }

    /// Leaves out the content of the directory that was given last.
    pub(super) fn prune(&mut self) {
        self.pending = Pending::Nothing;
    }

    fn step(&mut self) -> Result<Option<Found>> {
        match std::mem::replace(&mut self.pending, Pending::Nothing) {
            Pending::Start(opened) => return self.start(opened).map(Some),
            Pending::Descend(dir, name) => self.descend(&dir, &name)?,
            Pending::Nothing => {}
        }
        while let Some(level) = self.levels.last_mut() {
            let Some(start) = level.names.starts.get(level.names.next).copied() else {
                self.ascend()?;
                continue;
            };
            level.names.next += 1;
            let name = name_at(&level.names.bytes, start);
            let dir = level.dir.as_ref().expect("the last level is open");
            if let Some(hidden) = self.marks.hidden_by(name.to_bytes()) {
                let path = self.here.join(OsStr::from_bytes(hidden));
                let entry = Entry { path, meta: Meta::default(), node: Node::Whiteout };
                return Ok(Some(Found { entry, inode: None, signature: Signature::default() }));
            }
            let path = self.here.join(OsStr::from_bytes(name.to_bytes()));
            if let Some(mut found) = look(dir, name, path, self.marks, &mut self.attributes)? {
                if level.of_names {
                    let meta = &mut found.entry.meta;
                    (meta.uid, meta.gid) =
                        self.attributes.owner_of(dir, name, &found.entry.node, (meta.uid, meta.gid));
                }
                if matches!(found.entry.node, Node::Directory { .. }) {
                    self.pending = Pending::Descend(dir.clone(), name.to_owned());
                }
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn start(&mut self, opened: rustix::io::Result<OwnedFd>) -> Result<Found> {
        let dir = Arc::new(opened.cannot("open", RelPath::root())?);
        let root = look(&dir, c".", RelPath::root(), self.marks, &mut self.attributes)?;
        let found = root.ok_or(Errno::NOENT).cannot("read", RelPath::root())?;
        self.pending = Pending::Descend(dir, c".".to_owned());
        Ok(found)
    }

    fn descend(&mut self, dir: &OwnedFd, name: &CStr) -> Result<()> {
        // It was the last to be looked at.
        let of_names = self.attributes.of_names;
        let is_root = self.levels.is_empty();
        let path = if is_root { RelPath::root() } else { self.here.join(OsStr::from_bytes(name.to_bytes())) };
        let opened = match rustix::fs::openat(dir, name, DIRECTORY, Mode::empty()) {
            // Removed, or no longer a directory, since it was given.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if !is_root => return Ok(()),
            opened => opened.cannot("open", &path)?,
        };
        let names = Names::read(opened.as_fd(), self.marks, self.records.spare_capacity_mut())
            .cannot("read", &path)?;
        if let Some(far) = self.levels.len().checked_sub(self.open) {
            let level = &mut self.levels[far];
            if let Some(dir) = level.dir.take() {
                let stat = rustix::fs::fstat(&dir).cannot("read", &path)?;
                level.identity = Some((stat.st_dev, stat.st_ino));
            }
        }
        self.levels.push(Level { dir: Some(Arc::new(opened)), identity: None, names, of_names });
        self.here = path;
        Ok(())
    }

    fn ascend(&mut self) -> Result<()> {
        let left = self.levels.pop().and_then(|level| level.dir).expect("the last level is open");
        if let Some(level) = self.levels.last_mut()
            && level.dir.is_none()
        {
            let up = rustix::fs::openat(&left, "..", DIRECTORY, Mode::empty()).cannot("leave", &self.here)?;
            let stat = rustix::fs::fstat(&up).cannot("leave", &self.here)?;
            if level.identity != Some((stat.st_dev, stat.st_ino)) {
                return Err(Error::new(crate::Kind::InUse, format!("cannot leave `{}`", self.here))
                    .because("the directory was moved while it was read"));
            }
            level.dir = Some(Arc::new(up));
        }
        self.here = self.here.parent().unwrap_or_default();
        Ok(())
    }
}

impl Iterator for Scan {
    type Item = Result<Found>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.levels.clear();
            self.pending = Pending::Nothing;
        }
        step.transpose()
    }
}

/// How a directory is opened to be read or worked in: itself, not what a symlink there leads to.
pub(super) const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

/// The one file at `path`, which is not followed; `None` if it is gone.
pub(super) fn look_at(root: &Root, path: &RelPath, marks: Marks, lazy: bool) -> Result<Option<Found>> {
    let (dir, name) = root.parent(path.as_path()).cannot("open the directory of", path)?;
    let name = CString::new(name.as_bytes()).expect("a path has no NUL");
    look(&Arc::new(dir), &name, path.clone(), marks, &mut Attributes { lazy, ..Attributes::default() })
}

/// The attributes of the file `name` in `dir` that a layer carries.
pub(crate) fn attributes_of(dir: &OwnedFd, name: &OsStr) -> std::io::Result<Xattrs> {
    let name = CString::new(name.as_bytes())?;
    let mut found = Xattrs::new();
    Attributes::default().read(dir.as_fd(), &name, Marks::None, &mut found)?;
    Ok(found)
}

/// Everything about one name; `None` if it is gone.
fn look(
    dir: &Arc<OwnedFd>,
    name: &CStr,
    path: RelPath,
    marks: Marks,
    attributes: &mut Attributes,
) -> Result<Option<Found>> {
    let stat = match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(None),
        stat => stat.cannot("read", &path)?,
    };
    let device = Device { major: rustix::fs::major(stat.st_rdev), minor: rustix::fs::minor(stat.st_rdev) };
    let sort = FileType::from_raw_mode(stat.st_mode);
    let mut meta = meta_of(&stat);
    let mut opaque = false;
    let lazy = attributes.lazy && sort == FileType::RegularFile;
    if matches!(sort, FileType::Directory | FileType::RegularFile) && !lazy {
        opaque = attributes.read(dir.as_fd(), name, marks, &mut meta.xattrs).cannot("read", &path)?;
        (meta.uid, meta.gid) = attributes.owner((meta.uid, meta.gid));
    }
    if marks == Marks::Names && sort == FileType::Directory {
        opaque = is_marked_by_name(dir.as_fd(), name).cannot("read", &path)?;
    }
    let node = match sort {
        FileType::Directory => Node::Directory { opaque },
        FileType::RegularFile => {
            let size = u64::try_from(stat.st_size).unwrap_or_default();
            let name = OsStr::from_bytes(name.to_bytes()).to_owned();
            let dir = dir.clone();
            let content = match () {
                () if lazy => Content::Seen { dir, name, stamp: Stamp::of(&stat) },
                () if size == 0 => Content::Bytes(Vec::new()),
                () => Content::At { dir, name },
            };
            Node::File { size, content }
        }
        FileType::Symlink => match rustix::fs::readlinkat(dir, name, Vec::new()) {
            Err(Errno::NOENT | Errno::INVAL) => return Ok(None),
            target => {
                let target = target.cannot("read", &path)?;
                Node::Symlink(PathBuf::from(OsStr::from_bytes(target.to_bytes())))
            }
        },
        FileType::CharacterDevice if marks.is_whiteout(&stat) => Node::Whiteout,
        FileType::CharacterDevice => Node::Char(device),
        FileType::BlockDevice => Node::Block(device),
        FileType::Fifo => Node::Fifo,
        FileType::Socket => Node::Socket,
        FileType::Unknown => {
            return Err(Error::new(crate::Kind::Unsupported, format!("cannot read `{path}`"))
                .because("an unknown kind of file"));
        }
    };
    // All whiteouts of an overlay may be names of one inode, which means nothing; a socket has no form in a tar, so
    // nothing there can be linked to it.
    let single = matches!(node, Node::Directory { .. } | Node::Whiteout | Node::Socket);
    let linked = !single && stat.st_nlink > 1;
    let inode =
        linked.then_some(Inode { device: stat.st_dev, number: stat.st_ino, names: stat.st_nlink as u64 });
    Ok(Some(Found { entry: Entry { path, meta, node }, inode, signature: Signature::of(&stat) }))
}

/// Whether the directory `name` has in it the name that makes it opaque.
fn is_marked_by_name(dir: BorrowedFd<'_>, name: &CStr) -> std::io::Result<bool> {
    let inner = rustix::fs::openat(dir, name, DIRECTORY, Mode::empty())?;
    Ok(rustix::fs::statat(inner, OPAQUE, AtFlags::SYMLINK_NOFOLLOW).is_ok())
}

/// Mode, owner and time out of a `stat`; attributes are not in there.
pub(crate) fn meta_of(stat: &Stat) -> Meta {
    Meta {
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: Timestamp { seconds: stat.st_mtime, nanoseconds: stat.st_mtime_nsec as u32 },
        xattrs: Xattrs::new(),
    }
}

/// Whether a layer carries the attribute `name`. Owners kept for want of privileges are no attribute of the file.
pub(crate) fn is_carried(name: &[u8]) -> bool {
    name == b"security.capability"
        || (name.starts_with(b"user.")
            && !name.starts_with(b"user.overlay.")
            && !name.starts_with(b"user.fuseoverlayfs.")
            && !name.starts_with(owners::OF_NAME)
            && name != owners::OWN.to_bytes())
}

/// Buffers for reading attributes, kept between files.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    /// The owner the file read last should have.
    owner: Option<(u32, u32)>,
    /// Whether the directory read last has owners written down of names in it.
    of_names: bool,
    names: Vec<u8>,
    value: Vec<u8>,
    /// Whether those of regular files are left unread.
    lazy: bool,
}

impl Attributes {
    /// The owner that the file read last should have, if it cannot have it; else the one it has `now`.
    pub(super) fn owner(&self, now: (u32, u32)) -> (u32, u32) {
        self.owner.unwrap_or(now)
    }

    /// The owner that `name` should have, by what its directory says; `now` if it says nothing.
    fn owner_of(&mut self, dir: &OwnedFd, name: &CStr, node: &Node, now: (u32, u32)) -> (u32, u32) {
        if !matches!(node, Node::Symlink(_) | Node::Fifo | Node::Socket) {
            return now;
        }
        let key = owners::key_of(OsStr::from_bytes(name.to_bytes()));
        let found = key.is_some_and(|key| {
            xattr::get_at(dir.as_fd(), c".", &key, &mut self.value).is_ok_and(|found| found)
        });
        if found { owners::parse(&self.value).unwrap_or(now) } else { now }
    }

    /// Puts what a layer carries in `into`; whether the directory is marked opaque.
    pub(super) fn read(
        &mut self,
        dir: BorrowedFd<'_>,
        file: &CStr,
        marks: Marks,
        into: &mut Xattrs,
    ) -> std::io::Result<bool> {
        let mut opaque = false;
        (self.owner, self.of_names) = (None, false);
        match xattr::list_at(dir, file, &mut self.names) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            listed => listed?,
        }
        for name in self.names.split_inclusive(|byte| *byte == 0) {
            let Ok(key) = CStr::from_bytes_with_nul(name) else { continue };
            if key == owners::OWN && xattr::get_at(dir, file, key, &mut self.value)? {
                self.owner = owners::parse(&self.value);
            }
            self.of_names |= key.to_bytes().starts_with(owners::OF_NAME);
            let is_mark = Some(key) == marks.opaque_name();
            if !(is_mark || is_carried(key.to_bytes())) || !xattr::get_at(dir, file, key, &mut self.value)? {
                continue;
            }
            if is_mark {
                opaque = self.value == b"y";
            } else if key == c"security.capability" {
                into.insert(key.to_bytes().to_vec(), plain_capability(&self.value));
            } else {
                into.insert(key.to_bytes().to_vec(), self.value.clone());
            }
        }
        Ok(opaque)
    }
}

/// File capabilities without the namespace they hold in: revision 3 of `struct vfs_ns_cap_data`
/// (`linux/capability.h`, 24 bytes) becomes revision 2 (20 bytes). Anything else stays as it is.
pub(crate) fn plain_capability(value: &[u8]) -> Vec<u8> {
    let mut value = value.to_vec();
    // The highest byte of the little-endian first word is the revision, the lowest bit a flag.
    if value.len() == 24 && value[3] == 3 {
        value.truncate(20);
        value[3] = 2;
    }
    value
}

#[cfg(test)]
mod tests;
