//! What unit tests share. A test that this machine or user cannot run says so here, and is listed at the end.

use std::io::Write;
use std::sync::Mutex;

use crate::event::{Event, Reporter};

/// Keeps what is told of pieces of work, a line for each event; of several in a row that something moved, the last: how
/// many there are depends on the time.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Vec<String>>);

impl Heard {
    /// What was told so far.
    pub(crate) fn told(&self) -> Vec<String> {
        self.0.lock().expect("no reporter panics").clone()
    }
}

impl Reporter for Heard {
    fn report(&self, event: Event) {
        let number = |bytes: Option<u64>| bytes.map_or_else(|| "?".to_owned(), |bytes| bytes.to_string());
        let mut told = self.0.lock().expect("no reporter panics");
        if let Event::Moved { task, .. } = &event {
            told.pop_if(|last| last.starts_with(&format!("moved {task}: ")));
        }
        told.push(match event {
            Event::Began { task, bytes } => format!("began {task}: {}", number(bytes)),
            Event::Moved { task, bytes } => format!("moved {task}: {bytes}"),
            Event::Ended { task, sent } => format!("ended {task}: {}", number(sent)),
            Event::Stopped { task } => format!("stopped {task}"),
            other => format!("{other:?}"),
        });
    }
}

/// Whether the test may act as root. If not, `test` is added to the list of tests that did not run, with the reason.
pub(crate) fn require_root(test: &str) -> bool {
    if rustix::process::geteuid().is_root() {
        return true;
    }
    not_run(test, "needs root");
    false
}

/// Adds a line to the file named by `KILN_TESTS_NOT_RUN`; the test command prints that file and compares it on CI.
pub(crate) fn not_run(test: &str, reason: &str) {
    if let Some(path) = std::env::var_os("KILN_TESTS_NOT_RUN") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        writeln!(file.expect("the list of tests not run opens"), "{test}: {reason}")
            .expect("it can be written");
    }
}
