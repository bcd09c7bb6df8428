//! Stages: their names, platforms, and instructions of which only the last counts.

use std::collections::BTreeMap;

use super::{Looked, Report};
use crate::ast::Body;
use crate::source::Span;

pub(super) fn look(looked: &Looked<'_>, report: &mut Report<'_, '_>) {
    let mut names: Vec<&str> = Vec::new();
    let mut last: BTreeMap<&str, Span> = BTreeMap::new();
    let mut absolute = false;
    for instruction in &looked.dockerfile.instructions {
        let span = instruction.span;
        match &instruction.body {
            Body::From(from) => {
                last.clear();
                absolute = false;
                if let Some(name) = &from.name {
                    if names.contains(&name.as_str()) {
                        let message = format!("there is a stage `{name}` already");
                        report.warn("DuplicateStageName", span, Some(name), message);
                    }
                    names.push(name);
                }
                platform(from.platform.as_deref(), span, report);
                // Whether the base has a working directory is not known, unless it is a stage.
                absolute |= names.contains(&from.image.as_str());
            }
            Body::Cmd(_) => count(&mut last, "CMD", span, report),
            Body::Entrypoint(_) => count(&mut last, "ENTRYPOINT", span, report),
            Body::Healthcheck(_) => count(&mut last, "HEALTHCHECK", span, report),
            Body::Workdir(value) => {
                if value.value.starts_with('/') || value.value.contains('$') {
                    absolute = true;
                } else if !absolute {
                    let message =
                        format!("the relative path `{}` depends on what the base image has", value.value);
                    report.warn("WorkdirRelativePath", span, Some(&value.value), message);
                }
            }
            _ => {}
        }
    }
}

/// Notes an instruction of which only the last counts, and reports the one before.
fn count<'n>(last: &mut BTreeMap<&'n str, Span>, name: &'n str, span: Span, report: &mut Report<'_, '_>) {
    if let Some(before) = last.insert(name, span) {
        let message = format!("multiple {name} instructions: only the last one of a stage counts");
        report.warn("MultipleInstructionsDisallowed", before, Some(name), message);
    }
}

fn platform(platform: Option<&str>, span: Span, report: &mut Report<'_, '_>) {
    let Some(platform) = platform else { return };
    if matches!(platform, "$TARGETPLATFORM" | "${TARGETPLATFORM}") {
        let message = "--platform=$TARGETPLATFORM is what FROM does anyway";
        report.warn("RedundantTargetPlatform", span, Some(platform), message);
    } else if !platform.contains('$') {
        let message = format!("--platform should not be the constant `{platform}`");
        report.warn("FromPlatformFlagConstDisallowed", span, Some(platform), message);
    }
}
