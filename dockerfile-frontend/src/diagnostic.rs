//! What is wrong with a Dockerfile, and how it is shown: the place, an excerpt, what was expected, a hint.
//!
//! Printing is the command line's business; [`Diagnostic`]'s `Display` gives the lines.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use crate::source::{Source, Span, without_end};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// It works, and is hardly meant.
    Warning,
    /// It cannot be built.
    Error,
}

/// The longest excerpt of a line, in characters.
const MAX_EXCERPT: usize = 100;

/// The longest message, in characters: it may quote what the file has.
const MAX_MESSAGE: usize = 300;

/// How many findings of each severity are kept. A file with more is no Dockerfile, and each costs time and memory.
const MAX_FOUND: usize = 500;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What messages call the file.
    pub file: Arc<str>,
    /// Where it is.
    pub span: Span,
    /// What is wrong: one sentence, lower case, no full stop.
    pub message: String,
    /// What should stand there instead.
    pub expected: Option<String>,
    /// What helps.
    pub hint: Option<String>,
    /// Boxed, so that a result with a diagnostic stays small.
    excerpt: Option<Box<Excerpt>>,
}

/// The line that matters, cut to [`MAX_EXCERPT`], and the part of it that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    line: usize,
    text: String,
    /// Where the part starts and how wide it is, in characters.
    mark: Option<(usize, usize)>,
}

impl Diagnostic {
    /// An error without an excerpt.
    pub(crate) fn error(file: Arc<str>, span: Span, message: impl Into<String>) -> Self {
        Diagnostic {
            severity: Severity::Error,
            file,
            span,
            message: message.into(),
            expected: None,
            hint: None,
            excerpt: None,
        }
    }

    /// Says what should stand there.
    pub(crate) fn expected(mut self, what: impl Into<String>) -> Self {
        self.expected = Some(what.into());
        self
    }

    /// Says what helps.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The line to look at: the one with the part that is meant, else the first.
    #[must_use]
    pub fn line(&self) -> usize {
        self.excerpt.as_ref().map_or(self.span.first, |excerpt| excerpt.line)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = if self.severity == Severity::Error { "error" } else { "warning" };
        write!(f, "{severity}: {}\n  --> {}:{}", self.message, self.file, self.line())?;
        if let Some(excerpt) = &self.excerpt {
            let number = excerpt.line.to_string();
            write!(f, "\n   {}", format!("{number} | {}", excerpt.text).trim_end())?;
            if let Some((start, width)) = excerpt.mark {
                let gap = " ".repeat(number.len());
                write!(f, "\n   {gap} | {}{}", " ".repeat(start), "^".repeat(width.max(1)))?;
            }
        }
        if let Some(expected) = &self.expected {
            write!(f, "\nexpected: {expected}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

/// What was found so far in one source.
#[derive(Debug)]
pub(crate) struct Diagnostics<'a> {
    source: &'a Source,
    found: Vec<Diagnostic>,
    /// How many warnings and errors are among them.
    kept: [usize; 2],
}

/// The finding just added, for what else there is to say of it; none where there are too many already.
pub(crate) struct Added<'d>(Option<&'d mut Diagnostic>);

impl Added<'_> {
    /// Says what should stand there.
    pub(crate) fn expected(mut self, what: impl Into<String>) -> Self {
        if let Some(diagnostic) = &mut self.0 {
            diagnostic.expected = Some(clip(&what.into(), 0, MAX_MESSAGE));
        }
        self
    }

    /// Says what helps.
    pub(crate) fn hint(self, hint: impl Into<String>) {
        if let Some(diagnostic) = self.0 {
            diagnostic.hint = Some(hint.into());
        }
    }

    /// Hints at the one of `known` that `word` is nearest to, if one is near enough.
    pub(crate) fn nearest(self, word: &str, known: &[&str], show: impl Fn(&str) -> String) {
        if self.0.is_some()
            && let Some(known) = nearest(word, known)
        {
            self.hint(format!("did you mean `{}`?", show(known)));
        }
    }
}

impl<'a> Diagnostics<'a> {
    /// Nothing found yet.
    pub(crate) fn new(source: &'a Source) -> Self {
        Diagnostics { source, found: Vec::new(), kept: [0; 2] }
    }

