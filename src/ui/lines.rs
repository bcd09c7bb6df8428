//! Progress: on a terminal one line per piece of work with bytes, rate and time left, then one summary line; else a
//! plain line where one begins; or an object per event for programs. Always on stderr, never part of a result.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::text;

/// How progress looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Progress {
    /// Moving lines on a terminal, plain ones elsewhere.
    #[default]
    Auto,
    /// Moving lines.
    Tty,
    /// A line where a piece of work begins.
    Plain,
    /// An object per line: `began` with the task and how many bytes it will move, null where nobody knows; `moved`
    /// with how many so far, exact at last; `ended` with how many the target has got, null where there is no target;
    /// `stopped` where it failed; `copied` with source and target of a whole image. Warnings and errors are such
    /// objects, too: `warning` and `error` with message and hint.
    Json,
    /// Nothing at all.
    Quiet,
}

/// How long a line stands still at least.
const PAUSE: Duration = Duration::from_millis(100);

/// So much of a name is shown at least, columns, before what is told of it is.
const MIN_NAME: usize = 12;

static FORM: OnceLock<Progress> = OnceLock::new();
static LINES: Mutex<Lines> =
    Mutex::new(Lines { tasks: Vec::new(), drawn: 0, told: None, total: 0, blobs: 0, began: None });

impl Progress {
    /// A form by its name.
    pub fn parse(text: &str) -> Result<Progress, String> {
        match text {
            "auto" => Ok(Progress::Auto),
            "tty" => Ok(Progress::Tty),
            "plain" => Ok(Progress::Plain),
            "json" | "rawjson" => Ok(Progress::Json),
            "quiet" | "none" => Ok(Progress::Quiet),
            _ => Err("progress is auto, tty, plain, json (or rawjson) or quiet".into()),
        }
    }

    /// Makes this the form of the process, once.
    pub fn begin(self) {
        let _ = FORM.set(self);
    }

    /// How it looks here.
    pub fn now() -> Progress {
        match FORM.get().copied().unwrap_or_default() {
            Progress::Auto if std::io::stderr().is_terminal() => Progress::Tty,
            Progress::Auto => Progress::Plain,
            form => form,
        }
    }
}

/// Whether moving lines are asked for, or both streams are read by a person.
pub fn is_live() -> bool {
    FORM.get() == Some(&Progress::Tty) || std::io::stdout().is_terminal()
}

struct Lines {
    tasks: Vec<Task>,
    /// How many lines are on the screen below the cursor's first.
    drawn: usize,
    told: Option<Instant>,
    /// How much was sent somewhere since the last summary.
    total: u64,
    blobs: usize,
    began: Option<Instant>,
}

struct Task {
    name: String,
    of: Option<u64>,
    bytes: u64,
    began: Instant,
    /// Whether it is a step of a build, whose time is told.
    is_step: bool,
}

/// A piece of work began.
pub fn began(task: &str, bytes: Option<u64>) {
    match Progress::now() {
        Progress::Json => json(&serde_json::json!({"event": "began", "task": task, "bytes": bytes})),
        Progress::Tty => {
            let mut lines = lines();
            lines.began.get_or_insert_with(Instant::now);
            let (name, began) = (capitalized(task), Instant::now());
            lines.tasks.push(Task { name, of: bytes, bytes: 0, began, is_step: false });
            lines.draw(&[]);
        }
        Progress::Quiet => {}
        _ => super::remark(capitalized(task)),
    }
}

/// A step of a build began, which has a line that moves until it ends.
pub fn step_began(name: &str) {
    let mut lines = lines();
    let (name, began) = (name.to_owned(), Instant::now());
    lines.tasks.push(Task { name, of: None, bytes: 0, began, is_step: true });
    lines.draw(&[]);
}

/// A step ended; `line` stays in the place of its own.
pub fn step_ended(name: &str, line: Option<&str>) {
    let mut lines = lines();
    if let Some(place) = lines.tasks.iter().position(|task| task.is_step && task.name == name) {
        lines.tasks.remove(place);
    }
    let above: Vec<String> = line.map(str::to_owned).into_iter().collect();
    lines.draw(&above);
}

