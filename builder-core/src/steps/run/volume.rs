//! `-v host:container[:options]`: what it says, and how it becomes a mount.

use std::collections::BTreeSet;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, Uid};
use rustix::mount::{MountAttrFlags, OpenTreeFlags};
use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Kind, Result};
use crate::sandbox::{Facts, Mount};
use crate::sys::mount::{self, Overlay};
use crate::sys::mount_attr::{self, Propagation};

/// The options there are, and the group of which at most one may be given.
const OPTIONS: [(&str, &str); 23] = [
    ("ro", "access"),
    ("rw", "access"),
    ("O", "access"),
    ("z", "label"),
    ("Z", "label"),
    ("U", "owner"),
    ("exec", "exec"),
    ("noexec", "exec"),
    ("suid", "suid"),
    ("nosuid", "suid"),
    ("dev", "dev"),
    ("nodev", "dev"),
    ("bind", "bind"),
    ("rbind", "bind"),
    ("private", "propagation"),
    ("rprivate", "propagation"),
    ("slave", "propagation"),
    ("rslave", "propagation"),
    ("shared", "propagation"),
    ("rshared", "propagation"),
    ("unbindable", "propagation"),
    ("runbindable", "propagation"),
    ("idmap", "idmap"),
];

/// A host directory or file to be mounted into a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Where it is on the host, absolute.
    pub source: PathBuf,
    /// Where it goes in the container, absolute.
    pub target: PathBuf,
    /// Options as written, each once.
    options: BTreeSet<String>,
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
        let mut chosen = BTreeSet::new();
        let mut groups = Vec::new();
        for option in options.split(',').filter(|option| !option.is_empty()) {
            let Some((_, group)) = OPTIONS.iter().find(|(name, _)| *name == option) else {
                return Err(invalid().because(format!("there is no option `{option}`")).hint(
                    "use ro, rw, O, z, Z, U, noexec, nosuid, nodev, bind or [r]private, slave, shared",
                ));
            };
            if groups.contains(group) && !chosen.contains(option) {
                return Err(invalid().because(format!("`{option}` contradicts another of its options")));
            }
            groups.push(group);
            chosen.insert(option.to_owned());
        }
        if chosen.contains("idmap") {
            return Err(Error::new(Kind::Unsupported, format!("cannot use the volume `{text}`"))
                .because("`idmap` is not supported")
                .hint("use `U` to give the files to the container's user"));
        }
        Ok(Volume { source: source.into(), target: target.into(), options: chosen })
    }
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escape = |path: &Path| path.display().to_string().replace(':', "\\:");
        write!(f, "{}:{}", escape(&self.source), escape(&self.target))?;
        let mut separator = ':';
        for option in &self.options {
            write!(f, "{separator}{option}")?;
            separator = ',';
        }
        Ok(())
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
    /// The options as written, each once.
    pub(crate) fn options(&self) -> impl Iterator<Item = &str> {
        self.options.iter().map(String::as_str)
    }

    fn has(&self, option: &str) -> bool {
        self.options.contains(option)
    }

    /// Makes the mount, attached nowhere. With `U` the source is first given to `owner`; with `O` the changes go to
    /// the directory named `nth` in `scratch`.
    ///
    /// `z` and `Z` change nothing: a command runs in the caller's own SELinux domain, which needs no label to reach
    /// what the caller can.
    pub(crate) fn open(&self, nth: usize, owner: (u32, u32), scratch: &Path, facts: &Facts) -> Result<Mount> {
        let show = self.source.display().to_string();
        let tree = !self.has("bind");
        let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        if tree {
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
        if self.has("U") {
            give(source.as_fd(), is_dir, owner).cannot("give to the container's user", &show)?;
        }
        let source = match self.has("O") {
            true if is_dir => {
                overlay(&self.source, &scratch.join(nth.to_string()), facts).cannot("overlay", &show)?
            }
            true => {
                return Err(
                    Error::invalid(format!("cannot overlay `{show}`")).because("it is not a directory")
                );
            }
            false => source,
        };
        let mut attributes = MountAttrFlags::empty();
        for (option, attribute) in [
            ("ro", MountAttrFlags::MOUNT_ATTR_RDONLY),
            ("noexec", MountAttrFlags::MOUNT_ATTR_NOEXEC),
            ("nosuid", MountAttrFlags::MOUNT_ATTR_NOSUID),
            ("nodev", MountAttrFlags::MOUNT_ATTR_NODEV),
        ] {
            if self.has(option) {
                attributes |= attribute;
            }
        }
        let source = match attributes.is_empty() {
            true => source,
            false => mount_attr::restrict(source, attributes, tree).cannot("mount", &show)?,
        };
        let (how, below) = self.propagation();
        let source = mount_attr::propagate(source, how, below).cannot("mount", &show)?;
        Ok(Mount { source, is_dir, at: self.target.clone() })
    }

    /// How mounts below show on the other side, and whether that holds for the whole tree.
    fn propagation(&self) -> (Propagation, bool) {
        for (option, how) in [
            ("slave", Propagation::Slave),
            ("shared", Propagation::Shared),
            ("unbindable", Propagation::Unbindable),
            ("private", Propagation::Private),
        ] {
            if self.has(option) {
                return (how, false);
            }
            if self.options.iter().any(|chosen| chosen.strip_prefix('r') == Some(option)) {
                return (how, true);
            }
        }
        (Propagation::Private, true)
    }
}

/// The source under a layer that takes the changes and is dropped with `scratch`.
fn overlay(source: &Path, scratch: &Path, facts: &Facts) -> std::io::Result<OwnedFd> {
    let (upper, work) = (scratch.join("upper"), scratch.join("work"));
    std::fs::create_dir_all(&upper)?;
    std::fs::create_dir_all(&work)?;
    // The new top directory is what the command sees of the old one.
    let stat = std::fs::metadata(source)?;
    std::os::unix::fs::lchown(&upper, Some(stat.uid()), Some(stat.gid()))?;
    std::fs::set_permissions(&upper, PermissionsExt::from_mode(stat.mode() & 0o7777))?;
    mount::overlay(&Overlay {
        lowers: &[source.to_owned()],
        upper: Some((&upper, &work)),
        userxattr: facts.rootless,
        probe: false,
    })
}

/// Gives the file, or the directory and all that is in it, to `owner`. Follows no symlink, and keeps its handles few:
/// one open directory per level.
fn give(top: BorrowedFd<'_>, is_dir: bool, (uid, gid): (u32, u32)) -> std::io::Result<()> {
    let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    rustix::fs::chownat(top, "", uid, gid, AtFlags::EMPTY_PATH)?;
    if !is_dir {
        return Ok(());
    }
    let open = |dir: BorrowedFd<'_>, name: &std::ffi::CStr| {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
        rustix::fs::openat(dir, name, flags, Mode::empty()).and_then(rustix::fs::Dir::new)
    };
    let mut levels = vec![open(top, c".")?];
    while let Some(level) = levels.last_mut() {
        let Some(item) = level.read() else {
            levels.pop();
            continue;
        };
        let item = item?;
        let name = item.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let dir = level.fd()?;
        rustix::fs::chownat(dir, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
        let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            let inner = open(dir, name)?;
            levels.push(inner);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
