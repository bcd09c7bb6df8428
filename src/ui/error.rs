//! How an error looks: one sentence with its causes, then the hint.

use std::error::Error as _;

use builder_core::Error;

/// Writes an error to stderr.
pub fn show_error(error: &Error) {
    let mut line = format!("Error: {error}");
    let mut cause = error.source();
    while let Some(because) = cause {
        line.push_str(": ");
        line.push_str(&because.to_string());
        cause = because.source();
    }
    super::remark(line);
    if let Some(hint) = error.hint_text() {
        super::remark(format_args!("hint: {hint}"));
    }
}
