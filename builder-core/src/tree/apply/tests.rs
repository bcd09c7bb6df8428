//! Streams applied to scratch trees, hostile ones among them.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::*;
use crate::testing::require_root;
use crate::tree::{Timestamp, walk};

const PLAIN: Options = Options { marks: Marks::None, devices: Devices::Make, keep_times: true };
const OVERLAY: Options = Options { marks: Marks::User, devices: Devices::Skip, keep_times: true };

struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").expect("a scratch directory");
        fs::create_dir(dir.path().join("tree")).expect("a tree");
        fs::create_dir(dir.path().join("outside")).expect("a place outside");
        Scratch(dir)
    }

    fn root(&self) -> Root {
        Root::open_host(&self.path("")).expect("the tree opens")
    }

    fn path(&self, inner: &str) -> PathBuf {
        self.0.path().join("tree").join(inner)
    }

    fn outside(&self) -> PathBuf {
        self.0.path().join("outside")
    }

    fn apply(&self, options: Options, entries: Vec<Entry>) -> Result<Stats> {
        let mut apply = Apply::new(&self.root(), options)?;
        for entry in entries {
            apply.put(entry)?;
        }
        apply.finish()
    }
}

fn meta(mode: u32) -> Meta {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let mtime = Timestamp { seconds: 1_000_000_000, nanoseconds: 123_456_789 };
    Meta { mode, uid, gid, mtime, ..Meta::default() }
}

fn entry(path: &str, mode: u32, node: Node) -> Entry {
    Entry { path: RelPath::parse(path).expect("a path"), meta: meta(mode), node }
}

fn file(path: &str, text: &str) -> Entry {
    let content = Content::Bytes(text.as_bytes().to_vec());
    entry(path, 0o644, Node::File { size: text.len() as u64, content })
}

fn dir(path: &str) -> Entry {
    entry(path, 0o755, Node::Directory { opaque: false })
}

fn opaque(path: &str) -> Entry {
    entry(path, 0o755, Node::Directory { opaque: true })
}

fn link(path: &str, to: &str) -> Entry {
    entry(path, 0o777, Node::Symlink(to.into()))
}

fn hard(path: &str, to: &str) -> Entry {
    entry(path, 0, Node::Hardlink(RelPath::parse(to).expect("a path")))
}

fn gone(path: &str) -> Entry {
    entry(path, 0, Node::Whiteout)
}

#[test]
fn modes_and_times_are_those_of_the_entries_also_of_directories_filled_later() {
    let scratch = Scratch::new();
    let setuid = entry("bin/su", 0o4751, Node::File { size: 0, content: Content::Bytes(Vec::new()) });
    let sticky = entry("tmp", 0o1777, Node::Directory { opaque: false });
    let stats = scratch
        .apply(PLAIN, vec![dir(""), dir("bin"), setuid, sticky, file("tmp/x", "1"), file("bin/y", "22")])
        .expect("applied");
    assert_eq!((stats.entries, stats.bytes), (6, 3));
    for (path, mode) in [("bin/su", 0o4751), ("tmp", 0o1777), ("bin", 0o755), ("bin/y", 0o644), ("", 0o755)] {
        let found = fs::symlink_metadata(scratch.path(path)).expect("it is there");
        assert_eq!(found.mode() & 0o7777, mode, "{path}");
        assert_eq!((found.mtime(), found.mtime_nsec()), (1_000_000_000, 123_456_789), "{path}");
    }
}

#[test]
fn a_symlinked_parent_is_followed_inside_the_root() {
    let scratch = Scratch::new();
    let entries = vec![
        dir("usr"),
        link("lib", "usr/lib"),
        file("lib/a", "a"),
        link("abs", "/usr"),
        file("abs/b", "b"),
        link("up", "../../../usr"),
        file("up/c", "c"),
    ];
    scratch.apply(PLAIN, entries).expect("applied");
    for path in ["usr/lib/a", "usr/b", "usr/c"] {
        assert!(scratch.path(path).is_file(), "{path}");
    }
}

#[test]
fn nothing_outside_the_root_is_touched() {
    let scratch = Scratch::new();
    let outside = scratch.outside();
    let target = outside.to_str().expect("a plain path").to_owned();
    fs::write(outside.join("victim"), "untouched").expect("a file");
    let attacks = [
        vec![link("l", &target), file("l/victim", "hit")],
        vec![link("l", "../outside"), file("l/victim", "hit")],
        vec![link("l", &format!("{target}/victim")), file("l", "hit")],
        vec![link("l", &target), hard("h", "l/victim"), file("h", "hit")],
        vec![link("l", &format!("{target}/victim")), hard("h", "l"), entry("h", 0o600, Node::Fifo)],
        vec![link("l", &target), gone("l/victim"), opaque("l")],
        vec![link("l", "/proc/self/root"), file("l/x", "hit")],
    ];
    for attack in attacks {
        // Some are refused, some end inside; both are right.
        let _ = scratch.apply(PLAIN, attack);
        let found = fs::symlink_metadata(outside.join("victim")).expect("it is there");
        assert_eq!((found.nlink(), found.len()), (1, 9));
        assert_eq!(fs::read_dir(&outside).expect("a list").count(), 1);
        for inner in fs::read_dir(scratch.path("")).expect("a list") {
            let name = inner.expect("a name").file_name();
            remove_all_at(scratch.root().fd(), &name).expect("removed");
        }
    }
}

