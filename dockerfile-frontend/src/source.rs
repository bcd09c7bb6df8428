//! A Dockerfile as text: from bytes to lines, and where in it something is.
//!
//! What the lines mean is the lexer's business; the comments at the top that give orders are in [`directives`].

mod directives;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::Serialize;

use crate::diagnostic::Diagnostic;

pub use directives::{Directive, Directives};

/// The most bytes a Dockerfile may have. The longest ones of the field, which are generated, have some hundred KiB.
pub const MAX_BYTES: usize = 8 << 20;

/// The most lines: each may be an instruction, and an instruction takes some hundred bytes of memory.
const MAX_LINES: usize = 500_000;

/// The lines an instruction stands on, counted from 1, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Span {
    /// The first line.
    pub first: usize,
    /// The last line, with the heredocs.
    pub last: usize,
}

impl Span {
    /// One line.
    #[must_use]
    pub fn line(line: usize) -> Self {
        Span { first: line, last: line }
    }
}

/// A Dockerfile's text, without a byte order mark and without NUL, at most [`MAX_BYTES`] and [`MAX_LINES`] long.
#[derive(Debug, Clone)]
pub struct Source {
    name: Arc<str>,
    text: String,
    /// Where each line starts. A line ends with `\n` or with the text.
    starts: Vec<usize>,
    /// The lines that were no UTF-8, in rising order. In a comment that is harmless, elsewhere an error.
    unreadable: Vec<usize>,
}

impl Source {
    /// Takes the bytes of the file that messages call `name`. Refuses NUL, and files too long.
    pub fn new(name: impl Into<Arc<str>>, bytes: &[u8]) -> Result<Self, Diagnostic> {
        let name = name.into();
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        if bytes.len() > MAX_BYTES {
            let most = MAX_BYTES >> 20;
            let message = format!("the file is larger than {most} MiB");
            return Err(Diagnostic::error(name, Span::line(1), message).hint("copy data with `COPY` instead"));
        }
        if let Some(nul) = bytes.iter().position(|&byte| byte == 0) {
            let line = bytes[..nul].iter().filter(|&&byte| byte == b'\n').count() + 1;
            let message = "the file has a NUL byte, so it is no text";
            return Err(Diagnostic::error(name, Span::line(line), message).expected("text in UTF-8"));
        }
        let (mut text, mut unreadable, mut line) = (String::with_capacity(bytes.len()), Vec::new(), 1);
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            line += chunk.valid().bytes().filter(|&byte| byte == b'\n').count();
            if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
                if unreadable.last() != Some(&line) {
                    unreadable.push(line);
                }
            }
        }
        let mut starts: Vec<usize> =
            std::iter::once(0).chain(text.match_indices('\n').map(|(end, _)| end + 1)).collect();
        if starts.last() == Some(&text.len()) {
            starts.pop();
        }
        if starts.len() > MAX_LINES {
            let message = format!("the file has more than {MAX_LINES} lines");
            return Err(Diagnostic::error(name, Span::line(MAX_LINES), message));
        }
        Ok(Source { name, text, starts, unreadable })
    }

    /// What messages call the file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same, for findings to keep.
    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// How many lines there are.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.starts.len()
    }

    /// Line `number`, counted from 1, with its end as written; nothing where there is no such line.
    #[must_use]
    pub fn line(&self, number: usize) -> &str {
        let Some(&start) = number.checked_sub(1).and_then(|index| self.starts.get(index)) else { return "" };
        let end = self.starts.get(number).copied().unwrap_or(self.text.len());
        &self.text[start..end]
    }

    /// Whether line `number` was UTF-8.
    pub(crate) fn is_readable(&self, number: usize) -> bool {
        self.unreadable.binary_search(&number).is_err()
    }
}

/// A line without its end. As in BuildKit all carriage returns before the line feed belong to the end.
pub(crate) fn without_end(line: &str) -> &str {
    line.trim_end_matches(['\r', '\n'])
}
