//! Deep, wide and linked trees go, and nothing else does.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn scratch() -> (tempfile::TempDir, fs::File) {
    let dir = tempfile::tempdir_in("/dev/shm").expect("a scratch directory");
    let handle = fs::File::open(dir.path()).expect("it opens");
    (dir, handle)
}

fn remove(dir: &fs::File, name: &str) -> io::Result<bool> {
    remove_all_at(dir.as_fd(), OsStr::new(name))
}

#[test]
fn what_is_named_goes_and_what_links_lead_to_stays() {
    let (dir, handle) = scratch();
    fs::create_dir_all(dir.path().join("tree/a/b")).expect("directories");
    fs::create_dir(dir.path().join("kept")).expect("a directory");
    fs::write(dir.path().join("kept/file"), "").expect("a file");
    symlink("../kept", dir.path().join("tree/link")).expect("a symlink");
    symlink("kept", dir.path().join("link")).expect("a symlink");
    assert!(remove(&handle, "tree").expect("removed"));
    assert!(remove(&handle, "link").expect("removed"));
    assert!(!remove(&handle, "never").expect("nothing there"));
    assert_eq!(fs::read_dir(dir.path()).expect("a list").count(), 1);
    assert!(dir.path().join("kept/file").exists());
}

#[test]
fn a_wide_directory_goes_in_batches() {
    let (dir, handle) = scratch();
    fs::create_dir(dir.path().join("wide")).expect("a directory");
    for index in 0..3000 {
        let path = dir.path().join(format!("wide/a-name-of-some-length-{index}"));
        if index % 3 == 0 {
            fs::create_dir_all(path.join("inner")).expect("directories");
        } else {
            fs::write(path, "").expect("a file");
        }
    }
    assert!(remove(&handle, "wide").expect("removed"));
    assert!(!dir.path().join("wide").exists());
}

#[test]
fn a_tree_far_deeper_than_the_limit_of_open_files_goes() {
    let (dir, handle) = scratch();
    let mut at = OwnedFd::from(handle.try_clone().expect("cloned"));
    for _ in 0..5000 {
        rustix::fs::mkdirat(&at, "d", Mode::RWXU).expect("a directory");
        let file = rustix::fs::FileType::RegularFile;
        rustix::fs::mknodat(&at, "f", file, Mode::RWXU, 0).expect("a file");
        at = rustix::fs::openat(&at, "d", DIRECTORY, Mode::empty()).expect("it opens");
    }
    drop(at);
    assert!(remove(&handle, "d").expect("removed"));
    assert_eq!(fs::read_dir(dir.path()).expect("a list").count(), 1, "only the file beside it");
}

#[test]
fn directories_without_permissions_go() {
    let (dir, handle) = scratch();
    fs::create_dir_all(dir.path().join("a/closed/b")).expect("directories");
    for (path, mode) in [("a/closed/b", 0), ("a/closed", 0o500), ("a", 0o300)] {
        fs::set_permissions(dir.path().join(path), PermissionsExt::from_mode(mode)).expect("a mode");
    }
    assert!(remove(&handle, "a").expect("removed"));
    assert!(!dir.path().join("a").exists());
}

#[test]
fn what_is_mounted_inside_is_not_entered() {
    if !crate::testing::require_root("what_is_mounted_inside_is_not_entered") {
        return;
    }
    let (dir, handle) = scratch();
    fs::create_dir_all(dir.path().join("tree/mount")).expect("directories");
    fs::create_dir(dir.path().join("theirs")).expect("a directory");
    fs::write(dir.path().join("theirs/file"), "").expect("a file");
    let place = dir.path().join("tree/mount");
    rustix::mount::mount_bind(dir.path().join("theirs"), &place).expect("mounted");
    let removed = remove(&handle, "tree");
    rustix::mount::unmount(&place, rustix::mount::UnmountFlags::DETACH).expect("unmounted");
    assert_eq!(removed.expect_err("refused").raw_os_error(), Some(Errno::XDEV.raw_os_error()));
    assert!(dir.path().join("theirs/file").exists());
}
