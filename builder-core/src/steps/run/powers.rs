//! What a command may do: capabilities, groups, limits, system calls, devices.

use rustix::thread::CapabilitySet;

use crate::error::{Context, Error, Result};
use crate::sandbox::{self, DeviceNode, Namespaces, Network, Space};
use crate::steps::run::Run;
use crate::steps::run::settings::Seccomp;
use crate::tree::Root;
use crate::tree::users::{self, User};

/// The most open files a command may have by default. Some machines allow a billion, and programs that close all they
/// could have open would take minutes.
const MAX_FILES: u64 = 1 << 20;

/// Stands for the caller's own groups.
const KEEP_GROUPS: &str = "keep-groups";

impl Run {
    /// Buildah's default set, as changed by the flags, and no more than we have ourselves. Dropping wins over adding.
    pub(super) fn capabilities(&self) -> Result<CapabilitySet> {
        let parse = |names: &[String]| -> Result<(bool, CapabilitySet)> {
            let all = names.iter().any(|name| name.eq_ignore_ascii_case("all"));
            let named = names.iter().filter(|name| !name.eq_ignore_ascii_case("all"));
            let sets = named.map(|name| sandbox::parse_capability(name)).collect::<Result<Vec<_>>>()?;
            Ok((all, sets.into_iter().fold(CapabilitySet::empty(), CapabilitySet::union)))
        };
        let (add_all, add) = parse(&self.settings.cap_add)?;
        let (drop_all, drop) = parse(&self.settings.cap_drop)?;
        if add_all && drop_all {
            return Err(Error::invalid("cannot add and drop all capabilities")
                .hint("use `all` in one of `--cap-add` and `--cap-drop`"));
        }
        let base = match (add_all, drop_all) {
            (true, _) => sandbox::parse_capability("all")?,
            (false, true) => CapabilitySet::empty(),
            (false, false) => match &self.settings.capabilities {
                Some(usual) => parse(usual)?.1,
                None => sandbox::DEFAULT_CAPABILITIES,
            },
        };
        let ours = rustix::thread::capabilities(None).cannot("read", "our own capabilities")?;
        Ok(base.union(add).difference(drop).intersection(ours.permitted))
    }

    /// Adds the groups asked for to those of the user; `true` if the caller's own are to be kept instead.
    pub(super) fn add_groups(&self, tree: &Root, user: &mut User) -> Result<bool> {
        let groups = &self.settings.groups;
        if groups.iter().any(|group| group == KEEP_GROUPS) {
            if groups.iter().any(|group| group != KEEP_GROUPS) {
                return Err(Error::invalid(format!(
                    "cannot use `--group-add {KEEP_GROUPS}` with other groups"
                ))
                .because("the kernel either keeps the groups of a process or takes a new list")
                .hint("leave the others away"));
            }
            return Ok(true);
        }
        for group in groups {
            let gid = users::group(tree, group)?;
            if !user.groups.contains(&gid) {
                user.groups.push(gid);
            }
        }
        Ok(false)
    }

    /// Limits of each process. The last one of a name counts; `host` leaves all others as they are.
    pub(super) fn limits(&self) -> Result<Vec<(u32, (u64, u64))>> {
        let mut limits: Vec<(u32, (u64, u64))> = Vec::new();
        let mut set = |resource: u32, values: (u64, u64)| {
            limits.retain(|(known, _)| *known != resource);
            limits.push((resource, values));
        };
        let asked = &self.settings.limits;
        if !asked.iter().any(|limit| limit.name == "host") {
            let ours = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
            let most = ours.unwrap_or(u64::MAX).min(MAX_FILES);
            set(crate::sys::spawn::resource("nofile").expect("it is in the table"), (most, most));
        }
        for limit in asked.iter().filter(|limit| limit.name != "host") {
            let resource = crate::sys::spawn::resource(&limit.name).ok_or_else(|| {
                Error::invalid(format!("cannot limit `{}`", limit.name))
                    .because("there is no such resource")
                    .hint("use a name of `ulimit`, such as `nofile` or `nproc`")
            })?;
            if limit.soft > limit.hard {
                return Err(Error::invalid(format!("cannot limit `{}`", limit.name)).because(format!(
                    "the soft limit {} is above the hard limit {}",
                    limit.soft, limit.hard
                )));
            }
            set(resource, (limit.soft, limit.hard));
        }
        Ok(limits)
    }

    /// Which system calls it may make.
    pub(super) fn seccomp(&self) -> Result<sandbox::Seccomp> {
        Ok(match &self.settings.security.seccomp {
            None => sandbox::Seccomp::Default,
            Some(Seccomp::Unconfined) => sandbox::Seccomp::Unconfined,
            Some(Seccomp::Profile(path)) => sandbox::Seccomp::Profile(sandbox::Profile::read(path)?),
        })
    }

    /// The kernel's settings, as paths below `/proc/sys`, of those namespaces that are not the host's.
    pub(super) fn sysctls(&self, own: &Namespaces, network: &Network) -> Result<Vec<(String, String)>> {
        let mut all = Vec::new();
        for (name, value) in &self.settings.sysctls {
            let path = sysctl(name);
            let first = |start: &str| path.as_deref().is_some_and(|path| path.starts_with(start));
            // See namespaces(7), sysvipc(7) and mq_overview(7): the others are the machine's.
            let has = if first("net/") {
                network.is_own()
            } else if ["kernel/shm", "kernel/msg", "kernel/sem", "fs/mqueue/"]
                .iter()
                .any(|start| first(start))
            {
                own.ipc == Space::Private
            } else {
                return Err(Error::invalid(format!("cannot set `{}`", name.escape_debug()))
                    .because("it is no setting that a container has of its own")
                    .hint("net.*, kernel.shm*, kernel.msg*, kernel.sem and fs.mqueue.* are"));
            };
            all.extend(path.filter(|_| has).map(|path| (path, value.clone())));
        }
        Ok(all)
    }

    /// The nodes of all devices that are named by their paths.
    pub(super) fn device_nodes(&self) -> Result<Vec<DeviceNode>> {
        let mut nodes = Vec::new();
        for device in self.settings.devices.iter().filter(|device| device.name().is_none()) {
            nodes.extend(device.nodes()?);
        }
        Ok(nodes)
    }
}

/// The path of a setting below `/proc/sys`: its words, between dots, or between slashes where a word has a dot.
fn sysctl(name: &str) -> Option<String> {
    let separator = if name.contains('/') { '/' } else { '.' };
    let fits = |word: &str| {
        !word.is_empty()
            && word != ".."
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
    };
    let words: Vec<&str> = name.split(separator).collect();
    words.iter().all(|word| fits(word)).then(|| words.join("/"))
}
