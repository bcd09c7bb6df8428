//! `kiln version`.

use builder_core::{Result, host_architecture};

use crate::cli::Context;
use crate::exit::Exit;
use crate::ui;

/// Print the version
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON: an object with version, imageSpec, runtimeSpec, osArch
    #[arg(long)]
    json: bool,
}

/// The version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The versions of the specifications that images and sandboxes follow.
const IMAGE_SPEC: &str = "1.1.0";
const RUNTIME_SPEC: &str = "1.2.0";

/// The line of `--version`, in the words of the field's tools.
pub fn line() -> String {
    let (name, version) = program();
    format!("{name} version {version} (image-spec {IMAGE_SPEC}, runtime-spec {RUNTIME_SPEC})")
}

/// The version of Buildah whose command line this is.
pub const BUILDAH: &str = "1.45.0";

/// By which name this program was called, and its version: a script that asks `buildah` for its version wants to know
/// what it can do.
fn program() -> (&'static str, &'static str) {
    let called = std::env::args_os().next().map(std::path::PathBuf::from);
    match called.as_deref().and_then(|path| path.file_name()) {
        Some(name) if name == "buildah" => ("buildah", BUILDAH),
        _ => ("kiln", VERSION),
    }
}

impl Args {
    /// Prints it.
    pub fn run(self, _context: &Context) -> Result<Exit> {
        let (_, version) = program();
        let platform = format!("linux/{}", host_architecture());
        if self.json {
            ui::result_json(&serde_json::json!({
                "version": version, "imageSpec": IMAGE_SPEC, "runtimeSpec": RUNTIME_SPEC, "osArch": platform,
            }));
            return Ok(Exit::Success);
        }
        for (name, value) in [
            ("Version", version),
            ("Image Spec", IMAGE_SPEC),
            ("Runtime Spec", RUNTIME_SPEC),
            ("OS/Arch", &platform),
        ] {
            ui::result(format_args!("{:<16} {value}", format!("{name}:")));
        }
        Ok(Exit::Success)
    }
}
