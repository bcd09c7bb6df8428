//! `--runtime`: the same command run by an installed OCI runtime, as a bundle of the runtime specification.
//!
//! The runtime runs in mount and process namespaces of ours, so that all it mounts and starts ends with it. Networks
//! and namespaces of others are entered before it starts; it makes the rest. What the bundle says is in `bundle`.

use std::ffi::CString;
use std::fs::{self, DirBuilder};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Kind, Result};
use crate::event::{Event, Reporter};
use crate::sandbox::devices::Devices;
use crate::sandbox::native::{self, Ready};
use crate::sandbox::points::MountPoints;
use crate::sandbox::terminal::Terminal;
use crate::sandbox::{Exit, Facts, Network, Rootfs, Space, Spec, spaces};
use crate::sys::random;
use crate::sys::spawn::{Command, Program, Step, View};
use crate::tree::Root;

mod bundle;

/// Which runtime, and how it is called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Runtime {
    /// Its name or path.
    pub program: String,
    /// Options of its own, without the leading `--`.
    pub flags: Vec<String>,
    /// The `hooks` of the bundle.
    pub hooks: Option<serde_json::Value>,
}

/// Where runtimes are.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs the command of `spec` by its runtime, and waits for it.
pub(super) fn run(
    rootfs: Rootfs,
    mut spec: Spec,
    runtime: &Runtime,
    facts: &Facts,
    reporter: &dyn Reporter,
) -> Result<Exit> {
    let program = find(&runtime.program)?;
    // What a runtime leaves is not known.
    spec.reuse_network = false;
    let tree = Root::from_fd(rootfs.try_clone().cannot("open", "/")?);
    // Its terminals are used; the rest tells where nothing needs to be made to mount on.
    let devices = Devices::make(facts, &spec)?;
    let traces = spec.traces.take();
    let points = native::mount_points(&tree, &spec, &devices, traces);
    let ended =
        points.1.and_then(|()| perform(rootfs, &mut spec, runtime, &program, &devices, facts, reporter));
    drop(tree);
    let cleaned = points.0.into_iter().rev().map(MountPoints::remove).collect::<Result<Vec<()>>>();
    let exit = ended?;
    cleaned?;
    if exit != Exit::Code(0) && program.ends_with("crun") && hybrid() {
        reporter.report(Event::Warning {
            message: "crun takes no machine that has both versions of control groups".into(),
            hint: Some("use --runtime runc, or no --runtime".into()),
        });
    }
    Ok(exit)
}

