//! Which sections are easy, and that the bytes do not depend on how they come.

use super::super::tests::noise_from as noise;
use super::*;

const MIB: usize = 1 << 20;

/// Heads of 512 bytes that are nearly alike, each with 3,000 random bytes.
fn small_files(length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.extend_from_slice(&[b'0' + (number % 10) as u8; 512]);
        bytes.extend(noise(number, 3000));
        if bytes.len() >= length {
            break;
        }
    }
    bytes.truncate(length);
    bytes
}

fn is_easy(bytes: &[u8]) -> bool {
    let mut survey = Survey::default();
    for section in bytes.chunks(SECTION as usize) {
        section.chunks(STRETCH).for_each(|stretch| survey.look(stretch));
        survey.judge();
    }
    survey.easy
}

fn compressed(bytes: &[u8], workers: usize, piece: usize) -> Vec<u8> {
    let mut encoder = Sections::new(Vec::new(), DEFAULT, workers).expect("begun");
    bytes.chunks(piece).for_each(|piece| encoder.write_all(piece).expect("written"));
    encoder.finish().expect("finished")
}

#[test]
fn random_bytes_are_easy_unless_they_come_again() {
    let random = noise(1, 3 * MIB);
    assert!(is_easy(&random));
    assert!(is_easy(&small_files(3 * MIB)));
    assert!(!is_easy(&[&random[..], &random].concat()), "in the section after");
    assert!(!is_easy(&[&random[..MIB], &random[..MIB], &random[MIB..2 * MIB]].concat()), "in the same");
    assert!(!is_easy(&"some words of text, and more of them\n".repeat(100_000).into_bytes()));
    assert!(!is_easy(&[noise(2, MIB), vec![0; MIB]].concat()), "only the half is random");
    assert!(!is_easy(&[]));
}

/// The search that takes little would not find what came more than a megabyte before.
#[test]
fn what_comes_again_is_found() {
    let random = noise(1, MIB * 7 / 4);
    let size = compressed(&random.repeat(4), 2, MIB).len();
    assert!(size < 2 * MIB, "{size}");
}

/// zstd is told of a section only when the one before has begun, however full its table of jobs is.
#[test]
fn the_bytes_depend_neither_on_writes_nor_on_workers() {
    let kinds = [noise(1, 5 * MIB), vec![b'x'; 3 * MIB], small_files(9 * MIB), noise(3, MIB + 7)];
    let mut bytes = kinds.concat();
    bytes.extend("words that are not random at all ".bytes().cycle().take(6 * MIB));
    let first = compressed(&bytes, 1, bytes.len());
    for (workers, piece) in [(2, bytes.len()), (8, 1000), (1, STRETCH + 1), (3, SECTION as usize)] {
        assert!(compressed(&bytes, workers, piece) == first, "{workers} workers, {piece} bytes at a time");
    }
    assert!(zstd::decode_all(&first[..]).expect("decompressed") == bytes);
}
