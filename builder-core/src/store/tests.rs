//! The store by itself: no privileges, no mounts, every test in a directory of its own.

use std::fs;

use super::containers::{Base, NewContainer};
use super::*;
use crate::name::Reference;
use crate::oci::{Descriptor, Digest, ImageConfig, Manifest, media_type};

fn settings(dir: &tempfile::TempDir) -> Settings {
    Settings { root: dir.path().join("store"), ..Settings::default() }
}

pub(super) fn open(dir: &tempfile::TempDir) -> Store {
    Store::open(&settings(dir), Marks::User).unwrap()
}

pub(super) fn scratch() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    (dir, store)
}

/// Publishes an image without layers that differs from others by `author`.
pub(super) fn image(store: &Store, author: &str, names: &[&str]) -> Digest {
    let config = ImageConfig { author: author.into(), ..ImageConfig::scratch() }.to_bytes();
    let manifest = Manifest {
        schema_version: 2,
        media_type: media_type::MANIFEST.into(),
        config: Descriptor::of(media_type::CONFIG, &config),
        layers: Vec::new(),
        annotations: Default::default(),
        other: Default::default(),
    };
    let names: Vec<String> =
        names.iter().map(|name| name.parse::<Reference>().unwrap().to_string()).collect();
    store
        .publish_image(&store.work().unwrap(), &config, &manifest.to_bytes(), media_type::MANIFEST, &names)
        .unwrap()
}

pub(super) fn container(store: &Store, name: &str) -> ContainerRecord {
    store.make_container(&store.work().unwrap(), new_container(name, false, None)).unwrap()
}

pub(super) fn new_container(name: &str, exact: bool, base: Option<Base>) -> NewContainer {
    NewContainer { name: name.into(), exact, base, ..NewContainer::default() }
}

/// A tree with one file, published.
pub(super) fn tree(store: &Store, work: &Work) -> TreeId {
    let dir = work.dir().join("making");
    fs::create_dir_all(dir.join("fs")).unwrap();
    fs::write(dir.join("fs/file"), "x").unwrap();
    store.publish_tree(work, &dir, &LayerRecord::default()).unwrap()
}

