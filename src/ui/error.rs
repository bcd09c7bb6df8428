//! How an error looks: one sentence with its causes, then the hint.

use std::error::Error as _;

use builder_core::Error;

use super::text;

/// Writes an error to stderr.
pub fn show_error(error: &Error) {
    let mut line = format!("Error: {}", text::one_line(&error.to_string()));
    let mut cause = error.source();
    while let Some(because) = cause {
        line.push_str(": ");
        line.push_str(&text::one_line(&because.to_string()));
        cause = because.source();
    }
    super::remark(line);
    if let Some(hint) = error.hint_text() {
        super::remark(format_args!("hint: {}", text::one_line(hint)));
    }
}
