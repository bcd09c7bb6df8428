//! Files of the host that a command can see, by content.

use std::path::Path;

use crate::builder::now_nanoseconds;
use crate::error::{Context, Result};
use crate::oci::Digest;
use crate::store::{Store, Work};
use crate::tree::fingerprint::{Inputs, Known};
use crate::tree::{self, Entry, RelPath, Root};

/// Looks at files below `top` with what is known of them, and keeps what is found out.
pub(crate) fn look(
    store: &Store,
    work: &Work,
    top: &Root,
    add: impl FnOnce(&mut Inputs) -> Result<()>,
) -> Result<(Digest, Vec<u8>)> {
    let stat = rustix::fs::fstat(top.fd()).cannot("look at", "the files")?;
    let directory = (stat.st_dev, stat.st_ino);
    let mut inputs = Inputs::new(Known::new(store.stat_table(directory), now_nanoseconds()));
    add(&mut inputs)?;
    let (digest, list, table) = inputs.finish();
    if let Some(table) = table {
        store.keep_stat_table(work, directory, &table)?;
    }
    Ok((digest, list))
}

/// What is at `path`: a file, or a directory with all that is in it; and the list of that.
pub(super) fn of_host(store: &Store, work: &Work, path: &Path) -> Result<(Digest, Vec<u8>)> {
    // As a mount does, so that a symlink stands for what it leads to.
    let real = std::fs::canonicalize(path).cannot("mount", path.display())?;
    let directory = real.is_dir();
    let top = if directory { &real } else { real.parent().unwrap_or(Path::new("/")) };
    let root = Root::open_host(top).cannot("open", top.display())?;
    let shown = RelPath::parse(path)?;
    look(store, work, &root, |inputs| {
        if directory {
            return tree::walk_lazily(&root).try_for_each(|entry| {
                let entry = entry?;
                let shown = shown.append(&entry.path);
                inputs.add(entry, &shown)
            });
        }
        let name = RelPath::parse(real.file_name().unwrap_or_default())?;
        match tree::entry_at(&root, &name)? {
            Some(entry) => inputs.add(Entry { path: RelPath::root(), ..entry }, &shown),
            None => Ok(()),
        }
    })
}
