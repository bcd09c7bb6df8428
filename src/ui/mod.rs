//! The only place that prints. stdout carries results, stderr everything else.

mod error;
mod level;
mod progress;
pub mod table;
pub mod template;
pub mod text;
pub mod usage;

pub use error::show_error;
pub use level::{Level, debug};
pub use progress::Talk;

use std::io::Write;

/// Prints one line of the result. A reader that has gone away (`| head -1`) is not an error.
pub fn result(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Prints bytes of the result as they are.
pub fn result_bytes(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(bytes);
    let _ = out.flush();
}

/// Prints a value as indented JSON.
pub fn result_json(value: &impl serde::Serialize) {
    result(serde_json::to_string_pretty(value).expect("plain data becomes JSON"));
}

/// Says something beside the result.
pub fn remark(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
