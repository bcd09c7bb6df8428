//! Every kind of change is found, and what is found makes the new tree of the old one.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::tree::{Apply, Devices, Options};

/// A moment long after all changes: none of them may look as if it were being made.
const LATER: i64 = i64::MAX / 2;

fn shell(dir: &Path, script: &str) {
    let done = Command::new("sh").args(["-euc", script]).current_dir(dir).status();
    assert!(done.unwrap().success(), "{script}");
}

fn tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    shell(
        dir.path(),
        "mkdir -p a/b c/d e; echo 1 >a/b/file; echo 2 >a/other; ln a/other a/twin; ln -s file a/b/link; \
         echo 3 >c/d/deep; echo 4 >e/gone; mkfifo e/pipe; chmod 700 e; \
         find . -depth -exec touch -hd @1000000000 {} +",
    );
    dir
}

/// What is found after `script`, as paths with a mark for what is gone or linked.
fn found(script: &str) -> Vec<String> {
    let dir = tree();
    let root = Root::open_host(dir.path()).unwrap();
    let before = Survey::take(&root, LATER).unwrap();
    shell(dir.path(), script);
    let mut changes = Changes::new(&root, &before, LATER);
    let shown = changes.by_ref().map(|entry| {
        let Entry { path, node, .. } = entry.unwrap();
        match node {
            Node::Whiteout => format!("-{path}"),
            Node::Hardlink(to) => format!("{path}={to}"),
            _ => path.to_string(),
        }
    });
    let shown: Vec<_> = shown.collect();
    let after = changes.finish();
    assert_eq!(after, Survey::take(&root, LATER).unwrap());
    assert_eq!(Survey::parse(&after.to_bytes()).unwrap(), after);
    shown
}

#[test]
fn every_change_is_found() {
    for (script, expected) in [
        ("true", &[][..]),
        ("cat a/b/file", &[]),
        ("echo 9 >a/b/file", &["/", "/a", "/a/b", "/a/b/file"]),
        (
            "touch -r a/b/file c/stamp; printf 9 >a/b/file; touch -r c/stamp a/b/file; rm c/stamp",
            &["/", "/a", "/a/b", "/a/b/file", "/c"],
        ),
        ("chmod 600 c/d/deep", &["/", "/c", "/c/d", "/c/d/deep"]),
        ("chmod 755 e", &["/", "/e"]),
        ("rm e/gone", &["/", "/e", "-/e/gone"]),
        ("rm -r c", &["/", "-/c"]),
        ("rm -r c; echo file >c", &["/", "/c"]),
        ("rm -r c; mkdir c", &["/", "/c", "-/c/d"]),
        ("rm a/other; mkdir a/other; echo >a/other/x", &["/", "/a", "/a/other", "/a/other/x", "/a/twin"]),
        ("ln a/twin e/third", &["/", "/a", "/a/other", "/a/twin=/a/other", "/e", "/e/third=/a/other"]),
        ("mv a/b c/b", &["/", "/a", "/c", "/c/b", "/c/b/file", "/c/b/link", "-/a/b"]),
    ] {
        assert_eq!(found(script), expected, "{script}");
    }
}

#[test]
fn what_is_found_makes_the_new_tree_of_the_old() {
    let (old, new) = (tree(), tree());
    // What both have must look the same; what is changed has a time of its own.
    let root = Root::open_host(new.path()).unwrap();
    let before = Survey::take(&root, LATER).unwrap();
    shell(new.path(), "rm -r a/b; echo x >a/b; mv c f; rm e/gone; chmod 711 e; ln f/d/deep f/deeper");
    let into = Root::open_host(old.path()).unwrap();
    let options = Options { marks: Marks::None, devices: Devices::Make, keep_times: true };
    let mut apply = Apply::new(&into, options).unwrap();
    for entry in Changes::new(&root, &before, LATER) {
        apply.put(entry.unwrap()).unwrap();
    }
    apply.finish().unwrap();
    let list = |dir: &Path| {
        let format = "%P %y %m %n %T@ %l\\n";
        let listed = Command::new("find").args([".", "-printf", format]).current_dir(dir).output();
        let listed = listed.unwrap().stdout;
        let mut lines: Vec<_> = String::from_utf8(listed).unwrap().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(list(old.path()), list(new.path()));
    assert_eq!(fs::read(old.path().join("a/b")).unwrap(), b"x\n");
}

#[test]
fn what_was_changed_a_moment_ago_may_have_changed_again() {
    let dir = tree();
    let root = Root::open_host(dir.path()).unwrap();
    let stat = fs::symlink_metadata(dir.path().join("a/b/file")).unwrap();
    let changed = std::os::unix::fs::MetadataExt::ctime(&stat) * 1_000_000_000;
    let before = Survey::take(&root, changed).unwrap();
    assert_eq!(Changes::new(&root, &before, LATER).count(), before.files.len());
}

#[test]
fn what_has_no_time_of_change_is_told_by_its_content() {
    let dir = tree();
    let root = Root::open_host(dir.path()).unwrap();
    let before = Survey::read(&root).unwrap();
    assert_eq!(Survey::parse(&before.to_bytes()).unwrap(), before);
    assert_eq!(Changes::new(&root, &before, LATER).count(), 0);
    // Nothing of what `stat` has is another, were the time of change the other.
    shell(dir.path(), "echo X >e/gone; touch -d @1000000000 e/gone");
    let mut changes = Changes::new(&root, &before, LATER);
    let found: Vec<String> = changes.by_ref().map(|entry| entry.unwrap().path.to_string()).collect();
    assert_eq!(found, ["/", "/e", "/e/gone"]);
    let after = changes.finish();
    assert_eq!((after.since, Changes::new(&root, &after, LATER).count()), (BY_CONTENT, 0));
}
