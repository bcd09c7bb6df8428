//! The sandbox as a whole, on a plain directory with one static program. Most need root; each says so.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use super::*;
use crate::error::Error;
use crate::testing::{not_run, require_root};

mod confinement;
mod hostile;
mod process;

const BUSYBOX: &str = "/bin/busybox";

/// Whether a sandbox can be tried here.
fn can_run(test: &str) -> bool {
    if !Path::new(BUSYBOX).exists() {
        not_run(test, "needs busybox-static");
        return false;
    }
    require_root(test)
}

/// A directory with busybox at `/bin/sh`.
struct Image(tempfile::TempDir);

impl Image {
    fn new() -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        fs::create_dir(dir.path().join("bin")).unwrap();
        fs::copy(BUSYBOX, dir.path().join("bin/busybox")).unwrap();
        for name in [
            "sh", "cat", "ls", "id", "head", "wc", "mkdir", "stat", "grep", "sleep", "stty", "tty", "mount",
            "touch",
        ] {
            symlink("busybox", dir.path().join("bin").join(name)).unwrap();
        }
        fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        Image(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn rootfs(&self) -> Rootfs {
        crate::sys::mount::clone_of(self.path()).unwrap()
    }

    fn run(&self, spec: Spec) -> Result<Exit, Error> {
        run(self.rootfs(), spec, &Facts::probe(), &crate::event::Silent)
    }

    /// Runs a script and returns what it wrote to `/out`.
    fn output(&self, change: impl FnOnce(&mut Spec), script: &str) -> String {
        fs::write(self.path().join("out"), "").unwrap();
        fs::set_permissions(self.path().join("out"), PermissionsExt::from_mode(0o666)).unwrap();
        let mut spec = script_spec(&format!("exec >/out 2>&1; {script}"));
        change(&mut spec);
        let exit = self.run(spec).unwrap();
        let output = fs::read_to_string(self.path().join("out")).unwrap();
        assert_eq!(exit, Exit::Code(0), "{script}: {output}");
        output
    }
}

pub(super) fn spec(args: &[&str]) -> Spec {
    Spec {
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        directory: "/".into(),
        user: User { uid: 0, gid: 0, groups: vec![0], home: None, name: None },
        users: None,
        umask: 0o022,
        sysctls: Vec::new(),
        annotations: BTreeMap::new(),
        keep_groups: false,
        hostname: "box".into(),
        hostname_required: true,
        mounts: Vec::new(),
        devices: Vec::new(),
        files: Vec::new(),
        exec_labels: Vec::new(),
        file_label: None,
        capabilities: DEFAULT_CAPABILITIES,
        no_new_privileges: false,
        seccomp: Seccomp::Default,
        mask: Vec::new(),
        unmask: Vec::new(),
        limits: Vec::new(),
        resources: Resources::default(),
        namespaces: Namespaces::default(),
        network: Network::None,
        reuse_network: false,
        no_pivot: false,
        shares_keyring: false,
        terminal: false,
        shm_size: 1 << 20,
        helpers: Vec::new(),
        slirp: None,
        runtime: None,
        streams: [None, None, None],
        scratch: PathBuf::new(),
        traces: None,
    }
}

fn script_spec(script: &str) -> Spec {
    spec(&["sh", "-c", script])
}

#[test]
fn a_command_runs_and_its_exit_code_comes_back() {
    if !can_run("a_command_runs_and_its_exit_code_comes_back") {
        return;
    }
    let image = Image::new();
    assert_eq!(image.run(script_spec("exit 0")).unwrap(), Exit::Code(0));
    assert_eq!(image.run(script_spec("exit 7")).unwrap(), Exit::Code(7));
    // The first process of a namespace cannot kill itself, so a second does it and the first passes it on.
    let killed = image.run(script_spec("exec 2>/dev/null; sh -c 'kill -9 $$'; exit $?")).unwrap();
    assert_eq!(killed, Exit::Code(137));
}

#[test]
fn it_leaves_nothing_behind_where_somebody_holds_its_namespace() {
    // Whoever reads the mounts of all processes does, and sees what was mounted in place of what was made for that.
    if !can_run("it_leaves_nothing_behind_where_somebody_holds_its_namespace") {
        return;
    }
    let image = Image::new();
    let files = vec![File::new("/etc/hosts", "127.0.0.1 localhost\n")];
    let held = std::thread::scope(|scope| {
        let ready = image.path().join("ready");
        let holder = scope.spawn(move || {
            while !ready.exists() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            let spaces = below(std::process::id()).into_iter();
            let held: Vec<_> =
                spaces.filter_map(|pid| fs::File::open(format!("/proc/{pid}/ns/mnt")).ok()).collect();
            fs::write(ready.with_file_name("go"), "").unwrap();
            held
        });
        let spec =
            Spec { files, ..script_spec(">ready; while ! [ -e go ]; do sleep 0.01; done; cat /etc/hosts") };
        assert_eq!(image.run(spec).unwrap(), Exit::Code(0));
        holder.join().unwrap()
    });
    assert!(!held.is_empty());
    let mut left: Vec<_> =
        fs::read_dir(image.path()).unwrap().map(|item| item.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["bin", "go", "ready"]);
}

/// The processes that a process has started, and theirs.
fn below(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let children: Vec<u32> =
        children.flat_map(|text| text.split(' ').flat_map(str::parse).collect::<Vec<_>>()).collect();
    children.into_iter().flat_map(|child| std::iter::once(child).chain(below(child))).collect()
}

#[test]
fn it_leaves_nothing_behind() {
    if !can_run("it_leaves_nothing_behind") {
        return;
    }
    let image = Image::new();
    fs::create_dir(image.path().join("etc")).unwrap();
    let names = || {
        let mut names: Vec<_> =
            fs::read_dir(image.path()).unwrap().map(|item| item.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = (names(), fs::metadata(image.path()).unwrap().mtime_nsec());
    let etc = fs::metadata(image.path().join("etc")).unwrap().mtime_nsec();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mut spec = script_spec("echo 1 > /etc/hosts; test -d /proc/1");
    spec.files = vec![File::new("/etc/hosts", "x")];
    spec.files.push(File::new("/run/deep/file", "x"));
    assert_eq!(image.run(spec).unwrap(), Exit::Code(0));
    assert_eq!(before, (names(), fs::metadata(image.path()).unwrap().mtime_nsec()));
    assert_eq!(etc, fs::metadata(image.path().join("etc")).unwrap().mtime_nsec());
    assert_eq!(fs::read_dir(image.path().join("etc")).unwrap().count(), 0);
    assert_eq!(mounts, fs::read_to_string("/proc/self/mountinfo").unwrap());
}

#[test]
fn the_mounts_are_those_of_a_container() {
    if !can_run("the_mounts_are_those_of_a_container") {
        return;
    }
    let image = Image::new();
    let mounts = image.output(|_| (), "cat /proc/mounts");
    let at = |place: &str| mounts.lines().rfind(|line| line.split(' ').nth(1) == Some(place));
    assert!(at("/proc").unwrap().contains(" proc rw,nosuid,nodev,noexec"), "{mounts}");
    assert!(at("/sys").unwrap().contains(" sysfs ro,nosuid,nodev,noexec"), "{mounts}");
    assert!(at("/dev/pts").unwrap().contains("ptmxmode=666"), "{mounts}");
    assert!(at("/dev/mqueue").is_some() && at("/dev/shm").unwrap().contains("size=1024k"), "{mounts}");
    for place in ["/proc/sys", "/proc/bus", "/sys/firmware"] {
        assert!(at(place).unwrap().split(' ').nth(3).unwrap().starts_with("ro"), "{place}: {mounts}");
    }
    let probe = "echo 1 > /proc/sys/kernel/hostname; cat /proc/kcore /proc/keys | wc -c; ls /sys/firmware | wc -l; \
        mkdir /sys/x; ls /dev; ls -l /dev/fd; echo x > /dev/null; head -c3 /dev/zero | wc -c; true";
    let seen = image.output(|_| (), probe);
    assert!(seen.contains("Read-only file system"), "{seen}");
    assert!(seen.contains("\n0\n0\n"), "masked files and directories are empty: {seen}");
    for name in ["full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "tty", "urandom", "zero"]
    {
        assert!(seen.lines().any(|line| line == name), "{name}: {seen}");
    }
    assert!(
        image.output(|_| (), "ls -A /dev/shm /dev/mqueue | wc -l").trim() == "3",
        "nothing of ours shows"
    );
}

#[test]
fn facts_are_read_from_the_maps() {
    let plain = Facts::from_text("0 0 4294967295\n", "0 0 4294967295\n", "allow\n");
    assert!(!plain.rootless && plain.groups && plain.has_gid(5));
    let single = Facts::from_text("0 1000 1\n", "0 1000 1\n", "deny\n");
    assert!(single.rootless && !single.groups && !single.has_gid(5));
    let many = Facts::from_text("0 1000 1\n1 100000 65536\n", "0 1000 1\n1 100000 65536\n", "allow\n");
    assert!(many.rootless && many.groups && many.has_gid(5) && many.has_gid(65536) && !many.has_gid(65537));
    let unreadable = Facts::from_text("", "", "");
    assert!(!unreadable.rootless && unreadable.groups);
}

#[test]
fn capability_names_are_taken_as_people_write_them() {
    for name in ["CAP_NET_RAW", "net_raw", "cap_Net_Raw"] {
        assert_eq!(parse_capability(name).unwrap(), CapabilitySet::NET_RAW);
    }
    assert_eq!(parse_capability("all").unwrap().iter_names().count(), 41);
    for name in ["", "NET", "CAP_", "CAP_CAP_KILL", "KILL "] {
        assert!(parse_capability(name).is_err(), "{name}");
    }
}

/// An overlay of `lower` that changes go to `upper` of, attached nowhere.
fn overlay(lower: &Path, upper: &Path, work: &Path) -> OwnedFd {
    use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};
    let context = rustix::mount::fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
    // With an index a second mount of the same upper is refused: what is left of the first one shows.
    for (key, value) in
        [("lowerdir", lower), ("upperdir", upper), ("workdir", work), ("index", Path::new("on"))]
    {
        rustix::mount::fsconfig_set_string(&context, key, value).unwrap();
    }
    if Facts::probe().rootless {
        rustix::mount::fsconfig_set_flag(&context, "userxattr").unwrap();
    }
    rustix::mount::fsconfig_create(&context).unwrap();
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).unwrap()
}

#[test]
fn a_detached_overlay_takes_only_what_the_command_made_and_is_free_at_once() {
    if !can_run("a_detached_overlay_takes_only_what_the_command_made_and_is_free_at_once") {
        return;
    }
    let image = Image::new();
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let (upper, work) = (dir.path().join("upper"), dir.path().join("work"));
    fs::create_dir(&upper).unwrap();
    fs::create_dir(&work).unwrap();
    fs::set_permissions(&upper, PermissionsExt::from_mode(0o755)).unwrap();
    for turn in 0..20 {
        let mut spec = script_spec(&format!("echo {turn} > /made; (sleep 100 &) ; true"));
        spec.files = vec![File::new("/etc/hosts", "x")];
        let rootfs = overlay(image.path(), &upper, &work);
        assert_eq!(run(rootfs, spec, &Facts::probe(), &crate::event::Silent).unwrap(), Exit::Code(0));
        let names: Vec<_> = fs::read_dir(&upper).unwrap().map(|item| item.unwrap().file_name()).collect();
        assert_eq!(names, ["made"]);
        assert_eq!(fs::read_to_string(upper.join("made")).unwrap(), format!("{turn}\n"));
    }
}
