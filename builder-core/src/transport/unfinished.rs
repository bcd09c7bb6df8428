//! Files that have no name before they are whole, in directories that others use as well.
//!
//! Where the file system can, such a file has no name at all (`O_TMPFILE`) and a killed process leaves nothing. Where
//! it cannot, it has a name of ours and is locked by its writer; one whose lock is free is swept by the next.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{Context, Result};
use crate::sys::{lock, random};

/// What such files are called where they have to be called something.
const PREFIX: &str = ".kiln-unfinished-";

/// A file being written.
#[derive(Debug)]
pub(crate) struct Unfinished {
    file: File,
    dir: PathBuf,
    /// Its name, where it has one.
    path: Option<PathBuf>,
}

impl Unfinished {
    /// Starts a file that will be in `dir`.
    pub fn begin(dir: &Path) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::openat(CWD, dir, flags, Mode::from_raw_mode(0o644)) {
            Ok(fd) => Ok(Unfinished { file: File::from(fd), dir: dir.to_owned(), path: None }),
            // What file systems and kernels that have no such files say.
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Unfinished::named(dir),
            Err(error) => Err(error.into()),
        }
    }

    /// Starts a file that is only needed meanwhile, where large ones of that kind go.
    pub fn passing(scratch: &Path) -> Result<Self> {
        Unfinished::begin(scratch).cannot("write temporary files in", scratch.display()).map_err(|error| {
            match error.hint_text() {
                None => error.hint("name another directory with TMPDIR=DIR"),
                Some(_) => error,
            }
        })
    }

    fn named(dir: &Path) -> io::Result<Self> {
        loop {
            let path = dir.join(format!("{PREFIX}{}", random::hex(8)));
            let file = File::options().create_new(true).read(true).write(true).open(&path)?;
            // Between making and locking it a sweep may take it; then it is made again.
            if lock::claim(&file, &path)? {
                return Ok(Unfinished { file, dir: dir.to_owned(), path: Some(path) });
            }
        }
    }

    /// The file, for seeking.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// The file without a name, which stays until it is closed.
    pub fn into_file(self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Gives it the name `to`, in its directory. Whatever had that name is gone.
    pub fn publish(mut self, to: &Path) -> io::Result<()> {
        if let Some(path) = self.path.take() {
            return fs::rename(path, to);
        }
        match self.link(to) {
            Err(Errno::EXIST) => {
                let path = self.dir.join(format!("{PREFIX}{}", random::hex(8)));
                // Or a sweep takes it while it has that name.
                rustix::fs::flock(&self.file, FlockOperation::NonBlockingLockExclusive)?;
                self.link(&path)?;
                fs::rename(&path, to).inspect_err(|_| drop(fs::remove_file(&path)))
            }
            linked => linked.map_err(io::Error::from),
        }
    }

    /// As [`Unfinished::publish`], but a file that has the name already stays.
    pub fn publish_new(mut self, to: &Path) -> io::Result<()> {
        let Some(path) = self.path.take() else {
            return match self.link(to) {
                Err(Errno::EXIST) => Ok(()),
                linked => linked.map_err(io::Error::from),
            };
        };
        let linked = fs::hard_link(&path, to);
        fs::remove_file(&path)?;
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    }

    fn link(&self, to: &Path) -> Result<(), Errno> {
        let opened = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        rustix::fs::linkat(CWD, opened, CWD, to, AtFlags::SYMLINK_FOLLOW)
    }
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // What stays, the next one sweeps.
            let _ = fs::remove_file(path);
        }
    }
}

/// Files that are whole and get their names together, when nothing can go wrong any more: what fails before leaves
/// nothing.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<Vec<(PathBuf, Unfinished)>>);

/// How many may wait: each is an open file, and a process has 1024 at least. One more, and all get their names.
const MOST_WAITING: usize = 500;

impl Waiting {
    /// A file that will be called `to`.
    pub fn add(&self, file: Unfinished, to: PathBuf) -> Result<()> {
        self.files().push((to, file));
        if self.files().len() > MOST_WAITING { self.publish() } else { Ok(()) }
    }

    /// Whether a file of this size waits for this name.
    pub fn has(&self, to: &Path, size: u64) -> bool {
        let same = |(path, waiting): &(PathBuf, Unfinished)| {
            path == to && waiting.file.metadata().is_ok_and(|found| found.len() == size)
        };
        self.files().iter().any(same)
    }

    /// Gives them their names, in the order they came.
    pub fn publish(&self) -> Result<()> {
        let files = std::mem::take(&mut *self.files());
        files.into_iter().try_for_each(|(to, file)| file.publish(&to).cannot("write", to.display()))
    }

    /// Leaves them without.
    pub fn drop_all(&self) {
        self.files().clear();
    }

    fn files(&self) -> MutexGuard<'_, Vec<(PathBuf, Unfinished)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes what killed writers left in `dir`. What cannot be removed now, a later one removes.
pub(crate) fn sweep(dir: &Path) {
    let Ok(items) = fs::read_dir(dir) else { return };
    for item in
        items.flatten().filter(|item| item.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()))
    {
        // What only has such a name, a link or a pipe, is not waited for.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Ok(file) = rustix::fs::open(item.path(), flags, Mode::empty()) else { continue };
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = fs::remove_file(item.path());
        }
    }
}

#[cfg(test)]
mod tests;