/// Draws what moves anew, for the times in it.
pub fn tick() {
    let mut lines = lines();
    if !lines.tasks.is_empty() && lines.told.is_none_or(|told| told.elapsed() >= PAUSE) {
        lines.draw(&[]);
    }
}

/// So much of it is done.
pub fn moved(task: &str, bytes: u64) {
    match Progress::now() {
        Progress::Json => json(&serde_json::json!({"event": "moved", "task": task, "bytes": bytes})),
        Progress::Tty => {
            let mut lines = lines();
            let name = capitalized(task);
            if let Some(task) = lines.tasks.iter_mut().find(|task| task.name == name) {
                task.bytes = bytes;
            }
            if lines.told.is_none_or(|told| told.elapsed() >= PAUSE) {
                lines.draw(&[]);
            }
        }
        _ => {}
    }
}

/// It ended well, and put so many bytes where they should go, if it was to put any anywhere.
pub fn ended(task: &str, sent: Option<u64>) {
    match Progress::now() {
        Progress::Json => json(&serde_json::json!({"event": "ended", "task": task, "sent": sent})),
        Progress::Tty => {
            let mut lines = lines();
            let line = lines.end(task, sent);
            lines.draw(line.as_slice());
        }
        _ => {}
    }
}

/// It failed: its line goes, for it may begin anew.
pub fn stopped(task: &str) {
    match Progress::now() {
        Progress::Json => json(&serde_json::json!({"event": "stopped", "task": task})),
        Progress::Tty => {
            let mut lines = lines();
            let name = capitalized(task);
            if let Some(place) = lines.tasks.iter().position(|task| task.name == name) {
                lines.tasks.remove(place);
                lines.draw(&[]);
            }
        }
        _ => {}
    }
}

/// A whole image was copied.
pub fn copied(source: &str, target: &str) {
    match Progress::now() {
        Progress::Json => {
            json(&serde_json::json!({"event": "copied", "source": source, "target": target}));
        }
        Progress::Tty => {
            let mut lines = lines();
            let line = format!("Copied {source} to {target}: {}", lines.summary());
            lines.draw(&[line]);
        }
        _ => {}
    }
}

/// Says a line that stays, above the moving ones.
pub fn say(line: &str) -> bool {
    let mut lines = lines();
    if lines.tasks.is_empty() {
        return false;
    }
    lines.draw(&[line.to_owned()]);
    true
}

fn lines() -> std::sync::MutexGuard<'static, Lines> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells a program something.
pub fn json(event: &serde_json::Value) {
    let _ = std::io::stderr().lock().write_all(format!("{event}\n").as_bytes());
}

fn capitalized(task: &str) -> String {
    let mut letters = task.chars();
    letters.next().map(char::to_uppercase).into_iter().flatten().chain(letters).collect()
}

impl Lines {
    /// Takes away the line of a piece of work that has ended, and gives the one that stays.
    fn end(&mut self, task: &str, sent: Option<u64>) -> Option<String> {
        let name = capitalized(task);
        let place = self.tasks.iter().position(|task| task.name == name)?;
        let task = self.tasks.remove(place);
        match sent {
            Some(sent) => {
                self.total += sent;
                self.blobs += 1;
            }
            // What goes nowhere is none of what was sent, and neither is its time, if nothing else began yet.
            None if self.blobs == 0 && self.tasks.iter().all(|task| task.is_step) => self.began = None,
            None => {}
        }
        let (name, told) = task.line(Some(sent.unwrap_or(task.bytes)));
        Some(name + &told)
    }

    /// What was sent since the last summary, in a few words.
    fn summary(&mut self) -> String {
        let took = self.began.take().map_or(Duration::ZERO, |began| began.elapsed());
        let (blobs, total) = (std::mem::take(&mut self.blobs), std::mem::take(&mut self.total));
        let pieces = if blobs == 1 { "piece" } else { "pieces" };
        format!("{blobs} {pieces}, {} in {}", text::size(total), text::duration(took))
    }

