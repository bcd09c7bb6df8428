//! Working containers: `containers/<id>/` with `container.json`, the upper and what overlay needs beside it.
//!
//! The upper is `upper/fs`, so that freezing is one rename: `upper/` becomes `layers/<tree id>/`. The record names the
//! tree before that rename (`pending`); whoever opens a container finds the tree there, or the upper still in place.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Kind, Result};
use crate::oci::{ConfigEdit, Digest, Format};
use crate::store::{LayerRecord, Step, Store, TreeId, Work, durable};
use crate::sys::lock::{self, Lock, Mode};
use crate::sys::random;

/// What a container is made of; the file `container.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ContainerRecord {
    /// 64 random hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was made, nanoseconds since the epoch: a script makes several in one second, and lists have an order.
    pub created: i64,
    /// The image it started from; none for one made from nothing.
    pub base: Option<Base>,
    /// In which format a commit writes, unless told otherwise.
    #[serde(default)]
    pub format: Format,
    /// Frozen parts over the base, the oldest first.
    #[serde(default)]
    pub frozen: Vec<TreeId>,
    /// The tree its upper is being renamed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<TreeId>,
    /// Whether its upper is to be made anew, whatever is in it: what it lies on was exchanged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub renew: bool,
    /// How commands run in it, as the verb that runs them wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<serde_json::Value>,
    /// What was done, in order.
    #[serde(default)]
    pub log: Vec<LogEntry>,
    /// Whether each verb is a step, taken from the cache where it is known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    /// The storage of other programs that knows of it, because it has files there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leased: Option<PathBuf>,
}

/// What a new container is to be.
#[derive(Debug, Clone, Default)]
pub(crate) struct NewContainer {
    /// Its name, or what it is named after.
    pub name: String,
    /// Whether it is to have just that name.
    pub exact: bool,
    /// The image it starts from.
    pub base: Option<Base>,
    /// In which format a commit writes, unless told otherwise.
    pub format: Format,
    /// See [`ContainerRecord::run`].
    pub run: Option<serde_json::Value>,
    /// When it is made, nanoseconds since the epoch.
    pub created: i64,
    /// Whether each verb is a step, taken from the cache where it is known.
    pub cached: bool,
    /// Frozen parts over the base, the oldest first.
    pub frozen: Vec<TreeId>,
    /// What was done.
    pub log: Vec<LogEntry>,
    /// The id it has, where a storage of other programs was told of it, and that storage's directory.
    pub leased: Option<(String, PathBuf)>,
}

/// The image a container started from, kept though its name may move or go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Base {
    /// The full name it was asked for by.
    pub name: String,
    /// The image id.
    pub id: Digest,
    /// Its manifest.
    pub manifest: Digest,
    /// Its layers by diff id, the lowest first.
    pub layers: Vec<Digest>,
}

/// One step of a container's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct LogEntry {
    /// When, seconds since the epoch.
    pub at: i64,
    /// What.
    pub did: Logged,
}

/// What a step did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Logged {
    /// Edited the configuration.
    Config(Vec<ConfigEdit>),
    /// Did something that the image's history shall show, as this line.
    History(String),
    /// Froze the upper into this tree, or took this tree from the cache.
    Froze(TreeId),
    /// Began a step of a cached container; what follows, up to the next, is what it did.
    Step(Box<Step>),
}

/// A container held by this process: nobody else changes its record meanwhile. The lock goes with the guard.
#[derive(Debug)]
pub(crate) struct ContainerGuard {
    /// The record; [`ContainerGuard::save`] writes it.
    pub record: ContainerRecord,
    dir: PathBuf,
    _lock: Lock,
}

/// The largest record read: a log of a few hundred thousand steps.
const MAX_RECORD: u64 = 64 << 20;

