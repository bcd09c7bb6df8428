//! What follows from options on made-up machines, and that labels are written. Writing one needs root, not SELinux.

use std::fs;
use std::sync::Mutex;

use super::*;
use crate::testing::require_root;

/// Keeps what it is told.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Reporter for Heard {
    fn report(&self, event: Event) {
        if let Event::Warning { message, .. } = event {
            self.0.lock().unwrap().push(message);
        }
    }
}

fn machine() -> Modules {
    Modules { apparmor: Some("/proc/thread-self/attr/exec"), ..selinux() }
}

fn selinux() -> Modules {
    Modules::of("system_u:system_r:container_t:s0", "system_u:object_r:container_file_t:s0")
}

fn security(words: &[&str]) -> Security {
    let mut security = Security::default();
    words.iter().for_each(|word| security.add(word).unwrap());
    security
}

/// What the child writes, and what is told.
fn settled(words: &[&str], modules: &Modules) -> (Vec<String>, Vec<String>) {
    let heard = Heard::default();
    let usual = Security::default();
    let confinement = Confinement::settle(&security(words), &usual, "00000c01", modules, &heard).unwrap();
    let show =
        |label: &ExecLabel| format!("{} {}", label.path.to_string_lossy(), label.value.to_string_lossy());
    (confinement.exec.iter().map(show).collect(), heard.0.into_inner().unwrap())
}

#[test]
fn a_command_gets_the_labels_that_the_kernel_knows() {
    let own = "/proc/thread-self/attr/exec system_u:system_r:container_t:s0:c1,c4";
    assert_eq!(settled(&[], &machine()), (vec![own.to_owned()], vec![]));
    let (exec, told) = settled(&["label=disable", "apparmor=mine"], &machine());
    assert_eq!((exec, told), (vec!["/proc/thread-self/attr/exec exec mine".to_owned()], vec![]));
    let (exec, _) = settled(&["label=type:my_t", "apparmor=unconfined"], &machine());
    assert_eq!(exec[0], "/proc/thread-self/attr/exec system_u:system_r:my_t:s0:c1,c4");
    assert_eq!(exec[1], "/proc/thread-self/attr/exec exec unconfined");
}

#[test]
fn what_the_kernel_does_not_have_is_told() {
    let none = Modules::default();
    for quiet in [&[][..], &["label=disable"], &["apparmor=unconfined"]] {
        assert_eq!(settled(quiet, &none), (vec![], vec![]), "{quiet:?}");
    }
    let (exec, told) = settled(&["label=level:s0"], &none);
    assert_eq!(exec, Vec::<String>::new());
    assert_eq!(told, ["this kernel has no SELinux: `--security-opt label=level:s0` does nothing",]);
}

#[test]
fn a_command_that_shall_have_a_profile_does_not_run_without() {
    let (asked, none) = (security(&["apparmor=mine"]), Modules::default());
    let usual = Security::default();
    let error = Confinement::settle(&asked, &usual, "0", &none, &Heard::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(error.sentence().contains("`mine`"), "{error:?}");
    // What the machine's files have for all containers is for machines that have it.
    let confinement = Confinement::settle(&asked, &asked, "0", &none, &Heard::default()).unwrap();
    assert_eq!(confinement.exec, []);
}

fn label_of(path: &Path) -> Option<String> {
    let mut value = [0_u8; 128];
    let length = rustix::fs::lgetxattr(path, LABEL, &mut value[..]).ok()?;
    Some(String::from_utf8_lossy(&value[..length]).into_owned())
}

#[test]
fn a_volume_is_relabeled_as_its_option_says() {
    if !require_root("a_volume_is_relabeled_as_its_option_says") {
        return;
    }
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::create_dir_all(path("v/sub")).unwrap();
    fs::write(path("v/sub/file"), "x").unwrap();
    fs::write(path("outside"), "x").unwrap();
    std::os::unix::fs::symlink("../outside", path("v/link")).unwrap();
    let confinement = Confinement { exec: vec![], labels: selinux().labels("00000c01", &[]) };
    let open = |name: &str| {
        rustix::fs::open(path(name), OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).expect("opened")
    };
    let options = |option: &str| {
        let mut options = MountOptions::default();
        options.add(option).unwrap();
        options
    };
    let before = label_of(&path("outside"));
    confinement.relabel(open("v").as_fd(), &path("v"), &options("ro")).unwrap();
    assert_eq!(label_of(&path("v")), before);
    confinement.relabel(open("v").as_fd(), &path("v"), &options("Z")).unwrap();
    for name in ["v", "v/sub", "v/sub/file", "v/link"] {
        let label = label_of(&path(name));
        assert_eq!(label.as_deref(), Some("system_u:object_r:container_file_t:s0:c1,c4"), "{name}");
    }
    assert_eq!(label_of(&path("outside")), before, "a link was followed");
    confinement.relabel(open("v/sub/file").as_fd(), &path("v/sub/file"), &options("z")).unwrap();
    assert_eq!(label_of(&path("v/sub/file")).as_deref(), Some("system_u:object_r:container_file_t:s0"));
    let error = confinement.relabel(open("v").as_fd(), Path::new("/usr"), &options("z")).unwrap_err();
    assert!(error.hint_text().is_some_and(|hint| hint.contains("label=disable")), "{error:?}");
}
