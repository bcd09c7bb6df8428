//! What a build tells: its steps, with what their commands print and what became of them.
//!
//! Plain, on a terminal, as objects for programs, or only of the step that fails. What stages print side by side is
//! kept together step by step; on a terminal it comes line by line, each with its stage's number.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use builder_core::{Event, Fate, Reporter, Result};

use super::lines::{self, Progress};
use super::text;

/// As much as is kept of what a step prints, in bytes: its end, for when it fails.
const KEPT: usize = 64 * 1024;

/// How often running steps are drawn anew on a terminal.
const TICK: Duration = Duration::from_millis(250);

/// How many lines of the step that failed are told again where others were told in between.
const LAST_LINES: usize = 20;

/// How a build is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Plain,
    Terminal,
    Json,
    Quiet,
}

/// A whole build.
#[derive(Debug)]
pub struct BuildTalk {
    form: Form,
    /// Whether stages are at work side by side, so that what a step prints waits for its end.
    parallel: bool,
    log: Option<Arc<File>>,
    rows: Mutex<Vec<Row>>,
    failed: Mutex<Option<FailedStep>>,
    ended: Arc<AtomicBool>,
}

/// What became of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// `1/2 3/4`: stage and step.
    pub place: String,
    /// The instruction in one line.
    pub text: String,
    /// How long it took here.
    pub took: Duration,
    /// Whether all of it was taken from the cache.
    pub cached: bool,
    /// What it wrote, bytes, where that was asked for.
    pub size: u64,
}

/// The step that failed first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailedStep {
    /// The last lines it printed, where they are not the last thing that was told.
    pub last: Vec<String>,
}

impl BuildTalk {
    /// Begins a build; `quiet` tells nothing but failures.
    pub fn new(quiet: bool, parallel: bool, log: Option<Arc<File>>) -> Self {
        let form = match Progress::now() {
            _ if quiet => Form::Quiet,
            Progress::Quiet => Form::Quiet,
            Progress::Json => Form::Json,
            Progress::Tty if log.is_none() => Form::Terminal,
            _ => Form::Plain,
        };
        let ended = Arc::new(AtomicBool::new(false));
        if form == Form::Terminal {
            let ended = Arc::clone(&ended);
            std::thread::spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    std::thread::sleep(TICK);
                    lines::tick();
                }
            });
        }
        BuildTalk { form, parallel, log, rows: Mutex::default(), failed: Mutex::default(), ended }
    }

    /// A step of a stage, which is number `stage.0` of `stage.1` and has `steps`.
    pub fn step(&self, stage: (usize, usize), (number, steps): (usize, usize), text: &str) -> StepTalk<'_> {
        let place = if stage.1 > 1 { format!("[{}/{}] ", stage.0, stage.1) } else { String::new() };
        let talk = StepTalk {
            build: self,
            line: format!("{place}STEP {number}/{steps}: {text}"),
            prefix: place,
            row: Row {
                place: format!("{}/{} {number}/{steps}", stage.0, stage.1),
                text: text.to_owned(),
                took: Duration::ZERO,
                cached: false,
                size: 0,
            },
            began: Instant::now(),
            state: Mutex::default(),
        };
        match self.form {
            _ if text.is_empty() => {}
            Form::Terminal => lines::step_began(&talk.line),
            Form::Json => lines::json(&serde_json::json!({
                "event": "step-began", "stage": stage.0, "stages": stage.1, "step": number, "steps": steps,
                "text": text,
            })),
            Form::Plain | Form::Quiet => talk.write(format!("{}\n", talk.line).as_bytes()),
        }
        talk
    }

    /// What became of the steps so far, in the order in which they ended.
    pub fn rows(&self) -> Vec<Row> {
        lock(&self.rows).clone()
    }

    /// The step that failed first, once.
    pub fn take_failed(&self) -> Option<FailedStep> {
        lock(&self.failed).take()
    }

    fn holds(&self) -> bool {
        self.form == Form::Quiet || (self.form == Form::Plain && self.parallel)
    }

    fn write_out(&self, bytes: &[u8]) {
        use std::io::Write;
        let _ = match &self.log {
            Some(file) => (&**file).write_all(bytes),
            None => std::io::stderr().lock().write_all(bytes),
        };
    }
}

impl Drop for BuildTalk {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// One step of a stage.
#[derive(Debug)]
pub struct StepTalk<'b> {
    build: &'b BuildTalk,
    line: String,
    /// The stage's number, as it is before lines on a terminal.
    prefix: String,
    row: Row,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What waits to be told.
    held: Vec<u8>,
    /// The end of what was printed.
    printed: Vec<u8>,
    /// The beginning of a line on a terminal.
    partial: Vec<u8>,
    cached: bool,
    performed: bool,
}