impl Store {
    /// Makes a container.
    pub fn make_container(&self, work: &Work, new: NewContainer) -> Result<ContainerRecord> {
        let NewContainer { name, exact, base, format, run, created, cached, frozen, log, leased } = new;
        let (id, leased) = leased.map_or_else(|| (random::hex(32), None), |(id, by)| (id, Some(by)));
        let making = work.dir().join(&id);
        let mut private = fs::DirBuilder::new();
        private.mode(0o700);
        for dir in [making.clone(), making.join("upper"), making.join("work")] {
            private.create(&dir).cannot("make", dir.display())?;
        }
        let layers = base.as_ref().map(|base| base.layers.as_slice()).unwrap_or_default();
        self.make_upper(&making, layers, &frozen)?;
        let lock_path = self.root.join("locks/containers");
        let _alone = lock::wait(&lock_path, Mode::Exclusive).cannot("lock", lock_path.display())?;
        let name = self.free_name(&name, exact)?;
        let record = ContainerRecord {
            id,
            name,
            created,
            base,
            format,
            frozen,
            pending: None,
            renew: false,
            log,
            cached,
            run,
            leased,
        };
        write_record(&making, &record)?;
        // The name first: one whose container does not exist is free, so nothing is lost between the two.
        self.claim_name(&record.name, &record.id)?;
        fs::rename(&making, self.container_dir(&record.id)).cannot("make the container", &record.name)?;
        Ok(record)
    }

    /// All containers, the oldest first.
    pub fn containers(&self) -> Result<Vec<ContainerRecord>> {
        let dir = self.root.join("containers");
        let mut found = Vec::new();
        for item in fs::read_dir(&dir).cannot("read", dir.display())? {
            let item = item.cannot("read", dir.display())?;
            match read_record(&item.path()) {
                Ok(record) => found.push(record),
                // Removed while we looked.
                Err(error) if error.kind() == Kind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        found.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
        Ok(found)
    }

    /// The container that `text` names: by name, by id, by the beginning of an id.
    pub fn find_container(&self, text: &str) -> Result<ContainerRecord> {
        let sentence = || format!("cannot find the container `{text}`");
        if let Some(record) = self.named(text) {
            return Ok(record);
        }
        let is_hex = !text.is_empty() && text.bytes().all(|c| c.is_ascii_hexdigit());
        if is_hex && text.len() == 64 {
            return read_record(&self.container_dir(text)).map_err(|error| match error.kind() {
                Kind::NotFound => unknown(sentence()),
                _ => error,
            });
        }
        let mut found =
            self.containers()?.into_iter().filter(|c| c.name == text || (is_hex && c.id.starts_with(text)));
        let first = found.next().ok_or_else(|| unknown(sentence()))?;
        if first.name != text && found.next().is_some() {
            return Err(Error::invalid(sentence())
                .because("more than one container id begins so")
                .hint("give more digits; `kiln containers --notruncate` shows them"));
        }
        Ok(first)
    }

    /// Holds a container, waiting for whoever has it. A freeze that was cut short is finished or forgotten first.
    pub fn hold_container(&self, text: &str) -> Result<ContainerGuard> {
        let found = self.find_container(text)?;
        let dir = self.container_dir(&found.id);
        let lock = lock::wait(&dir.join("lock"), Mode::Exclusive).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => unknown(format!("cannot find the container `{text}`")),
            _ => Error::new(Kind::Io, format!("cannot lock the container `{text}`")).because(error),
        })?;
        let record = read_record(&dir)?;
        let mut guard = ContainerGuard { record, dir, _lock: lock };
        self.finish_freeze(&mut guard)?;
        Ok(guard)
    }

    /// Gives a held container another name.
    pub fn rename_container(&self, guard: &mut ContainerGuard, name: &str) -> Result<()> {
        let lock_path = self.root.join("locks/containers");
        let _alone = lock::wait(&lock_path, Mode::Exclusive).cannot("lock", lock_path.display())?;
        let new = self.free_name(name, true)?;
        // Until the record has it too, the name is free.
        self.claim_name(&new, &guard.record.id)?;
        let old = std::mem::replace(&mut guard.record.name, new);
        guard.save()?;
        self.release_name(&old, &guard.record.id)
    }

    /// Removes a held container and its upper. Its frozen parts and base go with `gc`, if nothing else has them.
    pub fn remove_container(&self, guard: &ContainerGuard) -> Result<()> {
        let lock_path = self.root.join("locks/containers");
        let alone = lock::wait(&lock_path, Mode::Exclusive).cannot("lock", lock_path.display())?;
        let gone = self.root.join("trash").join(random::hex(8));
        fs::rename(&guard.dir, &gone).cannot("remove the container", &guard.record.name)?;
        // Only now: as long as the container is there its name must not look free.
        self.release_name(&guard.record.name, &guard.record.id)?;
        drop(alone);
        super::work::remove_tree(&gone)
    }

