//! `images`, `tag`, `rmi`, `prune`: the images of the store, their names, their end.

mod family;
mod filter;

use std::collections::{BTreeMap, BTreeSet};

use crate::builder::Builder;
use crate::error::{Error, Kind, Result};
use crate::name::{Reference, StorageSpec};
use crate::oci::{Digest, ImageConfig, Manifest};
use crate::store::{Forgotten, Keep, images::ImageEntry, images::StoredImage};
use crate::transport::containers_storage::{self, Storage};
use crate::verbs::beside;

pub use filter::Images;

/// What a list says of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageInfo {
    /// The image id.
    pub id: Digest,
    /// The manifest's digest; the newest one's, where the image came with several.
    pub digest: Digest,
    /// The manifests' digests of names that came with another one.
    pub other_digests: BTreeMap<String, Digest>,
    /// Its full names; none for an image whose name went to another.
    pub names: Vec<String>,
    /// When it was made, as its config says.
    pub created: Option<String>,
    /// The sum of its layers as they are kept, bytes.
    pub size: u64,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether it has no name and others were made of it.
    pub intermediate: bool,
    /// Whether it is in a store that is never written.
    pub read_only: bool,
}

/// All images, the newest last.
pub fn images(builder: &Builder<'_>) -> Result<Vec<ImageInfo>> {
    let (mut found, mut elsewhere, mut lists) = (Vec::new(), Vec::new(), Vec::new());
    let own = builder.store.image_entries()?.into_iter().map(|entry| (entry, false));
    let others = builder.store.other_images()?.into_iter().map(|entry| (entry, true));
    for (entry, read_only) in own.chain(others) {
        if entry.is_list() {
            // A list has no layers and no config; its size is its own.
            lists.push(ImageInfo {
                id: entry.id,
                digest: entry.manifest.digest,
                other_digests: BTreeMap::new(),
                size: entry.manifest.size,
                names: entry.names,
                created: None,
                labels: BTreeMap::new(),
                intermediate: false,
                read_only,
            });
            continue;
        }
        let image = match builder.store.load_image(entry) {
            Ok(image) => image,
            // Removed while we looked.
            Err(error) if error.kind() == Kind::NotFound => continue,
            Err(error) => return Err(error),
        };
        found.push(image);
        elsewhere.push(read_only);
    }
    for image in beside::images(builder)? {
        match found.iter_mut().find(|known| known.entry.id == image.entry.id) {
            Some(known) => known.entry.names = image.entry.names,
            None => {
                found.push(image);
                elsewhere.push(false);
            }
        }
    }
    for list in beside::lists::all(builder)? {
        match lists.iter_mut().find(|known| known.id == list.id) {
            Some(known) => known.names = list.names,
            None => lists.push(ImageInfo {
                id: list.id,
                digest: Digest::of(&list.index),
                other_digests: BTreeMap::new(),
                size: list.index.len() as u64,
                names: list.names,
                created: None,
                labels: BTreeMap::new(),
                intermediate: false,
                read_only: false,
            }),
        }
    }
    let bases = family::intermediate(&found);
    let listed = found.iter().zip(elsewhere).map(|(image, read_only)| info(image, &bases, read_only));
    Ok(listed.chain(lists).collect())
}

fn info(image: &StoredImage, bases: &BTreeSet<Digest>, read_only: bool) -> ImageInfo {
    let StoredImage { entry, manifest, config, .. } = image;
    let others = entry.others.iter().flat_map(|other| {
        let digest = other.manifest.digest;
        other.names.iter().map(move |name| (name.clone(), digest))
    });
    ImageInfo {
        id: entry.id,
        digest: entry.manifest.digest,
        other_digests: others.collect(),
        names: entry.names.clone(),
        created: config.created.clone(),
        size: manifest.layers.iter().map(|layer| layer.size).sum(),
        labels: config.config.labels.clone(),
        intermediate: bases.contains(&entry.id),
        read_only,
    }
}

/// All there is to say of one image.
#[derive(Debug, Clone)]
pub struct ImageDetails {
    /// What lists say.
    pub info: ImageInfo,
    /// The manifest.
    pub manifest: Manifest,
    /// The manifest, byte for byte.
    pub manifest_bytes: Vec<u8>,
    /// The config.
    pub config: ImageConfig,
    /// The config, byte for byte.
    pub config_bytes: Vec<u8>,
}

