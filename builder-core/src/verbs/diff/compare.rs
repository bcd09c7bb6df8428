//! Two states of a tree, compared path by path.

use std::io::Read;

use crate::error::{Context, Result};
use crate::layer;
use crate::tree::{Content, Entry, Meta, Node, Opened, RelPath, Stack, Xattrs};
use crate::verbs::diff::{Change, Difference};

/// What `parts` change of `base`: what is in them counts as changed, as other tools have it, and so do the directories
/// on the way there.
pub(super) fn over(parts: &Stack, base: &Stack) -> Result<Vec<Difference>> {
    let mut old = Side::new(base);
    let mut found = Vec::new();
    // What an opaque directory hides is gone, unless it is there again.
    let mut hidden: Vec<RelPath> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let entries = layer::diff(parts, Some(base)).collect::<Result<Vec<_>>>()?;
    for entry in entries {
        if entry.path.is_root() {
            continue;
        }
        seen.insert(entry.path.clone());
        let before = old.find(&entry.path)?;
        let opaque = matches!(entry.node, Node::Directory { opaque: true });
        let replaces = before.as_ref().is_some_and(|before| is_directory(before) && !is_directory(&entry));
        if opaque || replaces {
            hidden.push(entry.path.clone());
        }
        match (before, &entry.node) {
            (None, Node::Whiteout) => {}
            (Some(before), Node::Whiteout) => found.push(removed(&before)),
            (None, _) => found.push(added(&entry)),
            (Some(before), _) => found.push(changed(&before, &entry)),
        }
    }
    let mut gone: Option<RelPath> = None;
    for entry in base.walk().take_while(|_| !hidden.is_empty()) {
        let entry = entry?;
        // Of a directory that went its name says all.
        if gone.as_ref().is_some_and(|gone| entry.path.starts_with(gone)) || seen.contains(&entry.path) {
            continue;
        }
        let below = hidden.iter().any(|above| entry.path != *above && entry.path.starts_with(above));
        if below && !matches!(entry.node, Node::Whiteout) {
            found.push(removed(&entry));
            gone = Some(entry.path);
        }
    }
    Ok(found)
}

/// How all of `new` differs from all of `old`.
pub(super) fn whole(new: &Stack, old: &Stack) -> Result<Vec<Difference>> {
    let present = |entry: &Result<Entry>| !matches!(entry, Ok(Entry { node: Node::Whiteout, .. }));
    let mut news = new.walk().filter(present).peekable();
    let mut olds = old.walk().filter(present).peekable();
    let mut found = Vec::new();
    loop {
        let order = match (news.peek(), olds.peek()) {
            (None, None) => return Ok(found),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(Ok(a)), Some(Ok(b))) => a.path.cmp(&b.path),
            (Some(_), Some(_)) => std::cmp::Ordering::Equal,
        };
        match order {
            std::cmp::Ordering::Less => found.extend(news.next().transpose()?.map(|entry| added(&entry))),
            std::cmp::Ordering::Greater => {
                found.extend(olds.next().transpose()?.map(|entry| removed(&entry)));
            }
            std::cmp::Ordering::Equal => {
                let (Some(after), Some(before)) = (news.next().transpose()?, olds.next().transpose()?) else {
                    return Ok(found);
                };
                let change = changed(&before, &after);
                if !change.details.is_empty() || !same_content(before, after)? {
                    found.push(change);
                }
            }
        }
    }
}

/// The old side of a comparison, asked for paths in the order of a walk.
struct Side<'a> {
    walk: Box<dyn Iterator<Item = Result<Entry>> + 'a>,
    next: Option<Entry>,
}

impl<'a> Side<'a> {
    fn new(stack: &'a Stack) -> Self {
        Side { walk: Box::new(stack.walk()), next: None }
    }

    /// The entry at `path`, if there is one.
    fn find(&mut self, path: &RelPath) -> Result<Option<Entry>> {
        loop {
            if self.next.is_none() {
                self.next = self.walk.next().transpose()?;
            }
            match &self.next {
                Some(entry) if entry.path < *path => self.next = None,
                Some(entry) if entry.path == *path => {
                    let found = self.next.take();
                    return Ok(found.filter(|entry| !matches!(entry.node, Node::Whiteout)));
                }
                _ => return Ok(None),
            }
        }
    }
}

