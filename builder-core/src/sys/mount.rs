//! Mounts by handle: overlay from `fsopen` to `fsmount`, clones of what is mounted, attaching and taking down.
//!
//! A mount made here is detached: nothing sees it, and it is gone when its handle closes, however the process ends.
//! Where the kernel is older than the calls for that, or a filter refuses them, [`by_path`] has the older way; that it
//! is needed is remembered for the process.

mod by_path;

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::userns::Maker;
use rustix::fs::{AtFlags, Mode, OFlags, Statx, StatxAttributes, StatxFlags};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
    fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

/// The kernel takes option values of at most this many bytes (with a final NUL) from `fsconfig`.
const MAX_VALUE: usize = 255;

/// Set once `fsopen` or one of its kin was refused.
static REFUSED: AtomicBool = AtomicBool::new(false);

/// What one overlay mount is made of.
#[derive(Debug)]
pub(crate) struct Overlay<'a> {
    /// Read-only layers, the topmost first; at least one.
    pub lowers: &'a [PathBuf],
    /// Where changes go, and overlay's scratch directory on the same file system; read-only without.
    pub upper: Option<(&'a Path, &'a Path)>,
    /// Whether marks are `user.overlay.*`, as a user namespace must have them.
    pub userxattr: bool,
    /// SELinux's label of all files in it, instead of those the layers have.
    pub label: Option<&'a str>,
    /// Refuse with `EBUSY` if another mount has the upper. Changes marks in the upper, so only for asking.
    pub probe: bool,
    /// Whether the kernel writes the changes to the disk when the mount goes: nobody else does where they are no tree
    /// of the store.
    pub synced: bool,
}

/// Mounts an overlay, detached.
///
/// `index`, `metacopy`, `redirect_dir` and `xino` are off whatever the kernel's defaults are: a frozen upper must mean
/// the same on every machine. `volatile`, unless the kernel shall sync, because the store syncs its trees itself, once;
/// without it the kernel would sync the whole file system whenever such a mount goes away.
pub(crate) fn overlay(overlay: &Overlay<'_>) -> io::Result<OwnedFd> {
    newest_way(|| overlay_by_handle(overlay), || by_path::overlay(overlay))
}

/// A new file system of this kind with its options, detached. An option without a value is a flag; `source` is what the
/// list of mounts names.
pub(crate) fn file_system(
    kind: &CStr,
    options: &[(&CStr, &str)],
    attributes: MountAttrFlags,
) -> io::Result<OwnedFd> {
    let by_handle = || {
        let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).map_err(of_call)?;
        for (key, value) in options {
            let set = match value.is_empty() {
                true => fsconfig_set_flag(&context, *key),
                false => fsconfig_set_string(&context, *key, *value),
            };
            set.map_err(of_call)?;
        }
        fsconfig_create(&context).map_err(of_call)?;
        fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).map_err(of_call)
    };
    newest_way(by_handle, || by_path::file_system(kind, options, attributes))
}

/// Why a mount was not made.
enum Refusal {
    /// The system call is not to be had, or knows less than we ask of it.
    Call,
    /// The mount itself is refused.
    Mount(Errno),
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Refusal::Mount(errno)
    }
}

/// A filter answers `ENOSYS` or `EPERM`. Where the second was meant, the older way hears the same.
fn of_call(errno: Errno) -> Refusal {
    if matches!(errno, Errno::NOSYS | Errno::PERM) { Refusal::Call } else { Refusal::Mount(errno) }
}

fn newest_way(
    by_handle: impl FnOnce() -> Result<OwnedFd, Refusal>,
    by_path: impl FnOnce() -> io::Result<OwnedFd>,
) -> io::Result<OwnedFd> {
    if !REFUSED.load(Ordering::Relaxed) {
        match by_handle() {
            Ok(made) => return Ok(made),
            Err(Refusal::Mount(errno)) => return Err(errno.into()),
            Err(Refusal::Call) => {}
        }
    }
    let made = by_path()?;
    REFUSED.store(true, Ordering::Relaxed);
    Ok(made)
}

