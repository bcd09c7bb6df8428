//! The expansion itself: one pass over the text, with a recursion for what stands inside `${x:-…}`.

use std::iter::Peekable;
use std::str::Chars;

use super::pattern::Pattern;
use super::{Expansion, MAX_DEPTH, MAX_RESULT, Variables, WordError, Words};

/// Expands `text` by the rules of `words`.
pub(super) fn expand(words: Words, text: &str, variables: &dyn Variables) -> Result<Expansion, WordError> {
    let mut run = Run {
        rules: words,
        raw_escapes: words.raw_escapes,
        left: text.chars().peekable(),
        variables,
        depth: 0,
        used: Expansion::default(),
    };
    let (text, words) = run.until(None, words.raw_escapes)?;
    Ok(Expansion { text, words, ..run.used })
}

/// The text split at its free blanks, as far as it has been read.
#[derive(Default)]
struct Split {
    word: String,
    words: Vec<String>,
    in_word: bool,
}

impl Split {
    /// A letter that ends the word if it is a blank.
    fn add(&mut self, letter: char) {
        if !letter.is_whitespace() {
            self.add_letter(letter);
        } else if self.in_word && !self.word.is_empty() {
            self.words.push(std::mem::take(&mut self.word));
            self.in_word = false;
        }
    }

    /// A letter that is quoted or escaped.
    fn add_letter(&mut self, letter: char) {
        self.word.push(letter);
        self.in_word = true;
    }

    fn finish(mut self) -> Vec<String> {
        if !self.word.is_empty() {
            self.words.push(self.word);
        }
        self.words
    }
}

struct Run<'t> {
    rules: Words,
    /// Escapes stay where they are: always, or while a pattern is read, which has its own use for them.
    raw_escapes: bool,
    left: Peekable<Chars<'t>>,
    variables: &'t dyn Variables,
    depth: usize,
    /// Gathers the names.
    used: Expansion,
}

