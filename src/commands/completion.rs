//! `kiln completion`.

use builder_core::Result;
use clap_complete::Shell;

use crate::cli::{self, Context};
use crate::exit::Exit;
use crate::ui;

/// Print what completes this command line in a shell
///
/// bash: kiln completion bash >/etc/bash_completion.d/kiln; zsh: kiln completion zsh >DIR/_kiln with DIR in $fpath; fish:
/// kiln completion fish >~/.config/fish/completions/kiln.fish.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// bash, zsh, fish, elvish or powershell
    shell: Shell,
}

impl Args {
    /// Prints the script.
    pub fn run(self, _context: &Context) -> Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut cli::command(true), "kiln", &mut script);
        ui::result_bytes(&script);
        Ok(Exit::Success)
    }
}
