//! How commands run in a container unless one run says otherwise: the settings that `from` takes and keeps with the
//! container, as plain values, and how those of one run are laid over them.
//!
//! What a word on the command line means is in `words`; what a setting does is decided where a run is prepared.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::host::{AutoIds, IdMaps, Users};
use crate::sandbox::{self, Network, Resources, Space};
use crate::steps::run::device::Device;
use crate::steps::run::volume::Volume;

/// Settings of commands; every one may be left open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunSettings {
    /// Lines added to `/etc/hosts`.
    pub add_hosts: Vec<HostEntry>,
    /// The capabilities that are usual, by name; open means Buildah's set.
    pub capabilities: Option<Vec<String>>,
    /// Capabilities beyond the usual ones, by name; `all` for all.
    pub cap_add: Vec<String>,
    /// Capabilities less than the usual ones, by name; `all` for all. What is in both lists is dropped.
    pub cap_drop: Vec<String>,
    /// Devices of the host.
    pub devices: Vec<Device>,
    /// Directories with descriptions of devices, the first to be looked into last; none for the usual ones.
    pub cdi_dirs: Vec<PathBuf>,
    /// Name servers and what belongs to them.
    pub dns: Dns,
    /// Variables that are set unless the image or the run sets them.
    pub env: Vec<(String, String)>,
    /// Groups the user is in besides those of the image, by name or number of the image; `keep-groups` alone for the
    /// caller's own.
    pub groups: Vec<String>,
    /// Whether the caller's proxy variables are passed on; open means yes.
    pub http_proxy: Option<bool>,
    /// What `/etc/hosts` begins with: a file of the host, `image` for the container's own, or `none`; open means the
    /// host's file.
    pub hosts_base: Option<String>,
    /// How far a command is kept apart.
    pub isolation: Option<Isolation>,
    /// Resource limits of each process. The last one of a name counts.
    pub limits: Vec<Limit>,
    /// Resource limits of all its processes together.
    pub resources: Resources,
    /// Which namespaces it has of its own.
    pub namespaces: Spaces,
    /// What network it sees; open means the host's.
    pub network: Option<Network>,
    /// Whether the image's own `/etc/hosts` is left alone.
    pub no_hosts: bool,
    /// Whether the image's own `/etc/hostname` is left alone.
    pub no_hostname: bool,
    /// What security modules and filters do.
    pub security: Security,
    /// Bytes of `/dev/shm`; open means 64 MiB.
    pub shm_size: Option<u64>,
    /// Settings of the kernel's that its namespaces have of their own, such as `net.ipv4.ping_group_range`. Those of a
    /// namespace that it shares with the host are left as they are.
    pub sysctls: Vec<(String, String)>,
    /// Which permissions its new files do not have; open means 022.
    pub umask: Option<u32>,
    /// Whose user namespace it is in; open means ours.
    pub users: Option<UserSpace>,
    /// Host directories and files to mount.
    pub volumes: Vec<Volume>,
}

/// Whose user namespace a command is in. The files of a container have the ids of the image in any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserSpace {
    /// Ours.
    #[default]
    Host,
    /// The command's own, with these maps.
    Private(IdMaps),
    /// The one this file shows, e.g. `/proc/4711/ns/user`.
    Path(PathBuf),
    /// A container's own, with ids that are chosen when it is made.
    Auto(AutoIds),
    /// Such a one, with the maps that were chosen.
    Chosen(IdMaps),
}

impl UserSpace {
    /// What a command sees of it: which ids there are, and not what those are outside that were chosen.
    pub(crate) fn seen(&self) -> UserSpace {
        match self {
            UserSpace::Chosen(maps) => UserSpace::Chosen(maps.inside()),
            other => other.clone(),
        }
    }

    /// The namespace, made or opened; none if it is ours.
    pub(super) fn open(&self) -> Result<Option<Users>> {
        match self {
            UserSpace::Host => Ok(None),
            UserSpace::Private(maps) | UserSpace::Chosen(maps) => Users::new(maps).map(Some),
            UserSpace::Auto(_) => Err(Error::invalid("cannot use `--userns auto` for one command")
                .because("ids are chosen for a container, when it is made")
                .hint("make it so: kiln from --userns auto IMAGE")),
            UserSpace::Path(path) => Users::of_file(path).map(Some),
        }
    }
}

