//! Why a step is performed: how it differs from the nearest one that is recorded.

use crate::error::Result;
use crate::oci::Digest;
use crate::steps::key::{Definition, Framed};
use crate::store::{ContainerGuard, Field, Logged, Outcome, StepKind, Store};
use crate::tree::fingerprint::first_difference;

/// The ways in which a step may be like one done before: the same in all but the files below; the same words; the same
/// files below; the same place in a script on the same base.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Likeness([Digest; 4]);

/// In which ways the next step of a container is like others.
pub(crate) fn likeness(guard: &ContainerGuard, definition: &Definition, before: Digest) -> Likeness {
    let like = |how: &str, what: &[&str]| {
        let mut framed = Framed::new(how);
        framed.add(definition.kind.name());
        what.iter().for_each(|what| framed.add(what));
        framed.finish()
    };
    let base = guard.record.base.as_ref().map(|base| base.name.as_str()).unwrap_or_default();
    let place = guard.record.log.iter().filter(|entry| matches!(entry.did, Logged::Step(_))).count();
    Likeness([
        same(definition),
        like("words", &[&definition.line]),
        like("files", &[&before.hex()]),
        like("place", &[base, &place.to_string()]),
    ])
}

/// What steps have in common that differ in the files below only.
pub(crate) fn same(definition: &Definition) -> Digest {
    definition.key(Digest::of(b"whatever is below"))
}

impl Likeness {
    /// Notes a step that was recorded, for later explanations.
    pub(crate) fn note(&self, store: &Store, key: Digest) -> Result<()> {
        self.0.iter().try_for_each(|likeness| store.note_near(*likeness, key))
    }

    /// How a step differs from the nearest one recorded, a fact each, the most telling first; none if none is like it.
    pub(crate) fn differences(
        &self,
        store: &Store,
        guard: &ContainerGuard,
        definition: &Definition,
        before: Digest,
    ) -> Vec<String> {
        let mut keys: Vec<Digest> = self.0.iter().filter_map(|likeness| store.near(*likeness)).collect();
        keys.dedup();
        let candidates = keys.into_iter().filter_map(|key| store.step(key));
        let same_kind = candidates.filter(|record| record.kind == definition.kind);
        same_kind
            .map(|record| {
                let mut facts = field_differences(store, &record.fields, definition);
                if record.before != before {
                    facts.push(below(guard));
                }
                facts
            })
            .min_by_key(Vec::len)
            .unwrap_or_default()
    }
}

/// What of the fields differs, seen from those of the record.
fn field_differences(store: &Store, old: &[Field], definition: &Definition) -> Vec<String> {
    let mut facts = Vec::new();
    for field in &definition.fields {
        match old.iter().find(|known| known.name == field.name) {
            None => facts.push(format!("{} is new", field.name)),
            Some(known) if known.digest == field.digest => {}
            Some(known) if field.listed && known.listed => {
                facts.push(file_difference(store, known, field, definition));
            }
            // What a variable holds may be a secret, and is not told.
            Some(_) if ["variable ", "secret "].iter().any(|what| field.name.starts_with(what)) => {
                facts.push(format!("{} changed", field.name));
            }
            Some(known) => {
                facts.push(format!("{} changed: `{}`, before `{}`", field.name, field.shown, known.shown));
            }
        }
    }
    for known in old {
        if definition.fields.iter().all(|field| field.name != known.name) {
            facts.push(format!("{} is gone", known.name));
        }
    }
    facts
}

/// Which file differs.
fn file_difference(store: &Store, old: &Field, new: &Field, definition: &Definition) -> String {
    let now =
        definition.lists.iter().find(|(digest, _)| *digest == new.digest).map(|(_, list)| list.as_slice());
    let found = match (store.list(old.digest), now) {
        (Some(old), Some(now)) => first_difference(&old, now),
        _ => None,
    };
    found.map_or_else(|| format!("{} changed", new.name), |(path, how)| format!("{path} {how}"))
}

/// What is below the step and not as it was: the first step before it that was performed, or the base.
fn below(guard: &ContainerGuard) -> String {
    let mut steps = guard.record.log.iter().filter_map(|entry| match &entry.did {
        Logged::Step(step) => Some(step),
        _ => None,
    });
    match (
        steps.find(|step| step.outcome != Outcome::Cached && step.kind != StepKind::Config),
        &guard.record.base,
    ) {
        (Some(step), _) => format!("an earlier step left other files: {}", step.line),
        (None, Some(base)) => format!("the base {} is another image", base.name),
        (None, None) => "the steps before are others".to_owned(),
    }
}