    /// Draws `above`, which stays, and a line for each piece of work, over those drawn before.
    fn draw(&mut self, above: &[String]) {
        let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
        // Some terminals do not tell.
        let told = |size: Option<u16>, usual| size.filter(|size| *size > 0).map_or(usual, usize::from);
        let width = told(size.map(|size| size.ws_col), 80);
        let height = told(size.map(|size| size.ws_row), 24);
        let mut screen = String::new();
        if self.drawn > 0 {
            // Up to the first line of ours, and everything below it away.
            screen.push_str(&format!("\x1b[{}A\x1b[J", self.drawn));
        }
        for line in above {
            screen.push_str(line);
            screen.push('\n');
        }
        // No way leads back to what has left the screen at its top.
        let room = height.saturating_sub(1).max(1);
        let shown = if self.tasks.len() > room { room - 1 } else { self.tasks.len() };
        let moving = self.tasks.iter().take(shown).map(|task| task.line(None));
        let more = (shown < self.tasks.len())
            .then(|| (format!("and {} more", self.tasks.len() - shown), String::new()));
        let moving: Vec<String> = moving.chain(more).map(|(name, told)| fit(&name, &told, width)).collect();
        for line in &moving {
            screen.push_str(line);
            screen.push('\n');
        }
        self.drawn = moving.len();
        self.told = Some(Instant::now());
        let _ = std::io::stderr().lock().write_all(screen.as_bytes());
    }
}

/// A line that does not wrap, for then it would be two: of `name` so much that there is room for what is `told` of it.
fn fit(name: &str, told: &str, width: usize) -> String {
    // The last column stays empty: some terminals go on in the next line at once.
    let cut = |text: &str, width: usize| {
        let mut left = width;
        let fits = |c: &char| {
            let needs = columns(*c);
            let fits = needs <= left;
            left = left.saturating_sub(needs);
            fits
        };
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take_while(fits).collect::<String>()
    };
    let width = width.saturating_sub(1);
    let needed: usize = told.chars().map(columns).sum();
    if needed + MIN_NAME > width {
        return cut(&format!("{name}{told}"), width);
    }
    format!("{}{told}", cut(name, width - needed))
}

/// How many columns a character takes at most: none before the Hangul letters is wide.
fn columns(c: char) -> usize {
    if c < '\u{1100}' { 1 } else { 2 }
}

impl Task {
    /// Its name, and what is told of it; at its end with how many bytes came of those that went by.
    fn line(&self, became: Option<u64>) -> (String, String) {
        let name = self.name.clone();
        let seconds = self.began.elapsed().as_secs_f64();
        if self.is_step {
            return (name, if seconds < 1.0 { String::new() } else { format!("  {seconds:.0} s") });
        }
        let bytes = text::size(self.bytes);
        let size = match (became.map(text::size), self.of) {
            (Some(became), _) if became != bytes => format!("{bytes} as {became}"),
            (None, Some(of)) => format!("{bytes} of {}", text::size(of)),
            _ if self.bytes == 0 => return (name, String::new()),
            _ => bytes,
        };
        if seconds < 0.2 {
            return (name, format!("  {size}"));
        }
        let rate = self.bytes as f64 / seconds;
        let left = self.of.filter(|of| became.is_none() && *of > self.bytes && rate >= 1.0);
        let left = left.map(|of| format!("  {} left", seconds_left((of - self.bytes) as f64 / rate)));
        (name, format!("  {size}  {}/s{}", text::size(rate as u64), left.unwrap_or_default()))
    }
}

/// A time to come, which nobody knows to a tenth of a second.
fn seconds_left(seconds: f64) -> String {
    let whole = seconds.ceil() as u64;
    if whole < 60 { format!("{whole} s") } else { text::duration(Duration::from_secs(whole)) }
}

#[cfg(test)]
mod tests;
