//! Which files the sources of a copy name, and where they go; nothing is copied here.

use std::sync::Arc;

use rustix::fs::{FileType, Gid, Mode, OFlags, Uid};

use crate::error::{Context, Error, Kind, Result};
use crate::steps::add::{Fetched, Unpack, archive};
use crate::steps::copy::{Copy, Source, Target};
use crate::tree::adapters::Rules;
use crate::tree::ignore::Verdict;
use crate::tree::pattern::Pattern;
use crate::tree::{RelPath, Root, Timestamp};

/// What becomes of a pick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// It is copied.
    File,
    /// Its content is copied.
    Directory,
    /// It is unpacked.
    Archive,
}

/// One file or directory that a source names.
#[derive(Debug)]
pub(super) struct Pick {
    /// The tree it is in, unless that is the source's.
    tree: Option<Arc<Root>>,
    /// Where it is, all symlinks followed.
    pub place: RelPath,
    /// Its path from the context, by which ignore patterns judge it.
    pub judged: RelPath,
    /// What it is called below the destination: the name it was given by, or with `parents` its path. Empty for a
    /// directory whose content is copied.
    pub below: RelPath,
    pub sort: Sort,
    /// The time of all in it, if not its own.
    pub time: Option<Timestamp>,
}

impl Pick {
    /// The tree it is in.
    pub(super) fn root<'a>(&'a self, from: &'a Source<'_>) -> &'a Root {
        self.tree.as_deref().unwrap_or(from.root)
    }
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
    for (number, text) in copy.sources.iter().enumerate() {
        if let Some(fetched) = from.fetched.get(&number) {
            picks.push(fetched_pick(copy, fetched)?);
            continue;
        }
        let pattern = Pattern::new(&from.base, text);
        let found = if copy.literal { pattern.as_name(from.root)? } else { pattern.expand(from.root)? };
        if found.is_empty() && copy.allow_empty && pattern.is_pattern() {
            continue;
        }
        if found.is_empty() {
            return Err(Error::new(Kind::NotFound, format!("cannot copy `{text}`"))
                .because(format!("nothing in `{}` matches", from.base)));
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
    if copy.sources.is_empty() {
        return Err(
            Error::invalid(format!("cannot copy to `{}`", copy.destination)).because("no source is named")
        );
    }
    Ok(picks)
}

/// What was fetched, as a pick.
fn fetched_pick(copy: &Copy, fetched: &Fetched) -> Result<Pick> {
    let place = fetched.name.clone();
    let sort = match fetched.is_file {
        false => Sort::Directory,
        true if copy.unpack == Unpack::All && archive::is_archive(&fetched.root, &place)? => Sort::Archive,
        true => Sort::File,
    };
    let below = if sort == Sort::File { place.clone() } else { RelPath::root() };
    let tree = Some(fetched.root.clone());
    Ok(Pick { tree, judged: place.clone(), place, below, sort, time: fetched.time })
}

/// The pick at `path`, unless the rules leave it out whole.
fn look(copy: &Copy, from: &Source<'_>, rules: &Rules, path: &RelPath, strip: usize) -> Result<Option<Pick>> {
    let place = match (path.parent(), path.name()) {
        (Some(parent), Some(name)) if copy.keep_symlinks => {
            from.root.resolve(parent.as_path()).cannot("find", path)?.join(name)
        }
        _ => from.root.resolve(path.as_path()).cannot("find", path)?,
    };
    let stat = from.root.lstat(place.as_path()).cannot("copy", path)?;
    let file_type = FileType::from_raw_mode(stat.st_mode);
    let directory = file_type == FileType::Directory;
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
    let unpack = copy.unpack != Unpack::Nothing && file_type == FileType::RegularFile;
    let sort = match directory {
        true => Sort::Directory,
        false if unpack && archive::is_archive(from.root, &place)? => Sort::Archive,
        false => Sort::File,
    };
    let below = match sort {
        // Only the directories above it are kept.
        Sort::Archive => below.parent().unwrap_or_default(),
        _ => below,
    };
    Ok(Some(Pick { tree: None, place, judged, below, sort, time: None }))
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

/// Decides where the picks go and makes the directories that are missing, which get `owner`; and says whether nothing
/// was there.
pub(super) fn settle(
    copy: &Copy,
    picks: &[Pick],
    to: &Target<'_>,
    owner: (u32, u32),
) -> Result<(Place, bool)> {
    let text = &copy.destination;
    let full = if text.starts_with('/') { text.clone() } else { format!("/{}/{text}", to.workdir) };
    let named_as_directory = text.is_empty() || text.ends_with('/') || matches!(last_part(text), "." | "..");
    let is_directory = named_as_directory
        || copy.parents
        || copy.sources.len() > 1
        || picks.len() > 1
        || picks.iter().any(|pick| pick.sort != Sort::File);
    let place =
        if copy.link { RelPath::clamp(&full) } else { to.root.resolve(&full).cannot("copy to", &full)? };
    if copy.link {
        let directories = if is_directory { Some(place.clone()) } else { place.parent() };
        clear_the_way(to.root, &directories.unwrap_or_default())?;
    }
    match to.root.lstat(place.as_path()) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
            Ok((Place::Into(place), false))
        }
        Ok(_) if is_directory => Err(Error::new(Kind::Exists, format!("cannot copy to `{full}`"))
            .because("it is there and is no directory")
            .hint("name a directory, or copy one single file")),
        Ok(_) => Ok((Place::Named(place), false)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // One directory that becomes a new one comes with its own mode, time and attributes.
            let becomes =
                !is_directory || matches!(picks, [pick] if pick.sort == Sort::Directory && !copy.parents);
            let make = if becomes { place.parent().unwrap_or_default() } else { place.clone() };
            make_directories(to.root, &make, owner)?;
            Ok((if becomes { Place::Named(place) } else { Place::Into(place) }, true))
        }
        Err(error) => Err(error).cannot("copy to", full),
    }
}

/// Removes what is on the way to the directory `path` and is no directory, symlinks to directories too.
fn clear_the_way(root: &Root, path: &RelPath) -> Result<()> {
    let mut here = RelPath::root();
    for part in path.parts() {
        here = here.join(part);
        match root.lstat(here.as_path()) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {}
            Ok(_) => return root.remove_all(here.as_path()).cannot("replace", &here).map(drop),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).cannot("copy to", &here),
        }
    }
    Ok(())
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
    for pick in picks.iter().filter(|pick| pick.sort == Sort::Directory) {
        let stat = pick.root(from).stat(pick.place.as_path()).cannot("copy", &pick.place)?;
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
