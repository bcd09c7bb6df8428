//! The patterns of `${x#p}`, `${x%p}` and `${x/p/r}`: `*` and `?`, neither of which matches a line end; no brackets.

use regex::Regex;

use super::{MAX_RESULT, WordError};

/// One part of a pattern.
#[derive(Debug, Clone, Copy)]
enum Part {
    Any,
    One,
    Letter(char),
}

/// A pattern that was read, not yet made into an expression.
#[derive(Debug)]
pub(super) struct Pattern<'p> {
    parts: Vec<Part>,
    text: &'p str,
}

impl<'p> Pattern<'p> {
    /// Reads a pattern. Only `*`, `?` and `\` can be escaped; before `}` and `/` the escape was for the braces' sake.
    pub(super) fn parse(text: &'p str) -> Result<Self, WordError> {
        let mut parts = Vec::new();
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            parts.push(match letter {
                '*' => Part::Any,
                '?' => Part::One,
                '\\' if matches!(letters.peek(), Some('}' | '/')) => continue,
                '\\' => match letters.next() {
                    Some(escaped @ ('*' | '?' | '\\')) => Part::Letter(escaped),
                    _ => return Err(WordError::BadPattern(text.to_owned())),
                },
                _ => Part::Letter(letter),
            });
        }
        Ok(Pattern { parts, text })
    }

    /// `value` without what the pattern matches at its start.
    pub(super) fn without_prefix(&self, value: &str, longest: bool) -> Result<String, WordError> {
        let found = self.expression(self.parts.iter(), longest, "^")?.find(value);
        Ok(value[found.map_or(0, |found| found.end())..].to_owned())
    }

    /// `value` without what the pattern matches at its end. Leftmost matching works from the front, so both are turned.
    pub(super) fn without_suffix(&self, value: &str, longest: bool) -> Result<String, WordError> {
        let turned: String = value.chars().rev().collect();
        let found = self.expression(self.parts.iter().rev(), longest, "^")?.find(&turned);
        Ok(value[..value.len() - found.map_or(0, |found| found.end())].to_owned())
    }

    /// `value` with the first match, or all of them, replaced.
    pub(super) fn replaced(&self, value: &str, replacement: &str, all: bool) -> Result<String, WordError> {
        let expression = self.expression(self.parts.iter(), true, "")?;
        let (mut result, mut after) = (String::new(), 0);
        for found in expression.find_iter(value).take(if all { usize::MAX } else { 1 }) {
            result.push_str(&value[after..found.start()]);
            result.push_str(replacement);
            after = found.end();
            if result.len() > MAX_RESULT {
                return Err(WordError::TooLong);
            }
        }
        result.push_str(&value[after..]);
        Ok(result)
    }

    fn expression<'a>(
        &self,
        parts: impl Iterator<Item = &'a Part>,
        longest: bool,
        start: &str,
    ) -> Result<Regex, WordError> {
        let mut expression = start.to_owned();
        for part in parts {
            match part {
                Part::Any => expression.push_str(if longest { ".*" } else { ".*?" }),
                Part::One => expression.push('.'),
                Part::Letter(letter) => {
                    expression.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4])));
                }
            }
        }
        Regex::new(&expression).map_err(|_| WordError::BadPattern(self.text.to_owned()))
    }
}
