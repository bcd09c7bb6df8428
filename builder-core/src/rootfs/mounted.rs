//! A container's files, mounted: detached for one verb, or attached where the user asked to see them.

use std::collections::HashSet;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::builder::Builder;
use crate::error::{Context, Error, Kind, Result};
use crate::event::Event;
use crate::host::Users;
use crate::host::lsm::Modules;
use crate::host::probe::Knob;
use crate::rootfs::fuse::{self, Server};
use crate::rootfs::{fold, linked, plain, quiet, session, traces, trees};
use crate::settings::Driver;
use crate::store::{ContainerGuard, ContainerRecord, Store, Work};
use crate::sys::lock::{self, Lock, Mode};
use crate::sys::mount::{self, Overlay};
use crate::tree::{Marks, Root};

/// How often a container is found in use before anybody is told, and how long that takes each time.
const SHORT_TRIES: u32 = 100;
const SHORT: Duration = Duration::from_millis(3);

/// A container's files for the time of one verb. Two of these on one container share a mount or exclude each other.
#[derive(Debug)]
pub(crate) struct Rootfs {
    /// The mount, detached; its top is the container's root directory.
    pub mount: OwnedFd,
    /// The upper of a mount that nobody else can see.
    pub(super) upper: Option<PathBuf>,
    /// Dropped after the mount, and before the next may have the container.
    pub(super) _server: Option<Server>,
    pub(super) used: Lock,
    /// The user's mount, where this is a copy of that.
    pub(super) shared: Option<PathBuf>,
}

/// A container's files as a detached mount, and the program that serves it, if one does.
pub(super) type Shown = (OwnedFd, Option<Server>);

impl Rootfs {
    /// Opens the files of a held container. What it is based on is unpacked first, if it never was.
    pub fn open(builder: &Builder<'_>, work: &Work, guard: &ContainerGuard) -> Result<Self> {
        Self::open_prepared(builder, work, guard, || Ok(()))
    }

    /// As [`Rootfs::open`], for a command, which writes through all names of a file (see [`linked`]).
    pub fn open_to_run(builder: &Builder<'_>, work: &Work, guard: &ContainerGuard) -> Result<Self> {
        Self::open_prepared(builder, work, guard, || linked::join(builder, guard))
    }

    fn open_prepared(
        builder: &Builder<'_>,
        work: &Work,
        guard: &ContainerGuard,
        prepare: impl FnOnce() -> Result<()>,
    ) -> Result<Self> {
        let name = &guard.record.name;
        let merged = guard.merged();
        if is_attached(&merged)? {
            let mount = mount::clone_of(&merged).cannot("open the container", name)?;
            // Before anything is added to what a killed run left, unless a living one is beside it.
            let path = guard.dir().join("use");
            if let Some(_alone) = lock::attempt(&path, Mode::Exclusive).cannot("lock", path.display())? {
                traces::clear_mounted(&root(&mount)?, guard.dir()).cannot("clear the container", name)?;
            }
            let shared = wait(builder, guard, Mode::Shared)?;
            return Ok(Rootfs { mount, upper: None, _server: None, used: shared, shared: Some(merged) });
        }
        quiet::refuse_mounted_elsewhere(builder, guard)?;
        let alone = wait(builder, guard, Mode::Exclusive)?;
        traces::clear(builder, work, guard)?;
        prepare()?;
        let (mount, server) = show(builder, work, guard)?;
        let unseen = server.is_none() && !plain::is_one(guard) && !mark(guard.dir()).exists();
        // Of a mount that gives files a label of its own the upper has others.
        let unseen = unseen && label(&guard.record).is_none();
        let upper = unseen.then(|| guard.upper());
        Ok(Rootfs { mount, upper, _server: server, used: alone, shared: None })
    }

    /// Whether other commands may have the files open beside this.
    pub fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// Says that the command has ended: the last of several takes away what they made to mount on. Dropping it does the
    /// same, and keeps what goes wrong to itself.
    pub fn leave(mut self) -> Result<()> {
        self.clear()
    }

    fn clear(&mut self) -> Result<()> {
        let Some(merged) = self.shared.take().filter(|_| self.used.is_alone()) else { return Ok(()) };
        let container = merged.parent().unwrap_or(&merged);
        if !traces::are_left(container) {
            return Ok(());
        }
        // Ours may show what the command had mounted. One that is not mounted any more is cleared by who opens it next.
        match mount::clone_if_mounted(&merged).cannot("open", merged.display())? {
            Some(mount) => traces::clear_mounted(&root(&mount)?, container),
            None => Ok(()),
        }
    }

    /// As a capability to the tree.
    pub fn root(&self) -> Result<Root> {
        root(&self.mount)
    }

    /// Where the changes are kept, if this is an overlay of the kernel and the only mount of it. What is put there does
    /// not show in this mount, which must not be used any more afterwards.
    pub fn upper(&self) -> Result<Option<Root>> {
        let open = |path: &PathBuf| Root::open_host(path).cannot("open", path.display());
        self.upper.as_ref().map(open).transpose()
    }
}

impl Drop for Rootfs {
    fn drop(&mut self) {
        let _ = self.clear();
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
    linked::join(builder, guard)?;
    let (made, server) = show(builder, work, guard)?;
    match fs::create_dir(&merged) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(error).cannot("make", merged.display());
        }
        _ => {}
    }
    session::note(&mark(guard.dir())).cannot("write", mark(guard.dir()).display())?;
    mount::attach(&made, &merged).cannot("mount the container", &guard.record.name)?;
    // It goes on for as long as the mount is there.
    std::mem::forget(server);
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

