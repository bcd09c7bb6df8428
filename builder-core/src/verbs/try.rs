//! `try`: a built image, or a container as it is, run once as whoever gets it will run it. What it changes is dropped.

use crate::builder::{Builder, now_nanoseconds};
use crate::error::{Error, Kind, Result};
use crate::name::Location;
use crate::oci::ContainerDefaults;
use crate::rootfs;
use crate::sandbox::Exit;
use crate::steps::hand::{self, Cut};
use crate::steps::{Run, container, timeline};
use crate::store::{ContainerGuard, ContainerRecord, LogEntry, Logged, Work};
use crate::verbs::from::{From, base_name};

/// Runs an image or a container once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Try {
    /// The container, or else the image, and how that is brought if it is not here.
    pub from: From,
    /// What follows the entrypoint, in place of the usual command.
    pub command: Vec<String>,
    /// In place of the image's entrypoint; its usual command does not follow this one. Empty for none.
    pub entrypoint: Option<Vec<String>>,
    /// How it is run; its arguments are worked out here.
    pub run: Run,
    /// Whether it has no input.
    pub no_input: bool,
}

impl Try {
    /// Runs it and waits for it. Its files live in a container that nothing lists and that goes with this process.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Exit> {
        let store = &builder.store;
        let work = store.work()?;
        let like = self.find(builder, &work)?;
        let passing = store.make_passing(&work, &like, like.log.len())?;
        let defaults = container::draft(builder, &passing.record)?.config.config;
        let run = Run { args: self.words(&defaults)?, ..self.run.clone() };
        run.perform_passing(builder, &work, &passing, self.no_input)
    }

    /// What is to be run: a container of this name as it is now, or an image.
    fn find(&self, builder: &Builder<'_>, work: &Work) -> Result<ContainerRecord> {
        if !Location::has_transport(&self.from.image) {
            match builder.store.hold_container(&self.from.image) {
                Ok(mut guard) => return now(builder, work, &mut guard),
                Err(error) if error.kind() == Kind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        let base = self.from.base(builder, work)?;
        Ok(ContainerRecord {
            id: String::new(),
            name: base_name(&base.name),
            created: now_nanoseconds(),
            base: Some(base),
            format: self.from.format,
            frozen: Vec::new(),
            pending: None,
            renew: false,
            run: None,
            log: Vec::new(),
            cached: false,
            leased: None,
        })
    }

    /// The program and its arguments, as the image specification puts them together.
    fn words(&self, defaults: &ContainerDefaults) -> Result<Vec<String>> {
        let usual = |words: &Option<Vec<String>>| words.clone().unwrap_or_default();
        let (mut words, after) = match &self.entrypoint {
            // What the image says was meant for its own entrypoint.
            Some(instead) => (instead.clone(), Vec::new()),
            None => (usual(&defaults.entrypoint), usual(&defaults.cmd)),
        };
        words.extend(if self.command.is_empty() { after } else { self.command.clone() });
        if words.is_empty() {
            return Err(Error::invalid(format!("cannot try `{}`", self.from.image))
                .because("it names no program to run")
                .hint(format!("name one: kiln try {} sh", self.from.image)));
        }
        Ok(words)
    }
}

/// A container as it is now, all that changed in it frozen.
fn now(builder: &Builder<'_>, work: &Work, guard: &mut ContainerGuard) -> Result<ContainerRecord> {
    if guard.record.cached
        && let Cut::Clean { alone, attached } = hand::cut(builder, work, guard)?
    {
        drop(alone);
        timeline::reattach(builder, work, guard, attached)?;
        return Ok(guard.record.clone());
    }
    let parts = rootfs::freeze(builder, work, guard)?;
    let mut record = guard.record.clone();
    // Where someone is inside, the newest part is a copy, which the container itself knows nothing of.
    if parts.len() > record.frozen.len()
        && let Some(copy) = parts.into_iter().next()
    {
        let at = record.log.last().map_or(0, |entry| entry.at);
        record.log.push(LogEntry { at, did: Logged::Froze(copy) });
    }
    Ok(record)
}

#[cfg(test)]
mod tests;
