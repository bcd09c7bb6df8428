//! Folding: many frozen parts of a container become few trees, before the kernel has too many layers to stack.
//!
//! The oldest parts are merged in groups, always the same ones, so that a group is merged once for all containers that
//! begin with the same steps. The container itself knows nothing of it: its parts stay what they are.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::builder::Builder;
use crate::error::{Context, Result};
use crate::rootfs::mounted::{each_once, lowers};
use crate::store::{ContainerRecord, FOLD, LayerRecord, Work};
use crate::sys::random;
use crate::tree::{Apply, Devices, Options, Root, Stack};

/// As many directories as are stacked without folding. Kernels take 500, those before 6.5 fewer: as many as fit in one
/// page of options.
const MOST: usize = 100;

/// The directories below a container's upper, the topmost first, not too many of them.
pub(super) fn lowers_to_mount(
    builder: &Builder<'_>,
    work: &Work,
    record: &ContainerRecord,
) -> Result<Vec<PathBuf>> {
    let all = lowers(&builder.store, record)?;
    if all.len() <= MOST || record.frozen.len() < FOLD {
        return Ok(all);
    }
    let store = &builder.store;
    let mut folded = Vec::new();
    for group in record.frozen.chunks_exact(FOLD) {
        let tree = match store.fold(group) {
            Some(tree) => tree,
            None => {
                let newest_first: Vec<_> = group.iter().rev().cloned().collect();
                let parts = newest_first.iter().map(|tree| store.parts(tree)).collect::<Result<Vec<_>>>()?;
                let dirs: Vec<PathBuf> = parts.concat().iter().map(|part| store.tree_fs(part)).collect();
                let made = merge(builder, work, &dirs)?;
                let tree = store.publish_tree(work, &made, &LayerRecord::default())?;
                store.note_fold(group, &tree)?;
                tree
            }
        };
        folded.push(store.tree_fs(&tree));
    }
    let rest = record.frozen.len() % FOLD;
    let rest = ContainerRecord {
        frozen: record.frozen[record.frozen.len() - rest..].to_vec(),
        base: None,
        ..record.clone()
    };
    let mut few = if rest.frozen.is_empty() { Vec::new() } else { lowers(store, &rest)? };
    few.extend(folded.into_iter().rev());
    if record.base.is_some() {
        few.extend(lowers(store, &ContainerRecord { frozen: Vec::new(), ..record.clone() })?);
    }
    Ok(each_once(few))
}

/// Merges trees, the newest first, into a new one with the marks that are left.
fn merge(builder: &Builder<'_>, work: &Work, trees: &[PathBuf]) -> Result<PathBuf> {
    let dir = work.dir().join(random::hex(8));
    fs::DirBuilder::new().mode(0o700).create(&dir).cannot("make", dir.display())?;
    let top = dir.join("fs");
    fs::create_dir(&top).cannot("make", top.display())?;
    let open = |path: &Path| Root::open_host(path).cannot("open", path.display());
    let marks = builder.store.form();
    let stack = Stack::new(trees.iter().map(|tree| open(tree)).collect::<Result<_>>()?, marks);
    let into = open(&top)?;
    let devices = if builder.host.is_rootless() { Devices::Skip } else { Devices::Make };
    let mut apply = Apply::new(&into, Options { marks, devices, keep_times: true })?;
    for entry in stack.walk() {
        apply.put(entry?)?;
    }
    apply.finish()?;
    Ok(dir)
}
