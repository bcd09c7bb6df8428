//! Checks beside commands that change what is looked at.

use std::thread;
use std::time::{Duration, SystemTime};

use super::*;
use crate::store::tests::{container, image, open, scratch};
use crate::store::{LayerRecord, Work};

const PLAIN: CheckOptions = CheckOptions { deep: false, repair: false };
const REPAIR: CheckOptions = CheckOptions { deep: false, repair: true };
/// As long as a check of a store with next to nothing in it takes at the most.
const A_CHECK: Duration = Duration::from_millis(300);

#[test]
fn a_container_that_is_being_changed_is_not_removed() {
    let (dir, store) = scratch();
    container(&store, "c");
    let mut guard = store.hold_container("c").unwrap();
    // As an undo and a prune leave it to who has read the record before.
    guard.record.frozen.push(TreeId::new());
    guard.save().unwrap();
    assert_eq!(store.check(PLAIN).unwrap().findings.len(), 1, "who holds it keeps no plain check waiting");
    let mending = open(&dir);
    let mending = thread::spawn(move || mending.check(REPAIR).unwrap().findings);
    thread::sleep(A_CHECK);
    guard.record.frozen.clear();
    guard.save().unwrap();
    drop(guard);
    assert_eq!(mending.join().unwrap(), []);
    assert!(store.find_container("c").is_ok());
}

#[test]
fn an_image_that_is_removed_meanwhile_is_not_damaged() {
    let (dir, store) = scratch();
    let id = image(&store, "a", &["a"]);
    let table = fs::read(store.root.join("images/index.json")).unwrap();
    let lock = lock::wait(&store.root.join("locks/images"), Mode::Exclusive).unwrap();
    fs::remove_file(store.blob_path(id)).unwrap();
    let checking = open(&dir);
    let checking = thread::spawn(move || checking.check(PLAIN).unwrap().findings);
    thread::sleep(A_CHECK);
    let empty = serde_json::to_vec(&Index::default()).unwrap();
    durable::write(&store.root.join("images/index.json"), &empty).unwrap();
    drop(lock);
    assert_eq!(checking.join().unwrap(), []);
    durable::write(&store.root.join("images/index.json"), &table).unwrap();
    assert_eq!(store.check(PLAIN).unwrap().findings.len(), 1);
}

/// A tree of directories that are the same in every such tree; before them comes a file that takes a while to be read.
fn alike(store: &Store, work: &Work, first: usize) -> TreeId {
    let dir = work.dir().join("making");
    fs::create_dir_all(dir.join("fs/later")).unwrap();
    fs::write(dir.join("fs/first"), vec![0; first]).unwrap();
    for number in 0..300 {
        let empty = dir.join("fs/later").join(number.to_string());
        fs::create_dir(&empty).unwrap();
        fs::File::open(&empty).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    store.publish_tree(work, &dir, &LayerRecord::default()).unwrap()
}

#[test]
fn a_tree_is_not_damaged_because_what_is_below_goes_meanwhile() {
    let (dir, store) = scratch();
    let work = store.work().unwrap();
    let diff_id = Digest::of(b"lower");
    let upper = alike(&store, &work, 32 << 20);
    for round in 0..12 {
        let passing = store.work().unwrap();
        let lower = alike(&store, &passing, 0);
        store.note_layer(diff_id, None, &lower).unwrap();
        let layer = TreeLayer { parts: vec![upper.clone()], below: vec![diff_id] };
        let export = layer.write(&store, Times::Keep, &mut io::sink()).unwrap();
        store.update_tree(&upper, |record| record.exports = vec![export]).unwrap();
        drop(passing);
        let pruning = open(&dir);
        let pruning = thread::spawn(move || {
            thread::sleep(Duration::from_millis(5 * round));
            pruning.gc().unwrap()
        });
        let found = store.check(CheckOptions { deep: true, repair: false }).unwrap().findings;
        assert_eq!(pruning.join().unwrap().trees, 1);
        assert_eq!(found, []);
    }
}
