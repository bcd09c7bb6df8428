//! How a `--mount` becomes a mount, a file or a variable of one run.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Gid, Mode, OFlags, Uid};
use rustix::mount::MountAttrFlags;

use crate::error::{Context, Error, Kind, Result};
use crate::host::Users;
use crate::rootfs;
use crate::sandbox::{DeviceNode, Facts, File, Mount};
use crate::steps::run::labels::Confinement;
use crate::steps::run::mount::{MountKind, RunMount, Sharing};
use crate::steps::run::options::give;
use crate::steps::run::secrets::Secret;
use crate::steps::run::{Run, Scene, overlaid};
use crate::store::CacheUse;
use crate::sys::mount::file_system;
use crate::sys::mount_attr;
use crate::tree::users::User;
use crate::tree::{self, Apply, Devices, Marks, RelPath, Root};

/// Where mounts are opened: what the run knows of itself and of its surroundings.
pub(in crate::steps::run) struct Place<'a> {
    /// The run.
    pub run: &'a Run,
    /// The container's files.
    pub tree: &'a Root,
    /// Where relative targets begin.
    pub workdir: &'a str,
    /// Who runs the command.
    pub user: &'a User,
    /// Where the run takes place.
    pub scene: &'a Scene<'a>,
    /// What security modules are told.
    pub confinement: &'a Confinement,
}

/// What came of all mounts.
#[derive(Debug, Default)]
pub(in crate::steps::run) struct Opened {
    /// To be mounted.
    pub mounts: Vec<Mount>,
    /// To be made for the run.
    pub files: Vec<File>,
    /// To be set.
    pub env: Vec<(String, String)>,
    /// To be lent.
    pub devices: Vec<DeviceNode>,
    /// What a runtime is to start around the command: the stage, and the hook.
    pub hooks: Vec<(String, serde_json::Value)>,
    /// What must stay until the run has ended: caches, containers, agents.
    pub kept: Vec<Box<dyn fmt::Debug>>,
    /// How many agents are among them.
    agents: usize,
}

