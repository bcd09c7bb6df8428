//! What killed runs leave, in plain directories: no privileges, no mounts.

use std::os::unix::fs::MetadataExt;

use super::*;

#[test]
fn what_was_made_goes_and_what_was_used_stays() {
    let dir = tempfile::tempdir().unwrap();
    let root = Root::open_host(dir.path()).unwrap();
    let path = dir.path().join("traces/one");
    let mut traces = Traces { path: path.clone(), file: None, shared: false, locks: PathBuf::new() };
    let before = Timespec { tv_sec: 1_000_000_000, tv_nsec: 5 };
    for (name, is_dir) in
        [("proc", true), ("etc", true), ("etc/hosts", false), ("used", false), ("full", true)]
    {
        traces.note(name.as_ref(), before).unwrap();
        let made = dir.path().join(name);
        if is_dir { fs::create_dir(made).unwrap() } else { fs::write(made, "").unwrap() }
    }
    traces.note("never made".as_ref(), before).unwrap();
    fs::write(dir.path().join("used"), "by the command").unwrap();
    fs::write(dir.path().join("full/file"), "").unwrap();
    let mut records = fs::read(&path).unwrap();
    records.extend_from_slice(b"1 2 cut sho");
    take_away(&root, super::records(&records)).unwrap();
    let left: Vec<_> = ["proc", "etc", "used", "full"].map(|name| dir.path().join(name).exists()).into();
    assert_eq!(left, [false, false, true, true]);
    assert_eq!(fs::metadata(dir.path()).unwrap().mtime(), 1_000_000_000);
    drop(traces);
    assert!(!path.exists());
}

#[test]
fn damaged_records_take_nothing_away() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("proc")).unwrap();
    let root = Root::open_host(dir.path()).unwrap();
    for records in [&b"proc\0"[..], b"1 proc\0", b"x y proc\0", b"1 2 proc", b"\0\0", b"1 2 \0"] {
        take_away(&root, super::records(records)).unwrap();
    }
    assert!(dir.path().join("proc").exists());
}

/// Two runs that have ended, each of which made something in what the other has made; and the time that the directory
/// above has then.
fn two_runs() -> (tempfile::TempDir, Root, (i64, i64)) {
    let dir = tempfile::tempdir().unwrap();
    let root = Root::open_host(dir.path()).unwrap();
    fs::create_dir(dir.path().join("etc")).unwrap();
    let before = Timespec { tv_sec: 1_000_000_000, tv_nsec: 5 };
    let runs = [("one", ["run", "opt/a"]), ("two", ["opt", "run/b"])];
    fs::create_dir_all(dir.path().join("traces")).unwrap();
    for (name, made) in runs {
        let path = dir.path().join("traces").join(name);
        let mut traces = Traces { path, file: None, shared: true, locks: PathBuf::new() };
        for path in made {
            traces.note(path.as_ref(), before).unwrap();
        }
    }
    for path in ["run/b", "opt/a"] {
        fs::create_dir_all(dir.path().join(path)).unwrap();
    }
    let now = time(dir.path());
    (dir, root, now)
}

fn time(path: &Path) -> (i64, i64) {
    let found = fs::metadata(path).unwrap();
    (found.mtime(), found.mtime_nsec())
}

fn names(path: &Path) -> Vec<String> {
    let items = fs::read_dir(path).unwrap();
    let mut names: Vec<_> = items.map(|item| item.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn of_runs_beside_each_other_all_goes_together() {
    let (dir, root, now) = two_runs();
    clear_mounted(&root, dir.path()).unwrap();
    assert_eq!(names(dir.path()), ["etc", "traces"]);
    assert!(names(&dir.path().join("traces")).is_empty());
    assert_eq!(time(dir.path()), now, "the commands' time stays");
}

#[test]
fn a_removal_that_is_cut_short_is_done_again_with_the_right_times() {
    let (dir, root, now) = two_runs();
    let traces = dir.path().join("traces");
    let ended = fs::read(traces.join("one.ended")).unwrap();
    for path in left(dir.path()).unwrap() {
        with_times_of_now(&root, &path).unwrap();
    }
    assert_eq!(names(&traces), ["one", "two"]);
    // While one was written anew …
    fs::write(traces.join("one.ended"), ended).unwrap();
    fs::write(traces.join("one"), &fs::read(traces.join("one")).unwrap()[..40]).unwrap();
    clear_mounted(&root, dir.path()).unwrap();
    assert_eq!(names(dir.path()), ["etc", "traces"]);
    assert_eq!((names(&traces), time(dir.path())), (Vec::new(), now));
    // … and after something was removed.
    let (dir, root, now) = two_runs();
    for path in left(dir.path()).unwrap() {
        with_times_of_now(&root, &path).unwrap();
    }
    fs::remove_dir_all(dir.path().join("run")).unwrap();
    clear_mounted(&root, dir.path()).unwrap();
    assert_eq!((names(dir.path()), time(dir.path())), (vec!["etc".to_owned(), "traces".into()], now));
}
