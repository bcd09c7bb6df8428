//! What is decided about a segment, and that what is made comes back.

use proptest::prelude::*;

use super::super::tests::noise;
use super::*;

/// Random letters: fewer bits than bytes have, and nothing repeated.
fn letters(length: usize) -> Vec<u8> {
    noise(length).iter().map(|byte| b'a' + byte % 26).collect()
}

fn lines(length: usize) -> Vec<u8> {
    (0..).flat_map(|line: u32| format!("line {line} of some text\n").into_bytes()).take(length).collect()
}

fn judged(level: i32, segment: &[u8]) -> Method {
    let look = Survey::default().look(level, segment);
    look.method(level, &[look])
}

fn inflated(level: i32, block: &[u8], window: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    deflate(level, block, window, &mut packed).expect("deflated");
    let mut inflate = flate2::Decompress::new(false);
    let mut out = Vec::with_capacity(window.len() + block.len() + 1);
    // A raw stream takes no dictionary: the window goes before it, stored.
    let mut stream = Vec::new();
    store(window, &mut stream);
    stream.extend(packed);
    inflate.decompress_vec(&stream, &mut out, flate2::FlushDecompress::Sync).expect("inflated");
    assert_eq!(inflate.total_in(), stream.len() as u64);
    out.split_off(window.len())
}

#[test]
fn random_is_stored_letters_are_counted_and_text_is_searched() {
    for (bytes, method) in [
        (noise(SEGMENT), Method::Store),
        (letters(SEGMENT), Method::Frequency),
        (lines(SEGMENT), Method::Repetition),
        (vec![0; SEGMENT], Method::Repetition),
        (noise(20_000).repeat(7), Method::Easy),
        // Small random files, as a tar has them.
        (noise(SEGMENT).chunks(2500).flat_map(|file| [file, &[b'0'; 500]].concat()).collect(), Method::Easy),
        (letters(20_000).repeat(7), Method::Repetition),
        ([letters(SEGMENT / 2), lines(SEGMENT / 2)].concat(), Method::Repetition),
        // Too little to be judged by.
        (noise(ENOUGH - 1), Method::Repetition),
        (Vec::new(), Method::Repetition),
    ] {
        assert_eq!(judged(5, &bytes), method, "{:?}…", &bytes[..bytes.len().min(16)]);
    }
}

#[test]
fn high_levels_search_everything_and_level_0_nothing() {
    assert_eq!(judged(9, &letters(SEGMENT)), Method::Repetition);
    assert_eq!(judged(9, &noise(SEGMENT)), Method::Store);
    assert_eq!(inflated(0, &lines(300_000), &[]), lines(300_000));
}

#[test]
fn what_repeats_a_little_here_and_there_is_judged_together() {
    let look = |saved| Look { bits: 5 * BIT, saved, of: 1000 };
    let block = [look(150), look(20), look(40)];
    assert_eq!(block[0].method(5, &block[..1]), Method::Repetition);
    assert_eq!(block[0].method(5, &block), Method::Frequency);
    // One that repeats a lot is searched, whatever is beside it.
    let block = [look(250), look(0), look(0), look(0)];
    assert_eq!(block[0].method(5, &block), Method::Repetition);
    assert_eq!(block[1].method(5, &block), Method::Frequency);
    // What is of another kind has no say.
    let block = [look(150), Look { bits: 6 * BIT, saved: 0, of: 9000 }];
    assert_eq!(block[0].method(5, &block), Method::Repetition);
}

#[test]
fn counting_alone_is_hardly_larger_than_searching() {
    let block = letters(1 << 20);
    let (mut counted, mut searched) = (Vec::new(), Vec::new());
    frequency::encode(&block, &mut counted);
    compress(5, WHOLE_WINDOW, &block, &[], &mut searched).expect("deflated");
    assert!(counted.len() <= searched.len() + searched.len() / 12, "{} {}", counted.len(), searched.len());
}

#[test]
fn every_mixture_comes_back() {
    let window = lines(WINDOW);
    for block in [
        [noise(SEGMENT), lines(SEGMENT), letters(SEGMENT), lines(3 * SEGMENT), noise(SEGMENT + 5)].concat(),
        [letters(2 * SEGMENT), noise(1)].concat(),
        [lines(WINDOW), noise(2 * SEGMENT), lines(SEGMENT)].concat(),
        lines(1),
    ] {
        assert!(inflated(5, &block, &window) == block);
        assert!(inflated(5, &block, &[]) == block);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn any_pieces_come_back(pieces in prop::collection::vec((0..3, 0..200_000_usize), 0..6), level in 0..=9) {
        let piece = |(sort, length)| match sort {
            0 => noise(length),
            1 => letters(length),
            _ => lines(length),
        };
        let block: Vec<u8> = pieces.into_iter().flat_map(piece).collect();
        prop_assert!(inflated(level, &block, &[]) == block);
    }
}
