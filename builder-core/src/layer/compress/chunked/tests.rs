//! Layers with a table: plain zstd to who does not know it, and a table that leads to each file.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::*;
use crate::layer::compress::{Compression, Encoder, decode};

/// A tar with a bit of everything: files of all sizes, links, a device, a long name, attributes.
fn archive() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |name: &str, kind: tar::EntryType, link: &str, content: &[u8], xattr: bool| {
        if xattr {
            builder.append_pax_extensions([("SCHILY.xattr.user.x", &b"\x00\xff"[..])]).unwrap();
        }
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(0o4755);
        header.set_uid(7);
        header.set_gid(8);
        header.set_mtime(1_000_000_000);
        header.set_size(content.len() as u64);
        if kind == tar::EntryType::Char {
            header.set_device_major(1).unwrap();
            header.set_device_minor(3).unwrap();
        }
        if link.is_empty() {
            builder.append_data(&mut header, name, content).unwrap();
        } else {
            builder.append_link(&mut header, name, link).unwrap();
        }
    };
    let large: Vec<u8> = (0..3_500_000_u32).flat_map(|number| [number as u8, (number >> 9) as u8]).collect();
    add("dir/", tar::EntryType::Directory, "", b"", false);
    add("dir/small", tar::EntryType::Regular, "", b"small", true);
    add("dir/empty", tar::EntryType::Regular, "", b"", false);
    add("dir/large", tar::EntryType::Regular, "", &large, false);
    add("dir/exact", tar::EntryType::Regular, "", &large[..1 << 20], false);
    add("dir/link", tar::EntryType::Symlink, "small", b"", false);
    add("dir/hard", tar::EntryType::Link, "dir/small", b"", false);
    add("dir/null", tar::EntryType::Char, "", b"", false);
    add(&format!("dir/{}", "long".repeat(60)), tar::EntryType::Regular, "", b"long", false);
    builder.into_inner().unwrap()
}

fn pack(plain: &[u8], workers: usize, step: usize) -> (Vec<u8>, BTreeMap<String, String>) {
    let mut encoder = Encoder::new(Compression::ZstdChunked, 3, workers, Vec::new()).unwrap();
    for piece in plain.chunks(step) {
        encoder.write_all(piece).unwrap();
    }
    encoder.finish().unwrap()
}

fn unpack(packed: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    decode(Cursor::new(packed.to_vec())).unwrap().read_to_end(&mut plain).unwrap();
    plain
}

/// The skippable frame's content that an annotation leads to, decompressed.
fn part(packed: &[u8], place: &str) -> Vec<u8> {
    let numbers: Vec<usize> = place.split(':').map(|number| number.parse().unwrap()).collect();
    let found = zstd::decode_all(&packed[numbers[0]..numbers[0] + numbers[1]]).unwrap();
    assert_eq!(found.len(), numbers[2]);
    found
}

#[test]
fn it_is_zstd_and_the_same_however_it_is_written() {
    let plain = archive();
    let (packed, annotations) = pack(&plain, 1, 1 << 20);
    assert!(unpack(&packed) == plain);
    assert_eq!(packed[packed.len() - 8..], *b"GNUlInUx");
    for (workers, step) in [(3, 511), (2, 700_001)] {
        assert!(pack(&plain, workers, step) == (packed.clone(), annotations.clone()), "{workers} {step}");
    }
}

