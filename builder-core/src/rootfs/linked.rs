//! Files with several names (hard links) that stay together while the layer they are in is still open.
//!
//! The steps of a cached container are parts of their own, and overlay copies a file up by the one name it is written
//! by. Where all that follows goes into the same layer, a plain container would have had one upper, in which the names
//! stay together. So before something writes, such files are copied into the upper with all their names; what is still
//! as it was is taken out again before the upper is frozen, so that a step that touches none of them leaves the same
//! tree. Names that a closed layer has come apart, as in every builder with layers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rustix::fs::{AtFlags, Timespec, Timestamps};
use rustix::io::Errno;

use crate::builder::Builder;
use crate::error::{Context, Result};
use crate::oci::ConfigEdit;
use crate::rootfs::{fuse, plain};
use crate::store::{ContainerGuard, ContainerRecord, Logged, Store, TreeId};
use crate::tree::fingerprint::hash_entry;
use crate::tree::{self, Apply, Devices, Entry, Marks, Node, Options, RelPath, Root, Stack};

/// Whether files that several names lead to are in the layer that a held container has open: what writes to them
/// writes to all names.
pub(crate) fn are_open(builder: &Builder<'_>, guard: &ContainerGuard) -> Result<bool> {
    if plain::is_one(guard) {
        // It has one tree, whose names were never apart.
        return Ok(false);
    }
    for tree in open_parts(&guard.record) {
        if is_linked(&builder.store, tree)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Puts such files with all their names into the upper, which is not mounted.
pub(crate) fn join(builder: &Builder<'_>, guard: &ContainerGuard) -> Result<()> {
    if !are_open(builder, guard)? || !fuse::is_at_rest(builder, guard)? {
        return Ok(());
    }
    let upper = Upper::open(builder, guard)?;
    let mut parts = vec![upper.root.try_clone().cannot("open", RelPath::root())?];
    parts.extend(roots(&builder.store, guard)?);
    let stack = Stack::new(parts, builder.store.form());
    let mut found = upper.stack.finder();
    let mut wanted = BTreeSet::new();
    for (first, names) in sets(&stack)? {
        // Those of the upper itself are together already.
        if found.lookup(&first)?.is_none() {
            wanted.extend(names);
        }
    }
    let above = wanted.iter().flat_map(above).collect::<BTreeSet<_>>();
    let marks = builder.store.form();
    let mut apply = Apply::new(&upper.root, Options { marks, devices: Devices::Make, keep_times: true })?;
    for entry in stack.walk() {
        let Entry { path, meta, mut node } = entry?;
        match &mut node {
            // One that the upper has is as it should be; and what is below still shows through a new one.
            Node::Directory { .. } if !above.contains(&path) || found.lookup(&path)?.is_some() => continue,
            Node::Directory { opaque } => *opaque = false,
            _ if !wanted.contains(&path) => continue,
            _ => {}
        }
        apply.put(Entry { path, meta, node })?;
    }
    apply.finish().map(drop)
}

/// Takes out of the upper, which is not mounted, what [`join`] put there and is as it was.
pub(crate) fn part(builder: &Builder<'_>, guard: &ContainerGuard) -> Result<()> {
    if !are_open(builder, guard)? {
        return Ok(());
    }
    let upper = Upper::open(builder, guard)?;
    let stack = Stack::new(roots(&builder.store, guard)?, builder.store.form());
    let sets = sets(&stack)?;
    let (mut same, mut directories) = (BTreeSet::new(), BTreeMap::new());
    for entry in stack.walk() {
        let entry = entry?;
        match &entry.node {
            Node::Directory { .. } => drop(directories.insert(entry.path.clone(), entry.meta)),
            Node::File { .. } => {
                let Some(names) = sets.get(&entry.path) else { continue };
                if upper.has_all_names(names)? && upper.has(entry)? {
                    same.extend(names.iter().cloned());
                }
            }
            _ => {}
        }
    }
    let above = same.iter().flat_map(above).collect::<BTreeSet<_>>();
    let mut found = upper.stack.finder();
    let mut dirs = Vec::new();
    for path in above {
        let dir = upper.root.subroot(path.as_path()).cannot("open", &path)?;
        let stat = rustix::fs::fstat(dir.fd()).cannot("read", &path)?;
        let looks = directories.get(&path).filter(|_| !path.is_root());
        let is_same = looks.map(|looks| found.has_directory(&path, looks)).transpose()?.unwrap_or(false);
        dirs.push((path, dir, tree::meta_of(&stat).mtime, is_same));
    }
    for path in &same {
        upper.root.remove_all(path.as_path()).cannot("remove", path)?;
    }
    // What is in a directory before the directory itself.
    for (path, dir, time, is_same) in dirs.into_iter().rev() {
        if is_same && upper.remove_empty(&path)? {
            continue;
        }
        let time = Timespec { tv_sec: time.seconds, tv_nsec: time.nanoseconds.into() };
        let times = Timestamps { last_access: time, last_modification: time };
        rustix::fs::futimens(dir.fd(), &times).cannot("date", &path)?;
    }
    Ok(())
}

/// An upper that is not mounted.
struct Upper {
    root: Root,
    /// It alone: what is found in it is found through directories of its own, never through a symlink.
    stack: Stack,
    marks: Marks,
}

impl Upper {
    fn open(builder: &Builder<'_>, guard: &ContainerGuard) -> Result<Self> {
        let (root, marks) = (open(&guard.upper())?, builder.store.form());
        let stack = Stack::new(vec![root.try_clone().cannot("open", RelPath::root())?], marks);
        Ok(Upper { root, stack, marks })
    }

    /// Whether just these names lead to one file.
    fn has_all_names(&self, names: &[RelPath]) -> Result<bool> {
        let mut finder = self.stack.finder();
        let mut first = None;
        for name in names {
            let Some(stat) = finder.lookup(name)? else { return Ok(false) };
            if usize::try_from(stat.st_nlink) != Ok(names.len())
                || *first.get_or_insert((stat.st_dev, stat.st_ino)) != (stat.st_dev, stat.st_ino)
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the file there, which was found, is as `entry` says, its time and content included.
    fn has(&self, mut entry: Entry) -> Result<bool> {
        let Some(mut found) = tree::whole_entry_at(&self.root, &entry.path, self.marks)? else {
            return Ok(false);
        };
        let sizes = [&entry, &found].map(|entry| match entry.node {
            Node::File { size, .. } => Some(size),
            _ => None,
        });
        Ok(sizes[0] == sizes[1]
            && entry.meta == found.meta
            && hash_entry(&mut entry)? == hash_entry(&mut found)?)
    }

    /// Removes a directory if nothing is in it.
    fn remove_empty(&self, path: &RelPath) -> Result<bool> {
        let (dir, name) = self.root.parent(path.as_path()).cannot("open the directory of", path)?;
        match rustix::fs::unlinkat(&dir, &name, AtFlags::REMOVEDIR) {
            Ok(()) => Ok(true),
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
            Err(cause) => Err(cause).cannot("remove", path),
        }
    }
}

/// The frozen parts that are not in a layer that is closed, the oldest first.
fn open_parts(record: &ContainerRecord) -> &[TreeId] {
    let closes = |did: &Logged| match did {
        Logged::Config(edits) => edits.iter().any(|edit| matches!(edit, ConfigEdit::CreatedBy(_))),
        _ => false,
    };
    let since = record.log.iter().rposition(|entry| closes(&entry.did)).map_or(0, |place| place + 1);
    let is_part = |did: &Logged| matches!(did, Logged::Froze(_));
    let parts = record.log[since..].iter().filter(|entry| is_part(&entry.did)).count();
    &record.frozen[record.frozen.len().saturating_sub(parts)..]
}

/// Whether a file of the tree has several names, which is looked for once.
fn is_linked(store: &Store, tree: &TreeId) -> Result<bool> {
    let record = store.tree(tree)?;
    if let Some(known) = record.linked {
        return Ok(known);
    }
    if !record.parts.is_empty() {
        return record.parts.iter().try_fold(false, |any, part| Ok(any || is_linked(store, part)?));
    }
    let mut linked = false;
    for entry in tree::walk(&open(&store.tree_fs(tree))?, store.form()) {
        linked |= matches!(entry?.node, Node::Hardlink(_));
        if linked {
            break;
        }
    }
    store.update_tree(tree, |record| record.linked = Some(linked))?;
    Ok(linked)
}

/// The open parts, the newest first.
fn roots(store: &Store, guard: &ContainerGuard) -> Result<Vec<Root>> {
    let mut roots = Vec::new();
    for tree in open_parts(&guard.record).iter().rev() {
        for part in store.parts_or_empty(tree)? {
            roots.push(open(&store.tree_fs(&part))?);
        }
    }
    Ok(roots)
}

/// The files with several names: by the first of them, all.
fn sets(stack: &Stack) -> Result<BTreeMap<RelPath, Vec<RelPath>>> {
    let mut sets: BTreeMap<RelPath, Vec<RelPath>> = BTreeMap::new();
    for entry in stack.walk() {
        let entry = entry?;
        if let Node::Hardlink(first) = entry.node {
            sets.entry(first.clone()).or_insert_with(|| vec![first]).push(entry.path);
        }
    }
    Ok(sets)
}

fn above(path: &RelPath) -> impl Iterator<Item = RelPath> + use<> {
    std::iter::successors(path.parent(), RelPath::parent)
}

fn open(path: &Path) -> Result<Root> {
    Root::open_host(path).cannot("open", path.display())
}
