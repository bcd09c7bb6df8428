//! Taking a whole directory away, by handles: never through a symlink, however names are swapped meanwhile.
//!
//! Nor into anything mounted there: what a bind mount shows belongs to someone else, so it is an error (`EXDEV`).
//!
//! It neither recurses nor holds more than [`OPEN`] directories open, so that a tree of any depth goes, and it reads
//! names in batches, so that a directory of a million is no matter of memory.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, Mode, OFlags, RawDir, SeekFrom};
use rustix::io::Errno;

use crate::sys::in_root;
use crate::tree::walk::{DIRECTORY, OPEN};

/// Room for one batch of directory records.
const BATCH: usize = 32 * 1024;

/// How many batches in a row may be of names that someone else removed first, or that stand in for open files.
const STALE: usize = 100;

/// What NFS and FUSE rename an open file to that is unlinked: it goes with its last handle, and each time it is
/// unlinked before that it only gets another such name.
const STAND_INS: [&[u8]; 2] = [b".nfs", b".fuse_hidden"];

/// A directory that is being emptied.
struct Level {
    name: OsString,
    /// `None` while deeper levels need the handles.
    dir: Option<OwnedFd>,
    /// Device and inode number, known once the handle was given up.
    identity: Option<(u64, u64)>,
    /// Directories of the last batch that are still to be emptied.
    inner: VecDeque<OsString>,
}

/// Removes `name` in `dir` and, if it is a directory, all that is in it; `false` if nothing was there.
pub(crate) fn remove_all_at(dir: BorrowedFd<'_>, name: &OsStr) -> io::Result<bool> {
    match unlink(dir, name) {
        Ok(true) => {}
        Ok(false) => return Ok(true),
        Err(Errno::NOENT) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    let mut buffer = Vec::with_capacity(BATCH);
    let mut levels: Vec<Level> = Vec::new();
    let mut next = Some(name.to_owned());
    loop {
        if let Some(name) = next.take() {
            let parent = levels.last().and_then(|level| level.dir.as_ref()).map_or(dir, OwnedFd::as_fd);
            // Someone else may have removed it.
            if let Some(opened) = open(parent, &name)? {
                give_up_far_handle(&mut levels)?;
                let inner = VecDeque::new();
                levels.push(Level { name, dir: Some(opened), identity: None, inner });
            }
        }
        let Some(level) = levels.last_mut() else { return Ok(true) };
        if level.inner.is_empty() {
            let opened = level.dir.as_ref().expect("the last level is open");
            level.inner = unlink_batch(opened, &mut buffer)?;
        }
        next = level.inner.pop_front();
        if next.is_none() {
            leave(&mut levels, dir)?;
        }
    }
}

/// Unlinks `name`; `true` if it is a directory and still there.
fn unlink(dir: BorrowedFd<'_>, name: &OsStr) -> rustix::io::Result<bool> {
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) => Ok(false),
        Err(Errno::ISDIR) => Ok(true),
        // Some file systems say so of a directory; it may also be the truth.
        Err(Errno::PERM) => {
            let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let is_dir = rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory;
            if is_dir { Ok(true) } else { Err(Errno::PERM) }
        }
        Err(error) => Err(error),
    }
}

/// Unlinks what stands first in `dir` until there is nothing left or directories are met; returns those.
fn unlink_batch(dir: &OwnedFd, buffer: &mut Vec<u8>) -> io::Result<VecDeque<OsString>> {
    let mut inner = VecDeque::new();
    let mut stale = 0;
    while stale < STALE {
        let mut unlinked_any = false;
        rustix::fs::seek(dir, SeekFrom::Start(0))?;
        let mut names: Vec<OsString> = Vec::new();
        let mut records = RawDir::new(dir, buffer.spare_capacity_mut());
        while let Some(record) = records.next() {
            let record = record?;
            let name = record.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(OsStr::from_bytes(name).to_owned());
            }
            if records.is_buffer_empty() && !names.is_empty() {
                break;
            }
        }
        if names.is_empty() {
            return Ok(inner);
        }
        for name in names {
            let unlinked = match unlink(dir.as_fd(), &name) {
                // One's own directory that may not be written, met without privileges.
                Err(Errno::ACCESS) => {
                    rustix::fs::fchmod(dir, Mode::RWXU)?;
                    unlink(dir.as_fd(), &name)
                }
                unlinked => unlinked,
            };
            match unlinked {
                Ok(true) => inner.push_back(name),
                Ok(false) => unlinked_any |= !STAND_INS.iter().any(|mark| name.as_bytes().starts_with(mark)),
                Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !inner.is_empty() {
            return Ok(inner);
        }
        stale = if unlinked_any { 0 } else { stale + 1 };
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "names stay, of nothing or of files that are open"))
}

/// Opens a directory to be emptied; `None` if it is gone.
fn open(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<Option<OwnedFd>> {
    let open = || in_root::open_same_mount(parent, name, DIRECTORY);
    let opened = match open() {
        Err(Errno::ACCESS) => {
            // One's own directory that may not be read. Its mode is changed by handle: a name may be swapped.
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let handle = rustix::fs::openat(parent, name, flags, Mode::empty())?;
            rustix::fs::chmod(format!("/proc/self/fd/{}", handle.as_raw_fd()), Mode::RWXU)?;
            open()
        }
        opened => opened,
    };
    match opened {
        Err(Errno::NOENT) => Ok(None),
        opened => Ok(Some(opened?)),
    }
}

fn give_up_far_handle(levels: &mut [Level]) -> io::Result<()> {
    if let Some(far) = levels.len().checked_sub(OPEN)
        && let Some(dir) = levels[far].dir.take()
    {
        let stat = rustix::fs::fstat(&dir)?;
        levels[far].identity = Some((stat.st_dev, stat.st_ino));
    }
    Ok(())
}

/// Removes the last level, which is empty, from the directory above; `top` is where all began.
fn leave(levels: &mut Vec<Level>, top: BorrowedFd<'_>) -> io::Result<()> {
    let Some(Level { name, dir: Some(left), .. }) = levels.pop() else { return Ok(()) };
    if let Some(above) = levels.last_mut()
        && above.dir.is_none()
    {
        let up = rustix::fs::openat(&left, "..", DIRECTORY, Mode::empty())?;
        let stat = rustix::fs::fstat(&up)?;
        if above.identity != Some((stat.st_dev, stat.st_ino)) {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "a directory was moved while it was removed",
            ));
        }
        above.dir = Some(up);
    }
    let above = levels.last().and_then(|level| level.dir.as_ref()).map_or(top, OwnedFd::as_fd);
    match rustix::fs::unlinkat(above, &name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests;
