//! What a build tells: its steps, with what their commands print and what became of them.
//!
//! Plain, on a terminal, as objects for programs, or only of the step that fails. What stages print side by side is
//! kept together step by step; on a terminal it comes line by line, each with its stage's number. Called as `buildah`
//! it is told as Buildah tells it: stage after stage, steps and what commands print on standard output.

mod turns;

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use builder_core::{Event, Fate, Reporter, Result};
use dockerfile_frontend::verbs::StageName;

use self::turns::{Stream, Turns};
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
    /// As Buildah tells it.
    Buildah,
    /// As Buildah does with --quiet: only what commands print to standard error.
    QuietBuildah,
}

/// What decides how a build is told.
#[derive(Debug, Default)]
pub struct Manner {
    /// Nothing is told but failures.
    pub quiet: bool,
    /// Whether stages are at work side by side, so that what a step prints waits for its end.
    pub parallel: bool,
    /// The file that all of it goes to.
    pub log: Option<Arc<File>>,
    /// Whether it is told as Buildah tells it.
    pub as_buildah: bool,
    /// Whether, told as Buildah does, what a command printed is not told again where its step is cached.
    pub forgets: bool,
    /// The platform, where images of several are built.
    pub platform: Option<String>,
    /// How many stages the file has up to the target, needed or not.
    pub stages: usize,
}

/// A whole build.
#[derive(Debug)]
pub struct BuildTalk {
    form: Form,
    manner: Manner,
    turns: Turns,
    rows: Mutex<Vec<Row>>,
    failed: Mutex<Vec<FailedStep>>,
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

/// A step that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailedStep {
    /// The number of its stage among those that are built.
    pub stage: usize,
    /// The last lines it printed, where they are not the last thing that was told.
    pub last: Vec<String>,
}

