//! Instructions that have a value or a list and at most a flag: `FROM ARG ENV LABEL EXPOSE VOLUME USER WORKDIR
//! STOPSIGNAL MAINTAINER`.

use super::Line;
use super::flags::{Flags, Takes};
use crate::ast::{Arg, Argument, Expose, From, Pair, Pairs, Value, Volume};

/// `FROM [--platform=…] image [AS name]`.
pub(super) fn from(line: &mut Line) -> Option<From> {
    let flags = Flags::take(line, &[("platform", Takes::Value)]);
    let name = match line.statement.arguments.as_slice() {
        [_] => None,
        [_, word, name] if word.eq_ignore_ascii_case("as") => {
            let lower = name.to_lowercase();
            let is_name = lower.starts_with(|first: char| first.is_ascii_lowercase())
                && lower.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter));
            if !is_name {
                let expected = "a letter, then letters, digits, `-`, `_` and `.`";
                line.wrong(name, format!("a stage cannot be called `{name}`"), expected);
                return None;
            }
            Some(lower)
        }
        arguments => {
            let part = arguments.get(1).cloned().unwrap_or_else(|| line.statement.name.clone());
            line.wrong(
                &part,
                "`FROM` takes an image and perhaps a name",
                "`FROM image` or `FROM image AS name`",
            );
            return None;
        }
    };
    let image = line.statement.arguments.first()?.clone();
    Some(From { image, name, platform: flags?.text("platform") })
}

/// `ARG name[=default] …`.
pub(super) fn arg(line: &mut Line) -> Option<Arg> {
    let flags = Flags::take(line, &[]);
    let words = at_least_one(line, "`ARG NAME` or `ARG NAME=default`")?;
    let mut arguments = Vec::with_capacity(words.len());
    for word in words {
        let (name, default) = word.split_once('=').map_or((word.as_str(), None), |(n, d)| (n, Some(d)));
        if name.is_empty() {
            line.wrong(word, "an argument has no name", "`NAME` or `NAME=default`");
            return None;
        }
        arguments.push(Argument { name: name.to_owned(), default: default.map(str::to_owned) });
    }
    flags.map(|_| Arg { arguments })
}

/// The pairs of `ENV` and `LABEL`.
pub(super) fn pairs(line: &mut Line) -> Option<Pairs> {
    let flags = Flags::take(line, &[]);
    let strings = at_least_one(line, "`NAME=value`")?;
    let mut pairs = Vec::with_capacity(strings.len() / 3);
    for pair in strings.chunks_exact(3) {
        let [name, value, sign] = pair else { continue };
        if name.is_empty() {
            line.wrong(&format!("={value}"), "a name is missing before `=`", "`NAME=value`");
            return None;
        }
        pairs.push(Pair { name: name.clone(), value: value.clone(), old_form: sign.is_empty() });
    }
    flags.map(|_| Pairs { pairs })
}

/// `EXPOSE port …`.
pub(super) fn expose(line: &mut Line) -> Option<Expose> {
    let flags = Flags::take(line, &[]);
    let ports = at_least_one(line, "a port such as `80` or `53/udp`")?.to_vec();
    flags.map(|_| Expose { ports })
}

/// `VOLUME path …`.
pub(super) fn volume(line: &mut Line) -> Option<Volume> {
    let flags = Flags::take(line, &[]);
    let words = at_least_one(line, "a path")?;
    let paths: Vec<String> = words.iter().map(|path| path.trim().to_owned()).collect();
    if paths.iter().any(String::is_empty) {
        line.wrong("\"\"", "a volume's path is empty", "a path");
        return None;
    }
    flags.map(|_| Volume { paths })
}

/// The one value of `USER`, `WORKDIR`, `STOPSIGNAL` and `MAINTAINER`.
pub(super) fn value(line: &mut Line) -> Option<Value> {
    let flags = Flags::take(line, &[]);
    let values = at_least_one(line, "one value")?;
    let value = values.first()?.clone();
    flags.map(|_| Value { value })
}

/// The arguments, of which there must be some.
pub(super) fn at_least_one<'l>(line: &mut Line<'l, '_>, expected: &str) -> Option<&'l [String]> {
    let statement = line.statement;
    if statement.arguments.is_empty() {
        let name = statement.name.to_uppercase();
        line.wrong(&statement.name, format!("`{name}` needs at least one argument"), expected);
        return None;
    }
    Some(&statement.arguments)
}