/// Looks at one image.
pub fn inspect_image(builder: &Builder<'_>, text: &str) -> Result<ImageDetails> {
    let image = match builder.store.find_image(text) {
        Err(error) if error.kind() == Kind::NotFound => beside::look(builder, text)?.ok_or(error)?,
        entry => builder.store.load_image(entry?)?,
    };
    let read_only = builder.store.refuse_elsewhere("change", text, image.entry.id).is_err();
    let info = info(&image, &BTreeSet::new(), read_only);
    Ok(ImageDetails {
        info,
        manifest: image.manifest,
        manifest_bytes: image.manifest_bytes,
        config: image.config,
        config_bytes: image.config_bytes,
    })
}

/// Gives an image more names.
#[derive(Debug, Clone, PartialEq)]
pub struct Tag {
    /// The image, by name or id.
    pub image: String,
    /// The names; one that another image has moves.
    pub names: Vec<String>,
}

impl Tag {
    /// Adds all names, or none if one of them is no name.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<()> {
        let names: Vec<Reference> = self.names.iter().map(|name| name.parse()).collect::<Result<_>>()?;
        for name in &names {
            if name.digest().is_some() {
                return Err(Error::invalid(format!("cannot tag an image `{name}`"))
                    .because("a digest is not given, it follows from the content"));
            }
        }
        let full: Vec<String> = names.iter().map(ToString::to_string).collect();
        let entry = match beside::tag(builder, &self.image, &full)? {
            None => builder.store.find_image(&self.image)?,
            Some(id) => match builder.store.find_image(&id.hex()) {
                Err(error) if error.kind() == Kind::NotFound => return Ok(()),
                found => found?,
            },
        };
        builder.store.refuse_elsewhere("tag", &self.image, entry.id)?;
        builder.store.add_names(&entry, &names)?;
        beside::publish(builder, &builder.store.work()?, entry.id, &full)
    }
}

/// Removes a name of an image, and the image with its last name.
#[derive(Debug, Clone, PartialEq)]
pub struct Rmi {
    /// The image, by name or id.
    pub image: String,
    /// Also if containers were made of it (they are removed) or it has several names.
    pub force: bool,
}

/// What `rmi` did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Names that were taken away.
    pub untagged: Vec<String>,
    /// The image that went.
    pub deleted: Option<Digest>,
    /// Images without a name that only it was made of, which went with it, the nearest first.
    pub parents: Vec<Digest>,
}

impl Rmi {
    /// As [`Rmi::perform`], in a storage that other programs share; in Kiln's own store, where the machine has none.
    pub fn at_storage(&self, builder: &Builder<'_>, storage: Option<&StorageSpec>) -> Result<Removed> {
        let machine = &builder.settings.machine;
        if storage.is_none() && !containers_storage::exists(machine) {
            return self.perform(builder);
        }
        let storage = Storage::open(machine, storage)?;
        beside::remove_at(builder, &storage, &self.image, self.force)
    }

