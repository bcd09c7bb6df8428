//! `pull`: brings an image into the store.

use crate::builder::Builder;
use crate::error::{Error, Kind, Result};
use crate::name::{Location, Pick, Reference};
use crate::oci::Digest;
use crate::transport::{CopyOptions, StoreSink, copy_image, open};

/// Brings an image into the store.
#[derive(Debug, Clone, PartialEq)]
pub struct Pull {
    /// Where it is: `oci:dir[:name]`.
    pub source: String,
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
            Location::Store(name) => match builder.store.find_image(&self.source) {
                Ok(entry) => Ok(Pulled { id: entry.id, name: entry.names.first().cloned() }),
                Err(_) => Err(Error::new(Kind::Unsupported, format!("cannot pull `{name}`"))
                    .because("it is not in the store, and this version talks to no registry")
                    .hint("pull from an OCI layout: kiln pull oci:DIRECTORY:NAME")),
            },
            location => bring(builder, &location),
        }
    }
}

/// Copies an image into the store.
fn bring(builder: &Builder<'_>, location: &Location) -> Result<Pulled> {
    let source = open::source(location)?;
    let name = match location {
        Location::Oci { dir, pick: Pick::Name(name) } => name_for(dir, Some(name)),
        Location::Oci { dir, .. } => name_for(dir, None),
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
