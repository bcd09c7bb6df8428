//! `--userns auto`: which ids a container gets that nobody else has. What the words mean, and how ranges are chosen of
//! those that are free; which containers there are, and which ids an image needs, is known above.
//!
//! The words are those of Podman and Buildah, and so is the choice: the lowest ids that no other container has.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{IdMaps, IdRange, range};
use crate::error::{Error, Kind, Result};
use crate::host::{Host, subids};
use crate::settings::IdPool;
use crate::sys::userns;

/// What a container asks for whose ids are chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AutoIds {
    /// How many ids; as many as the image needs, unless given.
    pub size: Option<u32>,
    /// Users that are to be these, whoever has them.
    pub uids: Vec<IdRange>,
    /// Groups that are to be these.
    pub gids: Vec<IdRange>,
}

/// Ids from the first to before the second.
pub(crate) type Span = (u64, u64);

impl AutoIds {
    /// What `auto[:OPTION=VALUE,…]` says: `size=`, `uidmapping=` and `gidmapping=`; none if the word is another.
    pub fn parse(text: &str) -> Option<Result<AutoIds>> {
        match text.split_once(':') {
            None => (text == "auto").then(|| Ok(AutoIds::default())),
            Some((word, options)) => (word == "auto").then(|| AutoIds::options(text, options)),
        }
    }

    fn options(text: &str, options: &str) -> Result<AutoIds> {
        let mut asked = AutoIds::default();
        let shown: String = text.chars().take(200).collect();
        let fault = |why: String| {
            Error::invalid(format!("cannot use `--userns {}`", shown.escape_debug())).because(why).hint(
                "write --userns auto:size=65536, or auto:uidmapping=INSIDE:OUTSIDE:LENGTH,gidmapping=… \
                 for ids that must be",
            )
        };
        for option in options.split(',') {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let ids = || {
                let no_range = || fault(format!("`{}` is no range of ids", value.escape_debug()));
                range(value).ok_or_else(no_range)
            };
            match name {
                "size" => {
                    let size: Option<u32> = value.parse().ok().filter(|_| !value.starts_with('+'));
                    let size = size.ok_or_else(|| fault(format!("`{}` is no size", value.escape_debug())))?;
                    // As in Buildah, none is as if it were not there.
                    asked.size = Some(size).filter(|size| *size > 0);
                }
                "uidmapping" => asked.uids.push(ids()?),
                "gidmapping" => asked.gids.push(ids()?),
                _ => return Err(fault(format!("there is no option `{}`", name.escape_debug()))),
            }
        }
        Ok(asked)
    }

    /// Chooses `size` ids of `pool`'s, none of which is in the maps of `others`.
    pub(crate) fn choose(
        &self,
        host: Host,
        etc: &Path,
        pool: &IdPool,
        size: u32,
        others: &[IdMaps],
    ) -> Result<IdMaps> {
        let pick = |file: &str, pinned: &[IdRange], of: &dyn Fn(&IdMaps) -> Vec<IdRange>| {
            let free = if host.is_rootless() { own(file)? } else { given(etc, file, &pool.user)? };
            let used = others.iter().flat_map(of).chain(pinned.iter().copied());
            let used: Vec<Span> = used.map(|range| span(range.outside, range.length)).collect();
            pick(size, without(free, &used), pinned).ok_or_else(|| {
                Error::new(Kind::Unsupported, format!("cannot choose {size} ids for a container"))
                    .because(format!("so many are not free of those that /etc/{file} gives"))
                    .hint(
                        "remove containers that are not needed: kiln rm NAME, or ask for fewer: auto:size=N",
                    )
            })
        };
        Ok(IdMaps {
            uids: pick("subuid", &self.uids, &|maps| maps.uids.clone())?,
            gids: pick("subgid", &self.gids, &|maps| maps.gids.clone())?,
        })
    }
}

/// The ids that `user` has by a file in `etc`.
fn given(etc: &Path, file: &str, user: &str) -> Result<Vec<Span>> {
    let spans = subids::of_name(etc, file, user).map_err(|error| match error.kind() {
        Kind::Denied => Error::new(Kind::Denied, "cannot choose ids for a container")
            .because(format!("{} has no line for `{}`", etc.join(file).display(), user.escape_debug()))
            .hint(format!(
                "give it some that nobody has: `echo {user}:2147483648:1073741824 | tee -a /etc/subuid /etc/subgid`"
            )),
        _ => error,
    })?;
    Ok(spans.into_iter().map(|(first, length)| span(first, length)).collect())
}

/// The ids of the namespace that we are in, less its root.
fn own(file: &str) -> Result<Vec<Span>> {
    use crate::error::Context;
    let map = if file == "subuid" { "/proc/self/uid_map" } else { "/proc/self/gid_map" };
    let text = std::fs::read_to_string(map).cannot("read", map)?;
    let spans = userns::ranges(&text).into_iter().map(|range| span(range.inside, range.length)).collect();
    Ok(without(spans, &[(0, 1)]))
}

fn span(first: u32, length: u32) -> Span {
    (first.into(), u64::from(first) + u64::from(length))
}

/// What is left of some spans, the lowest first.
fn without(spans: Vec<Span>, taken: &[Span]) -> Vec<Span> {
    let mut left = spans;
    for (start, end) in taken {
        left = left
            .into_iter()
            .flat_map(|(first, after)| [(first, after.min(*start)), (first.max(*end), after)])
            .filter(|(first, after)| first < after)
            .collect();
    }
    left.sort_unstable();
    left
}

/// The map of `size` ids inside, less the pinned ones, to the lowest free ones; and the pinned ones. None if there are
/// not enough.
fn pick(size: u32, free: Vec<Span>, pinned: &[IdRange]) -> Option<Vec<IdRange>> {
    let pins: Vec<Span> = pinned.iter().map(|range| span(range.inside, range.length)).collect();
    let mut free = free.into_iter();
    let (mut next, mut after) = (0, 0);
    let mut map = Vec::new();
    for (mut inside, end) in without(vec![(0, size.into())], &pins) {
        while inside < end {
            if next == after {
                (next, after) = free.next()?;
            }
            let length = (end - inside).min(after - next);
            map.push(IdRange {
                inside: u32::try_from(inside).ok()?,
                outside: u32::try_from(next).ok()?,
                length: u32::try_from(length).ok()?,
            });
            inside += length;
            next += length;
        }
    }
    map.extend_from_slice(pinned);
    Some(map)
}

#[cfg(test)]
mod tests;
