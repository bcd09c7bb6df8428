//! `commit`: makes an image of a container: one layer over its base, whatever was done and in how many steps, or one
//! layer for each step of a cached container.
//!
//! Nothing is copied: the upper is frozen by a rename and is the layer. What cannot be avoided is reading it once, to
//! hash it.

mod add_files;
mod by_step;

use crate::builder::Builder;
use crate::error::{Error, Result};
use crate::layer::{Compression, Times};
use crate::name::{Location, Reference};
use crate::oci::{ConfigEdit, Descriptor, Digest, Draft, Format, History, Manifest, media_type};
use crate::rootfs;
use crate::steps::hand::{self, Cut};
use crate::steps::{container, history, timeline};
use crate::store::export::{TreeLayer, layer_trees};
use crate::store::layers::{Export, chain_id};
use crate::store::{ContainerGuard, Logged, Store, TreeId, Work};
use crate::transport::containers_storage::to_write;
use crate::transport::registry::Access;
use crate::transport::{
    BlobCache, CopyOptions, Others, Places, Recompress, Source, StoreSource, Wants, copy_image, open,
    send_layer,
};
use crate::verbs::beside;
use by_step::ByStep;

/// The length of a tar without entries: its end mark, two blocks of zeros.
const EMPTY_TAR: u64 = 1024;

/// Makes an image of a container.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Commit {
    /// The container, by name or id.
    pub container: String,
    /// A name in the store or a location such as `oci:dir:name`; none for an image without a name.
    pub image: Option<String>,
    /// The media types in the store; as the container was made with, unless given. A layout has the OCI's.
    pub format: Option<Format>,
    /// One layer with everything, the base's layers included.
    pub squash: bool,
    /// One layer for each step that changed files; for cached containers only. Steps up to one that edits
    /// [`ConfigEdit::CreatedBy`] are one layer of that name.
    pub layers: bool,
    /// With layers, one for each step, whatever closes a layer.
    pub each_step: bool,
    /// What happens to the files' modification times in the layer. The container's own files keep theirs.
    pub times: Times,
    /// What the image says of when it was made, seconds since the epoch; the clock, unless given.
    pub created: Option<i64>,
    /// How the new layer is compressed in a location outside the store; the store keeps it as it is.
    pub compression: Compression,
    /// The level of that; each form's usual one, unless given.
    pub level: Option<i32>,
    /// Compresses layers of the base again that have another form.
    pub force_compression: bool,
    /// Files of the host by absolute path, and where the image has them; the container does not get them.
    pub add_files: Vec<(String, String)>,
    /// Removes the container afterwards.
    pub rm: bool,
    /// Where nothing changed, adds no layer: the history says so.
    pub omit_empty: bool,
    /// What this image says of itself beside what the container does; the container stays as it is.
    pub edits: Vec<ConfigEdit>,
    /// Whether the image tells nothing of what made it.
    pub omit_history: bool,
    /// Whether the manifest has no annotation of when the image was made.
    pub omit_created_annotation: bool,
    /// How a registry is reached.
    pub access: Access,
    /// Whether the image is a step on the way to another, and so no other storage's, whatever has images of ours.
    pub passing: bool,
}

/// An image that was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    /// The image id.
    pub id: Digest,
    /// Its manifest, where it was put.
    pub manifest: Descriptor,
    /// The full name it got in the store.
    pub name: Option<String>,
}

