//! `kiln check`.

use builder_core::{CheckOptions, Result, check};

use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::{self, Talk};

/// Check the store, and say what is damaged; exits with 1 if anything is and was not repaired
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Read and hash every blob and every tree
    #[arg(long)]
    deep: bool,
    /// Mend what can be mended, remove what cannot
    #[arg(long)]
    repair: bool,
}

impl Args {
    /// Prints one line per finding.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        let builder = context.privileged(&talk)?;
        let report = check(&builder, CheckOptions { deep: self.deep, repair: self.repair })?;
        for finding in &report.findings {
            let state = if finding.repaired { "repaired" } else { "damaged" };
            ui::result(format_args!("{state}: {}", finding.what));
        }
        if report.findings.iter().any(|finding| !finding.repaired) {
            if !self.repair {
                ui::remark("hint: mend the store with `kiln check --repair`");
            }
            return Ok(Exit::Broken);
        }
        Ok(Exit::Success)
    }
}
