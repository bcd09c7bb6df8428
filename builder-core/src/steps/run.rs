//! `run`: a command in a working container, as a value and as an action.
//!
//! Here the image's config, the flags and the host meet: what is left open by one is settled by the next, until the
//! sandbox has nothing to decide. How the command is confined is the sandbox's business.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Uid};
use rustix::thread::CapabilitySet;
use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, Result};
use crate::event::Reporter;
use crate::rootfs::Traces;
use crate::sandbox::{self, Exit, Facts, File, Mount, Network, Rootfs, Seccomp, Spec};
use crate::tree::users::{self, User};
use crate::tree::{RelPath, Root};

mod as_step;
mod in_container;
pub(crate) mod volume;

pub use volume::Volume;

/// Where programs are looked for unless the image or the caller says otherwise.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The most open files a command may have by default. Some machines allow a billion, and programs that close all they
/// could have open would take minutes.
const MAX_FILES: u64 = 1 << 20;

/// Bytes of `/dev/shm` unless told otherwise.
const SHM_SIZE: u64 = 64 << 20;

/// No file of the host that is shown to a container is read beyond this many bytes.
const HOST_FILE_LIMIT: u64 = 1 << 20;

/// The verb: run a command in a working container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The command and its arguments; run as they are, without a shell.
    pub args: Vec<String>,
    /// Variables set for this command only; they win over those of the image.
    pub env: Vec<(String, String)>,
    /// `user[:group]` in place of the image's.
    pub user: Option<String>,
    /// The working directory in place of the image's; made if the container lacks it.
    pub workdir: Option<String>,
    /// The host name in place of the container's id.
    pub hostname: Option<String>,
    /// Host directories and files to mount.
    pub volumes: Vec<Volume>,
    /// What network it sees.
    pub network: Network,
    /// Whether it gets a terminal.
    pub terminal: bool,
    /// Capabilities beyond the default ones, by name; `all` for all.
    pub cap_add: Vec<String>,
    /// Capabilities less than the default ones, by name; `all` for all.
    pub cap_drop: Vec<String>,
    /// Resource limits.
    pub limits: Vec<Limit>,
    /// Whether the image's own `/etc/hosts` is left alone.
    pub no_hosts: bool,
    /// Whether set-user-id programs and file capabilities grant nothing.
    pub no_new_privileges: bool,
    /// Whether every system call may be made.
    pub seccomp_unconfined: bool,
    /// Bytes of `/dev/shm`, if not 64 MiB.
    pub shm_size: Option<u64>,
}

/// A resource limit; `u64::MAX` is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// As `--ulimit` names it: `nofile`, `nproc`…
    pub name: String,
    /// What a process starts with.
    pub soft: u64,
    /// What it may raise that to.
    pub hard: u64,
}

/// What `run` takes from the working container.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunConfig {
    /// Variables of the image.
    pub env: Vec<(String, String)>,
    /// `user[:group]` of the image; empty for root.
    pub user: String,
    /// The image's working directory; empty for `/`.
    pub workdir: String,
    /// The container's id.
    pub id: String,
    /// The container's name.
    pub name: String,
    /// The name of the image it was made from; may be empty.
    pub image: String,
    /// The id of that image; may be empty.
    pub image_id: String,
}

/// Where a run works besides its root directory.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    /// An empty directory that the caller removes again.
    pub scratch: &'a Path,
    /// Where what is made to mount on is written down.
    pub traces: Option<Traces>,
    /// Standard input, output and error, where they are not ours.
    pub streams: [Option<OwnedFd>; 3],
}

