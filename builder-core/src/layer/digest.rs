//! Hashing bytes while they go by.
//!
//! SHA-256 is the slowest part of most streams, so what is long is hashed by a thread of its own; what is short costs
//! no thread.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use sha2::{Digest, Sha256};

/// Up to so many bytes are hashed where they are written.
const SHORT: u64 = 1 << 20;

/// How many bytes the thread gets at a time.
const PIECE: usize = 256 * 1024;

/// How many pieces are under way at most.
const PIECES: usize = 4;

/// Passes on what is written to it, and hashes and counts it.
pub(crate) struct Digesting<W> {
    inner: W,
    bytes: u64,
    hash: Hash,
}

enum Hash {
    Here(Sha256),
    There(Lane),
}

/// A thread that hashes, and the buffers that go round.
struct Lane {
    piece: Vec<u8>,
    full: SyncSender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
    thread: JoinHandle<Sha256>,
}

impl<W: Write> Digesting<W> {
    /// Hashes what goes to `inner` from now on.
    pub(crate) fn new(inner: W) -> Self {
        Digesting { inner, bytes: 0, hash: Hash::Here(Sha256::new()) }
    }

    /// The sink, the SHA-256 and the number of bytes.
    pub(crate) fn finish(self) -> io::Result<(W, [u8; 32], u64)> {
        let hasher = match self.hash {
            Hash::Here(hasher) => hasher,
            Hash::There(lane) => lane.finish()?,
        };
        Ok((self.inner, hasher.finalize().into(), self.bytes))
    }
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.bytes += count as u64;
        match &mut self.hash {
            Hash::Here(hasher) => {
                hasher.update(&bytes[..count]);
                if self.bytes > SHORT {
                    self.hash = Hash::There(Lane::new(hasher.clone()));
                }
            }
            Hash::There(lane) => lane.write(&bytes[..count])?,
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Lane {
    fn new(mut hasher: Sha256) -> Self {
        let (full, work) = sync_channel::<Vec<u8>>(PIECES);
        let (back, empty) = sync_channel(PIECES + 1);
        for _ in 0..PIECES {
            back.send(Vec::with_capacity(PIECE)).expect("there is room for all");
        }
        let thread = std::thread::spawn(move || {
            for mut piece in work {
                hasher.update(&piece);
                piece.clear();
                // Nobody takes it back at the end.
                let _ = back.send(piece);
            }
            hasher
        });
        Lane { piece: Vec::with_capacity(PIECE), full, empty, thread }
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let count = bytes.len().min(PIECE - self.piece.len());
            self.piece.extend_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            if self.piece.len() == PIECE {
                let next = self.empty.recv().map_err(|_| failed())?;
                self.full.send(std::mem::replace(&mut self.piece, next)).map_err(|_| failed())?;
            }
        }
        Ok(())
    }

    fn finish(self) -> io::Result<Sha256> {
        self.full.send(self.piece).map_err(|_| failed())?;
        drop(self.full);
        self.thread.join().map_err(|_| failed())
    }
}

fn failed() -> io::Error {
    io::Error::other("the hashing thread failed")
}

#[cfg(test)]
mod tests;
