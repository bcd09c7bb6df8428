//! A container's files, mounted: detached for one verb, or attached where the user asked to see them.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::builder::Builder;
use crate::error::{Context, Error, Result};
use crate::event::Event;
use crate::host::probe::Knob;
use crate::rootfs::{fold, plain, quiet, session, traces, trees};
use crate::settings::Driver;
use crate::store::{ContainerGuard, ContainerRecord, Store, Work};
use crate::sys::lock::{self, Lock, Mode};
use crate::sys::mount::{self, Overlay};
use crate::tree::Root;

/// A container's files for the time of one verb. Two of these on one container share a mount or exclude each other.
#[derive(Debug)]
pub(crate) struct Rootfs {
    /// The mount, detached; its top is the container's root directory.
    pub mount: OwnedFd,
    /// The upper of a mount that nobody else can see.
    upper: Option<PathBuf>,
    _use: Lock,
}

impl Rootfs {
    /// Opens the files of a held container. What it is based on is unpacked first, if it never was.
    pub fn open(builder: &Builder<'_>, work: &Work, guard: &ContainerGuard) -> Result<Self> {
        let name = &guard.record.name;
        let merged = guard.merged();
        if is_attached(&merged)? {
            let mount = mount::clone_of(&merged).cannot("open the container", name)?;
            // Before anything is added to what a killed run left, unless a living one is beside it.
            let path = guard.dir().join("use");
            if let Some(_alone) = lock::attempt(&path, Mode::Exclusive).cannot("lock", path.display())? {
                traces::clear_mounted(&root(&mount)?, guard)?;
            }
            let shared = wait(builder, guard, Mode::Shared)?;
            return Ok(Rootfs { mount, upper: None, _use: shared });
        }
        quiet::refuse_mounted_elsewhere(builder, guard)?;
        let alone = wait(builder, guard, Mode::Exclusive)?;
        traces::clear(builder, work, guard)?;
        let mount = show(builder, work, guard)?;
        let unseen = !plain::is_one(guard) && !mark(guard.dir()).exists();
        let upper = unseen.then(|| guard.upper());
        Ok(Rootfs { mount, upper, _use: alone })
    }

    /// As a capability to the tree.
    pub fn root(&self) -> Result<Root> {
        root(&self.mount)
    }

    /// Where the changes are kept, if this is the only mount of it. What is put there does not show in this mount,
    /// which must not be used any more afterwards.
    pub fn upper(&self) -> Result<Option<Root>> {
        let open = |path: &PathBuf| Root::open_host(path).cannot("open", path.display());
        self.upper.as_ref().map(open).transpose()
    }
}

/// The top of a mount as a capability.
pub(super) fn root(mount: &OwnedFd) -> Result<Root> {
    let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
    let fd = rustix::fs::openat(mount, ".", flags, rustix::fs::Mode::empty());
    fd.map(Root::from_fd).cannot("open", "/")
}

/// Mounts a held container where the user sees it, and says where. Mounting it again is no change.
pub(crate) fn attach(builder: &Builder<'_>, work: &Work, guard: &ContainerGuard) -> Result<PathBuf> {
    let merged = guard.merged();
    if is_attached(&merged)? {
        return Ok(merged);
    }
    quiet::refuse_mounted_elsewhere(builder, guard)?;
    let _alone = wait(builder, guard, Mode::Exclusive)?;
    traces::clear(builder, work, guard)?;
    let made = show(builder, work, guard)?;
    match fs::create_dir(&merged) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(error).cannot("make", merged.display());
        }
        _ => {}
    }
    session::note(&mark(guard.dir())).cannot("write", mark(guard.dir()).display())?;
    mount::attach(&made, &merged).cannot("mount the container", &guard.record.name)?;
    Ok(merged)
}

/// Takes the user's mount down. Fails where someone is inside.
pub(crate) fn detach(guard: &ContainerGuard) -> Result<()> {
    mount::detach(&guard.merged()).cannot("unmount the container", &guard.record.name).map_err(|error| {
        match error.os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::BUSY) => error.hint(format!(
                "leave its directory first; `fuser -vm {}` names who is inside",
                guard.merged().display()
            )),
            _ => error,
        }
    })
}

/// Takes the user's mount down, if there is one, whoever is inside: the container goes.
pub(crate) fn take_down(guard: &ContainerGuard) -> Result<()> {
    if is_attached(&guard.merged())? {
        mount::detach_lazily(&guard.merged()).cannot("unmount the container", &guard.record.name)?;
    }
    Ok(())
}

