//! Directory trees by id: what a layer unpacked to, or what a container's upper became when it was frozen.
//!
//! `layers/<tree id>/` with `fs/` and `meta.json`; present means complete. A compound tree has no `fs/` but parts,
//! newest first: the frozen parts of a container whose merge is one layer. Which tree a layer has is kept in
//! `cache/diff` (a tree that means the same over any base) and `cache/chain` (one that is bound to the layers below).

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Result};
use crate::oci::{Descriptor, Digest};
use crate::store::{Store, Work, durable};
use crate::sys::lock::{self, Mode};
use crate::sys::random;

/// The name of a tree: 32 random hexadecimal digits. Never a diff id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct TreeId(String);

impl TreeId {
    /// A new one.
    pub fn new() -> Self {
        TreeId(random::hex(16))
    }

    /// Takes exactly 32 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 32 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        digits.then(|| TreeId(text.to_owned()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known of a tree; the file `meta.json` beside its `fs/`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LayerRecord {
    /// The trees it is the merge of, newest first; empty for a tree of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<TreeId>,
    /// The layers it was hashed as.
    #[serde(default)]
    pub exports: Vec<Export>,
    /// What it is by content, once that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<TreeContent>,
    /// Whether a file in it has several names (hard links), once that was looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked: Option<bool>,
    /// The tar-split of the tar it was unpacked from, where another storage has both; its `fs` is then a symlink to the
    /// files there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<PathBuf>,
    /// Whether a power cut may have damaged it and nothing can tell: such a tree is nothing to build on from the cache.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub doubted: bool,
}

/// What a step left, by content: equal for a step that was done again and left the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TreeContent {
    /// Over names, modes, owners, attributes, content, and modification times but for those from `since` to `until`.
    pub digest: Digest,
    /// The sum of its files, bytes.
    #[serde(default)]
    pub bytes: u64,
    /// When the build began, nanoseconds since the epoch: times from then on say only that the step was done.
    pub since: i64,
    /// When it was read, nanoseconds since the epoch.
    pub until: i64,
}

/// A tree written as a tar in one way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Export {
    /// Which way: timestamps and writer version.
    pub profile: String,
    /// The diff ids of the layers below, the lowest first, against which it is the difference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub below: Vec<Digest>,
    /// The digest of the tar.
    pub diff_id: Digest,
    /// The length of the tar, bytes.
    pub size: u64,
    /// Whose files are in it, where its tar-split is beside the tree: see [`Store::split_path`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owners: Option<Owners>,
    /// Compressed forms of it that were made: so that a target that has one is not sent it again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blobs: Vec<Packed>,
}

/// A layer in one compressed form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Packed {
    /// The blob.
    #[serde(flatten)]
    pub blob: Descriptor,
    /// The level it was compressed at, if that is not the usual one of its form; none for a blob of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<i32>,
}

impl From<Descriptor> for Packed {
    fn from(blob: Descriptor) -> Self {
        Packed { blob, level: None }
    }
}

/// Every user and group that owns something in a layer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owners {
    /// User ids.
    pub uids: BTreeSet<u32>,
    /// Group ids.
    pub gids: BTreeSet<u32>,
}

/// The chain id of `layers`, the lowest first, as the OCI image specification defines it; `None` for no layer.
pub(crate) fn chain_id(layers: &[Digest]) -> Option<Digest> {
    let (first, rest) = layers.split_first()?;
    Some(rest.iter().fold(*first, |chain, diff| Digest::of(format!("{chain} {diff}").as_bytes())))
}

impl Store {
    /// The directory of a tree; its files are in `fs` below it.
    pub fn tree_dir(&self, tree: &TreeId) -> PathBuf {
        self.find_path(self.root.join("layers").join(tree.as_str()), |other| other.tree_dir(tree))
    }

    /// The directory with a tree's files. Of no use for a compound tree.
    pub fn tree_fs(&self, tree: &TreeId) -> PathBuf {
        self.tree_dir(tree).join("fs")
    }

    /// Where the files of a container made from nothing are: nowhere.
    pub fn empty_dir(&self) -> PathBuf {
        self.root.join("empty")
    }

    /// The tar-split of a tree as the layer `diff_id`, if it was recorded: for storages that want one beside its files.
    pub fn split_path(&self, tree: &TreeId, diff_id: Digest) -> PathBuf {
        self.tree_dir(tree).join(format!("split-{}", diff_id.hex()))
    }

    /// What is known of a tree.
    pub fn tree(&self, tree: &TreeId) -> Result<LayerRecord> {
        let path = self.tree_dir(tree).join("meta.json");
        let bytes = fs::read(&path).cannot("read the layer", tree)?;
        serde_json::from_slice(&bytes).map_err(|cause| {
            Error::corrupt(format!("cannot read the layer `{tree}`"))
                .because(cause)
                .hint("mend the store with `kiln check --repair`")
        })
    }

