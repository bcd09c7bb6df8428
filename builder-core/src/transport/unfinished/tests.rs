//! Both kinds of unfinished files, and what is left of them.

use super::*;

fn names(dir: &Path) -> Vec<String> {
    let items = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = items.map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_has_its_name_when_it_is_whole_and_leaves_nothing_else() {
    for begin in [Unfinished::begin, Unfinished::named] {
        let dir = tempfile::tempdir().unwrap();
        let mut file = begin(dir.path()).unwrap();
        file.write_all(b"one").unwrap();
        assert!(!dir.path().join("a").exists());
        file.publish(&dir.path().join("a")).unwrap();
        let mut second = begin(dir.path()).unwrap();
        second.write_all(b"two").unwrap();
        second.publish(&dir.path().join("a")).unwrap();
        let mut third = begin(dir.path()).unwrap();
        third.write_all(b"three").unwrap();
        third.publish_new(&dir.path().join("a")).unwrap();
        drop(begin(dir.path()).unwrap());
        assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"two");
        assert_eq!(names(dir.path()), ["a"]);
    }
}

#[test]
fn only_what_the_dead_left_is_swept() {
    let dir = tempfile::tempdir().unwrap();
    let alive = Unfinished::named(dir.path()).unwrap();
    fs::write(dir.path().join(format!("{PREFIX}0123")), "left").unwrap();
    fs::write(dir.path().join("other"), "not ours").unwrap();
    sweep(dir.path());
    assert_eq!(names(dir.path()).len(), 2);
    assert!(alive.path.as_ref().unwrap().exists() && dir.path().join("other").exists());
}

#[test]
fn who_begins_keeps_its_file_while_others_sweep() {
    // One that had made its file and not locked it yet was taken for dead.
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for number in 0..4 {
            let dir = dir.path();
            scope.spawn(move || {
                for _ in 0..500 {
                    sweep(dir);
                    let mut file = Unfinished::named(dir).unwrap();
                    file.write_all(b"x").unwrap();
                    file.publish(&dir.join(number.to_string())).unwrap();
                }
            });
        }
    });
    assert_eq!(names(dir.path()), ["0", "1", "2", "3"]);
}

#[test]
fn who_replaces_a_file_keeps_the_new_one_while_others_sweep() {
    // What takes the place of another has a name for a moment, and was taken for what a dead one had left.
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    sweep(dir.path());
                    let mut file = Unfinished::begin(dir.path()).unwrap();
                    file.write_all(b"x").unwrap();
                    file.publish(&dir.path().join("one")).unwrap();
                }
            });
        }
    });
    assert_eq!(names(dir.path()), ["one"]);
}
