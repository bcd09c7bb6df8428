//! From trees to a layer's tar, and what is remembered of it.
//!
//! One tree has a different tar under each profile (how times are written, which writer). What a tree was hashed as is
//! kept beside it, so that it is hashed once, and its blob can be made again byte for byte.

use std::io::{self, Write};

use crate::error::{Context, Error, Kind, Result};
use crate::layer::tar::{self, Profile, WRITER_VERSION};
use crate::layer::{self, Digesting, Times};
use crate::oci::Digest;
use crate::store::layers::Export;
use crate::store::{Store, TreeId};
use crate::tree::{Root, Stack};

/// One layer as trees: its parts and the layers below that it is the difference against.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TreeLayer {
    /// The trees it is the merge of, the newest first. None at all is an empty layer.
    pub parts: Vec<TreeId>,
    /// The diff ids of the layers below, the lowest first.
    pub below: Vec<Digest>,
}

/// Opens trees as one merged stack.
pub(crate) fn stack(store: &Store, trees: &[TreeId]) -> Result<Stack> {
    let open = |tree: &TreeId| Root::open_host(&store.tree_fs(tree)).cannot("open the layer", tree);
    Ok(Stack::new(trees.iter().map(open).collect::<Result<_>>()?, store.form()))
}

/// All trees of `layers` (the lowest first), the topmost first.
pub(crate) fn layer_trees(store: &Store, layers: &[Digest]) -> Result<Vec<TreeId>> {
    let mut trees = Vec::new();
    for end in (1..=layers.len()).rev() {
        let tree = store.layer_tree(&layers[..end]).ok_or_else(|| {
            Error::new(Kind::NotFound, format!("cannot open the layer `{}`", layers[end - 1]))
                .because("it is not unpacked")
                .hint("see what is damaged with `kiln check`")
        })?;
        trees.extend(store.parts(&tree)?);
    }
    Ok(trees)
}

/// A profile's name as it is remembered: the writer's version and what happens to times.
pub(crate) fn profile_name(times: Times) -> String {
    let version = WRITER_VERSION;
    match times {
        Times::Keep => format!("tar{version}"),
        Times::Set(time) => format!("tar{version} set {time}"),
        Times::Clamp(time) => format!("tar{version} clamp {time}"),
    }
}

/// The reverse of [`profile_name`]; none for another writer's version.
pub(crate) fn profile_times(name: &str) -> Option<Times> {
    let rest = name.strip_prefix(&format!("tar{WRITER_VERSION}"))?;
    let mut words = rest.split_whitespace();
    Some(match (words.next(), words.next()) {
        (None, _) => Times::Keep,
        (Some("set"), Some(time)) => Times::Set(time.parse().ok()?),
        (Some("clamp"), Some(time)) => Times::Clamp(time.parse().ok()?),
        _ => return None,
    })
}

impl TreeLayer {
    /// Writes the layer's tar to `out`. Whoever takes it checks that it is what it was.
    pub fn pour(&self, store: &Store, times: Times, out: &mut impl Write) -> Result<()> {
        let parts = stack(store, &self.parts)?;
        let below = match self.below.is_empty() {
            true => None,
            false => Some(stack(store, &layer_trees(store, &self.below)?)?),
        };
        tar::write(layer::diff(&parts, below.as_ref()), &Profile { times }, out)?;
        Ok(())
    }

    /// Writes the layer's tar to `out` and says what it was.
    pub fn write(&self, store: &Store, times: Times, out: &mut dyn Write) -> Result<Export> {
        let mut digesting = Digesting::new(out);
        self.pour(store, times, &mut digesting)?;
        let (_, digest, size) = digesting.finish().cannot("write", "the layer")?;
        Ok(Export {
            profile: profile_name(times),
            below: self.below.clone(),
            diff_id: Digest::from_bytes(digest),
            size,
            owners: None,
            blobs: Vec::new(),
        })
    }

    /// What the layer's tar is: remembered, or hashed now.
    pub fn describe(&self, store: &Store, times: Times) -> Result<Export> {
        match self.remembered(store, times)? {
            Some(export) => Ok(export),
            None => self.write(store, times, &mut io::sink()),
        }
    }

    /// What a single tree was hashed as before.
    pub fn remembered(&self, store: &Store, times: Times) -> Result<Option<Export>> {
        let Some(tree) = self.tree(store) else { return Ok(None) };
        let profile = profile_name(times);
        let known = store.tree(&tree)?.exports.into_iter();
        Ok(known.into_iter().find(|known| known.profile == profile && known.below == self.below))
    }

    /// The one tree that stands for this layer, if it was published.
    pub fn tree(&self, store: &Store) -> Option<TreeId> {
        match self.parts.as_slice() {
            [tree] => Some(tree.clone()),
            parts => store.compound(parts),
        }
    }
}
