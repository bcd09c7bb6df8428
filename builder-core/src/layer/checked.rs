//! Blobs that are read and checked at once: no more bytes than they should have, and at their end the right digest.

use std::io::{self, Read};

use crate::oci::{Descriptor, Digest, Hasher};

/// Reads a blob and digests it. Where it is known what the blob should be, its end is an error unless it is that.
pub(crate) struct Checked<R> {
    blob: R,
    expected: Option<(Digest, u64)>,
    hasher: Hasher,
    size: u64,
    found: Option<Digest>,
}

impl<R: Read> Checked<R> {
    /// Reads the blob that `descriptor` names.
    pub fn new(blob: R, descriptor: &Descriptor) -> Self {
        let expected = Some((descriptor.digest, descriptor.size));
        Checked { blob, expected, hasher: Hasher::default(), size: 0, found: None }
    }

    /// Reads a blob of which nothing is known: it is what it turns out to be.
    pub fn unknown(blob: R) -> Self {
        Checked { blob, expected: None, hasher: Hasher::default(), size: 0, found: None }
    }

    /// Reads what is left, and gives digest and length of the whole.
    ///
    /// # Errors
    /// Those of the blob, and `InvalidData` if it is not the expected one.
    pub fn finish(&mut self) -> io::Result<(Digest, u64)> {
        io::copy(self, &mut io::sink())?;
        Ok((self.found.expect("the end was read"), self.size))
    }

    fn end(&mut self) -> io::Result<()> {
        if self.found.is_some() {
            return Ok(());
        }
        let found = std::mem::take(&mut self.hasher).finish();
        match self.expected {
            Some((_, size)) if size != self.size => {
                return Err(bad(format!("the blob has {} bytes, and its descriptor says {size}", self.size)));
            }
            Some((digest, _)) if digest != found => {
                return Err(bad(format!("its content has the digest {found}")));
            }
            _ => self.found = Some(found),
        }
        Ok(())
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let count = self.blob.read(buffer)?;
        if count == 0 {
            self.end()?;
            return Ok(0);
        }
        self.size += count as u64;
        if self.expected.is_some_and(|(_, size)| self.size > size) {
            return Err(bad("the blob is longer than its descriptor says"));
        }
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

fn bad(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests;