#[test]
fn what_is_there_gives_way_but_a_directory_stays_under_a_directory() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("d/sub")).expect("directories");
    fs::create_dir(scratch.path("kept")).expect("a directory");
    fs::write(scratch.path("kept/f"), "").expect("a file");
    fs::write(scratch.path("f"), "old").expect("a file");
    fs::hard_link(scratch.path("f"), scratch.path("g")).expect("a link");
    symlink("kept", scratch.path("l")).expect("a symlink");
    let entries = vec![file("d", "now a file"), dir("kept"), file("f", "new"), dir("l"), file("l/x", "")];
    scratch.apply(PLAIN, entries).expect("applied");
    assert!(scratch.path("d").is_file() && scratch.path("kept/f").is_file());
    assert_eq!(fs::read(scratch.path("f")).expect("content"), b"new");
    assert_eq!(fs::read(scratch.path("g")).expect("content"), b"old", "the other name keeps its file");
    assert!(!scratch.path("kept/x").exists() && scratch.path("l/x").exists(), "the symlink was replaced");
}

#[test]
fn missing_parents_are_made_and_a_file_as_parent_is_an_error() {
    let scratch = Scratch::new();
    scratch.apply(PLAIN, vec![file("a/b/c", "x")]).expect("applied");
    let made = fs::metadata(scratch.path("a/b")).expect("it is there");
    assert_eq!((made.mode() & 0o7777, made.mtime()), (0o755, 1_000_000_000));
    let error = scratch.apply(PLAIN, vec![file("f", ""), file("f/x", "")]).expect_err("a file is no parent");
    assert_eq!(error.sentence(), "cannot enter `/f`");
    let error = scratch.apply(PLAIN, vec![file(&"n".repeat(256), "")]).expect_err("too long a name");
    assert_eq!(error.os_error(), Some(Errno::NAMETOOLONG.raw_os_error()));
}

#[test]
fn hard_links_join_and_a_missing_target_is_an_error() {
    let scratch = Scratch::new();
    scratch.apply(PLAIN, vec![file("a/f", "x"), hard("b/g", "a/f"), hard("a/f", "a/f")]).expect("applied");
    assert_eq!(fs::metadata(scratch.path("b/g")).expect("it is there").nlink(), 2);
    for target in ["none", "none/x", "a"] {
        assert!(scratch.apply(PLAIN, vec![hard("h", target)]).is_err(), "{target}");
    }
}

#[test]
fn whiteouts_and_opaque_directories_become_marks() {
    let scratch = Scratch::new();
    let entries = vec![
        gone("w"),
        opaque("o"),
        file("o/f", ""),
        // One layer that removes and makes the same name hides what is below.
        gone("again"),
        dir("again"),
        gone("implied"),
        file("implied/x", ""),
        dir("late"),
        gone("late"),
    ];
    scratch.apply(OVERLAY, entries).expect("applied");
    let found: Vec<(String, bool, bool)> = walk(&scratch.root(), Marks::User)
        .map(|entry| entry.expect("an entry"))
        .map(|entry| {
            let opaque = matches!(entry.node, Node::Directory { opaque: true });
            (entry.path.to_string(), opaque, matches!(entry.node, Node::Whiteout))
        })
        .collect();
    let expected = [
        ("/", false, false),
        ("/again", true, false),
        ("/implied", true, false),
        ("/implied/x", false, false),
        ("/late", true, false),
        ("/o", true, false),
        ("/o/f", false, false),
        ("/w", false, true),
    ];
    assert_eq!(found, expected.map(|(path, opaque, gone)| (path.to_owned(), opaque, gone)));
    assert!(fs::symlink_metadata(scratch.path("w")).expect("it is there").file_type().is_char_device());
}

#[test]
fn without_marks_whiteouts_act_but_spare_what_the_stream_brought() {
    let scratch = Scratch::new();
    for path in ["w/x", "o/old", "o/new", "o/sub/old", "mixed/old"] {
        let path = scratch.path(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, "old").expect("a file");
    }
    let entries = vec![
        gone("w"),
        gone("never"),
        dir("o"),
        file("o/new", "new"),
        dir("o/sub"),
        file("o/sub/new", "new"),
        // As some writers do: the mark after the content.
        opaque("o"),
        dir("mixed"),
        file("mixed/new", "new"),
        gone("mixed"),
    ];
    scratch.apply(PLAIN, entries).expect("applied");
    let found: Vec<String> =
        walk(&scratch.root(), Marks::None).map(|entry| entry.expect("an entry").path.to_string()).collect();
    assert_eq!(found, ["/", "/mixed", "/mixed/new", "/o", "/o/new", "/o/sub", "/o/sub/new"]);
    assert_eq!(fs::read(scratch.path("o/new")).expect("content"), b"new");
}

