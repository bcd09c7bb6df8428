//! gzip by several workers: fixed blocks of input, each deflated by itself, in their order.
//!
//! Every block but the first may refer to the last 32 KiB of the one before (known to the worker as a dictionary), and
//! ends with a sync flush, so that the pieces are one deflate stream; how a block is deflated is
//! `deflate`'s. Nothing depends on how many workers there are or which is faster. RFC 1951 and 1952.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use flate2::Crc;

use super::deflate::{WINDOW, deflate};
use super::pool::Pool;

/// Input of one block.
const BLOCK: usize = 1 << 20;

/// No name, no time, an unknown system: nothing that differs between machines.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// An empty block with fixed codes, marked as the last.
const LAST: [u8; 2] = [3, 0];

/// The encoder; see the module.
pub(crate) struct Parallel<W> {
    out: W,
    level: i32,
    workers: usize,
    /// Started for the second block; small inputs need no threads.
    pool: Option<Pool<Job>>,
    /// The block that is being filled.
    block: Vec<u8>,
    /// The end of the block before.
    window: Vec<u8>,
    /// Blocks given to workers, oldest first.
    pending: VecDeque<Receiver<Done>>,
    spare: Vec<Done>,
    checksum: Crc,
    begun: bool,
}

struct Job {
    block: Vec<u8>,
    window: Vec<u8>,
    output: Vec<u8>,
    reply: SyncSender<Done>,
}

/// A finished block, its buffers to be used again.
struct Done {
    block: Vec<u8>,
    window: Vec<u8>,
    output: Vec<u8>,
    checksum: Crc,
}

impl<W: Write> Parallel<W> {
    pub(super) fn new(out: W, level: i32, workers: usize) -> io::Result<Self> {
        if !(0..=9).contains(&level) {
            let why = "a gzip level is a number from 0 to 9";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        Ok(Parallel {
            out,
            level,
            workers,
            pool: None,
            block: Vec::new(),
            window: Vec::new(),
            pending: VecDeque::new(),
            spare: Vec::new(),
            checksum: Crc::new(),
            begun: false,
        })
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        if self.pool.is_none() {
            // All there is, is one block or less.
            let mut output = Vec::new();
            let checksum = pack(self.level, &self.block, &[], &mut output)?;
            self.emit(&output, &checksum)?;
        } else if !self.block.is_empty() {
            self.submit()?;
        }
        while self.collect()? {}
        self.out.write_all(&LAST)?;
        self.out.write_all(&self.checksum.sum().to_le_bytes())?;
        self.out.write_all(&self.checksum.amount().to_le_bytes())?;
        Ok(self.out)
    }

    /// Gives the full block to a worker, after taking what is done if too much is under way.
    fn submit(&mut self) -> io::Result<()> {
        while self.pending.len() >= self.workers + 2 {
            self.collect()?;
        }
        let mut next = self.spare.pop();
        let (mut window, output, empty) = match next.take() {
            Some(done) => (done.window, done.output, done.block),
            None => (Vec::with_capacity(WINDOW), Vec::new(), Vec::with_capacity(BLOCK)),
        };
        window.clear();
        window.extend_from_slice(&self.block[self.block.len().saturating_sub(WINDOW)..]);
        let window = std::mem::replace(&mut self.window, window);
        let block = std::mem::replace(&mut self.block, empty);
        self.block.clear();
        let (reply, done) = sync_channel(1);
        let pool = self.pool.get_or_insert_with(|| {
            let level = self.level;
            Pool::new(self.workers, || move |job| work(job, level))
        });
        pool.submit(Job { block, window, output, reply })?;
        self.pending.push_back(done);
        Ok(())
    }

    /// Writes the oldest block under way; `false` if there is none.
    fn collect(&mut self) -> io::Result<bool> {
        let Some(done) = self.pending.pop_front() else { return Ok(false) };
        let done = done.recv().map_err(|_| io::Error::other("a compression worker failed"))?;
        self.emit(&done.output, &done.checksum)?;
        self.spare.push(done);
        Ok(true)
    }

    fn emit(&mut self, output: &[u8], checksum: &Crc) -> io::Result<()> {
        if !self.begun {
            self.begun = true;
            self.out.write_all(&HEADER)?;
        }
        self.checksum.combine(checksum);
        self.out.write_all(output)
    }
}

impl<W: Write> Write for Parallel<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.block.len() == BLOCK {
            self.submit()?;
        }
        let count = bytes.len().min(BLOCK - self.block.len());
        self.block.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Does one job; no answer stands for a failure.
fn work(job: Job, level: i32) -> bool {
    let Job { block, window, mut output, reply } = job;
    let Ok(checksum) = pack(level, &block, &window, &mut output) else { return false };
    let _ = reply.send(Done { block, window, output, checksum });
    true
}

/// Puts a block in `output` as whole bytes of a deflate stream, and gives its checksum.
fn pack(level: i32, block: &[u8], window: &[u8], output: &mut Vec<u8>) -> io::Result<Crc> {
    let mut checksum = Crc::new();
    checksum.update(block);
    deflate(level, block, window, output)?;
    Ok(checksum)
}
