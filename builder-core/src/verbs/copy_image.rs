//! `image copy`: an image, or an index of several, from one place to another; neither need be the store.

use std::path::Path;

use crate::builder::Builder;
use crate::error::{Error, Result};
use crate::event::Reporter;
use crate::layer::Compression;
use crate::name::{DaemonImage, Location, Reference};
use crate::oci::{Digest, Format, Wanted};
use crate::settings::{MachineStorage, RegistrySettings};
use crate::store::Work;
use crate::transport::containers_storage::{to_read, to_write};
use crate::transport::registry::Access;
use crate::transport::{
    CopyOptions, Others, Places, Recompress, Sink, Source, StoreSink, StoreSource, Wants, Which, copy_image,
    open,
};

/// Copies an image between any two places.
#[derive(Debug, Clone, PartialEq)]
pub struct CopyImage {
    /// Where it is.
    pub source: Location,
    /// Where to.
    pub target: Location,
    /// What of an index is copied.
    pub which: Which,
    /// The platform that is chosen of an index.
    pub platform: Wanted,
    /// The family of media types at the target.
    pub format: Option<Format>,
    /// The form of the layers at the target.
    pub layers: Layers,
    /// The level of compression; each form's usual one, unless given.
    pub level: Option<i32>,
    /// Fails rather than change a digest.
    pub preserve_digests: bool,
    /// Leaves signatures behind.
    pub remove_signatures: bool,
    /// Further names at the target.
    pub additional_tags: Vec<String>,
    /// Layers that change their form are made before they are sent, so that a registry which has one is not sent it.
    pub precompute: bool,
    /// How a registry is reached that is the source.
    pub from: Access,
    /// How a registry is reached that is the target.
    pub to: Access,
}

/// The form that layers get at the target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Layers {
    /// What the target prefers: plain ones may be compressed.
    #[default]
    Preferred,
    /// As they are.
    Kept,
    /// Plain ones are compressed, where the target takes either.
    Compressed,
    /// Compressed ones are decompressed.
    Plain,
    /// They get this form. With `true` also those the target has in another compressed form; else those stay so.
    Form(Compression, bool),
}

/// An image that was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedImage {
    /// The digest of its manifest, or of the index, at the target.
    pub digest: Digest,
    /// The image id; none for an index.
    pub id: Option<Digest>,
}

/// What a copy needs to know of where it runs.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The store, where it has a part in it.
    pub builder: Option<&'a Builder<'a>>,
    /// Where large temporary files go, where the store has none.
    pub scratch: &'a Path,
    /// What is known of registries.
    pub registries: &'a RegistrySettings,
    /// Who is told.
    pub reporter: &'a dyn Reporter,
    /// The storage that other programs of this machine share.
    pub machine: &'a MachineStorage,
}

impl Layers {
    /// What the engine is told.
    pub(crate) fn options(self, level: Option<i32>) -> (Option<Wants>, Recompress) {
        let (wants, to, others) = match self {
            Layers::Preferred => (None, None, Others::Stay),
            Layers::Kept => (Some(Wants::Any), None, Others::Stay),
            Layers::Compressed => (Some(Wants::Compressed), None, Others::Stay),
            Layers::Plain => (Some(Wants::Plain), None, Others::Stay),
            Layers::Form(form, false) => (None, Some(form), Others::UnlessThere),
            Layers::Form(form, true) => (None, Some(form), Others::Change),
        };
        (wants, Recompress { to, level, others })
    }
}

impl CopyImage {
    /// Whether the store has a part in it.
    #[must_use]
    pub fn needs_store(&self) -> bool {
        [&self.source, &self.target].iter().any(|place| is_storage(place))
    }

