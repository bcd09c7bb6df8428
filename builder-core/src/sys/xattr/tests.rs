//! The new calls and the way through /proc give the same.

use std::ffi::CString;
use std::os::fd::AsFd;

use rustix::fs::XattrFlags;

use super::*;

/// A directory with a file that has two attributes and a symlink that leads to it.
fn scratch() -> (tempfile::TempDir, std::fs::File) {
    let dir = tempfile::tempdir_in("/dev/shm").expect("a scratch directory");
    let path = dir.path().join("file");
    std::fs::write(&path, "x").expect("a file");
    std::os::unix::fs::symlink("file", dir.path().join("link")).expect("a symlink");
    rustix::fs::setxattr(&path, "user.a", b"1", XattrFlags::empty()).expect("attributes");
    rustix::fs::setxattr(&path, "user.long", &[7; 3000], XattrFlags::empty()).expect("attributes");
    let handle = std::fs::File::open(dir.path()).expect("it opens");
    (dir, handle)
}

fn both_ways(test: impl Fn()) {
    test();
    MISSING.store(true, Ordering::Relaxed);
    test();
}

#[test]
fn names_and_values_are_the_same_with_and_without_the_new_calls() {
    let (_keep, dir) = scratch();
    both_ways(|| {
        let file = CString::new("file").expect("no NUL");
        let mut names = Vec::new();
        list_at(dir.as_fd(), &file, &mut names).expect("names");
        let mut names: Vec<&[u8]> = names.split(|byte| *byte == 0).filter(|name| !name.is_empty()).collect();
        names.sort_unstable();
        assert!(names.contains(&b"user.a".as_slice()) && names.contains(&b"user.long".as_slice()));
        let mut value = Vec::new();
        assert!(get_at(dir.as_fd(), &file, c"user.long", &mut value).expect("a value"));
        assert_eq!(value, [7; 3000]);
        assert!(!get_at(dir.as_fd(), &file, c"user.none", &mut value).expect("no value"));
    });
}

#[test]
fn a_symlink_is_not_followed() {
    let (_keep, dir) = scratch();
    let mut names = Vec::new();
    list_at(dir.as_fd(), c"link", &mut names).expect("names");
    assert!(!names.windows(6).any(|part| part == b"user.a"));
}
