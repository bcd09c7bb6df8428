//! A cached container as a list of steps: one more is taken from the cache, or performed, frozen and recorded.
//!
//! A step goes: changes by hand become a step of their own; the state of the files gives the key; a record with that
//! key is appended; without one the verb is performed, its upper frozen, then logged, then recorded. So what a killed
//! step leaves is never a hit: it is in the upper, and the next step finds it there as a change by hand.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::builder::{Builder, now};
use crate::error::{Context, Result};
use crate::event::{Event, Fate};
use crate::oci::Digest;
use crate::rootfs;
use crate::steps::content;
use crate::steps::explain;
use crate::steps::hand::{self, Cut};
use crate::steps::key::{Definition, Framed};
use crate::store::layers::chain_id;
use crate::store::{
    ContainerGuard, ContainerRecord, LogEntry, Logged, Outcome, Printed, Step, StepKind, StepRecord, Store,
    TreeId, Work,
};
use crate::sys::lock::Claim;

/// The exit code of a verb that failed itself, as the command line has it.
const FAILED: u8 = 125;

/// What performing a step gave.
pub(crate) struct Performed<T> {
    /// What the verb returns.
    pub value: T,
    /// What was printed meanwhile.
    pub printed: Printed,
    /// With which code it failed; zero if it did not.
    pub failed: u8,
    /// Why it may not be recorded, though it was to be: more than could be told before.
    pub never: Option<String>,
}

/// What a verb hands over to have itself done as a step.
pub(crate) struct Asked<'a, P, L> {
    /// What it is asked to do and can see.
    pub definition: Definition,
    /// Performs it on the container, whose upper is empty.
    pub perform: P,
    /// What else goes into the log for what it returned.
    pub log: L,
    /// Owner of what is unfinished.
    pub work: &'a Work,
    /// The verb as a value, kept if it fails, to look into that with its privileges.
    pub verb: Option<serde_json::Value>,
}

/// Does one step on a cached container and gives what the verb returns.
pub(crate) fn step<T, P, L>(
    builder: &Builder<'_>,
    guard: &mut ContainerGuard,
    mut asked: Asked<'_, P, L>,
) -> Result<T>
where
    T: Serialize + DeserializeOwned,
    P: FnOnce(&mut ContainerGuard) -> Result<Performed<T>>,
    L: Fn(&T) -> Vec<Logged>,
{
    let store = &builder.store;
    let Cut::Clean { alone, attached } = hand::cut(builder, asked.work, guard)? else {
        return beside(builder, guard, asked);
    };
    if asked.definition.kind == StepKind::Run && rootfs::linked::are_open(builder, guard)? {
        // In a layer of its own the step would write to one of the names only.
        asked.definition.field("files with several names", "one layer");
    }
    let (definition, work) = (&asked.definition, asked.work);
    let mut claim = None;
    let alone_knows = builder.exchange.is_none();
    if alone_knows && definition.never.is_none() && is_new(builder, guard, definition)? {
        claim = Some(claim_step(store, definition.key(place(&guard.record)))?);
        // Whoever had it may have done just this.
        if !is_new(builder, guard, definition)? {
            claim = None;
        }
    }
    let mut before = None;
    if claim.is_none() {
        let files = state(builder, guard)?;
        before = Some(files);
        if definition.never.is_none() {
            let key = definition.key(files);
            let mut taken = take(builder, work, key)?;
            if taken.is_none() {
                claim = Some(claim_step(store, key)?);
                taken = take(builder, work, key)?;
                let asked = builder.exchange.filter(|_| taken.is_none() && builder.anew_before < i64::MAX);
                if asked.is_some_and(|exchange| exchange.fetch(builder, key)) {
                    taken = take(builder, work, key)?;
                }
            }
            if let Some((value, record, printed)) = taken {
                drop(claim);
                let likeness = explain::likeness(guard, definition, files);
                append(store, guard, &record, key, (asked.log)(&value))?;
                likeness.note(store, key)?;
                drop(alone);
                reattach(builder, work, guard, attached)?;
                builder.report(Event::Step(Fate::Cached));
                print_again(builder, &printed);
                return Ok(value);
            }
        }
    }
    drop(alone);
    let done = perform_new(builder, guard, asked, before);
    drop(claim);
    reattach(builder, work, guard, attached)?;
    done
}

