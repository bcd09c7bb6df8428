//! Which files an ignore file (`.containerignore`, `.dockerignore`) or a list of `--exclude` patterns leaves out.
//!
//! The last rule that matches a path, or a directory above it, decides; a rule with `!` brings back. All rules are
//! compiled into one set, which finds those that match in one pass over the path. Reading the file is the caller's.

use std::path::{Component, Path};

use regex::bytes::{RegexSet, RegexSetBuilder};

use crate::error::{Error, Result};
use crate::tree::RelPath;
use crate::tree::pattern::translate_ignore;

/// As large as all rules together may become when compiled, in bytes.
const MAX_COMPILED: usize = 16 << 20;

/// A compiled list of rules.
#[derive(Debug, Default)]
pub(crate) struct Ignore {
    set: RegexSet,
    rules: Vec<Rule>,
}

/// The lines of an ignore file, for whoever asks about paths before anything is copied.
#[derive(Debug)]
pub struct Ignored(Ignore);

impl Ignored {
    /// Compiles the lines, comments and all.
    pub fn new<L: AsRef<str>>(lines: &[L]) -> Result<Self> {
        Ignore::of_lines(lines).map(Ignored)
    }

    /// Whether `path`, from the context's root, is left out.
    #[must_use]
    pub fn leaves_out(&self, path: &str) -> bool {
        self.0.leaves_out(self.0.judge_from_root(&RelPath::clamp(path)))
    }
}

/// What one rule says besides its pattern.
#[derive(Debug)]
struct Rule {
    /// Whether it brings back (`!`) instead of leaving out.
    brings_back: bool,
    /// The directories it names before its first wildcard.
    lead: RelPath,
    /// Whether those are the whole pattern.
    whole: bool,
}

/// The last rule that matched a path or a directory above it. The default: none did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Verdict(Option<usize>);

impl Ignore {
    /// Compiles the lines of an ignore file: `#` in the first column begins a comment, a byte order mark is skipped.
    pub(crate) fn of_lines<L: AsRef<str>>(lines: &[L]) -> Result<Self> {
        let mut lines: Vec<&str> = lines.iter().map(AsRef::as_ref).collect();
        if let Some(first) = lines.first_mut() {
            *first = first.trim_start_matches('\u{feff}');
        }
        Ignore::new(lines.into_iter().filter(|line| !line.starts_with('#')))
    }

    /// Compiles `patterns`, in the order in which they are to be judged; empty ones are skipped.
    pub(crate) fn new<P: AsRef<str>>(patterns: impl IntoIterator<Item = P>) -> Result<Self> {
        let mut rules = Vec::new();
        let mut texts = Vec::new();
        for pattern in patterns {
            let pattern = pattern.as_ref().trim();
            if pattern.is_empty() {
                continue;
            }
            let (brings_back, path) = match pattern.strip_prefix('!') {
                Some(path) => (true, path.trim()),
                None => (false, pattern),
            };
            if path.is_empty() {
                return Err(Error::invalid("cannot use the pattern `!`").because("it brings back nothing"));
            }
            let path = clean(path);
            texts.push(translate_ignore(&path)?);
            rules.push(Rule::of(brings_back, &path));
        }
        let set = RegexSetBuilder::new(texts).size_limit(MAX_COMPILED).build().map_err(|_| {
            Error::invalid("cannot use the ignore patterns")
                .because(format!("compiled, they take more than {} MiB", MAX_COMPILED >> 20))
        })?;
        Ok(Ignore { set, rules })
    }

    /// Whether there is no rule at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Judges `path`, given the verdict on the directory it is in. The root itself is never left out.
    pub(crate) fn judge(&self, above: Verdict, path: &RelPath) -> Verdict {
        if path.is_root() || self.is_empty() {
            return above;
        }
        let own = self.set.matches(path.as_bytes()).iter().next_back();
        Verdict(above.0.max(own))
    }

    /// Judges `path` alone, from the root down.
    pub(crate) fn judge_from_root(&self, path: &RelPath) -> Verdict {
        let mut here = RelPath::root();
        let mut verdict = Verdict::default();
        for part in path.parts() {
            here = here.join(part);
            verdict = self.judge(verdict, &here);
        }
        verdict
    }

    /// Whether `verdict` leaves out what it was given for.
    pub(crate) fn leaves_out(&self, verdict: Verdict) -> bool {
        verdict.0.is_some_and(|last| !self.rules[last].brings_back)
    }

    /// Whether a later rule may bring back something below the directory `path`, so that it must be looked into.
    pub(crate) fn may_bring_back_below(&self, verdict: Verdict, path: &RelPath) -> bool {
        let later = &self.rules[verdict.0.map_or(0, |last| last + 1)..];
        later.iter().any(|rule| rule.brings_back && rule.reaches_below(path))
    }
}

impl Rule {
    fn of(brings_back: bool, pattern: &str) -> Self {
        let mut lead = RelPath::root();
        for part in pattern.split('/').filter(|part| !part.is_empty()) {
            if part.contains(['*', '?', '[', '\\']) {
                return Rule { brings_back, lead, whole: false };
            }
            lead = lead.join(part);
        }
        Rule { brings_back, lead, whole: true }
    }

    /// Whether a path below `directory` may match.
    fn reaches_below(&self, directory: &RelPath) -> bool {
        self.lead.starts_with(directory) && self.lead != *directory
            || (!self.whole && directory.starts_with(&self.lead))
    }
}

/// As Go's `filepath.Clean` and without leading slashes: doubled slashes and `.` go, `..` takes a part away where
/// there is one.
fn clean(pattern: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in Path::new(pattern).components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str().expect("parts of a str are strs")),
            Component::ParentDir if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            Component::ParentDir if !pattern.starts_with('/') => parts.push(".."),
            _ => {}
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

#[cfg(test)]
mod tests;
