//! Other stores, whose images are used in place: their blobs and trees are read where they are.
//!
//! Nothing of theirs is changed. Where we may write there, a lease keeps their prune from what is used meanwhile;
//! containers that outlive this process are not known to it. Marks of another form mean nothing to us: from a store
//! with such trees only blobs are taken, and unpacked anew.

use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};
use crate::oci::Digest;
use crate::store::images::ImageEntry;
use crate::store::{Store, TreeId, Work, read_version};
use crate::tree::Marks;

/// One of them.
#[derive(Debug)]
pub(super) struct Other {
    store: Store,
    /// Ours there, for leases; none where we may not write.
    work: Option<Work>,
}

impl Other {
    /// Opens the store at `root`, which is there.
    pub(super) fn open(root: &Path, form: Marks) -> Result<Self> {
        let (_, trees) = read_version(root, form)?;
        let store = Store { root: root.to_owned(), form: trees, sync_full: false, others: Vec::new() };
        let work = store.work_beside().ok();
        Ok(Other { store, work })
    }
}

impl Store {
    /// The images of the other stores whose names are not taken by ours or by one before.
    pub fn other_images(&self) -> Result<Vec<ImageEntry>> {
        let mut seen = self.image_entries()?;
        let own = seen.len();
        for other in &self.others {
            for mut entry in other.store.image_entries()? {
                entry.names.retain(|name| !seen.iter().any(|known| known.names.contains(name)));
                if !seen.iter().any(|known| known.id == entry.id) {
                    seen.push(entry);
                }
            }
        }
        Ok(seen.split_off(own))
    }

    /// The image that `text` names in one of the other stores; `missing` if none has it.
    pub(super) fn find_elsewhere(&self, text: &str, missing: Error) -> Result<ImageEntry> {
        for other in &self.others {
            match other.store.find_image(text) {
                Err(error) if error.kind() == Kind::NotFound => {}
                found => return found,
            }
        }
        Err(missing)
    }

    /// Refuses to change an image that is not ours.
    pub fn refuse_elsewhere(&self, verb: &str, text: &str, id: Digest) -> Result<()> {
        if self.others.is_empty() || self.image_entries()?.iter().any(|entry| entry.id == id) {
            return Ok(());
        }
        let place = self.others.iter().find(|other| other.store.find_image(text).is_ok());
        let place = place.map(|other| other.store.root.display().to_string()).unwrap_or_default();
        Err(Error::new(Kind::Denied, format!("cannot {verb} the image `{text}`"))
            .because("it is in an additional store, which is never written")
            .hint(format!("do it in that store: kiln --root {place} …")))
    }

    /// As [`Store::lease`], in the other stores.
    pub(super) fn lease_elsewhere(&self, names: &[&str]) -> Result<()> {
        for other in &self.others {
            if let Some(work) = &other.work {
                other.store.lease(work, names.iter().copied())?;
            }
        }
        Ok(())
    }

    /// Where `own`, a path below our root, is in the first store that has it; `own` if none does.
    pub(super) fn find_path(&self, own: PathBuf, below: impl Fn(&Store) -> PathBuf) -> PathBuf {
        if self.others.is_empty() || own.exists() {
            return own;
        }
        let elsewhere = self.others.iter().map(|other| below(&other.store)).find(|path| path.exists());
        elsewhere.unwrap_or(own)
    }

    /// The tree that the topmost of `layers` has in a store whose trees we can read.
    pub(super) fn tree_elsewhere(&self, layers: &[Digest]) -> Option<TreeId> {
        let readable = self.others.iter().filter(|other| other.store.form == self.form);
        readable.filter_map(|other| other.store.layer_tree(layers)).next()
    }

    /// Whether the tree is in our own directory.
    pub(super) fn owns_tree(&self, tree: &TreeId) -> bool {
        self.others.is_empty() || self.root.join("layers").join(tree.as_str()).exists()
    }
}
