//! `pull`: brings an image into the store.

use crate::builder::Builder;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::name::{DaemonImage, Location, Pick, Reference};
use crate::oci::{Digest, ImageConfig, Wanted};
use crate::store::images::ImageEntry;
use crate::transport::containers_storage::{StorageSource, to_read};
use crate::transport::registry::{Access, Gateway};
use crate::transport::{BlobCache, CopyOptions, Places, Source, StoreSink, StoreSource, copy_image, open};
use crate::verbs::beside;
use crate::verbs::copy_image::Surroundings;
use crate::verbs::load::looks_like_a_tag;
use crate::verbs::look::tags;

/// Brings an image into the store.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pull {
    /// Its name, or where it is: `oci:dir[:name]` …
    pub source: String,
    /// When an image in the store will do.
    pub policy: Policy,
    /// The platform that is chosen of an index.
    pub platform: Wanted,
    /// Leaves signatures behind.
    pub remove_signatures: bool,
    /// How a registry is reached.
    pub access: Access,
}

/// When an image in the store will do in place of one that would be brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Policy {
    /// When it is there.
    #[default]
    Missing,
    /// Never: it is brought, but for what of it is here.
    Always,
    /// Always: nothing is brought.
    Never,
    /// When the registry has no other, or cannot be asked.
    Newer,
}

/// An image that was brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// Its id.
    pub id: Digest,
    /// The full name it got.
    pub name: Option<String>,
}

impl Pulled {
    /// An image that is in the machine's storage already.
    fn beside(source: &StorageSource) -> Result<Self> {
        Ok(Pulled { id: source.id(), name: source.tags()?.into_iter().next() })
    }
}

impl Pull {
    /// Copies what is missing, unpacks it, and names it.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Pulled> {
        let location = to_read(Location::parse(&self.source)?, &builder.settings.machine);
        let here = match &location {
            Location::Store(_) => builder.store.find_image(&self.source),
            Location::Registry(name) => builder.store.find_image(&name.to_string()),
            // What is in a file is read again: it may be another by now.
            _ if self.policy != Policy::Never => return self.bring(builder, &location),
            location => Err(Error::new(Kind::NotFound, format!("cannot use `{location}`"))
                .because("with --policy never, nothing is brought into the store")),
        };
        let here = match here {
            Ok(entry) if entry.is_list() => {
                let work = builder.store.work()?;
                builder.store.hold_image(&work, &entry.id.hex()).map(|image| image.entry)
            }
            Ok(entry) if self.platform != Wanted::default() => self.of_platform(builder, entry),
            here => here,
        };
        let beside = match location {
            Location::Store(_) | Location::Registry(_) if self.platform == Wanted::default() => {
                beside::find(builder, &self.store_name(&location))?
            }
            _ => None,
        };
        let here = match here {
            _ if beside.is_some() => beside.map(|source| Pulled::beside(&source)).transpose()?,
            Ok(entry) => Some(Pulled { id: entry.id, name: entry.names.first().cloned() }),
            Err(error) if error.kind() == Kind::NotFound && self.policy != Policy::Never => None,
            Err(error) => return Err(error),
        };
        match (here, self.policy) {
            (Some(here), Policy::Missing | Policy::Never) => Ok(here),
            (Some(here), Policy::Newer) => self.bring_any(builder, &location).or_else(|error| {
                builder.report(Event::warning(format!("the image in the store is used: {error:?}")));
                Ok(here)
            }),
            _ => self.bring_any(builder, &location),
        }
    }

    /// What an image of this location is called here.
    fn store_name(&self, location: &Location) -> String {
        match location {
            Location::Registry(name) => name.to_string(),
            _ => self.source.clone(),
        }
    }

    /// The image in the store, if it is for the platform that is wanted.
    fn of_platform(&self, builder: &Builder<'_>, entry: ImageEntry) -> Result<ImageEntry> {
        let config = builder.store.load_image(entry.clone())?.config;
        if config.is_for(&self.platform) {
            return Ok(entry);
        }
        Err(Error::new(Kind::NotFound, format!("cannot find the image `{}`", self.source))
            .because(format!("the one in the store is for {}/{}", config.os, config.architecture))
            .hint("let it be brought from a registry: --pull=missing"))
    }

    /// All tags of a repository, or all images of an archive or a layout.
    pub fn all(&self, builder: &Builder<'_>) -> Result<Vec<Pulled>> {
        let location = match Location::parse(&self.source)? {
            Location::Store(_) => {
                let settings = &builder.settings.registries;
                let meant =
                    Gateway::open(settings, &self.access, builder.reporter())?.resolve(&self.source)?;
                Location::Registry(meant.names.into_iter().next().ok_or_else(|| self.unknown())?)
            }
            location => location,
        };
        let work = builder.store.work()?;
        let surroundings = Surroundings {
            builder: Some(builder),
            scratch: builder.settings.scratch(work.dir()),
            registries: &builder.settings.registries,
            reporter: builder.reporter(),
            machine: &builder.settings.machine,
        };
        if let Location::Registry(name) = &location {
            if self.source.rsplit('/').next().is_some_and(|last| last.contains([':', '@'])) {
                return Err(Error::invalid(format!("cannot pull all tags of `{}`", self.source))
                    .because("it names one of them")
                    .hint(format!("leave it out: kiln pull --all-tags {}", name.repository())));
            }
            let tags = tags(&location, &self.access, &surroundings)?;
            let one = |tag: &String| -> Result<Pulled> {
                let name = format!("{}:{tag}", name.repository()).parse()?;
                self.bring(builder, &Location::Registry(name))
            };
            return tags.iter().map(one).collect();
        }
        let names = tags(&location, &self.access, &surroundings)?;
        names.iter().map(|name| self.bring(builder, &at(&location, name))).collect()
    }

    fn unknown(&self) -> Error {
        Error::new(Kind::NotFound, format!("cannot find `{}`", self.source))
    }

    fn bring_any(&self, builder: &Builder<'_>, location: &Location) -> Result<Pulled> {
        match location {
            Location::Store(_) => self.bring_named(builder),
            location => self.bring(builder, location),
        }
    }

    /// Brings the image that a name without transport means, from the first registry that has it.
    fn bring_named(&self, builder: &Builder<'_>) -> Result<Pulled> {
        let settings = &builder.settings.registries;
        let gateway = Gateway::open(settings, &self.access, builder.reporter())?;
        let meant = gateway.resolve(&self.source)?;
        let mut failed = None;
        for name in &meant.names {
            match self.bring(builder, &Location::Registry(name.clone())) {
                Ok(pulled) => {
                    if let Err(error) = gateway.remember(&meant) {
                        builder
                            .report(Event::warning(format!("what was chosen is not remembered: {error:?}")));
                    }
                    return Ok(pulled);
                }
                Err(error) => {
                    if let Some(earlier) = failed.replace(error) {
                        builder.report(Event::warning(format!("{earlier:?}")));
                    }
                }
            }
        }
        Err(failed.unwrap_or_else(|| self.unknown()))
    }

    /// Copies an image into the store.
    fn bring(&self, builder: &Builder<'_>, location: &Location) -> Result<Pulled> {
        let work = builder.store.work()?;
        let source = open::source(Places::of(builder, &work, &self.access), location)?;
        let names = names_for(location, &*source)?;
        let sink = StoreSink::new(builder, &work, names.clone());
        let options = CopyOptions {
            platform: self.platform.clone(),
            remove_signatures: self.remove_signatures,
            ..CopyOptions::default()
        };
        let cache = BlobCache::of(&builder.settings);
        let cached = cache.as_ref().map(|cache| cache.before(&*source));
        let from = cached.as_ref().map_or(&*source, |cached| cached as &dyn Source);
        let copied = copy_image(from, &sink, &options, builder.reporter())?;
        let id = copied
            .config
            .ok_or_else(|| Error::corrupt("cannot pull the image").because("it has no config"))?;
        if let Some(cache) = &cache {
            let image = builder.store.hold_image(&work, &id.hex())?;
            cache.keep(&StoreSource::new(builder, image), CopyOptions::default())?;
        }
        if self.platform != Wanted::default() {
            let name = names.first().cloned().unwrap_or_else(|| location.to_string());
            let image = builder.store.hold_image(&work, &id.hex())?;
            tell_platform(builder, &name, &image.config, &self.platform);
        }
        beside::publish(builder, &work, id, &names)?;
        Ok(Pulled { id, name: names.into_iter().next() })
    }
}

