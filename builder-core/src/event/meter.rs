//! Bytes that are counted while they go by: told now and then, and their exact number at the end.

use std::io::{self, Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Event, Reporter};

/// So much time is between two reports at least: the eye sees no more, and what is slow is told of as often.
const PAUSE: Duration = Duration::from_millis(100);

/// Tells how far one piece of work has come. Dropped before its end, it tells that the work has stopped.
pub(crate) struct Meter<'a> {
    reporter: &'a dyn Reporter,
    task: String,
    count: Mutex<Count>,
    ended: bool,
}

struct Count {
    bytes: u64,
    /// How many of them were reported.
    told: u64,
    when: Instant,
}

impl<'a> Meter<'a> {
    /// Begins to tell of `task`, e.g. `copying blob 0123456789ab`, of so many bytes where that is known.
    pub(crate) fn begin(reporter: &'a dyn Reporter, task: String, bytes: Option<u64>) -> Self {
        reporter.report(Event::Began { task: task.clone(), bytes });
        let count = Count { bytes: 0, told: 0, when: Instant::now() };
        Meter { reporter, task, count: Mutex::new(count), ended: false }
    }

    /// What it is done to: the last word of the task.
    pub(crate) fn what(&self) -> &str {
        self.task.rsplit(' ').next().unwrap_or(&self.task)
    }

    /// So many bytes more have gone by.
    pub(crate) fn add(&self, bytes: u64) {
        let mut count = self.count();
        count.bytes += bytes;
        if count.when.elapsed() >= PAUSE {
            self.tell(&mut count);
        }
    }

    /// The work has ended well, and has put so many bytes where they should go, if it was to put any anywhere.
    pub(crate) fn end(mut self, sent: Option<u64>) {
        self.tell(&mut self.count());
        self.ended = true;
        self.reporter.report(Event::Ended { task: self.task.clone(), sent });
    }

    fn tell(&self, count: &mut Count) {
        if count.told != count.bytes {
            (count.told, count.when) = (count.bytes, Instant::now());
            self.reporter.report(Event::Moved { task: self.task.clone(), bytes: count.bytes });
        }
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.reporter.report(Event::Stopped { task: std::mem::take(&mut self.task) });
        }
    }
}

/// Reads or writes, and has a meter count the bytes.
pub(crate) struct Metered<'m, T> {
    inner: T,
    meter: &'m Meter<'m>,
}

impl<'m, T> Metered<'m, T> {
    /// Counts what goes through `inner` from now on.
    pub(crate) fn new(inner: T, meter: &'m Meter<'m>) -> Self {
        Metered { inner, meter }
    }
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.meter.add(count as u64);
        Ok(count)
    }
}

impl<W: Write> Write for Metered<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.meter.add(count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests;
