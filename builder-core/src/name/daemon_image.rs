//! What `docker-daemon:` is followed by: a name, completed as Docker completes it, or an image id.

use std::fmt;

use crate::error::{Error, Result};
use crate::name::{Reference, hub};
use crate::oci::Digest;

/// An image of a Docker daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DaemonImage {
    /// `NAME[:TAG]` or `NAME@sha256:…`; a name without host is of Docker's own registry.
    Name(Reference),
    /// `sha256:…`: the image with this id.
    Id(Digest),
}

impl DaemonImage {
    /// Reads what follows the transport.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        // All that begins so is meant as an id: no image may have this name.
        if text.starts_with("sha256:") {
            return text.parse().map(DaemonImage::Id);
        }
        let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hex {
            return Err(Error::invalid(format!("cannot use the image name `{text}`"))
                .because("it looks like an image id")
                .hint(format!("write docker-daemon:sha256:{text}")));
        }
        let full = if Reference::names_host(text) { text.to_owned() } else { format!("{}/{text}", hub()) };
        full.parse().map(DaemonImage::Name)
    }

    /// The name that an image gets; none where one cannot be given.
    pub(crate) fn to_write(&self) -> Result<String> {
        match self {
            DaemonImage::Name(name) if name.digest().is_none() => Ok(name.to_string()),
            _ => Err(Error::invalid(format!("cannot write to `docker-daemon:{self}`"))
                .because("a digest is not given, it follows from what is written")
                .hint("name the image: docker-daemon:NAME:TAG")),
        }
    }

    /// As a part of the path of a request: the characters of names and digests stand for themselves there.
    pub(crate) fn for_api(&self) -> String {
        match self {
            DaemonImage::Name(name) => name.to_string(),
            DaemonImage::Id(id) => id.to_string(),
        }
    }
}

/// As Docker shows it, its own registry left out.
impl fmt::Display for DaemonImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let full = self.for_api();
        let short = full.strip_prefix(&format!("{}/", hub()));
        f.write_str(short.map_or(full.as_str(), |short| short.strip_prefix("library/").unwrap_or(short)))
    }
}
