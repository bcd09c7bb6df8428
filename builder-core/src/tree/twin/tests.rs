//! Twins of trees, and where there can be none.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;

#[test]
fn a_twin_has_the_same_files_and_directories_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let (from, into) = (dir.path().join("from"), dir.path().join("into"));
    fs::create_dir_all(from.join("a/b")).unwrap();
    fs::create_dir(&into).unwrap();
    fs::write(from.join("a/b/file"), "content").unwrap();
    symlink("nowhere", from.join("a/link")).unwrap();
    fs::set_permissions(from.join("a"), fs::Permissions::from_mode(0o1751)).unwrap();
    let open = |path: &std::path::Path| Root::open_host(path).unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::new(7, 5);
    fs::File::open(from.join("a")).unwrap().set_modified(old).unwrap();
    assert!(twin(&open(&from), &open(&into)).unwrap());
    let look = |path: &str| {
        (fs::symlink_metadata(from.join(path)).unwrap(), fs::symlink_metadata(into.join(path)).unwrap())
    };
    for path in ["a/b/file", "a/link"] {
        let (one, other) = look(path);
        assert_eq!((one.ino(), one.nlink()), (other.ino(), 2), "{path}");
    }
    let (one, other) = look("a");
    assert_ne!(one.ino(), other.ino());
    assert_eq!((one.mode(), one.modified().unwrap()), (other.mode(), other.modified().unwrap()));
    assert_eq!(other.modified().unwrap(), old);
}

#[test]
fn another_file_system_is_no_place_for_a_twin() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir_in("/dev/shm").unwrap());
    if fs::metadata(one.path()).unwrap().dev() == fs::metadata(other.path()).unwrap().dev() {
        return;
    }
    fs::write(one.path().join("file"), "").unwrap();
    let open = |path: &std::path::Path| Root::open_host(path).unwrap();
    assert!(!twin(&open(one.path()), &open(other.path())).unwrap());
}
