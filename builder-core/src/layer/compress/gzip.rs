//! gzip by several workers: fixed blocks of input, each deflated by itself, in their order.
//!
//! Every block but the first may refer to the last 32 KiB of the one before (known to the worker as a dictionary), and
//! ends with a sync flush, so that the pieces are one deflate stream. Blocks that would not become smaller are stored.
//! Nothing depends on how many workers there are or which is faster. RFC 1951 and 1952.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use flate2::{Compress, Crc, FlushCompress};

/// Input of one block.
const BLOCK: usize = 1 << 20;

/// How far back deflate can refer.
const WINDOW: usize = 32 * 1024;

/// No name, no time, an unknown system: nothing that differs between machines.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// An empty block with fixed codes, marked as the last.
const LAST: [u8; 2] = [3, 0];

/// The encoder; see the module.
pub(crate) struct Parallel<W> {
    out: W,
    level: flate2::Compression,
    workers: usize,
    /// Started for the second block; small inputs need no threads.
    pool: Option<Pool>,
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

struct Pool {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
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
        let level = u32::try_from(level).ok().filter(|level| *level <= 9);
        let level = level.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "a gzip level is a number from 0 to 9")
        })?;
        Ok(Parallel {
            out,
            level: flate2::Compression::new(level),
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
            let checksum = deflate(self.level, &self.block, &[], &mut output)?;
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
        let pool = self.pool.get_or_insert_with(|| Pool::new(self.workers, self.level));
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

impl Pool {
    fn new(workers: usize, level: flate2::Compression) -> Self {
        let (jobs, queue) = channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        let threads = (0..workers).map(|_| {
            let queue = queue.clone();
            std::thread::spawn(move || work(&queue, level))
        });
        Pool { jobs: Some(jobs), threads: threads.collect() }
    }

    fn submit(&self, job: Job) -> io::Result<()> {
        let jobs = self.jobs.as_ref().expect("taken only when dropped");
        jobs.send(job).map_err(|_| io::Error::other("all compression workers failed"))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // One that panicked has shown itself by the missing answer.
            let _ = thread.join();
        }
    }
}

fn work(queue: &Mutex<Receiver<Job>>, level: flate2::Compression) {
    loop {
        let job = queue.lock().ok().and_then(|queue| queue.recv().ok());
        let Some(Job { block, window, mut output, reply }) = job else { return };
        // No answer stands for a failure.
        let Ok(checksum) = deflate(level, &block, &window, &mut output) else { return };
        let _ = reply.send(Done { block, window, output, checksum });
    }
}

/// Puts a block in `output` as whole bytes of a deflate stream.
///
/// The compressor is a new one for every block: what zlib-rs 0.6 keeps over a reset shows in a few bytes of its output,
/// and which blocks a worker had before is chance.
fn deflate(level: flate2::Compression, block: &[u8], window: &[u8], output: &mut Vec<u8>) -> io::Result<Crc> {
    output.clear();
    let mut checksum = Crc::new();
    checksum.update(block);
    if is_incompressible(block)? {
        store(block, output);
    } else {
        run(level, block, window, output)?;
    }
    Ok(checksum)
}

/// Whether the bytes of a block are as good as random: evenly distributed, and samples do not shrink.
fn is_incompressible(block: &[u8]) -> io::Result<bool> {
    if block.len() < SAMPLE || bits_per_byte(block) < RANDOM {
        return Ok(false);
    }
    // Repetitions show within a window's length; distribution alone does not tell them.
    let middle = (block.len() - SAMPLE) / 2;
    for start in [0, middle, block.len() - SAMPLE] {
        let mut trial = Vec::new();
        run(flate2::Compression::fast(), &block[start..start + SAMPLE], &[], &mut trial)?;
        if trial.len() < SAMPLE - SAMPLE / 100 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Bytes tried before a block is stored.
const SAMPLE: usize = 32 * 1024;

/// Random bytes have 8 bits each; a block of them measures within a thousandth of that, text below 6.
const RANDOM: f64 = 7.97;

/// The entropy of single bytes.
fn bits_per_byte(block: &[u8]) -> f64 {
    // Four counts side by side: runs of one byte would wait for each other.
    let mut counts = [[0_u32; 256]; 4];
    for quad in block.chunks_exact(4) {
        for (count, byte) in counts.iter_mut().zip(quad) {
            count[usize::from(*byte)] += 1;
        }
    }
    let total = f64::from(u32::try_from(block.len() / 4 * 4).unwrap_or(u32::MAX));
    (0..256)
        .map(|byte| f64::from(counts.iter().map(|count| count[byte]).sum::<u32>()))
        .filter(|count| *count > 0.0)
        .map(|count| -(count / total) * (count / total).log2())
        .sum()
}

fn run(level: flate2::Compression, block: &[u8], window: &[u8], output: &mut Vec<u8>) -> io::Result<()> {
    let mut deflate = Compress::new(level, false);
    if !window.is_empty() {
        deflate.set_dictionary(window).map_err(io::Error::other)?;
    }
    // More than deflate ever needs, so that one call does it and the bytes do not depend on the room there was.
    output.reserve(block.len() + block.len() / 8 + 1024);
    deflate.compress_vec(block, output, FlushCompress::Sync).map_err(io::Error::other)?;
    if deflate.total_in() != block.len() as u64 || output.len() == output.capacity() {
        return Err(io::Error::other("deflate did not take a whole block"));
    }
    Ok(())
}

/// As stored blocks: a type byte, the length and its complement, the bytes.
fn store(block: &[u8], output: &mut Vec<u8>) {
    output.reserve(block.len() + block.len() / 4096);
    for part in block.chunks(usize::from(u16::MAX)) {
        let length = u16::try_from(part.len()).expect("cut to size");
        output.push(0);
        output.extend_from_slice(&length.to_le_bytes());
        output.extend_from_slice(&(!length).to_le_bytes());
        output.extend_from_slice(part);
    }
}
