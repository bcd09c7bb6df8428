//! Gathering files and directories of a source tree, less what rules leave out, under the names they get.

use std::collections::VecDeque;

use crate::error::{Error, Kind, Result};
use crate::tree::ignore::{Ignore, Verdict};
use crate::tree::links::Links;
use crate::tree::walk::{Found, OPEN, Scan, look_at};
use crate::tree::{Entry, Marks, Node, RelPath, Root};

/// What is left out.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// By paths from the source's context.
    pub context: Ignore,
    /// By paths from each directory gathered.
    pub inside: Ignore,
    /// One directory of the source tree, by its canonical place.
    pub never: Option<RelPath>,
}

/// Gathers into one stream: names of one inode are hard links, also where they came from several sources.
pub(crate) struct Gather<'a> {
    rules: &'a Rules,
    links: Links,
    lazy: bool,
}

impl<'a> Gather<'a> {
    /// Begins a stream.
    pub(crate) fn new(rules: &'a Rules) -> Self {
        Gather { rules, links: Links::default(), lazy: false }
    }

    /// As [`Gather::new`], but the attributes of regular files stay unread; see
    /// [`Content::Seen`](crate::tree::Content::Seen).
    pub(crate) fn lazily(rules: &'a Rules) -> Self {
        Gather { lazy: true, ..Gather::new(rules) }
    }

    /// The file at `place` in `root`, which is no directory, under the name `to`; nothing for a socket.
    pub(crate) fn file(&mut self, root: &Root, place: &RelPath, to: RelPath) -> Result<Option<Entry>> {
        let Some(mut found) = look_at(root, place, Marks::None, self.lazy)? else {
            return Err(Error::new(Kind::NotFound, format!("cannot copy `{place}`"))
                .because("it was removed in the meantime"));
        };
        if matches!(found.entry.node, Node::Socket) {
            return Ok(None);
        }
        found.entry.path = to;
        Ok(Some(self.links.name(found)))
    }

    /// All below `dir`, which is at `place` and has the path `judged` in its context, under `to`; `dir` itself comes
    /// first if `whole`.
    ///
    /// A directory that is left out, but has something in it that a later rule brings back, comes before that.
    pub(crate) fn directory(
        &mut self,
        dir: &Root,
        place: &RelPath,
        judged: &RelPath,
        to: RelPath,
        whole: bool,
    ) -> impl Iterator<Item = Result<Entry>> {
        let top = Level {
            path: RelPath::root(),
            context: self.rules.context.judge_from_root(judged),
            inside: Verdict::default(),
            held: None,
        };
        let scan = Scan::new(dir, Marks::None, OPEN);
        let scan = if self.lazy { scan.lazy() } else { scan };
        let levels = vec![top];
        // Of the place that never goes, what is left from here; nothing if it is elsewhere.
        let never = self.rules.never.as_ref().and_then(|never| never.strip(place));
        let judged = judged.clone();
        Below { gather: self, scan, judged, never, to, whole, levels, ready: VecDeque::new() }
    }
}

/// A directory on the way down, and what the rules say about it.
struct Level {
    /// From the directory gathered.
    path: RelPath,
    context: Verdict,
    inside: Verdict,
    /// Its entry while it is left out and nothing below has been brought back.
    held: Option<Entry>,
}

struct Below<'g, 'a> {
    gather: &'g mut Gather<'a>,
    scan: Scan,
    judged: RelPath,
    never: Option<RelPath>,
    to: RelPath,
    whole: bool,
    levels: Vec<Level>,
    ready: VecDeque<Entry>,
}

impl Iterator for Below<'_, '_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.ready.pop_front() {
                return Some(Ok(entry));
            }
            match self.scan.next()? {
                Ok(found) => self.take(found),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Below<'_, '_> {
    /// Lets the entry go on, holds it, or drops it.
    fn take(&mut self, mut found: Found) {
        let path = std::mem::take(&mut found.entry.path);
        found.entry.path = self.to.append(&path);
        if path.is_root() {
            if self.whole {
                self.ready.push_back(found.entry);
            }
            return;
        }
        if matches!(found.entry.node, Node::Socket) {
            return;
        }
        if self.never.as_ref() == Some(&path) {
            self.scan.prune();
            return;
        }
        let rules = self.gather.rules;
        if rules.context.is_empty() && rules.inside.is_empty() {
            self.ready.push_back(self.gather.links.name(found));
            return;
        }
        while self.levels.len() > 1 && !self.levels.last().is_some_and(|level| path.starts_with(&level.path))
        {
            self.levels.pop();
        }
        let above = self.levels.last().expect("the top is never popped");
        let in_context = self.judged.append(&path);
        let context = rules.context.judge(above.context, &in_context);
        let inside = rules.inside.judge(above.inside, &path);
        let (out_context, out_inside) = (rules.context.leaves_out(context), rules.inside.leaves_out(inside));
        let is_directory = matches!(found.entry.node, Node::Directory { .. });
        if !out_context && !out_inside {
            self.ready.extend(self.levels.iter_mut().filter_map(|level| level.held.take()));
            self.ready.push_back(self.gather.links.name(found));
            if is_directory {
                self.levels.push(Level { path, context, inside, held: None });
            }
        } else if is_directory {
            let hopeful = (!out_context || rules.context.may_bring_back_below(context, &in_context))
                && (!out_inside || rules.inside.may_bring_back_below(inside, &path));
            if hopeful {
                self.levels.push(Level { path, context, inside, held: Some(found.entry) });
            } else {
                self.scan.prune();
            }
        }
    }
}
