//! From a stream of entries to a directory tree; the stream may come from anyone.
//!
//! Every name is made below the root by the handle of its parent ([`chain`]); the last part is never followed. Owners,
//! modes (whatever the umask), attributes and times are those of the entry. Whether an id can be set, and what to do
//! where it cannot, is not decided here.

mod chain;

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::ffi::{OsStr, OsString};
use std::hash::BuildHasher;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dev, FileType, Gid, Mode, OFlags, RawDir, Uid, XattrFlags};
use rustix::io::Errno;

use crate::error::{Context, Error, Kind, Result};
use crate::tree::content::Copier;
use crate::tree::owners;
use crate::tree::remove::remove_all_at;
use crate::tree::walk::DIRECTORY;
use crate::tree::{Content, Device, Entry, Marks, Meta, Node, RelPath, Root};
use chain::{Chain, mark_by_name, mark_opaque, times, unhide};

/// How a stream is applied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// How whiteouts and opaque directories are kept. Without marks they act: a whiteout removes what is there, an
    /// opaque directory is emptied of what was there before this stream.
    pub marks: Marks,
    /// What becomes of device nodes.
    pub devices: Devices,
    /// Directories that the stream adds to but does not name keep their time, instead of changing as in any edit.
    pub keep_times: bool,
}

/// What becomes of device nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Devices {
    /// They are made; not being allowed to is an error.
    Make,
    /// They are left out and counted: what a user namespace has to do, since it may not make any.
    Skip,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stats {
    /// Entries put.
    pub entries: u64,
    /// Bytes of regular files.
    pub bytes: u64,
    /// Device nodes left out.
    pub devices_skipped: u64,
    /// Attributes that the file system has no room or right for.
    pub attributes_dropped: u64,
}

/// Puts entries below a root, one after the other.
pub(crate) struct Apply {
    chain: Chain,
    options: Options,
    copier: Copier,
    /// Hashes of the paths put so far, kept only where marks act: they spare what this stream brought.
    /// A tree, because it grows without ever being in memory twice.
    put: BTreeSet<u64>,
    hasher: RandomState,
    stats: Stats,
}

impl Apply {
    /// Begins a stream into `root`.
    pub(crate) fn new(root: &Root, options: Options) -> Result<Self> {
        Ok(Apply {
            chain: Chain::new(root, options.marks, options.keep_times)?,
            options,
            copier: Copier::default(),
            put: BTreeSet::new(),
            hasher: RandomState::new(),
            stats: Stats::default(),
        })
    }

    /// Puts one entry, over what is there: a directory is kept under a directory, all else gives way.
    pub(crate) fn put(&mut self, entry: Entry) -> Result<()> {
        let Entry { path, meta, node } = entry;
        self.stats.entries += 1;
        let (Some(name), Some(parent)) = (path.name(), path.parent()) else {
            return self.put_root(&meta, &node);
        };
        self.chain.enter(&parent, meta.mtime)?;
        match node {
            Node::Directory { opaque } => self.put_directory(&path, name, &meta, opaque)?,
            Node::File { size, content } => self.put_file(&path, name, &meta, size, content)?,
            Node::Hardlink(target) => self.put_link(&path, name, &target)?,
            Node::Whiteout => self.put_whiteout(&path, name)?,
            Node::Symlink(target) => {
                place(self.chain.top(), name, |top| rustix::fs::symlinkat(target.as_path(), top, name))
                    .cannot("make", &path)?;
                self.own_by_name(name, &meta).cannot("make", &path)?;
            }
            Node::Char(device) => self.put_special(&path, name, &meta, FileType::CharacterDevice, device)?,
            Node::Block(device) => self.put_special(&path, name, &meta, FileType::BlockDevice, device)?,
            Node::Fifo => self.put_special(&path, name, &meta, FileType::Fifo, NO_DEVICE)?,
            Node::Socket => self.put_special(&path, name, &meta, FileType::Socket, NO_DEVICE)?,
        }
        if self.options.marks == Marks::None {
            self.put.insert(self.hasher.hash_one(path.as_bytes()));
        }
        Ok(())
    }

    /// Ends the stream: the directories still open get their times.
    pub(crate) fn finish(self) -> Result<Stats> {
        self.chain.finish()?;
        Ok(self.stats)
    }

