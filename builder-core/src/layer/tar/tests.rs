//! The tar form: what is written, what is refused, what is read.

use std::io::{Cursor, Read};
use std::os::unix::ffi::OsStrExt;

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::error::{Kind, Result};
use crate::tree::{Content, Device, Entry, Meta, Node, RelPath, Timestamp};

fn entry(path: &str, node: Node) -> Entry {
    let meta =
        Meta { mode: 0o644, uid: 10, gid: 20, mtime: Timestamp::from_seconds(1_000), ..Meta::default() };
    Entry { path: RelPath::parse(path).expect("a path"), meta, node }
}

fn file(path: &str, text: &str) -> Entry {
    let content = Content::Bytes(text.as_bytes().to_vec());
    entry(path, Node::File { size: text.len() as u64, content })
}

fn dir(path: &str) -> Entry {
    entry(path, Node::Directory { opaque: false })
}

fn written(entries: Vec<Entry>) -> Vec<u8> {
    let mut out = Vec::new();
    let summary = write(entries.into_iter().map(Ok), &Profile::default(), &mut out).expect("written");
    assert_eq!(summary.bytes, out.len() as u64);
    out
}

/// Everything an entry says, its content read.
fn show(entry: Entry) -> String {
    let Entry { path, meta, node } = entry;
    let node = match node {
        Node::File { size, content } => {
            let mut bytes = Vec::new();
            match content.open().expect("it opens") {
                crate::tree::Opened::Bytes(memory) => bytes = memory,
                crate::tree::Opened::File(mut file) => assert!(file.read_to_end(&mut bytes).is_ok()),
                crate::tree::Opened::Stream(mut stream) => assert!(stream.read_to_end(&mut bytes).is_ok()),
            }
            assert_eq!(size, bytes.len() as u64, "{path}");
            format!("file {size} {}", hex(&bytes))
        }
        Node::Hardlink(target) => return format!("{path} link to {target}"),
        Node::Whiteout => return format!("{path} gone"),
        other => format!("{other:?}"),
    };
    let Meta { mode, uid, gid, mtime, xattrs } = meta;
    format!("{path} {mode:o} {uid}:{gid} {}.{} {xattrs:?} {node}", mtime.seconds, mtime.nanoseconds)
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn shown(tar: Vec<u8>) -> Result<Vec<String>> {
    read(Cursor::new(tar)).map(|entry| entry.map(show)).collect()
}

/// One of everything.
fn sampler() -> Vec<Entry> {
    let mut capable = file("bin/ping", "elf");
    capable.meta.mode = 0o4755;
    capable.meta.xattrs.insert(b"security.capability".to_vec(), vec![1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0]);
    capable.meta.xattrs.insert(b"user.note".to_vec(), b"a=b\nc\0d".to_vec());
    let mut far = file("far", "");
    far.meta.uid = 3_000_000_000;
    far.meta.gid = 2_097_152;
    far.meta.mtime = Timestamp::from_seconds(-86_400);
    let mut late = file("late", "");
    late.meta.mtime = Timestamp::from_seconds(1 << 33);
    let long = "long".repeat(60);
    vec![
        dir("bin"),
        capable,
        entry("bin/sh", Node::Symlink("busybox".into())),
        entry("bin/pong", Node::Hardlink(RelPath::parse("bin/ping").expect("a path"))),
        entry("dev", Node::Directory { opaque: true }),
        entry("dev/null", Node::Char(Device { major: 1, minor: 3 })),
        entry("dev/sda", Node::Block(Device { major: 8, minor: 0x12345 })),
        entry("dev/pipe", Node::Fifo),
        far,
        entry("gone", Node::Whiteout),
        late,
        file(&format!("{}/{}", "d".repeat(90), "n".repeat(60)), "prefix"),
        file(&long, "pax"),
        entry("link", Node::Symlink(long.clone().into())),
        file("ünï", "short names stay in the header"),
        file(&format!("ü{long}"), ""),
    ]
}

#[test]
fn the_written_form_never_changes() {
    let tar = written(sampler());
    // Another digest here means other layers for the same trees: raise WRITER_VERSION and say so.
    assert_eq!(WRITER_VERSION, 1);
    assert_eq!(hex(&tar), "75715269a3c9b4cf27c3736995d44d24c79b3abf8dc31e1c1a49cae16e4b8e80");
}

#[test]
fn what_is_written_is_read_again() {
    let read = shown(written(sampler())).expect("read");
    let expected: Vec<String> = sampler().into_iter().map(show).collect();
    assert_eq!(read, expected);
}

#[test]
fn names_that_are_not_utf8_survive() {
    let raw = |length: usize| {
        let name = [b"\xff\xfe".as_slice(), &vec![b'x'; length]].concat();
        let path = RelPath::parse(std::ffi::OsStr::from_bytes(&name)).expect("a path");
        Entry { path, ..file("x", "") }
    };
    let entries = || vec![raw(10), raw(150)];
    let read = shown(written(entries())).expect("read");
    assert_eq!(read, entries().into_iter().map(show).collect::<Vec<_>>());
}

#[test]
fn times_are_whole_seconds_and_clamped_only_down() {
    let mut early = file("early", "");
    early.meta.mtime = Timestamp { seconds: 5, nanoseconds: 999 };
    let mut out = Vec::new();
    let entries = vec![Ok(early), Ok(file("later", ""))];
    write(entries.into_iter(), &Profile { times: Times::Clamp(100) }, &mut out).expect("written");
    let times: Vec<Timestamp> =
        read(Cursor::new(out)).map(|entry| entry.expect("an entry").meta.mtime).collect();
    assert_eq!(times, [Timestamp::from_seconds(5), Timestamp::from_seconds(100)]);
}

#[test]
fn the_root_is_written_only_if_it_is_unusual_and_sockets_never() {
    let mut usual = dir("");
    usual.meta = Meta { mode: 0o755, mtime: Timestamp::from_seconds(77), ..Meta::default() };
    let socket = entry("s", Node::Socket);
    assert_eq!(written(vec![usual, socket]).len(), 2 * BLOCK, "nothing but the end mark");
    let read = shown(written(vec![dir("")])).expect("read");
    assert_eq!(read.len(), 1);
    assert!(read[0].starts_with("/ 644 10:20"), "{read:?}");
}

#[test]
fn a_name_that_would_mean_a_whiteout_is_refused() {
    let error = write([Ok(file("d/.wh.x", ""))].into_iter(), &Profile::default(), &mut Vec::new());
    assert_eq!(error.expect_err("refused").kind(), Kind::Unsupported);
}

#[test]
fn content_of_another_length_is_an_error() {
    for content in [Content::Bytes(vec![0; 3]), Content::Stream(Box::new(Cursor::new(vec![0; 3])))] {
        let short = entry("f", Node::File { size: 4, content });
        let error = write([Ok(short)].into_iter(), &Profile::default(), &mut Vec::new());
        assert_eq!(error.expect_err("too short").sentence(), "cannot read `/f`");
    }
}

/// A header as foreign tools make them, by the `tar` crate.
fn foreign(name: &[u8], sort: tar::EntryType, body: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_mode(0o600);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(body.len() as u64);
    header.set_entry_type(sort);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(body);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

fn names(tar: &[u8]) -> Result<Vec<String>> {
    read(Cursor::new(tar.to_vec())).map(|entry| entry.map(|entry| entry.path.to_string())).collect()
}

#[test]
fn names_are_made_relative_and_dotdot_is_refused() {
    use tar::EntryType::Regular;
    assert_eq!(names(&foreign(b"/etc//./x", Regular, b"")).expect("read"), ["/etc/x"]);
    assert_eq!(names(&foreign(b"./", tar::EntryType::Directory, b"")).expect("read"), ["/"]);
    for name in [b"../x".as_slice(), b"a/../../x", b"a/.."] {
        assert_eq!(names(&foreign(name, Regular, b"")).expect_err("refused").kind(), Kind::Corrupt);
    }
    let record = b"17 path=a\0b/c\xff\xff\n";
    let tar = [foreign(b"x", tar::EntryType::XHeader, record), foreign(b"y", Regular, b"")].concat();
    assert!(names(&tar).is_err(), "a NUL is in no name");
}

#[test]
fn whiteouts_are_names_of_their_own() {
    use tar::EntryType::{Directory, Regular};
    let mark = |name: &[u8]| foreign(name, Regular, b"");
    let tar = [
        foreign(b"d/", Directory, b""),
        mark(b"d/.wh..wh..opq"),
        mark(b"d/f"),
        mark(b".wh.gone"),
        foreign(b".wh..wh.plnk/", Directory, b""),
        mark(b".wh..wh.aufs"),
        foreign(b"late/", Directory, b""),
        mark(b"late/x"),
        mark(b"late/.wh..wh..opq"),
        mark(b"implied/.wh..wh..opq"),
    ]
    .concat();
    let read: Vec<String> = shown(tar).expect("read");
    let brief: Vec<String> =
        read.iter().map(|line| line.replace(" 0:0 0.0 {}", "").replace(&hex(b""), "")).collect();
    let expected = [
        "/d 600 Directory { opaque: true }",
        "/d/f 600 file 0 ",
        "/gone gone",
        "/late 600 Directory { opaque: false }",
        "/late/x 600 file 0 ",
        "/late 600 Directory { opaque: true }",
        "/implied 755 Directory { opaque: true }",
    ];
    assert_eq!(brief, expected);
    for name in [b".wh.".as_slice(), b".wh..", b".wh...", b"d/.wh..."] {
        assert!(names(&mark(name)).is_err(), "{}", name.escape_ascii());
    }
}

#[test]
fn attributes_that_layers_do_not_carry_are_dropped() {
    let mut body = Vec::new();
    for name in ["user.kept", "user.overlay.opaque", "trusted.overlay.opaque", "security.selinux", "system.x"]
    {
        pax::put(&mut body, format!("SCHILY.xattr.{name}").as_bytes(), b"y");
    }
    let tar = [foreign(b"x", tar::EntryType::XHeader, &body), foreign(b"f", tar::EntryType::Regular, b"")];
    let found = read(Cursor::new(tar.concat())).next().expect("an entry").expect("read");
    assert_eq!(found.meta.xattrs.keys().collect::<Vec<_>>(), [b"user.kept"]);
}

#[test]
fn global_headers_hold_until_taken_back() {
    use tar::EntryType::{Regular, XGlobalHeader, XHeader};
    let record = |key: &[u8], value: &[u8]| {
        let mut body = Vec::new();
        pax::put(&mut body, key, value);
        body
    };
    let tar = [
        foreign(b"g", XGlobalHeader, &record(b"uid", b"7")),
        foreign(b"a", Regular, b""),
        foreign(b"x", XHeader, &record(b"uid", b"8")),
        foreign(b"b", Regular, b""),
        foreign(b"c", Regular, b""),
        foreign(b"g", XGlobalHeader, &record(b"uid", b"")),
        foreign(b"d", Regular, b""),
    ];
    let ids: Vec<u32> =
        read(Cursor::new(tar.concat())).map(|entry| entry.expect("an entry").meta.uid).collect();
    assert_eq!(ids, [7, 8, 7, 0]);
}

#[test]
fn too_large_headers_are_refused_before_they_are_read() {
    for sort in [tar::EntryType::XHeader, tar::EntryType::XGlobalHeader, tar::EntryType::GNULongName] {
        let mut header = foreign(b"x", sort, b"");
        let mut block = tar::Header::from_byte_slice(&header[..BLOCK]).clone();
        block.set_size(1 << 30);
        block.set_cksum();
        header[..BLOCK].copy_from_slice(block.as_bytes());
        assert_eq!(names(&header).expect_err("refused").kind(), Kind::Corrupt, "{sort:?}");
    }
}

#[test]
fn a_tar_cut_anywhere_is_corrupt_or_ends_between_entries() {
    let tar = written(vec![dir("d"), file("d/f", &"x".repeat(700)), file(&"n".repeat(150), "y")]);
    let whole = names(&tar).expect("read");
    for length in 0..tar.len() - 2 * BLOCK {
        match names(&tar[..length]) {
            Ok(part) => assert!(length % BLOCK == 0 && whole.starts_with(&part), "{length}"),
            Err(error) => assert_eq!(error.kind(), Kind::Corrupt, "{length}: {error:?}"),
        }
    }
}

#[test]
fn a_stream_cannot_be_read_once_the_next_entry_is_asked_for() {
    let big = entry("big", Node::File { size: 1 << 20, content: Content::Bytes(vec![7; 1 << 20]) });
    let mut entries = read(Cursor::new(written(vec![big, file("next", "z")])));
    let first = entries.next().expect("an entry").expect("read");
    let next = entries.next().expect("an entry").expect("read");
    assert_eq!(next.path.to_string(), "/next");
    let Node::File { content, .. } = first.node else { panic!("a file") };
    let crate::tree::Opened::Stream(mut stream) = content.open().expect("it opens") else {
        panic!("a stream")
    };
    assert!(stream.read(&mut [0; 10]).is_err());
}

#[test]
fn times_in_pax_headers_have_signs_and_places() {
    let time = |text: &str| pax::time(text.as_bytes()).map(|time| (time.seconds, time.nanoseconds));
    assert_eq!(time("12.5"), Some((12, 500_000_000)));
    assert_eq!(time("12.1234567891"), Some((12, 123_456_789)));
    assert_eq!(time("-1"), Some((-1, 0)));
    assert_eq!(time("-1.25"), Some((-2, 750_000_000)));
    for bad in ["", "x", "1.x", "--1", "+1", "99999999999999999999"] {
        assert_eq!(time(bad), None, "{bad}");
    }
}

#[test]
fn numbers_in_headers_are_octal_or_binary() {
    let number = |field: &[u8]| header::number(field, "number").ok();
    assert_eq!(number(b"0000644\0"), Some(0o644));
    assert_eq!(number(b"   644 \0"), Some(0o644));
    assert_eq!(number(b"\0\0\0\0\0\0\0\0"), Some(0));
    assert_eq!(number(b"77777777"), Some(0o7777_7777));
    assert_eq!(number(b"\x80\0\0\0\0\0\x01\0"), Some(256));
    assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xfe"), Some(-2));
    assert_eq!(number(b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), None);
    assert_eq!(number(b"0000648\0"), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn damaged_tars_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        mend in any::<bool>(),
    ) {
        let mut tar = written(sampler());
        for (index, byte) in &changes {
            let at = index.index(tar.len());
            tar[at] = *byte;
            if mend {
                // A right checksum lets the damage get further.
                let start = at / BLOCK * BLOCK;
                let mut block = tar::Header::from_byte_slice(&tar[start..start + BLOCK]).clone();
                block.set_cksum();
                tar[start..start + BLOCK].copy_from_slice(block.as_bytes());
            }
        }
        for entry in read(Cursor::new(tar)).take(1000) {
            let Ok(entry) = entry else { break };
            if let Node::File { content: Content::Stream(stream), .. } = entry.node {
                let _ = std::io::copy(&mut stream.take(1 << 20), &mut std::io::sink());
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        let _ = shown(bytes.clone());
        let _ = pax::parse(&bytes);
        let _ = pax::time(&bytes);
    }

    #[test]
    fn pax_records_of_any_length_are_read_again(
        key in "[a-z]{1,20}", value in prop::collection::vec(any::<u8>(), 0..2000),
    ) {
        let mut body = Vec::new();
        pax::put(&mut body, key.as_bytes(), &value);
        prop_assert_eq!(pax::parse(&body).expect("read"), vec![(key.into_bytes(), value)]);
    }
}

mod tools;
