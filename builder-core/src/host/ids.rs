//! Ids of a container's own: which of ours they are, and the user namespace that says so to the kernel.
//!
//! Files are kept with the ids that the image has, whatever maps a container has. Only its commands see others, by
//! mounts that show them.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Kind, Result};
use crate::host::probe::Knob;
use crate::sys::mount::Shown;
use crate::sys::userns;
pub use crate::sys::userns::IdRange;

mod auto;

pub use auto::AutoIds;

/// The kernel takes this many lines of a map; see user_namespaces(7).
const MAX_RANGES: usize = 340;

/// Which ids there are inside, and what they are outside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMaps {
    /// Of users; none for all there are, each itself.
    pub uids: Vec<IdRange>,
    /// Of groups.
    pub gids: Vec<IdRange>,
}

impl IdMaps {
    /// The ranges that words of the form `INSIDE:OUTSIDE:LENGTH` say, with commas between several in one word. `flag`
    /// is where they come from.
    pub fn parse(flag: &str, words: &[String]) -> Result<Vec<IdRange>> {
        let mut ranges = Vec::new();
        for word in words.iter().flat_map(|word| word.split(',')).filter(|word| !word.is_empty()) {
            ranges.push(range(word).ok_or_else(|| {
                Error::invalid(format!("cannot use `{flag} {}`", word.escape_debug()))
                    .because("it is not three numbers, the last above zero, of ids below 4294967295")
                    .hint(format!("write INSIDE:OUTSIDE:LENGTH, for example `{flag} 0:100000:65536`"))
            })?);
        }
        let overlap = |one: &IdRange, other: &IdRange| {
            let meet =
                |a: u32, b: u32| a < b.saturating_add(other.length) && b < a.saturating_add(one.length);
            meet(one.inside, other.inside) || meet(one.outside, other.outside)
        };
        for (nth, one) in ranges.iter().enumerate() {
            if ranges[..nth].iter().any(|other| overlap(one, other)) {
                let IdRange { inside, outside, length } = one;
                return Err(Error::invalid(format!("cannot use `{flag} {inside}:{outside}:{length}`"))
                    .because("an id in it is in another range, too"));
            }
        }
        if ranges.len() > MAX_RANGES {
            return Err(Error::invalid(format!("cannot use `{flag}` {} times", ranges.len()))
                .because(format!("the kernel takes {MAX_RANGES} ranges")));
        }
        Ok(ranges)
    }

    /// The ranges that the files `subuid` and `subgid` in `etc` give to a user and to a group, from 0 inside.
    pub fn of_names(etc: &Path, user: &str, group: &str) -> Result<IdMaps> {
        let ranges = |file: &str, who: &str| {
            let mut inside = 0_u32;
            let given = super::subids::of_name(etc, file, who)?.into_iter();
            Ok(given
                .map(|(outside, length)| {
                    let range = IdRange { inside, outside, length: length.min(u32::MAX - inside) };
                    inside = inside.saturating_add(length);
                    range
                })
                .collect())
        };
        Ok(IdMaps { uids: ranges("subuid", user)?, gids: ranges("subgid", group)? })
    }

    /// These, or where there are none those of this process, each itself.
    fn or_ours(&self) -> Result<IdMaps> {
        let ours = |ranges: &[IdRange], file: &str| {
            if !ranges.is_empty() {
                return Ok(ranges.to_vec());
            }
            let text = std::fs::read_to_string(file).cannot("read", file)?;
            let same = |range: IdRange| IdRange { outside: range.inside, ..range };
            Ok(userns::ranges(&text).into_iter().map(same).collect())
        };
        Ok(IdMaps {
            uids: ours(&self.uids, "/proc/self/uid_map")?,
            gids: ours(&self.gids, "/proc/self/gid_map")?,
        })
    }

    /// The same, so that no range goes over two of this process: the kernel takes none such.
    fn split(&self) -> Result<IdMaps> {
        let split = |ranges: &[IdRange], file: &str| -> Result<Vec<IdRange>> {
            let ours = userns::ranges(&std::fs::read_to_string(file).cannot("read", file)?);
            Ok(ranges.iter().flat_map(|range| split(*range, &ours)).collect())
        };
        Ok(IdMaps {
            uids: split(&self.uids, "/proc/self/uid_map")?,
            gids: split(&self.gids, "/proc/self/gid_map")?,
        })
    }

    /// Whether each id is itself.
    fn change_nothing(&self) -> bool {
        self.uids.iter().chain(&self.gids).all(|range| range.inside == range.outside)
    }

