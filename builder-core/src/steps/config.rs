//! `config`: edits what a container's image will say of itself. Touches no file of the container.

use crate::builder::{Builder, now};
use crate::error::Result;
use crate::event::Event;
use crate::oci::ConfigEdit;
use crate::steps::timeline::{self, Asked, Performed};
use crate::steps::{container, key};
use crate::store::{ContainerGuard, LogEntry, Logged, Printed};

/// Edits of a container's configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The container, by name or id.
    pub container: String,
    /// What changes, in order.
    pub edits: Vec<ConfigEdit>,
    /// Lines for the image's history, if this step shall show there.
    pub history: Vec<String>,
}

impl Config {
    /// Writes the edits into the container's log.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<()> {
        let mut guard = builder.store.hold_container(&self.container)?;
        let sets_entrypoint = self.edits.iter().any(|edit| matches!(edit, ConfigEdit::Entrypoint(Some(_))));
        let sets_cmd = self.edits.iter().any(|edit| matches!(edit, ConfigEdit::Cmd(_)));
        if sets_entrypoint && !sets_cmd {
            let draft = container::draft(builder, &guard.record)?;
            if let Some(cmd) = draft.config.config.cmd.filter(|cmd| !cmd.is_empty()) {
                builder.report(Event::Warning {
                    message: format!("the command {cmd:?} becomes arguments of the new entrypoint"),
                    hint: Some(format!("to remove it: kiln config --cmd '' {}", self.container)),
                });
            }
        }
        if guard.record.cached {
            return self.perform_as_step(builder, &mut guard);
        }
        guard.record.log.push(LogEntry { at: now(), did: Logged::Config(self.edits.clone()) });
        for line in &self.history {
            guard.record.log.push(LogEntry { at: now(), did: Logged::History(line.clone()) });
        }
        guard.save()
    }

    /// The edits as a step of a cached container: it has nothing to perform, but a time that it keeps.
    fn perform_as_step(&self, builder: &Builder<'_>, guard: &mut ContainerGuard) -> Result<()> {
        let work = builder.store.work()?;
        let draft = container::draft(builder, &guard.record)?;
        let definition = key::define_config(self, &draft);
        let perform = |_: &mut ContainerGuard| {
            Ok(Performed { value: (), printed: Printed::default(), failed: 0, never: None })
        };
        let log = |(): &()| {
            let history = self.history.iter().cloned().map(Logged::History);
            [Logged::Config(self.edits.clone())].into_iter().chain(history).collect()
        };
        timeline::step(builder, guard, Asked { definition, perform, log, work: &work, verb: None })
    }
}
