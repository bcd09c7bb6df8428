//! Advisory locks on files (`flock`): freed by the kernel when their holder dies, however it dies.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;

/// How a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Beside other shared holders.
    Shared,
    /// Alone.
    Exclusive,
}

/// A held lock; dropping it frees it, at once: closing it alone would leave it to a child that another thread is just
/// making, which has a copy of every file until its program starts.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    passed_on: bool,
}

impl Drop for Lock {
    fn drop(&mut self) {
        if !self.passed_on {
            // What cannot be freed so is freed by closing it.
            let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
        }
    }
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Lock {
    /// The file that is locked.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Whether nobody else holds it: then nobody else can have it from now on. A shared one may be lost by asking.
    pub(crate) fn is_alone(&self) -> bool {
        rustix::fs::flock(&self.file, FlockOperation::NonBlockingLockExclusive).is_ok()
    }

    /// Hands the lock on to every program that this process becomes or starts: the last to end frees it.
    pub(crate) fn bequeath(self) -> io::Result<()> {
        rustix::io::fcntl_setfd(&self.file, rustix::io::FdFlags::empty())?;
        std::mem::forget(self);
        Ok(())
    }

    /// Leaves the lock to a program that was started with it: its end frees it.
    pub(crate) fn pass_on(mut self) {
        self.passed_on = true;
    }
}

/// Waits for the lock on the file `path`, which is made if it is missing.
pub(crate) fn wait(path: &Path, mode: Mode) -> io::Result<Lock> {
    loop {
        let file = open(path)?;
        loop {
            let operation = match mode {
                Mode::Shared => FlockOperation::LockShared,
                Mode::Exclusive => FlockOperation::LockExclusive,
            };
            match rustix::fs::flock(&file, operation) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other?,
            }
        }
        // The file may have been removed or replaced while we waited; then the lock guards nothing.
        if is_still(&file, path)? {
            return Ok(Lock { file, passed_on: false });
        }
    }
}

/// Takes the lock if it is free, else answers `None` at once.
pub(crate) fn attempt(path: &Path, mode: Mode) -> io::Result<Option<Lock>> {
    let file = open(path)?;
    let operation = match mode {
        Mode::Shared => FlockOperation::NonBlockingLockShared,
        Mode::Exclusive => FlockOperation::NonBlockingLockExclusive,
    };
    match rustix::fs::flock(&file, operation) {
        Ok(()) if is_still(&file, path)? => Ok(Some(Lock { file, passed_on: false })),
        Ok(()) | Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// As [`attempt`], but asks again for so long.
pub(crate) fn attempt_for(path: &Path, mode: Mode, patience: Duration) -> io::Result<Option<Lock>> {
    let begun = Instant::now();
    loop {
        let lock = attempt(path, mode)?;
        if lock.is_some() || begun.elapsed() >= patience {
            return Ok(lock);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The right to do what others may want to do as well: they wait, and look then how things stand. Its file goes with
/// it, however that ends; only that of a killed one stays, until somebody has it next, or a prune takes it.
#[derive(Debug)]
pub(crate) struct Claim {
    path: PathBuf,
    _lock: Lock,
}

impl Claim {
    /// Waits for it.
    pub(crate) fn wait(path: &Path) -> io::Result<Self> {
        let lock = wait(path, Mode::Exclusive)?;
        Ok(Claim { path: path.to_owned(), _lock: lock })
    }

    /// Waits for it so long at most.
    pub(crate) fn wait_for(path: &Path, patience: Duration) -> io::Result<Option<Self>> {
        let lock = attempt_for(path, Mode::Exclusive, patience)?;
        Ok(lock.map(|lock| Claim { path: path.to_owned(), _lock: lock }))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // While it is locked: afterwards the file may be another's.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Waits for the directory `path`, beside other shared holders.
///
/// # Errors
///
/// `NotFound` if it is gone, or goes meanwhile; and that of a file system that locks no directories.
pub(crate) fn share_dir(path: &Path) -> io::Result<Lock> {
    let file = File::open(path)?;
    while let Err(error) = rustix::fs::flock(&file, FlockOperation::LockShared) {
        if error != rustix::io::Errno::INTR {
            return Err(error.into());
        }
    }
    if is_at(&file, std::fs::metadata(path))? {
        return Ok(Lock { file, passed_on: false });
    }
    Err(io::ErrorKind::NotFound.into())
}

/// Locks what this process has just made at `path` and opened as `file`, so that it is not taken for what a dead one
/// left: as long as the file is open. False if somebody was faster and has taken it; then another is to be made.
pub(crate) fn claim(file: &File, path: &Path) -> io::Result<bool> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        locked => locked.map_err(io::Error::from).and_then(|()| is_still(file, path)),
    }
}

/// Opens a lock's file, which is no link: one would lead to a file that is never the one with this name.
fn open(path: &Path) -> io::Result<File> {
    let no_link = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true).mode(0o600).custom_flags(no_link);
    options.open(path)
}

fn is_still(file: &File, path: &Path) -> io::Result<bool> {
    is_at(file, std::fs::symlink_metadata(path))
}

fn is_at(file: &File, found: io::Result<std::fs::Metadata>) -> io::Result<bool> {
    let held = file.metadata()?;
    match found {
        Ok(named) => Ok(held.dev() == named.dev() && held.ino() == named.ino()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
