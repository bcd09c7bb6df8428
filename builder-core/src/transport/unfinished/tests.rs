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
