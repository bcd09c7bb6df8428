//! Patterns that name files: Go's `filepath.Match` globs and `**`, as a `COPY` source or an ignore file has them.
//!
//! A pattern is compiled once into a regular expression, whose search is linear in the path whatever the pattern says.
//! Here live the two dialects and the search for what a source pattern names. Which rule of an ignore file wins is
//! `ignore`'s.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use regex::bytes::{Regex, RegexBuilder};
use rustix::fs::{Dir, FileType, Mode, OFlags};

use crate::error::{Context, Error, Kind, Result};
use crate::tree::{RelPath, Root};

/// As many files as one pattern may name; a build context is far below that.
const MAX_MATCHES: usize = 1_000_000;

/// As large as one compiled pattern may become, in bytes.
const MAX_COMPILED: usize = 1 << 20;

/// Anything but a slash; a name need not be UTF-8.
const NO_SLASH: &str = r"(?-u:[^/])";

/// Any byte at all.
const ANY: &str = r"(?s-u:.)";

/// Compiles one part of a source pattern, which is matched against one file name.
fn compile_part(part: &str) -> Result<Regex> {
    let mut text = String::from("^");
    let mut rest = part;
    while let Some(symbol) = rest.chars().next() {
        rest = match symbol {
            // Two stars inside a part are as good as one.
            '*' => {
                text.push_str(NO_SLASH);
                text.push('*');
                &rest[1..]
            }
            _ => translate(rest, &mut text).ok_or_else(|| malformed(part))?,
        };
    }
    text.push('$');
    compile(&text).ok_or_else(|| malformed(part))
}

/// The regular expression for a pattern of an ignore file, which is matched against a whole path.
///
/// Source of the rules: Docker's `.dockerignore` matcher. `**/` is any number of directories, none included; `**` at
/// the end is anything; `**x` at the start is any path that ends in `x`.
pub(super) fn translate_ignore(pattern: &str) -> Result<String> {
    let mut text = String::from("^");
    let mut rest = pattern;
    // A pattern of `**` and then only plain characters is a test for the end of the path.
    if let Some(end) = pattern.strip_prefix("**")
        && !end.starts_with('/')
        && !end.contains(['*', '?', '[', '\\'])
    {
        text.push_str(ANY);
        text.push('*');
        rest = end;
    }
    while let Some(symbol) = rest.chars().next() {
        if symbol != '*' {
            rest = translate(rest, &mut text).ok_or_else(|| malformed(pattern))?;
            continue;
        }
        let Some(after) = rest.strip_prefix("**") else {
            text.push_str(NO_SLASH);
            text.push('*');
            rest = &rest[1..];
            continue;
        };
        rest = after.strip_prefix('/').unwrap_or(after);
        if rest.is_empty() {
            text.push_str(ANY);
            text.push('*');
        } else {
            text.push_str("(?:");
            text.push_str(ANY);
            text.push_str("*/)?");
        }
    }
    text.push('$');
    compile(&text).ok_or_else(|| malformed(pattern))?;
    Ok(text)
}

fn compile(text: &str) -> Option<Regex> {
    RegexBuilder::new(text).size_limit(MAX_COMPILED).build().ok()
}

fn malformed(pattern: &str) -> Error {
    Error::invalid(format!("cannot use the pattern `{pattern}`"))
        .because("a `[` is not closed, a range runs backwards, it ends in a backslash, or it is too long")
        .hint("put a backslash before a character that stands for itself: `a\\[1\\].txt`")
}

/// Adds the first symbol of `rest` (no star) to the expression `text` and returns what follows it.
fn translate<'a>(rest: &'a str, text: &mut String) -> Option<&'a str> {
    let mut chars = rest.chars();
    match chars.next()? {
        // One character, or where the name is not UTF-8 one byte that cannot be inside of a character.
        '?' => text.push_str(r"(?:[^/]|(?-u:[\xC0-\xFF]))"),
        '[' => return translate_class(chars.as_str(), text),
        '\\' => push_literal(chars.next()?, text),
        other => push_literal(other, text),
    }
    Some(chars.as_str())
}

/// Adds the class whose text begins after its `[`: `[^]` ranges `]`, each range `c` or `c-d`, `\` before a plain one.
fn translate_class<'a>(class: &'a str, text: &mut String) -> Option<&'a str> {
    let (negated, class) = match class.strip_prefix('^') {
        Some(class) => (true, class),
        None => (false, class),
    };
    text.push_str(if negated { "[^" } else { "[" });
    let mut rest = class;
    let mut ranges = 0;
    loop {
        if ranges > 0 && rest.starts_with(']') {
            text.push(']');
            return Some(&rest[1..]);
        }
        let low = class_char(&mut rest)?;
        let mut high = low;
        if let Some(after) = rest.strip_prefix('-') {
            rest = after;
            high = class_char(&mut rest)?;
        }
        if low > high {
            return None;
        }
        text.push_str(&format!(r"\x{{{:x}}}-\x{{{:x}}}", u32::from(low), u32::from(high)));
        ranges += 1;
    }
}

/// Takes one character of a class from `rest`; a bare `-` or `]` cannot stand there.
fn class_char(rest: &mut &str) -> Option<char> {
    let mut chars = rest.chars();
    let mut symbol = chars.next()?;
    if symbol == '-' || symbol == ']' {
        return None;
    }
    if symbol == '\\' {
        symbol = chars.next()?;
    }
    *rest = chars.as_str();
    Some(symbol)
}

fn push_literal(symbol: char, text: &mut String) {
    text.push_str(&regex::escape(symbol.encode_utf8(&mut [0; 4])));
}

/// Whether `part` has a character that makes it a pattern.
fn is_pattern(part: &str) -> bool {
    part.contains(['*', '?', '[', '\\'])
}