/// A line of `/etc/hosts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostEntry {
    /// The names.
    pub names: Vec<String>,
    /// What they stand for.
    pub address: HostAddress,
}

/// What a host name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostAddress {
    /// This address.
    Ip(IpAddr),
    /// The address by which the command reaches the host; found out when it runs.
    HostGateway,
}

/// What `host.containers.internal` and `host.docker.internal` stand for in `/etc/hosts`. What a command does must not
/// depend on it: it is another on each machine, and in no key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostName {
    /// The address by which the command reaches the host, where there is one.
    #[default]
    Found,
    /// This address.
    Given(IpAddr),
    /// Nothing: they are not there.
    Absent,
}

/// What `/etc/resolv.conf` says. Each list that is not empty takes the place of the host's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dns {
    /// Whether the image's own file is left alone.
    pub none: bool,
    /// Addresses of name servers.
    pub servers: Vec<IpAddr>,
    /// Domains that short names are looked up in; a single `.` for none.
    pub search: Vec<String>,
    /// Options of the resolver, as resolv.conf(5) has them.
    pub options: Vec<String>,
}

/// How far a command is kept apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// By namespaces, made by ourselves, or by the OCI runtime where one is named.
    #[default]
    Oci,
    /// By a mount and a host name namespace only; all others are the caller's.
    Chroot,
}

/// A resource limit of a process; `u64::MAX` is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// As `--ulimit` names it: `nofile`, `nproc`…; `host` alone leaves all limits as the caller has them.
    pub name: String,
    /// What a process starts with.
    pub soft: u64,
    /// What it may raise that to.
    pub hard: u64,
}

/// The namespaces of a command; open means its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spaces {
    /// Control groups.
    pub cgroup: Option<Space>,
    /// System V and POSIX IPC, and `/dev/shm`.
    pub ipc: Option<Space>,
    /// Processes.
    pub pid: Option<Space>,
    /// Host name.
    pub uts: Option<Space>,
}

/// What this machine's files say of the programs that join a command's own network to the host's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Uplinks {
    /// The one for a private network; open means the one that is there, pasta before slirp4netns.
    pub usual: Option<Uplink>,
    /// Options of pasta before those of a run.
    pub pasta_options: Vec<String>,
    /// Options of slirp4netns, `NAME=VALUE`, before those of a run.
    pub slirp_options: Vec<String>,
    /// The program slirp4netns, where it is not to be looked for.
    pub slirp: Option<PathBuf>,
}

/// A program that joins a command's own network to the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Uplink {
    /// `pasta`, of the package passt.
    Pasta,
    /// `slirp4netns`.
    Slirp,
}

impl Uplinks {
    /// What network a command gets that asks for this one. `is_there` knows which programs can be found.
    pub(super) fn choose(&self, asked: Network, is_there: impl Fn(&str) -> bool) -> Network {
        let after = |usual: &[String], asked: Vec<String>| [usual, &asked].concat();
        let has_slirp = || self.slirp.is_some() || is_there("slirp4netns");
        match asked {
            Network::Private { named: false, options }
                if options.is_empty()
                    && match self.usual {
                        Some(usual) => usual == Uplink::Slirp,
                        None => !is_there("pasta") && has_slirp(),
                    } =>
            {
                Network::Slirp { options: self.slirp_options.clone() }
            }
            Network::Private { named, options } => {
                Network::Private { named, options: after(&self.pasta_options, options) }
            }
            Network::Slirp { options } => Network::Slirp { options: after(&self.slirp_options, options) },
            other => other,
        }
    }
}

