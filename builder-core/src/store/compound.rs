//! Compound trees: several frozen parts that are one layer together.

use std::fs;
use std::os::unix::fs::DirBuilderExt;

use crate::error::{Context, Result};
use crate::oci::Digest;
use crate::store::{LayerRecord, Store, TreeId, Work};
use crate::sys::random;

/// The file that says which compound has exactly these parts.
fn key(parts: &[TreeId]) -> String {
    let names: Vec<&str> = parts.iter().map(TreeId::as_str).collect();
    Digest::of(names.join("\n").as_bytes()).hex()
}

/// How many parts are folded into one tree.
pub(crate) const FOLD: usize = 64;

impl Store {
    /// The one tree that shows what exactly these parts (the oldest first) show together, if it was made.
    pub fn fold(&self, parts: &[TreeId]) -> Option<TreeId> {
        let text = fs::read_to_string(self.fold_path(parts)).ok()?;
        TreeId::parse(&text).filter(|tree| self.has_tree(tree))
    }

    /// Notes which tree that is.
    pub fn note_fold(&self, parts: &[TreeId], tree: &TreeId) -> Result<()> {
        self.point(&self.fold_path(parts), tree)
    }

    fn fold_path(&self, parts: &[TreeId]) -> std::path::PathBuf {
        self.root.join("cache/folds").join(key(parts))
    }

    /// The compound of exactly these parts (the newest first), if there is one. No parts at all is the empty layer.
    pub fn compound(&self, parts: &[TreeId]) -> Option<TreeId> {
        let text = fs::read_to_string(self.root.join("cache/parts").join(key(parts))).ok()?;
        TreeId::parse(&text).filter(|tree| self.has_tree(tree))
    }

    /// The compound of exactly these parts, made if there is none.
    pub fn make_compound(&self, work: &Work, parts: &[TreeId]) -> Result<TreeId> {
        if let Some(tree) = self.compound(parts) {
            self.lease(work, [tree.as_str()])?;
            if self.has_tree(&tree) {
                return Ok(tree);
            }
        }
        let dir = work.dir().join(random::hex(8));
        fs::DirBuilder::new().mode(0o700).create(&dir).cannot("make", dir.display())?;
        if parts.is_empty() {
            let top = dir.join("fs");
            fs::create_dir(&top).cannot("make", top.display())?;
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(&top, open).cannot("make", top.display())?;
        }
        let record = LayerRecord { parts: parts.to_vec(), ..LayerRecord::default() };
        let tree = self.publish_tree(work, &dir, &record)?;
        self.point(&self.root.join("cache/parts").join(key(parts)), &tree)?;
        Ok(tree)
    }
}
