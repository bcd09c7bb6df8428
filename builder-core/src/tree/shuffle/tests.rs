//! What changes in directories that are shuffled, and what does not.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::*;

fn names(dir: &Path) -> Vec<String> {
    let listed = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    listed.collect()
}

#[test]
fn names_come_in_another_order_and_nothing_else_changes() {
    // In memory names are listed by their age.
    let Ok(dir) = tempfile::tempdir_in("/dev/shm") else { return };
    let (tree, aside) = (dir.path().join("tree"), dir.path().join("aside"));
    fs::create_dir_all(tree.join("a/deep")).unwrap();
    fs::create_dir(&aside).unwrap();
    for name in ["one", "two", "three"] {
        fs::write(tree.join("a").join(name), name).unwrap();
        fs::write(tree.join(name), name).unwrap();
    }
    fs::hard_link(tree.join("one"), tree.join("a/link")).unwrap();
    std::os::unix::fs::symlink("/dev/shm", tree.join("leads-out")).unwrap();
    let dirs = [tree.clone(), tree.join("a"), tree.join("a/deep")];
    let before: Vec<_> = dirs.iter().map(|dir| (names(dir), fs::metadata(dir).unwrap())).collect();
    shuffle(&Root::open_host(&tree).unwrap(), &Root::open_host(&aside).unwrap()).unwrap();
    for (dir, (listed, meta)) in dirs.iter().zip(&before) {
        let (mut now, mut then) = (names(dir), listed.clone());
        assert!(now != then || then.len() < 2, "{now:?}");
        now.sort();
        then.sort();
        assert_eq!(now, then);
        let after = fs::metadata(dir).unwrap();
        assert_eq!((after.mtime(), after.mtime_nsec()), (meta.mtime(), meta.mtime_nsec()));
    }
    assert_eq!(fs::metadata(tree.join("one")).unwrap().nlink(), 2);
    assert_eq!(fs::read(tree.join("a/three")).unwrap(), b"three");
    assert!(names(&aside).is_empty());
}
