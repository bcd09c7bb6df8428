//! `kiln why`.

use builder_core::{Result, Why};

use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::{self, Talk, table};

/// Say why a step of a cached container was not taken from the cache, and what it depends on
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The container, by name or id
    container: String,
    /// The step, by its number in `kiln log` (default: the last one that was performed)
    step: Option<usize>,
}

impl Args {
    /// Prints the reasons, then everything that the step could see.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        let why = Why { container: self.container, step: self.step };
        let reasons = why.perform(&context.builder(&talk)?)?;
        let step = &reasons.step;
        ui::result(format_args!("step {}: {}", step.number, step.line));
        match (step.cached, step.failed, reasons.facts.is_empty()) {
            (true, ..) => ui::result("it was taken from the cache"),
            (false, Some(code), _) => {
                ui::result(format_args!("it failed with exit code {code}, and is performed each time"));
            }
            (false, None, true) => ui::result("no step like it was recorded before"),
            (false, None, false) => {}
        }
        for fact in &reasons.facts {
            ui::result(format_args!("{fact}"));
        }
        let rows: Vec<_> = reasons.fields.into_iter().map(|(name, shown)| vec![name, shown]).collect();
        if !rows.is_empty() {
            ui::result("\nIt depends on the files below and on:");
            ui::result_bytes(table::draw(None, &rows).as_bytes());
        }
        Ok(Exit::Success)
    }
}
