//! One layer for each step of a cached container, and what history says of them.

use crate::error::Result;
use crate::layer::Times;
use crate::oci::History;
use crate::steps::history::{self, Stepped};
use crate::store::export::TreeLayer;
use crate::store::layers::Export;
use crate::store::{ContainerRecord, LogEntry, Logged, Store, TreeId, Work};
use crate::verbs::commit::{format_time, remember};

/// The layers of all steps that changed files: all but the last one described, and the last one. `parts` are all parts
/// over the base, the newest first; one that the log does not know comes last.
pub(super) fn layers(
    store: &Store,
    work: &Work,
    record: &ContainerRecord,
    parts: &[TreeId],
    times: Times,
) -> Result<(Vec<Export>, TreeLayer)> {
    let mut below = record.base.as_ref().map(|base| base.layers.clone()).unwrap_or_default();
    let mut lower = Vec::new();
    let mut groups: Vec<Vec<TreeId>> =
        history::steps(record).iter().map(trees).filter(|trees| !trees.is_empty()).collect();
    groups
        .extend(parts.first().filter(|newest| !record.frozen.contains(newest)).map(|one| vec![one.clone()]));
    let Some(last) = groups.pop() else { return Ok((lower, TreeLayer { parts: Vec::new(), below })) };
    for parts in groups {
        store.lease(work, parts.iter().map(TreeId::as_str))?;
        let tree = match parts.as_slice() {
            [tree] => tree.clone(),
            parts => store.make_compound(work, parts)?,
        };
        let layer = TreeLayer { parts, below: below.clone() };
        let export = layer.describe(store, times)?;
        remember(store, &layer, &tree, &export)?;
        below.push(export.diff_id);
        lower.push(export);
    }
    Ok((lower, TreeLayer { parts: last, below }))
}

/// The trees of one step, the newest first.
fn trees(stepped: &Stepped<'_>) -> Vec<TreeId> {
    let frozen = |entry: &LogEntry| match &entry.did {
        Logged::Froze(tree) => Some(tree.clone()),
        _ => None,
    };
    stepped.entries.iter().rev().filter_map(frozen).collect()
}

/// What history says: a line for each of the `layers`, and those that steps without one shall show.
pub(super) fn history(record: &ContainerRecord, layers: usize, date: impl Fn(i64) -> i64) -> Vec<History> {
    let mut shown = Vec::new();
    let mut made = 0;
    for stepped in history::steps(record) {
        let mut lines = stepped.entries.iter().filter_map(|entry| match &entry.did {
            Logged::History(line) => Some(line.clone()),
            _ => None,
        });
        let created = Some(format_time(date(stepped.at)));
        if !trees(&stepped).is_empty() {
            made += 1;
            let created_by = lines.next().unwrap_or_else(|| stepped.step.line.clone());
            shown.push(History { created: created.clone(), created_by, ..History::default() });
        }
        shown.extend(lines.map(|created_by| History {
            created: created.clone(),
            created_by,
            empty_layer: true,
            ..History::default()
        }));
    }
    // Changes by someone who is still inside, or no change at all.
    let at = record.log.last().map_or(record.created / 1_000_000_000, |entry| entry.at);
    let created = Some(format_time(date(at)));
    shown.extend((made..layers).map(|_| History {
        created: created.clone(),
        created_by: "changed by hand".into(),
        ..History::default()
    }));
    shown
}
