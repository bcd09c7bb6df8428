//! One command in a sandbox: namespaces, mounts, capabilities, a system call filter, a terminal.
//!
//! `plan` turns a [`Spec`] into the list of system calls a child performs; `native` has it performed, passes signals
//! and the terminal on, and returns how the command ended. Everything mounted lives in the child's own mount namespace
//! and is gone with it. What a verb makes of an image's config is the business of `steps`.

mod capabilities;
mod cgroup;
mod devices;
mod failure;
mod files;
mod foreign;
mod kept;
mod native;
mod pasta;
mod plan;
mod points;
mod pool;
mod runtime;
mod seccomp;
mod slirp;
mod spaces;
mod terminal;
mod uplink;

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::thread::CapabilitySet;

pub use capabilities::default_capabilities;
pub(crate) use capabilities::{DEFAULT as DEFAULT_CAPABILITIES, parse as parse_capability};
pub use cgroup::Resources;
pub(crate) use files::{hosts, name_servers, nameserver_is_stub, resolver};
pub(crate) use kept::count as kept_networks;
pub use kept::enter as enter_for_commands;
pub(crate) use native::run;
pub(crate) use pasta::NAME_SERVER;
pub(crate) use pool::{Manner as NetworkManner, works as network_works};
pub(crate) use runtime::Runtime;
pub use runtime::usual as usual_runtime;
pub(crate) use seccomp::Profile;
pub(crate) use slirp::SlirpOptions;
pub(crate) use spaces::Namespaces;
pub use spaces::{Network, Space};

use crate::host::Users;
use crate::rootfs::Traces;
use crate::tree::users::User;

/// The root directory of the container: a mount that is attached nowhere (of `fsmount` or `open_tree`). It becomes the
/// child's and goes with it.
pub(crate) type Rootfs = OwnedFd;

/// What a command runs as, in, and with. All is settled: nothing is looked up any more.
#[derive(Debug)]
pub(crate) struct Spec {
    /// The command and its arguments; without a slash it is looked for in the `PATH` of `env`.
    pub args: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// The working directory, absolute; must exist.
    pub directory: String,
    /// Who runs it.
    pub user: User,
    /// The user namespace it is in, if not ours. Owners given here are ids in it.
    pub users: Option<Users>,
    /// Which permissions new files do not have.
    pub umask: u32,
    /// Settings of the kernel's that its namespaces have of their own: a path below `/proc/sys`, and the value.
    pub sysctls: Vec<(String, String)>,
    /// What an OCI runtime and its hooks are told.
    pub annotations: BTreeMap<String, String>,
    /// Whether the groups of `user` are left alone and the caller's own kept.
    pub keep_groups: bool,
    /// The host name inside.
    pub hostname: String,
    /// Whether it was asked for, and not only what is usual.
    pub hostname_required: bool,
    /// Host directories and files to mount, the outer before the inner.
    pub mounts: Vec<Mount>,
    /// Devices of the host.
    pub devices: Vec<DeviceNode>,
    /// Small files over those of the image; what the command writes to them is dropped.
    pub files: Vec<File>,
    /// What root may do, and the most that anyone may gain.
    pub capabilities: CapabilitySet,
    /// Whether set-user-id programs and file capabilities grant nothing.
    pub no_new_privileges: bool,
    /// Which system calls it may make.
    pub seccomp: Seccomp,
    /// Paths to hide besides the usual ones.
    pub mask: Vec<String>,
    /// Of the usual ones those that are not hidden or read-only; `ALL` for all, `*` at the end for what follows.
    pub unmask: Vec<String>,
    /// What security modules are told of the command.
    pub exec_labels: Vec<ExecLabel>,
    /// SELinux's label of the file systems made for it, where labels are in use.
    pub file_label: Option<String>,
    /// Resource limits, by the kernel's number: soft and hard. Clamped to what may be had.
    pub limits: Vec<(u32, (u64, u64))>,
    /// Limits of all processes together.
    pub resources: Resources,
    /// Whose namespaces it is in.
    pub namespaces: Namespaces,
    /// What network it sees.
    pub network: Network,
    /// Whether a network that a helper has joined to the host's may be one that an earlier command had, and is kept for
    /// later ones.
    pub reuse_network: bool,
    /// Whether the root directory is changed by `chroot`, for a container on a file system that cannot be pivoted.
    pub no_pivot: bool,
    /// Whether it has the caller's session keyring and not an empty one of its own.
    pub shares_keyring: bool,
    /// Whether it gets a terminal of its own, joined to our standard input and output.
    pub terminal: bool,
    /// Bytes of `/dev/shm`.
    pub shm_size: u64,
    /// Directories in which programs that help are looked for first.
    pub helpers: Vec<PathBuf>,
    /// The program slirp4netns, where it is not looked for.
    pub slirp: Option<PathBuf>,
    /// The OCI runtime that runs it, if not we ourselves.
    pub runtime: Option<Runtime>,
    /// Standard input, output and error in place of ours; none of its own where it is ours.
    pub streams: [Option<OwnedFd>; 3],
    /// An empty directory that the caller removes.
    pub scratch: PathBuf,
    /// Where what is made in the root directory is written down first, so that it can be taken away if we are killed.
    pub traces: Option<Traces>,
}

