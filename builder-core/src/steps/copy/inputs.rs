//! What the sources of a copy are, by content, without copying them.

use std::fmt::Write;

use crate::error::{Context, Result};
use crate::oci::Digest;
use crate::steps::copy::plan::{self, Sort};
use crate::steps::copy::{Copy, Source};
use crate::tree::adapters::{Adapt, Gather, ModeChange, Rules};
use crate::tree::fingerprint::{Inputs, hash_entry};
use crate::tree::ignore::Ignore;
use crate::tree::{Entry, RelPath, Timestamp};

impl Copy {
    /// The shape of what the sources name, which decides where it goes; the digest of all that a copy would take from
    /// them, as it would arrive; and the list of that.
    pub(crate) fn inputs(&self, from: &Source<'_>) -> Result<(String, Digest, Vec<u8>)> {
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
        let mut inputs = Inputs::default();
        let mut gather = Gather::new(&rules);
        // Only one directory alone can become a new one, with its own looks.
        let whole = picks.len() == 1;
        for pick in &picks {
            let sort = match pick.sort {
                Sort::File => "",
                Sort::Directory => "directory ",
                Sort::Archive => "archive ",
            };
            let _ = write!(shape, ", {sort}{}", pick.below);
            let mut add = |entry: Result<Entry>| -> Result<()> {
                let mut entry = entry?;
                let hash = hash_entry(&mut entry)?;
                let below = entry.path.strip(&pick.below).unwrap_or_default();
                inputs.add(&entry, hash.as_ref(), &pick.judged.append(&below));
                Ok(())
            };
            let root = pick.root(from);
            let time = self.timestamp.map(Timestamp::from_seconds).or(pick.time);
            if pick.sort == Sort::Directory {
                let dir = root.subroot(pick.place.as_path()).cannot("open", &pick.place)?;
                let whole = whole || !pick.below.is_root();
                let entries = gather.directory(&dir, &pick.place, &pick.judged, pick.below.clone(), whole);
                entries.owned_by(owner).with_mode(mode.as_ref()).at_time(time).try_for_each(&mut add)?;
            } else {
                let name = pick.place.name().map(|name| RelPath::root().join(name)).unwrap_or_default();
                let to = if pick.below.is_root() { name } else { pick.below.clone() };
                let entries = gather.file(root, &pick.place, to).transpose().into_iter();
                entries.owned_by(owner).with_mode(mode.as_ref()).at_time(time).try_for_each(&mut add)?;
            }
        }
        let (digest, list) = inputs.finish();
        Ok((shape, digest, list))
    }
}
