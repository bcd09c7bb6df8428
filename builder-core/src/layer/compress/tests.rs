//! Round trips, one result for any number of workers, and damage.

use std::io::{Cursor, Read, Write};
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;
use crate::error::{Context, Kind};

/// Bytes that look random but are the same every time.
pub(super) fn noise(length: usize) -> Vec<u8> {
    noise_from(0x9e37_79b9_7f4a_7c15, length)
}

/// As [`noise`], other bytes for every `state`, which is not 0.
pub(super) fn noise_from(mut state: u64, length: usize) -> Vec<u8> {
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn text(length: usize) -> Vec<u8> {
    (0..).flat_map(|line: u32| format!("line {line} of some text\n").into_bytes()).take(length).collect()
}

/// Blocks of both kinds, with an odd end.
fn mixed() -> Vec<u8> {
    [text(1_500_000), noise(3_000_000), text(700_001)].concat()
}

fn compressed(compression: Compression, workers: usize, bytes: &[u8]) -> Vec<u8> {
    let mut encoder =
        Encoder::new(compression, compression.default_level(), workers, Vec::new()).expect("begun");
    // Odd pieces: where writes end must not matter.
    for piece in bytes.chunks(123_457) {
        encoder.write_all(piece).expect("written");
    }
    encoder.finish().expect("finished").0
}

fn plain(bytes: &[u8]) -> crate::Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut decoder = decode(Cursor::new(bytes.to_vec())).cannot("decompress", "it")?;
    decoder.read_to_end(&mut out).cannot("decompress", "it")?;
    Ok(out)
}

const ALL: [Compression; 3] = [Compression::None, Compression::Gzip, Compression::Zstd];

#[test]
fn what_is_compressed_comes_back() {
    for compression in ALL {
        for bytes in [Vec::new(), b"x".to_vec(), text(1 << 20), text((1 << 20) + 1), mixed()] {
            let packed = compressed(compression, 2, &bytes);
            assert!(plain(&packed).expect("decompressed") == bytes, "{compression:?} {}", bytes.len());
            let form = decode(Cursor::new(packed)).expect("detected").compression();
            assert_eq!(form, Some(compression), "{}", bytes.len());
        }
    }
}

/// Words in no order: what deflate finds in them depends on all it remembers.
fn words(length: usize) -> Vec<u8> {
    let pairs = noise(length / 4);
    let word = |pair: &[u8]| format!("w{:x} ", u32::from(pair[0]) * u32::from(pair[1])).into_bytes();
    pairs.chunks_exact(2).cycle().flat_map(word).take(length).collect()
}

#[test]
fn the_bytes_are_the_same_for_any_number_of_workers() {
    let bytes = [mixed(), words(8 << 20)].concat();
    for compression in ALL {
        let one = compressed(compression, 1, &bytes);
        for workers in [0, 2, 5] {
            assert!(compressed(compression, workers, &bytes) == one, "{compression:?} with {workers}");
        }
    }
}

#[test]
fn noise_is_stored_and_repeated_noise_is_not() {
    let random = noise(4 << 20);
    let packed = compressed(Compression::Gzip, 2, &random);
    assert!(packed.len() <= random.len() + random.len() / 1000, "{}", packed.len());
    let repeated = noise(5_000).repeat(800);
    let packed = compressed(Compression::Gzip, 2, &repeated);
    assert!(packed.len() < repeated.len() / 20, "{}", packed.len());
}

#[test]
fn the_usual_tools_open_it_and_the_other_way_round() {
    let bytes = mixed();
    for (compression, tool) in [(Compression::Gzip, "gzip"), (Compression::Zstd, "zstd")] {
        let Some(out) = pipe(tool, "-dc", &compressed(compression, 2, &bytes)) else {
            crate::testing::not_run(
                "the_usual_tools_open_it_and_the_other_way_round",
                &format!("needs {tool}"),
            );
            continue;
        };
        assert!(out == bytes, "{tool}");
        assert!(plain(&pipe(tool, "-c", &bytes).expect("it runs")).expect("decompressed") == bytes, "{tool}");
    }
}

fn pipe(tool: &str, flag: &str, input: &[u8]) -> Option<Vec<u8>> {
    let mut child = Command::new(tool).arg(flag).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    let mut stdin = child.stdin.take().expect("a pipe");
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).expect("taken"));
        let out = child.wait_with_output().expect("it ends");
        assert!(out.status.success(), "{tool}");
        Some(out.stdout)
    })
}

