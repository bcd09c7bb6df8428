//! From a [`Spec`] to the flat list of system calls of the child.
//!
//! What is mounted, hidden and protected, and in which order what is given up, is all here; the order is the security
//! of the sandbox, so each turn says why it comes where it does. Nothing is done here but copying words.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::process::{Gid, Uid};
use rustix::thread::CapabilitySet;

use crate::error::{Error, Result};
use crate::sandbox::devices::{self, Devices};
use crate::sandbox::{Facts, Mount, Network, Seccomp, Space, Spec, seccomp};
use crate::sys::spawn::{Command, Handle, Kind, Program, Step, View};
use crate::tree::RelPath;

/// What of `/proc` and `/sys` tells of the machine or changes it, hidden as every runtime does.
pub(super) const MASKED: [&str; 13] = [
    "proc/acpi",
    "proc/asound",
    "proc/interrupts",
    "proc/kcore",
    "proc/keys",
    "proc/latency_stats",
    "proc/sched_debug",
    "proc/scsi",
    "proc/timer_list",
    "proc/timer_stats",
    "sys/firmware",
    "sys/devices/virtual/powercap",
    "sys/fs/selinux",
];

/// What of `/proc` may be read but not written.
pub(super) const PROTECTED: [&str; 5] = ["proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"];

/// What the parent has opened for a run.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The root directory: a detached mount.
    pub root: OwnedFd,
    /// `/dev` and what is below.
    pub devices: Devices,
    /// The mounts of the spec.
    pub mounts: Vec<Mount>,
    /// Standard input, output and error, where they are not ours.
    pub streams: [Option<OwnedFd>; 3],
    /// The container's end of the terminal.
    pub terminal: Option<OwnedFd>,
    /// Whether the host has the one unified tree of control groups.
    pub unified_cgroups: bool,
    /// Namespaces to move into.
    pub joined: Vec<(Kind, OwnedFd)>,
    /// `cgroup.procs` of the control groups to move into.
    pub groups: Vec<OwnedFd>,
    /// The user namespace to move into.
    pub users: Option<OwnedFd>,
    /// A pipe that says when the network is up; the other end is the parent's.
    pub network_up: Option<(OwnedFd, i32)>,
}

/// Compiles the list.
pub(super) fn compile(spec: &Spec, prepared: Prepared, facts: &Facts) -> Result<Program> {
    let mut program = Program::default();
    let root = program.hold(prepared.root);
    // Before the views of namespaces are made, which show those they are made in.
    for (kind, namespace) in prepared.joined {
        let namespace = program.hold(namespace);
        program.push(Step::Enter(namespace, kind));
    }
    let grouped = !prepared.groups.is_empty();
    for procs in prepared.groups {
        let procs = program.hold(procs);
        program.push(Step::Group(procs));
    }
    if grouped && spec.namespaces.cgroup == Space::Private {
        program.push(Step::GroupView);
    }
    // First of all mounts, so that nothing done below reaches the parent's.
    program.push(Step::Private);
    program.push(Step::Cover(root));
    kernel_views(&mut program, root, prepared.unified_cgroups);
    // While they may be written: they are protected with the rest of `/proc/sys` below.
    for (path, value) in &spec.sysctls {
        program.push(Step::Set { path: word(&format!("proc/sys/{path}"))?, value: word(value)? });
    }
    let handles = devices(&mut program, root, prepared.devices, spec);
    // The generated files lie where `/dev/shm` comes to be, so they are taken from there first.
    let files: Vec<Handle> =
        (0..spec.files.len()).map(|index| generated_file(&mut program, handles, index)).collect();
    let at = c"dev/shm".into();
    program.push(Step::Mount { mount: handles.memory, root, at, links: false, optional: false });
    for mount in prepared.mounts {
        let at = below_root(&mount.at)?;
        let mount = program.hold(mount.source);
        program.push(Step::Mount { mount, root, at, links: true, optional: false });
    }
    for (file, mount) in spec.files.iter().zip(files) {
        program.push(Step::Mount { mount, root, at: below_root(&file.at)?, links: true, optional: false });
    }
    program.push(if spec.no_pivot { Step::Chroot(root) } else { Step::Pivot(root) });
    match (&spec.network, prepared.network_up) {
        (Network::None, _) => program.push(Step::Loopback),
        (_, Some((pipe, other))) => {
            let pipe = program.hold(pipe);
            program.push(Step::Wait { pipe, other });
        }
        _ => {}
    }
    if spec.namespaces.uts == Space::Private {
        program.push(Step::Hostname { name: word(&spec.hostname)?, required: spec.hostname_required });
    }
    for (resource, wanted) in &spec.limits {
        program.push(Step::Limit { resource: *resource, wanted: *wanted });
    }
    let streams = prepared.streams.map(|stream| stream.map(|stream| program.hold(stream)));
    if streams.iter().any(Option::is_some) {
        program.push(Step::Streams(streams));
    }
    let terminal = prepared.terminal.map(|terminal| program.hold(terminal));
    program.push(Step::Session(terminal));
    // Last of all that takes the host's root, and before what is given up: all of that is given up there.
    if let Some(users) = prepared.users {
        let users = program.hold(users);
        program.push(Step::Enter(users, Kind::User));
    }
    // An image may name a path of /proc/self/fd as its working directory or command; there must be nothing of ours.
    program.push(Step::Close);
    // While still root: the directory may be closed to the user, which is for the command to find out.
    program.push(Step::Directory(word(&spec.directory)?));
    let command = command(spec)?;
    program.push(Step::Inspect(command.candidates().to_vec()));
    // While the files for that are still ours: they are the user's only if the command could be traced by him.
    for label in &spec.exec_labels {
        program.push(Step::Label { path: label.path.clone(), value: label.value.clone() });
    }
    // In the command's user namespace, whose keys it counts among, and before a filter may refuse it.
    if !spec.shares_keyring {
        program.push(Step::OwnKeyring);
    }
    privileges(&mut program, spec, facts)?;
    program.push(Step::Exec(command));
    Ok(program)
}

