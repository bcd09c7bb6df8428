//! Locations: an image somewhere, `transport:rest`, as Skopeo and Buildah write them.

use std::fmt;
use std::path::PathBuf;

use crate::error::{Error, Kind, Result};
use crate::name::Reference;

/// Where an image is or shall go.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// `oci:DIRECTORY[:NAME]`: an OCI image layout.
    Oci {
        /// The layout's directory.
        dir: PathBuf,
        /// The `org.opencontainers.image.ref.name` of the image in it.
        name: Option<String>,
    },
    /// A name in the store.
    Store(Reference),
}

/// Transports of the field that this version does not have.
const KNOWN: [&str; 9] = [
    "docker",
    "oci-archive",
    "docker-archive",
    "dir",
    "docker-daemon",
    "containers-storage",
    "ostree",
    "sif",
    "tarball",
];

impl Location {
    /// Whether `text` starts with a transport, as `oci:` does.
    #[must_use]
    pub fn has_transport(text: &str) -> bool {
        text.split_once(':').is_some_and(|(head, _)| head == "oci" || KNOWN.contains(&head))
    }

    /// Reads `oci:DIRECTORY[:NAME]`, or a plain name for the store.
    pub fn parse(text: &str) -> Result<Self> {
        match text.split_once(':') {
            Some(("oci", rest)) => parse_oci(text, rest),
            Some((head, _)) if KNOWN.contains(&head) => {
                Err(Error::new(Kind::Unsupported, format!("cannot use `{text}`"))
                    .because(format!("this version has no `{head}:` transport"))
                    .hint("use an OCI layout: oci:DIRECTORY:NAME"))
            }
            _ => Ok(Location::Store(text.parse()?)),
        }
    }
}

fn parse_oci(text: &str, rest: &str) -> Result<Location> {
    let (dir, name) = match rest.split_once(':') {
        Some((dir, name)) => (dir, Some(name)),
        None => (rest, None),
    };
    let refuse = |why: &'static str| {
        Err(Error::invalid(format!("cannot use `{text}`")).because(why).hint("write oci:DIRECTORY:NAME"))
    };
    if dir.is_empty() {
        return refuse("it names no directory");
    }
    // The grammar of `org.opencontainers.image.ref.name` in the OCI image specification.
    let fits = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"-._:@+/".contains(&c))
    };
    match name {
        Some("") | None => Ok(Location::Oci { dir: dir.into(), name: None }),
        Some(name) if fits(name) => Ok(Location::Oci { dir: dir.into(), name: Some(name.into()) }),
        Some(_) => refuse("the name has a character that OCI layouts do not allow"),
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Oci { dir, name: None } => write!(f, "oci:{}", dir.display()),
            Location::Oci { dir, name: Some(name) } => write!(f, "oci:{}:{name}", dir.display()),
            Location::Store(name) => name.fmt(f),
        }
    }
}
