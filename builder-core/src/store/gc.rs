//! Removing what nothing names any more: trees, blobs, dangling pointers, the work of the dead.
//!
//! The store's lock is held alone only while references are read and names renamed into the trash; a build of an hour
//! never blocks a prune, and what a living process uses stays because its lease names it.

use std::collections::HashSet;
use std::fs;

use crate::error::{Context, Result};
use crate::oci::{Digest, ImageConfig, Index, MAX_MANIFEST, Manifest};
use crate::store::{FOLD, Store, TreeId, durable};
use crate::sys::lock::{self, Lock, Mode};

/// What `gc` took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reclaimed {
    /// Directory trees.
    pub trees: usize,
    /// Blobs.
    pub blobs: usize,
}

/// Everything that images, containers and leases name.
#[derive(Debug, Default)]
pub(super) struct Reachable {
    pub trees: HashSet<TreeId>,
    pub blobs: HashSet<Digest>,
}

impl Store {
    /// Takes away what no image, container or lease names.
    pub fn gc(&self) -> Result<Reclaimed> {
        self.sweep()?;
        self.sweep_locks()?;
        self.forget_lost()?;
        let mut taken = Reclaimed::default();
        {
            let _alone = self.lock(Mode::Exclusive)?;
            let kept = self.reachable()?;
            for tree in self.trees()?.into_iter().filter(|tree| !kept.trees.contains(tree)) {
                self.trash(&self.tree_dir(&tree))?;
                taken.trees += 1;
            }
            for blob in self.blobs()?.into_iter().filter(|blob| !kept.blobs.contains(blob)) {
                self.trash(&self.blob_path(blob))?;
                taken.blobs += 1;
            }
            self.remove_dangling()?;
            self.remove_dangling_steps()?;
        }
        self.empty_trash()?;
        Ok(taken)
    }

    /// Removes lock files that are made for one thing each, and that nobody holds: of steps and layers that the killed
    /// were about to make, of sessions that have ended, of caches, of places in volumes. Who waits for one sees that it
    /// is gone, and makes it again.
    fn sweep_locks(&self) -> Result<()> {
        let dir = self.locks();
        let _asking = self.ask_for_sessions()?;
        for item in fs::read_dir(&dir).cannot("read", dir.display())?.flatten() {
            let name = item.file_name();
            let is_passing = |kind: &str| name.as_encoded_bytes().starts_with(kind.as_bytes());
            if ["step-", "layer-", "session-", "cache-", "point-"].into_iter().any(is_passing)
                && let Ok(Some(_ours)) = lock::attempt(&item.path(), Mode::Exclusive)
            {
                let _ = fs::remove_file(item.path());
            }
        }
        Ok(())
    }

    /// What is held by who tries the locks of sessions: so that a session's lock is never busy for another reason than
    /// that the session lives.
    pub fn ask_for_sessions(&self) -> Result<Lock> {
        let path = self.root.join("locks/sessions");
        lock::wait(&path, Mode::Exclusive).cannot("lock", path.display())
    }

    /// The trees that something but a recorded step names.
    pub(super) fn named_elsewhere(&self) -> Result<HashSet<TreeId>> {
        Ok(self.named_things()?.trees)
    }

    /// What is named, recorded steps' trees among them.
    pub(super) fn reachable(&self) -> Result<Reachable> {
        let mut kept = self.named_things()?;
        for (key, _) in self.steps()? {
            if let Some(tree) = self.step(key).and_then(|record| record.tree) {
                self.keep_tree(&mut kept, tree);
            }
        }
        Ok(kept)
    }

    /// What is named but for by recorded steps. The order matters: whoever publishes a reference drops its lease only
    /// afterwards, so leases are read before containers, and containers before images.
    fn named_things(&self) -> Result<Reachable> {
        let mut kept = Reachable::default();
        for name in self.leased()? {
            if let Some(tree) = TreeId::parse(&name) {
                self.keep_tree(&mut kept, tree);
            } else if let Some(blob) = Digest::from_hex(&name) {
                kept.blobs.insert(blob);
                self.keep_manifest(&mut kept, blob);
            }
        }
        for container in self.containers()? {
            let folds = container.frozen.chunks_exact(FOLD).filter_map(|group| self.fold(group));
            kept.trees.extend(folds);
            for tree in container.frozen.into_iter().chain(container.pending) {
                self.keep_tree(&mut kept, tree);
            }
            if let Some(base) = container.base {
                self.keep_manifest(&mut kept, base.manifest);
                self.keep_layers(&mut kept, &base.layers);
            }
        }
        for descriptor in self.read_index()?.manifests {
            self.keep_manifest(&mut kept, descriptor.digest);
        }
        Ok(kept)
    }