impl Place<'_> {
    /// Opens the mount, the `nth` of the run.
    pub fn open(&self, nth: usize, mount: &RunMount, into: &mut Opened) -> Result<()> {
        let at = match mount.target.is_absolute() || mount.target.as_os_str().is_empty() {
            true => mount.target.clone(),
            false => Path::new("/").join(self.workdir).join(&mount.target),
        };
        if !at.as_os_str().is_empty() && RelPath::clamp(&at).is_root() {
            return Err(Error::invalid(format!("cannot mount on `{}`", mount.target.display()))
                .because("it would hide the whole container"));
        }
        let scratch = self.scene.scratch.join(format!("mount-{nth}"));
        let source = match &mount.kind {
            MountKind::Bind { from, source } => self.bind(mount, from.as_deref(), source, &scratch)?,
            MountKind::Cache { .. } => self.cache(mount, &at, into)?,
            MountKind::Tmpfs { size, mode, copy_up } => self.tmpfs(&at, *size, *mode, *copy_up)?,
            MountKind::Secret { id, env, required, mode, owner } => {
                let Some(secret) = self.run.secrets.iter().find(|secret| secret.id == *id) else {
                    return missing(
                        "secret",
                        id,
                        *required,
                        "`--secret id=ID,src=FILE` or `--secret id=ID,env=NAME`",
                    );
                };
                return Opened::secret(into, secret, env.as_deref(), at, *mode, *owner);
            }
            MountKind::Ssh { id, required, mode, owner } => {
                let Some(agent) = self.run.ssh.iter().find(|agent| agent.id == *id) else {
                    return missing("SSH agent", id, *required, "`--ssh ID=$SSH_AUTH_SOCK`");
                };
                let number = into.agents;
                into.agents += 1;
                let at = match at.as_os_str().is_empty() {
                    true => PathBuf::from(format!("/run/buildkit/ssh_agent.{number}")),
                    false => at,
                };
                let socket = self.scene.passing.join(format!("agent-{nth}"));
                let agent = agent.serve(&socket, *mode, self.scene.outside(*owner))?;
                let source = overlaid::clone(rustix::fs::CWD, agent.path(), false);
                let source = source.cannot("mount the SSH agent", id)?;
                into.env.push(("SSH_AUTH_SOCK".into(), at.display().to_string()));
                into.kept.push(Box::new(agent));
                into.mounts.push(Mount { source, is_dir: false, at });
                return Ok(());
            }
        };
        if mount.options.has("U") {
            let owner = self.scene.outside((self.user.uid, self.user.gid));
            give(source.as_fd(), owner).cannot("give to the container's user", at.display())?;
        }
        let source = mount.options.apply(source, mount.read_only).cannot("mount", at.display())?;
        let is_dir = is_dir(&source).cannot("mount", at.display())?;
        into.mounts.push(Mount { source, is_dir, at });
        Ok(())
    }

    fn bind(&self, mount: &RunMount, from: Option<&str>, source: &Path, scratch: &Path) -> Result<OwnedFd> {
        let show = &source.display();
        let flags = OFlags::PATH
            | if mount.options.has("no-dereference") { OFlags::NOFOLLOW } else { OFlags::empty() };
        // A mount of another tree cannot be copied on every kernel, so a layer is put over it.
        let (opened, detached) = match (from, &self.run.contextdir) {
            (Some(name), _) => {
                if let Some(part) = self.part_of(name, mount, source, scratch)? {
                    return Ok(part);
                }
                let opened =
                    self.files_of(name, self.scene.users.as_ref())?.open(source, flags, Mode::empty());
                (opened.cannot("find in the image or container", show), true)
            }
            (None, Some(dir)) => {
                let root = Root::open_host(dir).cannot("open the context directory", dir.display())?;
                (root.open(source, flags, Mode::empty()).cannot("find in the context directory", show), false)
            }
            (None, None) if source.as_os_str().is_empty() => {
                return Err(Error::invalid(format!("cannot mount on `{}`", mount.target.display()))
                    .because("nothing says what is to be mounted there")
                    .hint("add source=/path, or from=IMAGE, or --contextdir DIR"));
            }
            (None, None) if !source.is_absolute() => {
                return Err(Error::invalid(format!("cannot mount `{show}`"))
                    .because("the source does not start with a slash")
                    .hint(format!("write source=$PWD/{show}, or add --contextdir .")));
            }
            (None, None) => (overlaid::open(source).cannot("mount", show), false),
        };
        let opened = opened.map_err(|error| match error.kind() {
            Kind::NotFound => error.hint("the source of a mount must exist: make it first"),
            _ => error,
        })?;
        if from.is_none() {
            self.confinement.relabel(opened.as_fd(), source, &mount.options)?;
        }
        let kind = rustix::fs::fstat(&opened).map(|stat| FileType::from_raw_mode(stat.st_mode));
        let is_dir = is_dir(&opened).cannot("mount", show)?;
        // What is in the store has been opened with the owners that it has for the command.
        let users = self.scene.users.as_ref().filter(|_| !detached);
        if is_dir && (detached || !mount.read_only) {
            let made = overlaid::overlay(opened.as_fd(), scratch, self.scene.facts, users);
            return made.cannot("overlay", show);
        }
        let opened = overlaid::shown(opened, mount.options.recursive(), users, &show.to_string())?;
        if kind == Ok(FileType::RegularFile) && (detached || !mount.read_only) {
            return overlaid::copy(opened, scratch).cannot("copy", show);
        }
        if users.and_then(Users::shows).is_some() {
            return Ok(opened);
        }
        overlaid::clone(opened.as_fd(), Path::new(""), mount.options.recursive()).cannot("mount", show)
    }

    /// A directory of a container's or image's files, where it can be had as a mount.
    fn part_of(
        &self,
        name: &str,
        mount: &RunMount,
        source: &Path,
        scratch: &Path,
    ) -> Result<Option<OwnedFd>> {
        let Some((builder, work, sources)) = self.scene.store else { return Ok(None) };
        let part = rootfs::Part {
            path: source,
            no_follow: mount.options.has("no-dereference"),
            scratch,
            users: self.scene.users.as_ref(),
        };
        sources.get(name).part(builder, work, part)
    }

    /// The files of a container or image.
    fn files_of(&self, name: &str, users: Option<&Users>) -> Result<&Root> {
        let Some((builder, work, sources)) = self.scene.store else {
            return Err(Error::invalid(format!("cannot mount from `{name}`")).because("there is no store"));
        };
        Ok(sources.get(name).root_for(builder, work, users)?.unwrap_or(self.tree))
    }

    fn cache(&self, mount: &RunMount, at: &Path, into: &mut Opened) -> Result<OwnedFd> {
        let MountKind::Cache { id, sharing, from, source, mode, owner } = &mount.kind else {
            unreachable!("the caller has looked");
        };
        let id = id.clone().unwrap_or_else(|| at.display().to_string());
        let Some((builder, work, _)) = self.scene.store else {
            return Err(Error::invalid(format!("cannot use the cache `{id}`")).because("there is no store"));
        };
        let how = match sharing {
            Sharing::Shared => CacheUse::Shared,
            Sharing::Locked => CacheUse::Locked,
            Sharing::Private => CacheUse::Private,
        };
        let first = from.as_deref().map(|name| self.files_of(name, None)).transpose()?;
        let fill = |made: &Path| -> Result<()> {
            let root = Root::open_host(made).cannot("open", made.display())?;
            if let Some(first) = first {
                let top = first.subroot(source).cannot("find", source.display())?;
                copy_tree(&top, &root, self.scene.facts)?;
            }
            rustix::fs::fchmod(root.fd(), Mode::from_raw_mode(*mode)).cannot("make", made.display())?;
            let (uid, gid) = (Uid::from_raw(owner.0), Gid::from_raw(owner.1));
            rustix::fs::fchown(root.fd(), Some(uid), Some(gid)).cannot("give to its owner", made.display())
        };
        let cache = builder.store.cache_mount(work, &id, how, &fill)?;
        let root = Root::open_host(&cache.path).cannot("open the cache", &id)?;
        // Of a copied tree the part is its top already.
        let part = if from.is_some() { Path::new("") } else { source.as_path() };
        let opened =
            root.open(part, OFlags::PATH, Mode::empty()).cannot("find in the cache", source.display())?;
        into.kept.push(Box::new(cache));
        let mounted = overlaid::clone(opened.as_fd(), Path::new(""), mount.options.recursive())
            .cannot("mount the cache", &id)?;
        if let Some(namespace) = self.scene.users.as_ref().and_then(Users::shows) {
            let refused = |errno: rustix::io::Errno| {
                Users::refusal(&format!("the cache `{id}`"), io::Error::from(errno))
            };
            mount_attr::map_ids(&mounted, namespace).map_err(refused)?;
        }
        Ok(mounted)
    }

    fn tmpfs(&self, at: &Path, size: Option<u64>, mode: u32, copy_up: bool) -> Result<OwnedFd> {
        let mode = format!("{mode:o}");
        let size = size.map(|size| size.to_string());
        let mut options = vec![(c"mode", mode.as_str())];
        options.extend(size.as_deref().map(|size| (c"size", size)));
        let safe = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
        let made = file_system(c"tmpfs", &options, safe).cannot("make a file system for", at.display())?;
        let (uid, gid) = self.scene.outside((0, 0));
        if (uid, gid) != (0, 0) {
            let top = rustix::fs::openat(&made, ".", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
            top.and_then(|top| rustix::fs::fchown(top, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))))
                .cannot("give to the container's root", at.display())?;
        }
        if copy_up {
            match self.tree.subroot(at) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                below => {
                    let below = below.cannot("open", at.display())?;
                    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
                    let top =
                        rustix::fs::openat(&made, ".", flags, Mode::empty()).cannot("open", at.display())?;
                    copy_tree(&below, &Root::from_fd(top), self.scene.facts)?;
                }
            }
        }
        Ok(made)
    }
}

