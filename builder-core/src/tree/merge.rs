//! Several parts of one layer, or several layers, seen as one tree, the way overlay shows them.
//!
//! The newest part that has a name decides what it is; a whiteout, a file or an opaque directory hides what older parts
//! have there. Reading the stack as a stream keeps the whiteouts that are left: something below may still need them.
//! What a stack is compared with is not known here.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, Dir, Mode, Stat};
use rustix::io::Errno;

use crate::error::{Context, Result};
use crate::sys::xattr;
use crate::tree::links::Links;
use crate::tree::marks::OPAQUE;
use crate::tree::walk::{Attributes, DIRECTORY, Found, OPEN, Scan, meta_of};
use crate::tree::{Entry, Marks, Meta, Node, RelPath, Root};

/// Parts on top of each other.
#[derive(Debug)]
pub(crate) struct Stack {
    /// The newest first.
    parts: Vec<Root>,
    marks: Marks,
}

impl Stack {
    /// Stacks `parts`, the newest first; all keep their marks in the same way.
    pub(crate) fn new(parts: Vec<Root>, marks: Marks) -> Self {
        Stack { parts, marks }
    }

    /// The parts as one stream, in the order and with the promises of [`crate::tree::walk()`].
    ///
    /// A directory in it is opaque when it hides what is below the whole stack.
    pub(crate) fn walk(&self) -> impl Iterator<Item = Result<Entry>> + use<> {
        // Together they stay far below the usual limit of open files.
        let open = (4 * OPEN / self.parts.len().max(1)).clamp(1, OPEN);
        let parts = self.parts.iter().map(|part| Scan::new(part, self.marks, open));
        let mut merge = Merge { parts: parts.map(|scan| Part { scan, head: None }).collect() };
        let mut links = Links::default();
        std::iter::from_fn(move || merge.next().map(|found| found.map(|found| links.name(found))))
    }

    /// For lookups, best in the order of a walk.
    pub(crate) fn finder(&self) -> Finder<'_> {
        Finder { stack: self, place: None }
    }
}

/// One part of a merge and the entry it is at.
struct Part {
    scan: Scan,
    head: Option<Found>,
}

/// The streams of all parts as one, by names in order.
struct Merge {
    /// The newest first; those at their end are taken out.
    parts: Vec<Part>,
}

impl Merge {
    fn step(&mut self) -> Result<Option<Found>> {
        let mut at = 0;
        while let Some(part) = self.parts.get_mut(at) {
            if part.head.is_none() {
                part.head = part.scan.next().transpose()?;
            }
            if part.head.is_some() {
                at += 1;
            } else {
                self.parts.remove(at);
            }
        }
        let paths = self.parts.iter().map(|part| part.head.as_ref().map(|found| &found.entry.path));
        // Of equal ones the first, which is the newest.
        let Some(winner) = paths.enumerate().min_by(|a, b| a.1.cmp(&b.1)).map(|(index, _)| index) else {
            return Ok(None);
        };
        let mut found = self.parts[winner].head.take().expect("every part left has a head");
        let mut hides = !matches!(found.entry.node, Node::Directory { opaque: false });
        for older in &mut self.parts[winner + 1..] {
            if older.head.as_ref().is_none_or(|head| head.entry.path != found.entry.path) {
                continue;
            }
            let under = older.head.take().expect("just seen");
            if hides {
                older.scan.prune();
            } else if !matches!(under.entry.node, Node::Directory { opaque: false }) {
                hides = true;
                // What the older part hides from those below it stays hidden.
                found.entry.node = Node::Directory { opaque: true };
            }
        }
        Ok(Some(found))
    }
}

impl Iterator for Merge {
    type Item = Result<Found>;

    fn next(&mut self) -> Option<Self::Item> {
        let step = self.step();
        if step.is_err() {
            self.parts.clear();
        }
        step.transpose()
    }
}

/// Finds names in a stack. It keeps the directories it last looked in open, one for each part that has them.
#[derive(Debug)]
pub(crate) struct Finder<'a> {
    stack: &'a Stack,
    place: Option<(RelPath, Vec<OwnedFd>)>,
}

