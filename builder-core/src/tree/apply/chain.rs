//! The open directories from the root of a tree down to where the stream is.
//!
//! Paths are entered as written; a symlink on the way is followed inside the root, as every other builder does with
//! foreign layers (`lib` → `usr/lib`, then `lib/x`). A directory's time is set when the stream leaves it, because each
//! name made in it changes that time; so memory is bounded by depth, not by the number of directories. No more than
//! [`OPEN`] handles are held: the others come back through `..`, checked to be the directory that was left.

use std::ffi::{CStr, OsStr, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use crate::error::{Context, Result};
use crate::tree::marks::OPAQUE;
use crate::tree::walk::{DIRECTORY, OPEN};
use crate::tree::{Marks, RelPath, Root, Timestamp};

#[derive(Debug)]
struct Level {
    name: OsString,
    /// `None` while deeper levels need the handles.
    dir: Option<OwnedFd>,
    /// Device and inode number, known once the handle was given up.
    identity: Option<(u64, u64)>,
    /// The time it gets when it is left.
    time: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) struct Chain {
    root: Root,
    marks: Marks,
    /// Directories not named by the stream keep the time they had.
    keep_times: bool,
    /// The first is the root.
    levels: Vec<Level>,
}

impl Chain {
    pub(super) fn new(root: &Root, marks: Marks, keep_times: bool) -> Result<Self> {
        let root = root.subroot("").cannot("open", RelPath::root())?;
        let dir = root.try_clone().cannot("open", RelPath::root())?.fd().try_clone_to_owned();
        let dir = dir.cannot("open", RelPath::root())?;
        let mut chain = Chain { root, marks, keep_times, levels: Vec::new() };
        let time = chain.time_to_keep(dir.as_fd()).cannot("read", RelPath::root())?;
        chain.levels.push(Level { name: OsString::new(), dir: Some(dir), identity: None, time });
        Ok(chain)
    }

    /// The tree the chain is in.
    pub(super) fn root(&self) -> &Root {
        &self.root
    }

    /// The directory the stream is in.
    pub(super) fn top(&self) -> BorrowedFd<'_> {
        self.levels.last().and_then(|level| level.dir.as_ref()).expect("the last level is open").as_fd()
    }

    /// Goes to the directory `path`; what is missing is made, 0755, root's, and as old as `time`.
    pub(super) fn enter(&mut self, path: &RelPath, time: Timestamp) -> Result<()> {
        let known = self.levels[1..].iter().zip(path.parts()).take_while(|(level, part)| level.name == *part);
        let known = known.count() + 1;
        while self.levels.len() > known {
            self.leave()?;
        }
        for part in path.parts().skip(known - 1) {
            let (dir, made) = self.open_or_make(part).cannot("enter", path)?;
            let time = if made { Some(time) } else { self.time_to_keep(dir.as_fd()).cannot("read", path)? };
            self.push(part.to_owned(), dir, time)?;
        }
        Ok(())
    }

    /// Goes into `name`, just opened in the top directory, which gets `time` when it is left.
    pub(super) fn push(&mut self, name: OsString, dir: OwnedFd, time: Option<Timestamp>) -> Result<()> {
        if let Some(far) = self.levels.len().checked_sub(OPEN)
            && let Some(dir) = self.levels[far].dir.take()
        {
            // The path of a deep directory is long: it is put together only where there is a failure to tell.
            let stat = rustix::fs::fstat(&dir).or_else(|cause| Err(cause).cannot("read", self.path()))?;
            self.levels[far].identity = Some((stat.st_dev, stat.st_ino));
        }
        self.levels.push(Level { name, dir: Some(dir), identity: None, time });
        Ok(())
    }

    /// The root itself gets `time` at the end.
    pub(super) fn set_root_time(&mut self, time: Timestamp) {
        self.levels[0].time = Some(time);
    }

    /// Leaves every directory, the root last.
    pub(super) fn finish(mut self) -> Result<()> {
        while !self.levels.is_empty() {
            self.leave()?;
        }
        Ok(())
    }

    fn leave(&mut self) -> Result<()> {
        let Some(level) = self.levels.pop() else { return Ok(()) };
        let dir = level.dir.expect("the last level is open");
        if self.levels.last().is_some_and(|above| above.dir.is_none()) {
            let back = self.back_from(&dir).or_else(|cause| Err(cause).cannot("return to", self.path()))?;
            let above = self.levels.last_mut().expect("just seen");
            above.dir = Some(back);
        }
        if let Some(time) = level.time
            && let Err(error) = rustix::fs::futimens(&dir, &times(time))
        {
            return Err(error).cannot("set the time of", self.path().as_path().join(level.name).display());
        }
        Ok(())
    }

    /// The handle of the last level again: through `..` of the directory left, or, if that was reached through a
    /// symlink, by its path.
    fn back_from(&self, left: &OwnedFd) -> std::io::Result<OwnedFd> {
        let up = rustix::fs::openat(left, "..", DIRECTORY, Mode::empty())?;
        let stat = rustix::fs::fstat(&up)?;
        if self.levels.last().and_then(|level| level.identity) == Some((stat.st_dev, stat.st_ino)) {
            return Ok(up);
        }
        self.root.open(self.path().as_path(), DIRECTORY - OFlags::NOFOLLOW, Mode::empty())
    }

    fn open_or_make(&self, name: &OsStr) -> std::io::Result<(OwnedFd, bool)> {
        let top = self.top();
        match rustix::fs::openat(top, name, DIRECTORY, Mode::empty()) {
            Ok(dir) => Ok((dir, false)),
            Err(Errno::NOENT) => {
                let dir = make(top, name)?;
                if unhide(top, name, self.marks) {
                    mark_opaque(&dir, self.marks)?;
                }
                Ok((dir, true))
            }
            Err(Errno::LOOP | Errno::NOTDIR) => {
                let stat = rustix::fs::statat(top, name, AtFlags::SYMLINK_NOFOLLOW)?;
                if self.marks.is_whiteout(&stat) {
                    // What it hid stays hidden.
                    rustix::fs::unlinkat(top, name, AtFlags::empty())?;
                    let dir = make(top, name)?;
                    mark_opaque(&dir, self.marks)?;
                    return Ok((dir, true));
                }
                if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
                    return Err(Errno::NOTDIR.into());
                }
                let path = self.path().join(name);
                match self.root.open(path.as_path(), DIRECTORY - OFlags::NOFOLLOW, Mode::empty()) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                        self.root.mkdir_all(path.as_path(), 0o755)?;
                        let flags = DIRECTORY - OFlags::NOFOLLOW;
                        Ok((self.root.open(path.as_path(), flags, Mode::empty())?, true))
                    }
                    opened => Ok((opened?, false)),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    fn time_to_keep(&self, dir: BorrowedFd<'_>) -> std::io::Result<Option<Timestamp>> {
        if !self.keep_times {
            return Ok(None);
        }
        let stat = rustix::fs::fstat(dir)?;
        Ok(Some(Timestamp { seconds: stat.st_mtime, nanoseconds: stat.st_mtime_nsec as u32 }))
    }

    /// The path of the top directory as the stream wrote it.
    fn path(&self) -> RelPath {
        let mut path = std::path::PathBuf::new();
        path.extend(self.levels.iter().skip(1).map(|level| &level.name));
        RelPath::clamp(path)
    }
}

/// Makes a directory no entry speaks of.
fn make(top: BorrowedFd<'_>, name: &OsStr) -> std::io::Result<OwnedFd> {
    rustix::fs::mkdirat(top, name, Mode::from_raw_mode(0o755))?;
    let dir = rustix::fs::openat(top, name, DIRECTORY, Mode::empty())?;
    if rustix::process::geteuid().is_root() {
        rustix::fs::fchown(&dir, Some(Uid::ROOT), Some(Gid::ROOT))?;
    }
    rustix::fs::fchmod(&dir, Mode::from_raw_mode(0o755))?;
    Ok(dir)
}

/// Marks a directory so that an overlay shows nothing of the layers below it.
pub(super) fn mark_opaque(dir: &OwnedFd, marks: Marks) -> std::io::Result<()> {
    if marks == Marks::Names {
        return mark_by_name(dir.as_fd(), OPAQUE);
    }
    if let Some(name) = marks.opaque_name() {
        rustix::fs::fsetxattr(dir, name, b"y", XattrFlags::empty())?;
    }
    Ok(())
}

/// Makes the empty file that is a mark by its name.
pub(super) fn mark_by_name(dir: BorrowedFd<'_>, name: &CStr) -> std::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, name, flags, Mode::empty())?;
    Ok(())
}

/// Takes away the name that says that `name` is not here. Whether there was one.
pub(super) fn unhide(dir: BorrowedFd<'_>, name: &OsStr, marks: Marks) -> bool {
    let hiding = marks.hiding_name(name);
    hiding.is_some_and(|hiding| rustix::fs::unlinkat(dir, hiding, AtFlags::empty()).is_ok())
}

/// The time of modification alone; the time of access says nothing in a layer.
pub(super) fn times(mtime: Timestamp) -> Timestamps {
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
        last_modification: Timespec { tv_sec: mtime.seconds, tv_nsec: i64::from(mtime.nanoseconds) },
    }
}
