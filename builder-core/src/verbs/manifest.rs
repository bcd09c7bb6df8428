//! `manifest`: lists of images for several platforms, made here entry by entry and pushed with what they name.

mod artifact;
mod entry;
mod source;

pub use artifact::Artifact;
pub use entry::EntryEdit;

use std::collections::BTreeMap;

use crate::builder::Builder;
use crate::error::{Error, Kind, Result};
use crate::layer::Compression;
use crate::name::{Location, Reference};
use crate::oci::{Descriptor, Digest, Format, Index, media_type};
use crate::store::lists::StoredList;
use crate::transport::registry::Access;
use crate::transport::{BlobCache, CopyOptions, Places, Source, Which, copy_image, open};
use crate::verbs::beside::lists;
use crate::verbs::copy_image::Layers;
use crate::verbs::images::{Removed, Rmi};

/// Makes a list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ManifestCreate {
    /// Its name.
    pub name: String,
    /// Images to put into it.
    pub images: Vec<String>,
    /// Of an image that is a list, all of its images.
    pub all: bool,
    /// What to do with a list that has the name.
    pub existing: Existing,
    /// Remarks on the list itself.
    pub annotations: BTreeMap<String, String>,
    /// How a registry is reached.
    pub access: Access,
}

/// What becomes of a list that exists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Existing {
    /// It is an error.
    #[default]
    Refuse,
    /// It is added to.
    Amend,
    /// It loses its name to the new one.
    Replace,
}

/// Puts an image, or files as an artifact, into a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ManifestAdd {
    /// The list, by name or id.
    pub list: String,
    /// What is put into it.
    pub what: Added,
    /// Of an image that is a list, all of its images.
    pub all: bool,
    /// What the entry says otherwise than the image.
    pub edit: EntryEdit,
    /// How a registry is reached.
    pub access: Access,
}

/// What is put into a list.
#[derive(Debug, Clone, PartialEq)]
pub enum Added {
    /// An image: a name in the store or in a registry, or a location.
    Image(String),
    /// Files.
    Artifact(Artifact),
}

/// Changes what a list says of an entry, or of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct ManifestAnnotate {
    /// The list, by name or id.
    pub list: String,
    /// The entry, by digest or by the image's name; none for the list itself.
    pub entry: Option<String>,
    /// What is changed; of the list itself, annotations only.
    pub edit: EntryEdit,
    /// The image that the list is about.
    pub subject: Option<String>,
}

/// Takes an entry out of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestRemove {
    /// The list, by name or id.
    pub list: String,
    /// The entry, by digest or by the image's name.
    pub entry: String,
}

/// Sends a list, with what it names unless told otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct ManifestPush {
    /// The list, by name or id.
    pub list: String,
    /// Where to; the registry of its name, unless given.
    pub target: Option<String>,
    /// The images too.
    pub all: bool,
    /// The family of media types.
    pub format: Option<Format>,
    /// The form of the layers.
    pub layers: Layers,
    /// The level of compression.
    pub level: Option<i32>,
    /// Forms of layers that each image is sent in as well, if it is not there in that form.
    pub also: Vec<Compression>,
    /// Leaves signatures behind.
    pub remove_signatures: bool,
    /// Removes the list afterwards.
    pub rm: bool,
    /// How a registry is reached.
    pub access: Access,
}

/// A list that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedList {
    /// Its id.
    pub id: Digest,
    /// The entry that was added, changed or taken out; of several, the first. None for the list itself.
    pub entry: Option<Digest>,
}