    fn keep_tree(&self, kept: &mut Reachable, tree: TreeId) {
        if let Ok(record) = self.tree(&tree) {
            kept.trees.extend(record.parts);
        }
        kept.trees.insert(tree);
    }

    fn keep_layers(&self, kept: &mut Reachable, layers: &[Digest]) {
        for end in 1..=layers.len() {
            if let Some(tree) = self.layer_tree(&layers[..end]) {
                self.keep_tree(kept, tree);
            }
        }
    }

    /// Keeps a manifest and all it names, if that blob is one; what cannot be read is `check`'s business.
    fn keep_manifest(&self, kept: &mut Reachable, digest: Digest) {
        kept.blobs.insert(digest);
        let small = fs::metadata(self.blob_path(digest)).is_ok_and(|meta| meta.len() <= MAX_MANIFEST);
        let Some(bytes) = small.then(|| self.read_blob(digest, MAX_MANIFEST).ok()).flatten() else { return };
        let Ok(manifest) = Manifest::parse(&bytes) else {
            // An index: what it names may be here, too. Each is followed once.
            let named = Index::parse(&bytes).map(|index| index.manifests).unwrap_or_default();
            for entry in named {
                if !kept.blobs.contains(&entry.digest) && self.has_blob(entry.digest) {
                    self.keep_manifest(kept, entry.digest);
                }
            }
            return;
        };
        kept.blobs.insert(manifest.config.digest);
        kept.blobs.extend(manifest.layers.iter().map(|layer| layer.digest));
        let Ok(config) = self.read_blob(manifest.config.digest, MAX_MANIFEST) else { return };
        if let Ok(config) = serde_json::from_slice::<ImageConfig>(&config) {
            self.keep_layers(kept, &config.rootfs.diff_ids);
        }
    }

    /// Removes records of steps whose tree is gone, and what only they named.
    fn remove_dangling_steps(&self) -> Result<()> {
        let mut lists = HashSet::new();
        for (key, _) in self.steps()? {
            match self.step(key).filter(|record| record.tree.as_ref().is_none_or(|tree| self.has_tree(tree)))
            {
                Some(record) => lists.extend(
                    record.fields.iter().filter(|field| field.listed).map(|field| field.digest.hex()),
                ),
                None => self.forget_step(key),
            }
        }
        let known = |name: &str| self.root.join("cache/steps").join(name).exists();
        for (dir, pointers) in [("cache/inputs", false), ("cache/near", true)] {
            let dir = self.root.join(dir);
            for item in fs::read_dir(&dir).cannot("read", dir.display())?.flatten() {
                let wanted = match pointers {
                    true => fs::read_to_string(item.path()).is_ok_and(|key| known(key.trim())),
                    false => item.file_name().to_str().is_some_and(|name| lists.contains(name)),
                };
                let temporary = item.file_name().as_encoded_bytes().starts_with(b".");
                if !wanted && (!temporary || durable::is_abandoned(&item.path())) {
                    let _ = fs::remove_file(item.path());
                }
            }
        }
        Ok(())
    }

    /// Removes cache pointers to trees that are gone, and files that a killed process was about to rename.
    fn remove_dangling(&self) -> Result<()> {
        for dir in ["cache/diff", "cache/chain", "cache/parts", "cache/folds", "names", "images"] {
            let pointers = dir.starts_with("cache/");
            let dir = self.root.join(dir);
            for item in fs::read_dir(&dir).cannot("read", dir.display())?.flatten() {
                if item.file_name().as_encoded_bytes().starts_with(b".") {
                    if durable::is_abandoned(&item.path()) {
                        let _ = fs::remove_file(item.path());
                    }
                    continue;
                }
                if !pointers {
                    continue;
                }
                let tree = fs::read_to_string(item.path()).ok().and_then(|text| TreeId::parse(text.trim()));
                if tree.is_none_or(|tree| !self.has_tree(&tree)) {
                    let _ = fs::remove_file(item.path());
                }
            }
        }
        Ok(())
    }
}
