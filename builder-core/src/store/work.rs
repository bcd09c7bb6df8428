//! Unfinished work and leases: `tmp/<owner>/`, flocked by its owner for as long as that lives.
//!
//! What is being made sits in the owner's directory until one rename gives it a name. What the owner uses but nothing
//! else names yet is written into its `leases` file, which `gc` reads. A directory whose lock is free belongs to the
//! dead and is swept.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::error::{Context, Result};
use crate::store::Store;
use crate::sys::lock::{self, Lock, Mode};
use crate::sys::random;

/// One process's unfinished work. Dropping it removes what is left of it.
#[derive(Debug)]
pub(crate) struct Work {
    dir: PathBuf,
    /// Both are there until it is dropped.
    leases: Mutex<Option<File>>,
    lock: Option<Lock>,
}

impl Store {
    /// A place for unfinished work, swept by itself if this process dies.
    ///
    /// What the dead have left, such as half an image, goes first: there may be no room for more beside it. It stays
    /// where an ordinary user has no namespace around him: it may have files of other ids. What cannot go is no reason
    /// to begin nothing; a prune says why.
    pub fn work(&self) -> Result<Work> {
        if is_root() {
            let _ = self.sweep();
        }
        self.work_beside()
    }

    /// As [`Store::work`], but what the dead have left stays.
    pub(super) fn work_beside(&self) -> Result<Work> {
        Work::begin(&self.root.join("tmp"))
    }

    /// Says that this work uses `names` (tree ids, digests): from now on `gc` leaves them, if they are still there.
    pub fn lease<'a>(&self, work: &Work, names: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let names: Vec<&str> = names.into_iter().collect();
        self.lease_elsewhere(&names)?;
        let _against_gc = self.lock(Mode::Shared)?;
        let mut text = String::new();
        for name in names {
            text.push_str(name);
            text.push('\n');
        }
        let mut leases = work.leases.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        leases
            .as_mut()
            .expect("it is there until the work is dropped")
            .write_all(text.as_bytes())
            .cannot("write", work.dir.join("leases").display())
    }

    /// All names in the leases of living processes. The caller holds the store's lock alone.
    pub(super) fn leased(&self) -> Result<std::collections::HashSet<String>> {
        let mut names = std::collections::HashSet::new();
        for dir in owners(&self.root.join("tmp"))? {
            let Ok(text) = fs::read_to_string(dir.join("leases")) else { continue };
            names.extend(text.lines().map(str::to_owned));
        }
        Ok(names)
    }

    /// Removes the unfinished work of the dead. Returns how many directories went.
    pub fn sweep(&self) -> Result<usize> {
        sweep(&self.root.join("tmp"), &self.root.join("trash"))
    }

    /// Renames `path` into the trash, then removes it: a reader sees it whole or not at all.
    pub(super) fn discard(&self, path: &Path) -> Result<()> {
        self.trash(path)?.map_or(Ok(()), |gone| remove_tree(&gone))
    }

    /// Renames `path` into the trash, which whoever runs `gc` empties. Its name there; none if nothing was there.
    pub(super) fn trash(&self, path: &Path) -> Result<Option<PathBuf>> {
        put_into(&self.root.join("trash"), path)
    }

    /// Removes what a killed process left in the trash.
    pub(super) fn empty_trash(&self) -> Result<()> {
        empty(&self.root.join("trash"))
    }
}

/// Whether this process has all ids of the store's files, be it in a namespace.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Removes the directories in `tmp` whose owners are dead, by way of `trash`. Returns how many went.
fn sweep(tmp: &Path, trash: &Path) -> Result<usize> {
    let mut swept = 0;
    for dir in owners(tmp)? {
        // One whose maker has not locked it yet is taken too: it makes another then. So it must have lost its name
        // before the lock is free again.
        let Ok(Some(ours)) = lock::attempt(&dir.join("lock"), Mode::Exclusive) else { continue };
        let gone = put_into(trash, &dir)?;
        drop(ours);
        gone.map_or(Ok(()), |gone| remove_tree(&gone))?;
        swept += 1;
    }
    Ok(swept)
}

/// Renames `path` into `trash`, and gives its name there; none if nothing was there.
fn put_into(trash: &Path, path: &Path) -> Result<Option<PathBuf>> {
    let gone = trash.join(random::hex(8));
    match fs::rename(path, &gone) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        renamed => renamed.cannot("remove", path.display()).map(|()| Some(gone)),
    }
}

/// Removes what is in `trash`.
fn empty(trash: &Path) -> Result<()> {
    for item in fs::read_dir(trash).cannot("read", trash.display())?.flatten() {
        remove_tree(&item.path())?;
    }
    Ok(())
}

/// How often a tree is removed that others change meanwhile.
const MOST_ROUNDS: usize = 100;

/// Removes a file or directory tree of the store by handles; what another process removes meanwhile is fine.
///
/// On NFS and FUSE an open file cannot go, nor can files of other ids for an ordinary user who has no namespace around
/// him; what is left of a tree then is in the trash, and goes with the next prune.
pub(super) fn remove_tree(path: &Path) -> Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let parent = crate::tree::Root::open_host(parent).cannot("open", parent.display())?;
    // Two that empty the trash at once take names from under each other; each round something is gone. And who was
    // about to make a file in it, to lock that, makes it yet, and sees then where it is.
    let others = |error: &io::Error| {
        matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty)
    };
    let mut removed = parent.remove_all(name);
    for _ in 0..MOST_ROUNDS {
        if !removed.as_ref().is_err_and(others) || !is_there(path) {
            break;
        }
        removed = parent.remove_all(name);
    }
    match removed {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ResourceBusy) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !is_root() => Ok(()),
        removed => removed.map(drop).cannot("remove", path.display()),
    }
}

/// The directories of all owners in `tmp`.
fn owners(tmp: &Path) -> Result<Vec<PathBuf>> {
    let items = fs::read_dir(tmp).cannot("read", tmp.display())?;
    Ok(items.filter_map(|item| item.ok().map(|item| item.path())).collect())
}

fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

impl Work {
    fn begin(tmp: &Path) -> Result<Self> {
        let dir = tmp.join(random::hex(8));
        fs::DirBuilder::new().mode(0o700).create(&dir).cannot("make", dir.display())?;
        // Between making and locking it a sweep may take it; then it is made again.
        let lock = lock::wait(&dir.join("lock"), Mode::Exclusive);
        let lock = match lock {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Work::begin(tmp),
            lock => lock.cannot("lock", dir.display())?,
        };
        let leases = File::create(dir.join("leases")).cannot("make", dir.display())?;
        Ok(Work { dir, leases: Mutex::new(Some(leases)), lock: Some(lock) })
    }

    /// A place in `run_root`, outside of the store, for what is of use only while its owner lives. What the dead have
    /// left there is removed first.
    pub fn outside(run_root: &Path) -> Result<Self> {
        let (tmp, trash) = (run_root.join("kiln/tmp"), run_root.join("kiln/trash"));
        for dir in [&tmp, &trash] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).cannot("make", dir.display())?;
        }
        sweep(&tmp, &trash)?;
        empty(&trash)?;
        Work::begin(&tmp)
    }

    /// The owner's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // Not every file system lets go of a directory that something in it is open of.
        self.leases.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        self.lock.take();
        // What cannot be removed now, a later sweep removes.
        let _ = remove_tree(&self.dir);
    }
}

#[cfg(test)]
mod tests;
