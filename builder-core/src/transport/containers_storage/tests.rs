//! What can be said of a storage without the programs that share it; with them, see the stories.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use serde_json::json;

use super::lock;
use super::place::Kept;
use super::publish::{add_texts, take_names};
use super::tables::Table;
use super::*;
use crate::error::Kind;
use crate::event::Silent;
use crate::name::StorageSpec;
use crate::oci::Digest;
use crate::tree::{Devices, Marks, Options};

fn storage(dir: &tempfile::TempDir) -> Storage {
    let spec = StorageSpec { root: Some(dir.path().to_owned()), ..StorageSpec::default() };
    let machine = MachineStorage { patience: Duration::from_millis(50), ..MachineStorage::default() };
    let storage = Storage::open(&machine, Some(&spec)).unwrap();
    storage.make().unwrap();
    storage
}

fn put(storage: &Storage, images: &serde_json::Value) {
    fs::write(storage.table_path(storage.root(), Kept::Images), images.to_string()).unwrap();
}

#[test]
fn ids_of_layers_are_those_of_the_field() {
    let diff = |digits: &str| Digest::from_hex(digits).unwrap();
    let ids = layers::ids(&[
        diff("d7e97bbe10073f731cd06719a162f0c7a9a4a7ad6329d4c4adc35de2e1014cdf"),
        diff("56f96bda5c449310baeb98eb95f6fa9bf6a76ab2570a7e592f7d1a9271de4293"),
    ]);
    // As Buildah 1.28 wrote them for two layers with these diff ids.
    assert_eq!(ids[0], "d7e97bbe10073f731cd06719a162f0c7a9a4a7ad6329d4c4adc35de2e1014cdf");
    assert_eq!(ids[1], "d86801d1275560be8a24d50d16da18d09abaed1c1c9da066778f51b1408daa87");
    let link = layers::link_name();
    assert!(
        link.len() == 26 && link.bytes().all(|byte| b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".contains(&byte)),
        "{link}"
    );
    assert_ne!(link, layers::link_name());
}

#[test]
fn files_have_the_names_of_the_field() {
    assert_eq!(files::file_name("manifest"), "manifest");
    // As Buildah 1.28 wrote them.
    assert_eq!(
        files::file_name("sha256:c456eb48cca9981fcfbb29568ea7220d307587b8dfd63a503c27e7befb685f2a"),
        "=c2hhMjU2OmM0NTZlYjQ4Y2NhOTk4MWZjZmJiMjk1NjhlYTcyMjBkMzA3NTg3YjhkZmQ2M2E1MDNjMjdlN2JlZmI2ODVmMmE="
    );
    assert!(files::file_name("signature-01").starts_with('='));
    assert!(files::file_name("../x").starts_with('='));
}

#[test]
fn images_are_found_by_what_people_type() {
    let dir = tempfile::tempdir().unwrap();
    let storage = storage(&dir);
    let (one, two) = ("1".repeat(64), format!("12{}", "3".repeat(62)));
    let digest = Digest::of(b"manifest");
    put(
        &storage,
        &json!([
            { "id": one, "names": ["localhost/a:latest", "registry.example/team/b:1"], "digest": digest.to_string() },
            { "id": two, "names": null },
        ]),
    );
    for text in
        ["a", "localhost/a", "a:latest", "b:1", "team/b:1", "registry.example/team/b:1", "111", "@111"]
    {
        assert_eq!(storage.find(text).unwrap().image.id, one, "{text}");
    }
    assert_eq!(storage.find(&format!("registry.example/team/b@{digest}")).unwrap().image.id, one);
    assert_eq!(storage.find(&format!("sha256:{two}")).unwrap().image.id, two);
    for text in ["b", "b:2", "other.example/a", "@a", "12x"] {
        assert_eq!(storage.find(text).unwrap_err().kind(), Kind::NotFound, "{text}");
    }
    let twice = storage.find("@1").unwrap_err();
    assert_eq!(twice.kind(), Kind::NotFound, "too short to be meant as an id");
}

#[test]
fn tables_that_are_none_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let storage = storage(&dir);
    let path = storage.table_path(storage.root(), Kept::Images);
    for (bytes, fits) in
        [("", true), ("null", true), ("[]", true), ("{}", false), ("[", false), ("\0", false)]
    {
        fs::write(&path, bytes).unwrap();
        assert_eq!(Table::read(&path).is_ok(), fits, "{bytes:?}");
    }
}

