//! Bytes from one thread to another, in pieces: what one writes the other reads, and a failure of one ends both.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// How many bytes go at a time.
const PIECE: usize = 256 * 1024;

/// How many pieces are under way at most.
const PIECES: usize = 4;

/// The two ends. The reader sees the end only after [`Inlet::finish`]: a writer that is dropped has failed.
pub(crate) fn pipe() -> (Inlet, Outlet) {
    let (send, receive) = sync_channel(PIECES);
    (
        Inlet { piece: Vec::with_capacity(PIECE), send, abandoned: false },
        Outlet { receive, piece: Vec::new(), at: 0, ended: false },
    )
}

/// Copies all of `from` in pieces that are worth a system call.
pub(crate) fn pour(from: &mut (impl Read + ?Sized), to: &mut impl Write) -> io::Result<u64> {
    let mut piece = vec![0; PIECE];
    let mut poured = 0;
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(poured),
            Ok(count) => {
                to.write_all(&piece[..count])?;
                poured += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

enum Message {
    Piece(Vec<u8>),
    End,
    Failed(io::Error),
}

/// Where bytes go in.
pub(crate) struct Inlet {
    piece: Vec<u8>,
    send: SyncSender<Message>,
    /// Whether the reader was found to be gone.
    abandoned: bool,
}

impl Inlet {
    /// Says that this was all.
    pub fn finish(mut self) -> io::Result<()> {
        self.pass_on()?;
        self.send.send(Message::End).map_err(|_| gone())
    }

    /// Says that there will be no more because of `error`, which the reader gets. `false` if it is gone: it has failed
    /// first.
    pub fn fail(self, error: io::Error) -> bool {
        !self.abandoned && self.send.send(Message::Failed(error)).is_ok()
    }

    fn pass_on(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.send.send(Message::Piece(piece)).map_err(|_| {
            self.abandoned = true;
            gone()
        })
    }
}

impl Write for Inlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..count]);
        if self.piece.len() == PIECE {
            self.pass_on()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "nobody takes the bytes any more")
}

/// Where bytes come out.
pub(crate) struct Outlet {
    receive: Receiver<Message>,
    piece: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Read for Outlet {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() && !self.ended {
            match self.receive.recv() {
                Ok(Message::Piece(piece)) => (self.piece, self.at) = (piece, 0),
                Ok(Message::End) => self.ended = true,
                Ok(Message::Failed(error)) => return Err(error),
                Err(_) => return Err(io::Error::other("whoever made the bytes failed")),
            }
        }
        let count = buffer.len().min(self.piece.len() - self.at);
        buffer[..count].copy_from_slice(&self.piece[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