    /// Adds an error; `part` is the text within `span` that is meant.
    pub(crate) fn error(&mut self, span: Span, part: Option<&str>, message: impl Into<String>) -> Added<'_> {
        self.add(Severity::Error, span, part, message.into())
    }

    /// Adds a warning.
    pub(crate) fn warning(
        &mut self,
        span: Span,
        part: Option<&str>,
        message: impl Into<String>,
    ) -> Added<'_> {
        self.add(Severity::Warning, span, part, message.into())
    }

    fn add(&mut self, severity: Severity, span: Span, part: Option<&str>, message: String) -> Added<'_> {
        let kept = &mut self.kept[usize::from(severity == Severity::Error)];
        if *kept == MAX_FOUND {
            return Added(None);
        }
        *kept += 1;
        let excerpt = Some(Box::new(excerpt(self.source, span, part)));
        let message = clip(&message, 0, MAX_MESSAGE);
        let file = self.source.shared_name();
        self.found.push(Diagnostic { severity, excerpt, ..Diagnostic::error(file, span, message) });
        Added(self.found.last_mut())
    }

    /// Whether no warning more is kept.
    pub(crate) fn is_full(&self) -> bool {
        self.kept[0] == MAX_FOUND
    }

    /// All of them, in the order of the file.
    pub(crate) fn into_found(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|diagnostic| diagnostic.span.first);
        self.found
    }
}

/// The first line of `span` that has `part` in it, else the first line as a whole.
fn excerpt(source: &Source, span: Span, part: Option<&str>) -> Excerpt {
    let lines =
        || (span.first..=span.last.min(source.lines())).map(|line| (line, without_end(source.line(line))));
    let place = part.filter(|part| !part.is_empty()).and_then(|part| {
        lines().find_map(|(line, text)| text.find(part).map(|start| (line, text, start, part)))
    });
    let Some((line, text, start, part)) = place else {
        return Excerpt {
            line: span.first,
            text: clip(without_end(source.line(span.first)), 0, MAX_EXCERPT),
            mark: None,
        };
    };
    let before = text[..start].chars().count();
    // A part far to the right is shown with a little of what stands before it.
    let skipped = if before > MAX_EXCERPT / 2 { before - MAX_EXCERPT / 4 } else { 0 };
    let width = part.chars().count().min(MAX_EXCERPT - (before - skipped));
    Excerpt { line, text: clip(text, skipped, MAX_EXCERPT), mark: Some((before - skipped, width)) }
}

/// At most `most` characters after `skipped`, each one column wide and without power over a terminal.
fn clip(text: &str, skipped: usize, most: usize) -> String {
    let shown = text.chars().skip(skipped).take(most);
    let plain = |letter: char| match letter {
        '\t' => ' ',
        _ if letter.is_control() => char::REPLACEMENT_CHARACTER,
        _ => letter,
    };
    shown.map(plain).collect()
}

/// The one of `known` that `word` was most likely meant to be: at most a third of its letters differ.
pub(crate) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    if length > 32 {
        return None;
    }
    let distances = known.iter().map(|&known| (distance(&word, &known.to_lowercase()), known));
    let (distance, known) = distances.min_by_key(|&(distance, _)| distance)?;
    (distance <= (length.max(known.len()) / 3).max(1)).then_some(known)
}

/// How many letters must be put in, taken out, changed or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                let swap = if swapped { rows[i - 2][j - 2] + 1 } else { usize::MAX };
                change.min(swap).min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1)
            };
        }
    }
    rows[a.len()][b.len()]
}
