//! `undo`: takes a cached container back by some steps.

use crate::builder::Builder;
use crate::error::{Error, Kind, Result};
use crate::steps::hand::{self, Cut};
use crate::steps::{history, timeline};

/// Takes a container back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    /// The container, by name or id.
    pub container: String,
    /// By how many steps.
    pub steps: usize,
}

impl Undo {
    /// Takes it back and gives the steps that were undone, in words, the last one first. What was changed by hand since
    /// the last step counts as one.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Vec<String>> {
        let work = builder.store.work()?;
        let mut guard = builder.store.hold_container(&self.container)?;
        history::require(&guard.record, "undo steps of")?;
        let Cut::Clean { alone, attached } = hand::cut(builder, &work, &mut guard)? else {
            return Err(Error::new(
                Kind::InUse,
                format!("cannot undo steps of the container `{}`", guard.record.name),
            )
            .because("someone is inside it")
            .hint("leave the directory it is mounted at, and let its commands end"));
        };
        let undone = self.rewind(builder, &mut guard);
        drop(alone);
        timeline::reattach(builder, &work, &guard, attached)?;
        undone
    }

    fn rewind(&self, builder: &Builder<'_>, guard: &mut crate::store::ContainerGuard) -> Result<Vec<String>> {
        let steps = history::steps(&guard.record);
        let Some(left) = steps.len().checked_sub(self.steps) else {
            let name = &guard.record.name;
            return Err(Error::invalid(format!(
                "cannot undo {} steps of the container `{name}`",
                self.steps
            ))
            .because(format!("it has {}", steps.len()))
            .hint(format!("see them with `kiln log {name}`")));
        };
        let undone = steps[left..].iter().rev().map(|stepped| stepped.step.line.clone()).collect();
        let end = history::end_of(&guard.record, left)?;
        builder.store.rewind(guard, end)?;
        Ok(undone)
    }
}
