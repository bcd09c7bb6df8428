//! The `kiln` command: words to verb values to words. No logic, no state.

mod args;
mod build;
mod cli;
mod commands;
mod exit;
mod settings;
mod ui;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
