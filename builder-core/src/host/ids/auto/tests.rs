//! Tests of ids that are chosen.

use super::*;

fn ids(inside: u32, outside: u32, length: u32) -> IdRange {
    IdRange { inside, outside, length }
}

#[test]
fn words_say_what_is_asked_for() {
    let parse = |text: &str| AutoIds::parse(text).map(Result::unwrap);
    assert_eq!(parse("auto"), Some(AutoIds::default()));
    assert_eq!(parse("auto:size=0"), Some(AutoIds::default()));
    let all = parse("auto:size=4096,uidmapping=1000:0:1,gidmapping=5:6:7").unwrap();
    let expected = AutoIds { size: Some(4096), uids: vec![ids(1000, 0, 1)], gids: vec![ids(5, 6, 7)] };
    assert_eq!(all, expected);
    assert!(AutoIds::parse("autos").is_none() && AutoIds::parse("private").is_none());
    for bad in ["auto:", "auto:size", "auto:size=+1", "auto:size=x", "auto:uidmapping=1:2", "auto:nosuch=1"] {
        assert!(AutoIds::parse(bad).unwrap().is_err(), "{bad}");
    }
}

#[test]
fn the_lowest_free_ids_are_taken() {
    let free = without(vec![(300, 310), (100, 200)], &[(100, 150), (160, 170)]);
    assert_eq!(free, [(150, 160), (170, 200), (300, 310)]);
    assert_eq!(pick(8, free.clone(), &[]).unwrap(), [ids(0, 150, 8)]);
    assert_eq!(pick(45, free.clone(), &[]).unwrap(), [ids(0, 150, 10), ids(10, 170, 30), ids(40, 300, 5)]);
    assert_eq!(pick(50, free.clone(), &[]).unwrap().len(), 3);
    assert!(pick(51, free.clone(), &[]).is_none());
    // Those that must be are in the place of others.
    let pinned = [ids(3, 7, 2)];
    assert_eq!(pick(6, free, &pinned).unwrap(), [ids(0, 150, 3), ids(5, 153, 1), ids(3, 7, 2)]);
}

#[test]
fn roots_containers_have_the_ids_of_a_name() {
    let etc = tempfile::tempdir().unwrap();
    std::fs::write(etc.path().join("subuid"), "containers:5000:10\n").unwrap();
    std::fs::write(etc.path().join("subgid"), "containers:7000:10\n").unwrap();
    let other = IdMaps { uids: vec![ids(0, 5000, 4)], gids: vec![ids(0, 7000, 4)] };
    let choose = |size: u32, user: &str| {
        let pool = IdPool { user: user.to_owned(), ..IdPool::default() };
        let root = Host { rootless: false };
        AutoIds::default().choose(root, etc.path(), &pool, size, std::slice::from_ref(&other))
    };
    let chosen = choose(6, "containers").unwrap();
    assert_eq!((chosen.uids, chosen.gids), (vec![ids(0, 5004, 6)], vec![ids(0, 7004, 6)]));
    assert!(choose(7, "containers").unwrap_err().to_string().contains("cannot choose 7 ids"));
    assert!(choose(1, "nobody").unwrap_err().hint_text().unwrap().contains("nobody:2147483648"));
}
