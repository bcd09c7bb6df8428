//! Tests of who gets which copy of a cache.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::settings::Settings;
use crate::tree::Marks;

#[test]
fn copies_are_shared_alone_or_ones_own() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { root: dir.path().join("store"), ..Settings::default() };
    let store = Store::open(&settings, Marks::Trusted).unwrap();
    let work = store.work().unwrap();
    let filled = AtomicUsize::new(0);
    let fill = |made: &Path| -> Result<()> {
        filled.fetch_add(1, Ordering::SeqCst);
        fs::write(made.join("first"), "x").cannot("write", "first")
    };
    let take = |id, how| store.cache_mount(&work, id, how, &fill).unwrap();
    let first = take("/a/b", CacheUse::Shared);
    let second = take("/a/b", CacheUse::Shared);
    assert_eq!(first.path, second.path);
    assert!(first.path.join("first").exists());
    let own = take("/a/b", CacheUse::Private);
    assert_ne!(own.path, first.path);
    assert_eq!(filled.load(Ordering::SeqCst), 2);
    let path = first.path.clone();
    drop((first, second, own));
    assert_eq!(take("/a/b", CacheUse::Private).path, path, "one that is free is taken");
    assert_eq!(take("/a/b", CacheUse::Locked).path, path);
    assert_ne!(take("/a/c", CacheUse::Shared).path, path);
    assert!(path.starts_with(store.root().join("cache-mounts")));
    assert_eq!(fs::read_to_string(path.parent().unwrap().join("id")).unwrap(), "/a/b");
}
