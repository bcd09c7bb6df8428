//! Notes of what is not on the disk yet, beside who settles them.

use super::*;
use crate::store::tests::{open, scratch};

#[test]
fn a_note_is_whole_whenever_it_is_read() {
    let (dir, store) = scratch();
    let blob = Digest::of(b"blob");
    let path = store.root.join("unsynced").join(blob.hex());
    store.note_unsynced_blob(blob).unwrap();
    let another = open(&dir);
    std::thread::scope(|scope| {
        let noting = scope.spawn(move || (0..300).for_each(|_| another.note_unsynced_blob(blob).unwrap()));
        while !noting.is_finished() {
            assert_eq!(fs::read_to_string(&path).unwrap(), boot_id());
        }
    });
}

#[test]
fn a_note_that_was_written_anew_meanwhile_stays() {
    let (_dir, store) = scratch();
    let blob = Digest::of(b"blob");
    let path = store.root.join("unsynced").join(blob.hex());
    let long_ago = || {
        store.note_unsynced_blob(blob).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    };
    long_ago();
    let due = store.due().unwrap();
    assert_eq!(due.len(), 1);
    store.note_unsynced_blob(blob).unwrap();
    store.settle_those(&due).unwrap();
    assert!(path.exists(), "what was written after the sync has no note");
    long_ago();
    store.settle().unwrap();
    assert!(!path.exists());
}