impl Spec {
    /// What a user and a group of the command's are to us.
    pub(crate) fn outside(&self, owner: (u32, u32)) -> (u32, u32) {
        self.users.as_ref().map_or(owner, |users| users.maps.outside(owner))
    }
}

/// What a process writes of the program it becomes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExecLabel {
    /// One of the files in `/proc/thread-self/attr`.
    pub path: CString,
    /// A label of SELinux, or `exec` and a profile of AppArmor.
    pub value: CString,
}

/// One mount of the host's into the container.
#[derive(Debug)]
pub(crate) struct Mount {
    /// A detached copy with its attributes set.
    pub source: OwnedFd,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Where it goes; symlinks are followed inside the container.
    pub at: PathBuf,
}

/// A file made for one run.
#[derive(Debug)]
pub(crate) struct File {
    /// Where it goes; symlinks are followed inside the container.
    pub at: PathBuf,
    /// Its content.
    pub content: Vec<u8>,
    /// Its mode.
    pub mode: u32,
    /// Its owner.
    pub owner: (u32, u32),
}

impl File {
    /// One of root's that everybody may read.
    pub(crate) fn new(at: &str, content: impl Into<Vec<u8>>) -> Self {
        File { at: at.into(), content: content.into(), mode: 0o644, owner: (0, 0) }
    }
}

/// A device of the host to be shown in the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceNode {
    /// Where it is on the host.
    pub source: PathBuf,
    /// Where it goes.
    pub at: PathBuf,
    /// Whether it is a block device.
    pub block: bool,
    /// Major and minor number.
    pub number: (u32, u32),
    /// Its mode on the host.
    pub mode: u32,
    /// Its owner on the host.
    pub owner: (u32, u32),
    /// Letters of `rwm`.
    pub access: String,
}

/// Which system calls a command may make.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Seccomp {
    /// Those of the default profile.
    #[default]
    Default,
    /// All.
    Unconfined,
    /// Those of this profile.
    Profile(Profile),
}

/// What the user namespace we are in lets us do.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Whether we are in a user namespace with only some ids.
    pub rootless: bool,
    /// Whether supplementary groups may be set.
    pub groups: bool,
    /// The group ids that exist here: first and count.
    gids: Vec<(u64, u64)>,
}

impl Facts {
    /// Reads the facts of this process. What cannot be read is taken to be as on a plain machine.
    pub(crate) fn probe() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        Facts::from_text(
            &read("/proc/self/uid_map"),
            &read("/proc/self/gid_map"),
            &read("/proc/self/setgroups"),
        )
    }

    /// From the text of `/proc/self/{uid_map,gid_map,setgroups}`; see user_namespaces(7).
    fn from_text(uids: &str, gids: &str, setgroups: &str) -> Self {
        const ALL: (u64, u64, u64) = (0, 0, 4_294_967_295);
        let parse = |map: &str| -> Vec<(u64, u64, u64)> {
            let line = |line: &str| {
                let mut numbers = line.split_ascii_whitespace().map(str::parse);
                Some((numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?))
            };
            let ranges: Vec<_> = map.lines().filter_map(line).collect();
            if ranges.is_empty() { vec![ALL] } else { ranges }
        };
        let (uids, gids) = (parse(uids), parse(gids));
        Facts {
            rootless: uids != [ALL],
            groups: setgroups.trim() != "deny",
            gids: gids.into_iter().map(|(first, _, count)| (first, count)).collect(),
        }
    }

    /// Whether the group id exists here.
    fn has_gid(&self, gid: u64) -> bool {
        self.gids.iter().any(|(first, count)| (*first..first + count).contains(&gid))
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(u8),
    /// By this signal.
    Signal(u8),
}

impl Exit {
    /// As a shell has it: the code, or 128 and the number of the signal.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Exit::Code(code) => code,
            Exit::Signal(signal) => 128_u8.saturating_add(signal),
        }
    }
}

#[cfg(test)]
mod tests;
