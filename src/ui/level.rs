//! How much is told beside the result: `--log-level`, set once before the verb begins.

use std::sync::OnceLock;

static LEVEL: OnceLock<Level> = OnceLock::new();

/// The levels of the field's tools, from the least that is told to the most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Only the error a command ends with.
    Panic,
    /// As `panic`.
    Fatal,
    /// As `panic`.
    Error,
    /// Warnings too.
    #[default]
    Warn,
    /// As `warn`.
    Info,
    /// Also what is read and decided on the way, and how long each piece of work took.
    Debug,
    /// As `debug`.
    Trace,
}

impl Level {
    /// A level by its name, in upper or lower case.
    pub fn parse(text: &str) -> Result<Level, String> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "panic" => Level::Panic,
            "fatal" => Level::Fatal,
            "error" => Level::Error,
            "warn" | "warning" => Level::Warn,
            "info" => Level::Info,
            "debug" => Level::Debug,
            "trace" => Level::Trace,
            _ => return Err("a level is trace, debug, info, warn, error, fatal or panic".into()),
        })
    }

    /// Makes this the level of the process, once.
    pub fn begin(self) {
        let _ = LEVEL.set(self);
    }

    /// Whether what belongs to this level is told.
    pub fn is_told(self) -> bool {
        LEVEL.get().copied().unwrap_or_default() >= self
    }
}

/// Tells what is read or decided on the way, where the user asked for that.
pub fn debug(line: impl std::fmt::Display) {
    if Level::Debug.is_told() {
        super::remark(format_args!("debug: {line}"));
    }
}
