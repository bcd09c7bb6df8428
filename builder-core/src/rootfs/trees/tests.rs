//! The claims on layers that are being unpacked.

use super::*;
use crate::settings::Settings;
use crate::tree::Marks;

#[test]
fn a_claim_leaves_no_file_however_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { root: dir.path().join("store"), ..Settings::default() };
    let store = Store::open(&settings, Marks::User).unwrap();
    let diff_id = Digest::of(b"layer");
    let claims = || {
        let locks = fs::read_dir(store.root().join("locks")).unwrap().flatten();
        locks.filter(|item| item.file_name().to_string_lossy().starts_with("layer-")).count()
    };
    assert!(claimed(&store, diff_id, || Err(Error::corrupt("cannot unpack it"))).is_err());
    assert_eq!(claims(), 0);
    let publish = || {
        assert_eq!(claims(), 1);
        let work = store.work()?;
        let making = work.dir().join("making");
        fs::create_dir_all(making.join("fs")).unwrap();
        store.note_layer(diff_id, None, &store.publish_tree(&work, &making, &LayerRecord::default())?)
    };
    claimed(&store, diff_id, publish).unwrap();
    // As who waited meanwhile finds it.
    claimed(&store, diff_id, || unreachable!("it is there")).unwrap();
    assert_eq!(claims(), 0);
}
