//! Places in volumes that runs have made to mount on, while others may use them: a lock in the store for each, shared
//! by the runs that mount there. The last of them takes the place away.
//!
//! Without it, who ends first would take it away, and with it what others have mounted there. A place that no run has
//! made has no lock, and nobody takes it away.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::Stat;

use crate::sys::lock::{self, Lock, Mode};

/// One place, held.
#[derive(Debug)]
pub(super) struct Held {
    path: PathBuf,
    lock: Lock,
}

/// What is held while places are made, found or taken away; the locks are in the directory `locks`.
pub(super) fn alone(locks: &Path) -> io::Result<Lock> {
    lock::wait(&locks.join("points"), Mode::Exclusive)
}

impl Held {
    /// Holds what this run has just made. The caller has [`alone`].
    pub fn made(locks: &Path, place: &Stat) -> io::Result<Self> {
        let path = path(locks, place);
        Ok(Held { lock: lock::wait(&path, Mode::Shared)?, path })
    }

    /// Holds what is there, beside the runs that hold it; none if none does. The caller has [`alone`].
    pub fn found(locks: &Path, place: &Stat) -> io::Result<Option<Self>> {
        let path = path(locks, place);
        if !path.exists() {
            return Ok(None);
        }
        if let Some(_free) = lock::attempt(&path, Mode::Exclusive)? {
            // Of one that was killed. What has this number now may be another's.
            fs::remove_file(&path)?;
            return Ok(None);
        }
        Ok(Some(Held { lock: lock::wait(&path, Mode::Shared)?, path }))
    }

    /// Lets it go. Whether no other run holds it. The caller has [`alone`].
    pub fn leave(self) -> bool {
        let is_last = self.lock.is_alone();
        if is_last {
            let _ = fs::remove_file(&self.path);
        }
        is_last
    }
}

fn path(locks: &Path, place: &Stat) -> PathBuf {
    locks.join(format!("point-{:x}-{:x}", place.st_dev, place.st_ino))
}
