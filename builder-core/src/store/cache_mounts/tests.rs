//! Tests of who gets which copy of a cache.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use super::*;
use crate::settings::Settings;
use crate::store::Keep;
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

#[test]
fn a_cache_is_not_given_up_under_who_takes_it() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { root: dir.path().join("store"), ..Settings::default() };
    let open = || Store::open(&settings, Marks::Trusted).unwrap();
    let all = Keep { since: Some(SystemTime::now() + Duration::from_secs(3600)), max_size: None };
    std::thread::scope(|scope| {
        let takers = [CacheUse::Locked, CacheUse::Locked, CacheUse::Private].map(|how| {
            let store = open();
            scope.spawn(move || {
                let work = store.work().unwrap();
                for _ in 0..100 {
                    let cache = store.cache_mount(&work, "k1", how, &|_| Ok(())).unwrap();
                    std::thread::sleep(Duration::from_micros(500));
                    assert!(cache.path.exists(), "a cache in use was given up");
                    drop(cache);
                    std::thread::sleep(Duration::from_micros(500));
                }
            })
        });
        let store = open();
        while takers.iter().any(|taker| !taker.is_finished()) {
            store.shrink(all).unwrap();
        }
    });
    open().shrink(all).unwrap();
    let left = fs::read_dir(settings.root.join("cache-mounts")).unwrap();
    assert_eq!(left.count(), 0, "nobody uses it");
}
