//! The native executor: has a plan performed by a child, looks after it, and cleans up after it.

use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::OpenTreeFlags;
use rustix::process::{Signal, WaitId, WaitIdOptions};

use crate::error::{Context, Error, Kind, Result};
use crate::event::{Event, Reporter};
use crate::host::probe;
use crate::rootfs::Traces;
use crate::sandbox::cgroup::Groups;
use crate::sandbox::devices::Devices;
use crate::sandbox::plan::{self, Prepared};
use crate::sandbox::points::MountPoints;
use crate::sandbox::pool::{self, Held, Joined, Manner};
use crate::sandbox::terminal::Terminal;
use crate::sandbox::uplink::{self, Uplink};
use crate::sandbox::{
    DeviceNode, Exit, Facts, Mount, Network, Rootfs, Spec, failure, foreign, pasta, runtime, slirp, spaces,
};
use crate::sys::signals::Listener;
use crate::sys::spawn::{Child, Namespaces, Notice, Program, spawn, wait_for_starting};
use crate::tree::{RelPath, Root};

/// Runs the command of `spec` in `rootfs` and waits for it. Signals sent to this process meanwhile are passed on.
///
/// Must be called with the capability to mount: as root, or in a user namespace of our own. The root directory is
/// unmounted when this returns, also if other threads run commands.
pub(crate) fn run(rootfs: Rootfs, mut spec: Spec, facts: &Facts, reporter: &dyn Reporter) -> Result<Exit> {
    let exit = match spec.runtime.take() {
        Some(external) => runtime::run(rootfs, spec, &external, facts, reporter),
        None => run_and_clean(rootfs, spec, facts, reporter),
    };
    wait_for_starting();
    exit
}

fn run_and_clean(rootfs: Rootfs, mut spec: Spec, facts: &Facts, reporter: &dyn Reporter) -> Result<Exit> {
    let tree = Root::from_fd(rootfs.try_clone().cannot("open", "/")?);
    let kept = Joined::take(&spec);
    if let Some(kept) = &kept {
        spec.network = Network::Path(kept.path());
    }
    let groups = Groups::make(&spec.resources, &spec.devices)?;
    for device in std::mem::take(&mut spec.devices) {
        spec.mounts.push(lent(&device)?);
    }
    let devices = Devices::make(facts, &spec)?;
    let traces = spec.traces.take();
    let points = mount_points(&tree, &spec, &devices, traces);
    let (owner, _) = spec.outside((spec.user.uid, spec.user.gid));
    let ended = points.1.and_then(|()| {
        let terminal = spec.terminal.then(|| Terminal::open(devices.terminals.as_fd(), owner)).transpose()?;
        let users = spec.users.as_ref().map(|users| users.namespace.try_clone()).transpose();
        let prepared = Prepared {
            root: rootfs,
            devices,
            mounts: std::mem::take(&mut spec.mounts),
            streams: std::mem::take(&mut spec.streams),
            terminal: terminal.as_ref().map(Terminal::inner).transpose()?,
            unified_cgroups: unified_cgroups(),
            joined: spaces::joined(&spec)?,
            groups: groups.procs()?,
            users: users.cannot("open", "the user namespace")?,
            network_up: None,
        };
        let (awaited, network_up) = match awaited(&spec)? {
            Some((awaited, pipe, other)) => (Some(awaited), Some((pipe, other))),
            None => (None, None),
        };
        let namespaces = spaces::own(&spec, !prepared.groups.is_empty())?;
        let program = plan::compile(&spec, Prepared { network_up, ..prepared }, facts)?;
        start(&spec, Ready { program, namespaces, awaited, terminal }, reporter)
    });
    let cleaned = points.0.into_iter().rev().map(MountPoints::remove).collect::<Result<Vec<()>>>();
    let exit = ended.map_err(|error| foreign::explain(&tree, &spec, error))?;
    kept.into_iter().for_each(Joined::give);
    if groups.ran_out_of_memory() {
        reporter.report(Event::Warning {
            message: "the kernel ended a process of the command for want of memory".into(),
            hint: Some("allow more with --memory".into()),
        });
    }
    cleaned?;
    Ok(exit)
}

/// Makes the missing places to mount on; what was made is returned also if the rest failed.
pub(super) fn mount_points(
    tree: &Root,
    spec: &Spec,
    devices: &Devices,
    traces: Option<Traces>,
) -> (Vec<MountPoints>, Result<()>) {
    let locks = traces.as_ref().map(|traces| traces.locks().to_owned());
    let mut all = vec![MountPoints::noted(traces, spec.outside((0, 0)))];
    let mut add = || {
        for path in ["/proc", "/sys", "/dev"] {
            // A link here would be mounted on elsewhere; the child refuses it, with a sentence of its own.
            if tree.readlink(path).is_err() {
                all[0].add(tree, path.as_ref(), true)?;
            }
        }
        let wanted = spec.mounts.iter().map(|mount| (mount.at.as_path(), mount.is_dir));
        let wanted = wanted.chain(spec.files.iter().map(|file| (file.at.as_path(), false)));
        for (path, is_dir) in wanted {
            let place = tree.resolve(path).cannot("find", path.display())?;
            let Some((inner, rest)) = covering(tree, &place, spec, devices)? else {
                all[0].add(tree, place.as_path(), is_dir)?;
                continue;
            };
            if let Some(inner) = inner {
                let mut points = MountPoints::in_volume(locks.clone());
                let added = points.add(&inner, rest.as_path(), is_dir);
                all.push(points);
                added?;
            }
        }
        Ok(())
    };
    let added = add();
    (all, added)
}