/// Tells of an image that is for another platform than the one asked for: who has only one gives it, whatever is asked.
pub(super) fn tell_platform(builder: &Builder<'_>, name: &str, config: &ImageConfig, wanted: &Wanted) {
    let ImageConfig { os, architecture, .. } = config;
    if *wanted != Wanted::default() && !architecture.is_empty() && !config.is_for(wanted) {
        let text = format!("the image `{name}` is for {os}/{architecture}, and not for {wanted}");
        builder.report(Event::warning(text));
    }
}

/// The image of this name at a location that has several.
fn at(location: &Location, name: &str) -> Location {
    let pick = Pick::Name(name.to_owned());
    match location.clone() {
        Location::Oci { dir, .. } => Location::Oci { dir, pick },
        Location::OciArchive { path, .. } => Location::OciArchive { path, pick },
        Location::DockerArchive { path, .. } => Location::DockerArchive { path, pick },
        other => other,
    }
}

/// The names an image from elsewhere gets: what it is called there, or after the file or directory it is in.
fn names_for(location: &Location, source: &dyn Source) -> Result<Vec<String>> {
    let (path, picked) = match location {
        Location::DockerArchive { .. } => {
            return source.tags()?.iter().map(|tag| Ok(tag.parse::<Reference>()?.to_string())).collect();
        }
        Location::OciArchive { path, pick: Pick::Name(name) } => (path, Some(name.clone())),
        Location::OciArchive { path, .. } => (path, source.tags()?.into_iter().next()),
        Location::Oci { dir, pick: Pick::Name(name) } => (dir, Some(name.clone())),
        Location::Oci { dir, .. } | Location::Dir(dir) => (dir, None),
        Location::Registry(name) | Location::Daemon(DaemonImage::Name(name)) => {
            return Ok(vec![name.to_string()]);
        }
        Location::ContainersStorage { .. } => return source.tags(),
        _ => return Ok(Vec::new()),
    };
    let full = |text: &str| {
        text.parse::<Reference>().ok().filter(|name| name.digest().is_none()).map(|n| n.to_string())
    };
    let named = picked.filter(|name| Reference::names_host(name) || !looks_like_a_tag(name));
    let of_path = || {
        let path = std::fs::canonicalize(path).ok()?;
        full(&path.file_name()?.to_str()?.to_lowercase())
    };
    Ok(named.as_deref().and_then(full).or_else(of_path).into_iter().collect())
}
