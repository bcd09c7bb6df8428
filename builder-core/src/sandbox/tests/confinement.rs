//! What a command is and has inside: ids, capabilities, files, environment, network, limits.

use std::ffi::CStr;

use super::*;

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap_or_else(|| panic!("{name}: {status}"))
        .trim()
}

#[test]
fn root_has_the_default_capabilities_and_a_user_has_none() {
    if !can_run("root_has_the_default_capabilities_and_a_user_has_none") {
        return;
    }
    let image = Image::new();
    let root = image.output(|_| (), "cat /proc/self/status");
    let ours = rustix::thread::capabilities(None).unwrap().permitted;
    assert!(ours.contains(DEFAULT_CAPABILITIES), "the test machine's root lacks capabilities");
    for (name, value) in
        [("CapInh:", 0), ("CapPrm:", 0x800405fb), ("CapEff:", 0x800405fb), ("CapBnd:", 0x800405fb_u64)]
    {
        assert_eq!(u64::from_str_radix(field(&root, name), 16).unwrap(), value, "{name}");
    }
    assert_eq!(u64::from_str_radix(field(&root, "CapAmb:"), 16).unwrap(), 0);
    assert_eq!(field(&root, "NoNewPrivs:"), "0");
    assert_eq!(field(&root, "Seccomp:"), "2");
    // The shell ignores some for itself, so it is told to become `cat`.
    let exec = image.output(|_| (), "exec cat /proc/self/status");
    assert_eq!(field(&exec, "SigIgn:"), "0000000000000000", "our own ignored SIGPIPE is not passed on");
    assert_eq!(field(&exec, "SigBlk:"), "0000000000000000");
    assert_eq!(field(&root, "Umask:"), "0022");

    let user = User { uid: 1000, gid: 1001, groups: vec![1001, 50], home: None, name: None };
    let user = image.output(|spec| spec.user = user, "cat /proc/self/status");
    assert_eq!(field(&user, "Uid:"), "1000\t1000\t1000\t1000");
    assert_eq!(field(&user, "Gid:"), "1001\t1001\t1001\t1001");
    assert_eq!(field(&user, "Groups:"), "50 1001");
    for (name, value) in
        [("CapInh:", 0), ("CapPrm:", 0), ("CapEff:", 0), ("CapBnd:", 0x800405fb_u64), ("CapAmb:", 0)]
    {
        assert_eq!(u64::from_str_radix(field(&user, name), 16).unwrap(), value, "{name}");
    }
}

#[test]
fn what_is_asked_for_is_given() {
    if !can_run("what_is_asked_for_is_given") {
        return;
    }
    let image = Image::new();
    let change = |spec: &mut Spec| {
        spec.no_new_privileges = true;
        spec.seccomp = Seccomp::Unconfined;
        spec.capabilities = CapabilitySet::KILL;
        spec.limits = vec![(7, (100, 200)), (0, (5, 5))];
        spec.directory = "/bin".into();
    };
    let seen = image.output(change, "cat /proc/self/status; ulimit -n; ulimit -Hn; ulimit -t; pwd; hostname");
    assert_eq!(field(&seen, "NoNewPrivs:"), "1");
    assert_eq!(field(&seen, "Seccomp:"), "0");
    assert_eq!(field(&seen, "CapBnd:"), "0000000000000020");
    assert!(seen.ends_with("100\n200\n5\n/bin\nbox\n"), "{seen}");
}

#[test]
fn a_limit_that_may_not_be_had_is_clamped() {
    if !can_run("a_limit_that_may_not_be_had_is_clamped") {
        return;
    }
    let image = Image::new();
    let ours = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum.unwrap_or(u64::MAX);
    // No kernel lets anyone have more open files than fs.nr_open.
    let most: u64 = fs::read_to_string("/proc/sys/fs/nr_open").unwrap().trim().parse().unwrap();
    let seen = image.output(|spec| spec.limits = vec![(7, (most + 1, most + 1))], "ulimit -Hn; ulimit -n");
    assert_eq!(seen, format!("{ours}\n{ours}\n"));
}

#[test]
fn only_the_standard_files_and_the_given_environment_are_passed_on() {
    if !can_run("only_the_standard_files_and_the_given_environment_are_passed_on") {
        return;
    }
    let image = Image::new();
    // A file that an exec would keep, as sloppy callers have.
    let leak = fs::File::open("/etc/passwd").unwrap();
    rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
    let seen = image.output(
        |_| (),
        "ls /proc/1/fd; cat /proc/1/environ; echo; echo $$; [ $(ls /proc | grep -c '^[0-9]') -lt 6 ] && echo alone",
    );
    // The shell itself has no more open; what `ls` opens is in another process. Of processes there are the shell, its
    // copy for the substitution, and the two of the pipe, or fewer at that moment.
    assert_eq!(seen, "0\n1\n2\nPATH=/usr/bin:/bin\0\n1\nalone\n");
}