impl Finder<'_> {
    /// What is at `path`; see [`Stack::lookup`].
    pub(crate) fn lookup(&mut self, path: &RelPath) -> Result<Option<Stat>> {
        let marks = self.stack.marks;
        let (Some(name), Some(parent)) = (path.name(), path.parent()) else {
            let root = self.stack.parts.first();
            return root.map(|root| rustix::fs::fstat(root.fd())).transpose().cannot("read", path);
        };
        for dir in self.dirs(&parent)? {
            match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) if marks.hides(dir.as_fd(), name) => return Ok(None),
                Err(Errno::NOENT) => {}
                stat => return Ok(Some(stat.cannot("read", path)?).filter(|stat| !marks.is_whiteout(stat))),
            }
        }
        Ok(None)
    }

    /// Whether `path` is a directory that looks just so: mode, owner, time and attributes.
    pub(crate) fn has_directory(&mut self, path: &RelPath, looks: &Meta) -> Result<bool> {
        let marks = self.stack.marks;
        let Some(dir) = self.dirs(path)?.first() else { return Ok(false) };
        let mut found = meta_of(&rustix::fs::fstat(dir).cannot("read", path)?);
        let mut attributes = Attributes::default();
        attributes.read(dir.as_fd(), c".", marks, &mut found.xattrs).cannot("read", path)?;
        (found.uid, found.gid) = attributes.owner((found.uid, found.gid));
        Ok(found == *looks)
    }

    /// Whether the directory `path` shows no name.
    pub(crate) fn is_empty(&mut self, path: &RelPath) -> Result<bool> {
        let marks = self.stack.marks;
        let mut hidden: HashSet<OsString> = HashSet::new();
        for dir in self.dirs(path)? {
            for item in Dir::read_from(dir).cannot("read", path)? {
                let item = item.cannot("read", path)?;
                let name = item.file_name();
                if matches!(name.to_bytes(), b"." | b"..") {
                    continue;
                }
                if let Some(name) = marks.hidden_by(name.to_bytes()) {
                    hidden.insert(OsStr::from_bytes(name).to_owned());
                    continue;
                }
                let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).cannot("read", path)?;
                let name = OsStr::from_bytes(name.to_bytes());
                if marks.is_whiteout(&stat) {
                    hidden.insert(name.to_owned());
                } else if !hidden.contains(name) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// The directories that together show `path`, the newest first; none if it is not a directory.
    fn dirs(&mut self, path: &RelPath) -> Result<&[OwnedFd]> {
        if self.place.as_ref().is_none_or(|(at, _)| !path.starts_with(at)) {
            let roots = self.stack.parts.iter().map(|part| part.fd().try_clone_to_owned());
            let roots = roots.collect::<std::io::Result<_>>().cannot("open", RelPath::root())?;
            self.place = Some((RelPath::root(), roots));
        }
        let (at, dirs) = self.place.as_mut().expect("just set");
        let tail = path.strip(at).unwrap_or_default();
        for name in tail.parts() {
            *at = at.join(name);
            *dirs = descend(dirs, name, self.stack.marks).cannot("open", &*at)?;
        }
        Ok(dirs)
    }
}

/// The directories called `name` that show through each other.
fn descend(dirs: &[OwnedFd], name: &OsStr, marks: Marks) -> std::io::Result<Vec<OwnedFd>> {
    let mut found = Vec::new();
    for dir in dirs {
        match rustix::fs::openat(dir, name, DIRECTORY, Mode::empty()) {
            Ok(inner) => {
                let opaque = is_opaque(&inner, marks)?;
                found.push(inner);
                if opaque {
                    break;
                }
            }
            Err(Errno::NOENT) if marks.hides(dir.as_fd(), name) => break,
            Err(Errno::NOENT) => {}
            // A whiteout, a file or a symlink: whatever it is, older parts do not show through it.
            Err(Errno::NOTDIR | Errno::LOOP) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

fn is_opaque(dir: &OwnedFd, marks: Marks) -> std::io::Result<bool> {
    if marks == Marks::Names {
        return Ok(rustix::fs::statat(dir, OPAQUE, AtFlags::SYMLINK_NOFOLLOW).is_ok());
    }
    let Some(mark) = marks.opaque_name() else { return Ok(false) };
    let mut value = Vec::new();
    Ok(xattr::get_at(dir.as_fd(), c".", mark, &mut value)? && value == b"y")
}

#[cfg(test)]
mod tests;
