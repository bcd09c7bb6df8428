//! What `copy` copies, where to, and what it refuses: Buildah's and Docker's rules.

mod archives;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::*;
use crate::error::{Error, Kind};
use crate::event::Silent;

/// A context and an empty container, both gone when dropped.
struct Scene {
    dir: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let scene = Scene { dir };
        for below in ["context/d/sub", "context/e", "rootfs/etc"] {
            std::fs::create_dir_all(scene.path(below)).unwrap();
        }
        for file in ["a.txt", "b.txt", "d/one", "d/sub/two", "e/three"] {
            scene.write(&format!("context/{file}"), file);
        }
        scene.write("rootfs/etc/passwd", "web:x:33:34::/:/bin/sh\n");
        scene
    }

    fn path(&self, below: &str) -> std::path::PathBuf {
        self.dir.path().join(below)
    }

    fn write(&self, below: &str, text: &str) {
        std::fs::create_dir_all(self.path(below).parent().unwrap()).unwrap();
        std::fs::write(self.path(below), text).unwrap();
    }

    fn perform(&self, copy: &Copy) -> Result<CopySummary> {
        self.perform_in(copy, "", "/")
    }

    fn perform_in(&self, copy: &Copy, base: &str, workdir: &str) -> Result<CopySummary> {
        let context = Root::open_host(&self.path("context")).unwrap();
        let rootfs = Root::open_host(&self.path("rootfs")).unwrap();
        let from = Source {
            root: &context,
            base: RelPath::parse(base).unwrap(),
            store: None,
            fetched: BTreeMap::new(),
        };
        let to = Target { root: &rootfs, upper: None, workdir, devices: Devices::Make, fingerprint: true };
        // Only root can give files away.
        let keep_owners = copy.keep_owners || !rustix::process::geteuid().is_root();
        let copy = Copy { keep_owners, ..copy.clone() };
        copy.perform(&from, &to, &Silent)
    }

    /// Copies and lists what is in the container besides /etc/passwd.
    fn copied(&self, sources: &[&str], destination: &str) -> Vec<String> {
        self.perform(&copy(sources, destination)).unwrap();
        self.list()
    }

    fn list(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut todo = vec![self.path("rootfs")];
        while let Some(dir) = todo.pop() {
            for item in std::fs::read_dir(dir).unwrap() {
                let path = item.unwrap().path();
                let name = path.strip_prefix(self.path("rootfs")).unwrap().display().to_string();
                if path.is_dir() && !path.is_symlink() {
                    todo.push(path);
                } else if name != "etc/passwd" {
                    found.push(name);
                }
            }
        }
        found.sort();
        found
    }

    fn text(&self, below: &str) -> String {
        std::fs::read_to_string(self.path("rootfs").join(below)).unwrap()
    }

    fn meta(&self, below: &str) -> std::fs::Metadata {
        std::fs::symlink_metadata(self.path("rootfs").join(below)).unwrap()
    }
}

fn copy(sources: &[&str], destination: &str) -> Copy {
    Copy {
        sources: sources.iter().map(|source| (*source).to_owned()).collect(),
        destination: destination.to_owned(),
        ..Copy::default()
    }
}

fn refused(result: Result<CopySummary>, kind: Kind, sentence: &str) -> Error {
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.sentence()), (kind, sentence), "{error:?}");
    error
}

#[test]
fn a_file_is_renamed_or_goes_into_a_directory() {
    assert_eq!(Scene::new().copied(&["a.txt"], "/f"), ["f"]);
    assert_eq!(Scene::new().copied(&["a.txt"], "/n/m/"), ["n/m/a.txt"]);
    assert_eq!(Scene::new().copied(&["a.txt"], "/n/m/f"), ["n/m/f"]);
    assert_eq!(Scene::new().copied(&["a.txt"], "/etc"), ["etc/a.txt"]);
    assert_eq!(Scene::new().copied(&["a.txt"], "/x/."), ["x/a.txt"]);
    assert_eq!(Scene::new().copied(&["/d/../a.txt"], "/../f"), ["f"]);
}

