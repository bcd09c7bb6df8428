//! `pull`: brings an image into the store.

use crate::builder::Builder;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::name::{Location, Pick, Reference};
use crate::oci::Digest;
use crate::transport::registry::{Access, Gateway};
use crate::transport::{CopyOptions, StoreSink, copy_image, open};

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
        let meant =
            Gateway::open(&builder.registries, &self.access, builder.reporter())?.resolve(&self.source)?;
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
    let source = open::source(builder, location, access)?;
    let name = match location {
        Location::Oci { dir, pick: Pick::Name(name) } => name_for(dir, Some(name)),
        Location::Oci { dir, .. } => name_for(dir, None),
        Location::Registry(name) => Some(name.to_string()),
        _ => None,
    };
    let work = builder.store.work()?;
    let sink = StoreSink::new(builder, &work, name.iter().cloned().collect());
    let copied = copy_image(&*source, &sink, &CopyOptions::default(), builder.reporter())?;
    let id =
        copied.config.ok_or_else(|| Error::corrupt("cannot pull the image").because("it has no config"))?;
    Ok(Pulled { id, name })
}

/// The name an image from a layout gets: its own there, else the directory's.
fn name_for(dir: &std::path::Path, name: Option<&str>) -> Option<String> {
    let full = |text: &str| {
        text.parse::<Reference>().ok().filter(|name| name.digest().is_none()).map(|n| n.to_string())
    };
    let of_dir = || {
        let dir = std::fs::canonicalize(dir).ok()?;
        full(&dir.file_name()?.to_str()?.to_lowercase())
    };
    match name {
        Some(name) if Reference::names_host(name) || !is_bare_tag(name) => full(name).or_else(of_dir),
        _ => of_dir(),
    }
}

/// Layouts often name an image by its tag alone, such as `latest` or `1.2`.
fn is_bare_tag(name: &str) -> bool {
    name == "latest" || name.starts_with(|c: char| c.is_ascii_digit()) && !name.contains('/')
}
