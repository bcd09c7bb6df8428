//! Tests of the verb: what it settles, and whole runs on a plain directory.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use rustix::thread::CapabilitySet;

use super::*;
use crate::error::Kind;
use crate::event::Silent;
use crate::testing::{not_run, require_root};

const BUSYBOX: &str = "/bin/busybox";

struct Image {
    root: tempfile::TempDir,
    scratch: tempfile::TempDir,
}

impl Image {
    fn new(test: &str) -> Option<Self> {
        if !Path::new(BUSYBOX).exists() {
            not_run(test, "needs busybox-static");
            return None;
        }
        if !require_root(test) {
            return None;
        }
        let (root, scratch) =
            (tempfile::tempdir_in("/dev/shm").unwrap(), tempfile::tempdir_in("/dev/shm").unwrap());
        fs::set_permissions(root.path(), PermissionsExt::from_mode(0o755)).unwrap();
        fs::create_dir_all(root.path().join("bin")).unwrap();
        fs::create_dir_all(root.path().join("etc")).unwrap();
        fs::copy(BUSYBOX, root.path().join("bin/busybox")).unwrap();
        for name in ["sh", "cat", "env", "id", "pwd", "ls", "stat", "touch", "grep", "mount"] {
            symlink("busybox", root.path().join("bin").join(name)).unwrap();
        }
        fs::write(root.path().join("etc/passwd"), "root:x:0:0::/root:\nu:x:1000:1001::/home/u:\n").unwrap();
        fs::write(root.path().join("etc/group"), "u:x:1001:\ng:x:50:u\n").unwrap();
        fs::write(root.path().join("out"), "").unwrap();
        fs::set_permissions(root.path().join("out"), PermissionsExt::from_mode(0o666)).unwrap();
        Some(Image { root, scratch })
    }

    fn perform(&self, run: &Run, config: &RunConfig) -> Result<Exit> {
        let rootfs = crate::sys::mount::clone_of(self.root.path()).unwrap();
        let facts = Facts::probe();
        let scene = Scene {
            scratch: self.scratch.path(),
            passing: self.scratch.path(),
            facts: &facts,
            reporter: &Silent,
            streams: [None, None, None],
            users: None,
            store: None,
        };
        run.perform(rootfs, config, None, scene)
    }

    fn output(&self, change: impl FnOnce(&mut Run), config: &RunConfig, script: &str) -> String {
        let args = ["sh", "-c", &format!("exec >/out 2>&1; {script}")].map(str::to_owned).to_vec();
        let mut run = Run { args, ..Run::default() };
        change(&mut run);
        let exit = self.perform(&run, config).unwrap();
        let output = fs::read_to_string(self.root.path().join("out")).unwrap();
        assert_eq!(exit, Exit::Code(0), "{output}");
        output
    }
}

fn config() -> RunConfig {
    RunConfig { id: "0123456789abcdef".into(), name: "box".into(), ..RunConfig::default() }
}

