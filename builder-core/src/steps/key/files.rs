//! Files of the host that a command can see, by content.

use std::path::Path;

use crate::error::{Context, Result};
use crate::oci::Digest;
use crate::tree::fingerprint::{Inputs, hash_entry};
use crate::tree::{self, Marks, RelPath, Root};

/// What is at `path`: a file, or a directory with all that is in it; and the list of that.
pub(super) fn of_host(path: &Path) -> Result<(Digest, Vec<u8>)> {
    let mut inputs = Inputs::default();
    // As a mount does, so that a symlink stands for what it leads to.
    let real = std::fs::canonicalize(path).cannot("mount", path.display())?;
    if real.is_dir() {
        let root = Root::open_host(&real).cannot("open", real.display())?;
        for entry in tree::walk(&root, Marks::None) {
            let mut entry = entry?;
            let hash = hash_entry(&mut entry)?;
            let shown = RelPath::parse(path)?.append(&entry.path);
            inputs.add(&entry, hash.as_ref(), &shown);
        }
    } else {
        let above = real.parent().unwrap_or(Path::new("/"));
        let root = Root::open_host(above).cannot("open", above.display())?;
        let name = RelPath::parse(real.file_name().unwrap_or_default())?;
        if let Some(mut entry) = tree::entry_at(&root, &name)? {
            let hash = hash_entry(&mut entry)?;
            entry.path = RelPath::root();
            inputs.add(&entry, hash.as_ref(), &RelPath::parse(path)?);
        }
    }
    Ok(inputs.finish())
}
