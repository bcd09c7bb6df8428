//! `run`: a command in a working container, as a value and as an action.
//!
//! Here the image's config, the flags and the host meet: what is left open by one is settled by the next, until the
//! sandbox has nothing to decide. How the command is confined is the sandbox's business.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Uid};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::builder::Builder;
use crate::error::{Context, Error, Kind, Result};
use crate::event::Reporter;
use crate::host::lsm::Modules;
use crate::host::{Host, Users};
use crate::rootfs::Traces;
use crate::sandbox::{self, Exit, Facts, Mount, Namespaces, Network, Rootfs, Space, Spec};
use crate::steps::sources::Sources;
use crate::store::Work;
use crate::sys::userns::Maker;
use crate::tree::users::{self, User};
use crate::tree::{RelPath, Root};

mod agent;
mod as_step;
mod cdi;
mod device;
mod hooks;
mod in_container;
mod labels;
mod mount;
mod options;
mod overlaid;
mod powers;
mod secrets;
mod settings;
mod surroundings;
pub(crate) mod volume;
mod words;

use labels::Confinement;

pub use device::Device;
pub use mount::{MountKind, RunMount, Sharing};
pub use options::MountOptions;
pub use secrets::{Secret, SecretValue, SshAgent};
pub use settings::{
    Dns, HostAddress, HostEntry, HostName, Isolation, Limit, RunSettings, Seccomp, Security, Spaces, Uplink,
    Uplinks, UserSpace,
};
pub use volume::Volume;
pub use words::parse_size;

/// Bytes of `/dev/shm` unless told otherwise.
const SHM_SIZE: u64 = 64 << 20;

/// The verb: run a command in a working container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// The command and its arguments; run as they are, without a shell.
    pub args: Vec<String>,
    /// Variables set for this command only; they win over those of the image.
    pub env: Vec<(String, String)>,
    /// The caller's proxy variables. They are set where neither the image nor `env` sets them and the settings let
    /// them through; what a command does must not depend on them.
    #[serde(skip)]
    pub proxies: Vec<(String, String)>,
    /// `user[:group]` in place of the image's.
    pub user: Option<String>,
    /// The working directory in place of the image's; made if the container lacks it.
    pub workdir: Option<String>,
    /// The host name in place of the container's id.
    pub hostname: Option<String>,
    /// Mounts for this run.
    pub mounts: Vec<RunMount>,
    /// The host directory that sources of bind mounts are looked for in.
    pub contextdir: Option<PathBuf>,
    /// Secrets that mounts may ask for; never written down.
    #[serde(skip)]
    pub secrets: Vec<Secret>,
    /// SSH agents that mounts may ask for.
    #[serde(skip)]
    pub ssh: Vec<SshAgent>,
    /// Whether it gets a terminal.
    pub terminal: bool,
    /// Whether the root directory is changed by `chroot` and not by `pivot_root`, for a store on a RAM disk.
    pub no_pivot: bool,
    /// Whether it has the caller's session keyring and not an empty one of its own.
    pub shares_keyring: bool,
    /// The OCI runtime that runs it, by name or path, in place of our own sandbox.
    pub runtime: Option<String>,
    /// The one for images of a platform, `OS/ARCH`, where `runtime` names none.
    pub runtimes: BTreeMap<String, String>,
    /// Options for that runtime, without the leading `--`.
    pub runtime_flags: Vec<String>,
    /// Directories with descriptions of hooks for that runtime; those of a later one take the place of others of the
    /// same name.
    pub hooks_dirs: Vec<PathBuf>,
    /// What that runtime and its hooks are told.
    pub annotations: Vec<(String, String)>,
    /// Directories in which programs that help are looked for, before the usual ones.
    pub helpers: Vec<PathBuf>,
    /// What is said of those that join a network of its own to the host's.
    pub uplinks: Uplinks,
    /// What `host.containers.internal` stands for.
    pub host_name: HostName,
    /// The settings of this run, laid over those kept with the container.
    pub settings: RunSettings,
    /// The settings of this machine, which those kept with the container are laid over.
    pub defaults: RunSettings,
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

