//! Notes of networks, and who keeps them; that networks are kept is a story of the command line.

use super::*;

fn own() -> Pid {
    rustix::process::getpid()
}

fn manner() -> Manner {
    Manner::new(
        &["--mtu".into(), "1500".into()],
        &[("net/a".into(), "1".into()), ("kernel/b".into(), "2".into())],
    )
}

#[test]
fn a_note_leads_to_its_keeper_and_is_locked_by_who_wrote_it() {
    let store = tempfile::tempdir().unwrap();
    std::fs::create_dir(store::networks(store.path())).unwrap();
    let path = store::networks(store.path()).join("note");
    let _lock = Record::write(own(), &manner(), &path).unwrap();
    assert!(lock::attempt(&path, lock::Mode::Exclusive).unwrap().is_none());
    let record = Record::read(&File::open(&path).unwrap()).unwrap();
    assert_eq!(record.manner.sysctls, [("net/a".to_owned(), "1".to_owned())]);
    let living = record.keeper().unwrap();
    let namespace = File::open("/proc/self/ns/net").unwrap();
    let network = living.open("ns/net").unwrap();
    assert_eq!(
        rustix::fs::fstat(&network).unwrap().st_ino,
        rustix::fs::fstat(&namespace).unwrap().st_ino,
        "the keeper's network is the one its process is in"
    );
    assert_eq!(count(store.path()), 1);
}

#[test]
fn a_process_with_the_number_of_a_dead_keeper_is_none() {
    let record = Record {
        pid: own().as_raw_nonzero().get(),
        started: 1,
        machine: machine().unwrap(),
        manner: manner(),
        host: host_network(),
    };
    assert!(record.keeper().is_none(), "it was started at another time");
    let started = start_time(&std::fs::read_to_string("/proc/self/stat").unwrap()).unwrap();
    assert!(Record { started, ..record.clone() }.keeper().is_some());
    assert!(Record { started, machine: "another boot".into(), ..record.clone() }.keeper().is_none());
    assert!(Record { started, pid: 0, ..record }.keeper().is_none());
}

#[test]
fn notes_that_are_none_are_no_keepers() {
    let store = tempfile::tempdir().unwrap();
    std::fs::create_dir(store::networks(store.path())).unwrap();
    for (name, text) in
        [("empty", ""), ("cut", "{\"pid\":1,"), ("other", "[]"), ("big", &" ".repeat(1 << 20))]
    {
        std::fs::write(store::networks(store.path()).join(name), text).unwrap();
    }
    assert_eq!(count(store.path()), 0);
}

#[test]
fn the_start_of_a_process_is_found_behind_any_name() {
    let tail: Vec<String> = (3..=52).map(|field| field.to_string()).collect();
    assert_eq!(start_time(&format!("7 (a) b) {}", tail.join(" "))), Some(22));
    assert_eq!(start_time("7 (a) S 1"), None);
    assert_eq!(start_time(""), None);
}
