//! `pull`: brings an image into the store.

use crate::builder::Builder;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::name::{Location, Pick, Reference};
use crate::oci::Digest;
use crate::transport::registry::{Access, Gateway};
use crate::transport::{CopyOptions, Places, Source, StoreSink, Wanted, copy_image, open};
use crate::verbs::load::looks_like_a_tag;

/// When a registry is asked for an image that is meant by its name. Other places are always looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// Every time; an image that no registry has is an error.
    Always,
    /// If there is none in the store.
    #[default]
    Missing,
    /// Every time; where none can be reached, the one in the store does.
    Newer,
    /// Not at all.
    Never,
}

impl std::str::FromStr for PullPolicy {
    type Err = Error;

    /// The names of Buildah, older ones among them.
    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "always" => Ok(PullPolicy::Always),
            "missing" | "ifmissing" | "ifnotpresent" => Ok(PullPolicy::Missing),
            "newer" | "ifnewer" | "true" | "" => Ok(PullPolicy::Newer),
            "never" | "false" => Ok(PullPolicy::Never),
            _ => Err(Error::invalid(format!("cannot use the pull policy `{text}`"))
                .because("a policy is always, missing, newer or never")
                .hint("--pull=missing")),
        }
    }
}

/// Brings an image into the store.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pull {
    /// Where it is: `oci:dir[:name]`.
    pub source: String,
    /// How a registry is reached.
    pub access: Access,
    /// When one is asked.
    pub policy: PullPolicy,
    /// Which image of an index; this machine's, unless given.
    pub platform: Wanted,
}

/// An image that was brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// Its id.
    pub id: Digest,
    /// The full name it got.
    pub name: Option<String>,
}

impl Pull {
    /// Copies what is missing, unpacks it, and names it.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Pulled> {
        let location = Location::parse(&self.source)?;
        let policy = self.policy;
        match &location {
            Location::Store(_) => match (self.in_store(builder), policy) {
                (Ok(here), PullPolicy::Missing | PullPolicy::Never) => Ok(here),
                (Err(error), PullPolicy::Never) => Err(error.hint("bring it with --pull=missing")),
                (Err(error), _) if error.kind() != Kind::NotFound => Err(error),
                (Err(_), _) | (Ok(_), PullPolicy::Always) => self.bring_named(builder),
                (Ok(here), PullPolicy::Newer) => self.bring_named(builder).or_else(|error| {
                    builder.report(Event::warning(format!("using the image that is here: {error:?}")));
                    Ok(here)
                }),
            },
            Location::Registry(name) => match (self.in_store_by(builder, &name.to_string()), policy) {
                (Ok(here), PullPolicy::Missing | PullPolicy::Never) => Ok(here),
                (Err(error), PullPolicy::Never) => Err(error.hint("bring it with --pull=missing")),
                _ => self.bring(builder, &location),
            },
            _ => self.bring(builder, &location),
        }
    }

    /// The image of that name in the store, if it is for the platform that is wanted.
    fn in_store(&self, builder: &Builder<'_>) -> Result<Pulled> {
        self.in_store_by(builder, &self.source)
    }

    fn in_store_by(&self, builder: &Builder<'_>, text: &str) -> Result<Pulled> {
        let entry = builder.store.find_image(text)?;
        let pulled = Pulled { id: entry.id, name: entry.names.first().cloned() };
        if self.platform == Wanted::default() {
            return Ok(pulled);
        }
        let config = builder.store.load_image(entry)?.config;
        let fits = config.os == self.platform.os()
            && config.architecture == self.platform.arch()
            && self.platform.variant.as_ref().is_none_or(|variant| *variant == config.variant);
        if fits {
            return Ok(pulled);
        }
        let here = [config.os, config.architecture].join("/");
        Err(Error::new(Kind::NotFound, format!("cannot find the image `{text}`"))
            .because(format!("the one in the store is for {here}")))
    }

    /// Brings the image that a name without transport means, from the first registry that has it.
    fn bring_named(&self, builder: &Builder<'_>) -> Result<Pulled> {
        let meant = Gateway::open(&builder.settings.registries, &self.access, builder.reporter())?
            .resolve(&self.source)?;
        let mut failed = None;
        for name in meant.names {
            match self.bring(builder, &Location::Registry(name)) {
                Ok(pulled) => return Ok(pulled),
                Err(error) => {
                    if let Some(earlier) = failed.replace(error) {
                        builder.report(Event::warning(format!("{earlier:?}")));
                    }
                }
            }
        }
        Err(failed.unwrap_or_else(|| Error::new(Kind::NotFound, format!("cannot find `{}`", self.source))))
    }

    /// Copies an image into the store.
    fn bring(&self, builder: &Builder<'_>, location: &Location) -> Result<Pulled> {
        let work = builder.store.work()?;
        let source = open::source(Places::of(builder, &work, &self.access), location)?;
        let names = names_for(location, &*source)?;
        let sink = StoreSink::new(builder, &work, names.clone());
        let options = CopyOptions { platform: self.platform.clone(), ..CopyOptions::default() };
        let copied = copy_image(&*source, &sink, &options, builder.reporter())?;
        let sentence = "cannot pull the image";
        let id = copied.config.ok_or_else(|| Error::corrupt(sentence).because("it has no config"))?;
        Ok(Pulled { id, name: names.into_iter().next() })
    }
}

/// The names an image from elsewhere gets: what it is called there, or after the file or directory it is in.
fn names_for(location: &Location, source: &dyn Source) -> Result<Vec<String>> {
    let (path, picked) = match location {
        Location::DockerArchive { pick: Pick::Name(name), .. } => {
            return Ok(vec![name.parse::<Reference>()?.to_string()]);
        }
        Location::DockerArchive { .. } => {
            return source.tags()?.iter().map(|tag| Ok(tag.parse::<Reference>()?.to_string())).collect();
        }
        Location::OciArchive { path, pick: Pick::Name(name) } => (path, Some(name.clone())),
        Location::OciArchive { path, .. } => (path, source.tags()?.into_iter().next()),
        Location::Oci { dir, pick: Pick::Name(name) } => (dir, Some(name.clone())),
        Location::Oci { dir, .. } | Location::Dir(dir) => (dir, None),
        Location::Registry(name) => return Ok(vec![name.to_string()]),
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