impl Commit {
    /// Freezes what changed, hashes it unless that is known, and publishes the image.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Committed> {
        let target = self.image.as_deref().map(Location::parse).transpose()?;
        let target = target.map(|target| to_write(target, &builder.settings.machine));
        if let Some(Location::Store(name)) = &target
            && name.digest().is_some()
        {
            return Err(Error::invalid(format!("cannot commit to `{name}`"))
                .because("a digest is not given, it follows from the content"));
        }
        if !self.add_files.is_empty() {
            return add_files::commit(self, builder);
        }
        let store = &builder.store;
        let work = store.work()?;
        let mut guard = store.hold_container(&self.container)?;
        if let Some(base) = &guard.record.base {
            rootfs::trees::ensure(builder, &work, base)?;
        }
        if self.layers {
            history::require(&guard.record, "commit the layers of")?;
        }
        let parts = freeze(builder, &work, &mut guard)?;
        let (by_step, layer) = self.layers(store, &work, &guard, parts)?;
        let mut draft = container::draft(builder, &guard.record)?;
        self.edits.iter().for_each(|edit| draft.apply(edit));
        let record = guard.record.clone();
        // The rest works on frozen trees and leases: the container is free again while they are read.
        let base = record.base.as_ref().map(|base| base.manifest.hex());
        store.lease(&work, layer.parts.iter().map(TreeId::as_str).chain(base.as_deref()))?;
        drop(guard);

        let tree = match layer.parts.as_slice() {
            [tree] => tree.clone(),
            parts => store.make_compound(&work, parts)?,
        };
        let image = Image { commit: self, record: &record, draft, by_step };
        let committed = match target {
            Some(location) if !matches!(location, Location::Store(_)) => {
                let sink = open::sink(Places::of(builder, &work, &self.access), &location)?;
                let cache = BlobCache::of(&builder.settings);
                // What the place does not take is not written there: no other tool finds Docker's manifests in a
                // layout.
                let format = self.format.filter(|format| sink.formats().contains(format));
                let format = format.unwrap_or(sink.formats()[0]);
                let mut options = CopyOptions { format: Some(format), ..CopyOptions::default() };
                let others = if self.force_compression { Others::Change } else { Others::Stay };
                // A storage keeps files: it would only be decompressed again.
                let keeps_files = matches!(location, Location::ContainersStorage { .. });
                let form = if keeps_files { Compression::None } else { self.compression };
                options.recompress = Recompress { to: Some(form), level: self.level, others };
                let name = &record.name;
                let export = match sink.wants() {
                    // Its size stands in front of it there, and is known when it has been read once.
                    Wants::Unchanged => layer.describe(store, self.times)?,
                    _ if cache.is_some() => layer.describe(store, self.times)?,
                    _ => send_layer(builder, name, &layer, self.times, &*sink, options.recompress, format)?,
                };
                remember(store, &work, &layer, &tree, &export)?;
                let (config, manifest) = image.describe(store, &layer, &export, format)?;
                let id = Digest::of(&config);
                let source = StoreSource::made(builder, record.name.clone(), config, &manifest, {
                    image.diff_ids(&layer, &export)
                });
                cache.as_ref().map_or(Ok(()), |cache| cache.keep_for(&source, &*sink, &options))?;
                let cached = cache.as_ref().map(|cache| cache.before(&source));
                let source: &dyn Source = cached.as_ref().map_or(&source, |cached| cached);
                let copied = copy_image(source, &*sink, &options, builder.reporter())?;
                Committed { id, manifest: copied.manifest, name: None }
            }
            named => {
                let export = beside::describe(builder, &work, &layer, self.times)?;
                remember(store, &work, &layer, &tree, &export)?;
                let format = self.format.unwrap_or(record.format);
                let (config, manifest) = image.describe(store, &layer, &export, format)?;
                let name = match named {
                    Some(Location::Store(name)) => Some(name),
                    _ => None,
                };
                let made = self.publish(builder, &work, &config, &manifest, name.as_ref())?;
                self.keep(builder, &work, made.id)?;
                made
            }
        };
        if self.rm {
            super::containers::Rm { container: record.id }.perform(builder)?;
        }
        Ok(committed)
    }

    /// The layers: the last one, and what is below it of those that are new, where there are several.
    fn layers(
        &self,
        store: &Store,
        work: &Work,
        guard: &ContainerGuard,
        parts: Vec<TreeId>,
    ) -> Result<(Option<ByStep>, TreeLayer)> {
        if !self.layers || self.squash {
            return Ok((None, self.layer(store, guard, parts)?));
        }
        let how = by_step::How { times: self.times, omit_empty: self.omit_empty, each_step: self.each_step };
        let (by_step, last) = by_step::layers(store, work, &guard.record, &parts, how)?;
        Ok((Some(by_step), last))
    }

    /// Which trees the new layer is made of, and what it stands on.
    fn layer(&self, store: &Store, guard: &ContainerGuard, parts: Vec<TreeId>) -> Result<TreeLayer> {
        let base = guard.record.base.as_ref().map(|base| base.layers.clone()).unwrap_or_default();
        if !self.squash {
            return Ok(TreeLayer { parts, below: base });
        }
        let mut all = parts;
        all.extend(layer_trees(store, &base)?);
        Ok(TreeLayer { parts: all, below: Vec::new() })
    }

    fn publish(
        &self,
        builder: &Builder<'_>,
        work: &Work,
        config: &[u8],
        manifest: &Manifest,
        name: Option<&Reference>,
    ) -> Result<Committed> {
        let store = &builder.store;
        let names: Vec<String> = name.iter().map(ToString::to_string).collect();
        let bytes = manifest.to_bytes();
        let media_type = manifest.format().manifest();
        let id = store.publish_image(work, config, &bytes, media_type, &names)?;
        if !self.passing {
            beside::publish(builder, work, id, &names)?;
        }
        let manifest = Descriptor::of(media_type, &bytes);
        Ok(Committed { id, manifest, name: names.into_iter().next() })
    }
}