/// Whether the user's mount is there, in this mount namespace.
pub(crate) fn is_attached(merged: &Path) -> Result<bool> {
    mount::is_mount_point(merged).cannot("look at", merged.display())
}

/// Says that this upper has been visible as a mount: another mount namespace may hold a copy of that.
pub(super) fn mark(container: &Path) -> PathBuf {
    container.join("mounted")
}

/// Forgets that, once no namespace can hold it.
pub(crate) fn clear_mark(container: &Path) {
    let _ = fs::remove_file(mark(container));
}

fn wait(builder: &Builder<'_>, guard: &ContainerGuard, mode: Mode) -> Result<Lock> {
    let path = guard.dir().join("use");
    if let Some(lock) = lock::attempt(&path, mode).cannot("lock", path.display())? {
        return Ok(lock);
    }
    builder.report(Event::Warning {
        message: format!("waiting for another command in the container `{}`", guard.record.name),
        hint: Some(format!(
            "to let commands run side by side, mount it first: kiln mount {}",
            guard.record.name
        )),
    });
    lock::wait(&path, mode).cannot("lock", path.display())
}

/// A container's files as a detached mount, in the way this machine allows.
pub(super) fn show(builder: &Builder<'_>, work: &Work, guard: &ContainerGuard) -> Result<OwnedFd> {
    let name = &guard.record.name;
    if let Some(base) = &guard.record.base {
        trees::ensure(builder, work, base)?;
    }
    if plain::is_one(guard) || builder.settings.driver == Some(Driver::Vfs) {
        return plain::open(builder, work, guard);
    }
    match overlay(builder, work, guard)? {
        Ok(made) => Ok(made),
        Err(error) if is_refusal(builder, &error) => {
            builder.report(Event::Warning {
                message: format!(
                    "the files of `{name}` are copied: this machine mounts no overlay ({error})"
                ),
                hint: Some("`kiln doctor` says what is missing".to_owned()),
            });
            plain::open(builder, work, guard)
        }
        Err(error) => Err(error)
            .cannot("mount the container", name)
            .map_err(|error| error.hint(Knob::OverlayStore.fix())),
    }
}

/// Whether an overlay was refused here in such a way that a copy will do, and none was insisted on.
pub(super) fn is_refusal(builder: &Builder<'_>, error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let refusals = [Errno::PERM, Errno::ACCESS, Errno::NODEV, Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP];
    builder.settings.driver.is_none()
        && refusals.iter().any(|refusal| error.raw_os_error() == Some(refusal.raw_os_error()))
}

/// The overlay of a container, or the kernel's refusal.
fn overlay(builder: &Builder<'_>, work: &Work, guard: &ContainerGuard) -> Result<std::io::Result<OwnedFd>> {
    let lowers = fold::lowers_to_mount(builder, work, &guard.record)?;
    let overlay_work = guard.overlay_work();
    fs::create_dir_all(&overlay_work).cannot("make", overlay_work.display())?;
    // A volatile mount leaves this behind, and refuses to be made where it finds it.
    let inner = overlay_work.join("work");
    if inner.join("incompat").exists() {
        let inner = Root::open_host(&inner).cannot("open", inner.display())?;
        inner.remove_all("incompat").cannot("clear", overlay_work.display())?;
    }
    let upper = guard.upper();
    let asked = Overlay {
        lowers: &lowers,
        upper: Some((&upper, &overlay_work)),
        userxattr: builder.host.is_rootless(),
        probe: false,
    };
    Ok(mount::overlay(&asked))
}

/// The directories below a container's upper, the topmost first.
pub(crate) fn lowers(store: &Store, record: &ContainerRecord) -> Result<Vec<PathBuf>> {
    let mut lowers = Vec::new();
    for tree in record.frozen.iter().rev() {
        for part in store.parts(tree)? {
            lowers.push(store.tree_fs(&part));
        }
    }
    if let Some(base) = &record.base {
        for end in (1..=base.layers.len()).rev() {
            let tree = store.layer_tree(&base.layers[..end]).ok_or_else(|| {
                Error::corrupt(format!("cannot mount the container `{}`", record.name))
                    .because(format!("its layer {} is missing", base.layers[end - 1]))
                    .hint("see what is damaged with `kiln check`")
            })?;
            for part in store.parts(&tree)? {
                lowers.push(store.tree_fs(&part));
            }
        }
    }
    if lowers.is_empty() {
        lowers.push(store.empty_dir());
    }
    Ok(lowers)
}
