//! The places a run mounts on: made where the image lacks them, and gone again afterwards.
//!
//! A step's layer holds what the command made and nothing else. So each place that had to be made is removed after the
//! run unless the command put something to it, and the directories above get their times back. What is removed is
//! named by a directory handle and one part; nothing is followed.

mod held;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, Timespec, Timestamps};
use rustix::io::Errno;

use crate::error::{Context, Error, Kind, Result};
use crate::rootfs::Traces;
use crate::sys::in_root;
use crate::sys::lock::Lock;
use crate::sys::userns::Maker;
use crate::tree::{RelPath, Root};
use held::Held;

/// What was made in one tree, in the order it was made.
#[derive(Debug, Default)]
pub(super) struct MountPoints {
    made: Vec<Made>,
    /// The directories that were there before and got something new in them, with the time they had.
    touched: Vec<(RelPath, OwnedFd, Timespec)>,
    /// Where each is written down before it is made.
    traces: Option<Traces>,
    /// Whose they are.
    owner: (u32, u32),
    /// The store's locks, if they are made in a volume, where other runs may use them.
    locks: Option<PathBuf>,
}

/// One name that was not there.
#[derive(Debug)]
struct Made {
    path: RelPath,
    directory: OwnedFd,
    name: OsString,
    /// As it was when new, or when another run's was found.
    stat: Stat,
    /// In a volume, until nobody uses it any more.
    held: Option<Held>,
}

impl MountPoints {
    /// None yet; those to come are written down in `traces`, and belong to `owner`.
    pub(super) fn noted(traces: Option<Traces>, owner: (u32, u32)) -> Self {
        MountPoints { traces, owner, ..MountPoints::default() }
    }

    /// None yet; those to come are in a volume, and `locks` is where it is said who uses them.
    pub(super) fn in_volume(locks: Option<PathBuf>) -> Self {
        MountPoints { locks, ..MountPoints::default() }
    }

    /// What is held while places in a volume come and go.
    fn alone(&self) -> Result<Option<Lock>> {
        let alone = self.locks.as_deref().map(held::alone).transpose();
        alone.cannot("lock", "the mount points in volumes")
    }

    /// Sees to it that `path` leads to a directory (or, with `is_dir` false, to anything else) to mount on.
    pub(super) fn add(&mut self, root: &Root, path: &Path, is_dir: bool) -> Result<()> {
        let show = || path.display().to_string();
        let _alone = self.alone()?;
        let place = root.resolve(path).cannot("find", show())?;
        let mut here = RelPath::root();
        let mut parts = place.parts().peekable();
        while let Some(part) = parts.next() {
            let above = here.clone();
            here = here.join(part);
            let last = parts.peek().is_none();
            let mut found = root.lstat(here.as_path());
            if found.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                match self.make(root, &above, part.to_owned(), !last || is_dir) {
                    // Another run beside this one was faster.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        found = root.lstat(here.as_path());
                    }
                    made => {
                        made.cannot("make", show())?;
                        continue;
                    }
                }
            }
            let stat = found.cannot("find", show())?;
            self.join(root, &above, part, &stat).cannot("find", show())?;
            if last {
                return fits(&stat, is_dir, &show());
            }
        }
        // The root itself: always a directory.
        if place.is_root() && !is_dir {
            fits(&root.stat("/").cannot("find", show())?, false, &show())
        } else {
            Ok(())
        }
    }

    fn make(&mut self, root: &Root, above: &RelPath, name: OsString, is_dir: bool) -> io::Result<()> {
        let directory = root.open(above.as_path(), OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty())?;
        let before = modified(directory.as_fd())?;
        if let Some(traces) = &mut self.traces {
            traces.note(above.join(&name).as_path(), before)?;
        }
        // A mount that shows other ids takes nothing from one who is not among them.
        let _maker =
            (self.owner != (0, 0)).then(|| Maker::become_one(self.owner.0, self.owner.1)).transpose()?;
        if is_dir {
            rustix::fs::mkdirat(&directory, &name, Mode::from_raw_mode(0o755))?;
        } else {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            rustix::fs::openat(&directory, &name, flags, Mode::from_raw_mode(0o644))?;
        }
        let stat = rustix::fs::statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW)?;
        // With the old time put back, any other time afterwards is the command's doing.
        set_modified(directory.as_fd(), before)?;
        let known = self.made.iter().any(|made| made.path == *above)
            || self.touched.iter().any(|(path, ..)| path == above);
        if !known {
            self.touched.push((above.clone(), directory.try_clone()?, before));
        }
        let held = self.locks.as_deref().map(|locks| Held::made(locks, &stat)).transpose()?;
        self.made.push(Made { path: above.join(&name), directory, name, stat, held });
        Ok(())
    }

    /// Uses what is there beside the runs that do, if one has made it: the last of them removes it.
    fn join(&mut self, root: &Root, above: &RelPath, name: &OsStr, stat: &Stat) -> io::Result<()> {
        let Some(locks) = &self.locks else { return Ok(()) };
        let path = above.join(name);
        if self.made.iter().any(|made| made.path == path) {
            return Ok(());
        }
        if let Some(held) = Held::found(locks, stat)? {
            let directory = root.open(above.as_path(), OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty())?;
            self.made.push(Made { path, directory, name: name.to_owned(), stat: *stat, held: Some(held) });
        }
        Ok(())
    }

    /// Removes what the command made no use of. What it did use stays; that is no failure. Where others may use it the
    /// last of them removes it.
    pub(super) fn remove(self) -> Result<()> {
        if self.traces.as_ref().is_some_and(Traces::is_shared) {
            return Ok(());
        }
        let _alone = self.alone()?;
        let mut times = Vec::new();
        for (_, directory, _) in &self.touched {
            times.push(modified(directory.as_fd()).ok());
        }
        for mut made in self.made.into_iter().rev() {
            if made.held.take().is_some_and(|held| !held.leave()) {
                continue;
            }
            made.remove().cannot("remove", format_args!("the mount point {}", made.path))?;
        }
        for ((path, directory, _), time) in self.touched.iter().zip(times) {
            // Without a time the directory is gone, and the command removed it.
            if let Some(time) = time {
                set_modified(directory.as_fd(), time).cannot("set the time of", path)?;
            }
        }
        Ok(())
    }
}