#[test]
fn attributes_and_capabilities_survive_the_change_of_owner() {
    if !require_root("attributes_and_capabilities_survive_the_change_of_owner") {
        return;
    }
    let scratch = Scratch::new();
    let capability = vec![1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut ping = entry("ping", 0o4755, Node::File { size: 1, content: Content::Bytes(vec![1]) });
    ping.meta.uid = 1234;
    ping.meta.gid = 4321;
    ping.meta.xattrs.insert(b"security.capability".to_vec(), capability);
    ping.meta.xattrs.insert(b"user.note".to_vec(), b"line\n\0".to_vec());
    let expected = ping.meta.clone();
    scratch.apply(PLAIN, vec![ping]).expect("applied");
    let found = walk(&scratch.root(), Marks::None).nth(1).expect("one file").expect("an entry");
    assert_eq!(found.meta, expected);
}

#[test]
fn devices_are_made_or_skipped_as_asked() {
    let device = || entry("null", 0o666, Node::Char(Device { major: 1, minor: 3 }));
    let scratch = Scratch::new();
    let stats = scratch.apply(OVERLAY, vec![device(), entry("p", 0o620, Node::Fifo)]).expect("applied");
    assert_eq!(stats.devices_skipped, 1);
    let pipe = fs::symlink_metadata(scratch.path("p")).expect("it is there");
    assert!(pipe.file_type().is_fifo() && pipe.permissions().mode() & 0o7777 == 0o620);
    if require_root("devices_are_made_or_skipped_as_asked") {
        scratch.apply(PLAIN, vec![device()]).expect("applied");
        let found = fs::symlink_metadata(scratch.path("null")).expect("it is there");
        assert_eq!((found.rdev(), found.mode() & 0o7777), (0x103, 0o666));
    }
}

#[test]
fn holes_stay_holes_from_files_and_streams() {
    let scratch = Scratch::new();
    let source = scratch.outside().join("sparse");
    let sparse = fs::File::create(&source).expect("a file");
    sparse.set_len(8 << 20).expect("a length");
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"middle", 3 << 20).expect("written");
    let size = 8 << 20;
    let opened = || fs::File::open(&source).expect("it opens");
    let dir = std::sync::Arc::new(fs::File::open(scratch.outside()).expect("it opens").into());
    let copied = Node::File { size, content: Content::At { dir, name: "sparse".into() } };
    let streamed = Node::File { size, content: Content::Stream(Box::new(opened())) };
    scratch.apply(PLAIN, vec![entry("a", 0o600, copied), entry("b", 0o600, streamed)]).expect("applied");
    for name in ["a", "b"] {
        let found = fs::metadata(scratch.path(name)).expect("it is there");
        assert!(found.blocks() * 512 <= 128 * 1024, "{name} takes {} blocks", found.blocks());
        assert!(fs::read(scratch.path(name)).expect("content") == fs::read(&source).expect("content"));
    }
}

#[test]
fn content_shorter_than_said_is_an_error() {
    let scratch = Scratch::new();
    for content in [Content::Bytes(vec![1; 9]), Content::Stream(Box::new([1; 9].as_slice()))] {
        let error = scratch
            .apply(PLAIN, vec![entry("f", 0o600, Node::File { size: 10, content })])
            .expect_err("short");
        assert_eq!((error.sentence(), error.kind()), ("cannot write `/f`", Kind::Corrupt));
    }
}

#[test]
fn a_tree_deeper_than_any_path_is_copied_with_its_times() {
    let scratch = Scratch::new();
    let deep = |level: usize| RelPath::parse(vec!["d"; level].join("/")).expect("a path");
    let mut apply = Apply::new(&scratch.root(), PLAIN).expect("begun");
    for level in 1..=2500 {
        let mut entry = dir("x");
        entry.path = deep(level);
        apply.put(entry).expect("put");
    }
    apply.finish().expect("finished");
    let times: Vec<i64> = walk(&scratch.root(), Marks::None)
        .skip(1)
        .map(|entry| entry.expect("an entry").meta.mtime.seconds)
        .collect();
    assert_eq!(times, vec![1_000_000_000; 2500]);
    let status =
        std::process::Command::new("rm").arg("-rf").arg(scratch.path("d")).status().expect("rm runs");
    assert!(status.success() && !Path::new(&scratch.path("d")).exists());
}