    /// Takes the name away, then the image if that was its last. What only it used goes too, with the images without a
    /// name that only it was made of.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Removed> {
        self.remove(builder, true)
    }

    /// As [`Rmi::perform`], but what the image was made of stays.
    pub(crate) fn perform_alone(&self, builder: &Builder<'_>) -> Result<Removed> {
        self.remove(builder, false)
    }

    fn remove(&self, builder: &Builder<'_>, with_parents: bool) -> Result<Removed> {
        let here = builder.store.find_image(&self.image);
        // Ours that were made of it are told of before anything goes.
        let there = beside::named(builder, &self.image)?.map(|(_, named)| named);
        if let Some(there) = there.filter(|there| !there.is_list && there.names.len() < 2) {
            self.release(builder, there.id)?;
        }
        let beside = beside::remove(builder, &self.image, self.force)?;
        let entry = match (here, beside) {
            (Err(error), Some(removed)) if error.kind() == Kind::NotFound => return Ok(removed),
            (here, _) => here?,
        };
        builder.store.refuse_elsewhere("remove", &self.image, entry.id)?;
        let named = named_as(&entry, &self.image);
        if let Some(name) = named.as_ref().filter(|_| entry.names.len() > 1) {
            builder.store.remove_name(name)?;
            return Ok(Removed { untagged: vec![name.clone()], ..Removed::default() });
        }
        if named.is_none() && entry.names.len() > 1 && !self.force {
            return Err(Error::new(Kind::InUse, format!("cannot remove the image `{}`", self.image))
                .because(format!("it has several names: {}", entry.names.join(", ")))
                .hint(format!("remove all of them with `kiln rmi --force {}`", self.image)));
        }
        self.release(builder, entry.id)?;
        let image = builder.store.load_image(entry.clone()).ok().filter(|_| !entry.is_list());
        let known = entry.names.clone();
        // A name given meanwhile keeps the image: somebody wants it.
        let gone =
            builder.store.remove_image(entry.id, |now| now.names.iter().all(|name| known.contains(name)))?;
        let parents = match image.filter(|_| gone && with_parents) {
            Some(image) => family::remove_left(builder, &image)?,
            None => Vec::new(),
        };
        builder.store.gc()?;
        Ok(Removed { untagged: entry.names, deleted: Some(entry.id), parents })
    }

    /// Refuses while containers were made of the image, or removes them where that is asked for.
    fn release(&self, builder: &Builder<'_>, image: Digest) -> Result<()> {
        let users: Vec<String> = (builder.store.containers()?.into_iter())
            .filter(|container| container.base.as_ref().is_some_and(|base| base.id == image))
            .map(|container| container.name)
            .collect();
        if users.is_empty() {
            return Ok(());
        }
        if !self.force {
            return Err(Error::new(Kind::InUse, format!("cannot remove the image `{}`", self.image))
                .because(format!("containers were made of it: {}", users.join(", ")))
                .hint(format!("remove them first: kiln rm {}", users.join(" "))));
        }
        for container in users {
            super::containers::Rm { container }.perform(builder)?;
        }
        Ok(())
    }
}

/// The full name by which `text` names the image, if it is not by id.
pub(crate) fn named_as(entry: &ImageEntry, text: &str) -> Option<String> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let wanted: Reference = text.parse().ok()?;
    let exact = entry.names.iter().find(|name| **name == wanted.to_string());
    if exact.is_some() || (entry.id.hex().starts_with(digits) && digits.len() >= 3) {
        return exact.cloned();
    }
    let tail = format!("/{}", wanted.path());
    entry
        .names
        .iter()
        .find(|name| {
            name.parse::<Reference>()
                .is_ok_and(|known| known.repository().ends_with(&tail) && known.tag() == wanted.tag())
        })
        .cloned()
}

/// Removes what nothing needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prune {
    /// Images with a name too, if no container was made of them.
    pub all: bool,
    /// Images that containers were made of too; these are removed before.
    pub force: bool,
    /// What is to stay of recorded steps and cache mounts; all that fits, unless `all`.
    pub keep: Keep,
}

/// What `prune` took away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Images.
    pub images: Vec<Digest>,
    /// What was given up of the caches, what went with that and with images, and what was left over before.
    pub forgotten: Forgotten,
}

impl Prune {
    /// Removes images without a name that no other was made of (or all unused ones), then everything that nothing
    /// names.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Pruned> {
        let containers = builder.store.containers()?;
        let mut pruned = Pruned::default();
        // What others were made of is theirs, until they go.
        let kept = if self.all { BTreeSet::new() } else { family::intermediate(&family::own(builder)?) };
        for entry in builder.store.image_entries()? {
            if kept.contains(&entry.id) {
                continue;
            }
            let users =
                containers.iter().filter(|made| made.base.as_ref().is_some_and(|base| base.id == entry.id));
            let users: Vec<String> = users.map(|container| container.id.clone()).collect();
            if !(self.all || entry.names.is_empty()) || (!users.is_empty() && !self.force) {
                continue;
            }
            for container in users {
                super::containers::Rm { container }.perform(builder)?;
            }
            let image =
                builder.store.load_image(entry.clone()).ok().filter(|_| !entry.is_list() && !self.all);
            if builder.store.remove_image(entry.id, |now| self.all || now.names.is_empty())? {
                pruned.images.push(entry.id);
                let parents = image.map(|image| family::remove_left(builder, &image)).transpose()?;
                pruned.images.extend(parents.into_iter().flatten());
            }
        }
        let mut keep = self.keep;
        if self.all && keep == Keep::default() {
            keep.since = Some(std::time::SystemTime::now());
        }
        pruned.forgotten = builder.store.shrink(keep)?;
        beside::sweep(builder)?;
        Ok(pruned)
    }
}
