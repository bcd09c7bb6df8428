//! Mount namespaces that have shown a container, and how a process that may not look into them knows they live.
//!
//! A container's file `mounted` lists the namespaces, one number a line. A `kiln unshare` session holds a lock that all
//! its processes inherit, so that it is free once the last one has ended: two sessions of one user are in sibling user
//! namespaces, and the kernel shows neither the other's mounts.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::{Context, Result};
use crate::store::Store;
use crate::sys::lock::{self, Mode};

/// The number of the mount namespace we are in.
pub(super) fn ours() -> io::Result<u64> {
    fs::metadata("/proc/self/ns/mnt").map(|meta| meta.ino())
}

fn lock_path(store: &Store, namespace: u64) -> PathBuf {
    store.locks().join(format!("session-{namespace}"))
}

/// Says that this mount namespace lives as long as this process or any that it starts from now on.
pub(crate) fn begin(store: &Store) -> Result<()> {
    let path = lock_path(store, ours().cannot("look at", "the mount namespace")?);
    let lock = lock::wait(&path, Mode::Shared).cannot("lock", path.display())?;
    lock.bequeath().cannot("lock", path.display())
}

/// Writes down in the file `mark` that our mount namespace shows the container.
pub(super) fn note(mark: &Path) -> io::Result<()> {
    let mut file = File::options().create(true).append(true).open(mark)?;
    file.write_all(format!("{}\n", ours()?).as_bytes())
}

/// Whether a session other than ours that lives has shown the container.
pub(super) fn lives_elsewhere(store: &Store, mark: &Path) -> bool {
    let (Ok(ours), Ok(noted)) = (ours(), fs::read_to_string(mark)) else { return false };
    let others = noted.lines().filter_map(|line| line.parse().ok()).filter(|namespace| *namespace != ours);
    let mut others =
        others.map(|namespace| lock_path(store, namespace)).filter(|path| path.exists()).peekable();
    if others.peek().is_none() {
        return false;
    }
    let Ok(_asking) = store.ask_for_sessions() else { return true };
    others.any(|path| match lock::attempt(&path, Mode::Exclusive) {
        Ok(Some(_ended)) => {
            let _ = fs::remove_file(&path);
            false
        }
        _ => true,
    })
}

#[cfg(test)]
mod tests;
