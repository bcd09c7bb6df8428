//! A second tree of the same files: directories are made anew, all else gets a second name (a hard link), or shares its
//! extents (a reflink).
//!
//! Links are for trees that nothing writes to, neither through the one name nor the other. Times, owners, modes,
//! overlay's marks and users' attributes of directories are those of the first.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, RawDir, Stat, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use crate::error::{Context, Result};
use crate::tree::{Apply, Entry, Marks, Node, Opened, Options, Root, walk};

/// How many directories of one path are held open at once; a deeper tree has no twin.
const MAX_DEPTH: usize = 200;

/// From this size on it matters whether a file shares its extents, in bytes; smaller ones are copied.
const LARGE: u64 = 64 * 1024 + 1;

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// One directory on the way: the one that is read, the one that is made, and what is still to come.
struct Level {
    from: OwnedFd,
    into: OwnedFd,
    stat: Stat,
    names: Vec<(CString, bool)>,
}

/// Makes the empty directory `into` a twin of `from`. `false` if that cannot be, as on another file system: then it is
/// unfinished.
pub(crate) fn twin(from: &Root, into: &Root) -> io::Result<bool> {
    match make(from.fd(), into.fd()) {
        Ok(()) => Ok(true),
        Err(Errno::XDEV | Errno::MLINK | Errno::PERM | Errno::NAMETOOLONG | Errno::OPNOTSUPP) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Makes the empty directory `into` a second tree of `from`, in which larger files share their extents with the
/// first's. `false` if they cannot, or there are none; then it is empty still.
pub(crate) fn twin_of_extents(from: &Root, into: &Root, options: Options) -> Result<bool> {
    if !can_share(from, into, options.marks)? {
        return Ok(false);
    }
    copy_tree(from, into, options).map(|()| true)
}

/// Copies all of `from` into the empty directory `into`; extents are shared where that can be.
pub(crate) fn copy_tree(from: &Root, into: &Root, options: Options) -> Result<()> {
    let mut apply = Apply::new(into, options)?;
    walk(from, options.marks).try_for_each(|entry| apply.put(entry?))?;
    apply.finish().map(drop)
}

/// Tries it with the first larger file there is, into a file without a name.
fn can_share(from: &Root, into: &Root, marks: Marks) -> Result<bool> {
    for entry in walk(from, marks) {
        let Entry { path, node: Node::File { size: LARGE.., content }, .. } = entry? else { continue };
        let Opened::File(file) = content.open().cannot("open", &path)? else { continue };
        let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
        let trial = rustix::fs::openat(into.fd(), ".", flags, Mode::RUSR | Mode::WUSR);
        return Ok(trial.is_ok_and(|trial| rustix::fs::ioctl_ficlone(&trial, &file).is_ok()));
    }
    Ok(false)
}

fn make(from: BorrowedFd<'_>, into: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let open = |dir: BorrowedFd<'_>| rustix::fs::openat(dir, ".", DIRECTORY, Mode::empty());
    let mut levels = vec![enter(open(from)?, open(into)?)?];
    while let Some(level) = levels.last_mut() {
        let Some((name, is_dir)) = level.names.pop() else {
            let level = levels.pop().expect("it is the last");
            finish(&level)?;
            continue;
        };
        if !is_dir {
            rustix::fs::linkat(&level.from, &name, &level.into, &name, AtFlags::empty())?;
            continue;
        }
        let from = rustix::fs::openat(&level.from, &name, DIRECTORY, Mode::empty())?;
        rustix::fs::mkdirat(&level.into, &name, Mode::RWXU)?;
        let into = rustix::fs::openat(&level.into, &name, DIRECTORY, Mode::empty())?;
        if levels.len() >= MAX_DEPTH {
            return Err(Errno::NAMETOOLONG);
        }
        levels.push(enter(from, into)?);
    }
    Ok(())
}

fn enter(from: OwnedFd, into: OwnedFd) -> rustix::io::Result<Level> {
    let stat = rustix::fs::fstat(&from)?;
    let mut names = Vec::new();
    let mut buffer = Vec::with_capacity(32 * 1024);
    let mut items = RawDir::new(from.as_fd(), buffer.spare_capacity_mut());
    while let Some(item) = items.next() {
        let item = item?;
        let name = item.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let is_dir = match item.file_type() {
            FileType::Unknown => {
                let stat = rustix::fs::statat(from.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode) == FileType::Directory
            }
            kind => kind == FileType::Directory,
        };
        names.push((name.to_owned(), is_dir));
    }
    Ok(Level { from, into, stat, names })
}

/// Gives a directory that is complete the looks of the other.
fn finish(level: &Level) -> rustix::io::Result<()> {
    let Level { from, into, stat, .. } = level;
    let mut names = Vec::with_capacity(1024);
    let listed = rustix::fs::flistxattr(from, rustix::buffer::spare_capacity(&mut names));
    let listed = match listed {
        Err(Errno::RANGE) => {
            names.reserve(64 * 1024);
            rustix::fs::flistxattr(from, rustix::buffer::spare_capacity(&mut names))
        }
        listed => listed,
    };
    match listed {
        Err(Errno::OPNOTSUPP) => {}
        listed => drop(listed?),
    }
    for name in names.split(|byte| *byte == 0).filter(|name| goes_along(name)) {
        let mut value = Vec::with_capacity(64 * 1024);
        rustix::fs::fgetxattr(from, name, rustix::buffer::spare_capacity(&mut value))?;
        rustix::fs::fsetxattr(into, name, &value, XattrFlags::empty())?;
    }
    rustix::fs::fchown(into, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))?;
    rustix::fs::fchmod(into, Mode::from_raw_mode(stat.st_mode))?;
    let time = |seconds: i64, nanoseconds: u64| Timespec {
        tv_sec: seconds,
        tv_nsec: i64::try_from(nanoseconds).unwrap_or(0),
    };
    let times = Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    };
    rustix::fs::futimens(into, &times)
}

/// Whether an attribute of a directory goes along: users' own, and that it hides what is below.
fn goes_along(name: &[u8]) -> bool {
    name.starts_with(b"user.") || name == b"trusted.overlay.opaque"
}

#[cfg(test)]
mod tests;
