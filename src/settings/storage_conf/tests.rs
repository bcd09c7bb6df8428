//! What storage.conf and the options mean for Kiln's store.

use super::*;

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("storage.conf");
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

fn read(text: &str, rootless: bool, named: bool) -> Result<StorageConf> {
    let (_dir, path) = file(text);
    from_file(&path, rootless, named, named)
}

#[test]
fn a_moved_graphroot_moves_the_store_beside_it() {
    let usual = "[storage]\ndriver = \"overlay\"\ngraphroot = \"/var/lib/containers/storage\"\n";
    let conf = read(usual, false, false).unwrap();
    assert_eq!((conf.root, conf.driver), (None, Some(Driver::Overlay)));
    assert_eq!(conf.machine.root.as_deref(), Some(Path::new("/var/lib/containers/storage")));
    let moved = "[storage]\ngraphroot = \"/big/disk\"\nrootless_storage_path = \"/big/$UID/x\"\n";
    assert_eq!(read(moved, false, false).unwrap().root.unwrap(), Path::new("/big/disk/kiln"));
    let uid = rustix::process::getuid().as_raw();
    assert_eq!(read(moved, true, false).unwrap().root.unwrap(), PathBuf::from(format!("/big/{uid}/x/kiln")));
    assert_eq!(read(moved, true, true).unwrap().root.unwrap(), Path::new("/big/disk/kiln"));
}

#[test]
fn drivers_of_other_tools_are_an_error_where_we_were_meant() {
    let text = "[storage]\ndriver = \"btrfs\"\n";
    assert_eq!(read(text, false, false).unwrap().driver, None);
    let error = read(text, false, true).unwrap_err();
    assert!(error.sentence().contains("`btrfs`"), "{error:?}");
}

#[test]
fn options_of_the_driver_in_use_hold() {
    let text = "[storage]\ndriver = \"vfs\"\n[storage.options]\nmount_program = \"/a\"\nadditionalimagestores = \
                [\"/nosuch\"]\n[storage.options.vfs]\nignore_chown_errors = \"true\"\n";
    let conf = read(text, false, true).unwrap();
    assert!(conf.ignore_chown_errors);
    assert_eq!(conf.mount_program.as_deref(), Some(Path::new("/a")));
    // What is no store of Kiln's is another tool's.
    assert!(conf.read_only_stores.is_empty());
    assert!(read("[storage.options]\nignore_chown_errors = \"maybe\"\n", false, false).is_err());
}

#[test]
fn options_are_pairs_we_know() {
    let mut conf = StorageConf::default();
    apply(&mut conf, "overlay.mount_program=/bin/sh").unwrap();
    apply(&mut conf, "ignore_chown_errors=1").unwrap();
    assert_eq!(conf.mount_program.as_deref(), Some(Path::new("/bin/sh")));
    assert!(conf.ignore_chown_errors);
    for bad in
        ["", "x", "overlay.mountopt=lowerdir=/", "mount_program=/nosuch", "additionalimagestore=/", "=1"]
    {
        let error = apply(&mut conf, bad).unwrap_err();
        assert!(error.sentence().contains(&format!("`{bad}`")), "{error:?}");
    }
}
