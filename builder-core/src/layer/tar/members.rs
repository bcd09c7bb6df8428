//! The entries of an archive of images one after the other, from a file or as they come over a line.
//!
//! The tar may come from anyone: names that lead out of it are refused, links lead nowhere but to its own files, and
//! everything kept is bounded. What an entry is to an image is not known here.

use std::io::{self, Read, Seek};

use super::BLOCK;
use super::header::{is_whole, number, text, unreadable};
use super::pax;
use crate::error::{Context, Error, Kind, Result};

/// How many entries an archive of images may have.
const MAX_ENTRIES: usize = 100_000;

/// As many bytes as a long name or a pax header may have.
const MAX_HEADER: u64 = 64 * 1024;

/// One entry that says something: directories and the like are passed over.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Member {
    /// A file; its content is what [`Members`] reads now.
    File {
        /// Its name, without `.` and empty parts.
        name: String,
        /// Where its content begins.
        at: u64,
        /// How long that is.
        size: u64,
    },
    /// A hard or symbolic link.
    Link {
        /// Its name, as that of a file.
        name: String,
        /// The name of another entry; none where it leads out.
        to: Option<String>,
    },
}

/// Goes through a tar from header to header; reads the content of the file it is at.
pub(crate) struct Members<R> {
    tar: R,
    /// Passes over so many bytes.
    skip: fn(&mut R, u64) -> io::Result<()>,
    at: u64,
    end: u64,
    /// What is left of the present content, and of the block behind it.
    left: u64,
    padding: u64,
    count: usize,
    /// What a header before the entry's own says of it.
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

impl<R: Read> Members<R> {
    /// Of a stream: what nobody reads is read and dropped.
    pub fn of_stream(tar: R) -> Self {
        let skip = |tar: &mut R, count| match io::copy(&mut tar.take(count), &mut io::sink())? {
            passed if passed == count => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        };
        Members::new(tar, skip, u64::MAX)
    }

    fn new(tar: R, skip: fn(&mut R, u64) -> io::Result<()>, end: u64) -> Self {
        let (left, padding, count) = (0, 0, 0);
        Members { tar, skip, at: 0, end, left, padding, count, name: None, link: None, size: None }
    }

    /// How many entries went by, those that say nothing included.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The next entry; none at the end mark or the end of the bytes.
    pub fn next(&mut self) -> Result<Option<Member>> {
        loop {
            self.pass()?;
            let Some(header) = self.header()? else { return Ok(None) };
            self.count += 1;
            if self.count > MAX_ENTRIES {
                return Err(bad(format!("it has more than {MAX_ENTRIES} entries")));
            }
            if let Some(member) = self.entry(&header)? {
                return Ok(Some(member));
            }
        }
    }

    /// What follows the end mark, so that whoever sends it can end.
    pub fn drain(mut self) -> io::Result<()> {
        io::copy(&mut self.tar, &mut io::sink()).map(drop)
    }

    /// Passes over the rest of the present content.
    fn pass(&mut self) -> Result<()> {
        let rest = std::mem::take(&mut self.left) + std::mem::take(&mut self.padding);
        if rest > 0 {
            (self.skip)(&mut self.tar, rest).cannot("read", "the archive")?;
            self.at = self.at.saturating_add(rest);
        }
        Ok(())
    }

    fn header(&mut self) -> Result<Option<[u8; BLOCK]>> {
        let mut block = [0; BLOCK];
        match self.at.checked_add(BLOCK as u64) {
            Some(end) if end <= self.end => self.at = end,
            _ => return Ok(None),
        }
        match self.tar.read_exact(&mut block) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && self.count > 0 => return Ok(None),
            read => read.cannot("read", "the archive")?,
        }
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if !is_whole(&block) {
            return Err(bad("it is no tar, or it is damaged"));
        }
        Ok(Some(block))
    }

    fn entry(&mut self, header: &[u8; BLOCK]) -> Result<Option<Member>> {
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
                let at = self.content(if matches!(kind, b'0' | 0 | b'7') { size } else { 0 })?;
                let Some(clean) = clean(&name) else {
                    return Err(bad(format!("the entry `{name}` leads out of it")));
                };
                return Ok(match kind {
                    b'0' | 0 | b'7' => Some(Member::File { name: clean, at, size }),
                    b'1' => Some(Member::Link { name: clean, to: target("", &link) }),
                    b'2' => {
                        let dir = clean.rsplit_once('/').map_or("", |(dir, _)| dir).to_owned();
                        Some(Member::Link { name: clean, to: target(&dir, &link) })
                    }
                    // Directories say nothing, and nothing else has content that is asked for.
                    _ => None,
                });
            }
        }
        Ok(None)
    }

    /// Begins a content of so many bytes; gives where.
    fn content(&mut self, size: u64) -> Result<u64> {
        let padded = size.checked_next_multiple_of(BLOCK as u64);
        if self.at.checked_add(size).is_none_or(|end| end > self.end) {
            return Err(bad("it is cut short"));
        }
        (self.left, self.padding) = (size, padded.unwrap_or(size) - size);
        Ok(self.at)
    }

    fn small(&mut self, size: u64) -> Result<Vec<u8>> {
        if size > MAX_HEADER {
            return Err(bad("a name in it is too long"));
        }
        self.content(size)?;
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).cannot("read", "the archive")?;
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        // The block behind it.
        self.pass()?;
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

impl<R: Read + Seek> Members<R> {
    /// Of a file of `end` bytes: what nobody reads is not read.
    pub fn of_file(tar: R, end: u64) -> Self {
        let skip = |tar: &mut R, count: u64| match i64::try_from(count) {
            Ok(count) => tar.seek_relative(count),
            Err(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        };
        Members::new(tar, skip, end)
    }
}

impl<R: Read> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        match self.tar.read(&mut buffer[..wanted])? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.left -= count as u64;
                self.at = self.at.saturating_add(count as u64);
                Ok(count)
            }
        }
    }
}

fn plain_name(header: &[u8; BLOCK]) -> Vec<u8> {
    let name = text(&header[..100]);
    let prefix = if &header[257..263] == b"ustar\0" { text(&header[345..500]) } else { b"" };
    if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
}

/// A name without `.` and empty parts; none if it leads out.
pub(super) fn clean(name: &str) -> Option<String> {
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

pub(super) fn bad(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::corrupt("cannot read the archive").because(why)
}
