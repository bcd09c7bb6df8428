//! Owners that begin while others sweep.

use super::*;

#[test]
fn who_begins_keeps_its_place_while_others_sweep() {
    // A sweep once freed the lock of what it was about to remove, and who had waited for that lock lost its directory.
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let work = Work::outside(dir.path()).unwrap();
                    fs::write(work.dir().join("mine"), "x").unwrap();
                }
            });
        }
    });
    let work = Work::outside(dir.path()).unwrap();
    let there = owners(&dir.path().join("kiln/tmp")).unwrap();
    assert_eq!(there, [work.dir()]);
    assert!(owners(&dir.path().join("kiln/trash")).unwrap().is_empty());
}
