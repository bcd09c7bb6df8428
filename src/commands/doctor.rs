//! `kiln doctor`.

use builder_core::{Check, CheckState, Result, doctor};
use serde::Serialize;

use crate::cli::Context;
use crate::exit::Exit;
use crate::settings;
use crate::ui::{self, table, template::Format};

/// Try what this machine lets kiln do, and say for each thing what is missing and how to get it
///
/// `works` and `not needed` are what they say; with `limited` kiln has another, mostly slower, way, or lacks only what
/// the line names; with `missing` images cannot be built here. Exits with 1 if anything is missing.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON: a list of objects with name, state, detail and fix
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// A Go template per thing: .Name .State .Detail .Fix
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    name: String,
    state: String,
    detail: String,
    fix: String,
}

impl Row {
    fn of(check: &Check) -> Row {
        Row {
            name: check.name.to_owned(),
            state: check.state.to_string(),
            detail: check.detail.clone(),
            fix: check.fix.clone().unwrap_or_default(),
        }
    }
}

impl Args {
    /// Prints what was found, with the fixes below the lines they belong to.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let format = self.format.as_deref().map(Format::parse).transpose()?.map(Format::strict);
        let settings = settings::settings(&context.globals, context.host)?;
        let checks = doctor(&settings, context.host, "/etc".as_ref());
        let rows: Vec<Row> = checks.iter().map(Row::of).collect();
        if let Some(format) = format {
            let heading = ["NAME", "STATE", "DETAIL", "FIX"].map(str::to_owned);
            let [name, state, detail, fix] = heading;
            format.list(&Row { name, state, detail, fix }, &rows)?;
        } else if self.json {
            let object = |row: &Row| {
                serde_json::json!({
                    "name": row.name, "state": row.state, "detail": row.detail,
                    "fix": Some(&row.fix).filter(|fix| !fix.is_empty()),
                })
            };
            ui::result_json(&rows.iter().map(object).collect::<Vec<_>>());
        } else {
            let cells: Vec<_> = rows.iter().map(|row| vec![row.name.clone(), row.state.clone()]).collect();
            let drawn = table::draw(None, &cells);
            let lines = drawn.lines().zip(&rows).map(|(line, row)| {
                let detail = if row.detail.is_empty() { "" } else { "  " };
                let pad =
                    " ".repeat(STATE.saturating_sub(row.state.len()) * usize::from(!row.detail.is_empty()));
                let fix = if row.fix.is_empty() { String::new() } else { format!("\n    fix: {}", row.fix) };
                format!("{line}{pad}{detail}{}{fix}", row.detail)
            });
            ui::result(lines.collect::<Vec<_>>().join("\n"));
        }
        let missing = checks.iter().any(|check| check.state == CheckState::Missing);
        Ok(if missing { Exit::Broken } else { Exit::Success })
    }
}

/// The length of the longest state.
const STATE: usize = "not needed".len();