#[test]
fn of_a_directory_the_content_is_copied() {
    let all = ["dst/one", "dst/sub/two"];
    assert_eq!(Scene::new().copied(&["d"], "/dst"), all);
    assert_eq!(Scene::new().copied(&["d/"], "/dst/"), all);
    assert_eq!(Scene::new().copied(&["d/."], "/dst"), all);
    assert_eq!(Scene::new().copied(&["d", "e"], "/dst"), ["dst/one", "dst/sub/two", "dst/three"]);
    assert_eq!(Scene::new().copied(&["d", "a.txt"], "/dst"), ["dst/a.txt", "dst/one", "dst/sub/two"]);
    assert_eq!(Scene::new().copied(&["*.txt"], "/dst"), ["dst/a.txt", "dst/b.txt"]);
    assert_eq!(Scene::new().copied(&["*"], "/").len(), 5);
}

#[test]
fn a_relative_destination_begins_at_the_working_directory() {
    let scene = Scene::new();
    scene.perform_in(&copy(&["a.txt"], ""), "", "/w/x").unwrap();
    scene.perform_in(&copy(&["a.txt"], "rel"), "", "w/x").unwrap();
    scene.perform_in(&copy(&["a.txt"], "./"), "", "/w/y").unwrap();
    assert_eq!(scene.list(), ["w/x/a.txt", "w/x/rel", "w/y/a.txt"]);
}

#[test]
fn sources_begin_at_the_base_and_stay_in_the_context() {
    let scene = Scene::new();
    scene.write("outside", "secret");
    std::os::unix::fs::symlink("../../outside", scene.path("context/d/evil")).unwrap();
    scene.perform_in(&copy(&["one", "../a.txt", "/b.txt"], "/x"), "d", "/").unwrap();
    assert_eq!(scene.list(), ["x/a.txt", "x/b.txt", "x/one"]);
    for source in ["../../outside", "d/evil"] {
        assert!(scene.perform(&copy(&[source], "/y")).is_err(), "{source} leads out");
    }
}

#[test]
fn a_source_that_is_a_symlink_is_followed_and_others_are_copied() {
    let scene = Scene::new();
    std::os::unix::fs::symlink("d", scene.path("context/dirlink")).unwrap();
    std::os::unix::fs::symlink("d/one", scene.path("context/filelink")).unwrap();
    std::os::unix::fs::symlink("/nowhere", scene.path("context/d/dangling")).unwrap();
    scene.perform(&copy(&["dirlink"], "/x")).unwrap();
    scene.perform(&copy(&["filelink"], "/y/")).unwrap();
    assert_eq!(scene.list(), ["x/dangling", "x/one", "x/sub/two", "y/filelink"]);
    assert!(scene.meta("x/dangling").is_symlink() && scene.meta("y/filelink").is_file());
}

#[test]
fn symlinks_of_the_destination_stay_in_the_container() {
    let scene = Scene::new();
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(target, scene.path("rootfs").join(name)).unwrap();
    };
    link("/../../etc", "to-etc");
    link("../out", "out-link");
    link("/not/yet", "dangling");
    scene.perform(&copy(&["a.txt"], "/to-etc")).unwrap();
    scene.perform(&copy(&["a.txt"], "/to-etc/new/f")).unwrap();
    scene.perform(&copy(&["d"], "/out-link")).unwrap();
    scene.perform(&copy(&["b.txt"], "/dangling")).unwrap();
    let expected = ["etc/a.txt", "etc/new/f", "not/yet", "out/one", "out/sub/two"];
    let links = ["dangling", "out-link", "to-etc"];
    let mut all = [&expected[..], &links[..]].concat();
    all.sort_unstable();
    assert_eq!(scene.list(), all);
    assert!(!scene.path("out").exists());
}

