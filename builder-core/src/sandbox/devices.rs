//! The file systems a sandbox brings along: `/dev` with its nodes, `/dev/pts`, `/dev/shm`.
//!
//! They are made here, by the parent and attached nowhere, so that a failure has a sentence of its own. The generated
//! files lie in `/dev/shm` of the device directory, where the real `/dev/shm` hides them later.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, OpenTreeFlags};

use crate::error::{Context, Result};
use crate::sandbox::{Facts, Space, Spec};
use crate::sys::mount::file_system;

/// The nodes every program may count on: name, major and minor number (Documentation/admin-guide/devices.txt).
const NODES: [(&CStr, u32, u32); 6] = [
    (c"null", 1, 3),
    (c"zero", 1, 5),
    (c"full", 1, 7),
    (c"random", 1, 8),
    (c"urandom", 1, 9),
    (c"tty", 5, 0),
];

/// Name and target of the links beside them.
const LINKS: [(&CStr, &CStr); 5] = [
    (c"fd", c"/proc/self/fd"),
    (c"stdin", c"/proc/self/fd/0"),
    (c"stdout", c"/proc/self/fd/1"),
    (c"stderr", c"/proc/self/fd/2"),
    (c"ptmx", c"pts/ptmx"),
];

const NOSUID: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOSUID;
const NODEV: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NODEV;
const NOEXEC: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NOEXEC;

/// What belongs at `/dev`, attached nowhere yet.
#[derive(Debug)]
pub(super) struct Devices {
    /// The directory itself.
    pub directory: OwnedFd,
    /// Nodes of the host to be mounted over empty files of `directory`, where no nodes may be made.
    pub borrowed: Vec<(CString, OwnedFd)>,
    /// `/dev/pts`.
    pub terminals: OwnedFd,
    /// `/dev/shm`.
    pub memory: OwnedFd,
}

impl Devices {
    /// Makes all of it, with the generated files, which [`hidden`] names; where IPC is the host's, its `/dev/shm` too.
    pub(super) fn make(facts: &Facts, spec: &Spec) -> Result<Self> {
        // Without it SELinux would keep the command from its own devices.
        let label = spec.file_label.iter().map(|label| (c"context", label.as_str()));
        let labelled = |options: &[(&'static CStr, &'static str)]| -> Vec<(&CStr, &str)> {
            options.iter().copied().chain(label.clone()).collect()
        };
        let options = labelled(&[(c"mode", "755"), (c"size", "65536k")]);
        let directory = file_system(c"tmpfs", &options, NOSUID | NOEXEC).cannot("make", "/dev")?;
        let owner = spec.outside((0, 0));
        let borrowed = populate(directory.as_fd())?;
        for (index, file) in spec.files.iter().enumerate() {
            let made = write(directory.as_fd(), &hidden(index), &file.content, file.mode);
            let made = made.cannot("make", file.at.display())?;
            let owner = spec.outside(file.owner);
            if owner != (0, 0) {
                let owner = (Some(Uid::from_raw(owner.0)), Some(Gid::from_raw(owner.1)));
                rustix::fs::fchown(made, owner.0, owner.1).cannot("give to its owner", file.at.display())?;
            }
        }
        give_all(directory.as_fd(), owner).cannot("give to the container's root", "/dev")?;
        let mut options = labelled(&[(c"ptmxmode", "666"), (c"mode", "620")]);
        // The group `tty`, by convention of all distributions; writing to another's terminal needs it.
        let tty = spec.outside((0, 5)).1.to_string();
        if facts.has_gid(5) {
            options.push((c"gid", &tty));
        }
        let terminals = file_system(c"devpts", &options, NOSUID | NOEXEC).cannot("make", "/dev/pts")?;
        if spec.namespaces.ipc == Space::Host {
            // With what is mounted below it: in a user namespace one does not go without the other.
            let flags = OpenTreeFlags::OPEN_TREE_CLONE
                | OpenTreeFlags::OPEN_TREE_CLOEXEC
                | OpenTreeFlags::AT_RECURSIVE;
            let memory = rustix::mount::open_tree(CWD, "/dev/shm", flags).cannot("share", "/dev/shm")?;
            return Ok(Devices { directory, borrowed, terminals, memory });
        }
        let size = spec.shm_size.to_string();
        let mut options = labelled(&[(c"mode", "1777")]);
        options.push((c"size", size.as_str()));
        let memory = file_system(c"tmpfs", &options, NOSUID | NODEV | NOEXEC).cannot("make", "/dev/shm")?;
        give_all(memory.as_fd(), owner).cannot("give to the container's root", "/dev/shm")?;
        Ok(Devices { directory, borrowed, terminals, memory })
    }
}

