//! Detached mounts by `mount(2)`, for kernels and filters without `fsopen`.
//!
//! `mount(2)` needs a place in a mount namespace. A thread takes one of its own, mounts there, where nobody sees it,
//! and hands back a clone that is attached nowhere; the namespace goes with the thread, however that ends.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::sched::CloneFlags;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountFlags, MountPropagationFlags, OpenTreeFlags, UnmountFlags};

use super::{Overlay, flags_of};

/// A directory that is on every machine, to mount on in a namespace of our own.
const PLACE: &CStr = c"/dev";

/// See [`PLACE`].
pub(super) fn place() -> &'static Path {
    Path::new(std::ffi::OsStr::from_bytes(PLACE.to_bytes()))
}

/// `mount(2)` takes one page of options, with a final NUL.
const PAGE: usize = 4096;

/// See [`super::in_own_namespace`].
pub(super) fn in_own_namespace<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // With it comes a working directory of the thread's own.
            nix::sched::unshare(CloneFlags::CLONE_NEWNS)?;
            rustix::mount::mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
            work()
        });
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that mounts has ended")))
    })
}

/// As [`super::overlay`].
pub(super) fn overlay(overlay: &Overlay<'_>) -> io::Result<OwnedFd> {
    in_own_namespace(|| overlay_here(overlay))
}

/// As [`overlay`], in the mount namespace of this thread, which is nobody else's.
pub(super) fn overlay_here(overlay: &Overlay<'_>) -> io::Result<OwnedFd> {
    if let Some((_, work)) = overlay.upper.filter(|_| !overlay.synced) {
        // Where only `fsmount` is refused there was a volatile mount for a moment, and this tells of it.
        match std::fs::remove_dir_all(work.join("work/incompat")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    // By number and relative to where the numbers are: short, so that as many layers as overlay takes fit in the
    // page, and without characters that would have to be escaped. Opened here, for overlay takes no directory of
    // another namespace.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = |path: &Path| rustix::fs::open(&path_of_handle(path)?, flags, Mode::empty());
    let lowers = overlay.lowers.iter().map(|path| open(path)).collect::<Result<Vec<_>, _>>()?;
    let numbers: Vec<String> = lowers.iter().map(|lower| lower.as_raw_fd().to_string()).collect();
    let mut options = format!("lowerdir={}", numbers.join(":")).into_bytes();
    if let Some((upper, work)) = overlay.upper {
        // By path: who looks whether a container is mounted finds its upper in the list of mounts.
        for (key, path) in [("upperdir", upper), ("workdir", work)] {
            options.extend_from_slice(format!(",{key}=").as_bytes());
            options.extend_from_slice(&escaped(path));
        }
        if !overlay.synced {
            options.extend_from_slice(b",volatile");
        }
    }
    let marks = if overlay.userxattr { ",userxattr" } else { ",metacopy=off,redirect_dir=off" };
    if let Some(label) = overlay.label {
        // Quoted, for it has commas.
        options.extend_from_slice(format!(",context=\"{label}\"").as_bytes());
    }
    let index = if overlay.probe { "on" } else { "off" };
    options.extend_from_slice(format!(",index={index},xino=off{marks}").as_bytes());
    rustix::process::chdir(c"/proc/self/fd")?;
    // Known since 6.6; the mount is the same without.
    match mount("kiln", c"overlay", &[&options[..], b",uuid=null"].concat(), MountFlags::empty()) {
        Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
            mount("kiln", c"overlay", &options, MountFlags::empty())
        }
        made => made,
    }
}

/// The path of what is named by the number of a handle; any other path stays as it is. The handle itself is of another
/// namespace. `ESTALE` where something else is at that path by now.
pub(super) fn path_of_handle(path: &Path) -> Result<PathBuf, Errno> {
    if !path.starts_with("/proc/self/fd") {
        return Ok(path.to_owned());
    }
    let errno = |error: io::Error| error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error);
    let named = std::fs::read_link(path).map_err(errno)?;
    let (handle, found) = (rustix::fs::stat(path)?, rustix::fs::stat(&named)?);
    if (handle.st_dev, handle.st_ino) == (found.st_dev, found.st_ino) { Ok(named) } else { Err(Errno::STALE) }
}

/// As [`super::file_system`].
pub(super) fn file_system(
    kind: &CStr,
    options: &[(&CStr, &str)],
    attributes: MountAttrFlags,
) -> io::Result<OwnedFd> {
    let mut text = Vec::new();
    let mut source = "kiln";
    for (key, value) in options {
        let key = key.to_string_lossy();
        let quote = if value.contains(',') { "\"" } else { "" };
        match (key.as_ref(), value.is_empty()) {
            ("source", _) => source = value,
            (key, true) => text.push(key.to_owned()),
            (key, false) => text.push(format!("{key}={quote}{value}{quote}")),
        }
    }
    in_own_namespace(|| mount(source, kind, text.join(",").as_bytes(), flags_of(attributes)))
}

fn mount(source: &str, kind: &CStr, options: &[u8], flags: MountFlags) -> io::Result<OwnedFd> {
    if options.len() >= PAGE {
        return Err(Errno::NAMETOOLONG.into());
    }
    let options = CString::new(options).map_err(|_| Errno::INVAL)?;
    let source = CString::new(source).map_err(|_| Errno::INVAL)?;
    Ok(mount_here(&source, kind, Some(&options), flags)?)
}

/// Mounts in the namespace we are in, which is nobody else's, and returns a clone attached nowhere. Allocates nothing.
pub(super) fn mount_here(
    source: &CStr,
    kind: &CStr,
    options: Option<&CStr>,
    flags: MountFlags,
) -> Result<OwnedFd, Errno> {
    rustix::mount::mount(source, PLACE, kind, flags, options)?;
    let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let made = rustix::mount::open_tree(CWD, PLACE, clone);
    rustix::mount::unmount(PLACE, UnmountFlags::DETACH)?;
    made
}

/// A path as an option of overlay: what ends an option, or a layer, is marked.
fn escaped(path: &Path) -> Vec<u8> {
    let mut escaped = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'\\' | b',' | b':') {
            escaped.push(b'\\');
        }
        escaped.push(*byte);
    }
    escaped
}

/// Whether the list of mounts has one at `path`, which is absolute and without links.
pub(super) fn is_listed(path: &Path) -> io::Result<bool> {
    let path = match std::fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        path => path?,
    };
    let list = std::fs::read("/proc/thread-self/mountinfo")?;
    let points = list.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    Ok(points.map(unescaped).any(|point| point == path.as_os_str().as_bytes()))
}

/// A field of `mountinfo`, where white space and the backslash are written as three octal digits (proc(5)).
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(meant) if *byte == b'\\' => {
                plain.push(meant);
                rest = &after[3..];
            }
            _ => {
                plain.push(*byte);
                rest = after;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests;
