//! Whole blobs, cut blobs, and what is left over at their ends.

use std::fs;
use std::io::Write;

use super::*;
use crate::error::Kind;
use crate::layer::compress::Encoder;
use crate::tree::{Devices, Marks};

const OPTIONS: Options = Options { marks: Marks::User, devices: Devices::Skip, keep_times: true };

/// A tar of some thousand small files and a large one, as GNU tar writes it: with more than one block at its end.
fn tar() -> Vec<u8> {
    let dir = tempfile::tempdir_in("/dev/shm").expect("a scratch directory");
    for index in 0..2000 {
        fs::write(dir.path().join(format!("f{index}")), format!("text {index}")).expect("a file");
    }
    fs::write(dir.path().join("large"), vec![b'x'; 3 << 20]).expect("a file");
    let out = std::process::Command::new("tar").args(["-cf", "-", "."]).current_dir(dir.path()).output();
    out.expect("tar runs").stdout
}

fn packed(compression: Compression, tar: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(compression, compression.default_level(), 1, Vec::new()).expect("begun");
    encoder.write_all(tar).expect("written");
    encoder.finish().expect("finished").0
}

#[test]
fn a_blob_is_unpacked_and_its_tar_hashed_to_the_end() {
    let tar = tar();
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let to = tempfile::tempdir_in("/dev/shm").expect("a scratch directory");
        let root = Root::open_host(to.path()).expect("it opens");
        let unpacked = unpack(packed(compression, &tar).as_slice(), &root, OPTIONS).expect("unpacked");
        assert_eq!((unpacked.size, unpacked.compression), (tar.len() as u64, Some(compression)));
        assert_eq!(unpacked.digest, <[u8; 32]>::from(Sha256::digest(&tar)));
        assert_eq!(unpacked.stats.entries, 2002);
        assert_eq!(fs::read(to.path().join("f1234")).expect("content"), b"text 1234");
        assert_eq!(fs::metadata(to.path().join("large")).expect("it is there").len(), 3 << 20);
    }
}

#[test]
fn a_cut_or_failing_blob_is_an_error_and_ends() {
    let whole = packed(Compression::Gzip, &tar());
    let to = tempfile::tempdir_in("/dev/shm").expect("a scratch directory");
    let root = Root::open_host(to.path()).expect("it opens");
    for length in [100, whole.len() / 2, whole.len() - 4] {
        let error = unpack(&whole[..length], &root, OPTIONS).expect_err("cut off");
        assert_eq!(error.kind(), Kind::Corrupt, "{length}: {error:?}");
    }
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other(Error::new(Kind::Denied, "cannot fetch `x`")))
        }
    }
    let error = unpack(whole[..5000].chain(Failing), &root, OPTIONS).expect_err("fails");
    assert_eq!(error.kind(), Kind::Denied, "{error:?}");
}

#[test]
fn a_tree_that_cannot_be_made_ends_the_other_threads() {
    let to = tempfile::tempdir_in("/dev/shm").expect("a scratch directory");
    fs::create_dir(to.path().join("tree")).expect("a directory");
    let root = Root::open_host(&to.path().join("tree")).expect("it opens");
    // Gone: nothing can be made in it.
    fs::remove_dir(to.path().join("tree")).expect("removed");
    let error = unpack(tar().as_slice(), &root, OPTIONS).expect_err("no place");
    assert_eq!(error.kind(), Kind::NotFound, "{error:?}");
}