impl BuildTalk {
    /// Begins a build.
    pub fn new(manner: Manner) -> Self {
        let form = match Progress::now() {
            _ if manner.quiet && manner.as_buildah => Form::QuietBuildah,
            _ if manner.quiet => Form::Quiet,
            Progress::Quiet => Form::Quiet,
            Progress::Json => Form::Json,
            // Only where nothing but a terminal reads what Buildah would print there.
            Progress::Tty if manner.log.is_none() && (!manner.as_buildah || lines::is_live()) => {
                Form::Terminal
            }
            _ if manner.as_buildah => Form::Buildah,
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
        let turns = Turns::default();
        BuildTalk { form, manner, turns, rows: Mutex::default(), failed: Mutex::default(), ended }
    }

    /// A step of a stage, by its number in it.
    pub fn step(&self, stage: &StageName, number: usize, text: &str) -> StepTalk<'_> {
        let (steps, prefix) = (stage.steps, self.prefix(stage));
        let talk = StepTalk {
            build: self,
            line: format!("{prefix}STEP {number}/{steps}: {text}"),
            prefix,
            stage: stage.number,
            is_from: number == 1,
            is_last: stage.number == stage.of && number == steps,
            row: Row {
                place: format!("{}/{} {number}/{steps}", stage.number, stage.of),
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
                "event": "step-began", "stage": stage.number, "stages": stage.of, "step": number, "steps": steps,
                "text": text,
            })),
            Form::Plain | Form::Quiet | Form::Buildah | Form::QuietBuildah => {
                talk.write(Stream::Out, format!("{}\n", talk.line).as_bytes());
            }
        }
        talk
    }

    /// A stage has ended well.
    pub fn end_stage(&self, stage: &StageName) {
        if self.form == Form::Buildah {
            self.turns.end(stage.number, |stream, bytes| self.write_out(stream, bytes));
        }
    }

    /// The image is made now, with this name if it gets one.
    pub fn committing(&self, name: Option<&str>) {
        let name = name.map(|name| format!(" {name}")).unwrap_or_default();
        let last = (self.manner.stages, self.manner.stages);
        let place = if self.form == Form::Buildah { self.place(last) } else { String::new() };
        self.say("committing", name.trim_start(), &format!("{place}COMMIT{name}"));
    }

    /// The image was made, and has these names; its id is told if no file has it.
    pub fn committed<'n>(&self, id: Option<&str>, names: impl IntoIterator<Item = &'n str>) {
        if let Some(id) = id.filter(|_| self.form == Form::Buildah) {
            self.say("committed", id, &format!("--> {}", &id[..12]));
        }
        for name in names {
            self.say("tagged", name, &format!("Successfully tagged {name}"));
        }
    }

    /// The same is built once more, to compare.
    pub fn verifying(&self) {
        self.say("verifying", "", "VERIFY");
    }

    /// Whether the result, what the image is called everywhere, goes where all else goes, and not to standard output.
    pub fn takes_result(&self, id: &str) -> bool {
        let takes = self.form == Form::Buildah && self.manner.log.is_some();
        if takes {
            self.write_out(Stream::Out, format!("{id}\n").as_bytes());
        }
        takes
    }

    /// Says a line of the build as a whole.
    fn say(&self, event: &str, what: &str, line: &str) {
        match self.form {
            Form::Quiet | Form::QuietBuildah => {}
            Form::Json => lines::json(&serde_json::json!({"event": event, "what": what})),
            Form::Terminal => super::remark(line),
            Form::Plain | Form::Buildah => self.write_out(Stream::Out, format!("{line}\n").as_bytes()),
        }
    }

    /// What is before the lines of a stage.
    fn prefix(&self, stage: &StageName) -> String {
        self.place(match self.manner.as_buildah {
            // Stages that are not needed count.
            true => (stage.index + 1, self.manner.stages),
            false => (stage.number, stage.of),
        })
    }

    fn place(&self, (number, of): (usize, usize)) -> String {
        let platform = self.manner.platform.as_ref().map(|name| format!("[{name}] ")).unwrap_or_default();
        if of > 1 { format!("{platform}[{number}/{of}] ") } else { platform }
    }

    /// What became of the steps so far, in the order in which they ended.
    pub fn rows(&self) -> Vec<Row> {
        lock(&self.rows).clone()
    }

    /// The step of a stage that failed, if one did.
    pub fn failed_step(&self, stage: &StageName) -> Option<FailedStep> {
        lock(&self.failed).iter().find(|step| step.stage == stage.number).cloned()
    }

    fn write_out(&self, stream: Stream, bytes: &[u8]) {
        use std::io::Write;
        let _ = match (&self.manner.log, stream) {
            (Some(file), _) => (&**file).write_all(bytes),
            (None, Stream::Out) if self.form == Form::Buildah => {
                let mut out = std::io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
            (None, _) => std::io::stderr().lock().write_all(bytes),
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
    /// The number of its stage among those that are built.
    stage: usize,
    /// Whether it is the first of its stage.
    is_from: bool,
    /// Whether it is the last of the last stage.
    is_last: bool,
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
    /// Whether what was printed last is no whole line.
    is_open: bool,
    cached: bool,
    performed: bool,
}

impl StepTalk<'_> {
    /// Whether all of the step so far was known.
    pub fn is_cached(&self) -> bool {
        let state = lock(&self.state);
        state.cached && !state.performed
    }

    /// The step ends well, having written so many bytes, and with an image of its own perhaps.
    pub fn end(self, size: u64, image: Option<&str>) {
        let took = self.began.elapsed();
        let cached = self.is_cached();
        let mut state = lock(&self.state);
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
                self.end_line(&mut state);
                if cached {
                    state.held.extend_from_slice(b"--> Using cache\n");
                }
                self.build.write_out(Stream::Err, &std::mem::take(&mut state.held));
            }
            // It uses none without --layers, and says it of no FROM.
            Form::Buildah if self.build.manner.forgets && !self.is_from => {
                let using = image.map(|id| format!(" {id}")).unwrap_or_default();
                let using = if cached { format!("--> Using cache{using}\n") } else { String::new() };
                // That of the last step is told when it has its names.
                let image = image.filter(|_| !self.is_last);
                let made = image.map(|id| format!("--> {}\n", &id[..12])).unwrap_or_default();
                self.write(Stream::Out, format!("{using}{made}").as_bytes());
            }
            Form::Quiet | Form::Buildah | Form::QuietBuildah => {}
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
            Form::Plain | Form::Quiet | Form::QuietBuildah => {
                self.end_line(&mut state);
                self.build.write_out(Stream::Err, &std::mem::take(&mut state.held));
            }
            Form::Buildah => {
                self.build.turns.tell_now(self.stage, |stream, bytes| self.build.write_out(stream, bytes));
            }
        }
        let printed = String::from_utf8_lossy(&state.printed).into_owned();
        let mut last: Vec<String> = printed.lines().rev().take(LAST_LINES).map(str::to_owned).collect();
        last.reverse();
        // What waited was told just now.
        if !self.build.manner.parallel
            || !matches!(self.build.form, Form::Plain | Form::Terminal | Form::Json)
        {
            last.clear();
        }
        lock(&self.build.failed).push(FailedStep { stage: self.stage, last });
    }

    fn write(&self, stream: Stream, bytes: &[u8]) {
        let write_out = |stream, bytes: &[u8]| self.build.write_out(stream, bytes);
        match self.build.form {
            Form::Buildah => return self.build.turns.tell(self.stage, stream, bytes, write_out),
            Form::Plain if !self.build.manner.parallel => return write_out(stream, bytes),
            Form::QuietBuildah if stream == Stream::Err => return write_out(stream, bytes),
            _ => {}
        }
        let mut state = lock(&self.state);
        state.held.extend_from_slice(bytes);
        if self.build.form != Form::Plain {
            keep_end(&mut state.held);
        }
    }

    /// Ends the line that a command did not, so that what is told next has one of its own.
    fn end_line(&self, state: &mut State) {
        if std::mem::take(&mut state.is_open) {
            state.held.push(b'\n');
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
                super::show_warning(&message, hint.as_deref());
            }
            (Event::Warning { message, hint }, _) => {
                let hint = hint.map(|hint| format!("hint: {}\n", text::one_line(&hint))).unwrap_or_default();
                let told = format!("warning: {}\n{hint}", text::one_line(&message));
                self.write(Stream::Err, told.as_bytes());
            }
            (Event::Step(Fate::Cached), _) => lock(&self.state).cached = true,
            (Event::Step(Fate::Performed(_)), _) => lock(&self.state).performed = true,
            (Event::Began { task, bytes }, Form::Terminal | Form::Json) => lines::began(&task, bytes),
            (Event::Moved { task, bytes }, Form::Terminal | Form::Json) => lines::moved(&task, bytes),
            (Event::Ended { task, sent }, Form::Terminal | Form::Json) => lines::ended(&task, sent),
            (Event::Stopped { task }, Form::Terminal | Form::Json) => lines::stopped(&task),
            (Event::Copied { source, target }, Form::Terminal | Form::Json) => {
                lines::copied(&source, &target);
            }
            _ => {}
        }
    }

    fn choose(&self, question: &str, options: &[String]) -> Result<Option<usize>> {
        if super::is_terminal() { super::choose(question, options).map(Some) } else { Ok(None) }
    }

    fn output(&self, to_stderr: bool, bytes: &[u8]) -> bool {
        let mut state = lock(&self.state);
        if state.cached && self.build.form == Form::Buildah && self.build.manner.forgets {
            return true;
        }
        state.printed.extend_from_slice(bytes);
        keep_end(&mut state.printed);
        state.is_open = bytes.last().map_or(state.is_open, |last| *last != b'\n');
        match self.build.form {
            Form::Terminal => self.show_lines(&mut state, bytes),
            Form::Json => lines::json(&serde_json::json!({
                "event": "output", "step": self.row.place,
                "stream": if to_stderr { "stderr" } else { "stdout" },
                "text": String::from_utf8_lossy(bytes),
            })),
            Form::Plain | Form::Quiet | Form::Buildah | Form::QuietBuildah => {
                drop(state);
                self.write(if to_stderr { Stream::Err } else { Stream::Out }, bytes);
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
