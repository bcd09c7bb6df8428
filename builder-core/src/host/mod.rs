//! What this machine and user let us do: root or a user namespace, and which ids are in it.

mod subids;

use std::path::Path;

use crate::error::{Error, Kind, Result};
use crate::sys::threads;
use crate::sys::userns::{self, IdRange};
use crate::tree::Marks;

/// Who we are while we work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    rootless: bool,
}

impl Host {
    /// Looks at this process: root of the machine, or not.
    #[must_use]
    pub fn look() -> Self {
        Host { rootless: !(rustix::process::geteuid().is_root() && userns::is_initial()) }
    }

    /// Whether we work without the machine's root: as an ordinary user, or inside a user namespace.
    #[must_use]
    pub fn is_rootless(self) -> bool {
        self.rootless
    }

    /// Whether this process may mount and own files as it is: it is root, of the machine or of a user namespace.
    #[must_use]
    pub fn is_privileged(self) -> bool {
        rustix::process::geteuid().is_root()
            && rustix::thread::capabilities(None)
                .is_ok_and(|sets| sets.effective.contains(rustix::thread::CapabilitySet::SYS_ADMIN))
    }

    /// Which overlay marks trees made here carry.
    #[must_use]
    pub(crate) fn marks(self) -> Marks {
        if self.rootless { Marks::User } else { Marks::Trusted }
    }

    /// Makes this process privileged: an ordinary user's process moves into a user and a mount namespace of its own.
    ///
    /// Must be called before any thread starts. `etc` is where `passwd`, `subuid` and `subgid` are (`/etc`).
    pub fn enter(self, etc: &Path) -> Result<()> {
        if self.is_privileged() {
            threads::allow();
            return Ok(());
        }
        let sentence = "cannot enter a user namespace";
        let uid = rustix::process::geteuid();
        if uid.is_root() {
            return Err(Error::new(Kind::Denied, sentence)
                .because("this process is root without the capability CAP_SYS_ADMIN")
                .hint("run it as an ordinary user, or start this container with --cap-add SYS_ADMIN"));
        }
        let (uids, gids) = subids::maps(etc, uid.as_raw(), rustix::process::getegid().as_raw())?;
        userns::enter(&uids, &gids).map_err(|cause| refusal(sentence, cause))?;
        threads::allow();
        Ok(())
    }
}

/// The refusals that machines are known for, each with the setting that lifts it.
fn refusal(sentence: &str, cause: std::io::Error) -> Error {
    let said = cause.to_string();
    let error = Error::new(Kind::Denied, sentence);
    if said.contains("newuidmap") || said.contains("newgidmap") {
        let hint = if said.contains("not found") || said.contains("No such file") {
            "install newuidmap and newgidmap: `apt install uidmap` or `dnf install shadow-utils`"
        } else {
            "see that /etc/subuid and /etc/subgid have a range of this user, and that newuidmap is setuid root"
        };
        return error.because(cause).hint(hint);
    }
    let hint = match cause.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::NOSPC | rustix::io::Errno::USERS) => {
            "allow user namespaces: `sysctl user.max_user_namespaces=15000`"
        }
        _ if Path::new("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").exists() => {
            "allow user namespaces: `sysctl kernel.apparmor_restrict_unprivileged_userns=0`"
        }
        _ => "allow user namespaces: `sysctl kernel.unprivileged_userns_clone=1`",
    };
    error.because(cause).hint(hint)
}

/// Id 0 inside is the user, the ids from 1 are the subordinate ones in the order of the file.
fn map_of(own: u32, ranges: &[(u32, u32)]) -> Vec<IdRange> {
    let mut map = vec![IdRange { inside: 0, outside: own, length: 1 }];
    let mut next = 1_u32;
    for &(outside, length) in ranges {
        let length = length.min(u32::MAX - next);
        map.push(IdRange { inside: next, outside, length });
        next += length;
    }
    map
}
