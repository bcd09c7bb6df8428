//! How errors and warnings look: one sentence with its causes, then the hint; for programs, an object.

use std::error::Error as _;

use builder_core::Error;

use super::lines::{self, Progress};
use super::text;

/// Writes an error to stderr.
pub fn show_error(error: &Error) {
    let mut line = text::one_line(&error.to_string()).to_string();
    let mut cause = error.source();
    while let Some(because) = cause {
        line.push_str(": ");
        line.push_str(&text::one_line(&because.to_string()));
        cause = because.source();
    }
    tell(("error", "Error"), &line, error.hint_text());
}

/// Writes a warning to stderr.
pub fn show_warning(message: &str, hint: Option<&str>) {
    tell(("warning", "warning"), &text::one_line(message), hint);
}

/// As `event` or after `word`, whoever reads it.
fn tell((event, word): (&str, &str), message: &str, hint: Option<&str>) {
    let hint = hint.map(text::one_line);
    if Progress::now() == Progress::Json {
        return lines::json(&serde_json::json!({"event": event, "message": message, "hint": hint}));
    }
    super::remark(format_args!("{word}: {message}"));
    if let Some(hint) = hint {
        super::remark(format_args!("hint: {hint}"));
    }
}
