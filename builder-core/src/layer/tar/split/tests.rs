//! Tars taken apart and put together again, and those that are none.

use std::io::Write as _;

use super::crc::Crc;
use super::record::Recorded;
use super::*;
use crate::layer::tar::{Profile, Times, read, write};
use crate::tree::{Apply, Devices, Marks, Options, Root};

fn split(tar: &[u8], pieces: usize) -> std::io::Result<(Vec<u8>, Recorded)> {
    let mut recorder = Recorder::new(Vec::new());
    for piece in tar.chunks(pieces) {
        recorder.write_all(piece)?;
    }
    recorder.finish()
}

fn lines(split: &[u8]) -> Vec<Line> {
    use std::io::Read as _;
    let mut text = String::new();
    flate2::read::GzDecoder::new(split).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A tar with every sort of entry, and the directory it unpacks to.
fn sample() -> (tempfile::TempDir, Vec<u8>) {
    let mut builder = tar::Builder::new(Vec::new());
    let mut put = |kind: tar::EntryType, name: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_uid(7);
        header.set_gid(8);
        header.set_size(content.len() as u64);
        if kind == tar::EntryType::Symlink {
            header.set_link_name("d").unwrap();
        }
        builder.append_data(&mut header, name, content).unwrap();
    };
    put(tar::EntryType::Directory, "d/", b"");
    put(tar::EntryType::Regular, "d/short", b"hi\n");
    put(tar::EntryType::Regular, &format!("d/{}", "long".repeat(50)), &[3; 5000]);
    put(tar::EntryType::Regular, "empty", b"");
    put(tar::EntryType::Regular, "block", &[5; 1024]);
    put(tar::EntryType::Symlink, "link", b"");
    put(tar::EntryType::Directory, "d/", b"");
    let mut bytes = builder.into_inner().unwrap();
    bytes.extend_from_slice(&[0; 9000]);
    let dir = tempfile::tempdir().unwrap();
    let root = Root::open_host(dir.path()).unwrap();
    let options = Options { marks: Marks::None, devices: Devices::Skip, keep_times: true };
    let mut apply = Apply::new(&root, options).unwrap();
    for entry in read(std::io::Cursor::new(bytes.clone())) {
        let mut entry = entry.unwrap();
        (entry.meta.uid, entry.meta.gid) =
            (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        apply.put(entry).unwrap();
    }
    apply.finish().unwrap();
    (dir, bytes)
}

#[test]
fn sums_are_those_of_the_field() {
    let sum = |bytes: &[u8]| {
        let mut sum = Crc::new();
        sum.update(bytes);
        encode(&sum.finish())
    };
    // The first is what containers/storage wrote of a file with these bytes, the second the check value of
    // CRC-64/GO-ISO in the catalogue of CRC algorithms.
    assert_eq!(sum(b"hi\n"), "YUmYEAAAAAA=");
    assert_eq!(sum(b"123456789"), encode(&0xb909_56c7_75a4_1001_u64.to_be_bytes()));
    let long: Vec<u8> = (0..100_000_u32).map(|number| (number % 251) as u8).collect();
    let mut pieces = Crc::new();
    long.chunks(13).for_each(|piece| pieces.update(piece));
    assert_eq!(sum(&long), encode(&pieces.finish()));
}

#[test]
fn a_tar_comes_back_byte_for_byte() {
    let (dir, tar) = sample();
    let root = Root::open_host(dir.path()).unwrap();
    for pieces in [1, 7, 512, 1000, 1 << 20] {
        let (split, recorded) = split(&tar, pieces).unwrap();
        assert_eq!((recorded.uids, recorded.gids), ([7].into(), [8].into()));
        let mut joined = Vec::new();
        join(&split[..], &root, &mut joined).unwrap();
        assert!(joined == tar, "in pieces of {pieces}");
        assert!(split.len() < 2000, "{} bytes hold no content", split.len());
    }
}

#[test]
fn our_own_tars_come_back() {
    let (dir, _) = sample();
    let root = Root::open_host(dir.path()).unwrap();
    let mut tar = Vec::new();
    write(crate::tree::walk(&root, Marks::None), &Profile { times: Times::Keep }, &mut tar).unwrap();
    let (split, _) = split(&tar, 100_000).unwrap();
    let mut joined = Vec::new();
    join(&split[..], &root, &mut joined).unwrap();
    assert!(joined == tar);
    let names: Vec<String> = lines(&split).into_iter().filter_map(|line| line.name).collect();
    assert!(names.contains(&"d/short".to_owned()) && names.contains(&"link".to_owned()), "{names:?}");
    assert!(lines(&split).iter().enumerate().all(|(place, line)| line.position == place as u64));
}

#[test]
fn content_that_changed_is_seen_by_its_length() {
    let (dir, tar) = sample();
    let (split, _) = split(&tar, 4096).unwrap();
    std::fs::write(dir.path().join("d/short"), "h").unwrap();
    let root = Root::open_host(dir.path()).unwrap();
    let error = join(&split[..], &root, &mut std::io::sink()).unwrap_err();
    assert!(format!("{error:?}").contains("has 1 bytes"), "{error:?}");
}

#[test]
fn names_lead_nowhere_else() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("tree")).unwrap();
    std::fs::write(dir.path().join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink("../secret", dir.path().join("tree/link")).unwrap();
    let root = Root::open_host(&dir.path().join("tree")).unwrap();
    for name in ["../secret", "/../secret", "link"] {
        let line = Line { kind: FILE, name: Some(name.into()), size: 6, ..Line::default() };
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        serde_json::to_writer(&mut gz, &line).unwrap();
        let mut out = Vec::new();
        assert!(join(&gz.finish().unwrap()[..], &root, &mut out).is_err() && out.is_empty(), "{name}");
    }
}

#[test]
fn what_is_no_tar_or_no_split_is_told() {
    let (dir, tar) = sample();
    let root = Root::open_host(dir.path()).unwrap();
    assert!(split(&tar[..700], 100).is_err(), "it ends within an entry");
    assert!(split(&[7; 2048], 100).is_err(), "no checksum");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(b"{\"type\":9,\"payload\":null,\"position\":0}\n").unwrap();
    let error = join(&gz.finish().unwrap()[..], &root, &mut std::io::sink()).unwrap_err();
    assert!(format!("{error:?}").contains("unknown type 9"), "{error:?}");
    assert!(join(&b"no gzip"[..], &root, &mut std::io::sink()).is_err());
}
