//! The only place that prints. stdout carries results, stderr everything else.

mod error;
mod level;
pub mod lines;
mod progress;
mod secret;
mod stages;
pub mod table;
pub mod template;
pub mod text;
pub mod usage;
pub mod words;

pub use error::{show_error, show_warning};
pub use level::{Level, debug};
pub use lines::Progress;
pub use progress::Talk;
pub use secret::{ask, ask_secret, choose};
pub use stages::{BuildTalk, FailedStep, Manner, Row, StepTalk};

use std::io::Write;

/// Whether we talk with a person: standard input and output are a terminal.
pub fn is_terminal() -> bool {
    use std::io::IsTerminal;
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

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

/// Prints a value as JSON, indented by four spaces, as the field's tools do.
pub fn result_json(value: &impl serde::Serialize) {
    let mut bytes = Vec::new();
    let form = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut into = serde_json::Serializer::with_formatter(&mut bytes, form);
    value.serialize(&mut into).expect("plain data becomes JSON");
    bytes.push(b'\n');
    result_bytes(&bytes);
}

/// Says something beside the result; in one piece, for other processes may say something, too.
pub fn remark(line: impl std::fmt::Display) {
    let line = line.to_string();
    if !lines::say(&line) {
        let _ = std::io::stderr().lock().write_all(format!("{line}\n").as_bytes());
    }
}