impl Run {
    /// Runs the command in `rootfs` and waits for it.
    pub(crate) fn perform(
        &self,
        rootfs: Rootfs,
        config: &RunConfig,
        place: Place<'_>,
        facts: &Facts,
        reporter: &dyn Reporter,
    ) -> Result<Exit> {
        let Place { scratch, traces, streams } = place;
        if self.args.is_empty() {
            return Err(Error::invalid("cannot run without a command")
                .hint("name one after `--`, for example `kiln run <container> -- sh`"));
        }
        let tree = tree(&rootfs)?;
        let user = users::resolve(&tree, self.user.as_deref().unwrap_or(&config.user))?;
        let mut mounts = self.volumes.clone();
        // The outer before the inner, or the outer would hide it.
        mounts.sort_by_key(|volume| RelPath::clamp(&volume.target).parts().count());
        let owner = (user.uid, user.gid);
        let mounts: Vec<Mount> = mounts
            .iter()
            .enumerate()
            .map(|(nth, volume)| volume.open(nth, owner, scratch, facts))
            .collect::<Result<_>>()?;
        let directory = self.directory(&tree, config, &user, &mounts)?;
        let hostname = self.hostname.clone().unwrap_or_else(|| config.id.chars().take(12).collect());
        let spec = Spec {
            args: self.args.clone(),
            env: self.environment(config, &user, &hostname),
            directory,
            files: self.files(config, &hostname, &mounts, facts)?,
            hostname,
            mounts,
            capabilities: self.capabilities()?,
            no_new_privileges: self.no_new_privileges,
            seccomp: if self.seccomp_unconfined { Seccomp::Unconfined } else { Seccomp::Default },
            limits: self.limits()?,
            network: self.network,
            terminal: self.terminal,
            shm_size: self.shm_size.unwrap_or(SHM_SIZE),
            streams,
            traces,
            user,
        };
        give_pipes(spec.user.uid);
        // A mount lives as long as a handle of it does, and the root directory is to be unmounted by the run.
        drop(tree);
        sandbox::run(rootfs, spec, facts, reporter)
    }

    /// The working directory, made and given to the user if it is missing.
    fn directory(&self, tree: &Root, config: &RunConfig, user: &User, mounts: &[Mount]) -> Result<String> {
        let wanted = self.workdir.as_deref().unwrap_or(&config.workdir);
        let wanted = if wanted.is_empty() { "/" } else { wanted };
        if !wanted.starts_with('/') {
            return Err(Error::invalid(format!("cannot work in `{wanted}`"))
                .because("a working directory starts with a slash")
                .hint(format!("use `--workingdir /{wanted}`")));
        }
        let place = tree.resolve(wanted).cannot("find the working directory", wanted)?;
        // What is mounted there has its own directories.
        let covered = mounts.iter().any(|mount| place.starts_with(&RelPath::clamp(&mount.at)))
            || ["proc", "sys", "dev"]
                .iter()
                .any(|name| place.parts().next().is_some_and(|part| part == *name));
        if !covered {
            let (_, made) =
                tree.mkdir_all(place.as_path(), 0o755).cannot("make the working directory", wanted)?;
            for path in made {
                let (above, name) = tree.parent(path.as_path()).cannot("open", &path)?;
                let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
                rustix::fs::chownat(&above, &name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
                    .cannot("give to the user", &path)?;
            }
        }
        Ok(wanted.to_owned())
    }

    /// The whole environment: nothing of the caller's is in it that was not asked for.
    fn environment(&self, config: &RunConfig, user: &User, hostname: &str) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = Vec::new();
        for (key, value) in config.env.iter().chain(&self.env) {
            match all.iter_mut().find(|(known, _)| known == key) {
                Some(entry) => entry.1.clone_from(value),
                None => all.push((key.clone(), value.clone())),
            }
        }
        let mut default = |key: &str, value: &str| {
            if !all.iter().any(|(known, _)| known == key) {
                all.push((key.to_owned(), value.to_owned()));
            }
        };
        default("PATH", DEFAULT_PATH);
        default("HOSTNAME", hostname);
        default("HOME", user.home.as_deref().unwrap_or("/"));
        if self.terminal {
            default("TERM", "xterm");
        }
        all
    }

    /// The files that tell a command of its surroundings, but for those a volume takes the place of.
    fn files(
        &self,
        config: &RunConfig,
        hostname: &str,
        mounts: &[Mount],
        facts: &Facts,
    ) -> Result<Vec<File>> {
        let mut files = Vec::new();
        let mut add = |at: &str, content: String| {
            let place = RelPath::clamp(at);
            if !mounts.iter().any(|mount| RelPath::clamp(&mount.at) == place) {
                files.push(File { at: PathBuf::from(at), content: content.into_bytes() });
            }
        };
        if !self.no_hosts {
            let host = match self.network {
                Network::Host => Some(host_file("/etc/hosts")?.unwrap_or_default()),
                Network::None => None,
            };
            add("/etc/hosts", sandbox::hosts(host.as_deref(), hostname));
        }
        add("/etc/hostname", format!("{hostname}\n"));
        if self.network == Network::Host
            && let Some(servers) = name_servers()?
        {
            add("/etc/resolv.conf", servers);
        }
        add("/run/.containerenv", container_facts(config, facts));
        Ok(files)
    }

