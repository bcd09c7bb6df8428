//! What is read again and what is not.

use std::fs;
use std::path::Path;

use super::*;
use crate::tree::fingerprint::Inputs;
use crate::tree::{self, Root};

const HOUR: i64 = 3_600_000_000_000;

/// What the clock says, nanoseconds since the epoch.
fn now() -> i64 {
    crate::builder::now_nanoseconds()
}

/// Looks at all of `dir`, `late` nanoseconds from now: the digest, and the table if one is to be kept.
fn look(dir: &Path, table: &[u8], late: i64) -> (crate::oci::Digest, Option<Vec<u8>>) {
    let root = Root::open_host(dir).unwrap();
    let mut inputs = Inputs::new(Known::new(table.to_vec(), now() + late));
    for entry in tree::walk_lazily(&root) {
        let entry = entry.unwrap();
        let shown = entry.path.clone();
        inputs.add(entry, &shown).unwrap();
    }
    let (digest, _, table) = inputs.finish();
    (digest, table)
}

fn scratch() -> tempfile::TempDir {
    let dir = tempfile::tempdir_in("/dev/shm").unwrap();
    fs::create_dir(dir.path().join("d")).unwrap();
    fs::write(dir.path().join("d/a"), "a").unwrap();
    fs::write(dir.path().join("b"), "").unwrap();
    dir
}

#[test]
fn what_is_young_is_not_kept() {
    let dir = scratch();
    let (digest, table) = look(dir.path(), &[], 0);
    assert_eq!(table, None);
    let (later, table) = look(dir.path(), &[], HOUR);
    assert_eq!(later, digest);
    assert_eq!(table.unwrap().len(), 2 * RECORD + 32);
}

#[test]
fn what_is_known_is_not_read_and_gives_the_same() {
    let dir = scratch();
    let (digest, table) = look(dir.path(), &[], HOUR);
    let mut table = table.unwrap();
    assert_eq!(look(dir.path(), &table, HOUR), (digest, None));
    // A table that lies is believed, which shows that nothing was read; one that is damaged is not.
    let length = table.len() - 32;
    table[Stamp::LENGTH] ^= 1;
    assert_eq!(look(dir.path(), &table, HOUR).0, digest);
    let whole = *blake3::hash(&table[..length]).as_bytes();
    table[length..].copy_from_slice(&whole);
    assert_ne!(look(dir.path(), &table, HOUR).0, digest);
    for cut in [1, RECORD, table.len() - 1] {
        assert_eq!(look(dir.path(), &table[..cut], HOUR).0, digest);
    }
}

/// A change by its name.
type Change = (&'static str, fn(&Path));

#[test]
fn any_change_is_read() {
    use std::os::unix::fs::PermissionsExt;
    let changes: [Change; 6] = [
        ("content of the same length and time", |dir| {
            let before = fs::metadata(dir.join("d/a")).unwrap().modified().unwrap();
            fs::write(dir.join("d/a"), "b").unwrap();
            fs::File::open(dir.join("d/a")).unwrap().set_modified(before).unwrap();
        }),
        ("mode", |dir| fs::set_permissions(dir.join("d/a"), PermissionsExt::from_mode(0o600)).unwrap()),
        ("attribute", |dir| {
            rustix::fs::setxattr(dir.join("b"), "user.a", b"b", rustix::fs::XattrFlags::empty()).unwrap();
        }),
        ("name", |dir| fs::rename(dir.join("b"), dir.join("c")).unwrap()),
        ("another file under the name", |dir| {
            fs::write(dir.join("new"), "x").unwrap();
            fs::rename(dir.join("new"), dir.join("d/a")).unwrap();
        }),
        ("a link for a file", |dir| {
            fs::remove_file(dir.join("b")).unwrap();
            std::os::unix::fs::symlink("d/a", dir.join("b")).unwrap();
        }),
    ];
    for (what, change) in changes {
        let dir = scratch();
        let (digest, table) = look(dir.path(), &[], HOUR);
        let table = table.unwrap();
        change(dir.path());
        let (with, _) = look(dir.path(), &table, HOUR);
        let (without, _) = look(dir.path(), &[], HOUR);
        assert_eq!(with, without, "{what}");
        if what == "attribute" && !has_attribute(dir.path()) {
            continue;
        }
        assert_ne!(with, digest, "{what}");
    }
}

/// Whether this file system keeps `user.*` attributes; tmpfs does since Linux 6.6.
fn has_attribute(dir: &Path) -> bool {
    let mut value = [0; 8];
    rustix::fs::getxattr(dir.join("b"), "user.a", &mut value).is_ok()
}

#[test]
fn a_touched_file_is_the_same() {
    let dir = scratch();
    let (digest, table) = look(dir.path(), &[], HOUR);
    fs::File::open(dir.path().join("d/a")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(look(dir.path(), &table.unwrap(), HOUR).0, digest);
}

mod random {
    use proptest::prelude::*;

    use super::*;

    /// A tree as a list of paths with what is there.
    fn trees() -> impl Strategy<Value = Vec<(String, u8)>> {
        proptest::collection::vec(("[ab]{1,2}(/[ab]{1,2}){0,2}", 0..6_u8), 0..8)
    }

    /// Makes it; what does not fit is left out. Returns what came of it, in words of its own.
    fn make(dir: &Path, tree: &[(String, u8)]) -> Vec<String> {
        use std::os::unix::fs::PermissionsExt;
        for (path, what) in tree {
            let path = dir.join(path);
            let _ = fs::create_dir_all(path.parent().unwrap());
            let _ = match what {
                0 => fs::create_dir(&path),
                1 => fs::write(&path, "one"),
                2 => fs::write(&path, "two"),
                3 => std::os::unix::fs::symlink("one", &path),
                4 => fs::write(&path, "one")
                    .and_then(|()| fs::set_permissions(&path, PermissionsExt::from_mode(0o755))),
                _ => std::os::unix::fs::symlink("two", &path),
            };
        }
        let mut words = Vec::new();
        let mut todo = vec![dir.to_path_buf()];
        while let Some(here) = todo.pop() {
            for item in fs::read_dir(&here).unwrap().flatten() {
                let path = item.path();
                let meta = fs::symlink_metadata(&path).unwrap();
                let name = path.strip_prefix(dir).unwrap().display().to_string();
                let what = if meta.is_dir() {
                    todo.push(path);
                    "directory".to_owned()
                } else if meta.is_symlink() {
                    format!("to {}", fs::read_link(&path).unwrap().display())
                } else {
                    format!("{:o} {}", meta.permissions().mode(), fs::read_to_string(&path).unwrap())
                };
                words.push(format!("{name}: {what}"));
            }
        }
        words.sort();
        words
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Two trees have the same digest if, and only if, they are the same.
        #[test]
        fn distinct_trees_never_share_a_digest(one in trees(), other in trees()) {
            let dirs = [tempfile::tempdir_in("/dev/shm").unwrap(), tempfile::tempdir_in("/dev/shm").unwrap()];
            let words = [make(dirs[0].path(), &one), make(dirs[1].path(), &other)];
            let (first, table) = look(dirs[0].path(), &[], HOUR);
            let (second, _) = look(dirs[1].path(), &[], HOUR);
            prop_assert_eq!(words[0] == words[1], first == second, "{:?}", words);
            prop_assert_eq!(look(dirs[0].path(), &table.unwrap_or_default(), HOUR).0, first);
        }
    }
}
