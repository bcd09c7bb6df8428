//! The older way to mount, on whatever kernel the tests run.

use std::path::PathBuf;

use super::*;
use crate::testing::require_root;

/// Directories with names that would end an option if they were not marked.
fn layers(dir: &Path, count: usize) -> Vec<PathBuf> {
    let layer = |nth: usize| {
        let path = dir.join(format!("a:b,c\\d {nth}"));
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join(format!("file{nth}")), nth.to_string()).unwrap();
        path
    };
    (0..count).map(layer).collect()
}

#[test]
fn as_many_layers_as_overlay_takes_are_mounted() {
    if !require_root("as_many_layers_as_overlay_takes_are_mounted") {
        return;
    }
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    let lowers = layers(dir.path(), 300);
    let (upper, work) = (dir.path().join("up:per,\\"), dir.path().join("work"));
    std::fs::create_dir(&upper).unwrap();
    std::fs::create_dir(&work).unwrap();
    let asked = Overlay {
        lowers: &lowers,
        upper: Some((&upper, &work)),
        userxattr: false,
        label: None,
        probe: false,
        synced: false,
    };
    let mount = overlay(&asked).unwrap();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let top = rustix::fs::openat(&mount, ".", flags, Mode::empty()).unwrap();
    let names = rustix::fs::Dir::new(top).unwrap().flatten().count();
    assert_eq!(names, 300 + 2, "every layer's file, and the two names of directories");
    let made = rustix::fs::openat(&mount, "made", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU).unwrap();
    drop(made);
    assert!(upper.join("made").exists());
    let ours = std::fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    assert!(!ours.contains(dir.path().to_str().unwrap()), "it is attached nowhere");
}

#[test]
fn a_file_system_has_its_options_and_restrictions() {
    if !require_root("a_file_system_has_its_options_and_restrictions") {
        return;
    }
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let made = file_system(c"tmpfs", &[(c"mode", "1750"), (c"size", "65536")], attributes).unwrap();
    assert_eq!(rustix::fs::fstat(&made).unwrap().st_mode & 0o7777, 0o1750);
    let stat = rustix::fs::fstatvfs(&made).unwrap();
    assert_eq!(stat.f_blocks * stat.f_frsize, 65536);
    let set = rustix::fs::StatVfsMountFlags::NOSUID | rustix::fs::StatVfsMountFlags::NODEV;
    assert!(stat.f_flag.contains(set) && !stat.f_flag.contains(rustix::fs::StatVfsMountFlags::NOEXEC));
}

#[test]
fn what_is_mounted_is_listed() {
    assert!(is_listed(Path::new("/proc")).unwrap());
    assert!(!is_listed(Path::new("/proc/self")).unwrap());
    assert!(!is_listed(Path::new("/nosuch")).unwrap());
    assert_eq!(unescaped(b"/a\\040b\\134\\011c\\9"), b"/a b\\\tc\\9");
}
