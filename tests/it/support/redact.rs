//! Puts placeholders where a run differs from the next: ids, digests, times, ports, the scratch directory.
//!
//! Equal ids get equal placeholders, and a short id the number of the long one it abbreviates.

use std::path::Path;

use regex::{Captures, Regex};

/// `text` with the volatile parts replaced; `dir` is the story's directory.
pub fn redact(text: &str, dir: &Path) -> String {
    let text = text.replace(&dir.display().to_string(), "<dir>");
    let times = [
        (r"(?-u)\b(localhost|127\.0\.0\.1):\d{5}\b", "<$1>"),
        (r"(?-u)\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?(Z|[+-]\d\d:?\d\d))?( UTC)?", "<time>"),
        (r"(?-u)\b(About )?(an?|\d+|Less than a) (second|minute|hour|day|week|month|year)s? ago\b", "<age>"),
    ];
    let text = times.iter().fold(text, |text, (pattern, with)| {
        Regex::new(pattern).expect("the pattern compiles").replace_all(&text, *with).into_owned()
    });
    let mut seen: Vec<String> = Vec::new();
    let ids = Regex::new(r"(?-u)\b([0-9a-f]{64}|[0-9a-f]{12})\b").expect("the pattern compiles");
    let named = ids.replace_all(&text, |found: &Captures<'_>| {
        let head = &found[0][..12];
        let number = seen.iter().position(|known| known == head).unwrap_or_else(|| {
            seen.push(head.to_owned());
            seen.len() - 1
        });
        let kind = if found[0].len() == 64 { "id" } else { "short" };
        format!("<{kind}-{}>", number + 1)
    });
    named.into_owned()
}