#[test]
fn a_store_of_another_form_or_a_newer_format_is_refused() {
    let (dir, _store) = scratch();
    let other = Store::open(&settings(&dir), Marks::Trusted).unwrap_err();
    assert!(other.hint_text().unwrap().contains("--root"));
    fs::write(dir.path().join("store/version"), r#"{"format":2,"trees":"user"}"#).unwrap();
    assert_eq!(Store::open(&settings(&dir), Marks::User).unwrap_err().kind(), Kind::Unsupported);
    fs::write(dir.path().join("store/version"), "garbage").unwrap();
    assert_eq!(Store::open(&settings(&dir), Marks::User).unwrap_err().kind(), Kind::Corrupt);
}

#[test]
fn containers_are_named_by_the_first_free_number() {
    let (_dir, store) = scratch();
    let names: Vec<String> = (0..3).map(|_| container(&store, "web").name).collect();
    assert_eq!(names, ["web", "web-1", "web-2"]);
    let taken = store.make_container(&store.work().unwrap(), new_container("web-1", true, None)).unwrap_err();
    assert_eq!(taken.kind(), Kind::Exists);
    let guard = store.hold_container("web-1").unwrap();
    store.remove_container(&guard).unwrap();
    assert_eq!(container(&store, "web").name, "web-1");
    for bad in ["", "../x", "a/b", "-a", ".a", "a b", "a\n"] {
        assert!(store.free_name(bad, true).is_err(), "`{bad}` was taken");
    }
}

#[test]
fn a_container_is_found_by_name_id_and_beginning() {
    let (_dir, store) = scratch();
    let made = container(&store, "one");
    assert_eq!(store.find_container("one").unwrap().id, made.id);
    assert_eq!(store.find_container(&made.id).unwrap().name, "one");
    assert_eq!(store.find_container(&made.id[..12]).unwrap().name, "one");
    for unknown in ["two", "", "../one", &"0".repeat(64)] {
        assert_eq!(store.find_container(unknown).unwrap_err().kind(), Kind::NotFound, "`{unknown}`");
    }
    // Sixteen more ids share their first digit with each other at least once.
    (0..16).for_each(|_| drop(container(&store, "more")));
    let ids: Vec<String> = store.containers().unwrap().into_iter().map(|container| container.id).collect();
    let shared = ids
        .iter()
        .map(|id| &id[..1])
        .find(|digit| ids.iter().filter(|id| id.starts_with(*digit)).count() > 1);
    assert_eq!(store.find_container(shared.unwrap()).unwrap_err().kind(), Kind::Invalid);
}

#[test]
fn a_renamed_container_frees_its_old_name() {
    let (_dir, store) = scratch();
    container(&store, "old");
    let mut guard = store.hold_container("old").unwrap();
    store.rename_container(&mut guard, "new").unwrap();
    drop(guard);
    assert_eq!(store.find_container("old").unwrap_err().kind(), Kind::NotFound);
    assert_eq!(store.find_container("new").unwrap().name, "new");
    assert_eq!(container(&store, "old").name, "old");
}

#[test]
fn a_name_pointer_that_its_container_does_not_confirm_says_nothing() {
    let (_dir, store) = scratch();
    let made = container(&store, "real");
    fs::write(store.root.join("names/ghost"), &made.id).unwrap();
    assert_eq!(store.find_container("ghost").unwrap_err().kind(), Kind::NotFound);
    fs::remove_file(store.root.join("names/real")).unwrap();
    assert_eq!(store.find_container("real").unwrap().id, made.id);
}

#[test]
fn a_name_moves_to_the_newest_image_and_leaves_the_other_unnamed() {
    let (_dir, store) = scratch();
    let first = image(&store, "a", &["hello"]);
    let second = image(&store, "b", &["hello", "host.example/team/hello:2"]);
    assert_eq!(store.find_image("hello").unwrap().id, second);
    assert_eq!(store.find_image(&first.hex()[..12]).unwrap().names, Vec::<String>::new());
    assert_eq!(store.find_image("team/hello:2").unwrap().id, second);
    assert_eq!(store.find_image("host.example/team/hello:2").unwrap().id, second);
    for unknown in ["hell", "ello:2", "other.example/team/hello:2", "hello:3", ""] {
        assert!(store.find_image(unknown).is_err(), "`{unknown}` was found");
    }
    store.add_names(&store.find_image(&first.hex()).unwrap(), &["hello".parse().unwrap()]).unwrap();
    assert_eq!(store.find_image("hello").unwrap().id, first);
    assert_eq!(store.find_image(&second.hex()).unwrap().names, ["host.example/team/hello:2"]);
}

#[test]
fn gc_takes_what_nothing_names_and_leaves_what_a_lease_names() {
    let (_dir, store) = scratch();
    let kept = image(&store, "kept", &["kept"]);
    let gone = image(&store, "gone", &["gone"]);
    let work = store.work().unwrap();
    let leased = tree(&store, &work);
    store.remove_image(gone, |_| true).unwrap();
    let taken = store.gc().unwrap();
    assert_eq!((taken.blobs, taken.trees), (2, 0));
    assert!(store.has_tree(&leased) && store.has_blob(kept) && !store.has_blob(gone));
    drop(work);
    assert_eq!(store.gc().unwrap().trees, 1);
    assert!(!store.has_tree(&leased));
}

#[test]
fn gc_leaves_what_a_container_is_based_on_though_its_image_is_gone() {
    let (_dir, store) = scratch();
    let id = image(&store, "base", &["base"]);
    let manifest = store.find_image("base").unwrap().manifest.digest;
    let base = Base { name: "base".into(), id, manifest, layers: Vec::new() };
    store.make_container(&store.work().unwrap(), new_container("c", true, Some(base))).unwrap();
    store.remove_image(id, |_| true).unwrap();
    store.gc().unwrap();
    assert!(store.has_blob(manifest) && store.has_blob(id));
}

#[test]
fn the_work_of_the_dead_is_swept_and_that_of_the_living_is_not() {
    let (_dir, store) = scratch();
    let living = store.work().unwrap();
    let dead = store.root.join("tmp/dead");
    fs::create_dir(&dead).unwrap();
    fs::write(dead.join("lock"), "").unwrap();
    fs::write(dead.join("half"), "x").unwrap();
    fs::create_dir(store.root.join("tmp/killed-before-it-was-locked")).unwrap();
    assert_eq!(store.sweep().unwrap(), 2);
    assert!(living.dir().exists() && !dead.exists());
    // Also by whoever begins something.
    fs::create_dir(&dead).unwrap();
    fs::write(dead.join("lock"), "").unwrap();
    let another = store.work().unwrap();
    assert!(living.dir().exists() && another.dir().exists() && !dead.exists());
}

#[test]
fn small_blobs_are_leased_and_their_unfinished_form_is_the_owners() {
    let (_dir, store) = scratch();
    let work = store.work().unwrap();
    let blob = store.put_blob(&work, b"config").unwrap();
    store.gc().unwrap();
    assert!(store.has_blob(blob));
    drop(work);
    assert_eq!(store.gc().unwrap().blobs, 1);
}

#[test]
fn gc_leaves_the_files_that_others_are_about_to_rename_and_takes_those_of_the_dead() {
    let (_dir, store) = scratch();
    let [young, old] = ["cache/diff/.young", "names/.old"].map(|name| store.root.join(name));
    fs::write(&young, "").unwrap();
    let file = fs::File::create(&old).unwrap();
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(120)).unwrap();
    store.gc().unwrap();
    assert!(young.exists() && !old.exists());
}

