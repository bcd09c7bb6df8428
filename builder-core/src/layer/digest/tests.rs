//! The digest does not depend on where the bytes were hashed.

use super::*;

#[test]
fn short_and_long_streams_have_the_digest_of_their_bytes() {
    for length in [0, 1, SHORT as usize, SHORT as usize + 1, SHORT as usize + PIECE * 9 + 17] {
        let bytes: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
        let mut digesting = Digesting::new(Vec::new());
        for piece in bytes.chunks(70_001) {
            digesting.write_all(piece).expect("written");
        }
        let (out, digest, count) = digesting.finish().expect("finished");
        assert!(out == bytes && count == length as u64);
        assert_eq!(digest, <[u8; 32]>::from(Sha256::digest(&bytes)), "{length}");
    }
}

#[test]
fn only_what_the_sink_took_is_hashed() {
    struct Half(Vec<u8>);
    impl Write for Half {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().div_ceil(2);
            self.0.extend_from_slice(&bytes[..count]);
            Ok(count)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut digesting = Digesting::new(Half(Vec::new()));
    digesting.write_all(b"some bytes").expect("written");
    let (out, digest, count) = digesting.finish().expect("finished");
    assert_eq!((out.0.as_slice(), count), (b"some bytes".as_slice(), 10));
    assert_eq!(digest, <[u8; 32]>::from(Sha256::digest(b"some bytes")));
}
