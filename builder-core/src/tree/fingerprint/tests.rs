//! Equal content is equal however it is stored, and nothing else is.

use std::io::Write;
use std::path::PathBuf;

use super::*;
use crate::tree::{Content, Meta, Timestamp};

fn entry(path: &str, mode: u32, node: Node) -> Entry {
    let meta = Meta { mode, ..Meta::default() };
    Entry { path: RelPath::parse(path).unwrap(), meta, node }
}

fn print(entries: &[(Entry, &[u8])]) -> String {
    let mut print = Fingerprint::default();
    for (entry, content) in entries {
        let hash = matches!(entry.node, Node::File { .. }).then(|| hash_bytes(content));
        print.add(&RelPath::root(), entry, hash.as_ref());
    }
    print.finish()
}

fn file(path: &str, mode: u32, bytes: &'static [u8]) -> (Entry, &'static [u8]) {
    let size = bytes.len() as u64;
    (entry(path, mode, Node::File { size, content: Content::Bytes(Vec::new()) }), bytes)
}

#[test]
fn everything_but_the_time_counts() {
    let base = print(&[file("a", 0o644, b"x")]);
    let mut later = file("a", 0o644, b"x");
    later.0.meta.mtime = Timestamp::from_seconds(99);
    assert_eq!(print(&[later]), base);
    let mut owned = file("a", 0o644, b"x");
    owned.0.meta.uid = 1;
    let mut attributed = file("a", 0o644, b"x");
    attributed.0.meta.xattrs.insert(b"user.a".to_vec(), b"b".to_vec());
    let link = |target: &str| (entry("a", 0o644, Node::Symlink(PathBuf::from(target))), &b""[..]);
    let others = [
        print(&[file("b", 0o644, b"x")]),
        print(&[file("a", 0o600, b"x")]),
        print(&[file("a", 0o644, b"y")]),
        print(&[file("a", 0o644, b"x"), file("b", 0o644, b"")]),
        print(&[owned]),
        print(&[attributed]),
        print(&[link("x")]),
        print(&[link("y")]),
        print(&[(entry("a", 0o644, Node::Directory { opaque: false }), b"")]),
        print(&[]),
    ];
    for (index, other) in others.iter().enumerate() {
        assert_ne!(*other, base, "case {index}");
        assert!(!others[..index].contains(other), "case {index}");
    }
}

#[test]
fn holes_and_zeros_are_the_same_and_places_differ() {
    let size = 10 * BLOCK as u64 + 5;
    let with_data_at = |at: u64, sparse: bool| {
        let mut file = tempfile::tempfile().unwrap();
        if sparse {
            file.set_len(size).unwrap();
        } else {
            file.write_all(&vec![0; size as usize]).unwrap();
        }
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(b"data").unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        let hash = hash_file(file, size).unwrap();
        assert_eq!(hash, hash_bytes(&bytes));
        hash
    };
    let middle = 5 * BLOCK as u64 + 7;
    assert_eq!(with_data_at(middle, true), with_data_at(middle, false));
    assert_ne!(with_data_at(middle, true), with_data_at(middle + BLOCK as u64, true));
    assert_eq!(with_data_at(size - 4, true), with_data_at(size - 4, false));
}

#[test]
fn a_file_that_shrank_is_an_error() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&[1; 100]).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    assert_eq!(hash_file(file, 200).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn the_place_does_not_count() {
    let at = |base: &str| {
        let link = Node::Hardlink(RelPath::parse(format!("{base}/a")).unwrap());
        let entries = [file(&format!("{base}/a"), 0o644, b"x").0, entry(&format!("{base}/b"), 0, link)];
        let mut print = Fingerprint::default();
        for entry in &entries {
            print.add(&RelPath::parse(base).unwrap(), entry, None);
        }
        print.finish()
    };
    assert_eq!(at("here"), at("over/there"));
}
