//! What an address of a repository says: `https://…/x.git#ref:dir`, `https://…/x.git?branch=…&subdir=…`, `git://…`,
//! `ssh://…`, `user@host:path`.
//!
//! Source of the forms: the reference pages of Docker's build contexts and of `ADD`.

use crate::error::{Error, Result};

/// A repository and what is wanted of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Location {
    /// What `git` is given.
    pub url: String,
    /// A branch, a tag or a commit; without one what the server calls HEAD.
    pub reference: Option<String>,
    /// The directory of the repository that is meant.
    pub subdir: Option<String>,
    /// The commit it must be, or its beginning.
    pub checksum: Option<String>,
    /// Whether `.git` is kept, if the address says.
    pub keep_git_dir: Option<bool>,
    /// Whether submodules are fetched too.
    pub submodules: bool,
}

/// Whether `source` is the address of a repository.
#[must_use]
pub fn is_git(source: &str) -> bool {
    let (address, _) = source.split_once('#').unwrap_or((source, ""));
    let (address, _) = address.split_once('?').unwrap_or((address, ""));
    match scheme(address) {
        Some("git" | "ssh") => true,
        Some("http" | "https") => address.ends_with(".git"),
        Some(_) => false,
        None => is_scp(address),
    }
}

/// Whether `reference` may be a commit's id or its beginning.
pub(super) fn may_be_commit(reference: &str) -> bool {
    (7..=64).contains(&reference.len()) && reference.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn scheme(address: &str) -> Option<&str> {
    address.split_once("://").map(|(scheme, _)| scheme)
}

/// `user@host:path`, as scp has it.
fn is_scp(address: &str) -> bool {
    let Some((user, rest)) = address.split_once('@') else { return false };
    let Some((host, path)) = rest.split_once(':') else { return false };
    let plain = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.chars().all(|symbol| symbol.is_ascii_alphanumeric() || "-_.".contains(symbol))
    };
    plain(user) && plain(host) && !path.is_empty() && !path.starts_with('-')
}

impl Location {
    /// Takes `source` apart.
    pub(super) fn parse(source: &str) -> Result<Self> {
        let (address, fragment) = source.split_once('#').unwrap_or((source, ""));
        let (url, query) = address.split_once('?').unwrap_or((address, ""));
        let mut location = Location { url: url.to_owned(), submodules: true, ..Location::default() };
        let (reference, subdir) = fragment.split_once(':').unwrap_or((fragment, ""));
        location.set("ref", reference, source)?;
        location.set("subdir", subdir, source)?;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            location.set(name, value, source)?;
        }
        if location.reference.is_none() {
            // A commit by itself is what is meant; beside a branch or tag it is what that must be.
            location.reference.clone_from(&location.checksum);
        }
        location.check(source)?;
        Ok(location)
    }

    fn set(&mut self, name: &str, value: &str, source: &str) -> Result<()> {
        let flag = || match value {
            "" | "1" | "true" => Ok(true),
            "0" | "false" => Ok(false),
            _ => Err(unusable(source, &format!("`{name}` is true or false, and not `{value}`"))),
        };
        match name {
            "keep-git-dir" => self.keep_git_dir = Some(flag()?),
            "submodules" => self.submodules = flag()?,
            _ if value.is_empty() => {}
            "ref" | "branch" | "tag" => {
                let reference = match name {
                    "branch" => format!("refs/heads/{value}"),
                    "tag" => format!("refs/tags/{value}"),
                    _ => value.to_owned(),
                };
                if self.reference.replace(reference).is_some() {
                    return Err(unusable(source, "it names two references"));
                }
            }
            "checksum" | "commit" => {
                if !may_be_commit(value) {
                    return Err(unusable(source, &format!("`{value}` is no commit")));
                }
                if self.checksum.replace(value.to_owned()).is_some() {
                    return Err(unusable(source, "it names two commits"));
                }
            }
            "subdir" => self.subdir = Some(value.trim_matches('/').to_owned()),
            _ => return Err(unusable(source, &format!("`{name}` means nothing there"))),
        }
        Ok(())
    }

    /// Refuses what `git` could take for an option or for a command.
    fn check(&self, source: &str) -> Result<()> {
        let reference = self.reference.as_deref().unwrap_or_default();
        let odd = |text: &str| text.bytes().any(|byte| byte.is_ascii_control() || byte == b' ');
        if reference.starts_with(['-', '+', '^']) || odd(reference) || reference.contains([':', '*']) {
            return Err(unusable(source, &format!("`{reference}` is no reference")));
        }
        if odd(&self.url) || self.url.contains('\\') {
            return Err(unusable(source, "it has a blank, a control character or a backslash"));
        }
        let host = match self.url.split_once("://") {
            Some((_, rest)) => rest.split('/').next().unwrap_or_default(),
            None => return Ok(()),
        };
        let name = host.rsplit('@').next().unwrap_or_default();
        if name.is_empty() || name.starts_with('-') || host.starts_with('-') {
            return Err(unusable(source, "it has no name of a host"));
        }
        Ok(())
    }
}

fn unusable(source: &str, because: &str) -> Error {
    Error::invalid(format!("cannot use the repository `{source}`"))
        .because(because.to_owned())
        .hint("write it as https://HOST/PATH.git#REFERENCE:DIRECTORY")
}