#[test]
fn gc_takes_the_locks_that_the_dead_left_and_no_others() {
    let (_dir, store) = scratch();
    let path = |name: &str| store.root.join("locks").join(name);
    for dead in ["step-1", "layer-1", "session-1", "cache-1"] {
        fs::write(path(dead), "").unwrap();
    }
    let _living = lock::wait(&path("step-2"), Mode::Exclusive).unwrap();
    let _session = lock::wait(&path("session-2"), Mode::Shared).unwrap();
    store.gc().unwrap();
    let left = fs::read_dir(store.root.join("locks")).unwrap().flatten();
    let mut left: Vec<_> = left.filter_map(|item| item.file_name().into_string().ok()).collect();
    left.retain(|name| name.contains('-'));
    left.sort();
    assert_eq!(left, ["session-2", "step-2"]);
    assert!(path("images").exists());
}

#[test]
fn a_pointer_is_not_written_while_a_prune_takes_the_dead_one() {
    let (dir, store) = scratch();
    let work = store.work().unwrap();
    let (diff_id, parts) = (Digest::of(b"layer"), [TreeId::new()]);
    let living = tree(&store, &work);
    store.note_layer(diff_id, None, &TreeId::new()).unwrap();
    store.note_fold(&parts, &TreeId::new()).unwrap();
    std::thread::scope(|scope| {
        // As `gc` has read that both are dead, and is about to remove them.
        let alone = store.lock(Mode::Exclusive).unwrap();
        scope.spawn(|| open(&dir).note_layer(diff_id, None, &living).unwrap());
        scope.spawn(|| open(&dir).note_fold(&parts, &living).unwrap());
        std::thread::sleep(std::time::Duration::from_millis(300));
        for pointers in ["cache/diff", "cache/folds"] {
            let pointers = fs::read_dir(store.root.join(pointers)).unwrap().flatten();
            pointers.for_each(|pointer| fs::remove_file(pointer.path()).unwrap());
        }
        drop(alone);
    });
    assert_eq!(store.layer_tree(&[diff_id]), Some(living.clone()));
    assert_eq!(store.fold(&parts), Some(living));
}