/// If `place` lies in something that is mounted: the tree it lies in (`None`: one nothing can be made in) and where.
fn covering(
    tree: &Root,
    place: &RelPath,
    spec: &Spec,
    devices: &Devices,
) -> Result<Option<(Option<Root>, RelPath)>> {
    let open = |mount: &OwnedFd| {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        rustix::fs::openat(mount, ".", flags, Mode::empty()).map(Root::from_fd).cannot("open", place)
    };
    for mount in spec.mounts.iter().rev().filter(|mount| mount.is_dir) {
        let at = tree.resolve(&mount.at).cannot("find", mount.at.display())?;
        if let Some(rest) = place.strip(&at).filter(|rest| !rest.is_root()) {
            return Ok(Some((Some(open(&mount.source)?), rest)));
        }
    }
    let ours = [
        ("dev/shm", Some(&devices.memory)),
        ("dev", Some(&devices.directory)),
        ("proc", None),
        ("sys", None),
    ];
    for (name, mount) in ours {
        if let Some(rest) = place.strip(&RelPath::parse(name)?).filter(|rest| !rest.is_root()) {
            return Ok(Some((mount.map(open).transpose()?, rest)));
        }
    }
    Ok(None)
}

/// A sandbox that is ready to start.
pub(super) struct Ready {
    /// What the child does.
    pub program: Program,
    /// What it has of its own.
    pub namespaces: Namespaces,
    /// The network it waits for.
    pub awaited: Option<Awaited>,
    /// Its terminal.
    pub terminal: Option<Terminal>,
}

/// A network that is joined to the host's once the child is there; it waits for that.
pub(super) struct Awaited {
    up: io::PipeWriter,
}

/// The network to wait for, if there is one, the end of a pipe to wait at and the number of its other end.
pub(super) fn awaited(spec: &Spec) -> Result<Option<(Awaited, OwnedFd, i32)>> {
    if spec.network == Network::None || !spec.network.is_own() {
        return Ok(None);
    }
    let (read, up) = io::pipe().cannot("make", "a pipe")?;
    let other = up.as_raw_fd();
    Ok(Some((Awaited { up }, read.into(), other)))
}

/// Starts the child, and looks after it until it has ended.
pub(super) fn start(spec: &Spec, ready: Ready, reporter: &dyn Reporter) -> Result<Exit> {
    let Ready { mut program, namespaces, awaited, terminal } = ready;
    let listener = Listener::new().cannot("listen to", "signals")?;
    let mut child = spawn(&mut program, &namespaces).cannot("start", "the sandbox").map_err(|error| {
        let errno = error.os_error().map(Errno::from_raw_os_error);
        match errno.and_then(probe::of_namespaces) {
            Some(knob) => error.hint(knob.fix()),
            None => error,
        }
    })?;
    // While the child waits: later it may have ended. One that cannot be had is not kept, and that is all.
    let kept = awaited.is_some() && pool::leaves_it_alone(spec);
    let namespace = kept.then(|| uplink::network_of(child.pid).ok()).flatten();
    let network = awaited.map(|awaited| awaited.join(&mut child, spec)).transpose()?;
    let notices = child.settle().cannot("hear from", "the sandbox")?;
    for notice in &notices {
        match notice {
            Notice::FellBack(..) => {
                if let Some(warning) = failure::warn(spec, program.steps(), *notice) {
                    reporter.report(warning);
                }
            }
            Notice::Failed(..) | Notice::NoInterpreter(_) => {
                reap(&child)?;
                return Err(failure::explain(spec, program.steps(), *notice));
            }
        }
    }
    // The container's files are the child's alone now; ours would keep its mounts from going.
    drop(program);
    let own_processes = namespaces.pid;
    let attended = |relay| attend(&child, &listener, relay, own_processes);
    let ended = terminal.map(Terminal::relay).transpose().and_then(attended);
    if ended.is_err() {
        // Nobody looks after it any more, and what it is mounted on is about to be cleaned up.
        let _ = rustix::process::pidfd_send_signal(&child.pidfd, Signal::KILL);
        reap(&child)?;
    }
    if let (Network::Private { options, .. }, Some(uplink), Some(namespace), Ok(_)) =
        (&spec.network, network, namespace, &ended)
    {
        let manner = Manner::new(options, &spec.sysctls);
        Joined { namespace, held: Held::Here(uplink), manner }.give();
    }
    ended
}

