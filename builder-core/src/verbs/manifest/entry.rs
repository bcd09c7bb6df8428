//! The entries of a list: found by what people type, and edited.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::builder::Builder;
use crate::error::{Context, Error, Kind, Result};
use crate::name::{Location, Reference};
use crate::oci::{Descriptor, Digest, ImageConfig, Index, Manifest, Platform, Wanted};
use crate::store::Work;
use crate::store::images::StoredImage;
use crate::store::lists::StoredList;
use crate::transport::copy::{choose, instance, small_blob};
use crate::transport::registry::Access;
use crate::transport::source::RawManifest;
use crate::transport::{CopyOptions, Places, Source, StoreSink, copy_image, open};
use crate::verbs::beside::{self, lists};
use crate::verbs::manifest::Found;

/// What an entry is made to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntryEdit {
    /// The operating system.
    pub os: Option<String>,
    /// The processor.
    pub arch: Option<String>,
    /// Its variant.
    pub variant: Option<String>,
    /// The version of the operating system.
    pub os_version: Option<String>,
    /// What the processor must have.
    pub features: Vec<String>,
    /// What the operating system must have.
    pub os_features: Vec<String>,
    /// Remarks.
    pub annotations: BTreeMap<String, String>,
}

impl EntryEdit {
    /// Changes an entry.
    pub(super) fn apply(&self, entry: &mut Descriptor) {
        entry.annotations.extend(self.annotations.clone());
        let rest = EntryEdit { annotations: BTreeMap::new(), ..self.clone() };
        if rest == EntryEdit::default() {
            return;
        }
        let platform = entry.platform.get_or_insert_default();
        let set = |field: &mut String, value: &Option<String>| {
            if let Some(value) = value {
                field.clone_from(value);
            }
        };
        set(&mut platform.os, &self.os);
        set(&mut platform.architecture, &self.arch);
        set(&mut platform.variant, &self.variant);
        // The names of the OCI image specification's index page; `features` is Docker's.
        if let Some(version) = &self.os_version {
            platform.other.insert("os.version".into(), version.as_str().into());
        }
        for (name, list) in [("features", &self.features), ("os.features", &self.os_features)] {
            if !list.is_empty() {
                platform.other.insert(name.into(), list.as_slice().into());
            }
        }
    }
}

/// What `text` names: the image in the store, in a registry or at a location; of a list the one for this machine, or
/// all.
pub(super) fn find(
    builder: &Builder<'_>,
    work: &Work,
    text: &str,
    all: bool,
    access: &Access,
) -> Result<Vec<Found>> {
    let location = Location::parse(text)?;
    if let Location::Store(name) = &location {
        let name = if Location::has_transport(text) { name.to_string() } else { text.to_owned() };
        match builder.store.find_image(&name) {
            Ok(entry) if entry.is_list() => return of_list(builder, work, entry, all),
            Ok(_) => return of_store(builder, work, &name).map(|found| vec![found]),
            Err(error) if error.kind() != Kind::NotFound => return Err(error),
            Err(error) => {
                if lists::has(builder, &name)? {
                    let list = lists::find(builder, &name)?;
                    return of_list(builder, work, list.entry, all);
                }
                if let Some(image) = lists::take(builder, work, &name)? {
                    return Ok(vec![of_image(&image)]);
                }
                // A short name is not looked for in registries: which one is meant should be written down in a list.
                if !Reference::names_host(&name) {
                    return Err(error);
                }
            }
        }
        return of_registry(builder, work, &Location::Registry(name.parse()?), all, access);
    }
    if let Location::Registry(_) = location {
        return of_registry(builder, work, &location, all, access);
    }
    // What is in a file may go with the file: it comes into the store.
    let source = open::source(Places::of(builder, work, access), &location)?;
    let sink = StoreSink::new(builder, work, Vec::new());
    let copied = copy_image(&*source, &sink, &CopyOptions::default(), builder.reporter())?;
    of_store(builder, work, &copied.config.unwrap_or(copied.manifest.digest).hex()).map(|found| vec![found])
}

fn of_store(builder: &Builder<'_>, work: &Work, text: &str) -> Result<Found> {
    builder.store.hold_image(work, text).map(|image| of_image(&image))
}

