//! Changes by hand: what is in a cached container's upper though no step put it there becomes a step of its own.
//!
//! Its key is its content, so that a script that writes through a mount hits from then on; and where an equal one is
//! known that is taken, so that a repetition gives the same image.

use std::time::Instant;

use crate::builder::{Builder, now, now_nanoseconds};
use crate::error::{Context, Result};
use crate::rootfs::{self, Quiet};
use crate::steps::key::Definition;
use crate::steps::timeline;
use crate::store::layers::TreeContent;
use crate::store::{ContainerGuard, Logged, Outcome, Printed, Step, StepKind, StepRecord, Store, Work};
use crate::sys::lock::Lock;
use crate::tree::{Root, fingerprint};

/// Whether a container's upper was cut off into a step.
pub(crate) enum Cut {
    /// The upper is empty now.
    Clean {
        /// Keeps others from mounting it.
        alone: Lock,
        /// Whether the user's mount was taken down and is to be put up again.
        attached: bool,
    },
    /// Someone is inside, so it cannot be.
    Busy,
}

/// Makes a step of what was changed by hand, if anything was, and leaves the upper empty and unmounted.
pub(crate) fn cut(builder: &Builder<'_>, work: &Work, guard: &mut ContainerGuard) -> Result<Cut> {
    let Quiet::Yes { alone, attached } = rootfs::quieten(builder, guard)? else { return Ok(Cut::Busy) };
    rootfs::clear_traces(builder, work, guard)?;
    let log = &mut guard.record.log;
    // A process that was killed before it could freeze may have logged that it would.
    if matches!(log.last().map(|entry| &entry.did), Some(Logged::Step(step)) if step.kind == StepKind::Hand) {
        log.pop();
    }
    if !builder.store.is_untouched(guard)? {
        take_or_freeze(builder, work, guard)?;
    }
    rootfs::clear_mark(guard.dir());
    Ok(Cut::Clean { alone, attached })
}

/// Puts a tree known to be as the upper is in its place; without one the upper is frozen, and known from then on.
fn take_or_freeze(builder: &Builder<'_>, work: &Work, guard: &mut ContainerGuard) -> Result<()> {
    let start = Instant::now();
    let store = &builder.store;
    let before = timeline::state(builder, guard)?;
    let content = content(store, guard)?;
    let line = "changed by hand".to_owned();
    let mut definition = Definition::new(StepKind::Hand, line.clone());
    definition.field("content", content.digest.hex());
    let key = definition.key(before);
    if let Some((record, _)) = store.take_step(work, key)? {
        return timeline::append(store, guard, &record, key, Vec::new());
    }
    let step = Step {
        kind: StepKind::Hand,
        line: line.clone(),
        outcome: Outcome::Performed,
        milliseconds: 0,
        key: Some(key),
        after: None,
        why: Vec::new(),
        verb: None,
    };
    let at = now();
    let Some(tree) = timeline::freeze(builder, work, guard, step, at)? else { return Ok(()) };
    let mut known = store.tree(&tree)?;
    known.content = Some(content);
    store.write_tree_record(&tree, &known)?;
    let record = StepRecord {
        kind: StepKind::Hand,
        line,
        before,
        fields: definition.fields,
        created: at,
        milliseconds: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        tree: Some(tree),
        returned: serde_json::Value::Null,
        printed: Store::digest_of_printed(&Printed::default()),
    };
    store.record_step(work, key, &record, &Printed::default(), guard.record.created)
}

/// What the upper is by content.
fn content(store: &Store, guard: &ContainerGuard) -> Result<TreeContent> {
    let (since, until) = (timeline::since(&guard.record), now_nanoseconds());
    let upper = guard.upper();
    let root = Root::open_host(&upper).cannot("open", upper.display())?;
    let (digest, bytes) = fingerprint::of_tree(&root, store.form(), since, until)?;
    Ok(TreeContent { digest, bytes, since, until })
}
