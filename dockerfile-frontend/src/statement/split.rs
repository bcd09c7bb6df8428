//! How the rest of a line is split: flags, quoted words, key-value pairs.

use crate::ast::Keyword;

use super::{BLANKS, Malformed};

/// Takes the flags from the front: words that start with `--`, up to a bare `--`. Quotes and backslashes (whatever
/// the escape character is) do their work here. Gives the flags and what follows them.
pub(super) fn flags(line: &str) -> (Vec<String>, &str) {
    let (mut flags, mut rest) = (Vec::new(), line);
    loop {
        rest = rest.trim_start();
        if !rest.starts_with("--") {
            return (flags, rest);
        }
        let (word, after) = flag(rest);
        rest = after;
        if word == "--" {
            return (flags, rest);
        }
        flags.push(word);
    }
}

/// The first word of `line`, unquoted, and what follows.
fn flag(line: &str) -> (String, &str) {
    let (mut word, mut quote) = (String::new(), None);
    let mut letters = line.char_indices();
    while let Some((place, letter)) = letters.next() {
        match (letter, quote) {
            ('\\', _) => word.extend(letters.next().map(|(_, escaped)| escaped)),
            (_, Some(open)) if letter == open => quote = None,
            ('\'' | '"', None) => quote = Some(letter),
            (_, None) if letter.is_whitespace() => return (word, &line[place..]),
            _ => word.push(letter),
        }
    }
    (word, "")
}

/// Words that end at a blank outside of quotes. Quotes and escapes stay: they do their work when variables are known.
pub(super) fn quoted_words(line: &str, escape: char) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut quote = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        if letter == escape && quote != Some('\'') {
            // The very last escape means nothing.
            if let Some(escaped) = letters.next() {
                word.extend([letter, escaped]);
            }
            continue;
        }
        match quote {
            Some(open) if letter == open => quote = None,
            None if letter == '\'' || letter == '"' => quote = Some(letter),
            None if letter.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            _ => {}
        }
        word.push(letter);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// `key=value …`, or the old form `key value`, where all that follows the key is the value. Three strings for each
/// pair: key, value, and `=` or nothing.
pub(super) fn key_values(keyword: Keyword, line: &str, escape: char) -> Result<Vec<String>, Malformed> {
    let words = quoted_words(line, escape);
    if words.first().is_some_and(|first| !first.contains('=')) {
        let Some((key, value)) = line.split_once(BLANKS) else {
            return Err(Malformed {
                message: format!("`{keyword} {line}` has no value"),
                part: line.to_owned(),
                expected: "`NAME=value`",
            });
        };
        return Ok(vec![key.to_owned(), value.trim_start_matches(BLANKS).to_owned(), String::new()]);
    }
    let mut pairs = Vec::with_capacity(words.len() * 3);
    for word in words {
        let Some((key, value)) = word.split_once('=') else {
            return Err(Malformed {
                message: format!("`{word}` has no `=`"),
                part: word,
                expected: "`NAME=value`, the value in quotes if it has blanks",
            });
        };
        pairs.extend([key.to_owned(), value.to_owned(), "=".to_owned()]);
    }
    Ok(pairs)
}
