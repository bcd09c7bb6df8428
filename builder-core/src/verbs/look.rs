//! `image inspect`: what an image is, wherever it is; only its manifest and its config are read, whatever the
//! signature policy lets in: nothing comes of it.

use crate::error::{Context, Error, Kind, Result};
use crate::name::{Location, Pick};
use crate::oci::{Descriptor, Digest, ImageConfig, Manifest, Wanted};
use crate::store::images::REF_NAME;
use crate::transport::archive::{self, ArchiveFiles, Kept};
use crate::transport::containers_storage::to_read;
use crate::transport::convert;
use crate::transport::copy::{advised, choose, read_config, small_blob};
use crate::transport::files::Files;
use crate::transport::layout::LayoutSource;
use crate::transport::registry::{Access, Gateway, RegistrySource};
use crate::transport::source::RawManifest;
use crate::transport::{Places, Source, StoreSource, open};
use crate::tree::Root;
use crate::verbs::copy_image::Surroundings;
use crate::verbs::remote::Remote;

/// Looks at an image in any place.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Where it is.
    pub image: Location,
    /// The platform that is chosen of an index.
    pub platform: Wanted,
    /// How a registry is reached.
    pub access: Access,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Looked {
    /// The digest of what the location names: a manifest, or an index.
    pub digest: Digest,
    /// The manifest of the image for the platform.
    pub manifest: Manifest,
    /// Its config.
    pub config: ImageConfig,
    /// The config, byte for byte.
    pub config_bytes: Vec<u8>,
}

impl Look {
    /// Whether the store has a part in it.
    #[must_use]
    pub fn needs_store(&self) -> bool {
        matches!(self.image, Location::Store(_) | Location::ContainersStorage { storage: None, .. })
    }

    /// The manifest or the index that the location names, byte for byte.
    pub fn raw(&self, surroundings: &Surroundings<'_>) -> Result<Vec<u8>> {
        self.with_source(surroundings, |source| Ok(source.manifest()?.bytes))
    }

    /// The config of the image for the platform, byte for byte; that of an artifact may be anything.
    pub fn raw_config(&self, surroundings: &Surroundings<'_>) -> Result<Vec<u8>> {
        self.with_source(surroundings, |source| {
            let (_, chosen) = choose(source, &source.manifest()?, &self.platform)?;
            small_blob(source, &Manifest::parse(&chosen.bytes)?.config)
        })
    }

    /// Manifest and config of the image for the platform.
    pub fn perform(&self, surroundings: &Surroundings<'_>) -> Result<Looked> {
        self.with_source(surroundings, |source| self.read(source, &source.manifest()?))
    }

    /// As [`Look::perform`], and all tags of the repository, where the image is in one; they are listed while the rest
    /// is read.
    pub fn with_tags(&self, surroundings: &Surroundings<'_>) -> Result<(Looked, Vec<String>)> {
        let Location::Registry(name) = &self.image else {
            return Ok((self.perform(surroundings)?, Vec::new()));
        };
        let gateway = Gateway::open(surroundings.registries, &self.access, surroundings.reporter)?;
        let source = RegistrySource::open(&gateway, name, surroundings.reporter)?;
        let repository = source.primary().clone();
        std::thread::scope(|scope| {
            let tags = scope.spawn(|| repository.tags());
            let looked = source.manifest().and_then(|top| self.read(&source, &top)).map_err(advised)?;
            let tags = tags.join().unwrap_or_else(|_| {
                Err(Error::new(Kind::Io, format!("cannot list the tags of `{}`", name.repository()))
                    .because("a thread failed"))
            });
            Ok((looked, tags.map_err(|error| error.hint("leave the tags out with --no-tags"))?))
        })
    }

    fn read(&self, source: &dyn Source, top: &RawManifest) -> Result<Looked> {
        let (_, chosen) = choose(source, top, &self.platform)?;
        let manifest = Manifest::parse(&chosen.bytes)?;
        let (config_bytes, config) = read_config(source, &manifest).map_err(|error| {
            // Media types are checked last: there are images with odd ones, and they can be shown.
            match (error.kind(), convert::form_of_config(&manifest.config.media_type)) {
                (Kind::Corrupt, None) => not_shown(&self.image, &manifest.config),
                _ => error,
            }
        })?;
        Ok(Looked { digest: top.digest(), manifest, config, config_bytes })
    }

    fn places<'a>(&'a self, surroundings: &Surroundings<'a>) -> Places<'a> {
        Places {
            scratch: surroundings.scratch,
            registries: surroundings.registries,
            access: &self.access,
            reporter: surroundings.reporter,
            machine: surroundings.machine,
            builder: surroundings.builder,
        }
    }

    fn with_source<T>(
        &self,
        surroundings: &Surroundings<'_>,
        look: impl FnOnce(&dyn Source) -> Result<T>,
    ) -> Result<T> {
        let image = to_read(self.image.clone(), surroundings.machine);
        let Location::Store(name) = &image else {
            return look(&*open::unchecked(self.places(surroundings), &image)?).map_err(advised);
        };
        let builder = surroundings.builder.ok_or_else(|| {
            Error::invalid(format!("cannot look at `{name}`")).because("the store is not open")
        })?;
        let work = builder.store.work()?;
        look(&StoreSource::new(builder, builder.store.hold_image(&work, &name.to_string())?))
    }
}

fn not_shown(image: &Location, config: &Descriptor) -> Error {
    Error::new(Kind::Unsupported, format!("cannot describe `{image}`"))
        .because(format!("it is an artifact and no image: its config is of the type `{}`", config.media_type))
        .hint("see its manifest with --raw, and its config with --config --raw")
}

/// What a repository, an archive or a layout has: tags, or names.
pub fn tags(location: &Location, access: &Access, surroundings: &Surroundings<'_>) -> Result<Vec<String>> {
    match location {
        Location::Registry(name) => {
            let remote = Remote { name: name.clone(), access: access.clone() };
            remote.tags(surroundings.registries, surroundings.reporter)
        }
        Location::DockerArchive { path, .. } => {
            let files = ArchiveFiles(Kept::open(path, surroundings.scratch)?);
            let items = archive::docker_items(&files)?;
            Ok(items.into_iter().flat_map(|item| item.repo_tags.unwrap_or_default()).collect())
        }
        Location::Oci { dir, .. } => {
            let root = Root::open_host(dir).cannot("open the OCI layout", dir.display())?;
            layout_names(Box::new(root), location)
        }
        Location::OciArchive { path, .. } => {
            layout_names(Box::new(ArchiveFiles(Kept::open(path, surroundings.scratch)?)), location)
        }
        other => Err(Error::new(Kind::Unsupported, format!("cannot list the tags of `{other}`"))
            .because("there is one image in it")
            .hint("name a repository, docker://HOST/NAME, or an archive")),
    }
}

fn layout_names(files: Box<dyn Files>, location: &Location) -> Result<Vec<String>> {
    let index = LayoutSource::open(files, location.to_string(), Pick::Only)?.index()?;
    Ok(index.manifests.iter().filter_map(|entry| entry.annotations.get(REF_NAME).cloned()).collect())
}