    /// The same ids inside, in one range where they follow each other, and nothing of what they are outside.
    pub(crate) fn inside(&self) -> IdMaps {
        let inside = |ranges: &[IdRange]| {
            let mut ranges: Vec<_> = ranges.iter().map(|range| IdRange { outside: 0, ..*range }).collect();
            ranges.sort_unstable_by_key(|range| range.inside);
            ranges.dedup_by(|next, range| {
                let follows = range.inside + range.length == next.inside;
                range.length += if follows { next.length } else { 0 };
                follows
            });
            ranges
        };
        IdMaps { uids: inside(&self.uids), gids: inside(&self.gids) }
    }

    /// What a user and a group of the container are outside. What is in no range stays what it is: nobody has it.
    pub(crate) fn outside(&self, (uid, gid): (u32, u32)) -> (u32, u32) {
        let find = |ranges: &[IdRange], id: u32| {
            let within = |range: &&IdRange| id >= range.inside && id - range.inside < range.length;
            ranges.iter().find(within).map_or(id, |range| range.outside + (id - range.inside))
        };
        (find(&self.uids, uid), find(&self.gids, gid))
    }
}

/// A range in parts, each within one of `ours`, whose inside it is outside of. What is in none of them stays whole.
fn split(mut rest: IdRange, ours: &[IdRange]) -> Vec<IdRange> {
    let mut parts = Vec::new();
    while rest.length > 0 {
        let holds =
            |range: &&IdRange| rest.outside >= range.inside && rest.outside - range.inside < range.length;
        let length =
            ours.iter().find(holds).map_or(rest.length, |range| range.length - (rest.outside - range.inside));
        let length = length.min(rest.length);
        parts.push(IdRange { length, ..rest });
        rest.length -= length;
        if rest.length > 0 {
            rest =
                IdRange { inside: rest.inside + length, outside: rest.outside + length, length: rest.length };
        }
    }
    parts
}

fn range(word: &str) -> Option<IdRange> {
    let mut numbers = word.split(':').map(|number| {
        // As it is written: no sign.
        number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse::<u32>().ok()).flatten()
    });
    let range = IdRange { inside: numbers.next()??, outside: numbers.next()??, length: numbers.next()?? };
    let fits = |first: u32| first.checked_add(range.length).is_some();
    (numbers.next().is_none() && range.length > 0 && fits(range.inside) && fits(range.outside))
        .then_some(range)
}

/// A user namespace that commands move into.
#[derive(Debug)]
pub(crate) struct Users {
    /// The namespace.
    pub namespace: OwnedFd,
    /// Its maps.
    pub maps: IdMaps,
    /// Whether supplementary groups may be set there.
    pub groups: bool,
}

impl Users {
    /// A new one with these maps.
    pub(crate) fn new(maps: &IdMaps) -> Result<Self> {
        let maps = maps.or_ours()?.split()?;
        let namespace = userns::make(&maps.uids, &maps.gids).map_err(|cause| {
            let errno = cause.raw_os_error().map(rustix::io::Errno::from_raw_os_error);
            let error = Error::new(Kind::Denied, "cannot make a user namespace for commands").because(cause);
            match errno {
                // What a map has must be ours to give.
                Some(rustix::io::Errno::PERM | rustix::io::Errno::INVAL) => {
                    error.hint("map to ids that you have: `cat /proc/self/uid_map`; root has all of them")
                }
                refusal => error
                    .hint(super::probe::of_user_namespaces(refusal.unwrap_or(rustix::io::Errno::IO)).fix()),
            }
        })?;
        Ok(Users { namespace, maps, groups: true })
    }

    /// The one that a file shows, e.g. `/proc/4711/ns/user`.
    pub(crate) fn of_file(path: &Path) -> Result<Self> {
        let show = path.display();
        let namespace: OwnedFd = File::open(path).cannot("open the user namespace", &show)?.into();
        let ([uids, gids], groups) = userns::maps_of(namespace.as_fd()).map_err(|cause| {
            Error::new(Kind::Denied, format!("cannot join the user namespace `{show}`"))
                .because(cause)
                .hint("name that of a process that you have started: /proc/PID/ns/user; root may join any")
        })?;
        Ok(Users { namespace, maps: IdMaps { uids, gids }, groups })
    }

    /// Which owners files are shown with, where those are others than they have.
    pub(crate) fn owners(&self) -> Option<Shown<'_>> {
        self.shows().map(|namespace| Shown { namespace, root: self.maps.outside((0, 0)) })
    }

    /// The namespace, where files must be shown with other ids than they have.
    pub(crate) fn shows(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        (!self.maps.change_nothing()).then(|| self.namespace.as_fd())
    }

    /// Why files cannot be shown so.
    pub(crate) fn refusal(what: &str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::new(Kind::Unsupported, format!("cannot show {what} with other owners"))
            .because(cause)
            .hint(Knob::IdmappedMounts.fix())
    }
}

#[cfg(test)]
mod tests;
