//! What the sources of a copy are, by content, without copying them.

use std::fmt::Write;

use crate::error::{Context, Result};
use crate::oci::Digest;
use crate::steps::copy::plan::Sort;
use crate::steps::copy::{Copy, Source, plan};
use crate::steps::key::files;
use crate::store::{Store, Work};
use crate::tree::adapters::{Adapt, Gather, ModeChange, Rules};
use crate::tree::ignore::Ignore;
use crate::tree::{Entry, RelPath};

impl Copy {
    /// The shape of what the sources name, which decides where it goes; the digest of all that a copy would take from
    /// them, as it would arrive; and the list of that.
    pub(crate) fn inputs(
        &self,
        store: &Store,
        work: &Work,
        from: &Source<'_>,
    ) -> Result<(String, Digest, Vec<u8>)> {
        let rules = Rules {
            context: Ignore::of_lines(&self.ignore)?,
            inside: Ignore::new(&self.excludes)?,
            never: from.store.clone(),
        };
        let mode = self.chmod.as_deref().map(ModeChange::parse).transpose()?;
        // A chosen owner is the same for all.
        let owner = (self.chown.is_some() || !self.keep_owners).then_some((0, 0));
        let picks = plan::pick(self, from, &rules)?;
        let mut shape = format!("{} sources", self.sources.len().min(2));
        let mut gather = Gather::lazily(&rules);
        // Only one directory alone can become a new one, with its own looks.
        let whole = picks.len() == 1;
        // One table for one checkout, wherever in it the sources are.
        let top = from.root.subroot(from.base.as_path()).cannot("open", &from.base)?;
        for pick in &picks {
            let sort = match pick.sort {
                Sort::Directory => "directory",
                Sort::File => "file",
                Sort::Archive => "archive",
            };
            let _ = write!(shape, ", {sort} {} {:?}", pick.below, pick.time);
        }
        let (digest, list) = files::look(store, work, &top, |inputs| {
            for pick in &picks {
                let mut add = |entry: Result<Entry>| -> Result<()> {
                    let entry = entry?;
                    let below = entry.path.strip(&pick.below).unwrap_or_default();
                    inputs.add(entry, &pick.judged.append(&below))
                };
                let root = pick.root(from);
                if pick.sort == Sort::Directory {
                    let dir = root.subroot(pick.place.as_path()).cannot("open", &pick.place)?;
                    let whole = whole || !pick.below.is_root();
                    let to = pick.below.clone();
                    let entries = gather.directory(&dir, &pick.place, &pick.judged, to, whole);
                    entries.owned_by(owner).with_mode(mode.as_ref()).try_for_each(&mut add)?;
                } else {
                    // Of an archive its bytes say everything, and its own looks nothing.
                    let owner = if pick.sort == Sort::Archive { Some((0, 0)) } else { owner };
                    let name = pick.place.name().map(|name| RelPath::root().join(name)).unwrap_or_default();
                    let to = if pick.below.is_root() { name } else { pick.below.clone() };
                    let entries = gather.file(root, &pick.place, to).transpose().into_iter();
                    entries.owned_by(owner).with_mode(mode.as_ref()).try_for_each(&mut add)?;
                }
            }
            Ok(())
        })?;
        Ok((shape, digest, list))
    }
}
