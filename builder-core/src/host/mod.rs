//! What this machine and user let us do: root or a user namespace, which ids are in it, which security modules act.

mod ids;
pub(crate) mod lsm;
pub(crate) mod probe;
mod subids;

use std::os::fd::AsFd;
use std::path::Path;

use rustix::io::Errno;

use crate::error::{Error, Kind, Result};
use crate::host::probe::Knob;
use crate::sys::{threads, userns, variables};
use crate::tree::Marks;

pub(crate) use ids::Users;
pub use ids::{AutoIds, IdMaps, IdRange};
pub use probe::name_refused_call;

/// Who we are while we work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host {
    rootless: bool,
}

impl Host {
    /// Looks at this process: root of the machine, or not. Root of a container that may mount nothing is none.
    #[must_use]
    pub fn look() -> Self {
        let initial = userns::is_initial();
        Host { rootless: !(initial && Host { rootless: false }.is_privileged()) }
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

    /// Whether there is no id here but one: no file can be given to anyone.
    #[must_use]
    pub fn has_one_id(self) -> bool {
        userns::has_one_id()
    }

    /// Which overlay marks trees made here carry.
    #[must_use]
    pub(crate) fn marks(self) -> Marks {
        if self.rootless { Marks::User } else { Marks::Trusted }
    }

    /// Gives variables to this process, and so to the programs it starts. Must be called before any thread starts.
    pub fn set_variables(self, variables: &[(String, String)]) {
        variables.iter().for_each(|(name, value)| variables::set(name.as_ref(), value.as_ref()));
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
            // In a container; what is root's there may still be root's of a namespace below, where that is allowed.
            userns::enter_as_root().map_err(|cause| {
                Error::new(Kind::Denied, sentence)
                    .because(format!("this process is root without the capability CAP_SYS_ADMIN ({cause})"))
                    .hint(Knob::MountCapability.fix())
            })?;
            threads::allow();
            return Ok(());
        }
        let gid = rustix::process::getegid();
        let entered = match subids::maps(etc, uid.as_raw(), gid.as_raw()) {
            Ok((uids, gids)) => userns::enter(&uids, &gids),
            // One id is enough for all but giving files to others, and that is written down.
            Err(_) => userns::enter_alone(uid.as_raw(), gid.as_raw()),
        };
        entered.map_err(|cause| refusal(sentence, cause))?;
        threads::allow();
        Ok(())
    }
}

impl Host {
    /// Moves this ordinary user's process into the user namespace of another of his, and a new mount namespace, if it
    /// has the ids that [`Host::enter`] would give us; `maps` are the texts of its `uid_map` and `gid_map` as seen from
    /// here. Whether it has moved.
    ///
    /// Must be called before any thread starts.
    pub(crate) fn join(self, etc: &Path, users: &std::fs::File, maps: (&str, &str)) -> Result<bool> {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        if uid.is_root() {
            return Ok(false);
        }
        let alone = |own: u32| vec![IdRange { inside: 0, outside: own, length: 1 }];
        let wanted = subids::maps(etc, uid.as_raw(), gid.as_raw())
            .unwrap_or_else(|_| (alone(uid.as_raw()), alone(gid.as_raw())));
        if wanted != (userns::ranges(maps.0), userns::ranges(maps.1)) {
            return Ok(false);
        }
        userns::join(users.as_fd()).map_err(|cause| refusal("cannot enter a user namespace", cause))?;
        threads::allow();
        Ok(true)
    }
}

/// How many subordinate users and groups this process's user has.
pub(crate) fn subordinate_ids(etc: &Path) -> Result<(u64, u64)> {
    let (uids, gids) =
        subids::maps(etc, rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())?;
    let count = |ranges: &[IdRange]| ranges.iter().skip(1).map(|range| u64::from(range.length)).sum();
    Ok((count(&uids), count(&gids)))
}

/// The refusals that machines are known for, each with the setting that lifts it.
fn refusal(sentence: &str, cause: std::io::Error) -> Error {
    let said = cause.to_string();
    let knob = if said.contains("newuidmap") || said.contains("newgidmap") {
        if said.contains("not found") || said.contains("No such file") {
            Knob::Newuidmap
        } else {
            Knob::NewuidmapSetuid
        }
    } else {
        probe::of_user_namespaces(Errno::from_io_error(&cause).unwrap_or(Errno::PERM))
    };
    Error::new(Kind::Denied, sentence).because(cause).hint(knob.fix())
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