#[test]
fn a_chain_that_bites_its_tail_ends() {
    let dir = tempfile::tempdir().unwrap();
    let storage = storage(&dir);
    let path = storage.table_path(storage.root(), Kept::Layers);
    fs::write(&path, json!([{ "id": "a", "parent": "b" }, { "id": "b", "parent": "a" }]).to_string())
        .unwrap();
    assert_eq!(storage.chain("a").unwrap_err().kind(), Kind::Corrupt);
    let begun = json!([{ "id": "a", "flags": { "incomplete": true } }, { "id": "b", "parent": "gone" }]);
    fs::write(&path, begun.to_string()).unwrap();
    for id in ["a", "b", "c"] {
        assert_eq!(storage.chain(id).unwrap_err().kind(), Kind::NotFound, "{id}");
    }
}

#[test]
fn a_lock_that_another_holds_is_waited_for_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let storage = storage(&dir);
    let held = storage.lock(Kept::Layers, &Silent).unwrap();
    let error = storage.lock(Kept::Layers, &Silent).unwrap_err();
    assert_eq!(error.kind(), Kind::InUse);
    assert!(error.hint_text().unwrap().contains("fuser"), "{error:?}");
    let path = dir.path().join("overlay-layers/layers.lock");
    let before = fs::read(&path).unwrap();
    held.touch().unwrap();
    let after = fs::read(&path).unwrap();
    assert!(before != after && after.len() == 64);
    drop(held);
    storage.lock(Kept::Layers, &Silent).unwrap();
    lock::replace(&dir.path().join("file"), b"1").unwrap();
    assert_eq!(fs::read(dir.path().join("file")).unwrap(), b"1");
}

#[test]
fn drivers_that_are_unknown_are_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("btrfs-images")).unwrap();
    let machine = MachineStorage { root: dir.path().to_owned(), ..MachineStorage::default() };
    assert!(exists(&machine));
    let error = Storage::open(&machine, None).unwrap_err();
    assert!(error.kind() == Kind::Unsupported && format!("{error:?}").contains("btrfs"), "{error:?}");
    assert!(!exists(&MachineStorage::default()));
    assert!(Storage::open(&MachineStorage::default(), None).is_err());
}

#[test]
fn names_move() {
    let mut table = Table::default();
    table.items_mut().push(json!({ "id": "a", "names": ["x", "y"] }));
    table.items_mut().push(json!({ "id": "b" }));
    take_names(&mut table, &["x".to_owned()], "b");
    assert_eq!(table.find("a").unwrap()["names"], json!(["y"]));
    let image = table.find_mut("b").unwrap();
    add_texts(&mut image["names"], ["x", "x"]);
    assert_eq!(image["names"], json!(["x"]));
}

