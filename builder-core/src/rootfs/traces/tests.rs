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
    take_away(&root, super::records(&records, false).collect()).unwrap();
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
        take_away(&root, super::records(records, false).collect()).unwrap();
    }
    assert!(dir.path().join("proc").exists());
}

#[test]
fn of_runs_beside_each_other_all_goes_together() {
    let dir = tempfile::tempdir().unwrap();
    let root = Root::open_host(dir.path()).unwrap();
    fs::create_dir(dir.path().join("etc")).unwrap();
    let before = Timespec { tv_sec: 1_000_000_000, tv_nsec: 5 };
    // Each makes something in what the other has made.
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
    let now = fs::metadata(dir.path()).unwrap().mtime();
    clear_mounted(&root, dir.path()).unwrap();
    let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|item| item.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["etc", "traces"]);
    assert_eq!(fs::read_dir(dir.path().join("traces")).unwrap().count(), 0);
    assert!(fs::metadata(dir.path()).unwrap().mtime() >= now, "the commands' time stays");
}