#[test]
fn modes_times_links_and_holes_are_kept() {
    let scene = Scene::new();
    let set_mode = |below: &str, mode| {
        std::fs::set_permissions(scene.path(below), PermissionsExt::from_mode(mode)).unwrap();
    };
    set_mode("context/d/one", 0o4711);
    set_mode("context/d/sub", 0o1777);
    set_mode("context/d", 0o750);
    std::fs::hard_link(scene.path("context/d/one"), scene.path("context/d/sub/same")).unwrap();
    let big = std::fs::File::create(scene.path("context/d/big")).unwrap();
    big.set_len(8 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&big, b"end", (8 << 20) - 3).unwrap();
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_nanos(1_000_000_001);
    big.set_modified(old).unwrap();
    std::fs::File::open(scene.path("context/d/sub")).unwrap().set_modified(old).unwrap();
    scene.perform(&copy(&["d"], "/new")).unwrap();
    assert_eq!(scene.meta("new/one").mode() & 0o7777, 0o4711);
    assert_eq!(scene.meta("new/sub").mode() & 0o7777, 0o1777);
    // A directory that becomes a new one comes with its mode, one that is added to does not change.
    assert_eq!(scene.meta("new").mode() & 0o7777, 0o750);
    scene.perform(&copy(&["d"], "/etc")).unwrap();
    assert_eq!(scene.meta("etc").mode() & 0o7777, 0o755);
    assert_eq!(scene.meta("new/one").ino(), scene.meta("new/sub/same").ino());
    for below in ["new/big", "new/sub"] {
        let meta = scene.meta(below);
        assert_eq!((meta.mtime(), meta.mtime_nsec()), (1, 1), "{below}");
    }
    let big = scene.meta("new/big");
    assert!(big.len() == 8 << 20 && big.blocks() < 1024, "{} blocks", big.blocks());
}

#[test]
fn names_of_one_file_are_linked_across_sources() {
    let scene = Scene::new();
    std::fs::hard_link(scene.path("context/a.txt"), scene.path("context/e/same")).unwrap();
    scene.perform(&copy(&["a.txt", "e"], "/x")).unwrap();
    assert_eq!(scene.meta("x/a.txt").ino(), scene.meta("x/same").ino());
}

#[test]
fn the_first_name_may_be_left_out() {
    let scene = Scene::new();
    std::fs::hard_link(scene.path("context/d/one"), scene.path("context/d/other")).unwrap();
    scene.perform(&Copy { excludes: vec!["one".to_owned()], ..copy(&["d"], "/x") }).unwrap();
    assert_eq!(scene.text("x/other"), "d/one");
}

#[test]
fn chmod_changes_all_but_symlinks() {
    let scene = Scene::new();
    std::os::unix::fs::symlink("one", scene.path("context/d/link")).unwrap();
    let chmod = Some("u=rwX,go=".to_owned());
    scene.perform(&Copy { chmod, ..copy(&["d"], "/x/y") }).unwrap();
    assert_eq!(scene.meta("x/y/one").mode() & 0o7777, 0o600);
    assert_eq!(scene.meta("x/y/sub").mode() & 0o7777, 0o700);
    assert_eq!(scene.meta("x").mode() & 0o7777, 0o755);
    assert_eq!(scene.meta("x/y/link").mode() & 0o7777, 0o777);
}

#[test]
fn owners_are_roots_or_chosen_or_kept() {
    if !crate::testing::require_root("owners_are_roots_or_chosen_or_kept") {
        return;
    }
    let scene = Scene::new();
    std::os::unix::fs::chown(scene.path("context/d/one"), Some(7), Some(8)).unwrap();
    let owner = |below: &str| (scene.meta(below).uid(), scene.meta(below).gid());
    scene.perform(&copy(&["d"], "/plain")).unwrap();
    assert_eq!(owner("plain/one"), (0, 0));
    scene.perform(&Copy { keep_owners: true, ..copy(&["d"], "/kept") }).unwrap();
    assert_eq!(owner("kept/one"), (7, 8));
    let chown = |spec: &str, to: &str| Copy { chown: Some(spec.to_owned()), ..copy(&["d"], to) };
    scene.perform(&chown("web", "/p/q/web")).unwrap();
    for below in ["p", "p/q", "p/q/web", "p/q/web/sub/two"] {
        assert_eq!(owner(below), (33, 34), "{below}");
    }
    scene.perform(&chown("5:6", "/numbers")).unwrap();
    assert_eq!(owner("numbers/one"), (5, 6));
    refused(scene.perform(&chown("nobody", "/x")), Kind::NotFound, "cannot give the files to `nobody`");
}