impl Awaited {
    /// Joins the child's network to the host's, and lets it go on. Without a network there is nothing to run.
    fn join(mut self, child: &mut Child, spec: &Spec) -> Result<Uplink> {
        let started = match &spec.network {
            Network::Slirp { options } => {
                slirp::start(child.pid, options, spec.slirp.as_deref(), &spec.helpers)
            }
            Network::Private { options, .. } => uplink::network_of(child.pid)
                .and_then(|namespace| pasta::start(namespace, options, &spec.scratch, &spec.helpers)),
            Network::Host | Network::None | Network::Path(_) => {
                unreachable!("such a network is not waited for")
            }
        };
        let joined = started
            .and_then(|uplink| self.up.write_all(b"1").cannot("go on with", "the command").map(|()| uplink));
        if joined.is_err() {
            let _ = rustix::process::pidfd_send_signal(&child.pidfd, Signal::KILL);
            // What it says on its way down is of no interest.
            let _ = child.settle();
            reap(child)?;
        }
        joined
    }
}

/// A device of the host, to be mounted where the container has it.
fn lent(device: &DeviceNode) -> Result<Mount> {
    let show = device.source.display();
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let source = rustix::mount::open_tree(CWD, &device.source, flags).cannot("lend the device", show)?;
    Ok(Mount { source, is_dir: false, at: device.at.clone() })
}

/// Waits for the child, passing on signals and what goes through its terminal.
fn attend(
    child: &Child,
    listener: &Listener,
    mut relay: Option<super::terminal::Relay>,
    own_processes: bool,
) -> Result<Exit> {
    let mut ended_by = None;
    loop {
        let (child_ended, signalled) = {
            let mut polls = vec![
                PollFd::new(&child.pidfd, PollFlags::IN),
                PollFd::from_borrowed_fd(listener.fd(), PollFlags::IN),
            ];
            if let Some(relay) = &relay {
                relay.watch(&mut polls);
            }
            match rustix::event::poll(&mut polls, None) {
                Err(Errno::INTR) => continue,
                polled => polled.cannot("wait for", "the command")?,
            };
            let ready: Vec<PollFlags> = polls.iter().map(PollFd::revents).collect();
            drop(polls);
            if let Some(relay) = &mut relay {
                relay.pass(&ready[2..]).cannot("pass on", "the terminal")?;
            }
            (!ready[0].is_empty(), !ready[1].is_empty())
        };
        while signalled && let Some(signal) = listener.next() {
            match relay.as_ref() {
                Some(relay) if signal == Signal::WINCH.as_raw() => relay.resize(),
                _ => ended_by = pass_on(child, signal, own_processes).or(ended_by),
            }
        }
        if child_ended {
            let exit = reap(child)?;
            if let Some(relay) = &mut relay {
                relay.finish();
            }
            return Ok(match (exit, ended_by) {
                // It ended by our stand-in for the signal's default action.
                (Exit::Signal(9), Some(signal)) => Exit::Signal(signal),
                (exit, _) => exit,
            });
        }
    }
}

/// Sends the child a signal. The kernel keeps the first process of a namespace from the default action of all but
/// `SIGKILL`, so for a command that does not handle the signal that is done here; then the signal is returned.
fn pass_on(child: &Child, signal: i32, own_processes: bool) -> Option<u8> {
    let named = Signal::from_named_raw(signal)?;
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", child.pid.as_raw_nonzero())).unwrap_or_default();
    let has = |key: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        mask.and_then(|mask| u64::from_str_radix(mask, 16).ok())
            .is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
    };
    let harmless = named == Signal::WINCH;
    // A process that is gone meanwhile needs no signal.
    if harmless || !own_processes || has("SigCgt:") || has("SigIgn:") || has("SigBlk:") {
        let _ = rustix::process::pidfd_send_signal(&child.pidfd, named);
        return None;
    }
    let _ = rustix::process::pidfd_send_signal(&child.pidfd, Signal::KILL);
    u8::try_from(signal).ok()
}

fn reap(child: &Child) -> Result<Exit> {
    let status = loop {
        match rustix::process::waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED) {
            Err(Errno::INTR) => {}
            status => break status.cannot("wait for", "the command")?,
        }
    };
    let status = status.ok_or_else(|| Error::new(Kind::Io, "cannot wait for `the command`"))?;
    let number = |value: i32| u8::try_from(value & 0xff).unwrap_or(u8::MAX);
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Ok(Exit::Code(number(code))),
        (None, Some(signal)) => Ok(Exit::Signal(number(signal))),
        (None, None) => {
            Err(io::Error::from(io::ErrorKind::InvalidData)).cannot("understand", "how the command ended")
        }
    }
}

/// Whether `/sys/fs/cgroup` is the unified tree, by its file system's magic number (linux/magic.h).
fn unified_cgroups() -> bool {
    const CGROUP2: i64 = 0x6367_7270;
    rustix::fs::statfs("/sys/fs/cgroup").is_ok_and(|stat| stat.f_type == CGROUP2)
}
