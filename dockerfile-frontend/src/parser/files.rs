//! `COPY` and `ADD`.

use std::collections::HashMap;

use super::Line;
use super::flags::{Flags, Takes};
use crate::ast::{Add, Copy, CopySource};
use crate::lexer::{Heredoc, Opening};

/// The flags of both.
const SHARED: [(&str, Takes); 4] =
    [("chown", Takes::Value), ("chmod", Takes::Value), ("link", Takes::Switch), ("exclude", Takes::Values)];

/// `COPY [flags] source … destination`.
pub(super) fn copy(line: &mut Line) -> Option<Copy> {
    let mut known = SHARED.to_vec();
    known.extend([("from", Takes::Value), ("parents", Takes::Switch)]);
    let flags = Flags::take(line, &known);
    let (sources, destination) = paths(line)?;
    let flags = flags?;
    Some(Copy {
        sources,
        destination,
        from: flags.text("from"),
        chown: flags.text("chown"),
        chmod: flags.text("chmod"),
        link: flags.switch("link").unwrap_or(false),
        parents: flags.switch("parents").unwrap_or(false),
        exclude: flags.values("exclude").map(str::to_owned).collect(),
    })
}

/// `ADD [flags] source … destination`.
pub(super) fn add(line: &mut Line) -> Option<Add> {
    let mut known = SHARED.to_vec();
    let own = [("checksum", Takes::Value), ("keep-git-dir", Takes::Switch), ("unpack", Takes::Switch)];
    known.extend(own);
    let flags = Flags::take(line, &known);
    let (sources, destination) = paths(line)?;
    let flags = flags?;
    Some(Add {
        sources,
        destination,
        chown: flags.text("chown"),
        chmod: flags.text("chmod"),
        link: flags.switch("link").unwrap_or(false),
        exclude: flags.values("exclude").map(str::to_owned).collect(),
        checksum: flags.text("checksum"),
        keep_git_dir: flags.switch("keep-git-dir"),
        unpack: flags.switch("unpack"),
    })
}

fn paths(line: &mut Line) -> Option<(Vec<CopySource>, String)> {
    let statement = line.statement;
    let (destination, sources) = match statement.arguments.split_last() {
        Some((destination, sources)) if !sources.is_empty() => (destination, sources),
        _ => {
            let message = format!("`{}` needs a source and a destination", statement.name.to_uppercase());
            let part = statement.arguments.first().unwrap_or(&statement.name);
            line.wrong(part, message, "at least two paths, the last one in the image");
            return None;
        }
    };
    // In a JSON array `<<x` is a file's name.
    let name =
        |path: &str| if statement.json { None } else { Opening::parse(path).map(|opening| opening.name) };
    if name(destination).is_some() {
        line.wrong(destination, "a heredoc cannot be the destination", "a path in the image");
        return None;
    }
    let mut heredocs: HashMap<&str, &Heredoc> = HashMap::new();
    for heredoc in &statement.heredocs {
        if heredocs.insert(&heredoc.name, heredoc).is_some() {
            let message = format!("two heredocs are called `{}`, and so would their files", heredoc.name);
            line.wrong(&heredoc.name, message, "a name for each");
            return None;
        }
    }
    // Each text is taken once: a word that only looks the same, in quotes, is a path.
    let sources = sources.iter().map(|source| {
        let heredoc = name(source).and_then(|name| heredocs.remove(name.as_str()));
        heredoc.map_or_else(|| CopySource::Path(source.clone()), |doc| CopySource::Heredoc(doc.clone()))
    });
    Some((sources.collect(), destination.clone()))
}