#[test]
fn a_container_keeps_its_name_until_it_is_gone() {
    let (_dir, store) = scratch();
    container(&store, "c");
    let guard = store.hold_container("c").unwrap();
    // The removal fails at its last step but one, as if it were cut there.
    fs::remove_dir(store.root.join("trash")).unwrap();
    assert!(store.remove_container(&guard).is_err());
    assert_eq!(store.free_name("c", true).unwrap_err().kind(), Kind::Exists);
}

#[test]
fn a_freeze_that_was_cut_short_is_finished_or_forgotten() {
    let (_dir, store) = scratch();
    container(&store, "c");
    // Cut before the rename: the upper is still the container's.
    let mut guard = store.hold_container("c").unwrap();
    fs::write(guard.upper().join("file"), "1").unwrap();
    fs::write(guard.dir().join("upper/meta.json"), "{}").unwrap();
    let never = TreeId::new();
    guard.record.pending = Some(never.clone());
    guard.save().unwrap();
    drop(guard);
    let mut guard = store.hold_container("c").unwrap();
    assert!(guard.record.pending.is_none() && guard.record.frozen.is_empty());
    assert!(guard.upper().join("file").exists());
    // Cut right after the rename: the tree is there, the container has no upper yet.
    let tree = TreeId::new();
    guard.record.pending = Some(tree.clone());
    guard.save().unwrap();
    fs::rename(guard.dir().join("upper"), store.tree_dir(&tree)).unwrap();
    drop(guard);
    let mut guard = store.hold_container("c").unwrap();
    assert_eq!(guard.record.frozen, std::slice::from_ref(&tree));
    assert!(store.tree_fs(&tree).join("file").exists());
    assert_eq!(fs::read_dir(guard.upper()).unwrap().count(), 0);
    // Cut after the fresh upper was made, before that was written down.
    guard.record.pending = guard.record.frozen.pop();
    guard.save().unwrap();
    drop(guard);
    let guard = store.hold_container("c").unwrap();
    assert_eq!(guard.record.frozen, std::slice::from_ref(&tree));
    assert!(guard.upper().exists());
}

#[test]
fn freezing_an_untouched_container_makes_no_tree() {
    let (_dir, store) = scratch();
    container(&store, "c");
    let work = store.work().unwrap();
    let mut guard = store.hold_container("c").unwrap();
    assert_eq!(store.freeze(&work, &mut guard).unwrap(), None);
    fs::create_dir(guard.upper().join("d")).unwrap();
    let tree = store.freeze(&work, &mut guard).unwrap().unwrap();
    assert_eq!(store.freeze(&work, &mut guard).unwrap(), None);
    assert_eq!(guard.record.frozen, [tree]);
    // Another mode of the top directory is a change as well.
    let other = std::os::unix::fs::PermissionsExt::from_mode(0o711);
    fs::set_permissions(guard.upper(), other).unwrap();
    assert!(store.freeze(&work, &mut guard).unwrap().is_some());
    assert_eq!(store.freeze(&work, &mut guard).unwrap(), None);
}

#[test]
fn a_tree_that_is_being_frozen_is_leased_before_it_has_a_name() {
    let (_dir, store) = scratch();
    container(&store, "c");
    let work = store.work().unwrap();
    let mut guard = store.hold_container("c").unwrap();
    fs::create_dir(guard.upper().join("d")).unwrap();
    let tree = store.freeze(&work, &mut guard).unwrap().unwrap();
    // As a prune sees it that read the record before the freeze.
    guard.record.frozen.clear();
    guard.save().unwrap();
    store.gc().unwrap();
    assert!(store.has_tree(&tree));
}

#[test]
fn the_trash_is_emptied_by_many_at_once() {
    let (dir, store) = scratch();
    let deep = store.root.join("trash/tree").join(["d"; 20].join("/"));
    fs::create_dir_all(&deep).unwrap();
    for number in 0..200 {
        fs::create_dir(store.root.join(format!("trash/tree/d/{number}"))).unwrap();
        fs::write(deep.join(number.to_string()), "").unwrap();
    }
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| open(&dir)).collect();
        let all: Vec<_> = all.into_iter().map(|store| scope.spawn(move || store.empty_trash())).collect();
        all.into_iter().for_each(|one| one.join().unwrap().unwrap());
    });
    assert_eq!(fs::read_dir(store.root.join("trash")).unwrap().count(), 0);
}

