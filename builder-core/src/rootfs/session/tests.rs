//! Whether a session lives, asked by many at once.

use super::*;
use crate::settings::Settings;
use crate::tree::Marks;

#[test]
fn a_dead_session_does_not_look_alive_to_who_asks_beside_others_and_a_prune() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { root: dir.path().join("store"), ..Settings::default() };
    let mark = dir.path().join("mounted");
    fs::write(&mark, "1\n").unwrap();
    std::thread::scope(|scope| {
        for pruning in [false, false, true] {
            let (settings, mark) = (&settings, &mark);
            scope.spawn(move || {
                let store = Store::open(settings, Marks::User).unwrap();
                for _ in 0..300 {
                    // As the session's end leaves it.
                    fs::write(lock_path(&store, 1), "").unwrap();
                    if pruning {
                        store.gc().unwrap();
                    }
                    assert!(!lives_elsewhere(&store, mark));
                }
            });
        }
    });
    let store = Store::open(&settings, Marks::User).unwrap();
    let living = lock::wait(&lock_path(&store, 1), Mode::Shared).unwrap();
    store.gc().unwrap();
    assert!(lives_elsewhere(&store, &mark));
    drop(living);
    assert!(!lives_elsewhere(&store, &mark));
}
