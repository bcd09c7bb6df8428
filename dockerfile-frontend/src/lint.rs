//! What is hardly meant: the checks of BuildKit's Dockerfile front end, by their names.
//!
//! Each rule looks at the statements or at the typed instructions and reports; which reports count is what the file's
//! `check` directive says. Nothing here is an error unless the file or the user asks for that.

mod files;
mod from;
mod names;
mod stages;
#[cfg(test)]
mod tests;
mod variables;

use crate::ast::Dockerfile;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::parser::boolean;
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
    /// Whether it is looked at only where the file or the user asks for it.
    pub experimental: bool,
}

const fn rule(name: &'static str, says: &'static str) -> Rule {
    Rule { name, says, experimental: false }
}

const fn experimental(name: &'static str, says: &'static str) -> Rule {
    Rule { name, says, experimental: true }
}

/// All checks, by name.
pub const RULES: &[Rule] = &[
    rule("ConsistentInstructionCasing", "instructions are all in capitals, or all in small letters"),
    experimental("CopyIgnoredFile", "what is copied is not left out by the ignore file"),
    rule("DuplicateStageName", "every stage has a name of its own"),
    rule("ExposeInvalidFormat", "EXPOSE takes ports, and no addresses"),
    rule("ExposeProtoCasing", "protocols of EXPOSE are in small letters"),
    rule("FromAsCasing", "`as` is written as `from` is"),
    rule("FromPlatformFlagConstDisallowed", "--platform of FROM names no platform outright"),
    rule("InvalidBaseImagePlatform", "an image stands on one of the platform it is for"),
    rule("InvalidDefaultArgInFrom", "an image named by arguments is one also by their defaults"),
    experimental(
        "InvalidDefinitionDescription",
        "a comment right above FROM or ARG begins with the name it describes",
    ),
    rule("JSONArgsRecommended", "CMD and ENTRYPOINT are JSON arrays, so that signals arrive"),
    rule("LegacyKeyValueFormat", "ENV and LABEL have `=` between name and value"),
    rule("MaintainerDeprecated", "the author is a label, and no MAINTAINER"),
    rule("MultipleInstructionsDisallowed", "only the last CMD, ENTRYPOINT or HEALTHCHECK counts"),
    rule("NoEmptyContinuation", "no blank line stands inside a continued instruction"),
    rule("RedundantTargetPlatform", "--platform=$TARGETPLATFORM is what FROM does anyway"),
    rule("ReservedStageName", "no stage is called `context` or `scratch`"),
    rule("SecretsUsedInArgOrEnv", "secrets are in no ARG or ENV, which the image keeps"),
    rule("StageNameCasing", "names of stages are in small letters"),
    rule("UndefinedArgInFrom", "FROM uses arguments that were declared before"),
    rule("UndefinedVar", "variables were declared before they are used"),
    rule("WorkdirRelativePath", "a relative WORKDIR has an absolute one before it"),
];

impl Rule {
    /// The rule that a finding is of: its message begins with the name.
    #[must_use]
    pub fn of(diagnostic: &Diagnostic) -> Option<&'static Rule> {
        let (name, _) = diagnostic.message.split_once(':')?;
        RULES.iter().find(|rule| rule.name == name)
    }
}

/// The argument of a build that stands in place of the `check` directive.
pub const CHECKS_ARGUMENT: &str = "BUILDKIT_DOCKERFILE_CHECK";

/// Names of rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Names {
    all: bool,
    some: Vec<String>,
}

impl Names {
    fn add(&mut self, text: &str) {
        match text {
            "all" => self.all = true,
            names => self.some.extend(names.split(',').map(|name| name.trim().to_owned())),
        }
    }

    fn have(&self, rule: &Rule) -> bool {
        self.all || self.some.iter().any(|name| name.eq_ignore_ascii_case(rule.name))
    }
}

/// What a `check` directive or the user asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checks {
    skip: Names,
    experimental: Names,
    /// Whether a warning is an error.
    pub error: bool,
}

