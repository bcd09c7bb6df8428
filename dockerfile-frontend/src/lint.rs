//! What is hardly meant: the checks of BuildKit's Dockerfile front end, by their names.
//!
//! Each rule looks at the statements or at the typed instructions and reports; which reports count is what the file's
//! `check` directive says. Nothing here is an error unless the file or the user asks for that.

mod files;
mod names;
mod stages;
#[cfg(test)]
mod tests;
mod variables;

use crate::ast::Dockerfile;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::scope::Given;
use crate::source::{Source, Span};
use crate::statement::Statement;

/// One check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Its name, as BuildKit has it.
    pub name: &'static str,
    /// What it wants.
    pub says: &'static str,
}

/// All checks, by name.
pub const RULES: &[Rule] = &[
    Rule {
        name: "ConsistentInstructionCasing",
        says: "instructions are all in capitals, or all in small letters",
    },
    Rule { name: "CopyIgnoredFile", says: "what is copied is not left out by the ignore file" },
    Rule { name: "DuplicateStageName", says: "every stage has a name of its own" },
    Rule { name: "ExposeInvalidFormat", says: "EXPOSE takes ports, and no addresses" },
    Rule { name: "ExposeProtoCasing", says: "protocols of EXPOSE are in small letters" },
    Rule { name: "FromAsCasing", says: "`as` is written as `from` is" },
    Rule { name: "FromPlatformFlagConstDisallowed", says: "--platform of FROM names no platform outright" },
    Rule {
        name: "InvalidDefaultArgInFrom",
        says: "an image named by arguments is one also by their defaults",
    },
    Rule { name: "JSONArgsRecommended", says: "CMD and ENTRYPOINT are JSON arrays, so that signals arrive" },
    Rule { name: "LegacyKeyValueFormat", says: "ENV and LABEL have `=` between name and value" },
    Rule { name: "MaintainerDeprecated", says: "the author is a label, and no MAINTAINER" },
    Rule {
        name: "MultipleInstructionsDisallowed",
        says: "only the last CMD, ENTRYPOINT or HEALTHCHECK counts",
    },
    Rule { name: "NoEmptyContinuation", says: "no blank line stands inside a continued instruction" },
    Rule { name: "RedundantTargetPlatform", says: "--platform=$TARGETPLATFORM is what FROM does anyway" },
    Rule { name: "ReservedStageName", says: "no stage is called `context` or `scratch`" },
    Rule { name: "SecretsUsedInArgOrEnv", says: "secrets are in no ARG or ENV, which the image keeps" },
    Rule { name: "StageNameCasing", says: "names of stages are in small letters" },
    Rule { name: "UndefinedArgInFrom", says: "FROM uses arguments that were declared before" },
    Rule { name: "UndefinedVar", says: "variables were declared before they are used" },
    Rule { name: "WorkdirRelativePath", says: "a relative WORKDIR has an absolute one before it" },
];

/// What a `check` directive or the user asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checks {
    skip: Vec<String>,
    skip_all: bool,
    /// Whether a warning is an error.
    pub error: bool,
}

impl Checks {
    /// Reads `skip=A,B;error=true`. The message says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut checks = Checks::default();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match (name.trim(), value.trim()) {
                ("skip", "all") => checks.skip_all = true,
                ("skip", names) => checks.skip.extend(names.split(',').map(|name| name.trim().to_owned())),
                ("error", "true") => checks.error = true,
                ("error", "false") => checks.error = false,
                // There is none: all rules are as good as the others.
                ("experimental", _) => {}
                _ => return Err(format!("`{part}` is neither `skip=NAMES` nor `error=true`")),
            }
        }
        Ok(checks)
    }

    /// Whether a warning counts: it is none of a rule that is skipped.
    #[must_use]
    pub fn keeps(&self, diagnostic: &Diagnostic) -> bool {
        let rule = diagnostic.message.split_once(':').map_or("", |(rule, _)| rule);
        !RULES.iter().any(|known| known.name == rule) || self.wants(rule)
    }

    fn wants(&self, rule: &str) -> bool {
        !self.skip_all && !self.skip.iter().any(|name| name.eq_ignore_ascii_case(rule))
    }
}

/// What is looked at.
pub(crate) struct Looked<'l> {
    pub statements: &'l [Statement],
    pub dockerfile: &'l Dockerfile,
    pub given: &'l Given,
    /// Whether a path of the context is left out by the ignore file.
    pub is_ignored: &'l dyn Fn(&str) -> bool,
}

/// Where rules report.
pub(crate) struct Report<'r, 's> {
    faults: Diagnostics<'s>,
    checks: &'r Checks,
}

impl Report<'_, '_> {
    /// Reports that `rule` is broken in `part` of the lines `span`.
    pub fn warn(
        &mut self,
        rule: &'static str,
        span: Span,
        part: Option<&str>,
        message: impl std::fmt::Display,
    ) {
        debug_assert!(RULES.iter().any(|known| known.name == rule), "{rule} is in the table");
        if self.checks.wants(rule) {
            self.faults.warning(span, part, format!("{rule}: {message}"));
        }
    }

    /// As [`Report::warn`], with what helps.
    pub fn warn_with(
        &mut self,
        rule: &'static str,
        span: Span,
        part: Option<&str>,
        message: impl std::fmt::Display,
        hint: &str,
    ) {
        if self.checks.wants(rule) {
            self.faults.warning(span, part, format!("{rule}: {message}")).hint(hint);
        }
    }
}

/// Looks for what is hardly meant in a file that was parsed without errors.
#[must_use]
pub fn lint(
    source: &Source,
    statements: &[Statement],
    dockerfile: &Dockerfile,
    given: &Given,
    checks: &Checks,
    is_ignored: &dyn Fn(&str) -> bool,
) -> Vec<Diagnostic> {
    let looked = Looked { statements, dockerfile, given, is_ignored };
    let mut report = Report { faults: Diagnostics::new(source), checks };
    names::look(&looked, &mut report);
    stages::look(&looked, &mut report);
    variables::look(&looked, &mut report);
    files::look(&looked, &mut report);
    report.faults.into_found()
}