#[test]
fn excludes_count_from_each_directory_and_ignores_from_the_context() {
    let run = |excludes: &[&str], ignore: &[&str], sources: &[&str]| {
        let scene = Scene::new();
        let strings = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let copy = Copy { excludes: strings(excludes), ignore: strings(ignore), ..copy(sources, "/x/") };
        scene.perform(&copy).unwrap();
        scene.list()
    };
    assert_eq!(run(&["sub"], &[], &["d"]), ["x/one"]);
    assert_eq!(run(&["d/sub"], &[], &["d"]), ["x/one", "x/sub/two"]);
    assert_eq!(run(&[], &["d/sub"], &["d"]), ["x/one"]);
    assert_eq!(run(&[], &["sub"], &["d"]), ["x/one", "x/sub/two"]);
    assert_eq!(run(&["a*"], &[], &["*.txt"]), ["x/b.txt"]);
    assert_eq!(run(&[], &["*", "!d/sub/two"], &["."]), ["x/d/sub/two"]);
    assert_eq!(run(&[], &["d", "!d/sub/two"], &["d", "a.txt"]), ["x/a.txt", "x/sub/two"]);
    assert_eq!(run(&["*", "!**/two"], &[], &["."]), ["x/d/sub/two"]);
}

#[test]
fn parents_are_kept_below_the_destination() {
    let run = |sources: &[&str]| {
        let scene = Scene::new();
        scene.perform(&Copy { parents: true, ..copy(sources, "/x") }).unwrap();
        scene.list()
    };
    assert_eq!(run(&["d/sub/two"]), ["x/d/sub/two"]);
    assert_eq!(run(&["d/./sub/two"]), ["x/sub/two"]);
    assert_eq!(run(&["./d/sub"]), ["x/d/sub/two"]);
    assert_eq!(run(&["d/./**/t*"]), ["x/sub/two"]);
    assert_eq!(run(&["/d/./sub", "*.txt"]), ["x/a.txt", "x/b.txt", "x/sub/two"]);
    let scene = Scene::new();
    let copy = Copy { parents: true, ..copy(&["**/./sub"], "/x") };
    refused(scene.perform(&copy), Kind::Invalid, "cannot copy `**/./sub`");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let scene = Scene::new();
    scene.write("rootfs/file", "here before");
    for source in ["nope", "nope*", "a.txt/x"] {
        let sentence = format!("cannot copy `{source}`");
        refused(scene.perform(&copy(&[source], "/x")), Kind::NotFound, &sentence);
    }
    refused(scene.perform(&copy(&["d"], "/file")), Kind::Exists, "cannot copy to `/file`");
    refused(scene.perform(&copy(&["a.txt"], "/file/")), Kind::Exists, "cannot copy to `/file/`");
    refused(scene.perform(&copy(&["a.txt", "b.txt"], "/file")), Kind::Exists, "cannot copy to `/file`");
    assert_eq!(scene.text("file"), "here before");
    assert!(scene.perform(&copy(&["a.txt"], "/file/below")).is_err());
    refused(scene.perform(&copy(&[], "/x")), Kind::Invalid, "cannot copy to `/x`");
    let ignored = Copy { ignore: vec!["*.txt".to_owned()], ..copy(&["a*"], "/x") };
    refused(scene.perform(&ignored), Kind::NotFound, "cannot copy `a*`");
    let chmod = Copy { chmod: Some("9".to_owned()), ..copy(&["a.txt"], "/x") };
    refused(scene.perform(&chmod), Kind::Invalid, "cannot use the mode `9`");
    scene.perform(&copy(&["a.txt"], "/file")).unwrap();
    assert_eq!(scene.text("file"), "a.txt");
}

#[test]
fn a_directory_is_not_copied_into_itself() {
    let scene = Scene::new();
    let rootfs = Root::open_host(&scene.path("rootfs")).unwrap();
    let from = Source { root: &rootfs, base: RelPath::root(), store: None, fetched: BTreeMap::new() };
    let to = Target { root: &rootfs, upper: None, workdir: "/", devices: Devices::Make, fingerprint: false };
    for (source, destination) in [("/", "/x"), ("/etc", "/etc"), (".", "/etc/deep/er")] {
        let copy = Copy { keep_owners: true, ..copy(&[source], destination) };
        let error = copy.perform(&from, &to, &Silent).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{error:?}");
    }
    Copy { keep_owners: true, ..copy(&["/etc"], "/other") }.perform(&from, &to, &Silent).unwrap();
    assert!(scene.path("rootfs/other/passwd").exists());
}

