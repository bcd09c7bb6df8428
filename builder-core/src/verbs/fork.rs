//! `fork`: another container that begins where a cached one is, or was.

use crate::builder::{Builder, now_nanoseconds};
use crate::error::{Error, Kind, Result};
use crate::steps::hand::{self, Cut};
use crate::steps::{history, timeline};
use crate::store::containers::frozen_of;
use crate::store::{NewContainer, TreeId};
use crate::verbs::beside;
use crate::verbs::from::Made;

/// Makes a container of another one's steps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fork {
    /// The container, by name or id.
    pub container: String,
    /// After which of its steps; after all, unless given. 0 is before the first.
    pub at: Option<usize>,
    /// The new one's name; without one it is named after the old one, `-1`, `-2` …
    pub name: Option<String>,
}

impl Fork {
    /// Makes it. The two share files, and nothing that is done to one shows in the other.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Made> {
        let store = &builder.store;
        let work = store.work()?;
        let mut guard = store.hold_container(&self.container)?;
        history::require(&guard.record, "fork")?;
        if self.at.is_none() {
            let Cut::Clean { alone, attached } = hand::cut(builder, &work, &mut guard)? else {
                let sentence = format!("cannot fork the container `{}`", guard.record.name);
                return Err(Error::new(Kind::InUse, sentence)
                    .because("someone is inside it")
                    .hint("leave the directory it is mounted at, or fork it at a step: --at N"));
            };
            drop(alone);
            timeline::reattach(builder, &work, &guard, attached)?;
        }
        let end = match self.at {
            Some(number) => history::end_of(&guard.record, number)?,
            None => guard.record.log.len(),
        };
        // The times in its trees mean something by when this container was made, not the new one.
        timeline::state(builder, &mut guard)?;
        guard.save()?;
        let log = guard.record.log[..end].to_vec();
        let frozen = frozen_of(&log);
        store.lease(&work, frozen.iter().map(TreeId::as_str))?;
        let new = NewContainer {
            name: self.name.clone().unwrap_or_else(|| stem(&guard.record.name).to_owned()),
            exact: self.name.is_some(),
            base: guard.record.base.clone(),
            format: guard.record.format,
            run: guard.record.run.clone(),
            created: now_nanoseconds(),
            cached: true,
            frozen,
            log,
            leased: None,
        };
        let record = beside::make_container(builder, &work, new)?;
        Ok(Made { name: record.name, id: record.id })
    }
}

/// A name without the number it got as one of several: a fork of a fork is one more of them.
fn stem(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((stem, number))
            if !stem.is_empty() && number.bytes().all(|c| c.is_ascii_digit()) && !number.is_empty() =>
        {
            stem
        }
        _ => name,
    }
}
