//! Two directory trees, compared entry by entry: what an image must keep of a file.

use std::collections::BTreeMap;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// What is compared of a tree: a line for each path.
pub type Listing = BTreeMap<PathBuf, String>;

/// Lists a tree: type, mode, owner, time in seconds, size and content, target, device number, extended attributes, and
/// the first name of a file with several. The root itself is left out, its time is nobody's.
pub fn list(root: &Path) -> Listing {
    let mut lines = Listing::new();
    let mut first_names: BTreeMap<(u64, u64), PathBuf> = BTreeMap::new();
    visit(root, Path::new(""), &mut lines, &mut first_names);
    lines
}

/// Fails with the first differences if the trees are not alike; `minimum` is how many entries there are at least.
#[track_caller]
pub fn assert_alike(ours: &Listing, theirs: &Listing, minimum: usize) {
    let mut differences = Vec::new();
    for path in ours.keys().chain(theirs.keys()) {
        let (ours, theirs) = (ours.get(path), theirs.get(path));
        if ours != theirs {
            differences.push(format!("{}\n  {ours:?}\n  {theirs:?}", path.display()));
        }
    }
    differences.dedup();
    let shown = &differences[..differences.len().min(10)];
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), shown.join("\n"));
    assert!(ours.len() >= minimum, "only {} entries", ours.len());
}

fn visit(root: &Path, below: &Path, lines: &mut Listing, first_names: &mut BTreeMap<(u64, u64), PathBuf>) {
    let mut names: Vec<_> = std::fs::read_dir(root.join(below))
        .expect("a directory is read")
        .map(|item| below.join(item.expect("an entry").file_name()))
        .collect();
    names.sort();
    for name in names {
        let path = root.join(&name);
        let meta = std::fs::symlink_metadata(&path).expect("an entry is looked at");
        let kind = meta.file_type();
        let what = if kind.is_dir() {
            "directory".to_owned()
        } else if kind.is_symlink() {
            format!("link to {}", std::fs::read_link(&path).expect("a link").display())
        } else if kind.is_file() {
            let content = Sha256::digest(std::fs::read(&path).expect("a file is read"));
            format!("{} bytes {content:x?}", meta.len())
        } else if kind.is_fifo() {
            "fifo".to_owned()
        } else {
            format!("device {:x} {}", meta.rdev(), if kind.is_char_device() { "c" } else { "b" })
        };
        let mut same = String::new();
        if !kind.is_dir() && meta.nlink() > 1 {
            let first = first_names.entry((meta.dev(), meta.ino())).or_insert_with(|| name.clone());
            same = format!(" = {}", first.display());
        }
        let line = format!(
            "{:o} {}:{} {} {what}{same} {}",
            meta.mode(),
            meta.uid(),
            meta.gid(),
            meta.mtime(),
            attributes(&path)
        );
        lines.insert(name.clone(), line);
        if kind.is_dir() {
            visit(root, &name, lines, first_names);
        }
    }
}

/// Those an image keeps: `user.*` and file capabilities.
fn attributes(path: &Path) -> String {
    let mut names = vec![0; 65536];
    let Ok(size) = rustix::fs::llistxattr(path, &mut names) else { return String::new() };
    let mut shown: Vec<String> = names[..size]
        .split(|byte| *byte == 0)
        .map(String::from_utf8_lossy)
        .filter(|name| {
            name.starts_with("user.") && !name.starts_with("user.overlay.") || name == "security.capability"
        })
        .map(|name| {
            let mut value = vec![0; 65536];
            let size = rustix::fs::lgetxattr(path, &*name, &mut value).expect("an attribute is read");
            format!("{name}={:02x?}", &value[..size])
        })
        .collect();
    shown.sort();
    shown.join(" ")
}
