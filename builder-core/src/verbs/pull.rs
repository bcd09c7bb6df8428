//! `pull`: brings an image into the store.

use crate::builder::Builder;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::name::{Location, Pick, Reference};
use crate::oci::Digest;
use crate::transport::registry::{Access, Gateway};
use crate::transport::{CopyOptions, Places, Source, StoreSink, copy_image, open};
use crate::verbs::load::looks_like_a_tag;

/// Brings an image into the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Pull {
    /// Where it is: `oci:dir[:name]`.
    pub source: String,
    /// How a registry is reached.
    pub access: Access,
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
        match Location::parse(&self.source)? {
            Location::Store(_) => match builder.store.find_image(&self.source) {
                Ok(entry) => Ok(Pulled { id: entry.id, name: entry.names.first().cloned() }),
                Err(error) if error.kind() != Kind::NotFound => Err(error),
                Err(_) => self.bring_named(builder),
            },
            location => bring(builder, &location, &self.access),
        }
    }

    /// Brings the image that a name without transport means, from the first registry that has it.
    fn bring_named(&self, builder: &Builder<'_>) -> Result<Pulled> {
        let meant = Gateway::open(&builder.settings.registries, &self.access, builder.reporter())?
            .resolve(&self.source)?;
        let mut failed = None;
        for name in meant.names {
            match bring(builder, &Location::Registry(name), &self.access) {
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
}

/// Copies an image into the store.
fn bring(builder: &Builder<'_>, location: &Location, access: &Access) -> Result<Pulled> {
    let work = builder.store.work()?;
    let source = open::source(Places::of(builder, &work, access), location)?;
    let names = names_for(location, &*source)?;
    let sink = StoreSink::new(builder, &work, names.clone());
    let copied = copy_image(&*source, &sink, &CopyOptions::default(), builder.reporter())?;
    let id =
        copied.config.ok_or_else(|| Error::corrupt("cannot pull the image").because("it has no config"))?;
    Ok(Pulled { id, name: names.into_iter().next() })
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
