//! What `add` unpacks and where to, and what a copy does with links, patterns and times.

use std::process::{Command, Stdio};

use super::*;
use crate::steps::add::Unpack;

fn add(sources: &[&str], destination: &str) -> Copy {
    Copy { unpack: Unpack::Files, keep_owners: true, ..copy(sources, destination) }
}

/// A tar of these files, made here entry by entry so that its names can be anything.
fn tar_of(entries: &[(&str, u8, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, sort, text) in entries {
        let mut header = tar::Header::new_ustar();
        let is_link = matches!(sort, b'1' | b'2');
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        if is_link {
            header.as_old_mut().linkname[..text.len()].copy_from_slice(text.as_bytes());
        }
        header.set_entry_type(tar::EntryType::new(*sort));
        header.set_mode(if *sort == b'5' { 0o750 } else { 0o640 });
        header.set_mtime(1_000_000_000);
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        header.set_uid(uid.as_raw().into());
        header.set_gid(gid.as_raw().into());
        header.set_size(if is_link { 0 } else { text.len() as u64 });
        header.set_cksum();
        builder.append(&header, if is_link { &b""[..] } else { text.as_bytes() }).unwrap();
    }
    builder.into_inner().unwrap()
}

fn put(scene: &Scene, name: &str, bytes: &[u8]) {
    std::fs::write(scene.path("context").join(name), bytes).unwrap();
}

#[test]
fn archives_of_every_form_are_unpacked() {
    for tool in ["cat", "gzip", "bzip2", "xz", "zstd"] {
        let scene = Scene::new();
        let plain = tar_of(&[("x/", b'5', ""), ("x/one", b'0', "1"), ("two", b'0', "2")]);
        put(&scene, "plain", &plain);
        let input = std::fs::File::open(scene.path("context/plain")).unwrap();
        let flags: &[&str] = if tool == "cat" { &[] } else { &["-c"] };
        let packed = Command::new(tool).args(flags).stdin(Stdio::from(input)).output();
        let Ok(packed) = packed else {
            crate::testing::not_run("archives_of_every_form_are_unpacked", &format!("needs {tool}"));
            continue;
        };
        put(&scene, "archive", &packed.stdout);
        let done = scene.perform(&add(&["archive"], "/new/place")).unwrap();
        assert_eq!(scene.list(), ["new/place/two", "new/place/x/one"], "{tool}");
        assert_eq!((done.kind.as_ref(), done.entries, done.bytes), ("file", 3, 2), "{tool}");
        assert_eq!(scene.meta("new/place/two").mode() & 0o7777, 0o640);
        assert_eq!(scene.meta("new/place/two").mtime(), 1_000_000_000);
        // `copy` takes it as the file it is.
        scene.perform(&copy(&["archive"], "/as-file")).unwrap();
        assert!(scene.meta("as-file").is_file(), "{tool}");
    }
}

#[test]
fn what_is_no_archive_is_copied() {
    let scene = Scene::new();
    put(&scene, "empty.tar", b"");
    put(&scene, "nothing.tar", &[0; 1024]);
    put(&scene, "text.gz", b"\x1f\x8b and then a text");
    put(&scene, "short.xz", b"\xfd7zXZ\0");
    put(&scene, "large", &[b'x'; 4096]);
    scene.perform(&add(&["empty.tar", "nothing.tar", "text.gz", "short.xz", "large", "d"], "/x")).unwrap();
    let all = ["x/empty.tar", "x/large", "x/nothing.tar", "x/one", "x/short.xz", "x/sub/two", "x/text.gz"];
    assert_eq!(scene.list(), all);
}

#[test]
fn archives_and_files_mix_and_an_archive_needs_a_directory() {
    let scene = Scene::new();
    put(&scene, "t.tar", &tar_of(&[("f", b'0', "of the archive")]));
    scene.perform(&add(&["a.txt", "t.tar", "d/one"], "/mixed")).unwrap();
    assert_eq!(scene.list(), ["mixed/a.txt", "mixed/f", "mixed/one"]);
    std::os::unix::fs::symlink("t.tar", scene.path("context/link")).unwrap();
    scene.perform(&add(&["link"], "/linked")).unwrap();
    assert!(scene.meta("linked/f").is_file());
    refused(scene.perform(&add(&["t.tar"], "/mixed/one")), Kind::Exists, "cannot copy to `/mixed/one`");
    let digest = |to: &str| scene.perform(&add(&["t.tar"], to)).unwrap().digest;
    assert_eq!(digest("/p"), digest("/q"));
}

#[test]
fn an_archive_stays_where_it_is_put() {
    let scene = Scene::new();
    scene.write("outside", "safe");
    let hostile = [
        ("../../up", b'0', "x"),
        ("/abs", b'0', "x"),
        ("a/../../b", b'0', "x"),
        (".wh.c", b'0', "x"),
        ("l", b'2', "/../../.."),
        ("l/through", b'0', "x"),
        ("h", b'1', "../../abs"),
    ];
    put(&scene, "t.tar", &tar_of(&hostile));
    scene.perform(&add(&["t.tar"], "/esc")).unwrap();
    let all = ["esc/.wh.c", "esc/abs", "esc/b", "esc/h", "esc/l", "esc/up", "through"];
    assert_eq!(scene.list(), all);
    assert_eq!(std::fs::read_to_string(scene.path("outside")).unwrap(), "safe");
    for (name, sort, text) in [("out", b'1', "../../outside"), ("..", b'0', "x"), ("x", b'1', "nothing")] {
        put(&scene, "t.tar", &tar_of(&[("first", b'0', "1"), (name, sort, text)]));
        assert!(scene.perform(&add(&["t.tar"], "/esc")).is_err(), "{name}");
    }
    assert!(scene.meta("esc").is_dir());
}

#[test]
fn large_files_of_an_archive_arrive_whole_and_cut_ones_do_not() {
    let scene = Scene::new();
    let large: String = (0..400_000).map(|number| format!("{number}\n")).collect();
    let whole = tar_of(&[("large", b'0', &large), ("after", b'0', "z")]);
    put(&scene, "t.tar", &whole);
    scene.perform(&add(&["t.tar"], "/x")).unwrap();
    assert!(scene.text("x/large") == large && scene.text("x/after") == "z");
    put(&scene, "cut.tar", &whole[..1 << 20]);
    let error = scene.perform(&add(&["cut.tar"], "/y")).unwrap_err();
    assert!(format!("{error:?}").contains("ends in the middle"), "{error:?}");
}

#[test]
fn link_puts_directories_in_place_of_what_is_in_the_way() {
    let scene = Scene::new();
    std::os::unix::fs::symlink("etc", scene.path("rootfs/to-etc")).unwrap();
    scene.write("rootfs/plain", "a file");
    let linked = |sources: &[&str], to: &str| {
        scene.perform(&Copy { link: true, ..copy(sources, to) }).unwrap();
    };
    linked(&["a.txt"], "/to-etc/a.txt");
    linked(&["d"], "/plain/d/");
    linked(&["b.txt"], "/etc/");
    assert_eq!(scene.list(), ["etc/b.txt", "plain/d/one", "plain/d/sub/two", "to-etc/a.txt"]);
    assert!(scene.meta("to-etc").is_dir());
}

#[test]
fn symlinks_are_kept_and_patterns_are_names_if_asked() {
    let scene = Scene::new();
    std::os::unix::fs::symlink("d", scene.path("context/link")).unwrap();
    scene.write("context/*.txt", "a star");
    scene.perform(&Copy { keep_symlinks: true, ..copy(&["link"], "/x/") }).unwrap();
    assert!(scene.meta("x/link").is_symlink());
    scene.perform(&Copy { literal: true, ..copy(&["*.txt"], "/y/") }).unwrap();
    assert_eq!(scene.list(), ["x/link", "y/*.txt"]);
    let none = copy(&["nothing*", "b.txt"], "/z/");
    assert_eq!(scene.perform(&none).unwrap_err().kind(), Kind::NotFound);
    scene.perform(&Copy { allow_empty: true, ..none }).unwrap();
    assert!(scene.meta("z/b.txt").is_file());
    let missing = Copy { allow_empty: true, ..copy(&["nothing"], "/z/") };
    assert_eq!(scene.perform(&missing).unwrap_err().kind(), Kind::NotFound);
}

#[test]
fn everything_gets_the_time_that_is_asked_for() {
    let scene = Scene::new();
    put(&scene, "t.tar", &tar_of(&[("f", b'0', "1"), ("dir/", b'5', "")]));
    let timestamp = Some(77);
    scene.perform(&Copy { timestamp, ..copy(&["d"], "/x") }).unwrap();
    scene.perform(&Copy { timestamp, ..add(&["t.tar"], "/y") }).unwrap();
    for below in ["x", "x/one", "x/sub", "x/sub/two", "y/f", "y/dir"] {
        assert_eq!((scene.meta(below).mtime(), scene.meta(below).mtime_nsec()), (77, 0), "{below}");
    }
}