#[test]
fn the_table_leads_to_every_file() {
    let plain = archive();
    let (packed, annotations) = pack(&plain, 2, 100_000);
    let place = &annotations[TABLE_PLACE];
    let numbers: Vec<usize> = place.split(':').map(|number| number.parse().unwrap()).collect();
    let table = &packed[numbers[0]..numbers[0] + numbers[1]];
    assert_eq!(annotations[TABLE_DIGEST], Digest::of(table).to_string());
    let table: Value = serde_json::from_slice(&part(&packed, place)).unwrap();
    let entries = table["entries"].as_array().unwrap();
    let number = |entry: &Value, key: &str| entry[key].as_u64().unwrap_or(0) as usize;
    let mut archive = tar::Archive::new(plain.as_slice());
    let mut listed = entries.iter().peekable();
    for file in archive.entries().unwrap() {
        let mut file = file.unwrap();
        let entry = listed.next().unwrap();
        assert_eq!(entry["name"], String::from_utf8_lossy(&file.path_bytes()).as_ref());
        assert_eq!((number(entry, "mode"), number(entry, "uid"), number(entry, "gid")), (0o4755, 7, 8));
        assert_eq!(entry["modtime"], "2001-09-09T01:46:40Z");
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        assert_eq!(number(entry, "size"), content.len());
        let (start, end) = (number(entry, "offset"), number(entry, "endOffset"));
        let found =
            if content.is_empty() { Vec::new() } else { zstd::decode_all(&packed[start..end]).unwrap() };
        assert!(found == content, "{entry}");
        let digest = if content.is_empty() { Value::Null } else { Digest::of(&content).to_string().into() };
        assert_eq!(entry["digest"], digest);
        let mut chunks = vec![entry];
        while let Some(chunk) = listed.next_if(|next| next["type"] == "chunk") {
            chunks.push(chunk);
        }
        assert_eq!(chunks.len(), content.len().div_ceil(CHUNK).max(1));
        for (place, chunk) in chunks.iter().enumerate().filter(|_| chunks.len() > 1) {
            let next = chunks.get(place + 1).map_or(end, |next| number(next, "offset"));
            let found = zstd::decode_all(&packed[number(chunk, "offset")..next]).unwrap();
            let at = number(chunk, "chunkOffset");
            assert!(found == content[at..at + number(chunk, "chunkSize")], "{chunk}");
            assert_eq!(chunk["chunkDigest"], Digest::of(&found).to_string());
        }
    }
    assert!(listed.next().is_none());
    let of = |name: &str| entries.iter().find(|entry| entry["name"] == name).unwrap();
    assert_eq!(of("dir/small")["xattrs"]["user.x"], STANDARD.encode(b"\x00\xff"));
    assert_eq!((&of("dir/link")["type"], &of("dir/link")["linkName"]), (&"symlink".into(), &"small".into()));
    assert_eq!(of("dir/hard")["type"], "hardlink");
    assert_eq!((number(of("dir/null"), "devMajor"), number(of("dir/null"), "devMinor")), (1, 3));
}

#[test]
fn what_is_beside_the_files_gives_the_tar_again() {
    let plain = archive();
    let (packed, annotations) = pack(&plain, 2, 100_000);
    let split = part(&packed, &annotations[SPLIT_PLACE]);
    let mut files = BTreeMap::new();
    for file in tar::Archive::new(plain.as_slice()).entries().unwrap() {
        let mut file = file.unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        files.insert(String::from_utf8_lossy(&file.path_bytes()).into_owned(), content);
    }
    let mut again = Vec::new();
    for (place, line) in split.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
        let record: Value = serde_json::from_slice(line).unwrap();
        assert_eq!(record["position"], place);
        match record["type"].as_u64().unwrap() {
            1 => again.extend(&files[record["name"].as_str().unwrap()]),
            _ => again.extend(STANDARD.decode(record["payload"].as_str().unwrap()).unwrap()),
        }
    }
    assert!(again == plain);
}

#[test]
fn what_is_no_tar_or_cannot_be_listed_is_refused() {
    let refused = |bytes: &[u8]| {
        let mut encoder = Encoder::new(Compression::ZstdChunked, 3, 1, Vec::new()).unwrap();
        encoder.write_all(bytes).and_then(|()| encoder.finish().map(drop)).unwrap_err().to_string()
    };
    let plain = archive();
    assert!(refused(&vec![7; 5000]).contains("tar"));
    refused(&plain[..plain.len() / 2]);
    refused(&plain[..100]);
    let mut sparse = tar::Header::new_gnu();
    sparse.set_entry_type(tar::EntryType::GNUSparse);
    sparse.set_size(0);
    sparse.set_cksum();
    assert!(refused(sparse.as_bytes()).contains("list"));
    assert!(unpack(&pack(&[], 1, 1).0).is_empty());
}
