//! Tests of options that contradict each other, and of giving away a tree.

use std::os::unix::fs::{MetadataExt, symlink};

use super::*;
use crate::testing::require_root;

#[test]
fn options_do_not_contradict_each_other() {
    let mut options = MountOptions::default();
    for word in ["nosuid", "Z", "rslave", "nosuid"] {
        assert_eq!(options.add(word), Ok(()), "{word}");
    }
    assert_eq!(options.add("suid"), Err(Refused::Contradicts));
    assert_eq!(options.add("z"), Err(Refused::Contradicts));
    assert_eq!(options.add("lowerdir=/"), Err(Refused::Unknown));
    assert_eq!(options.iter().collect::<Vec<_>>(), ["Z", "nosuid", "rslave"]);
}

#[test]
fn a_tree_is_given_away_without_following_links() {
    if !require_root("a_tree_is_given_away_without_following_links") {
        return;
    }
    let (dir, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir_all(dir.path().join("a/b/c")).unwrap();
    std::fs::write(dir.path().join("a/b/c/file"), "").unwrap();
    symlink(outside.path(), dir.path().join("a/link")).unwrap();
    let top = rustix::fs::open(dir.path(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
    give(top.as_fd(), (12, 34)).unwrap();
    for path in ["", "a", "a/b/c", "a/b/c/file", "a/link"] {
        let stat = std::fs::symlink_metadata(dir.path().join(path)).unwrap();
        assert_eq!((stat.uid(), stat.gid()), (12, 34), "{path}");
    }
    assert_eq!(std::fs::metadata(outside.path()).unwrap().uid(), 0);
}
