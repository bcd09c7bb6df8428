//! Overlays acted out on plain directories, cut into parts anywhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode, XattrFlags};

use super::*;
use crate::tree::{Content, Marks, Root};

mod kernel;

/// One edit through an overlay.
#[derive(Debug, Clone)]
enum Edit {
    Write(String, u8),
    MakeDirectory(String),
    Remove(String),
}

/// An overlay acted out on plain directories: a base, frozen parts and an upper, with the marks the kernel leaves.
struct Overlay {
    dir: tempfile::TempDir,
    /// Frozen parts and the upper, which is the last.
    parts: usize,
}

/// Dates a directory and all directories in it long ago.
fn age(dir: &Path) {
    for item in fs::read_dir(dir).expect("it opens").flatten() {
        if item.file_type().expect("a sort").is_dir() {
            age(&item.path());
        }
    }
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    fs::File::open(dir).expect("it opens").set_modified(long_ago).expect("a time");
}

impl Overlay {
    fn new(base: &[String]) -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").expect("a scratch directory");
        fs::create_dir(dir.path().join("base")).expect("a base");
        for path in base {
            let path = dir.path().join("base").join(path);
            // A name that is a file in one path and a directory in another stays what it was first.
            if fs::create_dir_all(path.parent().expect("a parent")).is_ok() && !path.exists() {
                fs::write(path, "base").expect("a file");
            }
        }
        // Older than any edit: a directory that is edited here never looks as it did.
        age(&dir.path().join("base"));
        let mut overlay = Overlay { dir, parts: 0 };
        overlay.freeze();
        overlay
    }

    fn freeze(&mut self) {
        self.parts += 1;
        fs::create_dir(self.upper()).expect("an upper");
    }

    fn upper(&self) -> PathBuf {
        self.dir.path().join(self.parts.to_string())
    }

    fn open(path: &Path) -> Root {
        Root::open_host(path).expect("it opens")
    }

    fn parts(&self) -> Stack {
        let newest_first = (1..=self.parts).rev().map(|part| self.dir.path().join(part.to_string()));
        Stack::new(newest_first.map(|part| Overlay::open(&part)).collect(), Marks::User)
    }

    fn base(&self) -> Stack {
        Stack::new(vec![Overlay::open(&self.dir.path().join("base"))], Marks::User)
    }

    /// What shows at `path`: with the upper, or only below it.
    fn sort(&self, path: &str, with_upper: bool) -> Option<FileType> {
        let last = if with_upper { self.parts } else { self.parts - 1 };
        let mut roots: Vec<Root> =
            (1..=last).rev().map(|part| Overlay::open(&self.dir.path().join(part.to_string()))).collect();
        roots.push(Overlay::open(&self.dir.path().join("base")));
        let found = Stack::new(roots, Marks::User).finder().lookup(&RelPath::parse(path).expect("a path"));
        found.expect("an answer").map(|stat| FileType::from_raw_mode(stat.st_mode))
    }

    /// The parent of `path` in the upper, copied up; `None` if there is no such directory.
    fn copy_up(&self, path: &str) -> Option<PathBuf> {
        let parent = Path::new(path).parent().expect("a parent");
        if self.sort(parent.to_str().expect("text"), true) != Some(FileType::Directory) {
            return None;
        }
        let place = self.upper().join(parent);
        fs::create_dir_all(&place).expect("directories");
        Some(self.upper().join(path))
    }

    fn perform(&self, edit: &Edit) {
        match edit {
            Edit::Write(path, byte) => {
                if self.sort(path, true) == Some(FileType::Directory) {
                    return;
                }
                let Some(place) = self.copy_up(path) else { return };
                let _ = fs::remove_file(&place);
                fs::write(place, [*byte]).expect("a file");
            }
            Edit::MakeDirectory(path) => {
                if self.sort(path, true).is_some() {
                    return;
                }
                let Some(place) = self.copy_up(path) else { return };
                let _ = fs::remove_file(&place);
                fs::create_dir(&place).expect("a directory");
                rustix::fs::setxattr(&place, "user.overlay.opaque", b"y", XattrFlags::empty())
                    .expect("a mark");
            }
            Edit::Remove(path) => {
                if self.sort(path, true).is_none() {
                    return;
                }
                let Some(place) = self.copy_up(path) else { return };
                let _ = fs::remove_dir_all(&place);
                let _ = fs::remove_file(&place);
                // Only what shows through from below needs a mark.
                if self.sort(path, true).is_some() {
                    let flags = FileType::CharacterDevice;
                    rustix::fs::mknodat(CWD, place, flags, Mode::empty(), 0).expect("a whiteout");
                }
            }
        }
    }

    fn layer(&self) -> BTreeSet<String> {
        let base = self.base();
        let layer: Vec<String> =
            diff(&self.parts(), Some(&base)).map(|entry| show(entry.expect("an entry"))).collect();
        let set: BTreeSet<String> = layer.iter().cloned().collect();
        assert_eq!(set.len(), layer.len(), "no name comes twice");
        set
    }
}

