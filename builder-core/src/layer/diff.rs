//! A layer as the difference of some parts to their base.
//!
//! What counts is the base, not the marks that overlay happened to leave: a whiteout or an opaque directory that hides
//! nothing in the base is left out. So a sequence of edits gives the same layer, however it was cut into parts.

use crate::error::Result;
use crate::tree::{Entry, Finder, Node, RelPath, Stack};

/// The stream of `parts` over `base`; without a base nothing is there to be hidden.
pub(crate) fn diff<'a>(
    parts: &Stack,
    base: Option<&'a Stack>,
) -> Diff<'a, impl Iterator<Item = Result<Entry>> + use<>> {
    Diff { entries: parts.walk(), judge: Judge::new(base) }
}

/// The iterator of [`diff`].
pub(crate) struct Diff<'a, I> {
    entries: I,
    judge: Judge<'a>,
}

impl<I: Iterator<Item = Result<Entry>>> Iterator for Diff<'_, I> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut entry = match self.entries.next()? {
                Ok(entry) => entry,
                Err(error) => return Some(Err(error)),
            };
            match self.judge.is_idle(&entry) {
                Err(error) => return Some(Err(error)),
                Ok(false) => {}
                Ok(true) => {
                    if matches!(entry.node, Node::Whiteout) {
                        continue;
                    }
                    entry.node = Node::Directory { opaque: false };
                }
            }
            return Some(Ok(entry));
        }
    }
}

/// Tells which marks of a walk hide nothing.
struct Judge<'a> {
    base: Option<Finder<'a>>,
    /// The outermost directory on the way that hides the base, so that marks below it are idle.
    closed: Option<RelPath>,
}

impl<'a> Judge<'a> {
    fn new(base: Option<&'a Stack>) -> Self {
        Judge { base: base.map(Stack::finder), closed: None }
    }

    /// Whether the entry, the next of a walk, is a mark that hides nothing.
    fn is_idle(&mut self, entry: &Entry) -> Result<bool> {
        let path = &entry.path;
        if self.closed.as_ref().is_some_and(|closed| !path.starts_with(closed)) {
            self.closed = None;
        }
        let opaque = matches!(entry.node, Node::Directory { opaque: true });
        if !opaque && !matches!(entry.node, Node::Whiteout) {
            return Ok(false);
        }
        let Some(base) = self.base.as_mut().filter(|_| self.closed.is_none()) else { return Ok(true) };
        if !opaque {
            return Ok(base.lookup(path)?.is_none());
        }
        self.closed = Some(path.clone());
        // Over a file a directory needs no mark: it takes the file's place. A directory that is not there is empty.
        base.is_empty(path)
    }
}

#[cfg(test)]
mod tests;
