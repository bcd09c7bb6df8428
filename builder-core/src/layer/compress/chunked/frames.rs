//! zstd frames, each by itself, compressed by several workers and written in their order.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use zstd::zstd_safe::CParameter;

use super::super::pool::Pool;

/// How much a worker gets at a time: frames are small.
const BATCH: usize = 1 << 20;

/// Frames on their way into `out`.
pub(super) struct Frames<W> {
    out: W,
    level: i32,
    workers: usize,
    pool: Option<Pool<Job>>,
    batch: Batch,
    /// Where the frame begins that is being filled, in the batch.
    open: usize,
    pending: VecDeque<Receiver<Batch>>,
    /// Where each frame ends in what is written.
    ends: Vec<u64>,
    /// Frames that were closed, written or not.
    closed: usize,
}

/// Frames one after the other, and where each ends.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

struct Job {
    batch: Batch,
    reply: SyncSender<Batch>,
}

impl<W: Write> Frames<W> {
    pub fn new(out: W, level: i32, workers: usize) -> Self {
        Frames {
            out,
            level,
            workers,
            pool: None,
            batch: Batch::default(),
            open: 0,
            pending: VecDeque::new(),
            ends: Vec::new(),
            closed: 0,
        }
    }

    /// Adds to the present frame.
    pub fn push(&mut self, bytes: &[u8]) {
        self.batch.bytes.extend_from_slice(bytes);
    }

    /// How many bytes the present frame has.
    pub fn filled(&self) -> usize {
        self.batch.bytes.len() - self.open
    }

    /// Closes the present frame, unless it has nothing in it. Gives the number of the next one.
    pub fn close(&mut self) -> io::Result<usize> {
        if self.filled() > 0 {
            self.open = self.batch.bytes.len();
            self.batch.ends.push(self.open);
            self.closed += 1;
            if self.open >= BATCH {
                self.submit()?;
            }
        }
        Ok(self.closed)
    }

    /// Writes all that was pushed. Gives the sink, and where each frame ends.
    pub fn finish(mut self) -> io::Result<(W, Vec<u64>)> {
        self.close()?;
        if !self.batch.ends.is_empty() {
            self.submit()?;
        }
        while self.collect()? {}
        Ok((self.out, self.ends))
    }

    fn submit(&mut self) -> io::Result<()> {
        while self.pending.len() > self.workers {
            self.collect()?;
        }
        let batch = std::mem::take(&mut self.batch);
        self.open = 0;
        let (reply, done) = sync_channel(1);
        let pool = self.pool.get_or_insert_with(|| {
            let level = self.level;
            Pool::new(self.workers, || worker(level))
        });
        pool.submit(Job { batch, reply })?;
        self.pending.push_back(done);
        Ok(())
    }

    /// Writes the oldest batch under way; `false` if there is none.
    fn collect(&mut self) -> io::Result<bool> {
        let Some(done) = self.pending.pop_front() else { return Ok(false) };
        let done = done.recv().map_err(|_| io::Error::other("a compression worker failed"))?;
        let before = self.ends.last().copied().unwrap_or(0);
        self.ends.extend(done.ends.iter().map(|end| before + *end as u64));
        self.out.write_all(&done.bytes)?;
        Ok(true)
    }
}

/// Compresses batches with one context, which is dear to make.
fn worker(level: i32) -> impl FnMut(Job) -> bool + Send + 'static {
    let mut context = None;
    move |Job { batch, reply }| {
        if context.is_none() {
            context = begin(level).ok();
        }
        let done = context.as_mut().and_then(|context| compress(context, &batch).ok());
        match done {
            Some(done) => {
                let _ = reply.send(done);
                true
            }
            None => false,
        }
    }
}

fn begin(level: i32) -> io::Result<zstd::bulk::Compressor<'static>> {
    let mut context = zstd::bulk::Compressor::new(level)?;
    context.set_parameter(CParameter::ChecksumFlag(true))?;
    Ok(context)
}

fn compress(context: &mut zstd::bulk::Compressor<'static>, batch: &Batch) -> io::Result<Batch> {
    let mut done = Batch::default();
    let mut start = 0;
    for end in &batch.ends {
        done.bytes.extend(context.compress(&batch.bytes[start..*end])?);
        done.ends.push(done.bytes.len());
        start = *end;
    }
    Ok(done)
}