fn show(entry: Entry) -> String {
    let path = entry.path;
    match entry.node {
        Node::Directory { opaque } => format!("{path}/ {opaque}"),
        Node::Whiteout => format!("{path} gone"),
        Node::File { content: Content::At { dir, name }, .. } => {
            let file = rustix::fs::openat(&dir, name, rustix::fs::OFlags::RDONLY, Mode::empty());
            let text = std::io::read_to_string(fs::File::from(file.expect("it opens"))).expect("text");
            format!("{path} {text:?}")
        }
        other => format!("{path} {other:?}"),
    }
}

/// Few names, so that edits meet.
fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..4).prop_map(|parts| parts.join("/"))
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (path(), 0..128u8).prop_map(|(path, byte)| Edit::Write(path, byte)),
        path().prop_map(Edit::MakeDirectory),
        path().prop_map(Edit::Remove),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn edits_cut_anywhere_give_the_same_layer(
        base in prop::collection::vec(path(), 0..6),
        edits in prop::collection::vec((edit(), any::<bool>()), 1..16),
    ) {
        let whole = Overlay::new(&base);
        let mut cut = Overlay::new(&base);
        for (edit, freeze) in &edits {
            whole.perform(edit);
            cut.perform(edit);
            if *freeze {
                cut.freeze();
            }
        }
        prop_assert_eq!(whole.layer(), cut.layer());

        // The stack of parts over the base shows what the layer over the base shows.
        for (edit, _) in &edits {
            let (Edit::Write(path, _) | Edit::MakeDirectory(path) | Edit::Remove(path)) = edit;
            prop_assert_eq!(whole.sort(path, true), cut.sort(path, true));
        }
    }
}

#[test]
fn marks_that_hide_something_stay() {
    let overlay = Overlay::new(&["a/x".to_owned(), "b".to_owned(), "c/y".to_owned()]);
    for edit in [Edit::Remove("a".into()), Edit::MakeDirectory("a".into()), Edit::Remove("b".into())] {
        overlay.perform(&edit);
    }
    let expected = ["// false", "/a/ true", "/b gone"];
    assert_eq!(overlay.layer(), expected.map(str::to_owned).into());
    assert_eq!(diff(&overlay.parts(), None).filter(Result::is_ok).count(), 2, "b is no whiteout any more");
}

#[test]
fn a_directory_that_is_as_it_was_is_left_out_unless_something_in_it_is_not() {
    let overlay = Overlay::new(&["a/b/x".to_owned(), "c/y".to_owned()]);
    let upper = overlay.upper();
    let paths = ["a", "a/b", "c"];
    for path in paths {
        fs::create_dir(upper.join(path)).expect("a directory");
    }
    for path in paths {
        let looks = fs::metadata(overlay.dir.path().join("base").join(path)).expect("it is there");
        let made = fs::File::open(upper.join(path)).expect("it opens");
        made.set_permissions(looks.permissions()).expect("a mode");
        made.set_modified(looks.modified().expect("a time")).expect("a time");
    }
    let names = || -> Vec<String> {
        let (parts, base) = (overlay.parts(), overlay.base());
        diff(&parts, Some(&base)).map(|entry| entry.expect("an entry").path.to_string()).skip(1).collect()
    };
    assert_eq!(names(), Vec::<String>::new());
    fs::write(upper.join("a/b/new"), "").expect("a file");
    assert_eq!(names(), ["/a", "/a/b", "/a/b/new"]);
    fs::set_permissions(upper.join("c"), std::os::unix::fs::PermissionsExt::from_mode(0o700))
        .expect("a mode");
    assert_eq!(names(), ["/a", "/a/b", "/a/b/new", "/c"]);
}
