//! Whose namespaces a command is in.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Kind as Fault, Result};
use crate::sandbox::Spec;
use crate::sys::spawn::{self, Kind};

/// Whose namespace it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Space {
    /// The command's own.
    #[default]
    Private,
    /// Ours.
    Host,
    /// The one this file shows, e.g. `/proc/4711/ns/ipc`.
    Path(PathBuf),
}

/// The namespaces of a command, besides those of mounts (always its own), users (always ours) and the network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Namespaces {
    /// Control groups.
    pub cgroup: Space,
    /// System V and POSIX IPC, and `/dev/shm`.
    pub ipc: Space,
    /// Processes.
    pub pid: Space,
    /// Host name.
    pub uts: Space,
}

/// What network a command sees.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// The host's.
    #[default]
    Host,
    /// A loopback device and nothing else.
    None,
    /// One of its own, joined to the host's by the program `pasta`.
    Private {
        /// Whether that program was named, and no other will do.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        named: bool,
        /// Options for that program beyond the usual ones.
        options: Vec<String>,
    },
    /// One of its own, joined to the host's by the program `slirp4netns`.
    Slirp {
        /// `NAME=VALUE`, as after `slirp4netns:`.
        options: Vec<String>,
    },
    /// The one this file shows, e.g. `/run/netns/blue`.
    Path(PathBuf),
}

impl Network {
    /// Whether it is the command's own.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self, Network::None | Network::Private { .. } | Network::Slirp { .. })
    }
}

/// The namespaces that a command is made, as `clone` takes them. With `grouped` it moves into a control group first and
/// makes its view of them afterwards.
pub(super) fn own(spec: &Spec, grouped: bool) -> Result<spawn::Namespaces> {
    let Namespaces { cgroup, ipc, pid, uts } = &spec.namespaces;
    Ok(spawn::Namespaces {
        cgroup: *cgroup == Space::Private && !grouped,
        ipc: *ipc == Space::Private,
        network: spec.network.is_own(),
        pid: *pid == Space::Private,
        uts: *uts == Space::Private,
        processes: match pid {
            Space::Path(path) => Some(open("process", path)?),
            Space::Private | Space::Host => None,
        },
    })
}

/// The namespaces that a command moves into.
pub(super) fn joined(spec: &Spec) -> Result<Vec<(Kind, OwnedFd)>> {
    let Namespaces { cgroup, ipc, pid: _, uts } = &spec.namespaces;
    let mut joined = Vec::new();
    for (space, kind) in [(cgroup, Kind::Cgroup), (ipc, Kind::Ipc), (uts, Kind::Uts)] {
        if let Space::Path(path) = space {
            joined.push((kind, open(name(kind), path)?));
        }
    }
    if let Network::Path(path) = &spec.network {
        joined.push((Kind::Network, open(name(Kind::Network), path)?));
    }
    Ok(joined)
}

/// What a kind of namespace is called.
pub(super) fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Cgroup => "control group",
        Kind::Ipc => "IPC",
        Kind::Network => "network",
        Kind::User => "user",
        Kind::Uts => "host name",
    }
}

/// The file that shows the namespace of a kind that a command moves into.
pub(super) fn path(spec: &Spec, kind: Kind) -> &Path {
    let space = match kind {
        Kind::Cgroup => &spec.namespaces.cgroup,
        Kind::Ipc => &spec.namespaces.ipc,
        Kind::Uts => &spec.namespaces.uts,
        Kind::Network => match &spec.network {
            Network::Path(path) => return path,
            _ => return Path::new(""),
        },
        // Entered by a helper before; only a file that shows it could be named.
        Kind::User => return Path::new(""),
    };
    match space {
        Space::Path(path) => path,
        Space::Private | Space::Host => Path::new(""),
    }
}

/// Opens the file that shows a namespace. What it is the kernel finds out when it is entered.
fn open(what: &str, path: &Path) -> Result<OwnedFd> {
    let verb = format!("open the {what} namespace");
    let file = File::open(path).cannot(&verb, path.display())?;
    // Anything else would be refused later, with less to say of it.
    const NSFS: i64 = 0x6e73_6673;
    match rustix::fs::fstatfs(&file).cannot(&verb, path.display())?.f_type {
        NSFS => Ok(file.into()),
        _ => Err(Error::new(Fault::Invalid, format!("cannot {verb} `{}`", path.display()))
            .because("it is no namespace")
            .hint("namespaces are at /proc/PID/ns, and those of networks also at /run/netns")),
    }
}
