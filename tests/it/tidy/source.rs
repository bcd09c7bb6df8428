//! The repository's Rust files, and their code without comments and literals.

use std::path::Path;

/// One file, named from the repository's root.
pub struct SourceFile {
    pub path: String,
    pub text: String,
}

impl SourceFile {
    /// Whether only tests are compiled from it.
    pub fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || matches!(name, "tests.rs" | "testing.rs")
    }
}

/// All Rust files of the crates, the tests and the examples.
pub fn all(repository: &Path) -> Vec<SourceFile> {
    let mut files = Vec::new();
    let mut todo: Vec<_> = ["src", "builder-core", "dockerfile-frontend", "tests", "examples"]
        .iter()
        .map(|top| repository.join(top))
        .filter(|top| top.is_dir())
        .collect();
    while let Some(dir) = todo.pop() {
        for item in std::fs::read_dir(&dir).expect("a directory of the repository") {
            let path = item.expect("a name in it").path();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != "target") {
                    todo.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                let path = path.strip_prefix(repository).expect("it is in the repository");
                files.push(SourceFile { path: path.display().to_string(), text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// Whether `word` stands in `code` by itself.
pub fn has_word(code: &str, word: &str) -> bool {
    let inside = |symbol: char| symbol.is_alphanumeric() || symbol == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        !before.is_some_and(inside) && (word.ends_with('!') || !after.is_some_and(inside))
    })
}

/// `text` without comments, and with empty string and character literals.
pub fn code_of(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(symbol) = rest.chars().next() {
        let skipped = comment(rest).or_else(|| string(rest)).or_else(|| character(rest));
        match skipped {
            Some(length) => {
                code.push(' ');
                rest = &rest[length..];
            }
            None => {
                code.push(symbol);
                rest = &rest[symbol.len_utf8()..];
            }
        }
    }
    code
}

/// The length of the comment that `text` begins with.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if !text.starts_with("/*") {
        return None;
    }
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
    Some(text.len())
}

/// The length of the string, raw or not, that `text` begins with.
fn string(text: &str) -> Option<usize> {
    if let Some(raw) = text.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let body = raw[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = body.find(&end).map_or(body.len(), |at| at + end.len());
        return Some(2 + hashes + length);
    }
    let body = text.strip_prefix('"')?;
    let mut escaped = false;
    for (at, symbol) in body.char_indices() {
        match symbol {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 2),
            _ => {}
        }
    }
    Some(text.len())
}

/// The length of the character literal, not lifetime, that `text` begins with.
fn character(text: &str) -> Option<usize> {
    let body = text.strip_prefix('\'')?;
    let first = body.chars().next()?;
    let length = if first == '\\' { 2 + body[2..].find('\'')? } else { first.len_utf8() };
    body[length..].starts_with('\'').then_some(length + 2)
}