/// Performs the step, freezes what it did, and records it. Where what is below it is not known yet, that is read
/// meanwhile.
fn perform_new<T, P, L>(
    builder: &Builder<'_>,
    guard: &mut ContainerGuard,
    asked: Asked<'_, P, L>,
    before: Option<Digest>,
) -> Result<T>
where
    T: Serialize,
    P: FnOnce(&mut ContainerGuard) -> Result<Performed<T>>,
    L: Fn(&T) -> Vec<Logged>,
{
    let store = &builder.store;
    let Asked { mut definition, perform, log, work, verb } = asked;
    let why = tell_why(builder, guard, &definition, before.unwrap_or_else(|| Digest::of(b"")));
    let (unread, since) = (unread(store, guard)?, content::since(store, &guard.record));
    let start = Instant::now();
    let done = std::thread::scope(|scope| {
        let read = || unread.iter().try_for_each(|tree| content::of_tree(store, tree, since).map(drop));
        let reading = (before.is_none() && !unread.is_empty()).then(|| scope.spawn(read));
        let done = perform(guard);
        let took = start.elapsed();
        let read =
            reading.map(|reading| reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        read.unwrap_or(Ok(())).map(|()| (done, took))
    });
    let (done, took) = done?;
    let at = now();
    let done = match done {
        Ok(done) => done,
        Err(error) => {
            // What it did until then is a step of its own, and one that can be looked into.
            let outcome = Outcome::Failed(FAILED);
            let step = performed(&definition, outcome, took, None, why);
            freeze(builder, work, guard, Step { verb, ..step }, at)?;
            return Err(error);
        }
    };
    if let Some(why) = &done.never {
        builder.report(Event::Step(Fate::Uncacheable { why: why.clone(), hint: None }));
        definition.never.get_or_insert((why.clone(), None));
    }
    let recorded = definition.never.is_none() && done.failed == 0;
    let before = state(builder, guard)?;
    let key = definition.key(before);
    let likeness = explain::likeness(guard, &definition, before);
    let outcome = if done.failed == 0 { Outcome::Performed } else { Outcome::Failed(done.failed) };
    let step = performed(&definition, outcome, took, recorded.then_some(key), why);
    let verb = verb.filter(|_| done.failed != 0);
    let tree = freeze(builder, work, guard, Step { verb, ..step }, at)?;
    log_more(guard, log(&done.value), at)?;
    if recorded {
        let record = StepRecord {
            kind: definition.kind,
            line: definition.line.clone(),
            before,
            fields: definition.fields.clone(),
            created: at,
            milliseconds: milliseconds(took),
            tree,
            returned: serde_json::to_value(&done.value).expect("plain data"),
            printed: Store::digest_of_printed(&done.printed),
        };
        record_step(store, work, guard, &definition, key, &record, &done.printed)?;
        likeness.note(store, key)?;
    }
    builder.report(Event::Step(Fate::Performed(took)));
    Ok(done.value)
}

/// Whether what is below the step was not read yet, and need not be to know that it must be performed.
fn is_new(builder: &Builder<'_>, guard: &ContainerGuard, definition: &Definition) -> Result<bool> {
    let store = &builder.store;
    Ok(!unread(store, guard)?.is_empty() && store.near(explain::same(definition)).is_none())
}

/// The trees whose content decides the state of the files and is not known yet.
fn unread(store: &Store, guard: &ContainerGuard) -> Result<Vec<TreeId>> {
    let mut trees = Vec::new();
    for entry in guard.record.log.iter().rev() {
        match &entry.did {
            Logged::Froze(tree) if store.tree(tree)?.content.is_none() => trees.push(tree.clone()),
            Logged::Step(step) if step.after.is_some() => break,
            _ => {}
        }
    }
    Ok(trees)
}

/// Where a step is performed, by the names of trees: equal ones have equal files.
fn place(record: &ContainerRecord) -> Digest {
    let mut framed = Framed::new("kiln place 1");
    for layer in record.base.iter().flat_map(|base| &base.layers) {
        framed.add(layer.hex());
    }
    for tree in &record.frozen {
        framed.add(tree.as_str());
    }
    framed.finish()
}

/// The step with this key, if it was recorded and may be taken, with what its verb returned.
fn take<T: DeserializeOwned>(
    builder: &Builder<'_>,
    work: &Work,
    key: Digest,
) -> Result<Option<(T, StepRecord, Printed)>> {
    let Some((record, printed)) = builder.store.take_step(work, key)? else { return Ok(None) };
    if record.created < builder.anew_before {
        return Ok(None);
    }
    Ok(serde_json::from_value(record.returned.clone()).ok().map(|value| (value, record, printed)))
}

fn print_again(builder: &Builder<'_>, printed: &Printed) {
    let mut open = [true; 2];
    for (to_stderr, bytes) in printed.pieces() {
        let open = &mut open[usize::from(to_stderr)];
        *open = *open && builder.reporter().output(to_stderr, bytes);
    }
}

/// A step that was just performed, as the log keeps it.
fn performed(
    definition: &Definition,
    outcome: Outcome,
    took: Duration,
    key: Option<Digest>,
    why: Vec<String>,
) -> Step {
    Step {
        kind: definition.kind,
        line: definition.line.clone(),
        outcome,
        milliseconds: milliseconds(took),
        key,
        after: None,
        why,
        verb: None,
    }
}

fn log_more(guard: &mut ContainerGuard, more: Vec<Logged>, at: i64) -> Result<()> {
    if more.is_empty() {
        return Ok(());
    }
    guard.record.log.extend(more.into_iter().map(|did| LogEntry { at, did }));
    guard.save()
}

/// Publishes what later builds look for.
fn record_step(
    store: &Store,
    work: &Work,
    guard: &ContainerGuard,
    definition: &Definition,
    key: Digest,
    record: &StepRecord,
    printed: &Printed,
) -> Result<()> {
    for (digest, list) in &definition.lists {
        store.keep_list(work, *digest, list)?;
    }
    store.record_step(work, key, record, printed, guard.record.created)
}

/// Says why the step is not taken from the cache, and gives that as facts.
fn tell_why(
    builder: &Builder<'_>,
    guard: &ContainerGuard,
    definition: &Definition,
    before: Digest,
) -> Vec<String> {
    if let Some((why, hint)) = &definition.never {
        builder.report(Event::Step(Fate::Uncacheable { why: why.clone(), hint: hint.clone() }));
        return vec![why.clone()];
    }
    let likeness = explain::likeness(guard, definition, before);
    let differences = likeness.differences(&builder.store, guard, definition, before);
    if let Some(why) = differences.first() {
        builder.report(Event::Step(Fate::Missed { why: why.clone() }));
    }
    differences
}

/// Performs a step while someone is inside the container's mount: nothing can be frozen, so nothing is recorded.
fn beside<T, P, L>(builder: &Builder<'_>, guard: &mut ContainerGuard, asked: Asked<'_, P, L>) -> Result<T>
where
    P: FnOnce(&mut ContainerGuard) -> Result<Performed<T>>,
    L: Fn(&T) -> Vec<Logged>,
{
    let why = "someone is inside the container's mount".to_owned();
    let hint = Some("leave its directory first".to_owned());
    builder.report(Event::Step(Fate::Uncacheable { why: why.clone(), hint }));
    let start = Instant::now();
    let done = (asked.perform)(guard)?;
    let took = start.elapsed();
    let at = now();
    let outcome = if done.failed == 0 { Outcome::Performed } else { Outcome::Failed(done.failed) };
    let step = performed(&asked.definition, outcome, took, None, vec![why]);
    let step = Step { verb: asked.verb.filter(|_| done.failed != 0), ..step };
    guard.record.log.push(LogEntry { at, did: Logged::Step(Box::new(step)) });
    guard.save()?;
    log_more(guard, (asked.log)(&done.value), at)?;
    builder.report(Event::Step(Fate::Performed(took)));
    Ok(done.value)
}

/// Appends a recorded step to the log, with the tree it left.
pub(crate) fn append(
    store: &Store,
    guard: &mut ContainerGuard,
    record: &StepRecord,
    key: Digest,
    more: Vec<Logged>,
) -> Result<()> {
    let at = record.created;
    let step = Step {
        kind: record.kind,
        line: record.line.clone(),
        outcome: Outcome::Cached,
        milliseconds: record.milliseconds,
        key: Some(key),
        after: None,
        why: Vec::new(),
        verb: None,
    };
    guard.record.log.push(LogEntry { at, did: Logged::Step(Box::new(step)) });
    if let Some(tree) = &record.tree {
        store.adopt(guard, tree)?;
    }
    guard.record.log.extend(more.into_iter().map(|did| LogEntry { at, did }));
    guard.save()?;
    store.use_step(key, guard.record.created);
    Ok(())
}

/// Logs a step and freezes what it did to the files.
pub(crate) fn freeze(
    builder: &Builder<'_>,
    work: &Work,
    guard: &mut ContainerGuard,
    step: Step,
    at: i64,
) -> Result<Option<TreeId>> {
    guard.record.log.push(LogEntry { at, did: Logged::Step(Box::new(step)) });
    let parts = guard.record.frozen.len();
    rootfs::freeze_held(builder, work, guard)?;
    guard.save()?;
    Ok(guard.record.frozen.get(parts).cloned())
}

/// Puts the user's mount up again, if it was taken down for the step.
pub(crate) fn reattach(
    builder: &Builder<'_>,
    work: &Work,
    guard: &ContainerGuard,
    attached: bool,
) -> Result<()> {
    if attached {
        rootfs::attach(builder, work, guard)?;
    }
    Ok(())
}

/// What the container's files are now, by content: equal for containers that later steps cannot tell apart.
pub(crate) fn state(builder: &Builder<'_>, guard: &mut ContainerGuard) -> Result<Digest> {
    let store = &builder.store;
    let since = content::since(store, &guard.record);
    let known = guard
        .record
        .log
        .iter()
        .rposition(|entry| matches!(&entry.did, Logged::Step(step) if step.after.is_some()));
    let mut state = match known.map(|place| &guard.record.log[place].did) {
        Some(Logged::Step(step)) => step.after.expect("just seen"),
        _ => {
            let base = guard.record.base.as_ref().and_then(|base| chain_id(&base.layers));
            let mut framed = Framed::new("kiln files 1");
            framed.add(base.map(|chain| chain.hex()).unwrap_or_default());
            framed.finish()
        }
    };
    // What follows the last step whose state is known, step by step.
    let mut place = known.map_or(0, |place| place + 1);
    if known.is_some() {
        let rest = guard.record.log[place..].iter().position(|entry| matches!(entry.did, Logged::Step(_)));
        place = rest.map_or(guard.record.log.len(), |rest| place + rest);
    }
    let mut last = None;
    while place < guard.record.log.len() {
        match &guard.record.log[place].did {
            Logged::Froze(tree) => {
                let mut framed = Framed::new("kiln files 1 +");
                framed.add(state.hex());
                framed.add(content::of_tree(store, tree, since)?.digest.hex());
                state = framed.finish();
            }
            Logged::Step(_) => {
                remember(guard, last, state);
                last = Some(place);
            }
            Logged::Config(_) | Logged::History(_) => {}
        }
        place += 1;
    }
    remember(guard, last, state);
    Ok(state)
}

fn remember(guard: &mut ContainerGuard, place: Option<usize>, state: Digest) {
    if let Some(place) = place
        && let Logged::Step(step) = &mut guard.record.log[place].did
    {
        step.after = Some(state);
    }
}

fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// The right to perform a step: whoever else wants the same one waits. Freed by death.
fn claim_step(store: &Store, key: Digest) -> Result<Claim> {
    let path = store.root().join("locks").join(format!("step-{}", key.hex()));
    Claim::wait(&path).cannot("lock", path.display())
}
