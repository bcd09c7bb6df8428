//! Trees whose files are in a storage of other programs: `fs` is a symlink to them, and nobody changes them there. They
//! may go there, and what is made of them here with them: it was removed by whoever removed them.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use crate::error::{Context, Result};
use crate::oci::Digest;
use crate::store::images::ImageEntry;
use crate::store::layers::read_pointer;
use crate::store::{LayerRecord, Store, TreeId, Work};
use crate::sys::random;

impl Store {
    /// Publishes a tree whose files, `files`, stay where they are.
    pub fn borrow_tree(&self, work: &Work, files: &Path, record: &LayerRecord) -> Result<TreeId> {
        let dir = work.dir().join(random::hex(8));
        fs::DirBuilder::new().mode(0o700).create(&dir).cannot("make", dir.display())?;
        std::os::unix::fs::symlink(files, dir.join("fs")).cannot("make", dir.display())?;
        self.publish_tree(work, &dir, record)
    }

    /// Whether the files of a tree were elsewhere, and are gone.
    pub(super) fn is_lost(&self, tree: &TreeId) -> bool {
        let files = self.tree_fs(tree);
        fs::read_link(&files).is_ok() && !files.exists()
    }

    /// Whether an image has a layer whose files were elsewhere, and are gone.
    pub(super) fn has_lost_layer(&self, layers: &[Digest]) -> bool {
        let pointer = |layer: &Digest| read_pointer(&self.root.join("cache/diff").join(layer.hex()));
        layers.iter().filter_map(pointer).any(|tree| self.is_lost(&tree))
    }

    /// Takes images out of the table whose layers went elsewhere.
    pub(super) fn forget_lost(&self) -> Result<()> {
        let lost: HashSet<TreeId> = self.trees()?.into_iter().filter(|tree| self.is_lost(tree)).collect();
        if lost.is_empty() {
            return Ok(());
        }
        let is_lost = |entry: &ImageEntry| {
            let image = self.load_image(entry.clone());
            image.is_ok_and(|image| self.has_lost_layer(&image.config.rootfs.diff_ids))
        };
        for entry in self.image_entries()?.into_iter().filter(|entry| !entry.is_list()).filter(is_lost) {
            self.remove_image(entry.id, |_| true)?;
        }
        Ok(())
    }
}
