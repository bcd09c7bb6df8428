//! `cache-mounts/`: directories that commands keep from run to run, and who may use one when.
//!
//! A cache is `cache-mounts/<hash of its id>/` with the file `id` and one directory per copy: `0`, and for private use
//! beside others `1`, `2` …; beside each is its lock. A copy appears by a rename, with owner and content right.
//!
//! Whoever uses a copy, waits for one or makes one shares `locks/cache-<hash of its id>`; whoever gives the cache up
//! has that alone. The locks of the copies would not do: they go with the directory, and new ones come.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Kind, Result};
use crate::store::{Store, Work};
use crate::sys::lock::{self, Lock, Mode};
use crate::sys::random;

/// More copies of one cache are never used at a time.
const MAX_COPIES: usize = 1024;

/// A cache in use.
#[derive(Debug)]
pub(crate) struct CacheMount {
    /// Where its files are.
    pub path: PathBuf,
    _copy: Lock,
    _cache: Lock,
}

/// How a cache is to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheUse {
    /// Beside others.
    Shared,
    /// Alone, waiting for it.
    Locked,
    /// Alone: the first copy that is free, or a new one.
    Private,
}

impl Store {
    /// The cache named `id`. A copy that does not exist yet is made: `fill` is given an empty directory.
    pub(crate) fn cache_mount(
        &self,
        work: &Work,
        id: &str,
        how: CacheUse,
        fill: &dyn Fn(&Path) -> Result<()>,
    ) -> Result<CacheMount> {
        let dir = self.root().join("cache-mounts").join(&blake3::hash(id.as_bytes()).to_hex()[..32]);
        let cache = lock::wait(&self.cache_lock(&dir), Mode::Shared).cannot("lock the cache", id)?;
        let mut private = fs::DirBuilder::new();
        private.recursive(true).mode(0o700);
        private.create(&dir).cannot("make the cache", id)?;
        let name = dir.join("id");
        if !name.exists() {
            fs::write(&name, id).cannot("make the cache", id)?;
        }
        for copy in 0..MAX_COPIES {
            let path = dir.join(copy.to_string());
            let lock = dir.join(format!("{copy}.lock"));
            let lock = match how {
                CacheUse::Shared => lock::wait(&lock, Mode::Shared).map(Some),
                CacheUse::Locked => lock::wait(&lock, Mode::Exclusive).map(Some),
                CacheUse::Private => lock::attempt(&lock, Mode::Exclusive),
            };
            let Some(lock) = lock.cannot("lock the cache", id)? else { continue };
            if !path.exists() {
                let making = dir.join("making.lock");
                let _alone = lock::wait(&making, Mode::Exclusive).cannot("lock the cache", id)?;
                if !path.exists() {
                    make(work, &path, fill).cannot("make the cache", id)?;
                }
            }
            return Ok(CacheMount { path, _copy: lock, _cache: cache });
        }
        Err(Error::new(Kind::InUse, format!("cannot use the cache `{id}`"))
            .because(format!("{MAX_COPIES} copies of it are in use")))
    }

    /// Moves the cache in `dir` into the trash, with all its copies, unless somebody uses one. Whether it did.
    pub(super) fn give_up_cache(&self, dir: &Path) -> bool {
        let alone = lock::attempt(&self.cache_lock(dir), Mode::Exclusive);
        alone.is_ok_and(|alone| alone.is_some() && matches!(self.trash(dir), Ok(Some(_))))
    }

    fn cache_lock(&self, dir: &Path) -> PathBuf {
        let hash = dir.file_name().expect("a cache has a name").to_string_lossy();
        self.locks().join(format!("cache-{hash}"))
    }
}

/// Makes a copy. The caller is the only one who does.
fn make(work: &Work, path: &Path, fill: &dyn Fn(&Path) -> Result<()>) -> Result<()> {
    let making = work.dir().join(format!("cache-{}", random::hex(8)));
    fs::create_dir(&making).cannot("make", making.display())?;
    fs::set_permissions(&making, fs::Permissions::from_mode(0o755)).cannot("make", making.display())?;
    fill(&making)?;
    fs::rename(&making, path).cannot("make", path.display())
}

#[cfg(test)]
mod tests;