impl<'t> Run<'t> {
    /// Reads up to `stop`, which is taken too, or to the end of the text.
    fn until(&mut self, stop: Option<char>, raw: bool) -> Result<(String, Vec<String>), WordError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(WordError::TooDeep);
        }
        let outer = std::mem::replace(&mut self.raw_escapes, raw);
        let result = self.read(stop);
        self.raw_escapes = outer;
        self.depth -= 1;
        result
    }

    fn read(&mut self, stop: Option<char>) -> Result<(String, Vec<String>), WordError> {
        let (mut text, mut split) = (String::new(), Split::default());
        while let Some(&letter) = self.left.peek() {
            match letter {
                _ if Some(letter) == stop => {
                    self.left.next();
                    return Ok((text, split.finish()));
                }
                '$' => {
                    let value = self.dollar()?;
                    value.chars().for_each(|letter| split.add(letter));
                    text.push_str(&value);
                }
                '\'' | '"' if !self.rules.plain_quotes => {
                    let quoted = if letter == '"' { self.double_quoted()? } else { self.single_quoted()? };
                    split.in_word = true;
                    split.word.push_str(&quoted);
                    text.push_str(&quoted);
                }
                _ => {
                    self.left.next();
                    self.plain(letter, &mut text, &mut split);
                }
            }
            if text.len() > MAX_RESULT {
                return Err(WordError::TooLong);
            }
        }
        match stop {
            None => Ok((text, split.finish())),
            Some('/') => Err(WordError::MissingSlash),
            Some(_) => Err(WordError::MissingBrace),
        }
    }

    /// A letter that is not special, or an escape and what follows it; one at the very end is dropped.
    fn plain(&mut self, letter: char, text: &mut String, split: &mut Split) {
        if letter != self.rules.escape {
            text.push(letter);
            split.add(letter);
            return;
        }
        if self.raw_escapes {
            text.push(letter);
            split.add_letter(letter);
        }
        if let Some(escaped) = self.left.next() {
            text.push(escaped);
            split.add_letter(escaped);
        }
    }

    fn single_quoted(&mut self) -> Result<String, WordError> {
        let mut text = String::new();
        let quote = self.left.next().filter(|_| self.rules.raw_quotes);
        text.extend(quote);
        for letter in self.left.by_ref() {
            if letter == '\'' {
                text.extend(quote);
                return Ok(text);
            }
            text.push(letter);
        }
        Err(WordError::Unclosed('\''))
    }

    /// Inside double quotes variables are expanded, and only `"`, `$` and the escape itself can be escaped.
    fn double_quoted(&mut self) -> Result<String, WordError> {
        let mut text = String::new();
        let quote = self.left.next().filter(|_| self.rules.raw_quotes);
        text.extend(quote);
        while let Some(&letter) = self.left.peek() {
            if letter == '$' {
                text.push_str(&self.dollar()?);
                if text.len() > MAX_RESULT {
                    return Err(WordError::TooLong);
                }
                continue;
            }
            self.left.next();
            if letter == '"' {
                text.extend(quote);
                return Ok(text);
            }
            if letter != self.rules.escape {
                text.push(letter);
                continue;
            }
            if self.raw_escapes {
                text.push(letter);
            }
            let escaped = self.left.next_if(|&next| next == '"' || next == '$' || next == letter);
            if self.left.peek().is_some() || escaped.is_some() {
                text.push(escaped.unwrap_or(letter));
            }
        }
        Err(WordError::Unclosed('"'))
    }

    /// `$x` or `${x…}`, the dollar not yet taken.
    fn dollar(&mut self) -> Result<String, WordError> {
        self.left.next();
        if self.left.next_if_eq(&'{').is_some() {
            return self.braces();
        }
        let name = self.name();
        if name.is_empty() {
            return Ok("$".to_owned());
        }
        match self.value(&name) {
            None if self.rules.keep_unset => Ok(format!("${name}")),
            value => Ok(value.unwrap_or_default().to_owned()),
        }
    }

    /// What follows `${`.
    fn braces(&mut self) -> Result<String, WordError> {
        match self.left.peek() {
            None => return Err(WordError::MissingBrace),
            Some('{' | '}' | ':') => return Err(WordError::BadSubstitution),
            Some(_) => {}
        }
        let name = self.name();
        match self.left.next() {
            None => Err(WordError::MissingBrace),
            Some('}') => match self.value(&name) {
                None if self.rules.keep_unset => Ok(format!("${{{name}}}")),
                value => Ok(value.unwrap_or_default().to_owned()),
            },
            Some(':') => {
                let operator = self.left.next().ok_or(WordError::MissingBrace)?;
                self.operator(&name, operator, true)
            }
            Some(operator @ ('+' | '-' | '?' | '#' | '%')) => self.operator(&name, operator, false),
            Some('/') => self.replacement(&name),
            Some(other) => Err(WordError::UnsupportedModifier(other.to_string())),
        }
    }

    /// `${x:-y}` and its kin, read up to after the operator. With a colon an empty value counts as none.
    fn operator(&mut self, name: &str, operator: char, colon: bool) -> Result<String, WordError> {
        let (word, _) = self.inner('}', matches!(operator, '#' | '%'), WordError::MissingBrace)?;
        let colon_text = if colon { ":" } else { "" };
        let value = self.value(name);
        if value.is_none() && self.rules.keep_unset {
            return Ok(format!("${{{name}{colon_text}{operator}{word}}}"));
        }
        let full = value.filter(|value| !(colon && value.is_empty()));
        match operator {
            '-' => Ok(full.map_or(word, str::to_owned)),
            '+' => Ok(full.map(|_| word).unwrap_or_default()),
            '?' => full.map(str::to_owned).ok_or_else(|| {
                let standard = if value.is_none() { "is not set" } else { "is empty" };
                let message = if word.is_empty() { standard.to_owned() } else { word };
                WordError::Required { name: name.to_owned(), message }
            }),
            '#' | '%' => {
                let longest = word.strip_prefix(operator);
                let pattern = Pattern::parse(longest.unwrap_or(&word))?;
                let value = value.unwrap_or_default();
                if operator == '#' {
                    pattern.without_prefix(value, longest.is_some())
                } else {
                    pattern.without_suffix(value, longest.is_some())
                }
            }
            _ => Err(WordError::UnsupportedModifier(format!("{colon_text}{operator}"))),
        }
    }

    /// `${x/a/b}` and `${x//a/b}`, read up to after the first slash.
    fn replacement(&mut self, name: &str) -> Result<String, WordError> {
        let all = self.left.next_if_eq(&'/').is_some();
        let (pattern, _) = self.inner('/', true, WordError::MissingSlash)?;
        let (replacement, _) = self.inner('}', true, WordError::MissingBrace)?;
        let Some(value) = self.value(name) else {
            if self.rules.keep_unset {
                let slashes = if all { "//" } else { "/" };
                return Ok(format!("${{{name}{slashes}{pattern}/{replacement}}}"));
            }
            // The pattern is looked at all the same, so that a mistake shows in every build.
            return Pattern::parse(&pattern)?.replaced("", &replacement, all);
        };
        Pattern::parse(&pattern)?.replaced(value, &replacement, all)
    }

    /// What stands inside braces. Where the text is at its end, what is missing is the brace and not the quote.
    fn inner(
        &mut self,
        stop: char,
        raw: bool,
        at_end: WordError,
    ) -> Result<(String, Vec<String>), WordError> {
        self.until(Some(stop), raw).map_err(|error| match error {
            WordError::Unclosed(_) if self.left.peek().is_none() => at_end,
            other => other,
        })
    }

    /// Letters, digits and `_`; or digits alone; or one of the shell's special parameters.
    fn name(&mut self) -> String {
        let mut name = String::new();
        if self.left.peek().is_some_and(char::is_ascii_digit) {
            name.extend(std::iter::from_fn(|| self.left.next_if(char::is_ascii_digit)));
            return name;
        }
        if let Some(special) = self.left.next_if(|letter| "@*#?-$!".contains(*letter)) {
            return special.to_string();
        }
        let is_part = |letter: &char| letter.is_alphanumeric() || *letter == '_';
        name.extend(std::iter::from_fn(|| self.left.next_if(is_part)));
        name
    }

    fn value(&mut self, name: &str) -> Option<&'t str> {
        let variables: &'t dyn Variables = self.variables;
        let value = variables.value(name);
        let names = if value.is_some() { &mut self.used.used } else { &mut self.used.unset };
        if !names.contains(name) {
            names.insert(name.to_owned());
        }
        value
    }
}
