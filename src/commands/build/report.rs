//! What a build tells of its file, of its steps and of its failure.

use builder_core::Error;
use dockerfile_frontend::{Diagnostic, Failed, Severity, Source};

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
