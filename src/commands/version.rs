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

impl Args {
    /// Prints it.
    pub fn run(self, _context: &Context) -> Result<Exit> {
        let platform = format!("linux/{}", host_architecture());
        if self.json {
            ui::result_json(&serde_json::json!({
                "version": VERSION, "imageSpec": IMAGE_SPEC, "runtimeSpec": RUNTIME_SPEC, "osArch": platform,
            }));
            return Ok(Exit::Success);
        }
        for (name, value) in [
            ("Version", VERSION),
            ("Image Spec", IMAGE_SPEC),
            ("Runtime Spec", RUNTIME_SPEC),
            ("OS/Arch", &platform),
        ] {
            ui::result(format_args!("{:<16} {value}", format!("{name}:")));
        }
        Ok(Exit::Success)
    }
}