fn text(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn the_environment_is_the_images_and_the_callers() {
    let run = Run {
        env: vec![("A".into(), "flag".into()), ("HOME".into(), "/h".into())],
        terminal: true,
        ..Run::default()
    };
    let image =
        RunConfig { env: vec![("A".into(), "image".into()), ("PATH".into(), "/p".into())], ..config() };
    let user = User { uid: 1, gid: 1, groups: vec![1], home: Some("/home/u".into()), name: None };
    let pairs = run.environment(&image, &user, "host");
    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(pairs, ["A=flag", "PATH=/p", "HOME=/h", "HOSTNAME=host", "TERM=xterm"]);
    let plain = Run::default().environment(&config(), &User { home: None, ..user }, "host");
    let pairs: Vec<String> = plain.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(
        pairs,
        [format!("PATH={}", surroundings::DEFAULT_PATH), "HOSTNAME=host".into(), "HOME=/".into()]
    );
}

#[test]
fn capabilities_are_added_and_dropped() {
    let set = |add: &[&str], drop: &[&str]| {
        let settings = RunSettings { cap_add: text(add), cap_drop: text(drop), ..RunSettings::default() };
        Run { settings, ..Run::default() }.capabilities()
    };
    let ours = rustix::thread::capabilities(None).unwrap().permitted;
    let all = sandbox::parse_capability("all").unwrap();
    let default = sandbox::DEFAULT_CAPABILITIES;
    let (kill, raw) = (CapabilitySet::KILL, CapabilitySet::NET_RAW);
    for (add, drop, expected) in [
        (&[][..], &[][..], default),
        (&["net_raw"], &[], default | raw),
        (&[], &["CAP_KILL"], default - kill),
        (&["net_raw"], &["kill"], (default | raw) - kill),
        (&["ALL"], &["kill"], all - kill),
        (&["kill"], &["all"], kill),
        (&["net_raw"], &["kill", "net_raw"], default - kill),
        (&[], &["all"], CapabilitySet::empty()),
    ] {
        assert_eq!(set(add, drop).unwrap(), expected & ours, "+{add:?} -{drop:?}");
    }
    for (add, drop) in [(&["all"], &["all"]), (&["nonsense"], &["kill"])] {
        assert!(set(add, drop).is_err(), "+{add:?} -{drop:?}");
    }
}

#[test]
fn limits_are_checked() {
    let with = |name: &str, soft, hard| {
        let limits = vec![Limit { name: name.into(), soft, hard }];
        let settings = RunSettings { limits, ..RunSettings::default() };
        Run { settings, ..Run::default() }.limits()
    };
    assert_eq!(with("nofile", 1, 2).unwrap(), [(7, (1, 2))]);
    assert_eq!(with("core", 0, 0).unwrap().len(), 2, "the default for open files is kept");
    assert!(with("nofile", 3, 2).is_err());
    assert!(with("nonsense", 1, 2).is_err());
}

#[test]
fn a_command_and_an_absolute_directory_are_needed() {
    let test = "a_command_and_an_absolute_directory_are_needed";
    let Some(image) = Image::new(test) else { return };
    assert_eq!(image.perform(&Run::default(), &config()).unwrap_err().kind(), Kind::Invalid);
    let relative = Run { args: text(&["pwd"]), workdir: Some("rel".into()), ..Run::default() };
    let error = image.perform(&relative, &config()).unwrap_err();
    assert_eq!(error.hint_text(), Some("use `--workingdir /rel`"));
}

#[test]
fn user_directory_and_files_are_as_buildah_has_them() {
    let Some(image) = Image::new("user_directory_and_files_are_as_buildah_has_them") else { return };
    let image_config = RunConfig { user: "u".into(), workdir: "/w/x".into(), ..config() };
    let look = "id; pwd; stat -c %u:%g /w /w/x; hostname; grep name /run/.containerenv; cat /etc/hostname";
    let seen = image.output(|_| (), &image_config, look);
    let expected = "uid=1000(u) gid=1001(u) groups=50(g),1001(u)\n/w/x\n1000:1001\n1000:1001\n0123456789ab\n\
        name=\"box\"\n0123456789ab\n";
    assert_eq!(seen, expected);
    assert!(image.root.path().join("w/x").is_dir(), "the working directory stays");
    for gone in ["run", "proc", "etc/hosts", "etc/resolv.conf", "etc/hostname"] {
        assert!(!image.root.path().join(gone).exists(), "{gone}");
    }
    let flags = |run: &mut Run| {
        run.user = Some("0:50".into());
        run.workdir = Some("/../bin".into());
        run.hostname = Some("other".into());
    };
    let seen = image.output(flags, &image_config, "id -u; id -g; pwd; env; grep other /etc/hosts");
    assert!(seen.starts_with("0\n50\n/bin\n") && seen.contains("HOME=/root\n"), "{seen}");
    assert!(seen.ends_with("127.0.0.1\tother\n"), "{seen}");
    let error =
        image.perform(&Run { args: text(&["id"]), user: Some("who".into()), ..Run::default() }, &config());
    assert_eq!(error.unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn volumes_do_what_their_options_say() {
    let Some(image) = Image::new("volumes_do_what_their_options_say") else { return };
    let host = tempfile::tempdir_in("/dev/shm").unwrap();
    fs::set_permissions(host.path(), PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(host.path().join("file"), "content").unwrap();
    let source = host.path().display();
    let with = |volumes: &[String], script: &str| {
        let volumes: Vec<Volume> = volumes.iter().map(|volume| volume.parse().unwrap()).collect();
        image.output(|run| run.settings.volumes = volumes, &config(), script)
    };
    let mounts = "mount | grep ' /v '";
    assert!(with(&[format!("{source}:/v")], "cat /v/file; touch /v/new").starts_with("content"));
    assert!(host.path().join("new").exists());
    let seen = with(&[format!("{source}:/v:ro,z")], "touch /v/x; cat /v/file; true");
    assert!(seen.contains("Read-only") && seen.contains("content"), "{seen}");
    let seen = with(&[format!("{source}:/v:noexec,nosuid,nodev")], mounts);
    assert!(seen.contains("nosuid,nodev,noexec"), "{seen}");
    let seen = with(&[format!("{source}:/v:O")], "echo changed > /v/file; touch /v/gone; cat /v/file");
    assert_eq!(seen, "changed\n");
    assert_eq!(fs::read_to_string(host.path().join("file")).unwrap(), "content");
    assert!(!host.path().join("gone").exists());
    // A volume in the place of a generated file is the one that is seen, and inner ones may be named first.
    let file = format!("{source}/file");
    let seen = with(
        &[format!("{file}:/v/new:ro"), format!("{source}:/v"), format!("{file}:/etc/hosts")],
        "cat /v/new /etc/hosts",
    );
    assert_eq!(seen, "contentcontent");
    with(&[format!("{source}:/v:U")], "true");
    assert_eq!(fs::metadata(host.path()).unwrap().uid(), 0);
    let volumes = vec![format!("{source}:/v:U").parse().unwrap()];
    let change = |run: &mut Run| (run.settings.volumes, run.user) = (volumes, Some("u".into()));
    image.output(change, &config(), "touch /v/mine");
    assert_eq!(fs::metadata(host.path().join("file")).unwrap().uid(), 1000);

    let settings = RunSettings { volumes: vec!["/no/such:/v".parse().unwrap()], ..RunSettings::default() };
    let missing = Run { args: text(&["id"]), settings, ..Run::default() };
    let error = image.perform(&missing, &config()).unwrap_err();
    assert_eq!(
        (error.kind(), error.hint_text()),
        (Kind::NotFound, Some("make it first: `mkdir -p /no/such`"))
    );
}

#[test]
fn without_a_network_there_are_no_name_servers() {
    let Some(image) = Image::new("without_a_network_there_are_no_name_servers") else { return };
    let none = |run: &mut Run| run.settings.network = Some(Network::None);
    let seen = image.output(none, &config(), "test ! -e /etc/resolv.conf && cat /etc/hosts");
    assert!(seen.contains("localhost") && seen.contains("0123456789ab"), "{seen}");
    let host = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    if !sandbox::nameserver_is_stub(&host) {
        assert_eq!(image.output(|_| (), &config(), "cat /etc/resolv.conf 2>/dev/null; true"), host);
    }
}