impl ManifestCreate {
    /// Makes the list, or adds to the one there is. Gives its id.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Digest> {
        let name: Reference = self.name.parse()?;
        let store = &builder.store;
        let work = store.work()?;
        // All of them are found before anything is made.
        let mut added = Vec::new();
        for image in &self.images {
            added.extend(entry::find(builder, &work, image, self.all, &self.access)?);
        }
        let existing = lists::find(builder, &name.to_string()).ok();
        let id = match (existing, self.existing) {
            (Some(list), Existing::Amend) => list.entry.id,
            (None, _)
                if store.find_image(&name.to_string()).is_ok() && self.existing != Existing::Replace =>
            {
                return Err(self.taken("an image has this name"));
            }
            (Some(_), Existing::Refuse) => return Err(self.taken("a list has this name already")),
            _ => store.make_list(&work, &Index::default(), &[name.to_string()])?,
        };
        store.edit_list(&work, id, |list| {
            list.index.annotations.extend(self.annotations.clone());
            added.into_iter().for_each(|found| found.put(list, &EntryEdit::default()));
            settle(list);
            Ok(())
        })?;
        lists::publish(builder, &work, id)?;
        Ok(id)
    }

    fn taken(&self, why: &str) -> Error {
        Error::new(Kind::Exists, format!("cannot make the manifest list `{}`", self.name))
            .because(why.to_owned())
            .hint(format!(
                "add to it with `kiln manifest create --amend {}`, or take another name",
                self.name
            ))
    }
}

impl ManifestAdd {
    /// Adds it; an entry of the same digest is replaced.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<ChangedList> {
        let store = &builder.store;
        let list = lists::find(builder, &self.list)?;
        let work = store.work()?;
        let found = match &self.what {
            Added::Image(image) => entry::find(builder, &work, image, self.all, &self.access)?,
            Added::Artifact(artifact) => vec![artifact.store(builder, &work)?],
        };
        let entry = found.first().map(|found| found.descriptor.digest);
        store.edit_list(&work, list.entry.id, |list| {
            found.into_iter().for_each(|found| found.put(list, &self.edit));
            settle(list);
            Ok(())
        })?;
        lists::publish(builder, &work, list.entry.id)?;
        Ok(ChangedList { id: list.entry.id, entry })
    }
}

impl ManifestAnnotate {
    /// Changes the entry, or the list.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<ChangedList> {
        let store = &builder.store;
        let list = lists::find(builder, &self.list)?;
        let work = store.work()?;
        let subject = match &self.subject {
            Some(image) => {
                let found = entry::find(builder, &work, image, false, &Access::default())?;
                found.into_iter().next().map(|found| Descriptor { platform: None, ..found.descriptor })
            }
            None => None,
        };
        let digest = match &self.entry {
            Some(text) => Some(entry::digest_of(builder, &list, text)?),
            None => None,
        };
        store.edit_list(&work, list.entry.id, |list| {
            if let Some(subject) = &subject {
                let subject = serde_json::to_value(subject).expect("plain data");
                list.index.other.insert("subject".into(), subject);
            }
            match digest {
                None => list.index.annotations.extend(self.edit.annotations.clone()),
                Some(digest) => {
                    let entries = list.index.manifests.iter_mut().filter(|entry| entry.digest == digest);
                    entries.for_each(|entry| self.edit.apply(entry));
                }
            }
            settle(list);
            Ok(())
        })?;
        lists::publish(builder, &work, list.entry.id)?;
        Ok(ChangedList { id: list.entry.id, entry: digest })
    }
}

impl ManifestRemove {
    /// Takes the entry out.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<ChangedList> {
        let store = &builder.store;
        let list = lists::find(builder, &self.list)?;
        let digest = entry::digest_of(builder, &list, &self.entry)?;
        let work = store.work()?;
        store.edit_list(&work, list.entry.id, |list| {
            list.index.manifests.retain(|entry| entry.digest != digest);
            settle(list);
            Ok(())
        })?;
        lists::publish(builder, &work, list.entry.id)?;
        Ok(ChangedList { id: list.entry.id, entry: Some(digest) })
    }
}