#[test]
fn members_follow_each_other_and_padding_is_ignored() {
    for compression in [Compression::Gzip, Compression::Zstd] {
        let twice = [compressed(compression, 1, b"one "), compressed(compression, 1, b"two")].concat();
        assert_eq!(plain(&twice).expect("decompressed"), b"one two", "{compression:?}");
    }
    let padded = [compressed(Compression::Gzip, 1, b"one"), vec![0; 1000]].concat();
    assert_eq!(plain(&padded).expect("decompressed"), b"one");
}

#[test]
fn cut_and_damaged_streams_are_corrupt() {
    let bytes = text(300_000);
    for compression in [Compression::Gzip, Compression::Zstd] {
        let whole = compressed(compression, 1, &bytes);
        for length in [5, 7, 11, 100, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
            let error = plain(&whole[..length]).expect_err("cut off");
            assert_eq!(error.kind(), Kind::Corrupt, "{compression:?} {length}: {error:?}");
        }
        for at in [whole.len() / 3, whole.len() / 2, whole.len() - 2] {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            let error = plain(&damaged).expect_err("damaged");
            assert_eq!(error.kind(), Kind::Corrupt, "{compression:?} {at}: {error:?}");
        }
    }
}

#[test]
fn forms_of_other_tools_are_read() {
    let bytes = text(300_000);
    for tool in ["bzip2", "xz"] {
        let Some(packed) = pipe(tool, "-c", &bytes) else {
            crate::testing::not_run("forms_of_other_tools_are_read", &format!("needs {tool}"));
            continue;
        };
        assert!(plain(&packed).expect("decompressed") == bytes, "{tool}");
        let twice = [packed.as_slice(), &packed].concat();
        assert!(plain(&twice).expect("two streams") == bytes.repeat(2), "{tool}");
        assert_eq!(plain(&pipe(tool, "-c", b"").expect("it runs")).expect("empty"), b"", "{tool}");
        for length in [14, 100, packed.len() / 2, packed.len() - 1] {
            let error = plain(&packed[..length]).expect_err("cut off");
            assert_eq!(error.kind(), Kind::Corrupt, "{tool} {length}: {error:?}");
        }
        let mut damaged = packed.clone();
        damaged[packed.len() / 2] ^= 0x55;
        let error = plain(&damaged).expect_err("damaged");
        assert_eq!(error.kind(), Kind::Corrupt, "{tool}: {error:?}");
    }
    assert_eq!(plain(b"BZh is a text").expect("no compression"), b"BZh is a text");
}

#[test]
fn xz_gets_no_more_memory_than_it_may_have() {
    let Some(packed) = pipe("xz", "--lzma2=dict=512MiB", &text(100_000)) else {
        crate::testing::not_run("xz_gets_no_more_memory_than_it_may_have", "needs xz");
        return;
    };
    let error = plain(&packed).expect_err("too much");
    assert_eq!(error.kind(), Kind::Unsupported, "{error:?}");
    assert!(error.hint_text().is_some_and(|hint| hint.contains("xz -9")), "{error:?}");
}

#[test]
fn levels_out_of_range_are_refused() {
    assert!(Encoder::new(Compression::Gzip, 10, 1, Vec::new()).is_err());
    assert!(Encoder::new(Compression::Gzip, -1, 1, Vec::new()).is_err());
}

#[test]
fn a_sink_that_fails_ends_the_work() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for compression in ALL {
        let mut encoder = Encoder::new(compression, compression.default_level(), 2, Full).expect("begun");
        let written = encoder.write_all(&mixed());
        let error = written.and_then(|()| encoder.finish().map(drop)).expect_err("full");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{compression:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000), form in 0..5_usize) {
        let magic: [&[u8]; 5] = [
            b"",
            b"\x1f\x8b\x08\x00\0\0\0\0\0\xff",
            b"\x28\xb5\x2f\xfd",
            b"BZh91AY&SY",
            b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4\x46\x02\x00\x21\x01\x16\0\0\0",
        ];
        if let Ok(decoder) = decode(Cursor::new([magic[form], &bytes].concat())) {
            let _ = io::copy(&mut decoder.take(1 << 24), &mut io::sink());
        }
    }
}
