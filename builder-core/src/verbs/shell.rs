//! `shell`: a look around in a cached container as it is, as it was after a step, or as a failed step left it.

use crate::builder::Builder;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::sandbox::Exit;
use crate::steps::hand::{self, Cut};
use crate::steps::{MountKind, Run};
use crate::steps::{container, history, timeline};
use crate::store::{ContainerRecord, Outcome};

/// Which state of a container to look at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Moment {
    /// As it is.
    #[default]
    Now,
    /// After the step of this number; 0 is before the first.
    After(usize),
    /// As the last command that failed left it, with that command's user, mounts and privileges.
    Failed,
}

/// Runs a shell in a container's files. What it changes there is dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shell {
    /// The container, by name or id.
    pub container: String,
    /// In which state.
    pub moment: Moment,
    /// What to run in place of a shell.
    pub command: Vec<String>,
    /// Whether it gets a terminal.
    pub terminal: bool,
}

impl Shell {
    /// Runs it and waits for it.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Exit> {
        let store = &builder.store;
        let work = store.work()?;
        let mut guard = store.hold_container(&self.container)?;
        history::require(&guard.record, "look into")?;
        if self.moment == Moment::Now {
            let Cut::Clean { alone, attached } = hand::cut(builder, &work, &mut guard)? else {
                let sentence = format!("cannot look into the container `{}`", guard.record.name);
                return Err(Error::new(Kind::InUse, sentence)
                    .because("someone is inside it")
                    .hint(format!("run a shell beside them: kiln run -t {} -- sh", guard.record.name)));
            };
            drop(alone);
            timeline::reattach(builder, &work, &guard, attached)?;
        }
        let (end, mut run) = self.find(builder, &guard.record)?;
        let passing = store.make_passing(&work, &guard.record, end)?;
        drop(guard);
        let config = container::draft(builder, &passing.record)?.config;
        run.args = match (&self.command, config.config.shell.first()) {
            (command, _) if !command.is_empty() => command.clone(),
            (_, Some(shell)) => vec![shell.clone()],
            (_, None) => vec!["/bin/sh".to_owned()],
        };
        run.terminal = self.terminal;
        run.perform_passing(builder, &work, &passing, false)
    }

    /// How much of the log leads there, and the privileges to look with.
    fn find(&self, builder: &Builder<'_>, record: &ContainerRecord) -> Result<(usize, Run)> {
        match self.moment {
            Moment::Now => Ok((record.log.len(), Run::default())),
            Moment::After(number) => Ok((history::end_of(record, number)?, Run::default())),
            Moment::Failed => {
                let steps = history::steps(record);
                let failed = steps.iter().rfind(|one| matches!(one.step.outcome, Outcome::Failed(_)));
                let failed = failed.ok_or_else(|| {
                    Error::new(Kind::NotFound, format!("cannot look into the container `{}`", record.name))
                        .because("none of its steps failed")
                        .hint(format!("look at another moment: kiln shell --at N {}", record.name))
                })?;
                let run = failed.step.verb.clone().and_then(|verb| serde_json::from_value(verb).ok());
                Ok((failed.end, without_loans(run.unwrap_or_default(), builder)))
            }
        }
    }
}

/// The run without what was lent to it: secrets and agents are kept nowhere.
fn without_loans(mut run: Run, builder: &Builder<'_>) -> Run {
    run.mounts.retain(|mount| {
        let what = match &mount.kind {
            MountKind::Secret { id, .. } => format!("the secret `{id}`"),
            MountKind::Ssh { id, .. } => format!("the SSH agent `{id}`"),
            _ => return true,
        };
        builder.report(Event::warning(format!("the shell is without {what}, which is kept nowhere")));
        false
    });
    run
}
