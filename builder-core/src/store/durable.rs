//! Publishing a file: whole or not at all, also across a power cut; and the one sync that trees get later.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::error::{Context, Kind, Result};
use crate::oci::Digest;
use crate::store::{Store, TreeId};
use crate::sys::lock::{self, Lock, Mode};

/// A tree stays unsynced this long before the next command syncs it.
const SETTLE_AFTER: Duration = Duration::from_secs(60);

/// Writes `path` so that it holds either its old content or all of `bytes`, and is on the disk when this returns.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_from(path.parent().expect("every file of the store is in a directory"), path, bytes)
}

/// As [`write`], but what is unfinished sits in `dir`, on the same file system: an owner's work, swept if it dies.
pub(super) fn write_from(dir: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = write_temporary(dir, path, bytes, true)?;
    fs::rename(&temporary, path).cannot("write", path.display())?;
    sync_dir(path.parent().expect("every file of the store is in a directory"))
}

/// As [`write`], but left to the kernel to bring to the disk: whole, though perhaps the old content after a power cut.
pub(super) fn write_lazily(path: &Path, bytes: &[u8]) -> Result<()> {
    let dir = path.parent().expect("every file of the store is in a directory");
    let temporary = write_temporary(dir, path, bytes, false)?;
    fs::rename(&temporary, path).cannot("write", path.display())
}

/// As [`write_lazily`], but what is unfinished sits in `dir`, an owner's work.
pub(super) fn write_whole(dir: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = write_temporary(dir, path, bytes, false)?;
    fs::rename(&temporary, path).cannot("write", path.display())
}

fn write_temporary(dir: &Path, path: &Path, bytes: &[u8], sync: bool) -> Result<PathBuf> {
    let name = path.file_name().expect("a file has a name").to_string_lossy();
    let temporary = dir.join(format!(".{name}.{}", crate::sys::random::hex(4)));
    let mut file = fs::OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&temporary)
        .cannot("write", path.display())?;
    let written = file.write_all(bytes).and_then(|()| if sync { file.sync_data() } else { Ok(()) });
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary);
        return Err(error).cannot("write", path.display());
    }
    Ok(temporary)
}

/// Whether a temporary file is a killed process's: between writing and renaming one lie microseconds.
pub(super) fn is_abandoned(temporary: &Path) -> bool {
    let written = fs::symlink_metadata(temporary).and_then(|meta| meta.modified());
    written.is_ok_and(|written| written.elapsed().is_ok_and(|age| age >= SETTLE_AFTER))
}

/// Brings the names in a directory to the disk.
pub(super) fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all()).cannot("sync", dir.display())
}

/// The id of this boot of the machine: what was not synced before another boot may be lost.
pub(super) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// A note that something is not on the disk yet, as it was seen.
#[derive(Debug, PartialEq)]
struct Note {
    path: PathBuf,
    written: SystemTime,
    file: u64,
}

impl Note {
    fn at(path: PathBuf) -> Option<Self> {
        let meta = fs::symlink_metadata(&path).ok()?;
        Some(Note { written: meta.modified().ok()?, file: meta.ino(), path })
    }

    /// What it is a note of.
    fn name(&self) -> Cow<'_, str> {
        self.path.file_name().unwrap_or_default().to_string_lossy()
    }

    fn tree(&self) -> Option<TreeId> {
        TreeId::parse(&self.name())
    }
}

impl Store {
    /// Notes that a tree's data are not on the disk yet; with `sync = full` brings them there instead.
    pub(super) fn note_unsynced(&self, tree: &TreeId) -> Result<()> {
        self.note(tree.as_str())
    }

    /// As [`Store::note_unsynced`] for a blob.
    pub(super) fn note_unsynced_blob(&self, digest: Digest) -> Result<()> {
        self.note(&digest.hex())
    }

    fn note(&self, name: &str) -> Result<()> {
        if self.sync_full {
            return self.sync_all();
        }
        let _against_settling = self.lock_notes(Mode::Shared)?;
        write_lazily(&self.root.join("unsynced").join(name), boot_id().as_bytes())
    }

    /// Notes are written beside others and removed alone: a blob that comes again has the name of one that is settled
    /// at this moment, and needs its note.
    fn lock_notes(&self, mode: Mode) -> Result<Lock> {
        let path = self.root.join("locks/unsynced");
        lock::wait(&path, mode).cannot("lock", path.display())
    }

    /// What the first command does that finds trees unsynced for a minute, or from before a power cut.
    pub(super) fn settle(&self) -> Result<()> {
        let due = self.due()?;
        if due.is_empty() { Ok(()) } else { self.settle_those(&due) }
    }

    /// The notes that have stood for a minute.
    fn due(&self) -> Result<Vec<Note>> {
        let dir = self.root.join("unsynced");
        let mut due = Vec::new();
        for item in fs::read_dir(&dir).cannot("read", dir.display())? {
            let item = item.cannot("read", dir.display())?;
            let Some(note) = Note::at(item.path()) else { continue };
            if SystemTime::now().duration_since(note.written).unwrap_or(SETTLE_AFTER) >= SETTLE_AFTER {
                due.push(note);
            }
        }
        Ok(due)
    }

    fn settle_those(&self, due: &[Note]) -> Result<()> {
        let mut due: Vec<&Note> = due.iter().collect();
        due.sort_by_cached_key(|note| self.turn(note));
        for note in &due {
            match self.judge(note) {
                // Whoever may look at all of it comes later.
                Err(error) if error.kind() == Kind::Denied => return Ok(()),
                done => done?,
            }
        }
        self.sync_all()?;
        let _alone = self.lock_notes(Mode::Exclusive)?;
        for note in due {
            if Note::at(note.path.clone()).as_ref() == Some(note) {
                let _ = fs::remove_file(&note.path);
            }
        }
        Ok(())
    }

    /// When a note has its turn: a tree before what it lies on, which goes if it is not whole, and goes unread if it
    /// can be unpacked again. Without that nobody could tell any more whether the tree is whole.
    fn turn(&self, note: &Note) -> (bool, Reverse<usize>) {
        match note.tree().and_then(|tree| self.tree(&tree).ok()) {
            Some(record) if !self.can_unpack(&record) => {
                let below = record.exports.iter().map(|export| export.below.len());
                (false, Reverse(below.max().unwrap_or_default()))
            }
            _ => (true, Reverse(0)),
        }
    }

    /// Looks at what was made before another boot.
    fn judge(&self, note: &Note) -> Result<()> {
        let Ok(written) = fs::read_to_string(&note.path) else { return Ok(()) };
        if written == boot_id() {
            return Ok(());
        }
        match (note.tree(), Digest::from_hex(&note.name())) {
            (Some(tree), _) => self.distrust_tree(&tree),
            (None, Some(blob)) => self.distrust_blob(blob),
            (None, None) => Ok(()),
        }
    }

    /// One `syncfs` for all that is in the store.
    fn sync_all(&self) -> Result<()> {
        let dir = File::open(&self.root).cannot("open", self.root.display())?;
        rustix::fs::syncfs(&dir).cannot("sync", self.root.display())
    }
}

#[cfg(test)]
mod tests;
