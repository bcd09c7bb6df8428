//! `log` and `why`: the steps of a cached container, and why one of them was performed.

use crate::builder::Builder;
use crate::error::{Error, Kind, Result};
use crate::steps::content;
use crate::steps::history::{self, Stepped};
use crate::store::{Logged, Outcome};

/// One line of a container's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// From 1.
    pub number: usize,
    /// `run`, `copy`, `add`, `config`, or `hand` for what was changed through a mount.
    pub kind: &'static str,
    /// The step in words.
    pub line: String,
    /// When it was performed, seconds since the epoch.
    pub created: i64,
    /// How long that took, milliseconds.
    pub milliseconds: u64,
    /// The files it wrote, bytes.
    pub size: u64,
    /// Whether it was taken from the cache here.
    pub cached: bool,
    /// The exit code of a command that failed.
    pub failed: Option<u8>,
}

/// The steps of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The container, by name or id.
    pub container: String,
}

impl Log {
    /// All steps, the oldest first.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Vec<LogLine>> {
        let record = builder.store.find_container(&self.container)?;
        history::require(&record, "show the steps of")?;
        let since = content::since(&builder.store, &record);
        let mut lines = Vec::new();
        for stepped in history::steps(&record) {
            let mut size = 0;
            for entry in stepped.entries {
                if let Logged::Froze(tree) = &entry.did {
                    size += content::of_tree(&builder.store, tree, since)?.bytes;
                }
            }
            lines.push(line(&stepped, size));
        }
        Ok(lines)
    }
}

fn line(stepped: &Stepped<'_>, size: u64) -> LogLine {
    let step = stepped.step;
    LogLine {
        number: stepped.number,
        kind: step.kind.name(),
        line: step.line.clone(),
        created: stepped.at,
        milliseconds: step.milliseconds,
        size,
        cached: step.outcome == Outcome::Cached,
        failed: match step.outcome {
            Outcome::Failed(code) => Some(code),
            _ => None,
        },
    }
}

/// Why a step was performed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// The container, by name or id.
    pub container: String,
    /// The step, from 1; the last one that was not taken from the cache, unless given.
    pub step: Option<usize>,
}

/// All there is to say of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reasons {
    /// The step.
    pub step: LogLine,
    /// Why it was performed, a fact each, the most telling first. None for one that was known, or is like no other.
    pub facts: Vec<String>,
    /// What it could see, by name: the beginning of each, of files their digest. None if it was not recorded.
    pub fields: Vec<(String, String)>,
}

impl Why {
    /// Says why.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Reasons> {
        let record = builder.store.find_container(&self.container)?;
        history::require(&record, "explain the steps of")?;
        let steps = history::steps(&record);
        let found = match self.step {
            Some(number) => {
                history::end_of(&record, number)?;
                steps.get(number.wrapping_sub(1))
            }
            None => steps.iter().rfind(|one| one.step.outcome != Outcome::Cached).or(steps.last()),
        };
        let Some(found) = found else {
            return Err(Error::new(
                Kind::NotFound,
                format!("cannot explain the container `{}`", record.name),
            )
            .because("there is no such step")
            .hint(format!("see the steps with `kiln log {}`", record.name)));
        };
        let known = found.step.key.and_then(|key| builder.store.step(key));
        let fields = known.map(|known| known.fields).unwrap_or_default();
        Ok(Reasons {
            step: line(found, 0),
            facts: found.step.why.clone(),
            fields: fields.into_iter().map(|field| (field.name, field.shown)).collect(),
        })
    }
}
