//! Image names: `[host[:port]/]path[:tag][@digest]`, with the distribution specification's character rules.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::name::{hub_alias, is_hub};
use crate::oci::Digest;

/// The longest name the distribution specification allows, without tag and digest.
const MAX_NAME: usize = 255;

/// A full image name. One without host got `localhost/`, one without tag or digest got `:latest`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    host: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// The host with its port, e.g. `localhost`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path on that host, e.g. `team/base`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The last part of the path: what a working container is named after.
    #[must_use]
    pub fn base(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Host and path, without tag and digest.
    #[must_use]
    pub fn repository(&self) -> String {
        format!("{}/{}", self.host, self.path)
    }

    /// The tag.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Whether `tag`, as an archive has it, is what the text means, both completed as Docker completes a name.
    #[must_use]
    pub fn is_same_for_docker(text: &str, tag: &str) -> bool {
        let (wanted, there) = (Reference::on_registry(text), Reference::on_registry(tag));
        matches!((wanted, there), (Ok(wanted), Ok(there)) if wanted == there)
    }

    /// As [`Reference::is_same_for_docker`], but a name without a host means one of any host.
    #[must_use]
    pub fn is_meant(text: &str, tag: &str) -> bool {
        let (Ok(wanted), Ok(there)) = (text.parse::<Reference>(), tag.parse::<Reference>()) else {
            return false;
        };
        // Docker keeps names of one part there.
        let path = there.path.strip_prefix("library/").filter(|path| !path.contains('/'));
        let is_path = there.path == wanted.path || path == Some(&wanted.path);
        wanted == there || (!Reference::names_host(text) && is_path && wanted.tag == there.tag)
    }

    /// Whether the text names a host itself: its first part has a dot or a port, or is `localhost`.
    #[must_use]
    pub fn names_host(text: &str) -> bool {
        text.split_once('/').is_some_and(|(first, _)| is_host(first))
    }
}

fn is_host(part: &str) -> bool {
    part == "localhost" || part.contains('.') || part.contains(':')
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = |why: &str| {
            let shown: String = text.chars().take(100).collect();
            Err(Error::invalid(format!("cannot use the image name `{shown}`"))
                .because(why.to_owned())
                .hint("a name is [HOST/]PATH[:TAG], for example localhost/app:1.0"))
        };
        let (rest, digest) = match text.split_once('@') {
            // What is before it may be a password, and is not shown.
            Some((_, host)) if host.contains(['/', '@']) && !host.starts_with("sha256:") => {
                let host = host.rsplit('@').next().unwrap_or_default();
                return Err(Error::invalid(format!("cannot use the image name `…@{host}`"))
                    .because("it has a user name or a password in it")
                    .hint("leave them out, and log in with `kiln login -u NAME --password-stdin HOST`"));
            }
            Some((rest, digest)) => (rest, Some(digest.parse::<Digest>()?)),
            None => (text, None),
        };
        // A colon after the last slash starts the tag; one before it belongs to the host's port.
        let name_end = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[name_end..].split_once(':') {
            Some((last, tag)) => (&rest[..name_end + last.len()], Some(tag)),
            None => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return refuse(
                "a tag has up to 128 letters, digits, `_`, `.` and `-`, and starts with none of the last two",
            );
        }
        let (host, path) = match name.split_once('/') {
            Some((first, path)) if is_host(first) => (first, path),
            _ => ("localhost", name),
        };
        if path.is_empty() {
            return refuse("the name is empty");
        }
        if name.len() > MAX_NAME {
            return refuse("it is longer than 255 characters");
        }
        if !is_host_text(host) {
            return refuse("the host has a character that no host name has");
        }
        if !path.split('/').all(is_path_part) {
            return refuse(if path.chars().any(|c| c.is_ascii_uppercase()) {
                "an image name has no upper-case letters"
            } else {
                "a part of a name has lower-case letters and digits, with `.`, `_`, `__` or `-` between them"
            });
        }
        let tag = tag.map(str::to_owned).or_else(|| digest.is_none().then(|| "latest".to_owned()));
        let host = hub_alias(host);
        let short = is_hub(host) && !path.contains('/');
        let path = if short { format!("library/{path}") } else { path.to_owned() };
        Ok(Reference { host: host.to_owned(), path, tag, digest })
    }
}

fn is_tag(tag: &str) -> bool {
    tag.len() <= 128
        && tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && tag.bytes().all(|c| c.is_ascii_alphanumeric() || b"_.-".contains(&c))
}

fn is_host_text(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !host.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let name_fits = match name.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name.split('.').all(|part| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.ends_with(|c: char| c.is_ascii_alphanumeric())
                && part.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
        }),
    };
    name_fits && port.is_none_or(|port| port.len() <= 5 && port.parse::<u16>().is_ok())
}

fn is_path_part(part: &str) -> bool {
    let alnum = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !part.starts_with(alnum) || !part.ends_with(alnum) {
        return false;
    }
    part.split(alnum)
        .all(|between| matches!(between, "" | "." | "_" | "__") || between.bytes().all(|c| c == b'-'))
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}