#[test]
fn the_store_is_left_out() {
    let scene = Scene::new();
    let context = Root::open_host(&scene.path("context")).unwrap();
    let rootfs = Root::open_host(&scene.path("rootfs")).unwrap();
    let store = Some(RelPath::parse("d/sub").unwrap());
    let from = Source { root: &context, base: RelPath::root(), store, fetched: BTreeMap::new() };
    let to = Target { root: &rootfs, upper: None, workdir: "/", devices: Devices::Make, fingerprint: false };
    for (source, destination) in [(".", "/all"), ("d", "/d"), ("d/sub", "/asked-for")] {
        let copy = Copy { keep_owners: true, ..copy(&[source], destination) };
        copy.perform(&from, &to, &Silent).unwrap();
    }
    assert!(scene.path("rootfs/all/d/one").exists() && scene.path("rootfs/d/one").exists());
    assert!(!scene.path("rootfs/all/d/sub").exists() && !scene.path("rootfs/d/sub").exists());
    assert!(scene.path("rootfs/asked-for/two").exists());
}

#[test]
fn a_pipe_is_copied_and_never_read() {
    let scene = Scene::new();
    nix::unistd::mkfifo(&scene.path("context/pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(scene.path("context/socket")).unwrap();
    scene.perform(&copy(&["."], "/x")).unwrap();
    assert!(std::os::unix::fs::FileTypeExt::is_fifo(&scene.meta("x/pipe").file_type()));
    assert!(!scene.path("rootfs/x/socket").exists());
}

#[test]
fn the_digest_is_of_the_content_and_not_of_its_place_or_time() {
    let scene = Scene::new();
    let digest = |sources: &[&str], to: &str| scene.perform(&copy(sources, to)).unwrap();
    let first = digest(&["d"], "/x");
    assert_eq!((first.kind.as_ref(), first.entries, first.bytes), ("dir", 4, 14));
    scene.write("context/d/one", "d/one");
    assert_eq!(digest(&["d"], "/elsewhere").digest, first.digest);
    let file = digest(&["a.txt"], "/f");
    assert_eq!((file.kind.as_ref(), file.digest.as_ref().unwrap().len()), ("file", 64));
    scene.write("context/a.txt", "A.txt");
    assert_ne!(digest(&["a.txt"], "/f").digest, file.digest);
    assert_eq!(digest(&["*.txt"], "/").kind, "multi");
}

#[test]
fn a_failure_of_the_writer_ends_the_reader() {
    let scene = Scene::new();
    for number in 0..2000 {
        scene.write(&format!("context/many/{number}"), "x");
    }
    let rootfs = scene.path("rootfs");
    // A name that cannot be made: the container is the one file system object that takes no files.
    let from = Root::open_host(&scene.path("context")).unwrap();
    let source = Source { root: &from, base: RelPath::root(), store: None, fetched: BTreeMap::new() };
    let proc = Root::open_host(Path::new("/proc/self")).unwrap();
    let to = Target { root: &proc, upper: None, workdir: "/", devices: Devices::Make, fingerprint: true };
    assert!(copy(&["many"], "/").perform(&source, &to, &Silent).is_err());
    assert!(rootfs.exists());
}

#[test]
fn large_and_small_files_arrive_whole() {
    let scene = Scene::new();
    let large: String = (0..40_000).map(|number| format!("{number}\n")).collect();
    for size in [0, 1, 65_535, 65_536, 65_537, large.len()] {
        scene.write(&format!("context/sizes/{size}"), &large[..size]);
    }
    scene.perform(&copy(&["sizes"], "/x")).unwrap();
    for size in [0, 1, 65_535, 65_536, 65_537, large.len()] {
        assert_eq!(scene.text(&format!("x/{size}")), large[..size]);
    }
}