impl Commit {
    /// Keeps the image's blobs where a later push looks for them, the layers compressed.
    fn keep(&self, builder: &Builder<'_>, work: &Work, id: Digest) -> Result<()> {
        let Some(cache) = BlobCache::of(&builder.settings) else { return Ok(()) };
        let to = Some(self.compression).filter(|form| *form != Compression::None);
        let recompress = Recompress { to, level: self.level, others: Others::Stay };
        let image = builder.store.hold_image(work, &id.hex())?;
        let options = CopyOptions { recompress, wants: Some(Wants::Compressed), ..CopyOptions::default() };
        cache.keep(&StoreSource::new(builder, image), options)
    }
}

/// Freezes what changed, and gives all parts over the base, the newest first.
fn freeze(builder: &Builder<'_>, work: &Work, guard: &mut ContainerGuard) -> Result<Vec<TreeId>> {
    if guard.record.cached
        && let Cut::Clean { alone, attached } = hand::cut(builder, work, guard)?
    {
        drop(alone);
        timeline::reattach(builder, work, guard, attached)?;
        return Ok(guard.record.frozen.iter().rev().cloned().collect());
    }
    rootfs::freeze(builder, work, guard)
}

/// Writes down what the layer was hashed as, and that this tree is that layer.
fn remember(store: &Store, work: &Work, layer: &TreeLayer, tree: &TreeId, export: &Export) -> Result<()> {
    store.update_tree(tree, |record| {
        if !record.exports.contains(export) {
            record.exports.push(export.clone());
        }
    })?;
    let mut chain = layer.below.clone();
    chain.push(export.diff_id);
    if !store.keep_layer_tree(work, &chain)? {
        // Marks in it may mean something over these layers and something else over others: only this chain has it.
        store.note_layer(export.diff_id, chain_id(&chain), tree)?;
    }
    Ok(())
}

/// What an image says of itself.
struct Image<'a> {
    commit: &'a Commit,
    record: &'a crate::store::ContainerRecord,
    draft: Draft,
    /// With several layers: all but the last, and their lines of history.
    by_step: Option<ByStep>,
}

