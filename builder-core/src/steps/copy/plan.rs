//! Which files the sources of a copy name, and where they go; nothing is copied here.

use rustix::fs::{FileType, Gid, Mode, OFlags, Uid};

use crate::error::{Context, Error, Kind, Result};
use crate::steps::copy::{Copy, Source, Target};
use crate::tree::adapters::Rules;
use crate::tree::ignore::Verdict;
use crate::tree::pattern::Pattern;
use crate::tree::{RelPath, Root};

/// One file or directory that a source names.
#[derive(Debug)]
pub(super) struct Pick {
    /// Where it is, all symlinks followed.
    pub place: RelPath,
    /// Its path from the context, by which ignore patterns judge it.
    pub judged: RelPath,
    /// What it is called below the destination: the name it was given by, or with `parents` its path. Empty for a
    /// directory whose content is copied.
    pub below: RelPath,
    pub directory: bool,
}

/// Where the picks go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Below this directory.
    Into(RelPath),
    /// To this name, which the one pick gets.
    Named(RelPath),
}

/// Finds what the sources name. One that names nothing, or nothing that the rules leave, is an error.
pub(super) fn pick(copy: &Copy, from: &Source<'_>, rules: &Rules) -> Result<Vec<Pick>> {
    let mut picks = Vec::new();
    for text in &copy.sources {
        let pattern = Pattern::new(&from.base, text);
        let found = pattern.expand(from.root)?;
        if found.is_empty() {
            return Err(Error::new(Kind::NotFound, format!("cannot copy `{text}`"))
                .because(format!("nothing in `{}` matches", from.base))
                .hint("name a file below the directory you are in, or set it: --contextdir DIRECTORY"));
        }
        let strip = if copy.parents { pivot(text, &from.base)? } else { 0 };
        let before = picks.len();
        for path in &found {
            picks.extend(look(copy, from, rules, path, strip)?);
        }
        if picks.len() == before {
            return Err(Error::new(Kind::NotFound, format!("cannot copy `{text}`"))
                .because(format!("all {} matches are left out by ignore or exclude patterns", found.len()))
                .hint("bring files back by a later pattern that begins with `!`"));
        }
    }
    if picks.is_empty() {
        return Err(
            Error::invalid(format!("cannot copy to `{}`", copy.destination)).because("no source is named")
        );
    }
    Ok(picks)
}

/// The pick at `path`, unless the rules leave it out whole.
fn look(copy: &Copy, from: &Source<'_>, rules: &Rules, path: &RelPath, strip: usize) -> Result<Option<Pick>> {
    let place = from.root.resolve(path.as_path()).cannot("find", path)?;
    let stat = from.root.lstat(place.as_path()).cannot("copy", path)?;
    let directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    let judged = path.strip(&from.base).unwrap_or_else(|| path.clone());
    let name = path.name().map(|name| RelPath::root().join(name)).unwrap_or_default();
    let verdict = rules.context.judge_from_root(&judged);
    let mut out = rules.context.leaves_out(verdict)
        && !(directory && rules.context.may_bring_back_below(verdict, &judged));
    if !directory {
        out |= rules.inside.leaves_out(rules.inside.judge(Verdict::default(), &name));
    }
    if out {
        return Ok(None);
    }
    let below = if copy.parents {
        path.parts().skip(strip).fold(RelPath::root(), |below, part| below.join(part))
    } else if directory {
        RelPath::root()
    } else {
        name
    };
    Ok(Some(Pick { place, judged, below, directory }))
}

/// How many parts of a match are left out with `parents`: those before `/./`, or the directory sources begin at.
fn pivot(text: &str, base: &RelPath) -> Result<usize> {
    let Some(at) = text.find("/./") else {
        return Ok(Pattern::new(base, text).depth_of_first(0).unwrap_or_default());
    };
    let above = Pattern::new(base, &text[..at.max(usize::from(text.starts_with('/')))]);
    above.depth_of_first(above.len()).ok_or_else(|| {
        Error::invalid(format!("cannot copy `{text}`"))
            .because("where `/./` is cannot be told after a `**`")
            .hint("put `/./` before the first `**`")
    })
}

/// Decides where the picks go and makes the directories that are missing, which get `owner`.
pub(super) fn settle(copy: &Copy, picks: &[Pick], to: &Target<'_>, owner: (u32, u32)) -> Result<Place> {
    let text = &copy.destination;
    let full = if text.starts_with('/') { text.clone() } else { format!("/{}/{text}", to.workdir) };
    let named_as_directory = text.is_empty() || text.ends_with('/') || matches!(last_part(text), "." | "..");
    let is_directory = named_as_directory
        || copy.parents
        || copy.sources.len() > 1
        || picks.len() > 1
        || picks.iter().any(|pick| pick.directory);
    let place = to.root.resolve(&full).cannot("copy to", &full)?;
    match to.root.lstat(place.as_path()) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => Ok(Place::Into(place)),
        Ok(_) if is_directory => Err(Error::new(Kind::Exists, format!("cannot copy to `{full}`"))
            .because("it is there and is no directory")
            .hint("name a directory, or copy one single file")),
        Ok(_) => Ok(Place::Named(place)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // One directory that becomes a new one comes with its own mode, time and attributes.
            let becomes = !is_directory || matches!(picks, [pick] if pick.directory && !copy.parents);
            let make = if becomes { place.parent().unwrap_or_default() } else { place.clone() };
            make_directories(to.root, &make, owner)?;
            Ok(if becomes { Place::Named(place) } else { Place::Into(place) })
        }
        Err(error) => Err(error).cannot("copy to", full),
    }
}

/// Refuses to copy a directory to a place inside it, which would never end.
pub(super) fn refuse_into_itself(
    picks: &[Pick],
    from: &Source<'_>,
    to: &Target<'_>,
    place: &Place,
) -> Result<()> {
    let mut here = match place {
        Place::Into(path) => Some(path.clone()),
        Place::Named(path) => path.parent(),
    };
    let mut above = Vec::new();
    while let Some(path) = here {
        let stat = to.root.stat(path.as_path()).cannot("copy to", &path)?;
        above.push((stat.st_dev, stat.st_ino));
        here = path.parent();
    }
    for pick in picks.iter().filter(|pick| pick.directory) {
        let stat = from.root.stat(pick.place.as_path()).cannot("copy", &pick.place)?;
        if above.contains(&(stat.st_dev, stat.st_ino)) {
            return Err(Error::invalid(format!("cannot copy `{}`", pick.place))
                .because("the destination is inside it")
                .hint("name what is to be copied more closely, or copy to another directory"));
        }
    }
    Ok(())
}

fn last_part(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text)
}

/// Makes `path` and what is missing above it, mode 0755.
pub(super) fn make_directories(root: &Root, path: &RelPath, owner: (u32, u32)) -> Result<()> {
    let (_, made) = root.mkdir_all(path.as_path(), 0o755).cannot("make the directory", path)?;
    for path in &made {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::NOFOLLOW;
        let dir = root.open(path.as_path(), flags, Mode::empty()).cannot("open", path)?;
        let (uid, gid) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
        rustix::fs::fchown(&dir, Some(uid), Some(gid)).cannot("set the owner of", path)?;
    }
    Ok(())
}