#[test]
fn without_a_network_there_is_loopback_and_with_one_it_is_the_hosts() {
    if !can_run("without_a_network_there_is_loopback_and_with_one_it_is_the_hosts") {
        return;
    }
    let image = Image::new();
    let look = "grep -c : /proc/net/dev; busybox ip addr show lo; stat -L -c %i /proc/self/ns/net";
    let none = image.output(|_| (), look);
    assert!(none.starts_with("1\n") && none.contains("UP") && none.contains("127.0.0.1/8"), "{none}");
    let ours = fs::metadata("/proc/self/ns/net").unwrap().ino().to_string();
    assert!(!none.contains(&ours), "{none}");
    assert_eq!(
        image.output(|spec| spec.network = Network::Host, "stat -L -c %i /proc/self/ns/net").trim(),
        ours
    );
    let others =
        image.output(|_| (), "for n in mnt pid ipc uts cgroup user; do stat -L -c %i /proc/self/ns/$n; done");
    for (name, inside) in ["mnt", "pid", "ipc", "uts", "cgroup"].iter().zip(others.lines()) {
        let ours = fs::metadata(format!("/proc/self/ns/{name}")).unwrap().ino().to_string();
        assert_ne!(inside, ours, "{name}");
    }
}

/// Mounts a host path as a volume would be.
pub(super) fn mount(source: &Path, at: &str, read_only: bool) -> Mount {
    use rustix::mount::{MountAttrFlags, OpenTreeFlags};
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let mut tree = rustix::mount::open_tree(rustix::fs::CWD, source, flags).unwrap();
    if read_only {
        let read_only = MountAttrFlags::MOUNT_ATTR_RDONLY;
        tree = crate::sys::mount_attr::restrict(tree, read_only, false).unwrap();
    }
    Mount { source: tree, is_dir: source.is_dir(), at: at.into() }
}

#[test]
fn mounts_may_lie_in_one_another_and_in_dev() {
    if !can_run("mounts_may_lie_in_one_another_and_in_dev") {
        return;
    }
    let image = Image::new();
    let (outer, inner) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(inner.path().join("file"), "inner").unwrap();
    let change = |spec: &mut Spec| {
        spec.mounts = vec![
            mount(outer.path(), "/a", false),
            mount(inner.path(), "/a/b/c", true),
            mount(&inner.path().join("file"), "/dev/thing", true),
            mount(&inner.path().join("file"), "/deep/new/file", true),
            mount(&inner.path().join("file"), "/dev/shm/x/file", true),
        ];
    };
    let script = "cat /a/b/c/file /dev/thing /deep/new/file /dev/shm/x/file; echo x > /a/made; \
        touch /a/b/c/x /dev/thing; true";
    let seen = image.output(change, script);
    assert!(seen.starts_with("innerinnerinnerinner"), "{seen}");
    assert_eq!(seen.matches("Read-only file system").count(), 2, "{seen}");
    assert_eq!(fs::read_to_string(outer.path().join("made")).unwrap(), "x\n");
    assert!(!outer.path().join("b").exists(), "a mount point made in a volume goes, too");
    for gone in ["a", "deep", "dev", "proc"] {
        assert!(!image.path().join(gone).exists(), "{gone}");
    }
}

/// Whether this machine has security modules or not, it does not know this label.
#[test]
fn a_label_that_no_module_knows_keeps_the_command_from_running() {
    if !can_run("a_label_that_no_module_knows_keeps_the_command_from_running") {
        return;
    }
    let image = Image::new();
    let label = ExecLabel { path: c"/proc/thread-self/attr/exec".into(), value: c"exec no such\n".into() };
    let error = image.run(Spec { exec_labels: vec![label], ..script_spec("touch /ran") }).unwrap_err();
    assert!(error.sentence().starts_with("cannot label the command"), "{error:?}");
    assert!(error.hint_text().is_some() && !image.path().join("ran").exists());
}

#[test]
fn what_security_modules_are_told_is_written_before_the_command_begins() {
    if !can_run("what_security_modules_are_told_is_written_before_the_command_begins") {
        return;
    }
    let image = Image::new();
    for name in ["first", "second"] {
        fs::write(image.path().join(name), "").unwrap();
    }
    // Files in place of the kernel's, which takes one write and the bytes as they are.
    let label = |path: &CStr, value: &CStr| ExecLabel { path: path.into(), value: value.into() };
    let change = |spec: &mut Spec| {
        spec.user.uid = 7;
        spec.exec_labels = vec![
            label(c"/first", c"system_u:system_r:container_t:s0:c1,c4"),
            label(c"/second", c"exec mine//sub"),
        ];
    };
    assert_eq!(
        image.output(change, "cat /first; echo; cat /second"),
        "system_u:system_r:container_t:s0:c1,c4\nexec mine//sub"
    );
}