/// As [`overlay`], whose files have the owners that the ids of its layers have in another user namespace.
///
/// Layers that show other ids must be mounted so; they are mounted over themselves, in a mount namespace of our own.
/// Whatever overlay makes for itself belongs to who mounts it, and must be of an id that the layers have: so it is the
/// namespace's root who does.
pub(crate) fn overlay_mapped(overlay: &Overlay<'_>, shown: Shown<'_>) -> io::Result<OwnedFd> {
    in_own_namespace(|| overlay_here(overlay, Some(shown)))
}

/// Which owners files are shown with: the namespace in which they have their ids, and what its root is to us.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    /// The user namespace.
    pub namespace: BorrowedFd<'a>,
    /// Its root's ids.
    pub root: (u32, u32),
}

/// A directory of an overlay as a mount of its own, detached; `open` opens it by the overlay's top.
///
/// Before 6.15 the kernel copies no part of a mount that is attached nowhere, and puts no overlay over one.
pub(crate) fn overlay_part(
    overlay: &Overlay<'_>,
    shown: Option<Shown<'_>>,
    open: impl FnOnce(OwnedFd) -> io::Result<OwnedFd> + Send,
) -> io::Result<OwnedFd> {
    in_own_namespace(|| {
        let made = overlay_here(overlay, shown)?;
        attach(&made, by_path::place())?;
        let part = open(made)?;
        let flags =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        Ok(open_tree(part, "", flags)?)
    })
}

/// Makes an overlay in the mount namespace of this thread, which is nobody else's.
fn overlay_here(overlay: &Overlay<'_>, shown: Option<Shown<'_>>) -> io::Result<OwnedFd> {
    // By path: a handle is of another namespace.
    let lowers = overlay.lowers.iter().map(|lower| by_path::path_of_handle(lower));
    let lowers = lowers.collect::<Result<Vec<_>, _>>()?;
    let overlay = &Overlay { lowers: &lowers, ..*overlay };
    if let Some(shown) = shown {
        // The upper and its scratch directory must be on one mount.
        let above = overlay.upper.map(|(upper, work)| common(upper, work)).transpose()?;
        for dir in overlay.lowers.iter().map(PathBuf::as_path).chain(above) {
            let mapped = clone_of(dir)?;
            super::mount_attr::map_ids(&mapped, shown.namespace)?;
            attach(&mapped, dir)?;
        }
    }
    let _maker = shown.map(|shown| Maker::become_one(shown.root.0, shown.root.1)).transpose()?;
    overlay_by_handle(overlay).or_else(|refusal| match refusal {
        Refusal::Mount(errno) => Err(errno.into()),
        Refusal::Call => by_path::overlay_here(overlay),
    })
}

/// The innermost directory that both paths lie in.
fn common<'a>(one: &'a Path, other: &Path) -> io::Result<&'a Path> {
    one.ancestors().skip(1).find(|dir| other.starts_with(dir)).ok_or_else(|| Errno::INVAL.into())
}

fn overlay_by_handle(overlay: &Overlay<'_>) -> Result<OwnedFd, Refusal> {
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(of_call)?;
    let context = context.as_fd();
    // Handles of directories with long paths must live until the mount is made.
    let mut handles = Vec::new();
    fsconfig_set_string(context, "source", "kiln").map_err(of_call)?;
    for lower in overlay.lowers {
        set_path(context, "lowerdir+", lower, &mut handles).map_err(|errno| match errno {
            // Before 6.5 it is no parameter of overlay.
            Errno::INVAL => Refusal::Call,
            errno => of_call(errno),
        })?;
    }
    if let Some((upper, work)) = overlay.upper {
        set_path(context, "upperdir", upper, &mut handles)?;
        set_path(context, "workdir", work, &mut handles)?;
        if !overlay.synced {
            fsconfig_set_flag(context, "volatile")?;
        }
    }
    fsconfig_set_string(context, "index", if overlay.probe { "on" } else { "off" })?;
    fsconfig_set_string(context, "xino", "off")?;
    if let Some(label) = overlay.label {
        fsconfig_set_string(context, "context", label)?;
    }
    if overlay.userxattr {
        // With it the kernel keeps `metacopy` and `redirect_dir` off by itself, and refuses to hear of them.
        fsconfig_set_flag(context, "userxattr")?;
    } else {
        fsconfig_set_string(context, "metacopy", "off")?;
        fsconfig_set_string(context, "redirect_dir", "off")?;
    }
    // Known since 6.6; the mount is the same without.
    let _ = fsconfig_set_string(context, "uuid", "null");
    fsconfig_create(context)?;
    fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).map_err(of_call)
}

