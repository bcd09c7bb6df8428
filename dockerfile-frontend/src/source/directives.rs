//! The parser directives: comments at the very top that say how the rest is read.
//!
//! They end at the first line that is none: another comment, an unknown name, a blank line, an instruction.

use serde::Serialize;

use super::{Source, Span, without_end};
use crate::diagnostic::{Diagnostics, nearest};

/// The directives there are, in lower case.
const NAMES: [&str; 3] = ["syntax", "escape", "check"];

/// One directive with a free value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Directive {
    /// What stands after `=`, without blanks around it.
    pub value: String,
    /// Where it stands.
    pub span: Span,
}

/// What the top of a file orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Directives {
    /// `syntax`: the image of another front end, which Kiln knows of and does not use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub syntax: Option<Directive>,
    /// `escape`: the character that escapes and continues lines, `\` or `` ` ``.
    pub escape: char,
    /// `check`: which checks to skip, and whether a warning is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub check: Option<Directive>,
}

impl Default for Directives {
    fn default() -> Self {
        Directives { syntax: None, escape: '\\', check: None }
    }
}

impl Directives {
    /// Reads the directives of `source`. A repeated one and a bad escape character are errors.
    pub(crate) fn parse(source: &Source, faults: &mut Diagnostics) -> Self {
        let mut directives = Directives::default();
        let mut seen = [false; NAMES.len()];
        for number in 1..=source.lines() {
            let Some((name, value)) = split(without_end(source.line(number))) else { break };
            let Some(which) = NAMES.iter().position(|known| name.eq_ignore_ascii_case(known)) else {
                warn_of_typing_error(name, number, faults);
                break;
            };
            let span = Span::line(number);
            if std::mem::replace(&mut seen[which], true) {
                let message = format!("the directive `{}` stands here a second time", NAMES[which]);
                faults.error(span, Some(name), message);
                continue;
            }
            let directive = Directive { value: value.to_owned(), span };
            match (NAMES[which], value) {
                ("escape", "\\" | "`") => directives.escape = if value == "`" { '`' } else { '\\' },
                ("escape", _) => {
                    let message = format!("`{value}` cannot be the escape character");
                    faults.error(span, Some(value), message).expected("`\\` or a backtick");
                }
                ("syntax", _) => directives.syntax = Some(directive),
                _ => directives.check = Some(directive),
            }
        }
        directives
    }
}

/// `# name = value`, or `None` for every other line.
fn split(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.trim_start().strip_prefix('#')?.trim_start().split_once('=')?;
    let (name, value) = (name.trim_ascii_end(), value.trim_ascii());
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_name && !value.is_empty()).then_some((name, value))
}

/// `# escpae=x` is a comment by the rules, and never meant as one.
fn warn_of_typing_error(name: &str, line: usize, faults: &mut Diagnostics) {
    if let Some(known) = nearest(name, &NAMES) {
        let message = format!("`{name}` is no directive, so this line is a comment");
        faults.warning(Span::line(line), Some(name), message).hint(format!("did you mean `{known}`?"));
    }
}