#[test]
fn a_held_image_stays_until_its_holder_is_done() {
    let (_dir, store) = scratch();
    let id = image(&store, "a", &["a"]);
    let work = store.work().unwrap();
    let held = store.hold_image(&work, "a").unwrap();
    store.remove_image(id, |_| true).unwrap();
    store.gc().unwrap();
    assert!(store.has_blob(id) && store.has_blob(held.entry.manifest.digest));
    assert_eq!(store.hold_image(&work, "a").unwrap_err().kind(), Kind::NotFound);
    drop(work);
    store.gc().unwrap();
    assert!(!store.has_blob(id));
}

#[test]
fn check_finds_damage_and_repair_leaves_none() {
    let (_dir, store) = scratch();
    let id = image(&store, "a", &["a"]);
    image(&store, "b", &["b"]);
    assert_eq!(store.check(CheckOptions::default()).unwrap().findings, []);
    fs::write(store.blob_path(id), "damaged").unwrap();
    let found = store.check(CheckOptions::default()).unwrap().findings;
    assert_eq!((found.len(), found[0].repaired), (1, false));
    assert!(found[0].what.contains("localhost/a:latest"), "{}", found[0].what);
    let repair = CheckOptions { deep: true, repair: true };
    assert!(store.check(repair).unwrap().findings.iter().all(|finding| finding.repaired));
    assert_eq!(store.check(CheckOptions { deep: true, repair: false }).unwrap().findings, []);
    assert!(store.find_image("a").is_err() && store.find_image("b").is_ok());
}

#[test]
fn a_lost_tag_table_is_made_again_without_names() {
    let (_dir, store) = scratch();
    let id = image(&store, "a", &["a"]);
    fs::write(store.root.join("images/index.json"), "{").unwrap();
    assert_eq!(store.find_image("a").unwrap_err().kind(), Kind::Corrupt);
    store.check(CheckOptions { deep: false, repair: true }).unwrap();
    assert_eq!(store.find_image(&id.hex()).unwrap().names, Vec::<String>::new());
    assert_eq!(store.check(CheckOptions::default()).unwrap().findings, []);
}

#[test]
fn many_writers_of_the_tag_table_lose_nothing() {
    let (dir, store) = scratch();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let store = open(&dir);
            scope.spawn(move || {
                for number in 0..10 {
                    image(&store, &format!("{writer}-{number}"), &[&format!("image-{writer}:{number}")]);
                }
            });
        }
    });
    assert_eq!(store.image_entries().unwrap().len(), 40);
}

#[test]
fn chain_ids_are_those_of_the_specification() {
    let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
    assert_eq!(layers::chain_id(&[]), None);
    assert_eq!(layers::chain_id(&[a]), Some(a));
    assert_eq!(layers::chain_id(&[a, b]), Some(Digest::of(format!("{a} {b}").as_bytes())));
}

#[test]
fn a_loan_outlives_a_process_only_without_its_container() {
    let (_dir, store) = scratch();
    let id = "1".repeat(64);
    let loan = store.begin_loan(&id, Path::new("/storage")).unwrap();
    assert_eq!(store.dead_loans().unwrap().len(), 0, "its maker lives");
    drop(loan);
    let dead = store.dead_loans().unwrap();
    assert_eq!((dead.len(), &dead[0].id, dead[0].storage.as_deref()), (1, &id, Some(Path::new("/storage"))));
    drop(dead);
    fs::write(store.root.join("loans/2"), "").unwrap();
    let container = store.container_dir(&id);
    fs::create_dir(&container).unwrap();
    let dead = store.dead_loans().unwrap();
    assert_eq!((dead.len(), dead[0].storage.as_deref()), (1, None), "of the other nobody was told");
    dead.into_iter().for_each(|loan| loan.end().unwrap());
    assert_eq!(fs::read_dir(store.root.join("loans")).unwrap().count(), 0);
}
