//! Small stacks described in words.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, XattrFlags};

use super::*;

/// Parts on disk, made from short descriptions, the newest first: `d/` a directory, `d/!` an opaque one, `-w` a
/// whiteout, `f=text` a file, `g>f` a hard link.
struct Parts {
    dir: tempfile::TempDir,
    count: usize,
}

impl Parts {
    fn new(parts: &[&[&str]]) -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").expect("a scratch directory");
        let made = Parts { dir, count: parts.len() };
        for (index, part) in parts.iter().enumerate() {
            fs::create_dir(made.part(index)).expect("a part");
            for object in *part {
                make(&made.part(index), object);
            }
        }
        made
    }

    fn part(&self, index: usize) -> PathBuf {
        self.dir.path().join(index.to_string())
    }

    fn stack(&self) -> Stack {
        let roots = (0..self.count).map(|index| Root::open_host(&self.part(index)).expect("it opens"));
        Stack::new(roots.collect(), Marks::User)
    }

    fn stream(&self) -> Vec<String> {
        self.stack().walk().skip(1).map(|entry| show(entry.expect("an entry"))).collect()
    }
}

fn make(part: &Path, object: &str) {
    let at = |path: &str| {
        let path = part.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        path
    };
    if let Some(path) = object.strip_suffix("/!") {
        let path = at(path);
        fs::create_dir(&path).expect("a directory");
        rustix::fs::setxattr(&path, "user.overlay.opaque", b"y", XattrFlags::empty()).expect("a mark");
    } else if let Some(path) = object.strip_suffix('/') {
        fs::create_dir(at(path)).expect("a directory");
    } else if let Some(path) = object.strip_prefix('-') {
        rustix::fs::mknodat(CWD, at(path), FileType::CharacterDevice, Mode::empty(), 0).expect("a whiteout");
    } else if let Some((path, text)) = object.split_once('=') {
        fs::write(at(path), text).expect("a file");
    } else if let Some((path, target)) = object.split_once('>') {
        fs::hard_link(part.join(target), at(path)).expect("a link");
    }
}

fn show(entry: Entry) -> String {
    let path = entry.path.as_path().display();
    match entry.node {
        Node::Directory { opaque: true } => format!("{path}/!"),
        Node::Directory { opaque: false } => format!("{path}/"),
        Node::Whiteout => format!("-{path}"),
        Node::Hardlink(target) => format!("{path}>{}", target.as_path().display()),
        Node::File { content, .. } => {
            let mut text = String::new();
            match content.open().expect("it opens") {
                crate::tree::Opened::File(mut file) => {
                    std::io::Read::read_to_string(&mut file, &mut text).expect("text");
                }
                _ => assert!(text.is_empty()),
            }
            format!("{path}={text}")
        }
        other => format!("{path}?{other:?}"),
    }
}

#[test]
fn the_newest_part_decides() {
    let parts = Parts::new(&[&["a=new", "d/", "d/x=1"], &["a=old", "b=old", "d/", "d/x=0", "d/y=0"]]);
    assert_eq!(parts.stream(), ["a=new", "b=old", "d/", "d/x=1", "d/y=0"]);
}

#[test]
fn whiteouts_hide_older_parts_and_stay_in_the_stream() {
    let parts = Parts::new(&[&["-d", "-f"], &["d/", "d/x=1", "f=1", "-g"]]);
    assert_eq!(parts.stream(), ["-d", "-f", "-g"]);
}

#[test]
fn opaque_directories_and_files_hide_what_is_older() {
    let parts = Parts::new(&[&["d/!", "d/y=1", "f=1"], &["d/", "d/x=0", "f/", "f/x=0"]]);
    assert_eq!(parts.stream(), ["d/!", "d/y=1", "f=1"]);
    // A directory over a whiteout or a file of an older part: what is below the stack stays hidden.
    let parts = Parts::new(&[&["d/", "d/y=1", "f/"], &["-d", "f=0"], &["d/x=0"]]);
    assert_eq!(parts.stream(), ["d/!", "d/y=1", "f/!"]);
    // Over an opaque one: the same, and the content of both shows.
    let parts = Parts::new(&[&["d/", "d/y=2"], &["d/!", "d/x=1"], &["d/z=0"]]);
    assert_eq!(parts.stream(), ["d/!", "d/x=1", "d/y=2"]);
}

#[test]
fn the_first_name_left_of_a_file_has_its_content() {
    let parts = Parts::new(&[&["-a", "c=own"], &["a=text", "b>a", "c>a", "d>a"]]);
    assert_eq!(parts.stream(), ["-a", "b=text", "c=own", "d>b"]);
}

#[test]
fn lookups_agree_with_the_stream() {
    let parts = Parts::new(&[
        &["d/", "-d/gone", "o/!", "o/new=1", "-w", "f=1"],
        &["d/gone=0", "d/kept=0", "o/old=0", "w/x=0", "f/x=0"],
        &["d/deep/er/x=0", "o/older=0"],
    ]);
    let stack = parts.stack();
    let mut finder = stack.finder();
    let cases = [
        ("d", true),
        ("d/gone", false),
        ("d/kept", true),
        ("d/deep/er/x", true),
        ("d/kept/x", false),
        ("o/new", true),
        ("o/old", false),
        ("o/older", false),
        ("w", false),
        ("w/x", false),
        ("f", true),
        ("f/x", false),
        ("none/x", false),
        ("", true),
    ];
    for (path, there) in cases.iter().chain(cases.iter().rev()) {
        let path = RelPath::parse(path).expect("a path");
        assert_eq!(finder.lookup(&path).expect("an answer").is_some(), *there, "{path}");
        assert_eq!(stack.finder().lookup(&path).expect("an answer").is_some(), *there, "{path}");
    }
}

#[test]
fn a_directory_whose_names_are_all_hidden_is_empty() {
    let parts = Parts::new(&[&["a/", "-a/x", "b/", "-b/x", "c/!"], &["a/x=0", "b/x=0", "b/y=0", "c/z=0"]]);
    let stack = parts.stack();
    let empty = |path| stack.finder().is_empty(&RelPath::parse(path).expect("a path")).expect("an answer");
    assert!(empty("a") && !empty("b") && empty("c") && !empty(""));
}

#[test]
fn no_parts_are_an_empty_stream() {
    let stack = Stack::new(Vec::new(), Marks::User);
    assert_eq!(stack.walk().count(), 0);
    assert!(stack.finder().lookup(&RelPath::root()).expect("an answer").is_none());
}

#[test]
fn two_hundred_parts_are_merged_with_few_open_files() {
    let parts: Vec<Vec<String>> = (0..200).map(|part| vec![format!("a/b/c/d/e/f/g/h/{part:03}=x")]).collect();
    let parts: Vec<Vec<&str>> = parts.iter().map(|part| part.iter().map(String::as_str).collect()).collect();
    let parts = Parts::new(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let stack = parts.stack();
    let mut most = 0;
    let count = stack
        .walk()
        .inspect(|_| most = most.max(fs::read_dir("/proc/self/fd").expect("a list").count()))
        .filter(|entry| entry.as_ref().is_ok_and(|entry| matches!(entry.node, Node::File { .. })))
        .count();
    assert_eq!(count, 200);
    // 200 parts eight directories deep would be 1,600.
    assert!(most < 1000, "{most} files were open at once");
}
