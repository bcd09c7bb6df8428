//! The store: the only module that knows paths below the root directory.
//!
//! Invariants: nothing half-done has a name (content first, rename, pointer last); what a living process uses is named
//! in a lease; `gc` takes only what no image, container, cache record or lease names. The directory layout is in
//! `builder-core/README.md`.

mod blobs;
mod borrowed;
mod cache_mounts;
mod check;
mod compound;
pub(crate) mod containers;
mod durable;
pub(crate) mod export;
mod gc;
pub(crate) mod images;
pub(crate) mod layers;
pub(crate) mod lists;
mod names;
mod others;
pub(crate) mod steps;
mod tag_table;
mod usage;
mod work;

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Kind, Result};
use crate::settings::Settings;
use crate::sys::lock::{self, Lock, Mode};
use crate::tree::Marks;

pub(crate) use cache_mounts::CacheUse;
pub use check::{CheckOptions, CheckReport, Finding};
pub(crate) use compound::FOLD;
pub(crate) use containers::{ContainerGuard, ContainerRecord, LogEntry, Logged, NewContainer};
pub use gc::Reclaimed;
pub(crate) use layers::{LayerRecord, TreeId};
pub(crate) use steps::{Field, Outcome, Printed, Step, StepKind, StepRecord};
pub use usage::{Forgotten, Keep, Usage};
pub(crate) use work::Work;

/// The number in `version`: one store format, one number.
const FORMAT: u32 = 1;

/// One store, opened.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
    form: Marks,
    sync_full: bool,
    /// Stores whose images are used in place.
    others: Vec<others::Other>,
}

/// The content of the file `version`.
#[derive(Debug, Serialize, Deserialize)]
struct Version {
    format: u32,
    /// Which overlay marks its trees carry: `trusted` (written by root), `user`, or `names` where a file system takes
    /// neither.
    trees: String,
}

impl Store {
    /// Opens the store, making it if it does not exist. `form` is the form of overlay marks this process can write.
    pub fn open(settings: &Settings, form: Marks) -> Result<Self> {
        let root = settings.root.clone();
        let (readable, form) = match read_version(&root, form) {
            Err(error) if error.kind() == Kind::NotFound => {
                make(&root, form).map_err(|error| {
                    error.hint("name a directory you may write to with --root DIR or KILN_ROOT=DIR")
                })?;
                read_version(&root, form)?
            }
            read => read?,
        };
        readable?;
        let others = settings.read_only_stores.iter().filter(|other| **other != root);
        let others = others.map(|other| others::Other::open(other, form)).collect::<Result<_>>()?;
        let store = Store { root, form, sync_full: settings.sync_full, others };
        store.settle()?;
        Ok(store)
    }

    /// Where the store is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where its locks are.
    pub fn locks(&self) -> PathBuf {
        self.root.join("locks")
    }

    /// Which overlay marks its trees carry.
    pub fn form(&self) -> Marks {
        self.form
    }

    /// Holds the store against `gc` (shared) or for it (exclusive). Kept for milliseconds only.
    fn lock(&self, mode: Mode) -> Result<Lock> {
        let path = self.root.join("locks/store");
        lock::wait(&path, mode).cannot("lock", path.display())
    }
}

/// Where networks are noted that are kept for later commands of the store at `root`.
pub(crate) fn networks(root: &Path) -> PathBuf {
    root.join("networks")
}

/// The form of marks that the trees of a store carry, and whether that is one this process, which writes `form`, works
/// with.
fn read_version(root: &Path, form: Marks) -> Result<(Result<()>, Marks)> {
    let version = fs::read(root.join("version"))
        .cannot("open the store", root.display())
        .map_err(|error| error.hint("name a store of your own with --root DIR or KILN_ROOT=DIR"))?;
    let sentence = format!("cannot open the store `{}`", root.display());
    let version: Version = serde_json::from_slice(&version).map_err(|cause| {
        Error::corrupt(sentence.clone()).because(cause).hint("name another store with --root DIR")
    })?;
    if version.format > FORMAT {
        return Err(Error::new(Kind::Unsupported, sentence)
            .because(format!("its format is {}, this program knows formats up to {FORMAT}", version.format))
            .hint("use the newer kiln that made it, or another store with --root DIR"));
    }
    let forms = [Marks::Names, Marks::User, Marks::Trusted];
    let found = forms.into_iter().find(|known| form_name(*known) == version.trees);
    // A file system that takes no other marks has those by names from whoever works on it.
    let fits = found == Some(form) || found == Some(Marks::Names);
    let unfit = || {
        Error::new(Kind::Unsupported, sentence)
            .because(format!(
                "its trees carry {} overlay marks, and this process works with {} ones",
                version.trees,
                form_name(form)
            ))
            .hint("run as the user who made it, or name another store with --root DIR")
    };
    Ok((if fits { Ok(()) } else { Err(unfit()) }, found.unwrap_or(Marks::None)))
}

fn form_name(form: Marks) -> &'static str {
    match form {
        Marks::User => "user",
        Marks::Names => "names",
        Marks::Trusted | Marks::None => "trusted",
    }
}

/// Makes the directories, then the version file that says they are all there.
fn make(root: &Path, form: Marks) -> Result<()> {
    let mut private = fs::DirBuilder::new();
    private.recursive(true).mode(0o700);
    for dir in [
        "images/blobs/sha256",
        "layers",
        "containers",
        "names",
        "cache/diff",
        "cache/chain",
        "cache/parts",
        "cache/folds",
        "cache/steps",
        "cache/near",
        "cache/inputs",
        "cache/stat",
        "locks",
        "tmp",
        "trash",
        "unsynced",
        "empty",
    ] {
        let path = root.join(dir);
        private.create(&path).cannot("make the store's directory", path.display())?;
    }
    // An overlay over it shows this mode at the top of a container made from nothing.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(root.join("empty"), open).cannot("make the store", root.display())?;
    let _alone = lock::wait(&root.join("locks/images"), Mode::Exclusive).cannot("lock", root.display())?;
    if root.join("version").exists() {
        return Ok(());
    }
    durable::write(&root.join("images/oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    durable::write(
        &root.join("images/index.json"),
        &serde_json::to_vec(&crate::oci::Index::default()).expect("plain data"),
    )?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let place = rustix::fs::open(root.join("tmp"), flags, rustix::fs::Mode::empty());
    let place = place.cannot("open", root.join("tmp").display())?;
    let form = if form.can_be_made(place.as_fd()) { form } else { Marks::Names };
    let version = Version { format: FORMAT, trees: form_name(form).into() };
    durable::write(&root.join("version"), &serde_json::to_vec(&version).expect("plain data"))
}

#[cfg(test)]
mod tests;
