//! `kiln log`.

use std::time::{SystemTime, UNIX_EPOCH};

use builder_core::{Log, LogLine, Result};
use serde::Serialize;

use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::template::Format;
use crate::ui::{self, Talk, table, text};

/// As much of a step's words as a line shows, characters.
const WORDS: usize = 60;

/// Show the steps of a cached container
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The container, by name or id
    container: String,
    /// Show each step as this Go template, or as json: .Number .Kind .Step .Created .Took .Size .Cached .Failed
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show all words of each step
    #[arg(long, visible_alias = "notruncate")]
    no_trunc: bool,
}

/// A step as a template sees it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    number: String,
    kind: String,
    step: String,
    created: String,
    took: String,
    size: String,
    cached: String,
    failed: String,
}

impl Args {
    /// Prints the steps, the oldest first.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        let lines = Log { container: self.container.clone() }.perform(&context.privileged(&talk)?)?;
        let rows: Vec<Row> = lines.iter().map(|line| self.row(line)).collect();
        match self.format.as_deref() {
            Some("json") => ui::result_json(&rows),
            Some(format) => {
                let heading = |name: &str| name.to_uppercase();
                let heading = Row {
                    number: heading("number"),
                    kind: heading("kind"),
                    step: heading("step"),
                    created: heading("created"),
                    took: heading("took"),
                    size: heading("size"),
                    cached: heading("cached"),
                    failed: heading("failed"),
                };
                Format::parse(format)?.list(&heading, &rows)?;
            }
            None => {
                let cells = rows.into_iter().map(|row| {
                    let how = match (row.cached.as_str(), row.failed.as_str()) {
                        ("true", _) => "cached".to_owned(),
                        (_, "") => format!("ran {}", row.took),
                        (_, code) => format!("failed ({code})"),
                    };
                    vec![row.number, row.created, row.size, how, row.step]
                });
                let heading = ["STEP", "CREATED", "SIZE", "HOW", "WHAT"];
                ui::result_bytes(table::draw(Some(&heading), &cells.collect::<Vec<_>>()).as_bytes());
            }
        }
        Ok(Exit::Success)
    }

    fn row(&self, line: &LogLine) -> Row {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
        let age = i64::try_from(now).unwrap_or_default() - line.created;
        let mut step = line.line.replace('\n', " ");
        if !self.no_trunc && step.chars().count() > WORDS {
            step = step.chars().take(WORDS - 1).chain(['…']).collect();
        }
        Row {
            number: line.number.to_string(),
            kind: line.kind.to_owned(),
            step,
            created: text::age(age),
            took: text::duration(std::time::Duration::from_millis(line.milliseconds)),
            size: text::size(line.size),
            cached: line.cached.to_string(),
            failed: line.failed.map(|code| code.to_string()).unwrap_or_default(),
        }
    }
}
