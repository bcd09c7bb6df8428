//! All of a tar that is not the content of files, with a checksum for each of those: enough to put the tar together
//! again, byte for byte, out of a tree. The form is the tar-split project's, version 2 of its JSON lines.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// How much of what is between contents is one record at most.
const SEGMENT: usize = 1 << 20;

/// What a record is.
const FILE: u8 = 1;
const BYTES: u8 = 2;

#[derive(Serialize)]
struct Record<'a> {
    r#type: u8,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    size: u64,
    /// In base64: bytes, or a file's checksum, which an empty one has not.
    payload: Option<String>,
    position: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The records, compressed while they come.
pub(super) struct Split {
    records: zstd::Encoder<'static, Vec<u8>>,
    /// Bytes between contents that have no record yet.
    between: Vec<u8>,
    position: u64,
    plain: u64,
    file: Option<(String, u64, Crc64)>,
}

impl Split {
    pub fn new(level: i32) -> io::Result<Self> {
        let records = zstd::Encoder::new(Vec::new(), level)?;
        Ok(Split { records, between: Vec::new(), position: 0, plain: 0, file: None })
    }

    /// Bytes that are no content.
    pub fn between(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(SEGMENT) {
            self.between.extend_from_slice(piece);
            if self.between.len() >= SEGMENT {
                self.segment()?;
            }
        }
        Ok(())
    }

    /// A file, whose content follows.
    pub fn begin(&mut self, name: &str, size: u64) -> io::Result<()> {
        self.segment()?;
        self.file = Some((name.to_owned(), size, Crc64::default()));
        Ok(())
    }

    /// Content of the file.
    pub fn content(&mut self, bytes: &[u8]) {
        if let Some((_, _, checksum)) = &mut self.file {
            checksum.update(bytes);
        }
    }

    /// The file has ended.
    pub fn end(&mut self) -> io::Result<()> {
        let Some((name, size, checksum)) = self.file.take() else { return Ok(()) };
        let payload = (size > 0).then(|| STANDARD.encode(checksum.sum().to_be_bytes()));
        self.put(FILE, &name, size, payload)
    }

    /// The records, compressed, and how many bytes they have plain.
    pub fn finish(mut self) -> io::Result<(Vec<u8>, u64)> {
        self.segment()?;
        Ok((self.records.finish()?, self.plain))
    }

    fn segment(&mut self) -> io::Result<()> {
        if self.between.is_empty() {
            return Ok(());
        }
        let payload = STANDARD.encode(&self.between);
        self.between.clear();
        self.put(BYTES, "", 0, Some(payload))
    }

    fn put(&mut self, kind: u8, name: &str, size: u64, payload: Option<String>) -> io::Result<()> {
        let record = Record { r#type: kind, name, size, payload, position: self.position };
        let mut line = serde_json::to_vec(&record)?;
        line.push(b'\n');
        self.position += 1;
        self.plain += line.len() as u64;
        self.records.write_all(&line)
    }
}

/// The checksum of ISO 3309 with 64 bits, its bits reflected.
#[derive(Debug, Clone, Copy, Default)]
struct Crc64(u64);

/// What each value of a byte does to the sum.
const TABLE: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xd800_0000_0000_0000 } else { sum >> 1 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

impl Crc64 {
    fn update(&mut self, bytes: &[u8]) {
        let step = |sum: u64, byte: &u8| TABLE[usize::from(sum as u8 ^ byte)] ^ sum >> 8;
        self.0 = !bytes.iter().fold(!self.0, step);
    }

    fn sum(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_catalogue() {
        // "CRC-64/GO-ISO" in the catalogue of parametrised CRC algorithms.
        let mut checksum = Crc64::default();
        checksum.update(b"1234");
        checksum.update(b"56789");
        assert_eq!(checksum.sum(), 0xb909_56c7_75a4_1001);
    }
}