impl Opened {
    fn secret(
        into: &mut Opened,
        secret: &Secret,
        env: Option<&str>,
        at: PathBuf,
        mode: u32,
        owner: (u32, u32),
    ) -> Result<()> {
        let content = secret.read()?;
        if let Some(name) = env {
            let value = String::from_utf8(content.clone()).ok().filter(|value| !value.contains('\0'));
            let value = value.ok_or_else(|| {
                Error::invalid(format!("cannot set `{name}` to the secret `{}`", secret.id))
                    .because("its value is no text")
            })?;
            into.env.push((name.to_owned(), value));
        }
        if !at.as_os_str().is_empty() {
            into.files.push(File { at, content, mode, owner });
        }
        Ok(())
    }
}

fn missing(what: &str, id: &str, required: bool, flag: &str) -> Result<()> {
    match required {
        false => Ok(()),
        true => Err(Error::new(Kind::NotFound, format!("cannot find the {what} `{id}`"))
            .because("the mount requires it, and the caller has given none of this id")
            .hint(format!("add {flag}"))),
    }
}

/// Copies all that is below one directory into another, empty one, the directory's own looks included.
fn copy_tree(from: &Root, to: &Root, facts: &Facts) -> Result<()> {
    let devices = if facts.rootless { Devices::Skip } else { Devices::Make };
    let options = tree::Options { marks: Marks::None, devices, keep_times: false };
    let mut apply = Apply::new(to, options)?;
    for entry in tree::walk(from, Marks::None) {
        apply.put(entry?)?;
    }
    apply.finish().map(drop)
}

fn is_dir(opened: &OwnedFd) -> Result<bool, rustix::io::Errno> {
    rustix::fs::fstat(opened).map(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}
