//! What a build tells of its file, of its steps and of its failure.

use builder_core::Error;
use dockerfile_frontend::ast::{Body, Dockerfile};
use dockerfile_frontend::{Diagnostic, Failed, Graph, Severity, Source, StageBase};

use crate::ui::{self, FailedStep, Row};

/// The most findings that are shown.
pub const MAX_SHOWN: usize = 50;

/// Shows what is wrong with a file, and says so.
pub fn faults(name: &str, found: &[Diagnostic]) -> Error {
    found.iter().take(MAX_SHOWN).for_each(ui::remark);
    let errors = found.iter().filter(|fault| fault.severity == Severity::Error).count().max(1);
    let plural = if errors == 1 { "" } else { "s" };
    Error::invalid(format!("cannot build `{name}`")).because(format!("{errors} error{plural}"))
}

/// Why the build failed, as Buildah says it; `code` is that of the command which did, if one did.
pub fn failure_as_buildah(failed: Failed<Error>, source: &Source, code: Option<u8>) -> Error {
    let Failed::Verb { stage, text, error, .. } = failed else {
        return failure(failed, source, &FailedStep::default());
    };
    if text == stage.text {
        return Error::new(error.kind(), "creating build container").because(error);
    }
    let failed = Error::new(error.kind(), format!("building at STEP \"{text}\""));
    match code {
        Some(code) => failed.because(format!("while running runtime: exit status {code}")),
        None => failed.because(error),
    }
}

/// Why the build failed, with the place in the file.
pub fn failure(failed: Failed<Error>, source: &Source, step: &FailedStep) -> Error {
    match failed {
        Failed::Words(found) => faults(source.name(), &found),
        Failed::Verb { stage, span, text, error } => {
            let name = match &stage.name {
                Some(name) => format!("stage `{name}`"),
                None => format!("stage {}", stage.index),
            };
            let text: String = text.chars().take(160).collect();
            ui::remark(format_args!(
                "error: {name} failed at `{text}`\n  --> {}:{}",
                source.name(),
                span.first
            ));
            if !step.last.is_empty() {
                ui::remark("its last output:");
                step.last.iter().for_each(|line| ui::remark(format_args!("   {line}")));
            }
            Error::new(error.kind(), format!("cannot build `{}`", source.name())).because(error)
        }
    }
}

/// `--call targets`: the stages, the last of which is the default.
pub fn targets(graph: &Graph) {
    let mut rows = Vec::new();
    for (place, stage) in graph.stages.iter().enumerate() {
        let name = stage.name.clone().unwrap_or_else(|| place.to_string());
        let base = match &stage.base {
            StageBase::Scratch => "scratch".to_owned(),
            StageBase::Image { name, .. } => name.clone(),
            StageBase::Stage(earlier) => {
                graph.stages[*earlier].name.clone().unwrap_or_else(|| earlier.to_string())
            }
        };
        let default = if place + 1 == graph.stages.len() { "(default)" } else { "" };
        rows.push(vec![name, base, default.to_owned()]);
    }
    ui::result_bytes(ui::table::draw(Some(&["TARGET", "BASE"]), &rows).as_bytes());
}

/// `--call outline`: what a build of the target can be given.
pub fn outline(dockerfile: &Dockerfile, graph: &Graph) {
    let name = graph.stages[graph.target].name.clone().unwrap_or_else(|| graph.target.to_string());
    ui::result(format_args!("TARGET: {name}\n"));
    let needed = graph.needed();
    let counts = |place: usize| {
        let in_stage = graph.stages.iter().position(|stage| stage.instructions.contains(&place));
        in_stage.is_none_or(|stage| needed.contains(&stage))
    };
    let mut rows = Vec::new();
    for (place, instruction) in dockerfile.instructions.iter().enumerate().filter(|(place, _)| counts(*place))
    {
        let _ = place;
        if let Body::Arg(arg) = &instruction.body {
            for argument in &arg.arguments {
                rows.push(vec![argument.name.clone(), argument.default.clone().unwrap_or_default()]);
            }
        }
    }
    rows.sort();
    rows.dedup();
    ui::result_bytes(ui::table::draw(Some(&["BUILD ARG", "DEFAULT"]), &rows).as_bytes());
}

/// The closing table: what each step took and wrote, and whether it was known.
pub fn summary(rows: &[Row]) {
    let head = ["STEP", "TIME", "SIZE", "CACHED", "INSTRUCTION"];
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let text = row.text.chars().take(80).collect();
            let cached = if row.cached { "yes" } else { "no" };
            vec![
                row.place.clone(),
                ui::text::duration(row.took),
                ui::text::size(row.size),
                cached.to_owned(),
                text,
            ]
        })
        .collect();
    ui::remark(ui::table::draw(Some(&head), &rows).trim_end());
}