    /// The trees with files that `tree` stands for, newest first.
    pub fn parts(&self, tree: &TreeId) -> Result<Vec<TreeId>> {
        let record = self.tree(tree)?;
        Ok(if record.parts.is_empty() { vec![tree.clone()] } else { record.parts })
    }

    /// As [`Store::parts`], but none for the tree of an empty layer, which is the compound of nothing.
    pub fn parts_or_empty(&self, tree: &TreeId) -> Result<Vec<TreeId>> {
        Ok(if self.compound(&[]).as_ref() == Some(tree) { Vec::new() } else { self.parts(tree)? })
    }

    /// Whether the tree is here and whole. One whose files are in another storage may have gone there.
    pub fn has_tree(&self, tree: &TreeId) -> bool {
        self.tree_dir(tree).join("meta.json").exists() && !self.is_lost(tree)
    }

    /// All trees, by name.
    pub(super) fn trees(&self) -> Result<Vec<TreeId>> {
        let dir = self.root.join("layers");
        let items = fs::read_dir(&dir).cannot("read", dir.display())?;
        Ok(items.flatten().filter_map(|item| TreeId::parse(item.file_name().to_str()?)).collect())
    }

    /// Changes what is known of a tree; nobody else does meanwhile, so that nothing another process has learnt is lost.
    pub fn update_tree(&self, tree: &TreeId, change: impl FnOnce(&mut LayerRecord)) -> Result<()> {
        // What another store's tree was hashed as is not ours to note.
        if !self.owns_tree(tree) {
            return Ok(());
        }
        let path = self.root.join("locks/trees");
        let _alone = lock::wait(&path, Mode::Exclusive).cannot("lock", path.display())?;
        let before = self.tree(tree)?;
        let mut record = before.clone();
        change(&mut record);
        if record == before {
            return Ok(());
        }
        let bytes = serde_json::to_vec(&record).expect("plain data");
        durable::write_lazily(&self.tree_dir(tree).join("meta.json"), &bytes)
    }

    /// Publishes the tree in `dir` (with `fs/` in it, or a compound without) under a new name.
    pub fn publish_tree(&self, work: &Work, dir: &Path, record: &LayerRecord) -> Result<TreeId> {
        let tree = TreeId::new();
        durable::write_lazily(&dir.join("meta.json"), &serde_json::to_vec(record).expect("plain data"))?;
        self.lease(work, [tree.as_str()])?;
        self.note_unsynced(&tree)?;
        fs::rename(dir, self.tree_dir(&tree)).cannot("publish the layer", &tree)?;
        Ok(tree)
    }

    /// Notes which tree a layer has, over any base or only over the `chain` it ends.
    pub fn note_layer(&self, diff_id: Digest, chain: Option<Digest>, tree: &TreeId) -> Result<()> {
        let path = match chain {
            None => self.root.join("cache/diff").join(diff_id.hex()),
            Some(chain) => self.root.join("cache/chain").join(chain.hex()),
        };
        self.point(&path, tree)
    }

    /// Writes a pointer of the cache. Not beside a prune, which reads a dead one there and then removes what has its
    /// name.
    pub(super) fn point(&self, path: &Path, tree: &TreeId) -> Result<()> {
        let _against_gc = self.lock(Mode::Shared)?;
        durable::write_lazily(path, tree.as_str().as_bytes())
    }

    /// The tree of the topmost of `layers` (the lowest first), if it is here.
    pub fn layer_tree(&self, layers: &[Digest]) -> Option<TreeId> {
        let diff = self.root.join("cache/diff").join(layers.last()?.hex());
        let chain = || chain_id(layers).map(|chain| self.root.join("cache/chain").join(chain.hex()));
        self.pointer(&diff).or_else(|| self.pointer(&chain()?)).or_else(|| self.tree_elsewhere(layers))
    }

    /// Whether the topmost of `layers` has a tree here; if so, that stays for as long as `work` goes on.
    pub fn keep_layer_tree(&self, work: &Work, layers: &[Digest]) -> Result<bool> {
        while let Some(tree) = self.layer_tree(layers) {
            self.lease(work, [tree.as_str()])?;
            // It may have gone before it was held.
            if self.layer_tree(layers) == Some(tree) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn pointer(&self, path: &Path) -> Option<TreeId> {
        read_pointer(path).filter(|tree| self.has_tree(tree))
    }
}

/// The tree that a file of `cache/diff` or `cache/chain` names.
pub(super) fn read_pointer(path: &Path) -> Option<TreeId> {
    TreeId::parse(fs::read_to_string(path).ok()?.trim())
}
