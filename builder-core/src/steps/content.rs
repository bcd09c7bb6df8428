//! What the parts of a cached container are by content, and which times count in that.

use crate::builder::now_nanoseconds;
use crate::error::{Context, Result};
use crate::store::layers::TreeContent;
use crate::store::{ContainerGuard, ContainerRecord, Logged, Outcome, Store, TreeId};
use crate::tree::Root;
use crate::tree::fingerprint::{self, Whole};

/// How early the clock of a file system may be, nanoseconds: its times are those of the last tick.
const TICK: i64 = 1_000_000_000;

/// From when on, nanoseconds since the epoch, a modification time only says that a build made it: this one, or the one
/// that a cached step is from. A later step may leave a directory the time that a cached one gave it.
pub(crate) fn since(store: &Store, record: &ContainerRecord) -> i64 {
    let mut since = record.created - TICK;
    let mut is_cached = false;
    for entry in &record.log {
        match &entry.did {
            Logged::Step(step) => is_cached = step.outcome == Outcome::Cached,
            // One whose content nobody has asked for yet is of this build.
            Logged::Froze(tree) if is_cached => {
                let content = store.tree(tree).ok().and_then(|tree| tree.content);
                since = content.map_or(since, |content| since.min(content.since));
            }
            _ => {}
        }
    }
    since
}

/// What a tree is by content: remembered, or read now.
pub(crate) fn of_tree(store: &Store, tree: &TreeId, since: i64) -> Result<TreeContent> {
    let record = store.tree(tree)?;
    if let Some(known) = record.content {
        return Ok(known);
    }
    let until = now_nanoseconds();
    let path = store.tree_fs(tree);
    let root = Root::open_host(&path).cannot("open the layer", tree)?;
    let Whole { digest, bytes, linked } = fingerprint::of_tree(&root, store.form(), since, until)?;
    let content = TreeContent { digest, bytes, since, until };
    store.update_tree(tree, |record| {
        (record.content, record.linked) = (Some(content), Some(linked));
    })?;
    Ok(content)
}

/// What a container's upper is by content.
pub(crate) fn of_upper(store: &Store, guard: &ContainerGuard) -> Result<TreeContent> {
    let (since, until) = (since(store, &guard.record), now_nanoseconds());
    let upper = guard.upper();
    let root = Root::open_host(&upper).cannot("open", upper.display())?;
    let Whole { digest, bytes, .. } = fingerprint::of_tree(&root, store.form(), since, until)?;
    Ok(TreeContent { digest, bytes, since, until })
}