fn is_directory(entry: &Entry) -> bool {
    matches!(entry.node, Node::Directory { .. })
}

fn size(entry: &Entry) -> u64 {
    match entry.node {
        Node::File { size, .. } => size,
        _ => 0,
    }
}

fn added(entry: &Entry) -> Difference {
    let (path, size) = (entry.path.to_string(), size(entry));
    Difference { path, change: Change::Added, details: Vec::new(), size, old_size: 0 }
}

fn removed(entry: &Entry) -> Difference {
    let (path, old_size) = (entry.path.to_string(), size(entry));
    Difference { path, change: Change::Removed, details: Vec::new(), size: 0, old_size }
}

fn changed(old: &Entry, new: &Entry) -> Difference {
    let mut details = Vec::new();
    let (was, is) = (sort(&old.node), sort(&new.node));
    if was != is {
        details.push(format!("{is}, was {was}"));
    }
    if !matches!((&old.node, &new.node), (Node::Hardlink(_), _) | (_, Node::Hardlink(_))) {
        looks(&old.meta, &new.meta, &mut details);
    }
    if let (Node::Symlink(was), Node::Symlink(is)) = (&old.node, &new.node)
        && was != is
    {
        details.push(format!("to {}, was to {}", is.display(), was.display()));
    }
    Difference {
        path: new.path.to_string(),
        change: Change::Changed,
        details,
        size: size(new),
        old_size: size(old),
    }
}

fn looks(old: &Meta, new: &Meta, details: &mut Vec<String>) {
    if old.mode != new.mode {
        details.push(format!("mode {:04o}, was {:04o}", new.mode, old.mode));
    }
    if (old.uid, old.gid) != (new.uid, new.gid) {
        details.push(format!("owner {}:{}, was {}:{}", new.uid, new.gid, old.uid, old.gid));
    }
    let names = |from: &Xattrs, other: &Xattrs| -> Vec<String> {
        let differ = from.iter().filter(|(name, value)| other.get(*name) != Some(value));
        differ.map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect()
    };
    let mut attributes = names(&new.xattrs, &old.xattrs);
    attributes.extend(names(&old.xattrs, &new.xattrs));
    attributes.sort();
    attributes.dedup();
    details.extend(attributes.into_iter().map(|name| format!("attribute {name}")));
}

fn sort(node: &Node) -> &'static str {
    match node {
        Node::Directory { .. } => "a directory",
        // A hard link is a file with another name besides.
        Node::File { .. } | Node::Hardlink(_) => "a file",
        Node::Symlink(_) => "a symlink",
        Node::Char(_) | Node::Block(_) => "a device",
        Node::Fifo => "a pipe",
        Node::Socket => "a socket",
        Node::Whiteout => "nothing",
    }
}

/// Whether what two entries of the same sort hold is the same; times say nothing.
fn same_content(old: Entry, new: Entry) -> Result<bool> {
    let path = new.path;
    match (old.node, new.node) {
        (Node::File { size: was, content: old }, Node::File { size: is, content: new }) => {
            if was != is {
                return Ok(false);
            }
            let (mut old, mut new) = (open(old, &path)?, open(new, &path)?);
            let (mut before, mut after) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
            loop {
                let count = new.read(&mut after).cannot("read", &path)?;
                if count == 0 {
                    return Ok(true);
                }
                if old.read_exact(&mut before[..count]).is_err() || before[..count] != after[..count] {
                    return Ok(false);
                }
            }
        }
        (Node::Char(old), Node::Char(new)) | (Node::Block(old), Node::Block(new)) => Ok(old == new),
        (Node::Hardlink(old), Node::Hardlink(new)) => Ok(old == new),
        // Which of its names comes first decides which is the link.
        (Node::Hardlink(_), Node::File { .. }) | (Node::File { .. }, Node::Hardlink(_)) => Ok(false),
        _ => Ok(true),
    }
}

fn open(content: Content, path: &RelPath) -> Result<Box<dyn Read>> {
    Ok(match content.open().cannot("read", path)? {
        Opened::Bytes(bytes) => Box::new(std::io::Cursor::new(bytes)),
        Opened::File(file) => Box::new(file),
        Opened::Stream(stream) => stream,
    })
}
