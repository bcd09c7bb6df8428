//! Stages: their names, what they inherit, and instructions of which only the last counts.

use std::collections::{BTreeMap, HashMap};

use super::{Looked, Report};
use crate::ast::{Body, Command, CommandLine, From, Value};
use crate::source::Span;

/// What a stage has said so far, or the stage it stands on.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    /// A `SHELL`, so that commands are run by one on purpose.
    shell: bool,
    /// A `WORKDIR`. Of an image it does not count: another version may have another one.
    workdir: bool,
}

pub(super) fn look(looked: &Looked<'_>, report: &mut Report<'_, '_>) {
    // What the last stage of each name has said, and the one that is looked at.
    let mut named: HashMap<&str, Said> = HashMap::new();
    let mut here: Option<(Option<&str>, Said)> = None;
    let mut last: BTreeMap<&str, Span> = BTreeMap::new();
    for instruction in &looked.dockerfile.instructions {
        let span = instruction.span;
        if let Body::From(from) = &instruction.body {
            last.clear();
            if let Some((Some(name), said)) = here.take() {
                named.insert(name, said);
            }
            here = Some((from.name.as_deref(), begin(from, span, &named, report)));
            continue;
        }
        let Some((_, stage)) = &mut here else { continue };
        match &instruction.body {
            Body::Cmd(command) => {
                count(&mut last, "CMD", span, report);
                json(command, "CMD", stage, span, report);
            }
            Body::Entrypoint(command) => {
                count(&mut last, "ENTRYPOINT", span, report);
                json(command, "ENTRYPOINT", stage, span, report);
            }
            Body::Healthcheck(_) => count(&mut last, "HEALTHCHECK", span, report),
            Body::Shell(_) => stage.shell = true,
            Body::Workdir(value) => {
                workdir(value, stage, span, report);
                stage.workdir = true;
            }
            _ => {}
        }
    }
}

/// What a stage begins with, after a look at its name.
fn begin(from: &From, span: Span, named: &HashMap<&str, Said>, report: &mut Report<'_, '_>) -> Said {
    if let Some(name) = &from.name
        && named.contains_key(name.as_str())
    {
        let message = format!("there is a stage `{name}` already: the later one counts from here on");
        report.warn("DuplicateStageName", span, Some(name), message);
    }
    named.get(from.image.to_lowercase().as_str()).copied().unwrap_or_default()
}

/// Notes an instruction of which only the last counts, and reports the one before.
fn count<'n>(last: &mut BTreeMap<&'n str, Span>, name: &'n str, span: Span, report: &mut Report<'_, '_>) {
    if let Some(before) = last.insert(name, span) {
        let message = format!("multiple {name} instructions: only the last one of a stage counts");
        report.warn("MultipleInstructionsDisallowed", before, Some(name), message);
    }
}

fn json(command: &Command, name: &str, stage: &Said, span: Span, report: &mut Report<'_, '_>) {
    if stage.shell || matches!(command.command, CommandLine::Exec(_)) {
        return;
    }
    report.warn_with(
        "JSONArgsRecommended",
        span,
        None,
        format!("JSON arguments recommended for {name}: a shell in between keeps signals from arriving"),
        &format!(
            "write it as {name} [\"program\", \"argument\"]; or name the shell with SHELL, if it is meant"
        ),
    );
}

fn workdir(value: &Value, stage: &Said, span: Span, report: &mut Report<'_, '_>) {
    let path = &value.value;
    // The first one decides: those after it are relative to that.
    if stage.workdir || path.starts_with(['/', '$']) {
        return;
    }
    let message = format!("the relative path `{path}` depends on what the base image has");
    report.warn("WorkdirRelativePath", span, Some(path), message);
}