    /// Buildah's default set, as changed by the flags, and no more than we have ourselves.
    fn capabilities(&self) -> Result<CapabilitySet> {
        let parse = |names: &[String]| -> Result<(bool, CapabilitySet)> {
            let all = names.iter().any(|name| name.eq_ignore_ascii_case("all"));
            let named = names.iter().filter(|name| !name.eq_ignore_ascii_case("all"));
            let sets = named.map(|name| sandbox::parse_capability(name)).collect::<Result<Vec<_>>>()?;
            Ok((all, sets.into_iter().fold(CapabilitySet::empty(), CapabilitySet::union)))
        };
        let (add_all, add) = parse(&self.cap_add)?;
        let (drop_all, drop) = parse(&self.cap_drop)?;
        if add.intersects(drop) || (add_all && drop_all) {
            return Err(Error::invalid("cannot add and drop the same capability")
                .hint("name it in one of `--cap-add` and `--cap-drop`"));
        }
        let base = match (add_all, drop_all) {
            (true, _) => sandbox::parse_capability("all")?,
            (false, true) => CapabilitySet::empty(),
            (false, false) => sandbox::DEFAULT_CAPABILITIES,
        };
        let ours = rustix::thread::capabilities(None).cannot("read", "our own capabilities")?;
        Ok(base.union(add).difference(drop).intersection(ours.permitted))
    }

    fn limits(&self) -> Result<Vec<(u32, (u64, u64))>> {
        let mut limits = Vec::new();
        for limit in &self.limits {
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
            limits.push((resource, (limit.soft, limit.hard)));
        }
        if !self.limits.iter().any(|limit| limit.name == "nofile") {
            let ours = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
            let most = ours.unwrap_or(u64::MAX).min(MAX_FILES);
            let resource = crate::sys::spawn::resource("nofile").expect("it is in the table");
            limits.push((resource, (most, most)));
        }
        Ok(limits)
    }
}

fn tree(rootfs: &Rootfs) -> Result<Root> {
    rootfs.try_clone().map(Root::from_fd).cannot("open", "the container's root directory")
}

/// A file of the host, if there is one; not of any size.
fn host_file(path: &str) -> Result<Option<String>> {
    match Root::open_host(Path::new("/")).and_then(|root| root.read(path, HOST_FILE_LIMIT)) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).cannot("read", path),
    }
}

/// The host's name servers. Where a local stub answers for them, the real ones: the stub may not hear a container.
fn name_servers() -> Result<Option<String>> {
    let text = host_file("/etc/resolv.conf")?;
    match text {
        Some(text) if sandbox::nameserver_is_stub(&text) => {
            Ok(host_file("/run/systemd/resolve/resolv.conf")?.or(Some(text)))
        }
        text => Ok(text),
    }
}

/// What `/run/.containerenv` says: how programs learn that, and in what, they are contained.
fn container_facts(config: &RunConfig, facts: &Facts) -> String {
    let RunConfig { name, id, image, image_id, .. } = config;
    let rootless = u8::from(facts.rootless);
    let engine = concat!("kiln-", env!("CARGO_PKG_VERSION"));
    format!(
        "engine={engine:?}\nname={name:?}\nid={id:?}\nimage={image:?}\nimageid={image_id:?}\nrootless={rootless}\n"
    )
}

/// Lets the user open our pipes again by name, as `/dev/stdout`: a pipe belongs to who made it.
fn give_pipes(uid: u32) {
    if uid == 0 {
        return;
    }
    let given = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    for pipe in given {
        let is_pipe =
            rustix::fs::fstat(pipe).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo);
        if is_pipe {
            // Where it may not be given away, only its name cannot be used.
            let _ = rustix::fs::fchown(pipe, Some(Uid::from_raw(uid)), None);
        }
    }
}

#[cfg(test)]
mod tests;
