//! `kiln du`.

use builder_core::Result;

use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::{self, Talk, table, text};

/// Show how much room the store takes on the disk, and what takes it
#[derive(Debug, clap::Args)]
pub struct Args {
    /// json, for bytes by what takes them
    #[arg(long, value_parser = ["json"])]
    format: Option<String>,
}

impl Args {
    /// Prints a line for each kind of thing, and the sum.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        let usage = builder_core::du(&context.privileged(&talk)?)?;
        let parts = [
            ("images", usage.images),
            ("layers", usage.layers),
            ("containers", usage.containers),
            ("steps", usage.steps),
            ("cache mounts", usage.cache_mounts),
            ("other", usage.other),
            ("total", usage.total()),
        ];
        if self.format.is_some() {
            let object: serde_json::Map<String, serde_json::Value> =
                parts.iter().map(|(name, bytes)| (name.replace(' ', "_"), (*bytes).into())).collect();
            ui::result_json(&object);
            return Ok(Exit::Success);
        }
        let rows: Vec<Vec<String>> =
            parts.iter().map(|(name, bytes)| vec![(*name).to_owned(), text::size(*bytes)]).collect();
        ui::result_bytes(table::draw(Some(&["WHAT", "SIZE"]), &rows).as_bytes());
        Ok(Exit::Success)
    }
}