fn of_image(image: &StoredImage) -> Found {
    let manifest = &image.entry.manifest;
    let mut descriptor = Descriptor::new(&manifest.media_type, manifest.digest, manifest.size);
    descriptor.platform = Some(platform(&image.config));
    Found { descriptor, elsewhere: None }
}

fn of_list(
    builder: &Builder<'_>,
    work: &Work,
    entry: crate::store::images::ImageEntry,
    all: bool,
) -> Result<Vec<Found>> {
    let list = builder.store.read_list(entry)?;
    builder.store.lease(work, [list.entry.manifest.digest.hex().as_str()])?;
    let chosen = match all {
        true => list.index.manifests.clone(),
        false => vec![crate::oci::choose(&list.index, &Wanted::default())?],
    };
    let found = |descriptor: Descriptor| {
        let elsewhere = list.elsewhere.get(&descriptor.digest).cloned();
        Found { descriptor, elsewhere }
    };
    Ok(chosen.into_iter().map(found).collect())
}

/// What a registry has stays there: only its manifest is looked at.
fn of_registry(
    builder: &Builder<'_>,
    work: &Work,
    location: &Location,
    all: bool,
    access: &Access,
) -> Result<Vec<Found>> {
    let Location::Registry(name) = location else { return Ok(Vec::new()) };
    let source = open::source(Places::of(builder, work, access), location)?;
    let place = format!("docker://{}", name.repository());
    let top = source.manifest()?;
    let found = |descriptor: Descriptor| Found { descriptor, elsewhere: Some(place.clone()) };
    if top.is_index() && all {
        return Ok(Index::parse(&top.bytes)?.manifests.into_iter().map(found).collect());
    }
    let (chosen, manifest) = choose(&*source, &top, &Wanted::default())?;
    let mut descriptor = chosen;
    if descriptor.platform.is_none() {
        descriptor.platform = platform_of(&*source, &manifest)?;
    }
    Ok(vec![found(descriptor)])
}

fn platform_of(source: &dyn Source, manifest: &RawManifest) -> Result<Option<Platform>> {
    let manifest = Manifest::parse(&manifest.bytes)?;
    let config = small_blob(source, &manifest.config)?;
    // An artifact's config says nothing of a platform.
    Ok(serde_json::from_slice::<ImageConfig>(&config).ok().map(|config| platform(&config)))
}

fn platform(config: &ImageConfig) -> Platform {
    let mut other = BTreeMap::new();
    if !config.os_version.is_empty() {
        other.insert("os.version".to_owned(), Value::from(config.os_version.as_str()));
    }
    if !config.os_features.is_empty() {
        other.insert("os.features".to_owned(), Value::from(config.os_features.as_slice()));
    }
    Platform {
        architecture: config.architecture.clone(),
        os: config.os.clone(),
        variant: config.variant.clone(),
        other,
    }
}

/// The digest of the entry that `text` names: by its digest, or as an image of the store.
pub(super) fn digest_of(builder: &Builder<'_>, list: &StoredList, text: &str) -> Result<Digest> {
    let written = text.rsplit_once('@').map_or(text, |(_, digest)| digest);
    let digest = match written.parse::<Digest>() {
        Ok(digest) => digest,
        Err(error) if written.starts_with("sha256:") => return Err(error),
        Err(_) => match builder.store.find_image(text) {
            Err(error) if error.kind() == Kind::NotFound => {
                beside::look(builder, text)?.ok_or(error)?.entry.manifest.digest
            }
            found => found?.manifest.digest,
        },
    };
    if list.index.manifests.iter().any(|entry| entry.digest == digest) {
        return Ok(digest);
    }
    let name = list.entry.names.first().cloned().unwrap_or_else(|| list.entry.id.short());
    Err(Error::new(Kind::NotFound, format!("cannot find `{text}` in the manifest list `{name}`"))
        .because("no entry has its digest")
        .hint(format!("see what there is with `kiln manifest inspect {name}`")))
}

/// The manifest of an entry that is in a registry.
pub(super) fn remote_manifest(source: &dyn Source, descriptor: &Descriptor) -> Result<RawManifest> {
    instance(source, descriptor).cannot("read the manifest", descriptor.digest)
}