impl Image<'_> {
    /// The bytes of its config, and the manifest it has in the store, where the new layer is not compressed.
    fn describe(
        &self,
        store: &Store,
        layer: &TreeLayer,
        export: &Export,
        format: Format,
    ) -> Result<(Vec<u8>, Manifest)> {
        let created =
            format_time(self.commit.created.unwrap_or_else(|| container::made_at(self.record, &self.draft)));
        let mut config = self.draft.config.clone();
        config.created = Some(created.clone());
        config.rootfs.diff_ids = self.diff_ids(layer, export);
        if let Some(by_step) = &self.by_step {
            let date = |at: i64| self.commit.created.unwrap_or(at);
            let of_base = config.history.len();
            config.history.extend(by_step.history(self.leaves_out(export), date));
            if let Some(last) = config.history[of_base..].iter_mut().rfind(|entry| !entry.empty_layer) {
                last.comment = self.comment();
            }
        } else {
            self.add_history(&mut config.history, created, export);
        }
        if self.commit.omit_history {
            config.history.clear();
        }
        let created = config.created.clone();
        let config = config.to_bytes();
        let mut manifest = self.manifest(store, format, &config, export)?;
        if let Some(created) =
            created.filter(|_| format == Format::Oci && !self.commit.omit_created_annotation)
        {
            manifest.annotations.insert("org.opencontainers.image.created".into(), created);
        }
        Ok((config, manifest))
    }

    /// Adds what the log says that history shows, and the one new layer.
    fn add_history(&self, history: &mut Vec<History>, created: String, export: &Export) {
        if self.commit.squash {
            history.clear();
        }
        for entry in &self.record.log {
            if let Logged::History(line) = &entry.did
                && !self.commit.squash
            {
                let when = Some(self.commit.created.map_or_else(|| format_time(entry.at), format_time));
                let line = line.clone();
                history.push(History {
                    created: when,
                    created_by: line,
                    empty_layer: true,
                    ..History::default()
                });
            }
        }
        let empty_layer = self.leaves_out(export);
        // Of a commit that changes nothing and is called nothing there is nothing to say.
        if !empty_layer || self.draft.created_by.is_some() {
            history.push(History {
                created: Some(created),
                created_by: self.draft.created_by.clone().unwrap_or_else(|| self.shell()),
                author: self.draft.config.author.clone(),
                comment: self.comment(),
                empty_layer,
            });
        }
    }

    /// What a layer without a line of its own is called: the shell that would have made it.
    fn shell(&self) -> String {
        let shell = &self.draft.config.config.shell;
        if shell.is_empty() { "/bin/sh".to_owned() } else { shell.join(" ") }
    }

    /// Whether the new layer has nothing in it and is not to be there.
    fn leaves_out(&self, export: &Export) -> bool {
        self.commit.omit_empty && !self.commit.squash && export.size <= EMPTY_TAR
    }

    fn diff_ids(&self, layer: &TreeLayer, export: &Export) -> Vec<Digest> {
        let new = (!self.leaves_out(export)).then_some(export.diff_id);
        layer.below.iter().copied().chain(new).collect()
    }

    fn comment(&self) -> String {
        match &self.record.base {
            _ if !self.draft.history_comment.is_empty() => self.draft.history_comment.clone(),
            Some(base) if !self.commit.squash => format!("FROM {}", base.name),
            _ => String::new(),
        }
    }

    fn manifest(&self, store: &Store, format: Format, config: &[u8], export: &Export) -> Result<Manifest> {
        let mut layers = match container::base_image(store, self.record)? {
            Some((base, _)) if !self.commit.squash => base.layers,
            _ => Vec::new(),
        };
        let plain = match format {
            Format::Oci => media_type::LAYER,
            Format::Docker => media_type::DOCKER_LAYER,
        };
        let lower = self.by_step.iter().flat_map(|by_step| &by_step.lower);
        let built = lower.chain((!self.leaves_out(export)).then_some(export));
        layers.extend(built.map(|export| Descriptor::new(plain, export.diff_id, export.size)));
        for layer in &mut layers {
            layer.media_type = format.layer(&layer.media_type).into();
        }
        let mut annotations = self.draft.annotations.clone();
        if format == Format::Docker {
            annotations.clear();
        } else if let Some(base) = &self.record.base {
            annotations.insert("org.opencontainers.image.base.digest".into(), base.manifest.to_string());
            annotations.insert("org.opencontainers.image.base.name".into(), base.name.clone());
        }
        Ok(Manifest {
            schema_version: 2,
            media_type: format.manifest().into(),
            config: Descriptor::of(format.config(), config),
            layers,
            annotations,
            other: Default::default(),
        })
    }
}

/// RFC 3339, whole seconds, UTC.
fn format_time(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
}
