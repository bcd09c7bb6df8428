//! Heredocs: `<<NAME`, `<<-NAME`, quoted names, a file descriptor before them.

use serde::Serialize;

use crate::words::Words;

/// A heredoc as it opens, on the instruction's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opening {
    /// The name that ends it, its quotes removed.
    pub name: String,
    /// `<<-`: tabs at the start of lines are no part of the text.
    pub strip_tabs: bool,
    /// Variables in the text are expanded: no part of the name was quoted.
    pub expand: bool,
    /// The number before `<<`.
    pub descriptor: Option<u32>,
}

/// A heredoc with its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Heredoc {
    /// The name that ends it, which is also the name of the file in `COPY <<NAME /dir/`.
    pub name: String,
    /// The lines as written, tabs and line ends included.
    pub content: String,
    /// Variables in the text are expanded (by the shell in `RUN`): the name was not quoted.
    pub expand: bool,
    /// `<<-`: leave out the tabs at the start of lines.
    pub strip_tabs: bool,
    /// The number before `<<`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<u32>,
}

impl Heredoc {
    /// The text as a file has it: without leading tabs where `<<-` says so.
    #[must_use]
    pub fn text(&self) -> String {
        if !self.strip_tabs {
            return self.content.clone();
        }
        self.content.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect()
    }
}

/// The heredocs that `line` opens, in the order in which their texts follow. A line whose quotes are not closed
/// opens none; that the quotes are open is then the shell's to say.
pub(crate) fn openings(line: &str) -> Vec<Opening> {
    if !line.contains("<<") {
        return Vec::new();
    }
    // Whatever the file's escape character is: the words here are those of a shell.
    let shell = Words { raw_quotes: true, raw_escapes: true, keep_unset: true, ..Words::new('\\') };
    let expansion = shell.expand(line, &()).unwrap_or_default();
    expansion.words.iter().filter_map(|word| Opening::parse(word)).collect()
}

impl Opening {
    /// A word that opens a heredoc: digits, `<<`, perhaps `-`, and a name that is one word.
    pub fn parse(word: &str) -> Option<Self> {
        let rest = word.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let descriptor = word[..word.len() - rest.len()].parse().ok();
        let rest = rest.strip_prefix("<<")?;
        let (strip_tabs, rest) = rest.strip_prefix('-').map_or((false, rest), |rest| (true, rest));
        if rest.is_empty() || rest.contains('<') {
            return None;
        }
        let plain = Words { keep_unset: true, ..Words::new('\\') };
        let raw = Words { raw_quotes: true, ..plain };
        let mut names = plain.expand(rest, &()).ok()?.words;
        let name = names.pop().filter(|_| names.is_empty())?;
        let quotes = |text: &str| text.matches(['\'', '"']).count();
        // A quote that went away did its work.
        let expand = quotes(&name) == quotes(&raw.expand(rest, &()).ok()?.text);
        Some(Opening { name, strip_tabs, expand, descriptor })
    }

    /// The heredoc with its text.
    pub fn with(self, content: String) -> Heredoc {
        let Opening { name, strip_tabs, expand, descriptor } = self;
        Heredoc { name, content, expand, strip_tabs, descriptor }
    }
}
