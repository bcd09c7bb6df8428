//! What changed in a tree since it was looked at last, without reading what did not.
//!
//! A [`Survey`] has the signature of every file: inode, time of change, size, mode, owner. [`Changes`] walks the tree
//! again and gives the entries that differ, as a layer over the old state has them: a directory before what is in it,
//! and whiteouts for what is gone. More than what changed may be given, never less.
//!
//! Some file systems that programs provide have no time of change of their own: it is the time of modification, which
//! anyone can set. There every file is read, and a hash of it is in the place of that time.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::tree::fingerprint::{Fingerprint, hash_entry};
use crate::tree::links::Links;
use crate::tree::walk::{Found, OPEN, Scan, Signature};
use crate::tree::{Content, Entry, Marks, Meta, Node, RelPath, Root, Timestamp};

/// The signatures of a tree.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Files changed at this time or later may have changed again without another time: clocks of file systems tick
    /// slowly.
    since: Timestamp,
    files: BTreeMap<RelPath, Signature>,
}

/// The beginning of a survey by content: no hash is as late.
const BY_CONTENT: Timestamp = Timestamp { seconds: i64::MAX, nanoseconds: 0 };

/// No file system's clock ticks more slowly, in nanoseconds (a kernel with 100 ticks a second).
const TICK: i64 = 20_000_000;

impl Survey {
    /// An empty one, begun at the moment `now`, in nanoseconds since the epoch.
    pub(crate) fn begin(now: i64) -> Self {
        let since = now - TICK;
        let nanoseconds = u32::try_from(since.rem_euclid(1_000_000_000)).expect("below a second");
        let since = Timestamp { seconds: since.div_euclid(1_000_000_000), nanoseconds };
        Survey { since, files: BTreeMap::new() }
    }

    /// Looks at all of `root`.
    pub(crate) fn take(root: &Root, now: i64) -> Result<Self> {
        let mut survey = Survey::begin(now);
        for found in Scan::new(root, Marks::None, OPEN) {
            let found = found?;
            survey.files.insert(found.entry.path, found.signature);
        }
        Ok(survey)
    }

    /// Reads all of `root`, where times of change say nothing.
    pub(crate) fn read(root: &Root) -> Result<Self> {
        let mut files = BTreeMap::new();
        for found in Scan::new(root, Marks::None, OPEN) {
            let found = by_content(found?)?;
            files.insert(found.entry.path, found.signature);
        }
        Ok(Survey { since: BY_CONTENT, files })
    }

    /// Of a tree that nobody has written to since the look began, and nobody does before this returns: waits until
    /// whatever is changed later has another time, so that nothing need be given as changed that is not. `now` is the
    /// clock, in nanoseconds since the epoch.
    pub(crate) fn settle(&mut self, now: fn() -> i64) {
        if self.since == BY_CONTENT {
            return;
        }
        let youngest = self.files.values().map(|file| file.changed).max();
        if youngest.is_some_and(|youngest| youngest >= self.since) {
            std::thread::sleep(Duration::from_nanos(TICK.unsigned_abs() * 2));
            self.since = Survey::begin(now()).since;
        }
    }

    fn has(&self, found: &Found) -> bool {
        self.files.get(&found.entry.path) == Some(&found.signature) && found.signature.changed < self.since
    }

    /// As bytes: records of numbers and a path, each ended by a NUL.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {}\0", self.since.seconds, self.since.nanoseconds).into_bytes();
        for (path, file) in &self.files {
            let Signature { inode, changed, size, mode, uid, gid } = file;
            let Timestamp { seconds, nanoseconds } = changed;
            let numbers = format!("{inode} {seconds} {nanoseconds} {size} {mode} {uid} {gid} ");
            bytes.extend_from_slice(numbers.as_bytes());
            bytes.extend_from_slice(path.as_bytes());
            bytes.push(0);
        }
        bytes
    }

    /// The reverse of [`Survey::to_bytes`].
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let damaged = || Error::corrupt("cannot read what a container's tree was like");
        let mut records = bytes.strip_suffix(&[0]).ok_or_else(damaged)?.split(|byte| *byte == 0);
        let number = |field: Option<&[u8]>| -> Result<i64> {
            let text = field.and_then(|field| std::str::from_utf8(field).ok());
            text.and_then(|text| text.parse().ok()).ok_or_else(damaged)
        };
        let mut head = records.next().ok_or_else(damaged)?.split(|byte| *byte == b' ');
        let since = timestamp(number(head.next())?, number(head.next())?).ok_or_else(damaged)?;
        let mut files = BTreeMap::new();
        for record in records {
            let mut fields = record.splitn(8, |byte| *byte == b' ');
            let mut next = || number(fields.next());
            let small = |number: i64| u32::try_from(number).map_err(|_| damaged());
            let inode = next()?.cast_unsigned();
            let changed = timestamp(next()?, next()?).ok_or_else(damaged)?;
            let (size, mode, uid, gid) = (next()?, small(next()?)?, small(next()?)?, small(next()?)?);
            let path = fields.next().ok_or_else(damaged)?;
            let path = RelPath::parse(OsString::from_vec(path.to_vec()))?;
            files.insert(path, Signature { inode, changed, size, mode, uid, gid });
        }
        Ok(Survey { since, files })
    }
}