/// What security modules and filters do to a command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Security {
    /// Which system calls it may make; open means the default profile.
    pub seccomp: Option<Seccomp>,
    /// Whether set-user-id programs and file capabilities grant nothing.
    pub no_new_privileges: bool,
    /// Paths that are hidden besides the usual ones.
    pub mask: Vec<String>,
    /// Paths that are usually hidden or read-only and shall not be; `ALL` for all. Shell patterns.
    pub unmask: Vec<String>,
    /// SELinux: `disable`, or `user:`, `role:`, `type:`, `level:`, `filetype:` and a value each.
    pub label: Vec<String>,
    /// The AppArmor profile, or `unconfined`.
    pub apparmor: Option<String>,
}

/// Which system calls a command may make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seccomp {
    /// All.
    Unconfined,
    /// Those of this file, in the JSON form of Docker's profiles.
    Profile(PathBuf),
}

impl RunSettings {
    /// Refuses words that no command could be run with: names of capabilities that there are not.
    pub(crate) fn check(&self) -> Result<()> {
        let mut named =
            self.cap_add.iter().chain(&self.cap_drop).filter(|name| !name.eq_ignore_ascii_case("all"));
        named.try_for_each(|name| sandbox::parse_capability(name).map(drop))
    }

    /// These settings, and where they leave something open those of `kept`. Lists are joined, the kept ones first.
    #[must_use]
    pub fn over(&self, kept: &RunSettings) -> RunSettings {
        let new = self.clone();
        let old = kept.clone();
        RunSettings {
            add_hosts: joined(old.add_hosts, new.add_hosts),
            capabilities: new.capabilities.or(old.capabilities),
            cap_add: joined(old.cap_add, new.cap_add),
            cap_drop: joined(old.cap_drop, new.cap_drop),
            devices: joined(old.devices, new.devices),
            cdi_dirs: if new.cdi_dirs.is_empty() { old.cdi_dirs } else { new.cdi_dirs },
            dns: new.dns.over(old.dns),
            env: joined(old.env, new.env),
            groups: joined(old.groups, new.groups),
            http_proxy: new.http_proxy.or(old.http_proxy),
            hosts_base: new.hosts_base.or(old.hosts_base),
            isolation: new.isolation.or(old.isolation),
            limits: joined(old.limits, new.limits),
            resources: new.resources.over(old.resources),
            namespaces: Spaces {
                cgroup: new.namespaces.cgroup.or(old.namespaces.cgroup),
                ipc: new.namespaces.ipc.or(old.namespaces.ipc),
                pid: new.namespaces.pid.or(old.namespaces.pid),
                uts: new.namespaces.uts.or(old.namespaces.uts),
            },
            network: new.network.or(old.network),
            no_hosts: new.no_hosts || old.no_hosts,
            no_hostname: new.no_hostname || old.no_hostname,
            security: new.security.over(old.security),
            shm_size: new.shm_size.or(old.shm_size),
            sysctls: joined(old.sysctls, new.sysctls),
            umask: new.umask.or(old.umask),
            users: new.users.or(old.users),
            volumes: joined(old.volumes, new.volumes),
        }
    }
}

impl Dns {
    fn over(self, kept: Dns) -> Dns {
        let either = |new: Vec<String>, old| if new.is_empty() { old } else { new };
        let says_more = !self.servers.is_empty() || !self.search.is_empty() || !self.options.is_empty();
        Dns {
            none: self.none || (kept.none && !says_more),
            servers: if self.servers.is_empty() { kept.servers } else { self.servers },
            search: either(self.search, kept.search),
            options: either(self.options, kept.options),
        }
    }
}

impl Security {
    fn over(self, kept: Security) -> Security {
        Security {
            seccomp: self.seccomp.or(kept.seccomp),
            no_new_privileges: self.no_new_privileges || kept.no_new_privileges,
            mask: joined(kept.mask, self.mask),
            unmask: joined(kept.unmask, self.unmask),
            label: joined(kept.label, self.label),
            apparmor: self.apparmor.or(kept.apparmor),
        }
    }
}

fn joined<T>(mut first: Vec<T>, second: Vec<T>) -> Vec<T> {
    first.extend(second);
    first
}

#[cfg(test)]
mod tests;
