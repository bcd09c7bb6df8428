//! The `kiln` command: words to verb values to words. No logic, no state.

mod args;
mod build;
mod cli;
mod commands;
mod exit;
mod settings;
mod skopeo;
mod ui;

use std::process::ExitCode;

fn main() -> ExitCode {
    let name = std::env::args_os().next().map(std::path::PathBuf::from);
    match name.as_deref().and_then(std::path::Path::file_name) {
        Some(name) if name == "skopeo" => skopeo::main(),
        _ => cli::main(),
    }
}