/// One part of a source pattern.
enum Part<'a> {
    /// A name as it stands.
    Name(&'a str),
    /// Some names of one directory.
    Names(Regex),
    /// `**`: this directory and all below it.
    Deep,
}

/// A source pattern taken apart, without looking at any file.
pub(crate) struct Pattern<'a> {
    /// The directory it begins at.
    base: RelPath,
    parts: Vec<&'a str>,
}

impl<'a> Pattern<'a> {
    /// Takes `text` apart: an absolute one begins at the root, any other at `base`; `..` stops at the root.
    pub(crate) fn new(base: &RelPath, text: &'a str) -> Self {
        let base = if text.starts_with('/') { RelPath::root() } else { base.clone() };
        let mut pattern = Pattern { base, parts: Vec::new() };
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." if pattern.parts.pop().is_none() => {
                    pattern.base = pattern.base.parent().unwrap_or_default();
                }
                ".." => {}
                part => pattern.parts.push(part),
            }
        }
        pattern
    }

    /// How many parts every match has above the last `count` parts of the pattern; unknown below a `**`.
    pub(crate) fn depth_of_first(&self, count: usize) -> Option<usize> {
        let first = &self.parts[..count.min(self.parts.len())];
        (!first.contains(&"**")).then(|| self.base.parts().count() + first.len())
    }

    /// How many parts it has below the directory it begins at.
    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether it has a character that makes it more than a name.
    pub(crate) fn is_pattern(&self) -> bool {
        self.parts.iter().any(|part| is_pattern(part))
    }

    /// The file of exactly this name, if there is one.
    pub(crate) fn as_name(&self, root: &Root) -> Result<Vec<RelPath>> {
        let plain = self.parts.iter().fold(self.base.clone(), |path, part| path.join(part));
        Ok(if exists(root, &plain)? { vec![plain] } else { Vec::new() })
    }

    /// What it names below `root`, sorted; nothing is an empty list.
    ///
    /// A symlink on the way is followed inside the root, the last one is not, and `**` follows none. A pattern that
    /// matches nothing but is itself the name of a file names that file, so that a shell's `file[1].txt` works.
    pub(crate) fn expand(&self, root: &Root) -> Result<Vec<RelPath>> {
        let mut parts = Vec::new();
        for part in &self.parts {
            parts.push(match *part {
                "**" => Part::Deep,
                part if is_pattern(part) => Part::Names(compile_part(part)?),
                part => Part::Name(part),
            });
        }
        let mut found = BTreeSet::new();
        search(root, self.base.clone(), &parts, &mut found)?;
        if found.is_empty() && parts.iter().any(|part| !matches!(part, Part::Name(_))) {
            found.extend(self.as_name(root)?);
        }
        Ok(found.into_iter().collect())
    }
}

/// Adds what `parts` name below `here`. The recursion is as deep as the pattern has parts.
fn search(root: &Root, here: RelPath, parts: &[Part<'_>], found: &mut BTreeSet<RelPath>) -> Result<()> {
    let plain = parts.iter().take_while(|part| matches!(part, Part::Name(_))).count();
    let mut here = here;
    for part in &parts[..plain] {
        if let Part::Name(name) = part {
            here = here.join(name);
        }
    }
    match &parts[plain..] {
        [] => {
            if exists(root, &here)? {
                found.insert(here);
                if found.len() > MAX_MATCHES {
                    return Err(Error::new(Kind::Unsupported, "cannot copy so many files by one pattern")
                        .because(format!("more than {MAX_MATCHES} match"))
                        .hint("name the directory that holds them"));
                }
            }
            Ok(())
        }
        [Part::Names(regex), rest @ ..] => {
            for (name, _) in names(root, &here)? {
                if regex.is_match(name.as_bytes()) {
                    search(root, here.join(&name), rest, found)?;
                }
            }
            Ok(())
        }
        [Part::Deep, rest @ ..] => {
            let mut todo = vec![here];
            while let Some(here) = todo.pop() {
                for (name, kind) in names(root, &here)? {
                    let below = here.join(&name);
                    if rest.is_empty() {
                        found.insert(below.clone());
                    }
                    if kind == FileType::Directory {
                        todo.push(below);
                    }
                }
                if !rest.is_empty() {
                    search(root, here, rest, found)?;
                }
            }
            Ok(())
        }
        [Part::Name(_), ..] => unreachable!("the names were taken above"),
    }
}

fn exists(root: &Root, path: &RelPath) -> Result<bool> {
    match root.lstat(path.as_path()) {
        Ok(_) => Ok(true),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(error).cannot("look at", path),
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let absent = [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::NAMETOOLONG];
    error.raw_os_error().is_some_and(|number| absent.contains(&Errno::from_raw_os_error(number)))
}

/// The names in the directory `here` with their kinds; none if it is no directory.
fn names(root: &Root, here: &RelPath) -> Result<Vec<(std::ffi::OsString, FileType)>> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY;
    let dir = match root.open(here.as_path(), flags, Mode::empty()) {
        Ok(dir) => dir,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error).cannot("read the directory", here),
    };
    let mut names = Vec::new();
    for item in Dir::read_from(&dir).cannot("read the directory", here)? {
        let item = item.cannot("read the directory", here)?;
        let name = OsStr::from_bytes(item.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let mut kind = item.file_type();
        if kind == FileType::Unknown {
            let stat = root.lstat(here.as_path().join(Path::new(name))).cannot("look at", here.join(name))?;
            kind = FileType::from_raw_mode(stat.st_mode);
        }
        names.push((name.to_owned(), kind));
    }
    Ok(names)
}

#[cfg(test)]
mod tests;
