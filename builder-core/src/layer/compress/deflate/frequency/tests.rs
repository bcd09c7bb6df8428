//! What is encoded comes back, whatever the frequencies are.

use proptest::prelude::*;

use super::*;

fn decoded(encoded: &[u8], length: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(length + 1);
    let mut inflate = flate2::Decompress::new(false);
    inflate.decompress_vec(encoded, &mut out, flate2::FlushDecompress::Sync).expect("inflated");
    assert_eq!(inflate.total_in(), encoded.len() as u64);
    out
}

fn comes_back(run: &[u8]) -> bool {
    let mut encoded = Vec::new();
    encode(run, &mut encoded);
    decoded(&encoded, run.len()) == run
}

#[test]
fn one_byte_none_and_all_come_back() {
    let all: Vec<u8> = (0..=255).collect();
    for run in [&b""[..], b"x", b"xy", &[0; 200_000], &[255; BLOCK], &all, &all.repeat(1000)] {
        assert!(comes_back(run), "{:?}…", &run[..run.len().min(8)]);
    }
}

#[test]
fn no_code_is_longer_than_it_may_be() {
    // Each as frequent as the two before together: codes as long as there are symbols.
    let mut counts = [0_u32; SYMBOLS];
    let (mut one, mut next) = (1, 1);
    for count in counts.iter_mut().take(40) {
        *count = one;
        (one, next) = (next, one + next);
    }
    assert_eq!(huffman(&counts).iter().max(), Some(&39));
    for longest in [LONGEST, LONGEST_IN_HEAD] {
        let lengths = lengths(&counts, longest);
        assert!(lengths.iter().all(|length| *length <= longest));
        // Every sequence of bits means something (Kraft).
        let room: u32 = lengths.iter().filter(|l| **l > 0).map(|length| 1 << (longest - length)).sum();
        assert_eq!(room, 1 << longest);
    }
    // Such counts in a block of the size blocks have.
    let run: Vec<u8> = (0..22_u8).zip(counts).flat_map(|(byte, count)| vec![byte; count as usize]).collect();
    assert!(comes_back(&run));
}

#[test]
fn it_takes_what_the_entropy_says() {
    // Hexadecimal digits: four bits each, and some more for the end of a block, which has to have a code as well.
    let run: Vec<u8> =
        (0..1_000_000_u32).map(|n| b"0123456789abcdef"[n.wrapping_mul(0x9e37_79b1) as usize >> 28]).collect();
    let mut encoded = Vec::new();
    encode(&run, &mut encoded);
    assert!(encoded.len() < run.len() / 2 + run.len() / 50, "{}", encoded.len());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn any_frequencies_come_back(shape in prop::collection::vec((any::<u8>(), 0..5000_usize), 0..60)) {
        let run: Vec<u8> = shape.into_iter().flat_map(|(byte, times)| vec![byte; times]).collect();
        prop_assert!(comes_back(&run));
    }
}