    fn put_root(&mut self, meta: &Meta, node: &Node) -> Result<()> {
        let path = RelPath::root();
        let Node::Directory { opaque } = *node else {
            return Err(Error::corrupt(format!("cannot make `{path}`"))
                .because("the stream says that the root is no directory"));
        };
        self.chain.enter(&path, meta.mtime)?;
        let dir = self.chain.top().try_clone_to_owned().cannot("open", &path)?;
        if opaque {
            self.make_opaque(&path, &dir)?;
        }
        self.own(&dir, meta, &path)?;
        self.chain.set_root_time(meta.mtime);
        Ok(())
    }

    fn put_directory(&mut self, path: &RelPath, name: &OsStr, meta: &Meta, opaque: bool) -> Result<()> {
        let (dir, hides) = self.open_directory(name, meta.mode).cannot("make", path)?;
        if opaque || hides {
            self.make_opaque(path, &dir)?;
        }
        self.own(&dir, meta, path)?;
        self.chain.push(name.to_owned(), dir, Some(meta.mtime))
    }

    /// The directory `name`, made if need be, and whether it took the place of a whiteout. A new one has its mode at
    /// once: one that a killed command leaves looks as if it had been there, and would keep another mode.
    fn open_directory(&self, name: &OsStr, mode: u32) -> std::io::Result<(OwnedFd, bool)> {
        let top = self.chain.top();
        let mode = Mode::from_raw_mode(mode & 0o777);
        let mut hides = false;
        match rustix::fs::mkdirat(top, name, mode) {
            Err(Errno::EXIST) => {
                let stat = rustix::fs::statat(top, name, AtFlags::SYMLINK_NOFOLLOW)?;
                if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
                    hides = self.options.marks.is_whiteout(&stat);
                    rustix::fs::unlinkat(top, name, AtFlags::empty())?;
                    rustix::fs::mkdirat(top, name, mode)?;
                }
            }
            made => {
                made?;
                hides = unhide(top, name, self.options.marks);
            }
        }
        Ok((rustix::fs::openat(top, name, DIRECTORY, Mode::empty())?, hides))
    }

    fn put_file(
        &mut self,
        path: &RelPath,
        name: &OsStr,
        meta: &Meta,
        size: u64,
        content: Content,
    ) -> Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // Made with its mode and by its owner most files need no more than a look.
        let mode = Mode::from_raw_mode(meta.mode & 0o777);
        let file = place(self.chain.top(), name, |top| rustix::fs::openat(top, name, flags, mode));
        let file = file.cannot("make", path)?;
        self.copier.copy(content, size, file.as_fd()).cannot("write", path)?;
        self.stats.bytes += size;
        self.own(&file, meta, path)?;
        rustix::fs::futimens(&file, &times(meta.mtime)).cannot("set the time of", path)
    }

    /// Another name of what is at `target`, which is found inside the root and not followed itself.
    fn put_link(&mut self, path: &RelPath, name: &OsStr, target: &RelPath) -> Result<()> {
        let (Some(target_name), Some(target_parent)) = (target.name(), target.parent()) else {
            return Err(Error::corrupt(format!("cannot make `{path}`")).because("it is a link to the root"));
        };
        let elsewhere;
        let dir = if Some(&target_parent) == path.parent().as_ref() {
            self.chain.top()
        } else {
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            elsewhere = self.chain.root().open(target_parent.as_path(), flags, Mode::empty());
            elsewhere.as_ref().map(OwnedFd::as_fd).map_err(|cause| {
                Error::corrupt(format!("cannot link `{path}` to `{target}`")).because(cause.to_string())
            })?
        };
        let top = self.chain.top();
        let is_same = || -> std::io::Result<bool> {
            let here = rustix::fs::statat(top, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let there = rustix::fs::statat(dir, target_name, AtFlags::SYMLINK_NOFOLLOW)?;
            Ok((here.st_dev, here.st_ino) == (there.st_dev, there.st_ino))
        };
        let linked = match rustix::fs::linkat(dir, target_name, top, name, AtFlags::empty()) {
            // A link to itself is one already; nothing may be removed for it.
            Err(Errno::EXIST) if is_same().unwrap_or(false) => Ok(()),
            Err(Errno::EXIST) => {
                place(top, name, |top| rustix::fs::linkat(dir, target_name, top, name, AtFlags::empty()))
            }
            linked => linked.map_err(std::io::Error::from),
        };
        linked.cannot("link", format_args!("{path}` to `{target}"))
    }

    fn put_whiteout(&mut self, path: &RelPath, name: &OsStr) -> Result<()> {
        if self.options.marks == Marks::None {
            return self.remove_old(path, name);
        }
        let top = self.chain.top();
        let made = match self.options.marks.hiding_name(name) {
            None => rustix::fs::mknodat(top, name, FileType::CharacterDevice, Mode::empty(), 0),
            Some(_) if rustix::fs::statat(top, name, AtFlags::SYMLINK_NOFOLLOW).is_ok() => Err(Errno::EXIST),
            Some(hiding) => return mark_by_name(top, &hiding).cannot("mark as removed", path),
        };
        match made {
            Err(Errno::EXIST) => {}
            made => return made.cannot("mark as removed", path),
        }
        // One layer both removes the name and has it: what it has stays, and hides all that is below.
        match rustix::fs::openat(top, name, DIRECTORY, Mode::empty()) {
            Ok(dir) => mark_opaque(&dir, self.options.marks).cannot("mark as removed", path),
            Err(_) => Ok(()),
        }
    }

    fn make_opaque(&self, path: &RelPath, dir: &OwnedFd) -> Result<()> {
        if self.options.marks == Marks::None {
            return self.empty_of_old(path);
        }
        mark_opaque(dir, self.options.marks).cannot("mark as opaque", path)
    }

    /// Whether this stream has put something at `path`.
    fn is_new(&self, path: &RelPath) -> bool {
        self.put.contains(&self.hasher.hash_one(path.as_bytes()))
    }

    /// Removes `name` in the top directory as far as it was there before this stream.
    fn remove_old(&self, path: &RelPath, name: &OsStr) -> Result<()> {
        if self.is_new(path) {
            return match self.chain.root().lstat(path.as_path()) {
                Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
                    self.empty_of_old(path)
                }
                _ => Ok(()),
            };
        }
        remove_all_at(self.chain.top(), name).cannot("remove", path).map(drop)
    }

    /// Removes all below the directory `path` that was there before this stream.
    fn empty_of_old(&self, path: &RelPath) -> Result<()> {
        let mut todo = vec![path.clone()];
        while let Some(path) = todo.pop() {
            let dir = self.chain.root().open(path.as_path(), DIRECTORY, Mode::empty());
            let dir = dir.cannot("open", &path)?;
            for name in names(&dir).cannot("read", &path)? {
                let inner = path.join(&name);
                if !self.is_new(&inner) {
                    remove_all_at(dir.as_fd(), &name).cannot("remove", &inner)?;
                } else if rustix::fs::statat(&dir, &name, AtFlags::SYMLINK_NOFOLLOW)
                    .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
                {
                    todo.push(inner);
                }
            }
        }
        Ok(())
    }

    fn put_special(
        &mut self,
        path: &RelPath,
        name: &OsStr,
        meta: &Meta,
        sort: FileType,
        device: Device,
    ) -> Result<()> {
        let is_device = matches!(sort, FileType::CharacterDevice | FileType::BlockDevice);
        if is_device && self.options.devices == Devices::Skip {
            self.stats.devices_skipped += 1;
            return Ok(());
        }
        let number: Dev = rustix::fs::makedev(device.major, device.minor);
        let made = place(self.chain.top(), name, |top| {
            rustix::fs::mknodat(top, name, sort, Mode::from_raw_mode(meta.mode & 0o777), number)
        });
        made.cannot("make", path).map_err(|error| match error.kind() {
            Kind::Denied if is_device => error.hint("run as root: only root may make device nodes"),
            _ => error,
        })?;
        self.own_by_name(name, meta).cannot("make", path)?;
        self.set_mode_by_name(name, sort, meta.mode).cannot("set the mode of", path)
    }

    /// Owner, mode and attributes of an open file or directory, in the order in which the kernel keeps them: a change
    /// of owner drops setuid and capabilities.
    fn own(&mut self, fd: &OwnedFd, meta: &Meta, path: &RelPath) -> Result<()> {
        let is = rustix::fs::fstat(fd).cannot("read", path)?;
        let owned = (is.st_uid, is.st_gid) == (meta.uid, meta.gid);
        if !owned {
            let owner = rustix::fs::fchown(fd, Some(Uid::from_raw(meta.uid)), Some(Gid::from_raw(meta.gid)));
            let owner = match owner {
                Err(refusal) => owners::record(fd.as_fd(), meta, refusal),
                Ok(()) => {
                    owners::forget(fd.as_fd());
                    Ok(())
                }
            };
            owner.cannot("set the owner of", path).map_err(|error| explain_owner(error, meta))?;
        }
        if owned {
            owners::forget(fd.as_fd());
        }
        // A change of owner takes set-user-id bits away.
        if !owned || is.st_mode & 0o7777 != meta.mode {
            rustix::fs::fchmod(fd, Mode::from_raw_mode(meta.mode)).cannot("set the mode of", path)?;
        }
        for (name, value) in &meta.xattrs {
            match rustix::fs::fsetxattr(fd, name.as_slice(), value, XattrFlags::empty()) {
                Ok(()) => {}
                Err(Errno::OPNOTSUPP | Errno::PERM) => self.stats.attributes_dropped += 1,
                Err(error) => return Err(error).cannot("set the attributes of", path),
            }
        }
        Ok(())
    }

    /// Owner and time of what cannot be opened.
    fn own_by_name(&self, name: &OsStr, meta: &Meta) -> Result<()> {
        let top = self.chain.top();
        let (uid, gid) = (Uid::from_raw(meta.uid), Gid::from_raw(meta.gid));
        let owner = rustix::fs::chownat(top, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW);
        let owner = match owner {
            Err(refusal) => owners::record_name(top, name, meta, refusal),
            Ok(()) => {
                owners::forget_name(top, name);
                Ok(())
            }
        };
        owner.cannot("set the owner of", name.display()).map_err(|error| explain_owner(error, meta))?;
        rustix::fs::utimensat(top, name, &times(meta.mtime), AtFlags::SYMLINK_NOFOLLOW)
            .cannot("set the time of", name.display())
    }

    /// The mode of a device, pipe or socket just made: through /proc, because the plain call follows a symlink that
    /// someone may have put there since, and the one that does not is newer than the kernels we know.
    fn set_mode_by_name(&self, name: &OsStr, sort: FileType, mode: u32) -> std::io::Result<()> {
        use std::os::fd::AsRawFd;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let node = rustix::fs::openat(self.chain.top(), name, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&node)?;
        if FileType::from_raw_mode(stat.st_mode) != sort || stat.st_mode & 0o7777 == mode {
            return Ok(());
        }
        Ok(rustix::fs::chmod(format!("/proc/self/fd/{}", node.as_raw_fd()), Mode::from_raw_mode(mode))?)
    }
}