    /// Copies.
    pub fn perform(&self, surroundings: &Surroundings<'_>) -> Result<CopiedImage> {
        let held = surroundings.builder.map(|builder| Ok((builder, builder.store.work()?))).transpose()?;
        let store = held.as_ref().map(|(builder, work)| (*builder, work));
        let reporter = surroundings.reporter;
        let from = Places {
            scratch: store
                .map_or(surroundings.scratch, |(builder, work)| builder.settings.scratch(work.dir())),
            registries: surroundings.registries,
            access: &self.from,
            reporter,
            machine: surroundings.machine,
            builder: surroundings.builder,
        };
        let to = Places { access: &self.to, ..from };
        let (wants, recompress) = self.layers.options(self.level);
        let options = CopyOptions {
            which: self.which.clone(),
            platform: self.platform.clone(),
            format: self.format,
            recompress,
            wants,
            preserve_digests: self.preserve_digests,
            remove_signatures: self.remove_signatures,
            precompute: self.precompute.then(|| from.scratch.to_owned()),
            also: Vec::new(),
        };
        let source = self.source(from, store)?;
        if matches!(self.source, Location::Registry(_)) {
            // Before anything is made at the target: what is not there leaves nothing behind.
            source.manifest()?;
        }
        // Names that cannot be given are told before anything is copied.
        let several = matches!(self.target, Location::DockerArchive { .. } | Location::Daemon(_));
        let more = self.additional_tags.iter().filter(|_| !several).map(|tag| renamed(&self.target, tag));
        let more = more.collect::<Result<Vec<_>>>()?;
        let copied = copy_image(&*source, &*self.sink(to, store)?, &options, reporter)?;
        for target in more {
            let again = CopyImage { target, additional_tags: Vec::new(), ..self.clone() };
            copy_image(&*source, &*again.sink(to, store)?, &options, reporter)?;
        }
        Ok(CopiedImage { digest: copied.manifest.digest, id: copied.config })
    }

    fn source<'a>(
        &self,
        places: Places<'a>,
        store: Option<(&'a Builder<'a>, &Work)>,
    ) -> Result<Box<dyn Source + 'a>> {
        match (&to_read(self.source.clone(), places.machine), store) {
            (Location::Store(name), Some((builder, work))) => {
                Ok(Box::new(StoreSource::new(builder, builder.store.hold_image(work, &name.to_string())?)))
            }
            (location, _) => open::source(places, location),
        }
    }

    fn sink<'a>(
        &self,
        places: Places<'a>,
        store: Option<(&'a Builder<'a>, &'a Work)>,
    ) -> Result<Box<dyn Sink + 'a>> {
        match (&to_write(self.target.clone(), places.machine), store) {
            (Location::Store(name), Some((builder, work))) => {
                Ok(Box::new(StoreSink::new(builder, work, vec![name.to_string()])))
            }
            (location @ Location::DockerArchive { .. }, _) => {
                open::docker_archive_sink(places, location, &self.additional_tags)
            }
            (Location::Daemon(image), _) => {
                let more = self.additional_tags.iter().map(|tag| DaemonImage::parse(tag)?.to_write());
                let names = std::iter::once(image.to_write()).chain(more).collect::<Result<_>>()?;
                open::daemon_sink(places, &self.target, names)
            }
            (location, _) => open::sink(places, location),
        }
    }
}

/// Whether a location is Kiln's store, or a storage that is written with owners and marks.
fn is_storage(location: &Location) -> bool {
    matches!(location, Location::Store(_) | Location::ContainersStorage { .. })
}

/// The same place under another name.
fn renamed(target: &Location, tag: &str) -> Result<Location> {
    match target {
        Location::Oci { dir, .. } => Location::parse(&format!("oci:{}:{tag}", dir.display())),
        Location::Registry(_) => Ok(Location::Registry(Reference::on_registry(tag)?)),
        Location::Store(_) => Ok(Location::Store(tag.parse()?)),
        Location::ContainersStorage { storage, .. } => {
            Ok(Location::ContainersStorage { storage: storage.clone(), image: tag.to_owned() })
        }
        other => Err(Error::invalid(format!("cannot give an image in `{other}` the name `{tag}` as well"))
            .because("there is one image of one name")
            .hint("leave out --additional-tag")),
    }
}
