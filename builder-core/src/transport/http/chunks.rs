//! Bodies of unknown length in large chunks.
//!
//! ureq writes chunks of 10 KiB (RFC 9112, 7.1). For each, a server reads the head, what is left in its buffer, and the
//! rest, and passes each of them on by itself: docker-registry takes half as much time again as for a body whose length
//! is known. What goes to the connection at a time is therefore made one chunk.

use std::fmt;

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// The longest line before a chunk, bytes: a length of 64 bits and the end of the line.
const LONGEST_LINE: usize = 18;

/// What is longer is no head of ours, bytes.
const LONGEST_HEAD: usize = 256 << 10;

/// The last link of a chain.
#[derive(Debug)]
pub(super) struct LargeChunks;

impl<In: Transport> Connector<In> for LargeChunks {
    type Out = Chunking<In>;

    fn connect(
        &self,
        _details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|below| Chunking { below, part: Part::Head(Vec::new()) }))
    }
}

/// A connection that sees which part of a request goes by.
pub(super) struct Chunking<T> {
    below: T,
    part: Part,
}

/// What is sent next.
enum Part {
    /// The head of a request; so much of it is sent.
    Head(Vec<u8>),
    /// A body in chunks.
    Chunks,
    /// A body of a length that the head told, or none.
    Other,
}

impl<T: Transport> Transport for Chunking<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.below.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let output = &mut self.below.buffers().output()[..amount];
        let amount = match &mut self.part {
            Part::Head(head) => {
                head.extend_from_slice(output);
                if head.ends_with(b"\r\n\r\n") || head.len() > LONGEST_HEAD {
                    self.part = if is_chunked(head) { Part::Chunks } else { Part::Other };
                }
                amount
            }
            Part::Chunks => joined(output).unwrap_or(amount),
            Part::Other => amount,
        };
        self.below.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        // Whatever is sent after an answer is a new request.
        self.part = Part::Head(Vec::new());
        self.below.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.below.is_open()
    }

    fn is_tls(&self) -> bool {
        self.below.is_tls()
    }
}

impl<T> fmt::Debug for Chunking<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunking").finish_non_exhaustive()
    }
}

fn is_chunked(head: &[u8]) -> bool {
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.any(|line| line.eq_ignore_ascii_case(b"transfer-encoding: chunked"))
}

/// Makes one chunk of all that are in `output`, in place, and says how long it is. `None` if there are not several, or
/// not nothing but whole ones: then they are as they were.
fn joined(output: &mut [u8]) -> Option<usize> {
    let mut rest = &output[..];
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        let line = rest.iter().take(LONGEST_LINE).position(|byte| *byte == b'\n')? + 1;
        let length = std::str::from_utf8(rest[..line].strip_suffix(b"\r\n")?).ok()?;
        let length = usize::from_str_radix(length, 16).ok()?;
        let begin = output.len() - rest.len() + line;
        rest = rest.get(line..)?.get(length..)?.strip_prefix(b"\r\n")?;
        chunks.push(begin..begin + length);
    }
    // An empty one is the end of a body.
    if chunks.len() < 2 || chunks.iter().any(std::ops::Range::is_empty) {
        return None;
    }
    let total: usize = chunks.iter().map(std::ops::Range::len).sum();
    let line = format!("{total:x}\r\n");
    // The first may move up for a longer line, but into nothing that is still to be moved.
    let mut end = line.len();
    if end + chunks[0].len() > chunks[1].start {
        return None;
    }
    for chunk in chunks {
        let length = chunk.len();
        output.copy_within(chunk, end);
        end += length;
    }
    output[..line.len()].copy_from_slice(line.as_bytes());
    output[end..end + 2].copy_from_slice(b"\r\n");
    Some(end + 2)
}

#[cfg(test)]
mod tests;
