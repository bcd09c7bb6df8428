//! Statements: an instruction's name, flags and arguments, split as its kind demands and not yet understood.
//!
//! This is what Moby calls the parse tree. Which flags there are and how many arguments make sense is decided in
//! [`crate::parser`].

mod split;
#[cfg(test)]
mod tests;

use crate::ast::Keyword;
use crate::lexer::Heredoc;
use crate::source::Span;

use split::{flags, key_values, quoted_words};

/// One instruction as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The name as written.
    pub name: String,
    /// Which instruction it is, if it is one.
    pub keyword: Option<Keyword>,
    /// The flags, quotes and escapes removed, with their dashes.
    pub flags: Vec<String>,
    /// The arguments. Of `ENV` and `LABEL` three for each pair: key, value, `=` or nothing.
    pub arguments: Vec<String>,
    /// The arguments were a JSON array.
    pub json: bool,
    /// The instruction inside an `ONBUILD`.
    pub trigger: Option<Box<Statement>>,
    /// The heredocs, in order.
    pub heredocs: Vec<Heredoc>,
    /// The whole logical line.
    pub text: String,
    /// Where it stands.
    pub span: Span,
    /// The comments right above it, without their `#`.
    pub comments: Vec<String>,
}

/// Why a line is no statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// What is wrong.
    pub message: String,
    /// The part of the line that is meant.
    pub part: String,
    /// What should stand there.
    pub expected: &'static str,
}

/// The blanks that separate arguments; other white space of Unicode does not.
const BLANKS: [char; 5] = ['\t', '\x0b', '\x0c', '\r', ' '];

impl Statement {
    /// Splits a logical line.
    pub(crate) fn parse(text: &str, span: Span, escape: char) -> Result<Self, Malformed> {
        let line = text.trim();
        let (name, rest) = line.split_once(BLANKS).unwrap_or((line, ""));
        let (flags, rest) = flags(rest.trim_start_matches(BLANKS));
        let keyword = Keyword::parse(name);
        let mut statement = Statement {
            name: name.to_owned(),
            keyword,
            flags,
            arguments: Vec::new(),
            json: false,
            trigger: None,
            heredocs: Vec::new(),
            text: text.to_owned(),
            span,
            comments: Vec::new(),
        };
        statement.take_arguments(rest.trim(), escape)?;
        Ok(statement)
    }

    fn take_arguments(&mut self, rest: &str, escape: char) -> Result<(), Malformed> {
        use Keyword as K;
        let Some(keyword) = self.keyword else {
            // Nothing is known of it; Moby's tree has one empty argument here.
            self.arguments.push(String::new());
            return Ok(());
        };
        match keyword {
            _ if rest.is_empty() => {}
            K::Run | K::Cmd | K::Entrypoint | K::Shell => {
                self.take_json_or(rest, |rest| vec![rest.to_owned()])?;
            }
            K::Add | K::Copy | K::Volume => self.take_json_or(rest, words)?,
            K::From | K::Expose => self.arguments = words(rest),
            K::Maintainer | K::StopSignal | K::User | K::Workdir => self.arguments.push(rest.to_owned()),
            K::Arg => self.arguments = quoted_words(rest, escape),
            K::Env | K::Label => self.arguments = key_values(keyword, rest, escape)?,
            K::Healthcheck => {
                let (kind, command) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                let command = command.trim_start();
                if !command.is_empty() {
                    self.take_json_or(command, |command| vec![command.to_owned()])?;
                }
                self.arguments.insert(0, kind.to_owned());
            }
            K::Onbuild => {
                let trigger = rest.split(BLANKS).next().and_then(Keyword::parse);
                if trigger == Some(K::Onbuild) {
                    return Err(Malformed {
                        message: "`ONBUILD` cannot stand in another `ONBUILD`".to_owned(),
                        part: rest.to_owned(),
                        expected: "an instruction to run in the next build",
                    });
                }
                self.trigger = Some(Box::new(Statement::parse(rest, self.span, escape)?));
            }
        }
        Ok(())
    }

    /// A JSON array of strings is that; an array of anything else is an error; all else is `other`.
    fn take_json_or(&mut self, rest: &str, other: impl Fn(&str) -> Vec<String>) -> Result<(), Malformed> {
        let parsed = rest.starts_with('[').then(|| serde_json::from_str::<Vec<serde_json::Value>>(rest).ok());
        let Some(items) = parsed.flatten() else {
            self.arguments = other(rest);
            return Ok(());
        };
        self.json = true;
        for item in items {
            let serde_json::Value::String(item) = item else {
                return Err(Malformed {
                    message: "a JSON array here may hold strings only".to_owned(),
                    part: item.to_string(),
                    expected: "every item in double quotes",
                });
            };
            self.arguments.push(item);
        }
        Ok(())
    }

    /// What a comment above it says of what it defines, `name`: one that begins with that.
    #[must_use]
    pub fn description(&self, name: &str) -> Option<&str> {
        self.comments.iter().find_map(|comment| comment.strip_prefix(name)?.strip_prefix(' ')).map(str::trim)
    }

    /// Whether the words `<<NAME` on this line open heredocs.
    pub(crate) fn takes_heredocs(&self) -> bool {
        let statement = self.trigger.as_deref().unwrap_or(self);
        !statement.json && matches!(statement.keyword, Some(Keyword::Run | Keyword::Copy | Keyword::Add))
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(BLANKS).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
