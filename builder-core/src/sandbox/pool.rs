//! Networks that pasta has joined to the host's, kept for the next command: starting one takes longer than most
//! commands of a build. They belong to this process, and pasta ends with the thread that started it.
//!
//! A network is one command's at a time, and goes back when the command has ended with all its processes and could not
//! change it.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::thread::CapabilitySet;

use crate::sandbox::uplink::Uplink;
use crate::sandbox::{Network, Space, Spec};

/// Those that are free.
static FREE: Mutex<Vec<Joined>> = Mutex::new(Vec::new());

/// A network namespace, what joins it, and how that was asked to.
#[derive(Debug)]
pub(super) struct Joined {
    pub namespace: File,
    pub uplink: Uplink,
    pub options: Vec<String>,
}

impl Joined {
    /// A free one for the command, if there is one.
    pub fn take(spec: &Spec) -> Option<Self> {
        let Network::Private { options, .. } = &spec.network else { return None };
        if !leaves_it_alone(spec) {
            return None;
        }
        let mut free = free();
        free.retain_mut(|joined| joined.uplink.is_running());
        let place = free.iter().position(|joined| joined.options == *options)?;
        Some(free.swap_remove(place))
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

/// Whether nothing of the command is in its network any more when it has ended, and it is as it was.
pub(super) fn leaves_it_alone(spec: &Spec) -> bool {
    let may_change = CapabilitySet::NET_ADMIN | CapabilitySet::SYS_ADMIN;
    spec.reuse_network
        && spec.users.is_none()
        && spec.namespaces.pid == Space::Private
        && spec.sysctls.is_empty()
        && !spec.capabilities.intersects(may_change)
}

fn free() -> MutexGuard<'static, Vec<Joined>> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}
