//! The options that volumes and mounts share, and what each does to a mount.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;
use serde::{Deserialize, Serialize};

use crate::sys::mount_attr::{self, Propagation};

/// The options there are, and the group of which at most one may be given.
const OPTIONS: [(&str, &str); 26] = [
    ("ro", "access"),
    ("rw", "access"),
    // Its files have labels of their own.
    ("O", "label"),
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
    // What they ask for is so anyway: what the image has at the place is never copied into the source, and there is no
    // second copy of the files that could be behind. Scripts for other engines have them.
    ("nocopy", "copy"),
    ("cached", "consistency"),
    ("delegated", "consistency"),
];

/// Options of a mount, each once and none that contradicts another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MountOptions(BTreeSet<String>);

/// Why an option cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is none of this name.
    Unknown,
    /// It contradicts one that is there.
    Contradicts,
}

impl MountOptions {
    /// Adds one.
    pub(super) fn add(&mut self, option: &str) -> Result<(), Refused> {
        let group_of = |name: &str| OPTIONS.iter().find(|(known, _)| *known == name).map(|(_, group)| *group);
        let group = group_of(option).ok_or(Refused::Unknown)?;
        if !self.has(option) && self.0.iter().any(|other| group_of(other) == Some(group)) {
            return Err(Refused::Contradicts);
        }
        self.0.insert(option.to_owned());
        Ok(())
    }

    /// Whether it is there.
    #[must_use]
    pub fn has(&self, option: &str) -> bool {
        self.0.contains(option)
    }

    /// All, in the order of the alphabet.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether what is mounted below the source is mounted, too.
    pub(super) fn recursive(&self) -> bool {
        !self.has("bind")
    }

    /// The detached mount with what they say set on it.
    pub(super) fn apply(&self, mount: OwnedFd, read_only: bool) -> Result<OwnedFd, Errno> {
        let mut attributes = MountAttrFlags::empty();
        for (asked, attribute) in [
            (read_only || self.has("ro"), MountAttrFlags::MOUNT_ATTR_RDONLY),
            (self.has("noexec"), MountAttrFlags::MOUNT_ATTR_NOEXEC),
            (self.has("nosuid"), MountAttrFlags::MOUNT_ATTR_NOSUID),
            (self.has("nodev"), MountAttrFlags::MOUNT_ATTR_NODEV),
        ] {
            if asked {
                attributes |= attribute;
            }
        }
        let mount = match attributes.is_empty() {
            true => mount,
            false => mount_attr::restrict(mount, attributes, self.recursive())?,
        };
        let (how, below) = self.propagation();
        mount_attr::propagate(mount, how, below)
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
            if self.iter().any(|chosen| chosen.strip_prefix('r') == Some(option)) {
                return (how, true);
            }
        }
        (Propagation::Private, true)
    }
}

/// Gives the file, or the directory and all that is in it, to `owner`. Follows no symlink, and keeps its handles few:
/// one open directory per level.
pub(super) fn give(top: BorrowedFd<'_>, (uid, gid): (u32, u32)) -> std::io::Result<()> {
    let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    let stat = rustix::fs::fstat(top)?;
    rustix::fs::chownat(top, "", uid, gid, AtFlags::EMPTY_PATH)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return Ok(());
    }
    let open = |dir: BorrowedFd<'_>, name: &std::ffi::CStr| {
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
        rustix::fs::openat(dir, name, flags, Mode::empty()).and_then(rustix::fs::Dir::new)
    };
    let mut levels = vec![open(top.as_fd(), c".")?];
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