impl ManifestPush {
    /// Sends it. Gives the digest of the index at the target.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Digest> {
        let list = lists::find(builder, &self.list)?;
        let id = list.entry.id;
        let target = match &self.target {
            Some(target) if Location::has_transport(target) => Location::parse(target)?,
            Some(target) => Location::Registry(Reference::on_registry(target)?),
            None => Location::Registry(self.own_name(&list)?),
        };
        let work = builder.store.work()?;
        builder.store.lease(&work, [list.entry.manifest.digest.hex().as_str()])?;
        let places = Places::of(builder, &work, &self.access);
        let source = source::ListSource::new(builder, places, list)?;
        let (wants, recompress) = self.layers.options(self.level);
        let options = CopyOptions {
            which: if self.all { Which::All } else { Which::IndexOnly },
            format: self.format,
            recompress,
            wants,
            remove_signatures: self.remove_signatures,
            also: self.also.clone(),
            ..CopyOptions::default()
        };
        let sink = open::sink(places, &target)?;
        let cache = BlobCache::of(&builder.settings);
        cache.as_ref().map_or(Ok(()), |cache| cache.keep_for(&source, &*sink, &options))?;
        let cached = cache.as_ref().map(|cache| cache.before(&source));
        let source: &dyn Source = cached.as_ref().map_or(&source, |cached| cached);
        let copied = copy_image(source, &*sink, &options, builder.reporter())?;
        if self.rm {
            remove_list(builder, &id.hex())?;
        }
        Ok(copied.manifest.digest)
    }

    fn own_name(&self, list: &StoredList) -> Result<Reference> {
        let name = list.entry.names.first().ok_or_else(|| {
            Error::invalid(format!("cannot push the manifest list `{}`", self.list))
                .because("it has no name that says where to")
                .hint("name the target: kiln manifest push LIST docker://HOST/NAME:TAG")
        })?;
        name.parse()
    }
}

/// The index as JSON shows it: of a list in the store, or of what a location names.
pub fn inspect_manifest(builder: &Builder<'_>, text: &str, access: &Access) -> Result<serde_json::Value> {
    let read = |bytes: &[u8]| {
        serde_json::from_slice(bytes)
            .map_err(|cause| Error::corrupt(format!("cannot read the manifest of `{text}`")).because(cause))
    };
    if !Location::has_transport(text) {
        match lists::find(builder, text) {
            Ok(list) => return Ok(serde_json::to_value(&list.index).expect("an index has only string keys")),
            Err(error) if error.kind() != Kind::NotFound => return Err(error),
            Err(_) => {}
        }
    }
    let location = match Location::has_transport(text) {
        true => Location::parse(text)?,
        false if builder.store.find_image(text).is_ok() => {
            // An image: its manifest is shown, as it is no list.
            let image = builder.store.load_image(builder.store.find_image(text)?)?;
            return read(&image.manifest_bytes);
        }
        false => Location::Registry(Reference::on_registry(text)?),
    };
    let work = builder.store.work()?;
    let source = open::source(Places::of(builder, &work, access), &location)?;
    read(&source.manifest()?.bytes)
}

/// Whether there is a list of this name or id.
pub fn manifest_exists(builder: &Builder<'_>, text: &str) -> Result<bool> {
    match builder.store.find_list(text) {
        Err(error) if error.kind() == Kind::NotFound && lists::has(builder, text)? => Ok(true),
        Ok(_) => Ok(true),
        Err(error) if error.kind() == Kind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes a list with all its names; the images in it stay where they have names of their own.
pub fn remove_list(builder: &Builder<'_>, text: &str) -> Result<Removed> {
    lists::find(builder, text)?;
    Rmi { image: text.to_owned(), force: true }.perform(builder)
}

/// Which family the index is of: Docker's if all it names is, and it says nothing that only OCI's can say.
fn settle(list: &mut StoredList) {
    let index = &mut list.index;
    let docker =
        |entry: &Descriptor| entry.media_type == media_type::DOCKER_MANIFEST && entry.annotations.is_empty();
    let plain = index.annotations.is_empty() && index.other.is_empty();
    let docker = plain && !index.manifests.is_empty() && index.manifests.iter().all(docker);
    index.media_type = if docker { Format::Docker.index() } else { Format::Oci.index() }.into();
}

/// A manifest and where it is, unless that is the store.
struct Found {
    descriptor: Descriptor,
    elsewhere: Option<String>,
}

impl Found {
    /// Puts it into a list; an entry of its digest keeps its place.
    fn put(mut self, list: &mut StoredList, edit: &EntryEdit) {
        edit.apply(&mut self.descriptor);
        let digest = self.descriptor.digest;
        match self.elsewhere {
            Some(place) => drop(list.elsewhere.insert(digest, place)),
            None => drop(list.elsewhere.remove(&digest)),
        }
        match list.index.manifests.iter_mut().find(|entry| entry.digest == digest) {
            Some(entry) => *entry = self.descriptor,
            None => list.index.manifests.push(self.descriptor),
        }
    }
}