/// Where a run takes place.
pub(crate) struct Scene<'a> {
    /// An empty directory that the caller removes again.
    pub scratch: &'a Path,
    /// Another one, for sockets and for what programs are told: it need not be able to hold layers. It may be the same.
    pub passing: &'a Path,
    /// What this user namespace allows.
    pub facts: &'a Facts,
    /// Whom to tell.
    pub reporter: &'a dyn Reporter,
    /// Standard input, output and error, where they are not ours.
    pub streams: [Option<OwnedFd>; 3],
    /// The store and what of it the mounts are from.
    pub store: Option<(&'a Builder<'a>, &'a Work, &'a Sources)>,
    /// The user namespace of the command, if not ours.
    pub users: Option<Users>,
}

impl Scene<'_> {
    /// What a user and a group of the container are to us.
    fn outside(&self, owner: (u32, u32)) -> (u32, u32) {
        self.users.as_ref().map_or(owner, |users| users.maps.outside(owner))
    }
}

impl Run {
    /// Runs the command in `rootfs` and waits for it. The settings are all there are: those of the container are in
    /// them already.
    pub(crate) fn perform(
        &self,
        rootfs: Rootfs,
        config: &RunConfig,
        traces: Option<Traces>,
        scene: Scene<'_>,
    ) -> Result<Exit> {
        if self.args.is_empty() {
            return Err(Error::invalid("cannot run without a command")
                .hint("name one after `--`, for example `kiln run <container> -- sh`"));
        }
        self.settings.resources.check()?;
        let tree = tree(&rootfs)?;
        let mut user = users::resolve(&tree, self.user.as_deref().unwrap_or(&config.user))?;
        let keep_groups = self.add_groups(&tree, &mut user)?;
        let workdir = self.workdir(config)?;
        let modules = Modules::look();
        let (security, usual) = (&self.settings.security, &self.defaults.security);
        let confinement = Confinement::settle(security, usual, &config.id, &modules, scene.reporter)?;
        let file_label = confinement.file_label();
        let opened = self.open_mounts(&tree, &workdir, &user, &scene, &confinement)?;
        let mut mounts = opened.mounts;
        let mut devices = self.device_nodes()?;
        devices.extend(opened.devices);
        let bound = !mounts.is_empty();
        // The outer before the inner, or the outer would hide it.
        mounts.sort_by_key(|mount| RelPath::clamp(&mount.at).parts().count());
        self.make_directory(&tree, &workdir, &user, &mounts, &scene)?;
        let namespaces = self.namespaces();
        let hostname = self.hostname(config, &namespaces);
        let network = self.network(&scene, &namespaces)?;
        let mut files = self.files(&tree, config, &hostname, &network, &mounts, scene.facts)?;
        files.extend(opened.files);
        let mut env = self.environment(config, &user, &hostname);
        env.extend(opened.env);
        let security = &self.settings.security;
        let spec = Spec {
            args: self.args.clone(),
            env,
            directory: workdir,
            keep_groups,
            files,
            hostname,
            hostname_required: self.hostname.is_some(),
            mounts,
            devices,
            capabilities: self.capabilities()?,
            no_new_privileges: security.no_new_privileges,
            seccomp: self.seccomp()?,
            mask: security.mask.clone(),
            unmask: security.unmask.clone(),
            exec_labels: confinement.exec,
            file_label,
            limits: self.limits()?,
            resources: self.settings.resources.clone(),
            umask: self.settings.umask.unwrap_or(0o022),
            sysctls: self.sysctls(&namespaces, &network)?,
            annotations: self.annotations.iter().cloned().collect(),
            namespaces,
            network,
            reuse_network: scene.store.is_some_and(|(builder, ..)| builder.settings.reuse_networks),
            no_pivot: self.no_pivot || self.is_chroot(),
            shares_keyring: self.shares_keyring,
            terminal: self.terminal,
            shm_size: self.settings.shm_size.unwrap_or(SHM_SIZE),
            helpers: self.helpers.clone(),
            slirp: self.uplinks.slirp.clone(),
            runtime: self.external(bound, opened.hooks, scene.users.as_ref())?,
            streams: scene.streams,
            scratch: scene.passing.to_owned(),
            traces,
            user,
            users: scene.users,
        };
        give_pipes(spec.outside((spec.user.uid, spec.user.gid)).0, &spec.streams);
        // A mount lives as long as a handle of it does, and the root directory is to be unmounted by the run.
        drop(tree);
        let exit = sandbox::run(rootfs, spec, scene.facts, scene.reporter);
        drop(opened.kept);
        exit
    }

