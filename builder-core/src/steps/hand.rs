//! Changes by hand: what is in a cached container's upper though no step put it there becomes a step of its own.
//!
//! Its key is its content, so that a script that writes through a mount hits from then on; and where an equal one is
//! known that is taken, so that a repetition gives the same image.

use std::time::{Duration, Instant};

use crate::builder::{Builder, now};
use crate::error::Result;
use crate::oci::Digest;
use crate::rootfs::{self, Quiet};
use crate::steps::content;
use crate::steps::key::Definition;
use crate::steps::timeline;
use crate::store::containers::frozen_of;
use crate::store::{
    ContainerGuard, LogEntry, Logged, Outcome, Printed, Step, StepKind, StepRecord, Store, TreeId, Work,
};
use crate::sys::lock::Lock;

/// What a step by hand is called.
const LINE: &str = "changed by hand";

/// How often a container is looked at that someone is inside of, or that another mount namespace has, and how long is
/// waited between. Starting a container elsewhere may take a busy machine a second.
const INSIDE: usize = 8;
const ELSEWHERE: usize = 40;
const PAUSE: Duration = Duration::from_millis(25);

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
    let Some((alone, attached)) = quieten(builder, guard)? else { return Ok(Cut::Busy) };
    rootfs::clear_traces(builder, work, guard)?;
    // What a killed command was given to write to is no change.
    rootfs::linked::part(builder, guard)?;
    let log = &mut guard.record.log;
    // A process that was killed before it could freeze may have logged that it would.
    if matches!(log.last().map(|entry| &entry.did), Some(Logged::Step(step)) if step.kind == StepKind::Hand) {
        log.pop();
    }
    if rootfs::is_plain(guard) {
        cut_plain(builder, work, guard)?;
    } else if !builder.store.is_untouched(guard)? {
        take_or_freeze(builder, work, guard)?;
    }
    rootfs::clear_mark(guard.dir());
    Ok(Cut::Clean { alone, attached })
}

/// Has the container to itself, with the user's mount taken down; none if someone is inside.
fn quieten(builder: &Builder<'_>, guard: &ContainerGuard) -> Result<Option<(Lock, bool)>> {
    let (mut inside, mut elsewhere) = (0, 0);
    while inside < INSIDE && elsewhere < ELSEWHERE {
        match rootfs::quieten(builder, guard)? {
            Quiet::Yes { alone, attached } => return Ok(Some((alone, attached))),
            Quiet::Inside => inside += 1,
            Quiet::Elsewhere => elsewhere += 1,
        }
        std::thread::sleep(PAUSE);
    }
    Ok(None)
}

/// Makes a step of what was changed by hand in a container that has a tree of its own, of which nothing is an upper.
fn cut_plain(builder: &Builder<'_>, work: &Work, guard: &mut ContainerGuard) -> Result<()> {
    let before = guard.record.log.len();
    rootfs::freeze_held(builder, work, guard)?;
    let trees = frozen_of(&guard.record.log[before..]);
    if trees.is_empty() { Ok(()) } else { key_frozen(builder, work, guard, before, &trees) }
}

/// Makes a step of trees that are frozen already, the log entries from `start` on: of one that is known, if it is.
fn key_frozen(
    builder: &Builder<'_>,
    work: &Work,
    guard: &mut ContainerGuard,
    start: usize,
    trees: &[TreeId],
) -> Result<()> {
    let begun = Instant::now();
    let store = &builder.store;
    let since = content::since(store, &guard.record);
    let contents =
        trees.iter().map(|tree| content::of_tree(store, tree, since)).collect::<Result<Vec<_>>>()?;
    let newer = guard.record.log.split_off(start);
    let before = timeline::state(builder, guard)?;
    guard.record.log.extend(newer);
    let mut definition = Definition::new(StepKind::Hand, LINE.to_owned());
    for content in &contents {
        definition.field("content", content.digest.hex());
    }
    let key = definition.key(before);
    let mut at = now();
    let mut outcome = Outcome::Performed;
    match (store.take_step(work, key)?, trees) {
        (Some((StepRecord { tree: Some(known), created, .. }, _)), [_]) => {
            // What is mounted is as it is; only what it is called, and when it was done, is as it was.
            guard.record.log.truncate(start);
            guard.record.log.push(LogEntry { at: created, did: Logged::Froze(known) });
            guard.record.frozen = frozen_of(&guard.record.log);
            (at, outcome) = (created, Outcome::Cached);
            store.use_step(key, guard.record.created);
        }
        (_, [tree]) => {
            let made = Made { before, key, at, took: begun.elapsed(), tree: tree.clone() };
            made.record(store, work, guard, definition)?;
        }
        // Changes from before the container had a tree of its own are a part for themselves: no record has two.
        _ => {}
    }
    let step = Step { outcome, ..step(Some(key).filter(|_| trees.len() == 1)) };
    guard.record.log.insert(start, LogEntry { at, did: Logged::Step(Box::new(step)) });
    guard.save()?;
    rootfs::renamed_plain(guard)
}

/// A step by hand that is frozen and not recorded yet.
struct Made {
    before: Digest,
    key: Digest,
    at: i64,
    took: Duration,
    tree: TreeId,
}

impl Made {
    /// Publishes what later builds look for.
    fn record(
        self,
        store: &Store,
        work: &Work,
        guard: &ContainerGuard,
        definition: Definition,
    ) -> Result<()> {
        let printed = Printed::default();
        let record = StepRecord {
            kind: StepKind::Hand,
            line: LINE.to_owned(),
            before: self.before,
            fields: definition.fields,
            created: self.at,
            milliseconds: u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            tree: Some(self.tree),
            returned: serde_json::Value::Null,
            printed: Store::digest_of_printed(&printed),
        };
        store.record_step(work, self.key, &record, &printed, guard.record.created)
    }
}

/// A step by hand, as the log keeps it.
fn step(key: Option<Digest>) -> Step {
    Step {
        kind: StepKind::Hand,
        line: LINE.to_owned(),
        outcome: Outcome::Performed,
        milliseconds: 0,
        key,
        after: None,
        why: Vec::new(),
        verb: None,
    }
}

/// Puts a tree known to be as the upper is in its place; without one the upper is frozen, and known from then on.
fn take_or_freeze(builder: &Builder<'_>, work: &Work, guard: &mut ContainerGuard) -> Result<()> {
    let start = Instant::now();
    let store = &builder.store;
    let before = timeline::state(builder, guard)?;
    let content = content::of_upper(store, guard)?;
    let mut definition = Definition::new(StepKind::Hand, LINE.to_owned());
    definition.field("content", content.digest.hex());
    let key = definition.key(before);
    if let Some((record, _)) = store.take_step(work, key)? {
        return timeline::append(store, guard, &record, key, Vec::new());
    }
    let at = now();
    let Some(tree) = timeline::freeze(builder, work, guard, step(Some(key)), at)? else { return Ok(()) };
    store.update_tree(&tree, |record| record.content = Some(content))?;
    let made = Made { before, key, at, took: start.elapsed(), tree };
    made.record(store, work, guard, definition)
}