impl Made {
    fn remove(&self) -> Result<(), Errno> {
        match in_root::open_same_mount(self.directory.as_fd(), &*self.name, OFlags::PATH) {
            Err(Errno::NOENT) => return Ok(()),
            // The command's mounts outlive it for as long as anybody has its namespace, if only to read its table of
            // mounts. What is below them is as it was made.
            Err(Errno::XDEV) => {}
            now => {
                if !self.is_untouched(&rustix::fs::fstat(now?)?) {
                    return Ok(());
                }
            }
        }
        // What is above keeps the time the command left it with.
        let above = modified(self.directory.as_fd()).ok();
        let flags = if is_dir(&self.stat) { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        match rustix::fs::unlinkat(&self.directory, &self.name, flags) {
            Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => return Ok(()),
            removed => removed?,
        }
        match above {
            Some(time) => set_modified(self.directory.as_fd(), time),
            None => Ok(()),
        }
    }

    fn is_untouched(&self, now: &Stat) -> bool {
        let owned = |stat: &Stat| (stat.st_mode, stat.st_uid, stat.st_gid);
        let written = |stat: &Stat| (stat.st_size, stat.st_mtime, stat.st_mtime_nsec);
        owned(now) == owned(&self.stat) && (is_dir(now) || written(now) == written(&self.stat))
    }
}

fn is_dir(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

fn fits(stat: &Stat, wanted_dir: bool, show: &str) -> Result<()> {
    if is_dir(stat) == wanted_dir {
        return Ok(());
    }
    let (is, wanted) = if wanted_dir { ("no directory", "a directory") } else { ("a directory", "a file") };
    Err(Error::new(Kind::Invalid, format!("cannot mount on `{show}`"))
        .because(format!("it is {is} in the container, and {wanted} is to be mounted there")))
}

fn modified(directory: BorrowedFd<'_>) -> Result<Timespec, Errno> {
    let stat = rustix::fs::fstat(directory)?;
    Ok(Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec as _ })
}

fn set_modified(directory: BorrowedFd<'_>, time: Timespec) -> Result<(), Errno> {
    let keep = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
    rustix::fs::futimens(directory, &Timestamps { last_access: keep, last_modification: time })
}

#[cfg(test)]
mod tests;
