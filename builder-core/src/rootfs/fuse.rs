//! A container's tree served by fuse-overlayfs, where the kernel refuses its own overlay.
//!
//! We make the FUSE mount, detached as any other, and the program serves it; so it lives exactly as long as the mount
//! does, whoever dies first. While it lives it holds the lock on `fuse` in the container's directory: until that is
//! free the upper is not at rest. Afterwards the marks it left by names (`.wh.x`, for want of a right to others) are
//! made into those that frozen parts have.

use std::ffi::{CStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps};
use rustix::io::FdFlags;
use rustix::mount::MountAttrFlags;

use crate::builder::Builder;
use crate::error::{Context, Error, Kind, Result};
use crate::host::probe::Knob;
use crate::store::{ContainerGuard, Work};
use crate::sys::lock::{self, Lock};
use crate::sys::mount;
use crate::tree::{self, Apply, Devices, Entry, Marks, Meta, Node, Options, RelPath, Root};

/// How long a program takes at most to end once its mount is gone; it has only to write out what it holds.
const PATIENCE: Duration = Duration::from_secs(10);

/// The program that serves a mount.
#[derive(Debug)]
pub(super) struct Server(Child);

impl Drop for Server {
    /// Waits until it has ended. The mount has been closed before.
    fn drop(&mut self) {
        let began = Instant::now();
        while began.elapsed() < PATIENCE && matches!(self.0.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn lock_path(guard: &ContainerGuard) -> PathBuf {
    guard.dir().join("fuse")
}

/// Mounts a container, detached. The caller has made sure that nothing else has its upper.
pub(super) fn mount(
    builder: &Builder<'_>,
    work: &Work,
    guard: &ContainerGuard,
    lowers: &[PathBuf],
) -> Result<(OwnedFd, Server)> {
    let sentence = || format!("cannot mount the container `{}`", guard.record.name);
    let program = builder.settings.mount_program().ok_or_else(|| {
        Error::new(Kind::Unsupported, sentence())
            .because("there is no fuse-overlayfs")
            .hint(Knob::FuseOverlayfs.fix())
    })?;
    if is_served(&guard.upper()) {
        return Err(Error::new(Kind::Unsupported, sentence())
            .because(
                "the store is on a file system that a program or a server provides: no overlay works there",
            )
            .hint(Knob::OverlayStore.fix()));
    }
    // The kernel notes in a top directory where it was copied up from; the program takes that for something of its own
    // and shows nothing of the layers below. To the kernel it means nothing where `index` is off.
    for top in lowers.iter().chain([&guard.upper()]) {
        for note in ["trusted.overlay.origin", "user.overlay.origin"] {
            let _ = rustix::fs::lremovexattr(top, note);
        }
    }
    let device = open_device().map_err(|error| Error::new(error.kind(), sentence()).because(error))?;
    let number = device.as_raw_fd().to_string();
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let (uid, gid) = (uid.to_string(), gid.to_string());
    // Who looks for mounts of the container finds its id in the list.
    let source = format!("kiln-{}", guard.record.id);
    let options: [(&CStr, &str); 7] = [
        (c"source", &source),
        (c"fd", &number),
        (c"rootmode", "40000"),
        (c"user_id", &uid),
        (c"group_id", &gid),
        (c"allow_other", ""),
        (c"default_permissions", ""),
    ];
    let made = mount::file_system(c"fuse", &options, MountAttrFlags::empty());
    let made = made.cannot("mount the container", &guard.record.name)?;
    let path = lock_path(guard);
    let lock = lock::wait(&path, lock::Mode::Exclusive).cannot("lock", path.display())?;
    let said = work.dir().join("fuse-overlayfs");
    let mut command = Command::new(&program);
    command
        .arg("-f")
        .arg("-o")
        .arg(layers(builder.store.root(), guard, lowers))
        .arg(format!("/dev/fd/{number}"))
        .current_dir(builder.store.root())
        // What is typed at the terminal is not meant for it.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&said).cannot("make", said.display())?);
    let child = with_inherited(&[device.as_fd(), lock.as_fd()], || command.spawn());
    let server = Server(child.cannot("start", program.display())?);
    // From here on the program alone has the device, and the mount is dead once it is.
    drop(device);
    lock.pass_on();
    match rustix::fs::statat(&made, ".", AtFlags::empty()) {
        Ok(_) => Ok((made, server)),
        Err(error) => {
            drop(made);
            drop(server);
            let mut text = String::new();
            let _ = File::open(&said).map(|file| file.take(4096).read_to_string(&mut text));
            let text = if text.trim().is_empty() { error.to_string() } else { text.trim().to_owned() };
            Err(Error::new(Kind::Io, sentence()).because(format!("{}: {text}", program.display())))
        }
    }
}

/// Whether a path is on a FUSE or network file system, by its magic number (linux/magic.h). These lack what an upper
/// needs (renames that leave a whiteout), and say so only when it is too late.
fn is_served(path: &Path) -> bool {
    const SERVED: [i64; 5] = [0x6573_5546, 0x6969, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997];
    rustix::fs::statfs(path).is_ok_and(|stat| SERVED.contains(&(stat.f_type & 0xffff_ffff)))
}

/// The device, or what is missing to open it.
fn open_device() -> Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    rustix::fs::open("/dev/fuse", flags, Mode::empty()).cannot("open", "/dev/fuse").map_err(|error| {
        let knob = if error.kind() == Kind::Denied { Knob::FuseDevice } else { Knob::FuseModule };
        error.hint(knob.fix())
    })
}

/// The program's option with all directories; those of the store by their place in it.
fn layers(store: &Path, guard: &ContainerGuard, lowers: &[PathBuf]) -> OsString {
    let mut option = b"lowerdir=".to_vec();
    let mut add = |path: &Path| {
        let path = path.strip_prefix(store).unwrap_or(path);
        for byte in path.as_os_str().as_bytes() {
            if matches!(byte, b'\\' | b',' | b':') {
                option.push(b'\\');
            }
            option.push(*byte);
        }
        option.push(b':');
    };
    lowers.iter().for_each(|lower| add(lower));
    option.pop();
    for (key, path) in [("upperdir", guard.upper()), ("workdir", guard.overlay_work())] {
        option.extend_from_slice(format!(",{key}=").as_bytes());
        option.extend_from_slice(path.strip_prefix(store).unwrap_or(&path).as_os_str().as_bytes());
    }
    // The store syncs its trees itself.
    option.extend_from_slice(b",volatile");
    OsString::from_vec(option)
}

/// Starts something that has these open files, too.
fn with_inherited<T>(files: &[BorrowedFd<'_>], start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    for file in files {
        rustix::io::fcntl_setfd(file, FdFlags::empty())?;
    }
    let started = start();
    for file in files {
        rustix::io::fcntl_setfd(file, FdFlags::CLOEXEC)?;
    }
    started
}

/// Waits until no program serves the container, and makes the marks it left those of the store. `false` if one goes on
/// serving: someone is inside.
pub(super) fn is_at_rest(builder: &Builder<'_>, guard: &ContainerGuard) -> Result<bool> {
    let path = lock_path(guard);
    if !path.exists() {
        return Ok(true);
    }
    let Some(_alone) = free(&path)? else { return Ok(false) };
    translate(&guard.upper(), builder.store.form())?;
    fs::remove_file(&path).cannot("remove", path.display())?;
    Ok(true)
}

/// Whether a program serves the container, or left marks in its upper.
pub(super) fn may_serve(guard: &ContainerGuard) -> bool {
    lock_path(guard).exists()
}

fn free(path: &Path) -> Result<Option<Lock>> {
    const PAUSE: Duration = Duration::from_millis(5);
    // One that ends does so at once; one that goes on is in use.
    const WAIT: Duration = Duration::from_secs(2);
    let began = Instant::now();
    loop {
        let lock = lock::attempt(path, lock::Mode::Exclusive).cannot("lock", path.display())?;
        if lock.is_some() || began.elapsed() > WAIT {
            return Ok(lock);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Marks by name become the store's: a directory with `.wh..wh..opq` is opaque, and by `.wh.x` there is no `x`.
pub(super) fn translate(upper: &Path, form: Marks) -> Result<()> {
    if form == Marks::Names {
        return Ok(());
    }
    const PREFIX: &[u8] = b".wh.";
    const OPAQUE: &[u8] = b".wh..wh..opq";
    let root = Root::open_host(upper).cannot("open", upper.display())?;
    let (mut marks, mut names): (Vec<Entry>, Vec<RelPath>) = (Vec::new(), Vec::new());
    let mut above: Vec<(RelPath, Meta)> = Vec::new();
    for entry in tree::walk(&root, Marks::None) {
        let Entry { path, meta, node } = entry?;
        above.retain(|(dir, _)| path.starts_with(dir));
        if let Some(hidden) = path.name().and_then(|name| name.as_bytes().strip_prefix(PREFIX)) {
            let (dir, meta) = above.last().expect("the root is above all");
            if path.name().is_some_and(|name| name.as_bytes() == OPAQUE) {
                let node = Node::Directory { opaque: true };
                marks.push(Entry { path: dir.clone(), meta: meta.clone(), node });
            } else if !hidden.starts_with(b".wh.") {
                let path = dir.join(std::ffi::OsStr::from_bytes(hidden));
                marks.push(Entry { path, meta: Meta::default(), node: Node::Whiteout });
            }
            names.push(path);
        } else if matches!(node, Node::Directory { .. }) {
            above.push((path, meta));
        }
    }
    // What an opaque directory has of these hides nothing, and the kernel shows it.
    let is_opaque = |path: Option<&RelPath>| {
        marks.iter().any(|mark| matches!(mark.node, Node::Directory { .. }) && Some(&mark.path) == path)
    };
    let needless =
        |mark: &Entry| matches!(mark.node, Node::Whiteout) && is_opaque(mark.path.parent().as_ref());
    let needless: Vec<bool> = marks.iter().map(needless).collect();
    let mut needless = needless.into_iter();
    marks.retain(|_| needless.next() == Some(false));
    let mut apply = Apply::new(&root, Options { marks: form, devices: Devices::Skip, keep_times: true })?;
    for mark in marks {
        apply.put(mark)?;
    }
    apply.finish()?;
    names.iter().try_for_each(|name| remove_unseen(&root, name).cannot("remove", name))
}

/// Removes a file without a trace in the time of its directory.
fn remove_unseen(root: &Root, path: &RelPath) -> io::Result<()> {
    let (dir, name) = root.parent(path.as_path())?;
    let dir =
        rustix::fs::openat(dir, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let stat = rustix::fs::fstat(&dir)?;
    rustix::fs::unlinkat(&dir, &name, AtFlags::empty())?;
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT },
        last_modification: Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec as _ },
    };
    Ok(rustix::fs::futimens(&dir, &times)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_by_name_become_the_stores_own() {
        if !crate::testing::require_root("marks_by_name_become_the_stores_own") {
            return;
        }
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        let at = |path: &str| dir.path().join(path);
        fs::create_dir_all(at("opaque/in")).unwrap();
        for name in ["opaque/.wh..wh..opq", "opaque/.wh..opq", "opaque/kept", "opaque/in/.wh.gone", ".wh.top"]
        {
            fs::write(at(name), "").unwrap();
        }
        let time = fs::metadata(at("opaque/in")).unwrap().modified().unwrap() - Duration::from_secs(1000);
        File::open(at("opaque/in")).unwrap().set_modified(time).unwrap();
        translate(dir.path(), Marks::User).unwrap();
        let root = Root::open_host(dir.path()).unwrap();
        let shown: Vec<String> = tree::walk(&root, Marks::User)
            .map(|entry| {
                let Entry { path, node, .. } = entry.unwrap();
                match node {
                    Node::Directory { opaque: true } => format!("{path} opaque"),
                    Node::Whiteout => format!("{path} gone"),
                    _ => path.to_string(),
                }
            })
            .collect();
        let expected =
            ["/", "/opaque opaque", "/opaque/in", "/opaque/in/gone gone", "/opaque/kept", "/top gone"];
        assert_eq!(shown, expected);
        assert_eq!(fs::metadata(at("opaque/in")).unwrap().modified().unwrap(), time);
    }
}
