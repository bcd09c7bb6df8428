//! `diff`: what a container or an image changed, path by path.
//!
//! Against its own base, what lies over it counts, as other tools have it; against another image what both trees hold
//! is compared.

mod compare;

use std::path::{Path, PathBuf};

use crate::builder::Builder;
use crate::error::{Context, Error, Kind, Result};
use crate::rootfs::trees;
use crate::steps::history;
use crate::store::containers::frozen_of;
use crate::store::export::{layer_trees, stack};
use crate::store::{ContainerRecord, Store, TreeId, Work, containers::Base};
use crate::tree::{Root, Stack};

/// Compares a container or an image with what it is based on, or with an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diff {
    /// A container, by name or id; or an image, whose topmost layer is compared with those below.
    pub name: String,
    /// The container as it was after this step; 0 is before the first.
    pub at: Option<usize>,
    /// An image to compare with instead.
    pub against: Option<String>,
}

/// What became of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is there, and was not.
    Added,
    /// It is another, or in another form.
    Changed,
    /// It was there, and is not.
    Removed,
}

/// One path that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The path, with a leading slash.
    pub path: String,
    /// What became of it.
    pub change: Change,
    /// What differs besides content, a fact each: `mode 0644, was 0600`.
    pub details: Vec<String>,
    /// The bytes of the file now; 0 for what is none.
    pub size: u64,
    /// Those it had before.
    pub old_size: u64,
}

/// Two states to compare. Trees are listed the newest first.
#[derive(Default)]
struct Sides {
    /// The upper of a container, which is over all.
    upper: Option<PathBuf>,
    /// What is over the base.
    parts: Vec<TreeId>,
    /// What the parts are over.
    base: Vec<TreeId>,
    /// What all of that is compared with, unless with the base.
    other: Option<Vec<TreeId>>,
}

impl Diff {
    /// Compares. The differences come sorted by path.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Vec<Difference>> {
        let store = &builder.store;
        let work = store.work()?;
        let sides = match store.find_container(&self.name) {
            Ok(found) => self.container(builder, &work, &found)?,
            Err(error) if error.kind() == Kind::NotFound => self.image(builder, &work, error)?,
            Err(error) => return Err(error),
        };
        let Sides { upper, mut parts, base, other } = sides;
        if other.is_some() {
            parts.extend(base.iter().cloned());
        }
        let base = other.as_ref().unwrap_or(&base);
        store.lease(&work, parts.iter().chain(base).map(TreeId::as_str))?;
        let new = stack_below(store, upper.as_deref(), &parts)?;
        let old = stack(store, base)?;
        let mut found = match other {
            None => compare::over(&new, &old)?,
            Some(_) => compare::whole(&new, &old)?,
        };
        found.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
        Ok(found)
    }

    fn container(&self, builder: &Builder<'_>, work: &Work, found: &ContainerRecord) -> Result<Sides> {
        let store = &builder.store;
        let guard = store.hold_container(&found.id)?;
        let record = &guard.record;
        let mut parts = match self.at {
            Some(number) => {
                history::require(record, "compare a step of")?;
                frozen_of(&record.log[..history::end_of(record, number)?])
            }
            None => record.frozen.clone(),
        };
        // What is not frozen is read as it is, so that nobody is disturbed.
        let upper = self.at.is_none().then(|| guard.upper());
        parts.reverse();
        let parts = parts.iter().map(|part| store.parts(part)).collect::<Result<Vec<_>>>()?.concat();
        if let Some(base) = &record.base {
            trees::ensure(builder, work, base)?;
        }
        let base = record.base.as_ref().map(|base| layer_trees(store, &base.layers)).transpose()?;
        let base = base.unwrap_or_default();
        let other = self.against.as_ref().map(|image| trees_of(builder, work, image)).transpose()?;
        Ok(Sides { upper, parts, base, other: other.map(|(trees, _)| trees) })
    }

    fn image(&self, builder: &Builder<'_>, work: &Work, no_container: Error) -> Result<Sides> {
        if self.at.is_some() {
            return Err(no_container);
        }
        let (all, top) = trees_of(builder, work, &self.name).map_err(|error| match error.kind() {
            Kind::NotFound => {
                Error::new(Kind::NotFound, format!("cannot find a container or image `{}`", self.name))
                    .hint("see what there is with `kiln containers` and `kiln images`")
            }
            _ => error,
        })?;
        let other = self.against.as_ref().map(|image| trees_of(builder, work, image)).transpose()?;
        let (parts, base) = (all[..top].to_vec(), all[top..].to_vec());
        Ok(Sides { upper: None, parts, base, other: other.map(|(trees, _)| trees) })
    }
}

/// Trees as one merged stack, under the upper of a container.
fn stack_below(store: &Store, upper: Option<&Path>, trees: &[TreeId]) -> Result<Stack> {
    let upper = upper.map(|upper| Root::open_host(upper).cannot("open", upper.display()));
    let tree = |tree: &TreeId| Root::open_host(&store.tree_fs(tree)).cannot("open the layer", tree);
    let roots = upper.into_iter().chain(trees.iter().map(tree)).collect::<Result<_>>()?;
    Ok(Stack::new(roots, store.form()))
}

/// All trees of an image, the newest first, and how many of them are its topmost layer.
fn trees_of(builder: &Builder<'_>, work: &Work, image: &str) -> Result<(Vec<TreeId>, usize)> {
    let store = &builder.store;
    let held = store.hold_image(work, image)?;
    let layers = held.config.rootfs.diff_ids;
    let manifest = held.entry.manifest.digest;
    let base = Base { name: image.to_owned(), id: held.entry.id, manifest, layers };
    trees::ensure(builder, work, &base)?;
    let all = layer_trees(store, &base.layers)?;
    let below = match base.layers.split_last() {
        Some((_, below)) => layer_trees(store, below)?.len(),
        None => 0,
    };
    let top = all.len() - below;
    Ok((all, top))
}