/// `/proc`, `/sys` and what belongs in them. None is mounted through a symlink of the image.
fn kernel_views(program: &mut Program, root: Handle, unified_cgroups: bool) {
    let proc = program.reserve();
    // A host that hides parts of its own /proc allows no new one; then the old must do.
    program.push(Step::Create { view: View::Proc, read_only: false, or: Some(c"/proc"), into: proc });
    program.push(Step::Mount { mount: proc, root, at: c"proc".into(), links: false, optional: false });
    let sys = program.reserve();
    // A sysfs shows a network namespace and may only be made by who owns that: not rootless on the host's network.
    program.push(Step::Create { view: View::Sysfs, read_only: true, or: Some(c"/sys"), into: sys });
    program.push(Step::Mount { mount: sys, root, at: c"sys".into(), links: false, optional: false });
    if unified_cgroups {
        let cgroup = program.reserve();
        program.push(Step::Create { view: View::Cgroup, read_only: true, or: None, into: cgroup });
        let at = c"sys/fs/cgroup".into();
        program.push(Step::Mount { mount: cgroup, root, at, links: false, optional: true });
    }
}

/// The handles later steps need of `/dev`.
#[derive(Debug, Clone, Copy)]
struct DeviceHandles {
    directory: Handle,
    memory: Handle,
}

/// `/dev`, what is hidden behind parts of it, and what is mounted in it.
fn devices(program: &mut Program, root: Handle, devices: Devices, spec: &Spec) -> DeviceHandles {
    let required =
        |mount, at: &str| Step::Mount { mount, root, at: fixed(at), links: false, optional: false };
    let directory = program.hold(devices.directory);
    program.push(required(directory, "dev"));
    for (name, node) in devices.borrowed {
        let node = program.hold(node);
        program.push(required(node, &format!("dev/{}", name.to_string_lossy())));
    }
    // Masks copy the null device and the still empty `pts`, so they come between the two.
    for at in hidden(spec) {
        program.push(Step::Mask { root, at, devices: directory });
    }
    for at in PROTECTED.iter().filter(|at| !is_unmasked(spec, at)) {
        program.push(Step::Protect { root, at: fixed(at) });
    }
    let terminals = program.hold(devices.terminals);
    program.push(required(terminals, "dev/pts"));
    let queues = program.reserve();
    program.push(Step::Create { view: View::Mqueue, read_only: false, or: None, into: queues });
    program.push(Step::Mount { mount: queues, root, at: c"dev/mqueue".into(), links: false, optional: true });
    DeviceHandles { directory, memory: program.hold(devices.memory) }
}

