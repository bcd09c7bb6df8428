//! The layers of a cached container, as its log divides them, and what history says of them.
//!
//! An edit of `created_by` closes a layer: all that changed since the last one is in it, under that line, and the lines
//! of history in between are of steps without a layer. What comes after the last such edit is one layer for each step.

use crate::error::Result;
use crate::layer::Times;
use crate::oci::{ConfigEdit, History};
use crate::store::export::TreeLayer;
use crate::store::layers::Export;
use crate::store::{ContainerRecord, LogEntry, Logged, Store, TreeId, Work};
use crate::verbs::commit::{EMPTY_TAR, format_time, remember};

/// What history calls changes that no step of the log made.
const BY_HAND: &str = "changed by hand";

/// The layers over the base, and a line of history for each of them and for whatever else has one.
#[derive(Debug, Default)]
pub(super) struct ByStep {
    /// All layers but the last, the lowest first.
    pub lower: Vec<Export>,
    /// What history says, in order.
    lines: Vec<Line>,
}

/// One line of history.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    /// When it was, seconds since the epoch.
    at: i64,
    text: String,
    /// The trees of its layer, the newest first; none where it has no layer.
    trees: Vec<TreeId>,
}

/// How layers are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// What happens to files' times.
    pub times: Times,
    /// A layer in which nothing differs from those below is none.
    pub omit_empty: bool,
    /// One for each step, whatever closes a layer.
    pub each_step: bool,
}

/// The layers of the container: all but the last one described, and the last one. `parts` are all parts over the base,
/// the newest first; one that the log does not know comes last.
pub(super) fn layers(
    store: &Store,
    work: &Work,
    record: &ContainerRecord,
    parts: &[TreeId],
    How { times, omit_empty, each_step }: How,
) -> Result<(ByStep, TreeLayer)> {
    let mut below = record.base.as_ref().map(|base| base.layers.clone()).unwrap_or_default();
    let mut lines = if each_step { self::each_step(&record.log) } else { lines(&record.log) };
    if let Some(newest) = parts.first().filter(|newest| !record.frozen.contains(newest)) {
        lines.push(by_hand(record, vec![newest.clone()]));
    }
    let last = lines.iter().rposition(|line| !line.trees.is_empty());
    let mut lower = Vec::new();
    for line in &mut lines[..last.unwrap_or(0)] {
        if line.trees.is_empty() {
            continue;
        }
        store.lease(work, line.trees.iter().map(TreeId::as_str))?;
        let tree = match line.trees.as_slice() {
            [tree] => tree.clone(),
            parts => store.make_compound(work, parts)?,
        };
        let layer = TreeLayer { parts: line.trees.clone(), below: below.clone() };
        let export = layer.describe(store, times)?;
        if omit_empty && export.size <= EMPTY_TAR {
            line.trees.clear();
            continue;
        }
        remember(store, work, &layer, &tree, &export)?;
        below.push(export.diff_id);
        lower.push(export);
    }
    let parts = last.map(|last| lines[last].trees.clone()).unwrap_or_default();
    if last.is_none() && !omit_empty {
        lines.push(by_hand(record, Vec::new()));
    }
    Ok((ByStep { lower, lines }, TreeLayer { parts, below }))
}

impl ByStep {
    /// The entries of history; `is_empty` says that the last layer is left out.
    pub fn history(&self, is_empty: bool, date: impl Fn(i64) -> i64) -> Vec<History> {
        let last = self.lines.iter().rposition(|line| !line.trees.is_empty());
        // Without any layer there is one that nothing is in, unless that is left out.
        let last = last.or_else(|| self.lines.len().checked_sub(1).filter(|_| !is_empty));
        let entry = |(place, line): (usize, &Line)| History {
            created: Some(format_time(date(line.at))),
            created_by: line.text.clone(),
            empty_layer: if Some(place) == last { is_empty } else { line.trees.is_empty() },
            ..History::default()
        };
        self.lines.iter().enumerate().map(entry).collect()
    }
}

/// Changes by someone who is still inside, or no change at all.
fn by_hand(record: &ContainerRecord, trees: Vec<TreeId>) -> Line {
    let at = record.log.last().map_or(record.created / 1_000_000_000, |entry| entry.at);
    Line { at, text: BY_HAND.into(), trees }
}

/// What the log says, as lines of history with their layers.
fn lines(log: &[LogEntry]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut open = 0;
    for (place, entry) in log.iter().enumerate() {
        let Logged::Config(edits) = &entry.did else { continue };
        let line = edits.iter().rev().find_map(|edit| match edit {
            ConfigEdit::CreatedBy(line) => Some(line.clone()),
            _ => None,
        });
        let Some(text) = line else { continue };
        let since = &log[open..place];
        lines.extend(since.iter().filter_map(plain_line));
        let trees = since.iter().rev().filter_map(frozen).collect();
        lines.push(Line { at: entry.at, text, trees });
        open = place + 1;
    }
    lines.extend(each_step(&log[open..]));
    lines
}

/// A line for each step that changed files, and those that steps shall show beside.
fn each_step(log: &[LogEntry]) -> Vec<Line> {
    let mut shown: Vec<Line> = Vec::new();
    let mut rest = log;
    while !rest.is_empty() {
        let next = rest[1..].iter().position(|entry| matches!(entry.did, Logged::Step(_)));
        let (step, others) = rest.split_at(next.map_or(rest.len(), |next| next + 1));
        rest = others;
        let mut lines = step.iter().filter_map(plain_line);
        let trees: Vec<TreeId> = step.iter().rev().filter_map(frozen).collect();
        if !trees.is_empty() {
            let own = match &step[0].did {
                Logged::Step(first) => first.line.clone(),
                _ => BY_HAND.to_owned(),
            };
            let text = lines.next().map_or(own, |line| line.text);
            shown.push(Line { at: step[0].at, text, trees });
        }
        shown.extend(lines);
    }
    shown
}

fn plain_line(entry: &LogEntry) -> Option<Line> {
    match &entry.did {
        Logged::History(text) => Some(Line { at: entry.at, text: text.clone(), trees: Vec::new() }),
        _ => None,
    }
}

fn frozen(entry: &LogEntry) -> Option<TreeId> {
    match &entry.did {
        Logged::Froze(tree) => Some(tree.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
