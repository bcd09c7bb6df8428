//! Advisory locks on files (`flock`): freed by the kernel when their holder dies, however it dies.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

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

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(path)
}

fn is_still(file: &File, path: &Path) -> io::Result<bool> {
    let held = file.metadata()?;
    match std::fs::symlink_metadata(path) {
        Ok(named) => Ok(held.dev() == named.dev() && held.ino() == named.ino()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
