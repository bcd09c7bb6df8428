//! `push`: takes an image out of the store.

use crate::builder::Builder;
use crate::error::{Error, Kind, Result};
use crate::name::{Location, Reference};
use crate::oci::{Digest, Format};
use crate::store::Work;
use crate::store::images::ImageEntry;
use crate::transport::containers_storage::to_write;
use crate::transport::registry::Access;
use crate::transport::{BlobCache, CopyOptions, Places, Source, StoreSource, copy_image, open};
use crate::verbs::beside;
use crate::verbs::copy_image::Layers;
use crate::verbs::images::named_as;
use crate::verbs::manifest::ManifestPush;

/// Takes an image out of the store.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Push {
    /// The image, or a list of images, by name or id.
    pub image: String,
    /// Where to: a location, or a name in a registry; the registry of its own name, unless given.
    pub target: Option<String>,
    /// Of a list, all of its images.
    pub all: bool,
    /// The form of the layers there.
    pub layers: Layers,
    /// The level of compression; each form's usual one, unless given.
    pub level: Option<i32>,
    /// The media types; the image's own where the target takes them, unless given.
    pub format: Option<Format>,
    /// Leaves signatures behind.
    pub remove_signatures: bool,
    /// Removes a list afterwards.
    pub rm: bool,
    /// How a registry is reached.
    pub access: Access,
}

impl Push {
    /// Writes what the target does not have, and gives the digest of the manifest there.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Digest> {
        let entry = match builder.store.find_image(&self.image) {
            Err(error) if error.kind() == Kind::NotFound => {
                let there = beside::find(builder, &self.image)?.ok_or(error)?;
                let work = builder.store.work()?;
                let entry = ImageEntry::new(there.id(), there.manifest()?.descriptor(), there.tags()?);
                return self.send(builder, &work, &there, &entry);
            }
            entry => entry?,
        };
        if entry.is_list() && self.all {
            return self.list().perform(builder);
        }
        if self.rm && !entry.is_list() {
            return Err(Error::invalid(format!("cannot remove `{}` afterwards", self.image))
                .because("--rm is for lists of images")
                .hint("leave out --rm, and remove the image with `kiln rmi`"));
        }
        let work = builder.store.work()?;
        let image = builder.store.hold_image(&work, &self.image)?;
        let digest = self.send(builder, &work, &StoreSource::new(builder, image), &entry)?;
        if self.rm {
            super::manifest::remove_list(builder, &entry.id.hex())?;
        }
        Ok(digest)
    }

    /// Copies an image, which has the names of this entry here.
    fn send(
        &self,
        builder: &Builder<'_>,
        work: &Work,
        source: &dyn Source,
        entry: &ImageEntry,
    ) -> Result<Digest> {
        let location = to_write(self.location(&entry.names)?, &builder.settings.machine);
        let places = Places::of(builder, work, &self.access);
        let sink = match &location {
            // As Buildah does: the image keeps its name there, beside the one that is given.
            Location::DockerArchive { .. } => {
                let own = named_as(entry, &self.image).filter(|name| !name.contains('@'));
                open::docker_archive_sink(places, &location, own.as_slice())?
            }
            location => open::sink(places, location)?,
        };
        let (wants, recompress) = self.layers.options(self.level);
        let options = CopyOptions {
            format: self.format,
            recompress,
            wants,
            remove_signatures: self.remove_signatures,
            ..CopyOptions::default()
        };
        let cache = BlobCache::of(&builder.settings);
        cache.as_ref().map_or(Ok(()), |cache| cache.keep_for(source, &*sink, &options))?;
        let cached = cache.as_ref().map(|cache| cache.before(source));
        let source = cached.as_ref().map_or(source, |cached| cached as &dyn Source);
        let copied = copy_image(source, &*sink, &options, builder.reporter())?;
        Ok(copied.manifest.digest)
    }

    fn list(&self) -> ManifestPush {
        ManifestPush {
            list: self.image.clone(),
            target: self.target.clone(),
            all: true,
            format: self.format,
            layers: self.layers,
            level: self.level,
            also: Vec::new(),
            remove_signatures: self.remove_signatures,
            rm: self.rm,
            access: self.access.clone(),
        }
    }

    /// Where to: what was said, or the registry of the name the image was called by.
    fn location(&self, names: &[String]) -> Result<Location> {
        match &self.target {
            Some(target) if Location::has_transport(target) => Location::parse(target),
            Some(target) => Ok(Location::Registry(Reference::on_registry(target)?)),
            None => {
                let called = self.image.parse::<Reference>().ok().map(|name| name.to_string());
                let own = names.iter().find(|name| Some(*name) == called.as_ref()).or(names.first());
                let own = own.ok_or_else(|| {
                    Error::invalid(format!("cannot push `{}`", self.image))
                        .because("it has no name that says where to")
                        .hint(format!("name the target: kiln push {} docker://HOST/NAME:TAG", self.image))
                })?;
                Ok(Location::Registry(own.parse()?))
            }
        }
    }
}
