//! Pieces of bytes from another thread as one stream. Where a sender that is gone means a failure, see `pipe`.

use std::io::{self, Read};
use std::ops::Deref;
use std::sync::mpsc::Receiver;

/// The bytes of the pieces in order; they end when the sender is gone.
pub(crate) struct Pieces<P> {
    pieces: Receiver<io::Result<P>>,
    piece: P,
    at: usize,
}

impl<P: Default> Pieces<P> {
    /// All that comes out of `pieces`.
    pub fn new(pieces: Receiver<io::Result<P>>) -> Self {
        Pieces { pieces, piece: P::default(), at: 0 }
    }
}

impl<P: Deref> Read for Pieces<P>
where
    P::Target: AsRef<[u8]>,
{
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.as_ref().len() {
            match self.pieces.recv() {
                Ok(piece) => (self.piece, self.at) = (piece?, 0),
                Err(_) => return Ok(0),
            }
        }
        let left = &self.piece.as_ref()[self.at..];
        let count = buffer.len().min(left.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.at += count;
        Ok(count)
    }
}