    /// Freezes the upper of a held container into a tree, if anything is in it, and gives the container a fresh one.
    ///
    /// The caller has made sure that nothing has the upper mounted.
    pub fn freeze(&self, work: &Work, guard: &mut ContainerGuard) -> Result<Option<TreeId>> {
        if self.is_untouched(guard)? {
            return Ok(None);
        }
        let tree = TreeId::new();
        // A prune may have read our record before it named the tree.
        self.lease(work, [tree.as_str()])?;
        let record = serde_json::to_vec(&LayerRecord::default()).expect("plain data");
        durable::write_lazily(&guard.dir.join("upper/meta.json"), &record)?;
        self.note_unsynced(&tree)?;
        guard.record.pending = Some(tree.clone());
        guard.save()?;
        fs::rename(guard.dir.join("upper"), self.tree_dir(&tree))
            .cannot("freeze the container", &guard.record.name)?;
        self.finish_freeze(guard)?;
        Ok(Some(tree))
    }

    /// Puts a tree that is there, and leased, on a held container, as if its upper had been frozen into it. What is in
    /// the upper goes.
    pub fn adopt(&self, guard: &mut ContainerGuard, tree: &TreeId) -> Result<()> {
        guard.record.pending = Some(tree.clone());
        guard.save()?;
        self.finish_freeze(guard)
    }

    /// Takes a held container back to the first `entries` of its log. What is in the upper goes.
    pub fn rewind(&self, guard: &mut ContainerGuard, entries: usize) -> Result<()> {
        guard.record.log.truncate(entries);
        guard.record.frozen = frozen_of(&guard.record.log);
        guard.record.renew = true;
        guard.save()?;
        self.finish_freeze(guard)
    }

    /// A container that lives as long as `work` does: nothing lists it, and it is swept.
    pub fn make_passing(
        &self,
        work: &Work,
        like: &ContainerRecord,
        entries: usize,
    ) -> Result<ContainerGuard> {
        let log = like.log[..entries].to_vec();
        let record = ContainerRecord {
            id: random::hex(32),
            frozen: frozen_of(&log),
            pending: None,
            renew: false,
            log,
            cached: false,
            ..like.clone()
        };
        let base = record.base.as_ref().map(|base| base.manifest.hex());
        self.lease(work, record.frozen.iter().map(TreeId::as_str).chain(base.as_deref()))?;
        let dir = work.dir().join(&record.id);
        let mut private = fs::DirBuilder::new();
        private.mode(0o700);
        for dir in [dir.clone(), dir.join("upper"), dir.join("work")] {
            private.create(&dir).cannot("make", dir.display())?;
        }
        let layers = record.base.as_ref().map(|base| base.layers.clone()).unwrap_or_default();
        self.make_upper(&dir, &layers, &record.frozen)?;
        write_record(&dir, &record)?;
        let lock = lock::wait(&dir.join("lock"), Mode::Exclusive).cannot("lock", dir.display())?;
        Ok(ContainerGuard { record, dir, _lock: lock })
    }

    /// Whether the upper of a held container says nothing that the layers below do not.
    pub fn is_untouched(&self, guard: &ContainerGuard) -> Result<bool> {
        let upper = guard.upper();
        if fs::read_dir(&upper).cannot("read", upper.display())?.next().is_some() {
            return Ok(false);
        }
        let base = guard.record.base.as_ref().map(|base| base.layers.as_slice()).unwrap_or_default();
        let below = self.top_below(base, &guard.record.frozen);
        let looks = |dir: &Path| fs::metadata(dir).map(|meta| (meta.mode(), meta.uid(), meta.gid()));
        Ok(looks(&upper).cannot("read", upper.display())? == looks(&below).cannot("read", below.display())?)
    }

    /// The directory that is the top directory below an upper.
    fn top_below(&self, base: &[Digest], frozen: &[TreeId]) -> PathBuf {
        let tree = match frozen.last() {
            Some(tree) => Some(tree.clone()),
            None => self.layer_tree(base).and_then(|tree| self.parts(&tree).ok()?.into_iter().next()),
        };
        tree.map_or_else(|| self.empty_dir(), |tree| self.tree_fs(&tree))
    }

