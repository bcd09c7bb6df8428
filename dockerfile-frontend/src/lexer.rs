//! Logical lines: physical lines joined where they are continued, without comments; and the bodies of heredocs.
//!
//! What a line means is decided in [`crate::statement`]. Every physical line is looked at once.

mod heredoc;
#[cfg(test)]
mod tests;

use crate::source::{Source, Span, without_end};

pub use heredoc::Heredoc;
pub(crate) use heredoc::{Opening, openings};

/// As many comments are kept of those that stand together above an instruction.
const MAX_COMMENTS: usize = 64;

/// As many characters are kept of each.
const MAX_COMMENT: usize = 1000;

/// One instruction's text before anything is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogicalLine {
    /// The text, joined; blanks at the start removed, those at the end kept.
    pub text: String,
    /// Where it stands, without heredocs.
    pub span: Span,
    /// The first blank line between a continued line and its continuation.
    pub blank: Option<usize>,
    /// The first line of it that was no UTF-8.
    pub unreadable: Option<usize>,
    /// The comments right above it, without their `#`; one that says nothing parts it from those before.
    pub comments: Vec<String>,
}

/// Goes through a source once.
#[derive(Debug)]
pub(crate) struct Lexer<'s> {
    source: &'s Source,
    /// The line to read next, counted from 1.
    next: usize,
    escape: char,
}

impl<'s> Lexer<'s> {
    /// At the first line of `source`.
    pub fn new(source: &'s Source, escape: char) -> Self {
        Lexer { source, next: 1, escape }
    }

    /// The line after the last one read.
    fn read(&mut self) -> Option<(usize, &'s str)> {
        if self.next > self.source.lines() {
            return None;
        }
        let number = self.next;
        self.next += 1;
        Some((number, self.source.line(number)))
    }

    /// The next logical line that is neither blank nor a comment.
    pub fn logical_line(&mut self) -> Option<LogicalLine> {
        let mut comments = Vec::new();
        loop {
            let (number, line) = self.read()?;
            let line = without_end(line).trim_start();
            if let Some(comment) = line.strip_prefix('#') {
                note_comment(comment.trim(), &mut comments);
                continue;
            }
            let (text, mut goes_on) = self.without_continuation(line);
            if text.is_empty() && !goes_on {
                comments.clear();
                continue;
            }
            let mut logical = LogicalLine {
                text: text.to_owned(),
                span: Span::line(number),
                blank: None,
                unreadable: None,
                comments,
            };
            self.note_unreadable(number, &mut logical);
            while goes_on {
                let Some((number, line)) = self.read() else { break };
                logical.span.last = number;
                let line = without_end(line);
                let letters = line.trim_start();
                if letters.starts_with('#') {
                    continue;
                }
                if letters.is_empty() {
                    logical.blank.get_or_insert(number);
                    continue;
                }
                self.note_unreadable(number, &mut logical);
                let text;
                // Blanks at the start of a continuation are part of the text.
                (text, goes_on) = self.without_continuation(line);
                logical.text.push_str(text);
            }
            return Some(logical);
        }
    }

    fn note_unreadable(&self, number: usize, logical: &mut LogicalLine) {
        if !self.source.is_readable(number) {
            logical.unreadable.get_or_insert(number);
        }
    }

    /// The line without the mark that it goes on: an escape before the trailing blanks, itself not escaped. Two
    /// escapes are no mark, nor are three: BuildKit looks at one character before.
    fn without_continuation<'l>(&self, line: &'l str) -> (&'l str, bool) {
        match line.trim_end_matches([' ', '\t']).strip_suffix(self.escape) {
            Some(text) if !text.ends_with(self.escape) => (text, true),
            _ => (line, false),
        }
    }

    /// The text of the heredoc that starts here. `Err` holds what there is where the end of the file comes first.
    pub fn heredoc_body(&mut self, opening: &Opening, last: &mut usize) -> Result<String, String> {
        let mut body = String::new();
        while let Some((number, line)) = self.read() {
            *last = number;
            let text = without_end(line);
            let text = if opening.strip_tabs { text.trim_start_matches('\t') } else { text };
            if text == opening.name {
                return Ok(body);
            }
            body.push_str(line);
        }
        Err(body)
    }
}

/// Adds a comment to those that stand together. Long ones describe nothing.
fn note_comment(comment: &str, comments: &mut Vec<String>) {
    if comment.is_empty() || comments.len() == MAX_COMMENTS {
        comments.clear();
    }
    if !comment.is_empty() {
        comments.push(comment.chars().take(MAX_COMMENT).collect());
    }
}
