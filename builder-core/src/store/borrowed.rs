//! Trees whose files are in a storage of other programs: `fs` is a symlink to them, and nobody changes them there. They
//! may go there, and what is made of them here with them: it was removed by whoever removed them.
//!
//! Before a storage is told of a container that will use its files, that is written down here (`loans/<id>`, locked by
//! who makes it): the note there would keep an image for ever if its container never came to be.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::error::{Context, Result};
use crate::oci::Digest;
use crate::store::images::ImageEntry;
use crate::store::layers::read_pointer;
use crate::store::{LayerRecord, Store, TreeId, Work};
use crate::sys::lock::{self, Lock, Mode};
use crate::sys::random;

/// A container that a storage is told of before it is made.
#[derive(Debug)]
pub(crate) struct Loan {
    /// The container's id.
    pub id: String,
    /// The storage; none if the loan had hardly begun, and nobody was told of it.
    pub storage: Option<PathBuf>,
    path: PathBuf,
    _lock: Lock,
}

impl Loan {
    /// Ends it: the container is made, or the storage knows nothing of it any more.
    pub fn end(self) -> Result<()> {
        fs::remove_file(&self.path).cannot("remove", self.path.display())
    }
}

impl Store {
    /// Publishes a tree whose files, `files`, stay where they are.
    pub fn borrow_tree(&self, work: &Work, files: &Path, record: &LayerRecord) -> Result<TreeId> {
        let dir = work.dir().join(random::hex(8));
        fs::DirBuilder::new().mode(0o700).create(&dir).cannot("make", dir.display())?;
        std::os::unix::fs::symlink(files, dir.join("fs")).cannot("make", dir.display())?;
        self.publish_tree(work, &dir, record)
    }

    /// Begins a loan: the storage may be told of the container `id`.
    pub fn begin_loan(&self, id: &str, storage: &Path) -> Result<Loan> {
        use std::os::unix::ffi::OsStrExt;
        let loans = self.root.join("loans");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&loans).cannot("make", loans.display())?;
        let path = loans.join(id);
        let lock = lock::wait(&path, Mode::Exclusive).cannot("lock", path.display())?;
        fs::write(&path, storage.as_os_str().as_bytes()).cannot("write", path.display())?;
        Ok(Loan { id: id.to_owned(), storage: Some(storage.to_owned()), path, _lock: lock })
    }

    /// The loans of the dead whose containers were never made. Those whose containers were are ended.
    pub fn dead_loans(&self) -> Result<Vec<Loan>> {
        use std::os::unix::ffi::OsStringExt;
        let mut dead = Vec::new();
        for item in fs::read_dir(self.root.join("loans")).into_iter().flatten().flatten() {
            let (path, name) = (item.path(), item.file_name());
            let Ok(Some(lock)) = lock::attempt(&path, Mode::Exclusive) else { continue };
            let storage = fs::read(&path).cannot("read", path.display())?;
            let storage = (!storage.is_empty()).then(|| std::ffi::OsString::from_vec(storage).into());
            let loan = Loan { id: name.to_string_lossy().into_owned(), storage, path, _lock: lock };
            match self.container_dir(&loan.id).exists() {
                true => loan.end()?,
                false => dead.push(loan),
            }
        }
        Ok(dead)
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
