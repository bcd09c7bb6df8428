//! A layer as the difference of some parts to their base.
//!
//! What counts is the base, not what overlay happened to leave: a whiteout or an opaque directory that hides nothing in
//! the base is left out, and so is a directory that was copied up but is as it was. So a sequence of edits gives the
//! same layer, however it was cut into parts.

use std::collections::VecDeque;

use crate::error::Result;
use crate::tree::{Entry, Finder, Node, RelPath, Stack};

/// The stream of `parts` over `base`; without a base nothing is there to be hidden.
pub(crate) fn diff<'a>(
    parts: &Stack,
    base: Option<&'a Stack>,
) -> Diff<'a, impl Iterator<Item = Result<Entry>> + use<>> {
    Diff { entries: parts.walk(), judge: Judge::new(base), held: Vec::new(), ready: VecDeque::new() }
}

/// The iterator of [`diff`].
pub(crate) struct Diff<'a, I> {
    entries: I,
    judge: Judge<'a>,
    /// Directories down to where the stream is that are as in the base: left out unless something in them is not.
    /// (With what is in them they stay: unpackers of single layers take a missing one for 0755, root's.)
    held: Vec<Entry>,
    ready: VecDeque<Entry>,
}

impl<I: Iterator<Item = Result<Entry>>> Diff<'_, I> {
    fn step(&mut self) -> Result<Option<Entry>> {
        while self.ready.is_empty() {
            let Some(mut entry) = self.entries.next().transpose()? else { return Ok(None) };
            if self.judge.is_idle(&entry)? {
                if matches!(entry.node, Node::Whiteout) {
                    continue;
                }
                entry.node = Node::Directory { opaque: false };
            }
            while self.held.last().is_some_and(|above| !entry.path.starts_with(&above.path)) {
                self.held.pop();
            }
            if self.judge.is_unchanged(&entry)? {
                self.held.push(entry);
            } else {
                self.ready.extend(self.held.drain(..));
                self.ready.push_back(entry);
            }
        }
        Ok(self.ready.pop_front())
    }
}

impl<I: Iterator<Item = Result<Entry>>> Iterator for Diff<'_, I> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
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

    /// Whether the entry, the next of a walk, is a directory that the base has just so. Where a mark hides the base, or
    /// there is none, nothing is.
    fn is_unchanged(&mut self, entry: &Entry) -> Result<bool> {
        if !matches!(entry.node, Node::Directory { opaque: false }) || self.closed.is_some() {
            return Ok(false);
        }
        match &mut self.base {
            Some(base) => base.has_directory(&entry.path, &entry.meta),
            None => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests;