fn perform(
    rootfs: Rootfs,
    spec: &mut Spec,
    runtime: &Runtime,
    program: &Path,
    devices: &Devices,
    facts: &Facts,
    reporter: &dyn Reporter,
) -> Result<Exit> {
    let scratch = spec.scratch.join("runtime");
    let bundle = scratch.join("bundle");
    DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(bundle.join("rootfs"))
        .cannot("make", bundle.display())?;
    let mut list = Program::default();
    let joined = spaces::joined(spec)?;
    for (kind, namespace) in joined {
        let namespace = list.hold(namespace);
        list.push(Step::Enter(namespace, kind));
    }
    list.push(Step::Private);
    let top = list.reserve();
    list.push(Step::Open { path: word(&scratch)?, into: top });
    let root = list.hold(rootfs);
    let at = c"bundle/rootfs".into();
    list.push(Step::Mount { mount: root, root: top, at, links: false, optional: false });
    // What is mounted in the container is mounted beside the bundle first: the runtime takes paths, not handles.
    let mut sources = Vec::new();
    for (nth, mount) in std::mem::take(&mut spec.mounts).into_iter().enumerate() {
        let name = format!("mount-{nth}");
        let place = scratch.join(&name);
        match mount.is_dir {
            true => fs::create_dir(&place),
            false => fs::write(&place, ""),
        }
        .cannot("make", place.display())?;
        let handle = list.hold(mount.source);
        let at = CString::new(name).expect("digits have no NUL");
        list.push(Step::Mount { mount: handle, root: top, at, links: false, optional: false });
        sources.push((mount.at, place));
    }
    for (nth, file) in spec.files.iter().enumerate() {
        let place = scratch.join(format!("file-{nth}"));
        write(&place, file, spec.outside(file.owner)).cannot("make", file.at.display())?;
        sources.push((file.at.clone(), place));
    }
    if spec.namespaces.pid == Space::Private {
        // The runtime looks into /proc of the processes it starts.
        let (host, proc) = (list.reserve(), list.reserve());
        list.push(Step::Open { path: c"/".into(), into: host });
        list.push(Step::Create { view: View::Proc, read_only: false, or: None, into: proc });
        list.push(Step::Mount { mount: proc, root: host, at: c"proc".into(), links: false, optional: true });
    }
    let id = format!("kiln-{}", random::hex(8));
    let config = bundle::config(spec, runtime, &sources, &id, facts);
    let path = bundle.join("config.json");
    fs::write(&path, config.to_string()).cannot("write", path.display())?;
    if spec.network == Network::None {
        list.push(Step::Loopback);
    }
    let terminal = spec.terminal.then(|| Terminal::open(devices.terminals.as_fd(), 0)).transpose()?;
    let inner = terminal.as_ref().map(Terminal::inner).transpose()?.map(|inner| list.hold(inner));
    let awaited = native::awaited(spec)?.map(|(awaited, pipe, other)| {
        let pipe = list.hold(pipe);
        list.push(Step::Wait { pipe, other });
        awaited
    });
    let streams = std::mem::take(&mut spec.streams).map(|stream| stream.map(|stream| list.hold(stream)));
    if streams.iter().any(Option::is_some) {
        list.push(Step::Streams(streams));
    }
    list.push(Step::Session(inner));
    list.push(Step::Close);
    list.push(Step::Directory(word(&bundle)?));
    list.push(Step::Exec(command(program, spec, runtime, &scratch, &bundle, &id)?));
    let mut namespaces = spaces::own(spec, false)?;
    // The runtime makes these.
    (namespaces.cgroup, namespaces.ipc, namespaces.uts) = (false, false, false);
    native::start(spec, Ready { program: list, namespaces, awaited, terminal }, reporter)
}

fn command(
    program: &Path,
    spec: &Spec,
    runtime: &Runtime,
    scratch: &Path,
    bundle: &Path,
    id: &str,
) -> Result<Command> {
    let mut args = vec![word(program)?, c"--root".into(), word(&scratch.join("state"))?];
    for flag in &runtime.flags {
        args.push(word(Path::new(&format!("--{flag}")))?);
    }
    args.push(c"run".into());
    if spec.shares_keyring {
        args.push(c"--no-new-keyring".into());
    }
    if spec.no_pivot {
        args.push(c"--no-pivot".into());
    }
    args.extend([c"--bundle".into(), word(bundle)?, word(Path::new(id))?]);
    Ok(Command::new(vec![word(program)?], args, vec![word(Path::new(&format!("PATH={PATH}")))?]))
}

/// The runtime that is there, by name; crun before runc, as in the field's tools, but where it would refuse to work.
#[must_use]
pub fn usual() -> Option<&'static str> {
    let names = if hybrid() { ["runc", "crun"] } else { ["crun", "runc"] };
    names.into_iter().find(|name| find(name).is_ok())
}

/// Where the runtime is.
fn find(name: &str) -> Result<PathBuf> {
    let runs = |path: &Path| fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.mode() & 0o111 != 0);
    let found = match name.contains('/') {
        true => std::path::absolute(name).ok().filter(|path| runs(path)),
        false => PATH.split(':').map(|dir| Path::new(dir).join(name)).find(|path| runs(path)),
    };
    found.filter(|_| !name.is_empty()).ok_or_else(|| {
        Error::new(Kind::NotStarted, format!("cannot run the OCI runtime `{name}`"))
            .because("there is no such program")
            .hint("install it: `apt install runc`, or leave --runtime away: Kiln needs none")
    })
}

fn write(path: &Path, file: &crate::sandbox::File, owner: (u32, u32)) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, &file.content)?;
    fs::set_permissions(path, fs::Permissions::from_mode(file.mode))?;
    std::os::unix::fs::chown(path, Some(owner.0), Some(owner.1))
}

fn word(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_encoded_bytes()).map_err(|_| {
        Error::invalid(format!("cannot pass on `{}`", path.display().to_string().escape_debug()))
            .because("it has a NUL byte")
    })
}

/// Whether both versions of control groups are mounted.
fn hybrid() -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    [" - cgroup ", " - cgroup2 "].iter().all(|kind| mounts.contains(kind))
}
