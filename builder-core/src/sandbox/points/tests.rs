//! Tests of making and removing mount points; no privileges needed.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;

fn tree() -> (tempfile::TempDir, Root) {
    let dir = tempfile::tempdir().unwrap();
    let root = Root::open_host(dir.path()).unwrap();
    (dir, root)
}

fn time(path: &Path) -> (i64, i64) {
    let stat = fs::metadata(path).unwrap();
    (stat.mtime(), stat.mtime_nsec())
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(path).unwrap().map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_was_made_goes_and_times_stay() {
    let (dir, root) = tree();
    fs::create_dir(dir.path().join("etc")).unwrap();
    let before = (time(dir.path()), time(&dir.path().join("etc")));
    let mut points = MountPoints::default();
    for (path, is_dir) in
        [("/proc", true), ("/etc/hosts", false), ("/a/b/c", true), ("/a/b/d", false), ("/etc", true)]
    {
        points.add(&root, path.as_ref(), is_dir).unwrap();
    }
    assert!(dir.path().join("a/b/c").is_dir() && dir.path().join("a/b/d").is_file());
    points.remove().unwrap();
    assert_eq!(names(dir.path()), ["etc"]);
    assert_eq!(before, (time(dir.path()), time(&dir.path().join("etc"))));
}

#[test]
fn what_the_command_used_stays() {
    let (dir, root) = tree();
    let mut points = MountPoints::default();
    for (path, is_dir) in [("/etc/hosts", false), ("/run/x", false), ("/written", false), ("/changed", true)]
    {
        points.add(&root, path.as_ref(), is_dir).unwrap();
    }
    fs::write(dir.path().join("etc/own"), "").unwrap();
    fs::write(dir.path().join("written"), "x").unwrap();
    fs::set_permissions(dir.path().join("changed"), PermissionsExt::from_mode(0o700)).unwrap();
    fs::write(dir.path().join("top"), "").unwrap();
    let (top, etc) = (time(dir.path()), time(&dir.path().join("etc")));
    points.remove().unwrap();
    assert_eq!(names(dir.path()), ["changed", "etc", "top", "written"]);
    assert_eq!(names(&dir.path().join("etc")), ["own"]);
    assert_eq!((top, etc), (time(dir.path()), time(&dir.path().join("etc"))), "the command's times stay");
}

#[test]
fn what_the_command_removed_or_replaced_is_no_trouble() {
    let (dir, root) = tree();
    let outside = tempfile::tempdir().unwrap();
    let mut points = MountPoints::default();
    points.add(&root, "/a/b".as_ref(), true).unwrap();
    points.add(&root, "/gone/x".as_ref(), false).unwrap();
    points.add(&root, "/swapped".as_ref(), true).unwrap();
    fs::remove_dir_all(dir.path().join("gone")).unwrap();
    fs::remove_dir(dir.path().join("swapped")).unwrap();
    symlink(outside.path(), dir.path().join("swapped")).unwrap();
    points.remove().unwrap();
    assert_eq!(names(dir.path()), ["swapped"]);
    assert!(outside.path().exists());
}

#[test]
fn the_wrong_kind_is_an_error_and_links_stay_inside() {
    let (dir, root) = tree();
    fs::write(dir.path().join("file"), "").unwrap();
    fs::create_dir(dir.path().join("dir")).unwrap();
    let mut points = MountPoints::default();
    assert_eq!(points.add(&root, "/file".as_ref(), true).unwrap_err().kind(), Kind::Invalid);
    assert_eq!(points.add(&root, "/dir".as_ref(), false).unwrap_err().kind(), Kind::Invalid);
    assert!(points.add(&root, "/file/below".as_ref(), true).is_err());
    assert!(points.add(&root, "/".as_ref(), false).is_err());
    let outside = tempfile::tempdir().unwrap();
    symlink(outside.path(), dir.path().join("out")).unwrap();
    points.add(&root, "/out/x".as_ref(), true).unwrap();
    assert_eq!(names(outside.path()), [""; 0]);
    points.remove().unwrap();
    assert_eq!(names(dir.path()), ["dir", "file", "out"]);
}

#[test]
fn a_place_in_a_volume_stays_until_nobody_mounts_there() {
    let (dir, root) = tree();
    let locks = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("own")).unwrap();
    let begin = || {
        let mut points = MountPoints::in_volume(Some(locks.path().to_owned()));
        for (path, is_dir) in [("/a/b", true), ("/file", false), ("/own", true)] {
            points.add(&root, path.as_ref(), is_dir).unwrap();
        }
        points
    };
    let (first, second) = (begin(), begin());
    first.remove().unwrap();
    assert_eq!(names(dir.path()), ["a", "file", "own"]);
    assert_eq!(names(&dir.path().join("a")), ["b"]);
    let third = begin();
    second.remove().unwrap();
    assert_eq!(names(dir.path()), ["a", "file", "own"]);
    third.remove().unwrap();
    assert_eq!(names(dir.path()), ["own"]);
    assert_eq!(names(locks.path()), ["points"]);
}

#[test]
fn what_a_killed_run_left_in_a_volume_may_be_anybodys() {
    let (dir, root) = tree();
    let locks = tempfile::tempdir().unwrap();
    let begin = || {
        let mut points = MountPoints::in_volume(Some(locks.path().to_owned()));
        points.add(&root, "/a".as_ref(), true).unwrap();
        points
    };
    drop(begin());
    assert_eq!(names(locks.path()).len(), 2);
    begin().remove().unwrap();
    assert_eq!(names(dir.path()), ["a"]);
    assert_eq!(names(locks.path()), ["points"]);
}