    /// Brings a container to rest whose freeze was cut short at any point; does nothing to one that is at rest.
    fn finish_freeze(&self, guard: &mut ContainerGuard) -> Result<()> {
        let pending = guard.record.pending.take();
        let renew = std::mem::take(&mut guard.record.renew);
        let frozen = pending.as_ref().filter(|tree| self.has_tree(tree)).cloned();
        if frozen.is_some() || renew {
            // A tree that was frozen left none; what is there was found equal to one that is taken in its place.
            self.discard(&guard.dir.join("upper"))?;
        }
        if frozen.is_some() || !guard.dir.join("upper/fs").exists() {
            let base = guard.record.base.as_ref().map(|base| base.layers.clone()).unwrap_or_default();
            let mut parts = guard.record.frozen.clone();
            parts.extend(frozen.clone());
            self.make_upper(&guard.dir, &base, &parts)?;
        }
        if pending.is_none() && !renew {
            return Ok(());
        }
        if let Some(tree) = frozen {
            let at = guard.record.log.last().map_or(guard.record.created / 1_000_000_000, |entry| entry.at);
            guard.record.log.push(LogEntry { at, did: Logged::Froze(tree.clone()) });
            guard.record.frozen.push(tree);
        }
        guard.save()
    }

    /// Makes `upper/fs` in a container's directory; the top directory looks as it does in the layers below.
    fn make_upper(&self, dir: &Path, base: &[Digest], frozen: &[TreeId]) -> Result<()> {
        let upper = dir.join("upper");
        let fresh = dir.join(format!(".upper.{}", random::hex(4)));
        let mut private = fs::DirBuilder::new();
        private.recursive(true).mode(0o700);
        private.create(fresh.join("fs")).cannot("make", fresh.display())?;
        copy_looks(&self.top_below(base, frozen), &fresh.join("fs")).cannot("make", fresh.display())?;
        // What was there is an upper without files: one made before and then not written down, or a leftover without
        // `fs`. One with files is never removed so.
        let _ = fs::remove_file(upper.join("meta.json"));
        let _ = fs::remove_dir(upper.join("fs"));
        let _ = fs::remove_dir(&upper);
        fs::rename(&fresh, &upper).cannot("make", upper.display())
    }

    /// The directory of a container.
    pub fn container_dir(&self, id: &str) -> PathBuf {
        self.root.join("containers").join(id)
    }
}

/// The trees that a log says were frozen, the oldest first.
pub(crate) fn frozen_of(log: &[LogEntry]) -> Vec<TreeId> {
    let frozen = |entry: &LogEntry| match &entry.did {
        Logged::Froze(tree) => Some(tree.clone()),
        _ => None,
    };
    log.iter().filter_map(frozen).collect()
}

/// Gives `made` the owner, mode and modification time of the directory `like`.
fn copy_looks(like: &Path, made: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    // A layer's top may be a link to files that are in another storage.
    let looks = fs::metadata(like)?;
    std::os::unix::fs::lchown(made, Some(looks.uid()), Some(looks.gid()))?;
    fs::set_permissions(made, fs::Permissions::from_mode(looks.mode() & 0o7777))?;
    fs::File::open(made)?.set_modified(looks.modified()?)
}

fn unknown(sentence: String) -> Error {
    Error::new(Kind::NotFound, sentence)
        .because("no container in the store has this name or id")
        .hint("see what there is with `kiln containers`")
}

pub(super) fn read_record(dir: &Path) -> Result<ContainerRecord> {
    let path = dir.join("container.json");
    let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let size = fs::metadata(&path).cannot("read the container", &name)?.len();
    if size > MAX_RECORD {
        return Err(
            Error::corrupt(format!("cannot read the container `{name}`")).because("its record is too large")
        );
    }
    let bytes = fs::read(&path).cannot("read the container", &name)?;
    serde_json::from_slice(&bytes).map_err(|cause| {
        Error::corrupt(format!("cannot read the container `{name}`"))
            .because(cause)
            .hint("mend the store with `kiln check --repair`")
    })
}

fn write_record(dir: &Path, record: &ContainerRecord) -> Result<()> {
    durable::write_lazily(&dir.join("container.json"), &serde_json::to_vec(record).expect("plain data"))
}

impl ContainerGuard {
    /// Writes the record.
    pub fn save(&self) -> Result<()> {
        write_record(&self.dir, &self.record)
    }

    /// Where the container's changes are written.
    pub fn upper(&self) -> PathBuf {
        self.dir.join("upper/fs")
    }

    /// Overlay's scratch directory, on the same file system.
    pub fn overlay_work(&self) -> PathBuf {
        self.dir.join("work")
    }

    /// Where `mount` shows the container.
    pub fn merged(&self) -> PathBuf {
        self.dir.join("merged")
    }

    /// The container's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}
