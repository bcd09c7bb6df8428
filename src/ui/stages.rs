//! What a build tells: its steps as lines on stderr, each with its stage's number where there are several. What stages
//! print side by side is kept together step by step; a quiet build says nothing until a step fails.

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use builder_core::{Event, Fate, Reporter, Result};

/// As much as is kept of what a step prints, in bytes: its end, for when it fails.
const KEPT: usize = 64 * 1024;

/// Shows one step of a stage.
#[derive(Debug)]
pub struct StageTalk {
    number: usize,
    of: usize,
    steps: usize,
    quiet: bool,
    /// Whether what is printed waits for the end of the step.
    held: bool,
    kept: Mutex<Vec<u8>>,
    log: Option<Arc<File>>,
    /// Whether something was taken from the cache, and whether something was performed.
    fates: Mutex<(bool, bool)>,
}

impl StageTalk {
    /// For a step of stage `number` of `of`, which has `steps`; whether it is quiet, and whether others are at work
    /// beside it; and where it goes, if not to stderr.
    pub fn new(
        (number, of, steps): (usize, usize, usize),
        (quiet, parallel): (bool, bool),
        log: Option<Arc<File>>,
    ) -> Self {
        StageTalk {
            log,
            number,
            of,
            steps,
            quiet,
            held: quiet || parallel,
            kept: Mutex::default(),
            fates: Mutex::default(),
        }
    }

    /// A step begins.
    pub fn step(&self, number: usize, text: &str) {
        let stage = if self.of > 1 { format!("[{}/{}] ", self.number, self.of) } else { String::new() };
        let line = format!("{stage}STEP {number}/{}: {text}\n", self.steps);
        self.write(line.as_bytes());
    }

    /// The step ends well.
    pub fn end(&self) {
        let (cached, performed) = *self.fates.lock().unwrap_or_else(PoisonError::into_inner);
        if cached && !performed {
            self.write(b"--> Using cache\n");
        }
        let mut kept = self.kept();
        if self.held && !self.quiet {
            self.write_out(&kept);
        }
        kept.clear();
    }

    /// The step fails: what it printed is shown, if it was not yet.
    pub fn fail(&self) {
        let mut kept = self.kept();
        if self.held {
            self.write_out(&kept);
        }
        kept.clear();
    }

    fn kept(&self) -> MutexGuard<'_, Vec<u8>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, bytes: &[u8]) {
        if !self.held {
            return self.write_out(bytes);
        }
        let mut kept = self.kept();
        kept.extend_from_slice(bytes);
        let over = kept.len().saturating_sub(KEPT);
        if self.quiet && over > 0 {
            kept.drain(..over);
        }
    }

    fn write_out(&self, bytes: &[u8]) {
        use std::io::Write;
        let _ = match &self.log {
            Some(file) => (&**file).write_all(bytes),
            None => std::io::stderr().lock().write_all(bytes),
        };
    }
}

impl Reporter for StageTalk {
    fn report(&self, event: Event) {
        match event {
            Event::Warning { message, hint } => {
                let hint = hint.map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
                self.write(format!("warning: {message}\n{hint}").as_bytes());
            }
            Event::Step(fate) => {
                let mut fates = self.fates.lock().unwrap_or_else(PoisonError::into_inner);
                match fate {
                    Fate::Cached => fates.0 = true,
                    Fate::Performed(_) => fates.1 = true,
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn choose(&self, question: &str, options: &[String]) -> Result<Option<usize>> {
        if super::is_terminal() { super::choose(question, options).map(Some) } else { Ok(None) }
    }

    fn output(&self, _to_stderr: bool, bytes: &[u8]) -> bool {
        self.write(bytes);
        true
    }
}
