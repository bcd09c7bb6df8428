//! Archives that are whole, that lie, and that try to lead elsewhere.

use std::io::Cursor;

use super::*;
use crate::error::Kind;

/// A tar of files (name, content) and links (name, target).
fn tar(files: &[(&str, &[u8])], links: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    let header = |size: usize, kind| {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(size as u64);
        header.set_entry_type(kind);
        header
    };
    for (name, content) in files {
        let mut header = header(content.len(), ::tar::EntryType::Regular);
        if name.contains("..") {
            // The crate refuses such names, unless they are put there by hand.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        } else {
            builder.append_data(&mut header, name, *content).unwrap();
        }
    }
    for (name, target) in links {
        builder.append_link(&mut header(0, ::tar::EntryType::Symlink), name, target).unwrap();
    }
    builder.into_inner().unwrap()
}

fn content(tar: &[u8], name: &str) -> io::Result<Vec<u8>> {
    let index = TarIndex::read(&mut Cursor::new(tar)).map_err(io::Error::other)?;
    let (at, size) = index.find(name)?;
    let (at, size) = (usize::try_from(at).unwrap(), usize::try_from(size).unwrap());
    Ok(tar[at..at + size].to_vec())
}

#[test]
fn files_are_found_by_name_and_through_links() {
    let long = format!("{}/layer.tar", "d".repeat(150));
    let tar = tar(
        &[("a/one", b"1"), ("two", &[b'2'; 1000]), ("./three", b"3"), (&long, b"4")],
        &[("a/link", "../two"), ("a/far", "./link"), ("b/long", &format!("../{long}"))],
    );
    for (name, expected) in
        [("a/one", &b"1"[..]), ("./a/one", b"1"), ("three", b"3"), ("a/far", &[b'2'; 1000]), ("b/long", b"4")]
    {
        assert_eq!(content(&tar, name).unwrap(), expected, "{name}");
    }
    assert_eq!(content(&tar, "none").unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn nothing_leads_out() {
    let links = tar(
        &[("manifest.json", b"{}")],
        &[("root", "/etc/passwd"), ("up", "../../etc/passwd"), ("round", "about"), ("about", "round")],
    );
    for name in ["root", "up", "round", "../manifest.json", "a/../../manifest.json"] {
        assert_eq!(content(&links, name).unwrap_err().kind(), io::ErrorKind::InvalidData, "{name}");
    }
    let climbing = tar(&[("../../evil", b"x")], &[]);
    assert!(TarIndex::read(&mut Cursor::new(climbing)).unwrap_err().kind() == Kind::Corrupt);
}

#[test]
fn a_name_that_is_there_twice_is_refused_where_it_is_asked_for() {
    let tar = tar(&[("manifest.json", b"one"), ("manifest.json", b"two"), ("other", b"3")], &[]);
    assert!(content(&tar, "manifest.json").unwrap_err().to_string().contains("twice"));
    assert_eq!(content(&tar, "other").unwrap(), b"3");
}

#[test]
fn what_is_cut_short_or_no_tar_is_refused() {
    let whole = tar(&[("a", &[b'x'; 5000])], &[]);
    for bytes in [&whole[..2000], b"", &[b'x'; 4096], &[0; 1024]] {
        assert_eq!(TarIndex::read(&mut Cursor::new(bytes)).unwrap_err().kind(), Kind::Corrupt);
    }
    let mut lying = whole.clone();
    lying[124..136].copy_from_slice(&[0x80, 0, 0, 0, 0x7f, 255, 255, 255, 255, 255, 255, 255]);
    let sum: u32 = lying[..512].iter().enumerate().fold(0, |sum, (place, byte)| {
        sum + u32::from(if (148..156).contains(&place) { b' ' } else { *byte })
    });
    lying[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    assert_eq!(TarIndex::read(&mut Cursor::new(lying)).unwrap_err().kind(), Kind::Corrupt);
}

/// All that goes by, with the content of each file.
fn all(mut members: Members<impl Read>) -> Result<Vec<(Member, Vec<u8>)>> {
    let mut found = Vec::new();
    while let Some(member) = members.next()? {
        let mut bytes = Vec::new();
        // Of every other file some is left, which is to be passed over.
        let wanted = if found.len() % 2 == 0 { u64::MAX } else { 3 };
        (&mut members).take(wanted).read_to_end(&mut bytes).map_err(|_| bad("cut short"))?;
        found.push((member, bytes));
    }
    Ok(found)
}

proptest::proptest! {
    /// An archive that comes as a stream has in it what it has as a file, whatever somebody has changed in it.
    #[test]
    fn a_stream_has_in_it_what_a_file_has(
        at in 0..4096_usize, byte in proptest::prelude::any::<u8>(), cut in 0..6000_usize,
    ) {
        let long = "d".repeat(150);
        let files: [(&str, &[u8]); 3] = [("a/one", b"1"), (&long, &[b'2'; 1000]), ("./three", b"")];
        let mut tar = tar(&files, &[("link", "a/one")]);
        let at = at % tar.len();
        tar[at] = byte;
        tar.truncate(tar.len() - cut.min(tar.len()) / 4);
        let end = tar.len() as u64;
        let file = all(Members::of_file(Cursor::new(&tar), end));
        if let Ok(file) = file {
            proptest::prop_assert_eq!(all(Members::of_stream(tar.as_slice())).unwrap_or_default(), file);
        }
    }
}
