//! Threads that take jobs from one queue. What becomes of a job, and in which order, is its own business.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Ends its threads when it is dropped, after the jobs they have.
pub(super) struct Pool<J> {
    jobs: Option<Sender<J>>,
    threads: Vec<JoinHandle<()>>,
}

impl<J: Send + 'static> Pool<J> {
    /// So many threads; `worker` makes what each does with a job, and `false` from that ends the thread: its job was
    /// not done.
    pub fn new<W: FnMut(J) -> bool + Send + 'static>(workers: usize, worker: impl Fn() -> W) -> Self {
        let (jobs, queue) = channel::<J>();
        let queue = Arc::new(Mutex::new(queue));
        let threads = (0..workers).map(|_| {
            let (queue, worker) = (queue.clone(), worker());
            std::thread::spawn(move || work(&queue, worker))
        });
        Pool { jobs: Some(jobs), threads: threads.collect() }
    }

    /// Puts a job into the queue.
    pub fn submit(&self, job: J) -> io::Result<()> {
        let jobs = self.jobs.as_ref().expect("taken only when dropped");
        jobs.send(job).map_err(|_| io::Error::other("all compression workers failed"))
    }
}

impl<J> Drop for Pool<J> {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // One that panicked has shown itself by the missing answer.
            let _ = thread.join();
        }
    }
}

fn work<J>(queue: &Mutex<Receiver<J>>, mut worker: impl FnMut(J) -> bool) {
    loop {
        let job = queue.lock().ok().and_then(|queue| queue.recv().ok());
        let Some(job) = job else { return };
        if !worker(job) {
            return;
        }
    }
}
