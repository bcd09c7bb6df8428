//! Whether an upper may be frozen: only once no mount, in any mount namespace, can write to it any more.
//!
//! A plain `umount` can succeed while a copy of the mount lives on in another namespace (`unshare -m sleep`), and what
//! is written through that copy still lands in the upper.

use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use crate::builder::Builder;
use crate::error::{Context, Error, Kind, Result};
use crate::rootfs::mounted::{clear_mark, detach, is_attached, lowers, mark};
use crate::rootfs::{fuse, mounted, plain, session};
use crate::store::{ContainerGuard, Store};
use crate::sys::lock::{self, Lock, Mode};
use crate::sys::mount::{self, Overlay};

/// What stands between an upper and its freezing.
#[derive(Debug)]
pub(crate) enum Quiet {
    /// Nothing: freeze it. The lock keeps new mounts away; `attached` says that the user's mount was taken down for
    /// this and is to be put up again.
    Yes {
        /// Keeps others from mounting the upper.
        alone: Lock,
        /// Whether the user had it mounted.
        attached: bool,
    },
    /// Someone is inside: read the upper as it is instead.
    Inside,
    /// Another mount namespace has it, for a moment maybe: a container or service that is just being started has a
    /// copy of all mounts.
    Elsewhere,
}

/// Takes down the user's mount if nobody is inside, and says whether the upper may be frozen.
pub(crate) fn quieten(builder: &Builder<'_>, guard: &ContainerGuard) -> Result<Quiet> {
    let path = guard.dir().join("use");
    let Some(alone) = lock::attempt(&path, Mode::Exclusive).cannot("lock", path.display())? else {
        return Ok(Quiet::Inside);
    };
    if !mark(guard.dir()).exists() && fuse::is_at_rest(builder, guard)? {
        return Ok(Quiet::Yes { alone, attached: false });
    }
    let attached = is_attached(&guard.merged())?;
    if attached {
        // The spare keeps the same mount at hand: a second one over a live upper would be undefined.
        let spare = mount::clone_of(&guard.merged()).cannot("open the container", &guard.record.name)?;
        match detach(guard) {
            Err(error) if error.os_error() == Some(rustix::io::Errno::BUSY.raw_os_error()) => {
                return Ok(Quiet::Inside);
            }
            done => done?,
        }
        // Only now: namespaces that follow ours (services of systemd do) have lost their copies with ours.
        if is_held_elsewhere(&builder.store, guard) {
            mount::attach(&spare, &guard.merged()).cannot("mount the container", &guard.record.name)?;
            return Ok(Quiet::Elsewhere);
        }
    } else if is_held_elsewhere(&builder.store, guard) {
        return Ok(Quiet::Elsewhere);
    }
    if is_busy(builder, guard)? {
        if attached {
            // Someone left it lazily with a file open. A fresh mount shows the same upper.
            let work = builder.store.work()?;
            drop(alone);
            super::attach(builder, &work, guard)?;
        }
        return Ok(Quiet::Inside);
    }
    Ok(Quiet::Yes { alone, attached })
}

/// Refuses to mount an upper a second time while another mount namespace shows it: the kernel calls that undefined.
///
/// If no mount can write to it any more, it is forgotten that it has been visible; that spares later verbs the search.
/// An unmount, which is hundreds of times more frequent than a copy of the mount elsewhere, leaves this to us.
pub(super) fn refuse_mounted_elsewhere(builder: &Builder<'_>, guard: &ContainerGuard) -> Result<()> {
    // A container or a service that is just being started has a copy of all mounts, for a moment.
    const TRIES: usize = 20;
    const PAUSE: Duration = Duration::from_millis(50);
    let mark = mark(guard.dir());
    // A tree of its own may be mounted as often as one likes.
    if !mark.exists() || plain::is_one(guard) {
        return Ok(());
    }
    for _ in 0..TRIES {
        if !is_held_elsewhere(&builder.store, guard) {
            return forget(builder, guard);
        }
        if session::lives_elsewhere(&builder.store, &mark) {
            break;
        }
        std::thread::sleep(PAUSE);
    }
    let name = &guard.record.name;
    Err(Error::new(Kind::InUse, format!("cannot open the container `{name}`"))
        .because("another mount namespace has it mounted, e.g. another `kiln unshare` session")
        .hint(format!("run this command there, or unmount it there with `kiln umount {name}`")))
}

/// Whether a mount namespace other than ours has a mount of this container.
///
/// Overlay names its upper in `mountinfo`, and that has the container's id in it. Of the processes that we may not look
/// at, only those of another session of ours can have a mount of it.
fn is_held_elsewhere(store: &Store, guard: &ContainerGuard) -> bool {
    if session::lives_elsewhere(store, &mark(guard.dir())) {
        return true;
    }
    let id = &guard.record.id;
    let Ok(ours) = session::ours() else { return false };
    let mut seen = HashSet::from([ours]);
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    for process in processes.flatten() {
        if !process.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        let Ok(namespace) = fs::metadata(process.path().join("ns/mnt")) else { continue };
        if seen.insert(namespace.ino())
            && mounts_of(&process.path()).is_some_and(|mounts| mounts.contains(id.as_str()))
        {
            return true;
        }
    }
    false
}

/// What a process has mounted, as text.
fn mounts_of(process: &Path) -> Option<String> {
    // The kernel makes the text anew for every read: a few large reads are much faster than many small ones.
    let mut text = Vec::with_capacity(64 << 10);
    fs::File::open(process.join("mountinfo")).ok()?.read_to_end(&mut text).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// Removes the mark of an upper that no other namespace shows, unless a command or a mount left lazily has it.
fn forget(builder: &Builder<'_>, guard: &ContainerGuard) -> Result<()> {
    let path = guard.dir().join("use");
    let Some(_alone) = lock::attempt(&path, Mode::Exclusive).cannot("lock", path.display())? else {
        return Ok(());
    };
    if !is_busy(builder, guard)? {
        clear_mark(guard.dir());
    }
    Ok(())
}

/// Asks the kernel whether any mount has the upper, by mounting it with `index=on`, which insists on being alone.
///
/// Only root can ask so; in a user namespace `index` is refused beside `userxattr`, and looking at the namespaces of
/// one's own processes has to do.
fn is_busy(builder: &Builder<'_>, guard: &ContainerGuard) -> Result<bool> {
    if plain::is_one(guard) {
        return Ok(false);
    }
    if !fuse::is_at_rest(builder, guard)? {
        return Ok(true);
    }
    if builder.host.is_rootless() {
        return Ok(false);
    }
    let work = builder.store.work()?;
    let scratch = work.dir().join("probe");
    // The scratch directory must be on the file system of the upper; the owner's work is.
    fs::create_dir(&scratch).cannot("make", scratch.display())?;
    let lowers = lowers(&builder.store, &guard.record)?;
    let upper = guard.upper();
    let asked = Overlay {
        lowers: &lowers[..1],
        upper: Some((&upper, &scratch)),
        userxattr: false,
        label: None,
        probe: true,
        synced: false,
    };
    match mount::overlay(&asked) {
        Ok(_) => Ok(false),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::BUSY.raw_os_error()) => Ok(true),
        // No overlay at all: only a program could have it mounted.
        Err(error) if mounted::is_refusal(&error) => Ok(false),
        // `ESTALE`: the upper was once indexed over another lower. Then no mount has it.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::STALE.raw_os_error()) => Ok(false),
        Err(error) => Err(error).cannot("look at the container", &guard.record.name),
    }
}
