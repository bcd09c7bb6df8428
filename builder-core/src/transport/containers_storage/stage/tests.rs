//! Writers that begin while others sweep what the dead left.

use super::*;

#[test]
fn who_begins_keeps_its_place_while_others_sweep() {
    // One that had made its directory and not locked it yet was taken for dead, and then could not lock it.
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let own = Own::begin(dir.path()).unwrap();
                    fs::write(own.new_name(), "x").unwrap();
                }
            });
        }
    });
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