pub(super) fn wait(builder: &Builder<'_>, guard: &ContainerGuard, mode: Mode) -> Result<Lock> {
    let path = guard.dir().join("use");
    for _ in 0..SHORT_TRIES {
        if let Some(lock) = lock::attempt(&path, mode).cannot("lock", path.display())? {
            return Ok(lock);
        }
        // Who only looks whether anybody is there has it for less than that.
        thread::sleep(SHORT);
    }
    builder.report(Event::Warning {
        message: format!("waiting for another command in the container `{}`", guard.record.name),
        hint: (mode == Mode::Exclusive).then(|| {
            format!("to let commands run side by side, mount it first: kiln mount {}", guard.record.name)
        }),
    });
    lock::wait(&path, mode).cannot("lock", path.display())
}

/// Waits until no command has the files of a held container to itself. Those of one that the user has mounted are
/// shared.
pub(crate) fn wait_until_free(builder: &Builder<'_>, guard: &ContainerGuard) -> Result<()> {
    match is_attached(&guard.merged())? {
        true => Ok(()),
        false => wait(builder, guard, Mode::Exclusive).map(drop),
    }
}

/// A container's files as a detached mount, in the way this machine allows: the kernel's overlay, a program's, a copy.
pub(super) fn show(builder: &Builder<'_>, work: &Work, guard: &ContainerGuard) -> Result<Shown> {
    let name = &guard.record.name;
    if let Some(base) = &guard.record.base {
        trees::ensure(builder, work, base)?;
    }
    if plain::is_one(guard) || builder.settings.driver == Some(Driver::Vfs) {
        return Ok((plain::open(builder, work, guard)?, None));
    }
    if !fuse::is_at_rest(builder, guard)? {
        return Err(Error::new(Kind::InUse, format!("cannot open the container `{name}`"))
            .because("someone is still inside of a mount of it")
            .hint(format!("leave it; `fuser -vm {}` names who is inside", guard.merged().display())));
    }
    let lowers = fold::lowers_to_mount(builder, work, &guard.record)?;
    if builder.settings.mount_program.is_some() {
        let (made, server) = fuse::mount(builder, work, guard, &lowers)?;
        return Ok((made, Some(server)));
    }
    // Marks by names are none to the kernel.
    let by_kernel = match builder.store.form() {
        Marks::Names => Err(rustix::io::Errno::OPNOTSUPP.into()),
        _ => overlay(builder, guard, &lowers, None)?,
    };
    let refusal = match by_kernel {
        Ok(made) => return Ok((made, None)),
        Err(refusal) if is_refusal(&refusal) => refusal,
        Err(error) => return Err(error).cannot("mount the container", name),
    };
    match fuse::mount(builder, work, guard, &lowers) {
        Ok((made, server)) => Ok((made, Some(server))),
        // A copy was not asked for, and may be large: with the driver named it is not made.
        Err(_) if builder.settings.driver.is_some() => Err(refusal)
            .cannot("mount the container", name)
            .map_err(|error| error.hint(Knob::OverlayStore.fix())),
        Err(why) => {
            builder.report(Event::Warning {
                message: format!(
                    "the files of `{name}` are copied: overlay is refused here ({refusal}), and {}",
                    cause_of(&why)
                ),
                hint: Some("see what would help with `kiln doctor`".to_owned()),
            });
            Ok((plain::open(builder, work, guard)?, None))
        }
    }
}

/// The innermost thing that an error says.
fn cause_of(error: &Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(cause) = inner.source() {
        inner = cause;
    }
    inner.to_string()
}

/// Whether the kernel's overlay is refused in such a way that another will do.
pub(super) fn is_refusal(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let refusals = [Errno::PERM, Errno::ACCESS, Errno::NODEV, Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP];
    refusals.iter().any(|refusal| error.raw_os_error() == Some(refusal.raw_os_error()))
}

/// The overlay of a container, with owners as `users` has them where that is given; or the kernel's refusal.
pub(super) fn overlay(
    builder: &Builder<'_>,
    guard: &ContainerGuard,
    lowers: &[PathBuf],
    users: Option<&Users>,
) -> Result<std::io::Result<OwnedFd>> {
    let overlay_work = guard.overlay_work();
    fs::create_dir_all(&overlay_work).cannot("make", overlay_work.display())?;
    // A volatile mount leaves this behind, and refuses to be made where it finds it.
    let inner = overlay_work.join("work");
    if inner.join("incompat").exists() {
        let inner = Root::open_host(&inner).cannot("open", inner.display())?;
        inner.remove_all("incompat").cannot("clear", overlay_work.display())?;
    }
    let upper = guard.upper();
    let label = label(&guard.record);
    let asked = Overlay {
        lowers,
        upper: Some((&upper, &overlay_work)),
        userxattr: builder.host.is_rootless(),
        label: label.as_deref(),
        probe: false,
        synced: false,
    };
    Ok(match users.and_then(Users::owners) {
        Some(shown) => mount::overlay_mapped(&asked, shown),
        None => mount::overlay(&asked),
    })
}

/// The label of a container's files, where labels are in use: the one that its commands may reach.
fn label(record: &ContainerRecord) -> Option<String> {
    let modules = Modules::look();
    // Kept with the container by `from --security-opt`; what a run is told in addition does not change the files.
    let words = record.run.as_ref().and_then(|run| run.pointer("/security/label")).cloned();
    let words: Vec<String> = words.and_then(|words| serde_json::from_value(words).ok()).unwrap_or_default();
    modules.labels(&record.id, &words).map(|labels| labels.private)
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
    Ok(each_once(lowers))
}

/// The directories, the topmost first, each where it is topmost: an image may have a layer twice, and overlay takes no
/// directory twice. What the lower one says of a path the upper one says again, so that nothing is missing without it.
pub(super) fn each_once(dirs: Vec<PathBuf>) -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    dirs.into_iter().filter(|dir| seen.insert(dir.clone())).collect()
}