    /// The OCI runtime, where one is named.
    fn external(
        &self,
        bound: bool,
        hooks: Vec<(String, Value)>,
        users: Option<&Users>,
    ) -> Result<Option<sandbox::Runtime>> {
        if self.is_chroot() && !self.runtime_flags.is_empty() {
            return Err(Error::invalid("cannot pass options to the runtime")
                .because("with the isolation `chroot` none is started")
                .hint("leave --runtime-flag away, or use --isolation oci"));
        }
        self.runtime_flags.iter().try_for_each(|flag| words::check_runtime_flag(flag))?;
        let Some(program) = self.runtime.as_ref().filter(|_| !self.is_chroot()) else { return Ok(None) };
        if users.and_then(Users::shows).is_some() {
            return Err(Error::new(
                Kind::Unsupported,
                format!("cannot use the runtime `{program}` with mapped ids"),
            )
            .because(
                "it looks for the container's files with the ids inside, and the store is closed to them",
            )
            .hint("leave --runtime away: Kiln itself makes the user namespace"));
        }
        let flags = self.runtime_flags.clone();
        let command = self.args.first().map_or("", String::as_str);
        let hooks = hooks::read(&self.hooks_dirs, command, bound, &self.annotations, hooks)?;
        Ok(Some(sandbox::Runtime { program: program.clone(), flags, hooks }))
    }

    fn is_chroot(&self) -> bool {
        self.settings.isolation == Some(Isolation::Chroot)
    }

    /// The working directory: the flag's, or the image's.
    fn workdir(&self, config: &RunConfig) -> Result<String> {
        let wanted = self.workdir.as_deref().unwrap_or(&config.workdir);
        let wanted = if wanted.is_empty() { "/" } else { wanted };
        if !wanted.starts_with('/') {
            return Err(Error::invalid(format!("cannot work in `{wanted}`"))
                .because("a working directory starts with a slash")
                .hint(format!("use `--workingdir /{wanted}`")));
        }
        Ok(wanted.to_owned())
    }

