//! A container's log as a list of steps by number, which the verbs that go back in it share.

use crate::error::{Error, Kind, Result};
use crate::store::{ContainerRecord, LogEntry, Logged, Step};

/// One step of a log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stepped<'a> {
    /// From 1.
    pub number: usize,
    /// When it was performed, seconds since the epoch.
    pub at: i64,
    /// The step.
    pub step: &'a Step,
    /// All that is in the log of it, itself first.
    pub entries: &'a [LogEntry],
    /// How many entries of the log there are up to its end.
    pub end: usize,
}

/// All steps, the oldest first.
pub(crate) fn steps(record: &ContainerRecord) -> Vec<Stepped<'_>> {
    let log = &record.log;
    let starts: Vec<usize> =
        (0..log.len()).filter(|place| matches!(log[*place].did, Logged::Step(_))).collect();
    let ends = starts.iter().skip(1).copied().chain([log.len()]);
    let numbered = starts.iter().zip(ends).zip(1..);
    numbered
        .filter_map(|((start, end), number)| match &log[*start].did {
            Logged::Step(step) => {
                Some(Stepped { number, at: log[*start].at, step, entries: &log[*start..end], end })
            }
            _ => None,
        })
        .collect()
}

/// How many entries of the log there are up to the end of step `number`; 0 is before the first step.
pub(crate) fn end_of(record: &ContainerRecord, number: usize) -> Result<usize> {
    let steps = steps(record);
    if number == 0 {
        return Ok(steps.first().map_or(record.log.len(), |first| first.end - first.entries.len()));
    }
    steps.get(number - 1).map(|step| step.end).ok_or_else(|| {
        Error::new(Kind::NotFound, format!("cannot find step {number} of the container `{}`", record.name))
            .because(match steps.len() {
                0 => "it has no steps".to_owned(),
                count => format!("it has {count} steps"),
            })
            .hint(format!("see them with `kiln log {}`", record.name))
    })
}

/// Refuses a container that keeps no steps.
pub(crate) fn require(record: &ContainerRecord, verb: &str) -> Result<()> {
    if record.cached {
        return Ok(());
    }
    Err(Error::invalid(format!("cannot {verb} the container `{}`", record.name))
        .because("it keeps no steps")
        .hint("make it with `kiln from --cached IMAGE`, or with KILN_CACHED=1 set"))
}
