//! Where the files of a tar are, so that they can be read in any order and without unpacking.
//!
//! The tar may come from anyone: names that lead out of it are refused, links lead nowhere but to its own files, and
//! a name that two entries have is no name. Everything kept is bounded.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};

use super::BLOCK;
use super::header::{is_whole, number, text, unreadable};
use super::pax;
use crate::error::{Context, Error, Kind, Result};

/// How many entries an archive of images may have.
const MAX_ENTRIES: usize = 100_000;

/// As many bytes as a long name or a pax header may have.
const MAX_HEADER: u64 = 64 * 1024;

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
        let mut walk = Walk { tar, at: 0, end, name: None, link: None, size: None };
        let mut index = TarIndex::default();
        let mut count = 0;
        while let Some(header) = walk.header()? {
            count += 1;
            if count > MAX_ENTRIES {
                return Err(bad(format!("it has more than {MAX_ENTRIES} entries")));
            }
            walk.entry(&header, &mut index)?;
        }
        if count == 0 {
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

    fn add(&mut self, name: String, place: Place) {
        self.entries.entry(name).and_modify(|known| *known = Place::Twice).or_insert(place);
    }
}

struct Walk<'a, R> {
    tar: &'a mut R,
    /// Where the next header is.
    at: u64,
    end: u64,
    /// What a header before the entry's own says of it.
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

impl<R: Read + Seek> Walk<'_, R> {
    /// The next header; none at the end mark or the end of the file.
    fn header(&mut self) -> Result<Option<[u8; BLOCK]>> {
        if self.at + BLOCK as u64 > self.end {
            return Ok(None);
        }
        self.tar.seek(SeekFrom::Start(self.at)).cannot("read", "the archive")?;
        let mut block = [0; BLOCK];
        self.tar.read_exact(&mut block).cannot("read", "the archive")?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if !is_whole(&block) {
            return Err(bad("it is no tar, or it is damaged"));
        }
        self.at += BLOCK as u64;
        Ok(Some(block))
    }

    fn entry(&mut self, header: &[u8; BLOCK], index: &mut TarIndex) -> Result<()> {
        let size = u64::try_from(number(&header[124..136], "size")?).map_err(|_| unreadable("size"))?;
        match header[156] {
            b'L' => self.name = Some(self.small(size)?),
            b'K' => self.link = Some(self.small(size)?),
            b'x' => self.pax(size)?,
            b'g' => drop(self.small(size)?),
            kind => {
                let name = self.name.take().unwrap_or_else(|| plain_name(header));
                let link = self.link.take().unwrap_or_else(|| text(&header[157..257]).to_vec());
                let size = self.size.take().unwrap_or(size);
                let name = String::from_utf8(name).map_err(|_| bad("a name in it is not UTF-8"))?;
                let clean_name = clean(&name);
                let at = self.skip(if matches!(kind, b'0' | 0 | b'7') { size } else { 0 })?;
                let Some(clean_name) = clean_name else {
                    return Err(bad(format!("the entry `{name}` leads out of it")));
                };
                match kind {
                    b'0' | 0 | b'7' => index.add(clean_name, Place::File(at, size)),
                    b'1' => index.add(clean_name, Place::Link(target("", &link))),
                    b'2' => {
                        let dir = clean_name.rsplit_once('/').map_or("", |(dir, _)| dir).to_owned();
                        index.add(clean_name, Place::Link(target(&dir, &link)));
                    }
                    // Directories say nothing, and nothing else has content that is asked for.
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Passes over content; gives where it began.
    fn skip(&mut self, size: u64) -> Result<u64> {
        let at = self.at;
        let next = size.checked_next_multiple_of(BLOCK as u64).and_then(|padded| at.checked_add(padded));
        if at.checked_add(size).is_none_or(|end| end > self.end) {
            return Err(bad("it is cut short"));
        }
        self.at = next.unwrap_or(self.end);
        Ok(at)
    }

    fn small(&mut self, size: u64) -> Result<Vec<u8>> {
        if size > MAX_HEADER {
            return Err(bad("a name in it is too long"));
        }
        self.skip(size)?;
        let mut bytes = Vec::new();
        (&mut *self.tar).take(size).read_to_end(&mut bytes).cannot("read", "the archive")?;
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        Ok(bytes)
    }

    fn pax(&mut self, size: u64) -> Result<()> {
        for (key, value) in pax::parse(&self.small(size)?)? {
            match key.as_slice() {
                b"path" => self.name = Some(value),
                b"linkpath" => self.link = Some(value),
                b"size" => self.size = Some(pax::decimal(&value).ok_or_else(|| unreadable("size"))?),
                key if key.starts_with(b"GNU.sparse.") => {
                    return Err(Error::new(Kind::Unsupported, "cannot read the archive")
                        .because("it has a sparse file")
                        .hint("write it again without sparse files: tar -c without -S"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn plain_name(header: &[u8; BLOCK]) -> Vec<u8> {
    let name = text(&header[..100]);
    let prefix = if &header[257..263] == b"ustar\0" { text(&header[345..500]) } else { b"" };
    if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
}

/// A name without `.` and empty parts; none if it leads out.
fn clean(name: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Where a link in `dir` leads; an absolute one, and one that climbs out, nowhere.
fn target(dir: &str, link: &[u8]) -> Option<String> {
    let link = std::str::from_utf8(link).ok()?;
    if link.starts_with('/') {
        return None;
    }
    clean(&format!("{dir}/{link}"))
}

fn bad(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::corrupt("cannot read the archive").because(why)
}

#[cfg(test)]
mod tests;
