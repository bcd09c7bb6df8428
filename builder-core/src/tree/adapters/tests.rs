//! What each adapter changes and what it leaves alone.

use std::path::PathBuf;

use super::*;
use crate::error::{Error, Kind};
use crate::tree::{Content, Meta, RelPath, Timestamp};

fn entry(at: &str, mode: u32, node: Node) -> Result<Entry> {
    let mtime = Timestamp::from_seconds(100);
    Ok(Entry {
        path: RelPath::parse(at).unwrap(),
        meta: Meta { mode, uid: 7, gid: 8, mtime, ..Meta::default() },
        node,
    })
}

fn file(at: &str, mode: u32) -> Result<Entry> {
    entry(at, mode, Node::File { size: 0, content: Content::Bytes(Vec::new()) })
}

#[test]
fn owner_and_mode_are_set_and_errors_pass() {
    let link = entry("l", 0o777, Node::Symlink(PathBuf::from("x")));
    let failed = Err(Error::new(Kind::Io, "cannot read `x`"));
    let source = vec![file("f", 0o640), link, failed];
    let change = ModeChange::parse("755").unwrap();
    let out: Vec<_> = source.into_iter().owned_by(Some((1, 2))).with_mode(Some(&change)).collect();
    let first = out[0].as_ref().unwrap();
    assert_eq!((first.meta.uid, first.meta.gid, first.meta.mode), (1, 2, 0o755));
    assert_eq!(first.meta.mtime, Timestamp::from_seconds(100));
    let kept = vec![file("f", 0o640)].into_iter().owned_by(None).with_mode(None).next().unwrap().unwrap();
    assert_eq!((kept.meta.uid, kept.meta.gid, kept.meta.mode), (7, 8, 0o640));
    assert_eq!(out[1].as_ref().unwrap().meta.mode, 0o777);
    assert_eq!(out[2].as_ref().unwrap_err().sentence(), "cannot read `x`");
}

#[test]
fn modes_are_read_as_chmod_reads_them() {
    for (text, mode, directory, expected) in [
        ("0", 0o777, false, 0),
        ("4755", 0o600, false, 0o4755),
        ("u=rwX,go=rX", 0o600, false, 0o644),
        ("u=rwX,go=rX", 0o700, false, 0o755),
        ("u=rwX,go=rX", 0o600, true, 0o755),
        ("a+x", 0o640, false, 0o751),
        ("+x", 0o640, false, 0o751),
        ("go-rwx", 0o4777, false, 0o4700),
        ("u=rw+x", 0o077, false, 0o777),
        ("g=u", 0o640, false, 0o660),
        ("o=g-w", 0o660, false, 0o664),
        ("u+s", 0o755, false, 0o4755),
        ("g+s,+t", 0o755, true, 0o3755),
        ("a=rx", 0o6755, false, 0o555),
        ("a=rx", 0o6755, true, 0o6555),
        ("u=", 0o755, false, 0o055),
    ] {
        let change = ModeChange::parse(text).unwrap();
        assert_eq!(
            change.apply(mode, directory),
            expected,
            "{text} on {mode:o}, got {:o}",
            change.apply(mode, directory)
        );
    }
}

#[test]
fn modes_that_make_no_sense_are_refused() {
    for text in ["", "8", "77777", "-", "rwx", "u=q", "z+x", "u=rw,", "u=ug", "0x1ff", "u=r w"] {
        match ModeChange::parse(text) {
            // A lone operator with nothing after it is chmod's no-op.
            Ok(change) => assert_eq!((text, change.apply(0o644, false)), ("-", 0o644)),
            Err(error) => assert_eq!(error.sentence(), format!("cannot use the mode `{text}`")),
        }
    }
}
