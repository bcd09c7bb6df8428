//! Exit codes, as Buildah has them: 0, a child's own code, and 125 for everything that is ours.

use std::process::ExitCode;

/// Kiln itself failed or refused; the same for bad words on the command line.
pub const FAILED: u8 = 125;

/// How a command ended, if it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked.
    Success,
    /// A program it ran ended with this code.
    Child(u8),
    /// It looked at something and found it broken, and has said what.
    Broken,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        match exit {
            Exit::Success => ExitCode::SUCCESS,
            Exit::Child(code) => ExitCode::from(code),
            Exit::Broken => ExitCode::from(1),
        }
    }
}