#[test]
fn what_is_in_use_until_the_next_start_is_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let storage = storage(&dir);
    let (image, layer, above) = ("1".repeat(64), "a".repeat(64), "b".repeat(64));
    let write = |kept: &str, name: &str, items: serde_json::Value| {
        fs::write(dir.path().join(format!("overlay-{kept}/{name}")), items.to_string()).unwrap();
    };
    put(&storage, &json!([{ "id": image, "layer": layer, "names": ["localhost/a:latest"] }]));
    write("layers", "layers.json", json!([{ "id": layer }]));
    write("layers", "volatile-layers.json", json!([{ "id": above, "parent": layer }]));
    write("containers", "volatile-containers.json", json!([{ "id": "c", "image": image, "layer": above }]));
    let error = storage.remove_image(&image, &Silent).unwrap_err();
    assert_eq!(error.kind(), Kind::InUse);
    // Without the container there is still a layer over the image's.
    write("containers", "volatile-containers.json", json!([]));
    storage.remove_image(&image, &Silent).unwrap();
    assert!(storage.table(storage.root(), Kept::Layers).unwrap().layer(&layer).is_some());
    assert_eq!(storage.find("a").unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn a_list_is_kept_and_goes_with_what_was_written_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let storage = storage(&dir);
    let (own, passing, named) = ("1".repeat(64), "2".repeat(64), "3".repeat(64));
    let instance = |id: &str, bytes: &[u8], names: serde_json::Value| {
        let manifest = Digest::of(bytes).to_string();
        json!({ "id": id, "digest": manifest, "names": names, "metadata": r#"{"kiln-passing":true}"#,
            "big-data-names": [format!("manifest-{manifest}")] })
    };
    let mut without_mark = instance(&own, b"own", json!([]));
    without_mark["metadata"] = "{}".into();
    put(
        &storage,
        &json!([
            without_mark,
            instance(&passing, b"two", json!(null)),
            instance(&named, b"three", json!(["x"]))
        ]),
    );
    let entry =
        |bytes: &[u8]| json!({ "mediaType": "m", "digest": Digest::of(bytes).to_string(), "size": 1 });
    let index = json!({ "schemaVersion": 2, "manifests": [entry(b"own"), entry(b"two"), entry(b"three")],
        "mediaType": "application/vnd.oci.image.index.v1+json" });
    let mut list = SharedList {
        id: Digest::of(b"any"),
        names: vec!["localhost/list:latest".to_owned()],
        index: index.to_string().into_bytes(),
        places: [(Digest::of(b"two"), "containers-storage:@2".to_owned())].into(),
    };
    storage.put_list(&list, &Silent).unwrap();
    list.names.push("localhost/more:1".to_owned());
    storage.put_list(&list, &Silent).unwrap();
    assert_eq!(storage.find_list("more:1").unwrap().unwrap(), list);
    assert_eq!(storage.lists().unwrap(), [list.clone()]);
    assert_eq!(storage.find_list(&own).unwrap(), None);
    assert_eq!(storage.image_ids().unwrap(), [own.clone(), passing, named.clone()]);
    storage.remove_list(&list.id.hex(), &Silent).unwrap();
    assert_eq!(storage.image_ids().unwrap(), [own, named]);
}

#[test]
fn what_can_be_shared_in_no_way_is_copied() {
    let (one, other) = (tempfile::tempdir_in("/dev/shm").unwrap(), tempfile::tempdir().unwrap());
    let options = Options { marks: Marks::None, devices: Devices::Make, keep_times: true };
    let (tree, copy) = (one.path().join("tree"), other.path().join("copy"));
    fs::create_dir_all(tree.join("sub")).unwrap();
    fs::create_dir(&copy).unwrap();
    fs::write(tree.join("sub/large"), vec![7; 200_000]).unwrap();
    fs::hard_link(tree.join("sub/large"), tree.join("hard")).unwrap();
    if fs::metadata(one.path()).unwrap().dev() != fs::metadata(other.path()).unwrap().dev() {
        assert!(!share::share(&tree, &copy, options).unwrap());
        assert_eq!(fs::read_dir(&copy).unwrap().count(), 0, "nothing is left of the attempt");
    }
    share::fill(&tree, &copy, options).unwrap();
    assert_eq!(fs::read(copy.join("hard")).unwrap(), vec![7; 200_000]);
    let number = |path: &str| fs::metadata(copy.join(path)).unwrap().ino();
    assert_eq!(number("hard"), number("sub/large"));
}
