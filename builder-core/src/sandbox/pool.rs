//! Networks that pasta has joined to the host's and that are there for the next command of this process: starting one
//! takes longer than most commands of a build. Those that a process leaves for later ones are in `kept`.
//!
//! A network is one command's at a time, and goes back when the command has ended with all its processes and could not
//! change it.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::thread::CapabilitySet;
use serde::{Deserialize, Serialize};

use crate::sandbox::uplink::Uplink;
use crate::sandbox::{Network, Space, Spec, kept};
use crate::sys::lock::Lock;

/// Those that are free.
static FREE: Mutex<Vec<Joined>> = Mutex::new(Vec::new());

/// Whether this process has had one that works.
static SEEN: AtomicBool = AtomicBool::new(false);

/// A network namespace, what joins it, and how it is.
#[derive(Debug)]
pub(super) struct Joined {
    pub namespace: File,
    pub held: Held,
    pub manner: Manner,
}

/// How a network is: another command that wants one like it may have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manner {
    /// The options of pasta.
    pub options: Vec<String>,
    /// The kernel's settings of the network itself: paths below `/proc/sys`, and values.
    pub sysctls: Vec<(String, String)>,
}

impl Manner {
    /// With these options of pasta, for a command with these settings of the kernel's.
    pub(crate) fn new(options: &[String], sysctls: &[(String, String)]) -> Self {
        let of_network = sysctls.iter().filter(|(path, _)| path.starts_with("net/"));
        Manner { options: options.to_vec(), sysctls: of_network.cloned().collect() }
    }
}

/// What keeps a network joined.
#[derive(Debug)]
pub(super) enum Held {
    /// A program of this process's; it ends with the thread that started it.
    Here(Uplink),
    /// A keeper.
    Kept {
        /// The keeper's handle.
        keeper: OwnedFd,
        /// Held as long as others must not take the network; none where no other can find it.
        _lock: Option<Lock>,
        /// Open as long as this process lives, if the keeper is its own.
        _line: Option<UnixStream>,
    },
}

impl Held {
    fn works(&mut self) -> bool {
        match self {
            Held::Here(uplink) => uplink.is_running(),
            Held::Kept { keeper, .. } => !kept::has_ended(keeper),
        }
    }
}

impl Joined {
    /// A free one for the command, if there is one or if the keeper makes one.
    pub fn take(spec: &Spec) -> Option<Self> {
        let Network::Private { options, .. } = &spec.network else { return None };
        if !leaves_it_alone(spec) {
            return None;
        }
        let manner = Manner::new(options, &spec.sysctls);
        free_one(&manner).or_else(|| kept::make(manner, &spec.scratch, &spec.helpers))
    }

    /// Where the namespace is, as long as this is there.
    pub fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.namespace.as_raw_fd()).into()
    }

    /// Gives it back.
    pub fn give(self) {
        free().push(self);
    }
}

/// Whether a network of its own for a command that asks for none in particular would be joined to the host's here. It
/// is so where a process was made ready for it ([`kept::enter`]), and found by trying: pasta may be missing, or the
/// host may have no network itself.
pub(crate) fn works(manner: Manner, scratch: &Path, helpers: &[PathBuf]) -> bool {
    if SEEN.load(Ordering::Relaxed) {
        return true;
    }
    let found = free_one(&manner).or_else(|| kept::make(manner, scratch, helpers));
    let works = found.is_some();
    found.into_iter().for_each(Joined::give);
    SEEN.store(works, Ordering::Relaxed);
    works
}

fn free_one(manner: &Manner) -> Option<Joined> {
    let mut free = free();
    free.retain_mut(|joined| joined.held.works());
    let place = free.iter().position(|joined| joined.manner == *manner)?;
    Some(free.swap_remove(place))
}

/// Whether nothing of the command is in its network any more when it has ended, and it is as it was.
pub(super) fn leaves_it_alone(spec: &Spec) -> bool {
    let may_change = CapabilitySet::NET_ADMIN | CapabilitySet::SYS_ADMIN;
    spec.reuse_network
        && spec.users.is_none()
        && spec.namespaces.pid == Space::Private
        // Root may write settings of its network in /proc/sys, wherever that is shown to it as it is.
        && spec.unmask.is_empty()
        && !spec.capabilities.intersects(may_change)
}

fn free() -> MutexGuard<'static, Vec<Joined>> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}