const NO_DEVICE: Device = Device { major: 0, minor: 0 };

/// Makes `name` in `top`; what is there gives way.
fn place<T>(
    top: BorrowedFd<'_>,
    name: &OsStr,
    mut make: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<T>,
) -> std::io::Result<T> {
    match make(top) {
        Err(Errno::EXIST) => {
            remove_all_at(top, name)?;
            Ok(make(top)?)
        }
        made => Ok(made?),
    }
}

/// `EINVAL` from a change of owner means that the id has no place in this user namespace.
fn explain_owner(error: Error, meta: &Meta) -> Error {
    if error.os_error() != Some(Errno::INVAL.raw_os_error()) {
        return error;
    }
    Error::new(Kind::Denied, error.sentence())
        .because(format!("{}:{} is outside the ids given to this user", meta.uid, meta.gid))
        .hint(
            "as root: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER`; or have owners written \
             down instead with --storage-opt ignore_chown_errors=true",
        )
}

/// The names in an open directory.
fn names(dir: &OwnedFd) -> std::io::Result<Vec<OsString>> {
    use std::os::unix::ffi::OsStrExt;
    let mut buffer = Vec::with_capacity(8192);
    let mut names = Vec::new();
    let mut raw = RawDir::new(dir, buffer.spare_capacity_mut());
    while let Some(item) = raw.next() {
        let item = item?;
        let name = item.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(OsStr::from_bytes(name).to_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
