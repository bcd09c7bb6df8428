//! An image into a storage: layers are made whole beside it, and get their names together with the image's, at the end.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::layers;
use super::place::{Kept, Storage};
use super::publish::{Publication, publish};
use super::stage::{Stage, Staged, Start};
use super::tables::Table;
use crate::builder::Builder;
use crate::error::{Error, Result};
use crate::layer::Compression;
use crate::oci::{Descriptor, Digest, Format, ImageConfig, Manifest};
use crate::transport::convert;
use crate::transport::sink::{Outgoing, Part, Role, Signatures, Sink, Wants};
use crate::transport::source::RawManifest;
use crate::tree::{Devices, Marks, Options};

/// The place of one image in a storage.
pub(crate) struct StorageSink<'a> {
    builder: &'a Builder<'a>,
    storage: Storage,
    names: Vec<String>,
    stage: OnceLock<Stage>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    config: Vec<u8>,
    /// Layers that are whole, by their id.
    staged: BTreeMap<String, Staged>,
    /// Layers that are whole and came before it was known what they are of, by their diff id.
    ahead: BTreeMap<Digest, Staged>,
    signatures: Vec<(Digest, Vec<Vec<u8>>)>,
}

impl<'a> StorageSink<'a> {
    /// An image that will have `names`.
    pub fn open(builder: &'a Builder<'a>, storage: Storage, names: Vec<String>) -> Result<Self> {
        storage.make()?;
        Ok(StorageSink { builder, storage, names, stage: OnceLock::new(), state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stage(&self) -> Result<&Stage> {
        if self.stage.get().is_none() {
            // Two threads may both begin one; the second goes again at once.
            let _ = self.stage.set(Stage::begin(&self.storage)?);
        }
        Ok(self.stage.get().expect("set just now"))
    }

    /// Kiln's own tree of a layer, where its files may have a second name in the storage.
    fn tree(&self, chain: &[Digest]) -> Result<Option<PathBuf>> {
        let store = &self.builder.store;
        if !self.storage.is_overlay()
            || store.form() == Marks::Names
            || store.form() != self.builder.host.marks()
        {
            return Ok(None);
        }
        let Some(tree) = store.layer_tree(chain) else { return Ok(None) };
        match store.parts_or_empty(&tree)?.as_slice() {
            [one] => Ok(Some(store.tree_fs(one))),
            // Of several, and of none, the tar says what they are together.
            _ => Ok(None),
        }
    }

    /// Takes a layer without reading it, where its tree is here alone, and its tar-split was recorded when it was
    /// hashed.
    fn take_known(&self, chain: &[Digest]) -> Result<bool> {
        let store = &self.builder.store;
        let (Some(files), Some(diff_id)) = (self.tree(chain)?, chain.last()) else { return Ok(false) };
        let Some(tree) = store.layer_tree(chain) else { return Ok(false) };
        let exports = store.tree(&tree)?.exports;
        let known = exports.into_iter().find(|export| export.diff_id == *diff_id && export.owners.is_some());
        let split = store.split_path(&tree, *diff_id);
        let Some((export, owners)) = known.and_then(|known| Some((known.clone(), known.owners?))) else {
            return Ok(false);
        };
        let layer = Staged {
            dir: PathBuf::new(),
            split,
            link: String::new(),
            diff: (*diff_id, export.size),
            blob: (*diff_id, export.size),
            form: Compression::None,
            uids: owners.uids,
            gids: owners.gids,
        };
        let Some(staged) = self.stage()?.take(&layer, &files, self.options())? else { return Ok(false) };
        let id = layers::ids(chain).pop().unwrap_or_default();
        self.state().staged.insert(id, staged);
        Ok(true)
    }

    /// How layers are unpacked.
    fn options(&self) -> Options {
        let host = &self.builder.host;
        let devices = if host.is_rootless() { Devices::Skip } else { Devices::Make };
        let marks = if self.storage.is_overlay() { host.marks() } else { Marks::None };
        Options { marks, devices, keep_times: true }
    }

    /// Makes the layers that are in the image a second time: what is named twice is sent once.
    fn repeat(&self, chain: &[Digest], staged: &mut BTreeMap<String, Staged>) -> Result<()> {
        let table = self.storage.table(self.storage.root(), Kept::Layers)?;
        let ids = layers::ids(chain);
        for (place, id) in ids.iter().enumerate() {
            let first = chain.iter().position(|diff_id| *diff_id == chain[place]).unwrap_or(place);
            if first == place || staged.contains_key(id) || table.layer(id).is_some() {
                continue;
            }
            let Some((known, tree)) = self.known(&ids[first], chain[place], staged, &table) else { continue };
            let below = self.below(&ids[..=place], staged);
            let start = below.as_deref().map_or(Start::Files(&tree), Start::Below);
            if let Some(made) = self.stage()?.again(&known, &tree, start, self.options())? {
                staged.insert(id.clone(), made);
            }
        }
        Ok(())
    }

    /// A layer that is whole, and its files.
    fn known(
        &self,
        id: &str,
        diff_id: Digest,
        staged: &BTreeMap<String, Staged>,
        table: &Table,
    ) -> Option<(Staged, PathBuf)> {
        if let Some(known) = staged.get(id) {
            return Some((known.clone(), known.dir.join("diff")));
        }
        let layer = table.layer(id)?;
        let root = self.storage.root();
        let size = |size: i64| u64::try_from(size).unwrap_or(0);
        let known = Staged {
            dir: PathBuf::new(),
            split: self.storage.split(root, &layer.id),
            link: String::new(),
            diff: (diff_id, size(layer.diff_size)),
            blob: (layer.compressed_diff_digest.parse().unwrap_or(diff_id), size(layer.compressed_size)),
            form: Compression::None,
            uids: layer.uidset.into_iter().collect(),
            gids: layer.gidset.into_iter().collect(),
        };
        Some((known, self.storage.tree(root, &layer.id)))
    }

    /// The files of the layers below the last of `ids`, where a layer has those too.
    fn below(&self, ids: &[String], staged: &BTreeMap<String, Staged>) -> Option<PathBuf> {
        let below =
            ids.len().checked_sub(2).map(|place| &ids[place]).filter(|_| !self.storage.is_overlay())?;
        Some(match staged.get(below) {
            Some(below) => below.dir.join("diff"),
            None => self.storage.tree(self.storage.root(), below),
        })
    }
}

impl Sink for StorageSink<'_> {
    fn name(&self) -> String {
        self.storage.name(self.names.first().map_or("", String::as_str))
    }

    fn formats(&self) -> &'static [Format] {
        &[Format::Oci, Format::Docker]
    }

    fn wants(&self) -> Wants {
        Wants::Any
    }

    fn takes_index(&self) -> bool {
        false
    }

    fn lanes(&self) -> usize {
        // Where a layer has the files of those below, they come first.
        if self.storage.is_overlay() { 2 } else { 1 }
    }

    fn takes_ahead(&self) -> bool {
        self.storage.is_overlay()
    }

    fn begin(&self, config: &Descriptor, bytes: &[u8]) -> Result<()> {
        convert::refuse_artifact(config, &format!("`{}`", self.name()))?;
        self.state().config = bytes.to_vec();
        Ok(())
    }

    fn has_blob(&self, blob: &Descriptor, part: Part<'_>) -> Result<bool> {
        let Part::Layer(chain) = part else { return Ok(false) };
        let (Some(id), Some(diff_id)) = (layers::ids(chain).pop(), chain.last()) else { return Ok(false) };
        {
            let mut state = self.state();
            if let Some(layer) = state.ahead.remove(diff_id) {
                state.staged.insert(id.clone(), layer);
            }
            if state.staged.contains_key(&id) {
                return Ok(true);
            }
        }
        let table = self.storage.table(self.storage.root(), Kept::Layers)?;
        match table.layer(&id) {
            Some(layer) if !layer.is_incomplete() => Ok(true),
            // A form that was asked for is none of these.
            _ if blob.digest == *diff_id => self.take_known(chain),
            _ => Ok(false),
        }
    }

    fn put_blob(&self, blob: &mut Outgoing<'_>, part: Part<'_>) -> Result<()> {
        let Part::Layer(chain) = part else {
            // A config came with `begin`.
            return blob.finish().map(drop);
        };
        let options = self.options();
        let Some(diff_id) = chain.last() else {
            let layer = self.stage()?.layer(blob, None, Start::Nothing, options)?;
            self.state().ahead.insert(layer.diff.0, layer);
            return Ok(());
        };
        let ids = layers::ids(chain);
        let below = {
            let mut state = self.state();
            if !self.storage.is_overlay() {
                self.repeat(&chain[..chain.len() - 1], &mut state.staged)?;
            }
            self.below(&ids, &state.staged)
        };
        let tree = self.tree(chain)?;
        let start = match (&below, &tree) {
            (Some(below), _) => Start::Below(below),
            (None, Some(files)) => Start::Files(files),
            (None, None) => Start::Nothing,
        };
        let staged = self.stage()?.layer(blob, Some(*diff_id), start, options)?;
        self.state().staged.insert(ids.last().cloned().unwrap_or_default(), staged);
        Ok(())
    }

    fn put_manifest(&self, manifest: &RawManifest, _role: Role) -> Result<()> {
        let mut state = self.state();
        let parsed = Manifest::parse(&manifest.bytes)?;
        let signatures = state.signatures.iter().find(|(of, _)| *of == manifest.digest());
        let signatures = signatures.map(|(_, all)| all.clone()).unwrap_or_default();
        let State { config, staged, .. } = &mut *state;
        let chain = serde_json::from_slice::<ImageConfig>(config).map(|config| config.rootfs.diff_ids);
        let chain = chain.map_err(|cause| {
            Error::corrupt(format!("cannot read the config of `{}`", self.name())).because(cause)
        })?;
        if parsed.layers.len() != chain.len() {
            return Err(Error::corrupt(format!("cannot write `{}`", self.name()))
                .because("its manifest and its config name other layers"));
        }
        self.repeat(&chain, staged)?;
        publish(Publication {
            storage: &self.storage,
            stage: self.stage()?,
            reporter: self.builder.reporter(),
            names: &self.names,
            manifest: &manifest.bytes,
            config,
            chain: &chain,
            staged,
            signatures: &signatures,
        })
    }

    fn signatures(&self) -> Signatures {
        Signatures::Kept
    }

    fn put_signatures(&self, manifest: Digest, signatures: &[Vec<u8>]) -> Result<()> {
        self.state().signatures.push((manifest, signatures.to_vec()));
        Ok(())
    }
}
