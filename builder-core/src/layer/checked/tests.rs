//! Blobs that are what they should be, and blobs that are not.

use super::*;
use crate::oci::media_type;

fn read(content: &[u8], descriptor: &Descriptor) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Checked::new(content, descriptor).read_to_end(&mut bytes).map(|_| bytes)
}

#[test]
fn only_the_blob_that_was_named_is_read_to_its_end() {
    let good = Descriptor::of(media_type::CONFIG, b"good");
    assert_eq!(read(b"good", &good).unwrap(), b"good");
    for (content, speaks_of) in
        [(&b"evil"[..], "digest"), (b"goo", "3 bytes"), (b"good and more", "longer"), (b"", "0 bytes")]
    {
        let error = read(content, &good).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains(speaks_of), "{error}");
    }
}

#[test]
fn what_was_not_read_is_part_of_the_digest() {
    let mut blob = Checked::unknown(&b"some bytes"[..]);
    blob.read_exact(&mut [0; 4]).unwrap();
    assert_eq!(blob.finish().unwrap(), (Digest::of(b"some bytes"), 10));
    assert_eq!(blob.finish().unwrap(), (Digest::of(b"some bytes"), 10));
}