/// Where the file at this index lies in the device directory.
pub(super) fn hidden(index: usize) -> CString {
    CString::new(format!("shm/{index}")).expect("digits have no NUL")
}

/// Gives a new file system's directory, and what was made in it, to the container's root, where that is not ours.
fn give_all(top: BorrowedFd<'_>, owner: (u32, u32)) -> Result<(), Errno> {
    if owner == (0, 0) {
        return Ok(());
    }
    let (uid, gid) = (Some(Uid::from_raw(owner.0)), Some(Gid::from_raw(owner.1)));
    let nodes = NODES.iter().map(|node| node.0).chain(LINKS.iter().map(|link| link.0));
    for name in nodes.chain([c".", c"pts", c"shm", c"mqueue"]) {
        match rustix::fs::chownat(top, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => {}
            given => given?,
        }
    }
    Ok(())
}

fn populate(directory: BorrowedFd<'_>) -> Result<Vec<(CString, OwnedFd)>> {
    let mut borrowed = Vec::new();
    for (name, major, minor) in NODES {
        if let Some(mount) = node(directory, name, major, minor).cannot("make", name.to_string_lossy())? {
            borrowed.push((name.to_owned(), mount));
        }
    }
    for (name, target) in LINKS {
        rustix::fs::symlinkat(target, directory, name).cannot("make", name.to_string_lossy())?;
    }
    for name in [c"pts", c"shm", c"mqueue"] {
        rustix::fs::mkdirat(directory, name, Mode::from_raw_mode(0o755))
            .cannot("make", name.to_string_lossy())?;
        rustix::fs::chmodat(directory, name, Mode::from_raw_mode(0o755), AtFlags::empty())
            .cannot("make", name.to_string_lossy())?;
    }
    Ok(borrowed)
}

/// Makes the node; where that is not allowed, an empty file, and returns the host's node to be mounted over it.
fn node(directory: BorrowedFd<'_>, name: &CStr, major: u32, minor: u32) -> Result<Option<OwnedFd>, Errno> {
    let mode = Mode::from_raw_mode(0o666);
    let device = rustix::fs::makedev(major, minor);
    match rustix::fs::mknodat(directory, name, FileType::CharacterDevice, mode, device) {
        Ok(()) => {
            rustix::fs::chmodat(directory, name, mode, AtFlags::empty())?;
            return Ok(None);
        }
        Err(Errno::PERM) => {}
        Err(error) => return Err(error),
    }
    write(directory, name, b"", 0o644)?;
    let mut path = b"/dev/".to_vec();
    path.extend_from_slice(name.to_bytes());
    // With what is mounted below it: in a user namespace one does not go without the other.
    let flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    rustix::mount::open_tree(CWD, path, flags).map(Some)
}

fn write(directory: BorrowedFd<'_>, name: &CStr, content: &[u8], mode: u32) -> Result<OwnedFd, Errno> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(mode);
    let file = rustix::fs::openat(directory, name, flags, mode)?;
    rustix::fs::fchmod(&file, mode)?;
    let mut rest = content;
    while !rest.is_empty() {
        let count = rustix::io::write(&file, rest)?;
        rest = &rest[count..];
    }
    Ok(file)
}
