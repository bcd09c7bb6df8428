//! Where the files of a tar are, so that they can be read in any order and without unpacking.
//!
//! The tar may come from anyone: what [`Members`] refuses is refused, and a name that two entries have is no name.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};

use super::members::{Member, Members, bad, clean};
use crate::error::{Context, Result};

/// How many links lead from one to the next at most.
const MAX_LINKS: usize = 8;

/// The files of a tar by their names.
#[derive(Debug, Default)]
pub(crate) struct TarIndex {
    entries: BTreeMap<String, Place>,
}

#[derive(Debug, Clone, PartialEq)]
enum Place {
    /// Where the content begins, and its length.
    File(u64, u64),
    /// The name of another entry; none where it leads out.
    Link(Option<String>),
    /// Two entries have the name.
    Twice,
}

impl TarIndex {
    /// Goes through a tar from header to header.
    pub fn read(tar: &mut (impl Read + Seek)) -> Result<Self> {
        let end = tar.seek(SeekFrom::End(0)).cannot("read", "the archive")?;
        tar.seek(SeekFrom::Start(0)).cannot("read", "the archive")?;
        let mut members = Members::of_file(tar, end);
        let mut index = TarIndex::default();
        while let Some(member) = members.next()? {
            index.put(member);
        }
        if members.count() == 0 {
            return Err(bad("it is no tar, or has nothing in it"));
        }
        Ok(index)
    }

    /// Where the content of the file `name` begins, and how long it is; links are followed inside the archive.
    pub fn find(&self, name: &str) -> io::Result<(u64, u64)> {
        let refuse =
            |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("the entry `{name}` {what}"));
        let mut wanted = clean(name).ok_or_else(|| refuse("leads out of the archive"))?;
        for _ in 0..=MAX_LINKS {
            match self.entries.get(&wanted) {
                Some(Place::File(at, size)) => return Ok((*at, *size)),
                Some(Place::Link(Some(target))) => wanted.clone_from(target),
                Some(Place::Link(None)) => return Err(refuse("leads out of the archive")),
                Some(Place::Twice) => return Err(refuse("is there twice")),
                None => {
                    return Err(io::Error::new(
                        io::ErrorKind::NotFound,
                        format!("the archive has no entry `{wanted}`"),
                    ));
                }
            }
        }
        Err(refuse("is a link that leads nowhere"))
    }

    /// Takes note of an entry.
    pub fn put(&mut self, member: Member) {
        match member {
            Member::File { name, at, size } => self.add(name, Place::File(at, size)),
            Member::Link { name, to } => self.add(name, Place::Link(to)),
        }
    }

    fn add(&mut self, name: String, place: Place) {
        self.entries.entry(name).and_modify(|known| *known = Place::Twice).or_insert(place);
    }
}

#[cfg(test)]
mod tests;