fn set_path(
    context: BorrowedFd<'_>,
    option: &str,
    path: &Path,
    handles: &mut Vec<OwnedFd>,
) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;
    if path.as_os_str().len() <= MAX_VALUE {
        return fsconfig_set_string(context, option, path);
    }
    let handle = rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    fsconfig_set_string(context, option, format!("/proc/self/fd/{}", handle.as_raw_fd()))?;
    handles.push(handle);
    Ok(())
}

/// A detached second mount of what is mounted at `path`, sharing its files.
pub(crate) fn clone_of(path: &Path) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    Ok(open_tree(rustix::fs::CWD, path, flags)?)
}

/// As [`clone_of`], if anything is mounted at `path` in this mount namespace at this moment.
pub(crate) fn clone_if_mounted(path: &Path) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let here = match rustix::fs::open(path, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        here => here?,
    };
    // Both of the same handle: another process may take it down between the two.
    if !is_top(rustix::fs::statx(&here, "", AtFlags::EMPTY_PATH, StatxFlags::empty()), path)? {
        return Ok(None);
    }
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    match open_tree(&here, "", flags | OpenTreeFlags::AT_EMPTY_PATH) {
        // It has been taken down.
        Err(Errno::INVAL) => Ok(None),
        made => made.map(Some).map_err(io::Error::from),
    }
}

/// Attaches a detached mount at a directory.
pub(crate) fn attach(mount: &OwnedFd, path: &Path) -> io::Result<()> {
    Ok(move_mount(mount, "", rustix::fs::CWD, path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

/// Takes down what is mounted at `path`; fails with `EBUSY` where someone is inside.
pub(crate) fn detach(path: &Path) -> io::Result<()> {
    Ok(rustix::mount::unmount(path, UnmountFlags::NOFOLLOW)?)
}

/// Takes down what is mounted at `path` for new callers at once, for those inside when they leave.
pub(crate) fn detach_lazily(path: &Path) -> io::Result<()> {
    Ok(rustix::mount::unmount(path, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH)?)
}

/// Whether something is mounted at `path` in this mount namespace.
pub(crate) fn is_mount_point(path: &Path) -> io::Result<bool> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    is_top(rustix::fs::statx(rustix::fs::CWD, path, flags, StatxFlags::empty()), path)
}

/// Whether what was found at `path` is the top of a mount.
fn is_top(found: Result<Statx, Errno>, path: &Path) -> io::Result<bool> {
    match found {
        Ok(stat) => Ok(stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)),
        Err(Errno::NOENT) => Ok(false),
        Err(Errno::NOSYS | Errno::PERM) => by_path::is_listed(path),
        Err(error) => Err(error.into()),
    }
}

/// A new file system without options, detached, for a process that has its mount namespace to itself and may not
/// allocate. Only where `fsopen` is refused.
pub(super) fn file_system_here(kind: &CStr, attributes: MountAttrFlags) -> Result<OwnedFd, Errno> {
    by_path::mount_here(c"kiln", kind, None, flags_of(attributes))
}

/// The older name of what a mount is restricted to.
pub(super) fn flags_of(attributes: MountAttrFlags) -> MountFlags {
    let mut flags = MountFlags::empty();
    for (attribute, flag) in [
        (MountAttrFlags::MOUNT_ATTR_RDONLY, MountFlags::RDONLY),
        (MountAttrFlags::MOUNT_ATTR_NOSUID, MountFlags::NOSUID),
        (MountAttrFlags::MOUNT_ATTR_NODEV, MountFlags::NODEV),
        (MountAttrFlags::MOUNT_ATTR_NOEXEC, MountFlags::NOEXEC),
    ] {
        if attributes.contains(attribute) {
            flags |= flag;
        }
    }
    flags
}

/// Runs `work` in a mount namespace of its own, on a thread: what it mounts nobody sees, and all of it but what it
/// returns a handle of is gone afterwards.
pub(crate) fn in_own_namespace<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    by_path::in_own_namespace(work)
}