/// With a hash of all that can be read of it in the place of the time of its last change.
fn by_content(mut found: Found) -> Result<Found> {
    let entry = &found.entry;
    let content = match &entry.node {
        Node::File { size, content: Content::At { dir, name } } => {
            let content = Content::At { dir: dir.clone(), name: name.clone() };
            let node = Node::File { size: *size, content };
            hash_entry(&mut Entry { path: entry.path.clone(), meta: Meta::default(), node })?
        }
        _ => None,
    };
    let mut print = Fingerprint::default();
    print.add(&RelPath::root(), entry, content.as_ref());
    print.time(Some(entry.meta.mtime));
    // Sixty bits, which are below the seconds of `BY_CONTENT`.
    let start = i64::from_str_radix(&print.finish()[..15], 16).expect("it is hexadecimal");
    found.signature.changed = Timestamp::from_seconds(start);
    Ok(found)
}

fn timestamp(seconds: i64, nanoseconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanoseconds: u32::try_from(nanoseconds).ok()? })
}

/// The entries of a tree that differ from a survey, as a stream; [`Changes::finish`] gives the new survey.
pub(crate) struct Changes<'a> {
    scan: Scan,
    links: Links,
    before: &'a Survey,
    after: Survey,
    /// Directories that have not changed themselves, above the place the scan is at.
    above: Vec<Found>,
    ready: VecDeque<Entry>,
    gone: Option<std::vec::IntoIter<RelPath>>,
}

impl<'a> Changes<'a> {
    /// Begins at the moment `now`, in nanoseconds since the epoch.
    pub(crate) fn new(root: &Root, before: &'a Survey, now: i64) -> Self {
        Changes {
            scan: Scan::new(root, Marks::None, OPEN),
            links: Links::default(),
            before,
            after: match before.since {
                BY_CONTENT => Survey { since: BY_CONTENT, files: BTreeMap::new() },
                _ => Survey::begin(now),
            },
            above: Vec::new(),
            ready: VecDeque::new(),
            gone: None,
        }
    }

    /// The tree as it was walked. Of meaning once the stream has ended.
    pub(crate) fn finish(self) -> Survey {
        self.after
    }

    fn step(&mut self) -> Result<Option<Entry>> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Ok(Some(entry));
            }
            if let Some(gone) = &mut self.gone {
                let whiteout = |path| Entry { path, meta: Meta::default(), node: Node::Whiteout };
                return Ok(gone.next().map(whiteout));
            }
            match self.scan.next().transpose()? {
                Some(found) if self.before.since == BY_CONTENT => self.weigh(by_content(found)?),
                Some(found) => self.weigh(found),
                None => self.gone = Some(self.missing().into_iter()),
            }
        }
    }

    /// Puts what differs, with the directories above it, in line.
    fn weigh(&mut self, found: Found) {
        let path = &found.entry.path;
        self.above.retain(|dir| path.starts_with(&dir.entry.path));
        self.after.files.insert(path.clone(), found.signature);
        let is_dir = matches!(found.entry.node, Node::Directory { .. });
        if !self.before.has(&found) {
            let above = std::mem::take(&mut self.above).into_iter().chain([found]);
            let links = &mut self.links;
            self.ready.extend(above.map(|found| links.name(found)));
        } else if is_dir {
            self.above.push(found);
        }
    }

    /// What was there and is not, where the directory above still is one.
    fn missing(&self) -> Vec<RelPath> {
        const KIND: u32 = 0o170_000;
        const DIRECTORY: u32 = 0o040_000;
        let is_dir = |path: &RelPath| {
            self.after.files.get(path).is_some_and(|signature| signature.mode & KIND == DIRECTORY)
        };
        let gone = self.before.files.keys().filter(|path| !self.after.files.contains_key(*path));
        gone.filter(|path| path.parent().is_some_and(|above| is_dir(&above))).cloned().collect()
    }
}

impl Iterator for Changes<'_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}

#[cfg(test)]
mod tests;