/// What is hidden: the usual places, less those that shall be seen, and those asked for.
fn hidden(spec: &Spec) -> Vec<CString> {
    let usual = MASKED.iter().filter(|at| !is_unmasked(spec, at)).map(|at| fixed(at));
    let more = spec.mask.iter().filter_map(|path| below_root(Path::new(path)).ok());
    usual.chain(more).collect()
}

/// Whether a usual place, without its first slash, shall be left as it is.
pub(super) fn is_unmasked(spec: &Spec, at: &str) -> bool {
    spec.unmask.iter().any(|pattern| {
        let pattern = pattern.trim_start_matches('/');
        match pattern.strip_suffix('*') {
            Some(start) => at.starts_with(start),
            None => pattern == "ALL" || pattern.trim_end_matches('/') == at,
        }
    })
}

/// A mount of the generated file at this index.
fn generated_file(program: &mut Program, devices: DeviceHandles, index: usize) -> Handle {
    let into = program.reserve();
    program.push(Step::Copy { from: devices.directory, path: devices::hidden(index), into });
    into
}

/// Gives up what the command must not have.
fn privileges(program: &mut Program, spec: &Spec, facts: &Facts) -> Result<()> {
    let filter = match &spec.seccomp {
        Seccomp::Default => seccomp::default_filter(spec.capabilities),
        Seccomp::Unconfined => None,
        Seccomp::Profile(profile) => Some(seccomp::custom_filter(profile, spec.capabilities)?),
    };
    if spec.no_new_privileges {
        program.push(Step::NoNewPrivileges);
    }
    // Without no-new-privileges a filter may only be installed with a capability that goes below.
    if let Some(filter) = filter {
        program.push(Step::Seccomp(filter));
    }
    program.push(Step::Bound(spec.capabilities));
    let may_set = facts.groups && spec.users.as_ref().is_none_or(|users| users.groups);
    let groups = (may_set && !spec.keep_groups)
        .then(|| spec.user.groups.iter().map(|gid| Gid::from_raw(*gid)).collect());
    program.push(Step::Become {
        uid: Uid::from_raw(spec.user.uid),
        gid: Gid::from_raw(spec.user.gid),
        groups,
    });
    let root = spec.user.uid == 0;
    program.push(Step::Capabilities(if root { spec.capabilities } else { CapabilitySet::empty() }));
    Ok(())
}

/// The command with the places it may be at. Whether it is there is found out inside, and by the kernel.
fn command(spec: &Spec) -> Result<Command> {
    let name = match spec.args.first() {
        Some(name) if !name.is_empty() => name,
        _ => return Err(Error::invalid("cannot run an empty command").hint("name a command after `--`")),
    };
    let candidates = if name.contains('/') {
        vec![word(name)?]
    } else {
        let path = spec.env.iter().rev().find(|(key, _)| key == "PATH").map_or("", |(_, path)| path.as_str());
        // An empty part is the working directory, as in every shell.
        let place = |dir: &str| word(&if dir.is_empty() { name.clone() } else { format!("{dir}/{name}") });
        path.split(':').map(place).collect::<Result<_>>()?
    };
    let args = spec.args.iter().map(|arg| word(arg)).collect::<Result<_>>()?;
    let env = spec.env.iter().map(|(key, value)| word(&format!("{key}={value}"))).collect::<Result<_>>()?;
    Ok(Command::new(candidates, args, env).with_umask(spec.umask))
}

/// A path as the child opens it: relative to the root, which is `.`.
fn below_root(path: &Path) -> Result<CString> {
    let path = RelPath::clamp(path);
    if path.is_root() {
        return Err(Error::invalid("cannot mount on `/`").because("it is the container itself"));
    }
    CString::new(path.as_bytes()).map_err(|_| nul(&path.to_string()))
}

fn word(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| nul(text))
}

fn nul(text: &str) -> Error {
    Error::invalid(format!("cannot pass on `{}`", text.escape_debug())).because("it has a NUL byte")
}

/// One of this module's own paths.
fn fixed(path: &str) -> CString {
    CString::new(path).expect("written here, without NUL")
}

#[cfg(test)]
mod tests;