impl StepTalk<'_> {
    /// The step ends well, having written so many bytes.
    pub fn end(self, size: u64) {
        let took = self.began.elapsed();
        let mut state = lock(&self.state);
        let cached = state.cached && !state.performed;
        if !self.row.text.is_empty() {
            lock(&self.build.rows).push(Row { took, cached, size, ..self.row.clone() });
        }
        match self.build.form {
            Form::Terminal => {
                self.flush_line(&mut state);
                let fate = if cached { "cached".to_owned() } else { text::duration(took) };
                lines::step_ended(&self.line, Some(&format!("{}  {fate}", self.line)));
            }
            Form::Json => lines::json(&serde_json::json!({
                "event": "step-ended", "step": self.row.place, "cached": cached,
                "milliseconds": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            })),
            Form::Plain => {
                if cached {
                    state.held.extend_from_slice(b"--> Using cache\n");
                }
                self.build.write_out(&std::mem::take(&mut state.held));
            }
            Form::Quiet => {}
        }
    }

    /// The step fails: what it printed is shown, if it was not yet.
    pub fn fail(self) {
        let mut state = lock(&self.state);
        match self.build.form {
            Form::Terminal => {
                self.flush_line(&mut state);
                lines::step_ended(&self.line, Some(&format!("{}  failed", self.line)));
            }
            Form::Json => {
                lines::json(&serde_json::json!({"event": "step-failed", "step": self.row.place}));
            }
            Form::Plain | Form::Quiet => self.build.write_out(&std::mem::take(&mut state.held)),
        }
        let printed = String::from_utf8_lossy(&state.printed).into_owned();
        let mut last: Vec<String> = printed.lines().rev().take(LAST_LINES).map(str::to_owned).collect();
        last.reverse();
        // What waited was told just now.
        if !self.build.parallel || self.build.form == Form::Quiet {
            last.clear();
        }
        lock(&self.build.failed).get_or_insert(FailedStep { last });
    }

    fn write(&self, bytes: &[u8]) {
        if !self.build.holds() {
            return self.build.write_out(bytes);
        }
        let mut state = lock(&self.state);
        state.held.extend_from_slice(bytes);
        if self.build.form == Form::Quiet {
            keep_end(&mut state.held);
        }
    }

    /// Shows whole lines on the terminal, above what moves.
    fn show_lines(&self, state: &mut State, bytes: &[u8]) {
        state.partial.extend_from_slice(bytes);
        while let Some(end) = state.partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = state.partial.drain(..=end).collect();
            super::remark(format_args!("{}{}", self.prefix, shown(&line)));
        }
        if state.partial.len() > KEPT {
            self.flush_line(state);
        }
    }

    fn flush_line(&self, state: &mut State) {
        if !state.partial.is_empty() {
            let line = std::mem::take(&mut state.partial);
            super::remark(format_args!("{}{}", self.prefix, shown(&line)));
        }
    }
}

impl Reporter for StepTalk<'_> {
    fn report(&self, event: Event) {
        match (event, self.build.form) {
            (Event::Warning { message, hint }, Form::Terminal | Form::Json) => {
                super::remark(format_args!("warning: {}", text::one_line(&message)));
                hint.iter().for_each(|hint| super::remark(format_args!("hint: {}", text::one_line(hint))));
            }
            (Event::Warning { message, hint }, _) => {
                let hint = hint.map(|hint| format!("hint: {}\n", text::one_line(&hint))).unwrap_or_default();
                self.write(format!("warning: {}\n{hint}", text::one_line(&message)).as_bytes());
            }
            (Event::Step(Fate::Cached), _) => lock(&self.state).cached = true,
            (Event::Step(Fate::Performed(_)), _) => lock(&self.state).performed = true,
            (Event::Began { task, bytes }, Form::Terminal | Form::Json) => lines::began(&task, bytes),
            (Event::Moved { task, bytes }, Form::Terminal | Form::Json) => lines::moved(&task, bytes),
            (Event::Ended { task }, Form::Terminal | Form::Json) => lines::ended(&task),
            _ => {}
        }
    }

    fn choose(&self, question: &str, options: &[String]) -> Result<Option<usize>> {
        if super::is_terminal() { super::choose(question, options).map(Some) } else { Ok(None) }
    }

    fn output(&self, to_stderr: bool, bytes: &[u8]) -> bool {
        let mut state = lock(&self.state);
        state.printed.extend_from_slice(bytes);
        keep_end(&mut state.printed);
        match self.build.form {
            Form::Terminal => self.show_lines(&mut state, bytes),
            Form::Json => lines::json(&serde_json::json!({
                "event": "output", "step": self.row.place,
                "stream": if to_stderr { "stderr" } else { "stdout" },
                "text": String::from_utf8_lossy(bytes),
            })),
            Form::Plain | Form::Quiet => {
                drop(state);
                self.write(bytes);
            }
        }
        true
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Drops what is before the last [`KEPT`] bytes.
fn keep_end(bytes: &mut Vec<u8>) {
    let over = bytes.len().saturating_sub(KEPT);
    bytes.drain(..over);
}

/// A line without its end; of what a carriage return had written over, the last.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches(['\n', '\r']);
    text.rsplit('\r').next().unwrap_or_default().to_owned()
}