    /// Makes the working directory, and gives it to the user, if it is missing.
    fn make_directory(
        &self,
        tree: &Root,
        wanted: &str,
        user: &User,
        mounts: &[Mount],
        scene: &Scene<'_>,
    ) -> Result<()> {
        let place = tree.resolve(wanted).cannot("find the working directory", wanted)?;
        // What is mounted there has its own directories.
        let covered = mounts.iter().any(|mount| place.starts_with(&RelPath::clamp(&mount.at)))
            || ["proc", "sys", "dev"]
                .iter()
                .any(|name| place.parts().next().is_some_and(|part| part == *name));
        if covered {
            return Ok(());
        }
        let root = scene.outside((0, 0));
        // A mount that shows other ids takes nothing from one who is not among them.
        let maker = (root != (0, 0)).then(|| Maker::become_one(root.0, root.1)).transpose();
        let maker = maker.cannot("make the working directory", wanted)?;
        let (_, made) =
            tree.mkdir_all(place.as_path(), 0o755).cannot("make the working directory", wanted)?;
        drop(maker);
        let (uid, gid) = scene.outside((user.uid, user.gid));
        for path in made {
            let (above, name) = tree.parent(path.as_path()).cannot("open", &path)?;
            let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
            rustix::fs::chownat(&above, &name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
                .cannot("give to the user", &path)?;
        }
        Ok(())
    }

    /// Volumes and mounts, opened.
    fn open_mounts(
        &self,
        tree: &Root,
        workdir: &str,
        user: &User,
        scene: &Scene<'_>,
        confinement: &Confinement,
    ) -> Result<mount::open::Opened> {
        let place = mount::open::Place { run: self, tree, workdir, user, scene, confinement };
        let mut opened = mount::open::Opened::default();
        let owner = scene.outside((user.uid, user.gid));
        let mut volumes = self.settings.volumes.clone();
        for name in self.settings.devices.iter().filter_map(Device::name) {
            let needs = cdi::needs(name, &self.settings.cdi_dirs)?;
            opened.env.extend(needs.env);
            opened.devices.extend(needs.nodes);
            if !needs.hooks.is_empty() && (self.runtime.is_none() || self.is_chroot()) {
                return Err(Error::new(Kind::Unsupported, format!("cannot use the device `{name}`"))
                    .because(
                        "its description has hooks: programs of the host that only an OCI runtime starts",
                    )
                    .hint("add --runtime runc, or name its nodes one by one: --device /dev/…"));
            }
            opened.hooks.extend(needs.hooks);
            for text in &needs.volumes {
                volumes.push(text.parse::<Volume>().cannot("lend the device", name)?);
            }
        }
        for (nth, volume) in volumes.iter().enumerate() {
            opened.mounts.push(volume.open(nth, owner, scene, confinement)?);
        }
        for (nth, mount) in self.mounts.iter().enumerate() {
            place.open(nth, mount, &mut opened)?;
        }
        for mount in &opened.mounts {
            let show = mount.at.display();
            if tree.resolve(&mount.at).cannot("find the mount's target", &show)?.is_root() {
                return Err(Error::invalid(format!("cannot mount on `{show}`"))
                    .because("it leads to `/`, and the mount would hide the whole container"));
            }
        }
        Ok(opened)
    }

    fn namespaces(&self) -> Namespaces {
        let asked = &self.settings.namespaces;
        let or = |space: &Option<Space>, usual: Space| space.clone().unwrap_or(usual);
        // `chroot` is for where the others may not be made.
        let usual = if self.is_chroot() { Space::Host } else { Space::Private };
        Namespaces {
            cgroup: or(&asked.cgroup, usual.clone()),
            ipc: or(&asked.ipc, usual.clone()),
            pid: or(&asked.pid, usual),
            uts: or(&asked.uts, Space::Private),
        }
    }

    /// The network, with what this machine's files say of it.
    fn network(&self, scene: &Scene<'_>, namespaces: &Namespaces) -> Result<Network> {
        let is_there = |name: &str| {
            self.helpers.iter().any(|dir| dir.join(name).is_file())
                || scene.store.is_some_and(|(builder, ..)| builder.settings.find_program(name).is_some())
        };
        if let Some(asked) = &self.settings.network {
            return Ok(self.uplinks.choose(asked.clone(), is_there));
        }
        let reuses = scene.store.is_some_and(|(builder, ..)| builder.settings.reuse_networks);
        if !scene.facts.rootless || !reuses || self.is_chroot() {
            return Ok(Network::Host);
        }
        // As in Buildah, but where pasta cannot be had: nobody asked for it.
        let own = Network::Private { named: false, options: Vec::new() };
        let own = self.uplinks.choose(own, is_there);
        let Network::Private { options, .. } = &own else { return Ok(Network::Host) };
        let manner = sandbox::NetworkManner::new(options, &self.sysctls(namespaces, &own)?);
        let works = sandbox::network_works(manner, scene.passing, &self.helpers);
        Ok(if works { own } else { Network::Host })
    }

    /// Whether its command may get a network of its own that pasta joins to the host's: it is made ready for that by
    /// [`enter_for_commands`](crate::enter_for_commands).
    #[must_use]
    pub fn wants_network(&self, host: Host) -> bool {
        match self.settings.network.as_ref().or(self.defaults.network.as_ref()) {
            None => host.is_rootless() && !self.is_chroot(),
            Some(network) => matches!(network, Network::Private { .. }),
        }
    }

    /// The host name inside: the flag's, the beginning of the container's id, or where none is set the host's own.
    fn hostname(&self, config: &RunConfig, namespaces: &Namespaces) -> String {
        if namespaces.uts == Space::Host {
            return rustix::system::uname().nodename().to_string_lossy().into_owned();
        }
        self.hostname.clone().unwrap_or_else(|| config.id.chars().take(12).collect())
    }
}

fn tree(rootfs: &Rootfs) -> Result<Root> {
    rootfs.try_clone().map(Root::from_fd).cannot("open", "the container's root directory")
}

/// Lets the user open our pipes again by name, as `/dev/stdout`: a pipe belongs to who made it.
fn give_pipes(uid: u32, streams: &[Option<OwnedFd>; 3]) {
    if uid == 0 {
        return;
    }
    let ours = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    let given = streams.iter().zip(ours).map(|(instead, ours)| instead.as_ref().map_or(ours, AsFd::as_fd));
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
