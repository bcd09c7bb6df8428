//! Words: quotes, escapes and variables, expanded as BuildKit does, which is nearly as a shell does.
//!
//! Which variables there are, and which instruction's words are expanded at all, is decided elsewhere.
//! Results are bounded in length and nesting, as both text and values may come from strangers.

mod expansion;
mod pattern;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::source::MAX_BYTES;

/// The longest result, in bytes: variables made of variables would otherwise grow without end.
pub const MAX_RESULT: usize = MAX_BYTES;

/// How deep `${a:-${b:-…}}` may nest.
pub const MAX_DEPTH: usize = 100;

/// Where values come from.
pub trait Variables {
    /// The value of `name`, or `None` where it is not set.
    fn value(&self, name: &str) -> Option<&str>;
}

impl Variables for BTreeMap<String, String> {
    fn value(&self, name: &str) -> Option<&str> {
        self.get(name).map(String::as_str)
    }
}

impl Variables for HashMap<String, String> {
    fn value(&self, name: &str) -> Option<&str> {
        self.get(name).map(String::as_str)
    }
}

/// No variable is set.
impl Variables for () {
    fn value(&self, _name: &str) -> Option<&str> {
        None
    }
}

/// How words are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// The escape character, `\` or `` ` ``.
    pub escape: char,
    /// Quotes do their work and stay in the result.
    pub raw_quotes: bool,
    /// Escape characters do their work and stay in the result.
    pub raw_escapes: bool,
    /// Quotes are letters as all others: the text of a heredoc.
    pub plain_quotes: bool,
    /// A variable that is not set stays as it was written.
    pub keep_unset: bool,
}

/// What became of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expansion {
    /// The text as one word, its blanks kept.
    pub text: String,
    /// The text split at blanks that are neither quoted nor escaped; a variable's value is split too.
    pub words: Vec<String>,
    /// The variables that had a value.
    pub used: BTreeSet<String>,
    /// The variables that had none.
    pub unset: BTreeSet<String>,
}

/// Why a text cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WordError {
    /// A quote of this sort is opened and not closed.
    Unclosed(char),
    /// A `${` without its `}`.
    MissingBrace,
    /// A `${x/a` without its second `/`.
    MissingSlash,
    /// A `${` that no name follows.
    BadSubstitution,
    /// A `${x…}` with something else than the known operators.
    UnsupportedModifier(String),
    /// A pattern with an escape that means nothing, or longer than can be worked on.
    BadPattern(String),
    /// `${x?message}` without a value; the message as given, else a standard one.
    Required {
        /// The variable.
        name: String,
        /// What its author has to say.
        message: String,
    },
    /// A value that is known now and makes no sense: the value, and what it is not.
    Senseless(String, &'static str),
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// A result longer than [`MAX_RESULT`].
    TooLong,
}

impl std::fmt::Display for WordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            WordError::Unclosed('\'') => f.write_str("a single quote is not closed"),
            WordError::Unclosed(_) => f.write_str("a double quote is not closed"),
            WordError::MissingBrace => f.write_str("syntax error: missing '}' after '${'"),
            WordError::MissingSlash => f.write_str("syntax error: missing '/' in '${…/…/…}'"),
            WordError::BadSubstitution => f.write_str("syntax error: bad substitution, no name after '${'"),
            WordError::UnsupportedModifier(modifier) => {
                write!(f, "unsupported modifier ({modifier}) in a substitution")
            }
            WordError::BadPattern(pattern) => write!(f, "invalid pattern ({pattern}) in a substitution"),
            WordError::Required { name, message } => write!(f, "{name}: {message}"),
            WordError::Senseless(value, what) => write!(f, "`{value}` is {what}"),
            WordError::TooDeep => write!(f, "substitutions are nested more than {MAX_DEPTH} deep"),
            WordError::TooLong => write!(f, "the result is longer than {} MiB", MAX_RESULT >> 20),
        }
    }
}

impl std::error::Error for WordError {}

impl Words {
    /// Words as in an instruction's arguments.
    #[must_use]
    pub fn new(escape: char) -> Self {
        Words { escape, raw_quotes: false, raw_escapes: false, plain_quotes: false, keep_unset: false }
    }

    /// The expandable text of a heredoc: variables and escapes, no quotes.
    #[must_use]
    pub fn heredoc() -> Self {
        Words { plain_quotes: true, ..Words::new('\\') }
    }

    /// Expands `text` with the values of `variables`.
    pub fn expand(&self, text: &str, variables: &dyn Variables) -> Result<Expansion, WordError> {
        expansion::expand(*self, text, variables)
    }
}
