//! `-v host:container[:options]`: what it says, and how it becomes a mount.

use std::fmt;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::fs::{CWD, FileType};
use rustix::mount::OpenTreeFlags;
use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Kind, Result};
use crate::host::Users;
use crate::sandbox::Mount;
use crate::steps::run::labels::Confinement;
use crate::steps::run::options::{MountOptions, Refused, give};
use crate::steps::run::{Scene, overlaid};
use crate::sys::mount_attr;

/// A host directory or file to be mounted into a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Where it is on the host, absolute.
    pub source: PathBuf,
    /// Where it goes in the container, absolute.
    pub target: PathBuf,
    /// Options as written.
    options: MountOptions,
    /// Where `O` keeps the changes: `upperdir` and `workdir` of the overlay, absolute. Without them they are dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changes: Option<(PathBuf, PathBuf)>,
}

impl FromStr for Volume {
    type Err = Error;

    /// Takes `host:container[:option,option]`; a colon in a path is written `\:`.
    fn from_str(text: &str) -> Result<Self> {
        let parts = split(text);
        let invalid = || Error::invalid(format!("cannot use the volume `{text}`"));
        let (source, target, options) = match &parts[..] {
            [source, target] => (source, target, ""),
            [source, target, options] => (source, target, options.as_str()),
            _ => {
                return Err(invalid()
                    .because("it is not host:container or host:container:options")
                    .hint("write for example `-v /data:/data:ro`"));
            }
        };
        if !source.starts_with('/') {
            return Err(invalid()
                .because(format!("the host path `{source}` does not start with a slash"))
                .hint(format!("write `-v \"$PWD/{source}:{target}\"`")));
        }
        if !target.starts_with('/') {
            return Err(invalid()
                .because(format!("the container path `{target}` does not start with a slash"))
                .hint(format!("write `-v {source}:/{target}`")));
        }
        if crate::tree::RelPath::clamp(target).is_root() {
            return Err(invalid().because("it would hide the whole container"));
        }
        let mut chosen = MountOptions::default();
        let (mut upper, mut work) = (None, None);
        for option in options.split(',').filter(|option| !option.is_empty()) {
            let directory = match option.split_once('=') {
                Some(("upperdir", path)) => Some((&mut upper, path)),
                Some(("workdir", path)) => Some((&mut work, path)),
                _ => None,
            };
            if let Some((directory, path)) = directory {
                if !path.starts_with('/') {
                    return Err(invalid().because(format!("`{option}` does not name an absolute path")));
                }
                *directory = Some(PathBuf::from(path));
                continue;
            }
            chosen.add(option).map_err(|refused| match refused {
                Refused::Unknown => invalid().because(format!("there is no option `{option}`")).hint(
                    "use ro, rw, O (with upperdir= and workdir= for kept changes), z, Z, U, idmap, noexec, nosuid, \
                     nodev, bind or [r]private, slave, shared",
                ),
                Refused::Contradicts => {
                    invalid().because(format!("`{option}` contradicts another of its options"))
                }
            })?;
        }
        let changes = match (upper, work) {
            (None, None) => None,
            (Some(upper), Some(work)) if chosen.has("O") => Some((upper, work)),
            _ => {
                return Err(invalid()
                    .because("`upperdir` and `workdir` go together, and with `O`")
                    .hint(format!("write `-v {source}:{target}:O,upperdir=/changes,workdir=/empty`")));
            }
        };
        Ok(Volume { source: source.into(), target: target.into(), options: chosen, changes })
    }
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escape = |path: &Path| path.display().to_string().replace(':', "\\:");
        write!(f, "{}:{}", escape(&self.source), escape(&self.target))?;
        let mut separator = ':';
        for option in self.options.iter() {
            write!(f, "{separator}{option}")?;
            separator = ',';
        }
        match &self.changes {
            // Only with `O`, so after a comma.
            Some((upper, work)) => {
                write!(f, ",upperdir={},workdir={}", escape(upper), escape(work))
            }
            None => Ok(()),
        }
    }
}

fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.peek() == Some(&':') => {
                characters.next();
                parts.last_mut().expect("never empty").push(':');
            }
            ':' => parts.push(String::new()),
            other => parts.last_mut().expect("never empty").push(other),
        }
    }
    parts
}

impl Volume {
    /// The options as written.
    pub(crate) fn options(&self) -> &MountOptions {
        &self.options
    }

    /// Whether the changes of commands are kept on the host.
    pub(crate) fn keeps_changes(&self) -> bool {
        self.changes.is_some() || !self.options.has("ro") && !self.options.has("O")
    }

    /// Makes the mount, attached nowhere. With `U` the source is first given to `owner`; with `O` the changes go to
    /// the directory named `nth` of the scene's scratch directory, unless another is named.
    pub(super) fn open(
        &self,
        nth: usize,
        owner: (u32, u32),
        scene: &Scene<'_>,
        confinement: &Confinement,
    ) -> Result<Mount> {
        let show = self.source.display().to_string();
        let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        if self.options.recursive() {
            flags |= OpenTreeFlags::AT_RECURSIVE;
        }
        let source =
            rustix::mount::open_tree(CWD, &self.source, flags).cannot("mount", &show).map_err(|error| {
                match error.kind() {
                    Kind::NotFound => {
                        error.hint(format!("make it first: `mkdir -p {}`", self.source.display()))
                    }
                    _ => error,
                }
            })?;
        let stat = rustix::fs::fstat(&source).cannot("mount", &show)?;
        let is_dir = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if self.options.has("U") {
            give(source.as_fd(), owner).cannot("give to the container's user", &show)?;
        }
        confinement.relabel(source.as_fd(), &self.source, &self.options)?;
        let source = match self.options.has("O") {
            true if is_dir => {
                let lower = overlaid::open(&self.source).cannot("overlay", &show)?;
                let users = scene.users.as_ref();
                let made = match &self.changes {
                    Some((upper, work)) => {
                        overlaid::overlay_kept(lower.as_fd(), (upper, work), scene.facts, users)
                    }
                    None => {
                        let scratch = scene.scratch.join(nth.to_string());
                        overlaid::overlay(lower.as_fd(), &scratch, scene.facts, users)
                    }
                };
                made.cannot("overlay", &show).map_err(|error| self.changes_refused(error))?
            }
            true => {
                return Err(
                    Error::invalid(format!("cannot overlay `{show}`")).because("it is not a directory")
                );
            }
            false => source,
        };
        // Files that a layer takes the changes of have such owners anyway.
        if self.options.has("idmap") && !self.options.has("O") {
            let Some(users) = &scene.users else {
                return Err(Error::invalid(format!("cannot use the volume `{self}`"))
                    .because("`idmap` shows the ids of a user namespace, and the command has none of its own")
                    .hint("add --userns-uid-map, or use `U` to give the files to the container's user"));
            };
            if let Some(namespace) = users.shows() {
                let refused = |errno: rustix::io::Errno| {
                    Users::refusal(&format!("`{show}`"), std::io::Error::from(errno))
                };
                mount_attr::map_ids(&source, namespace).map_err(refused)?;
            }
        }
        let source = self.options.apply(source, false).cannot("mount", &show)?;
        Ok(Mount { source, is_dir, at: self.target.clone() })
    }
}

impl Volume {
    /// What the kernel wants of the directories for the changes.
    fn changes_refused(&self, error: Error) -> Error {
        match &self.changes {
            Some((upper, work)) => error.hint(format!(
                "make both first, empty and on one file system: `mkdir -p {} {}`",
                upper.display(),
                work.display()
            )),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests;
