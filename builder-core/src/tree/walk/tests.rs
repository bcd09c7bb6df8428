//! Walks over scratch trees.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{CWD, XattrFlags};

use super::*;

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").expect("a scratch directory")
}

fn entries(path: &Path, marks: Marks) -> Vec<Entry> {
    let root = Root::open_host(path).expect("the tree opens");
    walk(&root, marks).collect::<Result<_>>().expect("the tree can be read")
}

fn paths(path: &Path) -> Vec<String> {
    entries(path, Marks::None).iter().map(|entry| entry.path.to_string()).collect()
}

#[test]
fn names_come_sorted_by_bytes_and_a_directory_is_followed_by_its_content() {
    let dir = scratch();
    for name in ["b", "a/z", "a/b", "a!", "a.d", "B"] {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        std::fs::write(path, "").expect("a file");
    }
    assert_eq!(paths(dir.path()), ["/", "/B", "/a", "/a/b", "/a/z", "/a!", "/a.d", "/b"]);
}

#[test]
fn later_names_of_a_file_are_hard_links_to_the_first() {
    let dir = scratch();
    std::fs::write(dir.path().join("b"), "text").expect("a file");
    std::fs::hard_link(dir.path().join("b"), dir.path().join("a")).expect("a link");
    std::fs::hard_link(dir.path().join("b"), dir.path().join("c")).expect("a link");
    let found = entries(dir.path(), Marks::None);
    assert!(matches!(found[1].node, Node::File { size: 4, .. }));
    for later in &found[2..] {
        assert!(matches!(&later.node, Node::Hardlink(to) if to.as_bytes() == b"a"), "{later:?}");
    }
}

#[test]
fn overlay_marks_are_read_only_when_asked_for() {
    let dir = scratch();
    std::fs::create_dir(dir.path().join("d")).expect("a directory");
    rustix::fs::setxattr(dir.path().join("d"), "user.overlay.opaque", b"y", XattrFlags::empty())
        .expect("mark");
    rustix::fs::setxattr(dir.path().join("d"), "user.kept", b"1", XattrFlags::empty()).expect("attribute");
    rustix::fs::mknodat(CWD, dir.path().join("w"), FileType::CharacterDevice, Mode::empty(), 0)
        .expect("a whiteout needs no privilege");
    let plain = entries(dir.path(), Marks::None);
    assert!(matches!(plain[1].node, Node::Directory { opaque: false }));
    assert!(matches!(plain[2].node, Node::Char(Device { major: 0, minor: 0 })));
    let marked = entries(dir.path(), Marks::User);
    assert!(matches!(marked[1].node, Node::Directory { opaque: true }));
    assert!(matches!(marked[2].node, Node::Whiteout));
    let trusted = entries(dir.path(), Marks::Trusted);
    assert!(matches!(trusted[1].node, Node::Directory { opaque: false }));
    for seen in [plain, marked, trusted] {
        assert_eq!(seen[1].meta.xattrs.keys().collect::<Vec<_>>(), [b"user.kept"]);
    }
}

#[test]
fn links_and_modes_are_seen_as_they_are() {
    let dir = scratch();
    symlink("../../outside", dir.path().join("l")).expect("a symlink");
    std::fs::write(dir.path().join("s"), "").expect("a file");
    std::fs::set_permissions(dir.path().join("s"), PermissionsExt::from_mode(0o4751)).expect("a mode");
    let found = entries(dir.path(), Marks::None);
    assert!(matches!(&found[1].node, Node::Symlink(to) if to == Path::new("../../outside")));
    assert_eq!(found[2].meta.mode, 0o4751);
}

#[test]
fn a_tree_far_deeper_than_the_limit_of_open_files_is_read() {
    let dir = scratch();
    let mut fd = rustix::fs::open(dir.path(), DIRECTORY, Mode::empty()).expect("it opens");
    for _ in 0..5000 {
        rustix::fs::mkdirat(&fd, "d", Mode::from_raw_mode(0o755)).expect("a directory");
        rustix::fs::mknodat(&fd, "e", FileType::RegularFile, Mode::from_raw_mode(0o644), 0).expect("a file");
        fd = rustix::fs::openat(&fd, "d", DIRECTORY, Mode::empty()).expect("it opens");
    }
    drop(fd);
    let root = Root::open_host(dir.path()).expect("the tree opens");
    let mut open = 0;
    let mut count = 0;
    for entry in walk(&root, Marks::None) {
        entry.expect("an entry");
        count += 1;
        if count % 1000 == 0 {
            open = open.max(std::fs::read_dir("/proc/self/fd").expect("a list").count());
        }
    }
    assert_eq!(count, 10_001);
    // Other tests of this process have files open too; the tree alone would take 5,000.
    assert!(open < 1000, "{open} files were open at once");
    remove_deep(dir.path());
}

/// Removes a tree too deep for a path, level by level from the inside.
fn remove_deep(path: &Path) {
    let status = std::process::Command::new("rm").arg("-rf").arg(path).status().expect("rm runs");
    assert!(status.success());
    std::fs::create_dir(path).expect("the scratch directory is there again for its owner to remove");
}

#[test]
fn a_capability_of_a_namespace_is_carried_without_it() {
    let third = [1, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0xa0, 0x86, 1, 0];
    let second = [1, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
    assert_eq!(plain_capability(&third), second);
    assert_eq!(plain_capability(&second), second);
}