impl Checks {
    /// What is asked for of a file: what the build is given as [`CHECKS_ARGUMENT`], else what the file says. The
    /// message says what is wrong with it.
    pub fn of(dockerfile: &Dockerfile, given: &Given) -> Result<Self, String> {
        let own = dockerfile.directives.check.as_ref().map(|check| check.value.as_str());
        let asked = given.arguments.get(CHECKS_ARGUMENT).map(String::as_str);
        Checks::parse(asked.or(own).unwrap_or_default())
    }

    /// Reads `skip=A,B;experimental=C;error=true`. The message says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut checks = Checks::default();
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match (name.trim(), value.trim()) {
                (_, "") => return Err(format!("`{part}` has no value")),
                ("skip", names) => checks.skip.add(names),
                ("experimental", names) => checks.experimental.add(names),
                ("error", value) => {
                    let known = boolean(value);
                    checks.error = known.ok_or_else(|| format!("`{part}` is neither true nor false"))?;
                }
                _ => return Err(format!("`{part}` is neither `skip=NAMES` nor `error=true`")),
            }
        }
        Ok(checks)
    }

    /// Whether a warning counts: it is none of a rule that is skipped.
    #[must_use]
    pub fn keeps(&self, diagnostic: &Diagnostic) -> bool {
        Rule::of(diagnostic).is_none_or(|rule| self.wants(rule))
    }

    fn wants(&self, rule: &Rule) -> bool {
        if rule.experimental { self.experimental.have(rule) } else { !self.skip.have(rule) }
    }
}

/// Knows the variables of an image by its name.
pub type VariablesOf<'o> = dyn Fn(&str) -> Option<Vec<String>> + 'o;

/// Compares an image, by its name, with the platform that is wanted.
pub type OtherPlatformOf<'o> = dyn Fn(&str, &str) -> Option<String> + 'o;

/// What is outside of the file and counts all the same.
#[derive(Clone, Copy)]
pub struct Outside<'o> {
    /// Whether a path of the context is left out by the ignore file.
    pub is_ignored: &'o dyn Fn(&str) -> bool,
    /// The names of the variables that an image has; none where it is not at hand.
    pub variables_of: &'o VariablesOf<'o>,
    /// The platform of an image, where it is not the one that is wanted; none where it is not at hand.
    pub other_platform_of: &'o OtherPlatformOf<'o>,
}

/// As many names are looked at for one that was meant.
const MAX_NEAR: usize = 200;

/// What is looked at.
pub(crate) struct Looked<'l> {
    pub statements: &'l [Statement],
    pub dockerfile: &'l Dockerfile,
    pub given: &'l Given,
    pub outside: Outside<'l>,
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
        self.report(rule, span, part, message, None);
    }

    /// Whether nothing more is kept, so that there is no use in looking.
    pub fn is_full(&self) -> bool {
        self.faults.is_full()
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
        self.report(rule, span, part, message, Some(hint));
    }

    fn report(
        &mut self,
        rule: &'static str,
        span: Span,
        part: Option<&str>,
        message: impl std::fmt::Display,
        hint: Option<&str>,
    ) {
        let known = RULES.iter().find(|known| known.name == rule);
        debug_assert!(known.is_some(), "{rule} is in the table");
        if known.is_some_and(|rule| self.checks.wants(rule)) {
            let added = self.faults.warning(span, part, format!("{rule}: {message}"));
            if let Some(hint) = hint {
                added.hint(hint);
            }
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
    outside: Outside<'_>,
) -> Vec<Diagnostic> {
    let looked = Looked { statements, dockerfile, given, outside };
    let mut report = Report { faults: Diagnostics::new(source), checks };
    names::look(&looked, &mut report);
    stages::look(&looked, &mut report);
    variables::look(&looked, &mut report);
    files::look(&looked, &mut report);
    report.faults.into_found()
}
