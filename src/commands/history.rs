//! `kiln history`.

use builder_core::{HistoryLine, Result, history};
use serde::Serialize;

use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::template::Format;
use crate::ui::{self, Talk, table, text};

/// Show what made each layer of an image, the newest first
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The image, by name or id
    image: String,
    /// A Go template per line: .ID .Created .CreatedAt .CreatedSince .CreatedBy .Size .Comment .Tags; or json
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// With false, times and sizes are exact
    #[arg(long, short = 'H', value_name = "BOOL")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    human: Option<bool>,
    /// Print JSON: a list of objects with id, created, CreatedBy, size, comment, tags
    #[arg(long)]
    json: bool,
    /// Print whole ids and commands
    #[arg(long, alias = "notruncate")]
    no_trunc: bool,
    /// Print ids only
    #[arg(long, short)]
    quiet: bool,
}

/// The fields of a template.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    #[serde(rename = "ID")]
    id: String,
    created: String,
    created_at: String,
    created_since: String,
    created_by: String,
    size: String,
    comment: String,
    tags: String,
}

/// What stands for the id of an image that is not known.
const MISSING: &str = "<missing>";
/// How much of a command is shown, characters.
const COMMAND_WIDTH: usize = 45;

impl Args {
    /// Prints the lines in the form asked for.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        let lines = history(&context.builder(&talk)?, &self.image)?;
        if self.json || self.format.as_deref().is_some_and(Format::is_json) {
            ui::result_json(&lines.iter().map(json).collect::<Vec<_>>());
            return Ok(Exit::Success);
        }
        let rows: Vec<Row> = lines.iter().map(|line| self.row(line)).collect();
        if self.quiet {
            rows.iter().for_each(|row| ui::result(&row.id));
            return Ok(Exit::Success);
        }
        if let Some(format) = &self.format {
            Format::parse(format)?.strict().list(&heading(), &rows)?;
            return Ok(Exit::Success);
        }
        let columns = |row: Row| vec![row.id, row.created, row.created_by, row.size, row.comment];
        let heading = columns(heading());
        let heading: Vec<&str> = heading.iter().map(String::as_str).collect();
        let rows: Vec<_> = rows.into_iter().map(columns).collect();
        ui::result_bytes(table::draw(Some(&heading), &rows).as_bytes());
        Ok(Exit::Success)
    }

    fn row(&self, line: &HistoryLine) -> Row {
        let human = self.human.unwrap_or(true);
        let made = line.line.created.as_deref().and_then(|time| time.parse::<jiff::Timestamp>().ok());
        let since = made.map(|made| text::age(jiff::Timestamp::now().as_second() - made.as_second()));
        let since = since.unwrap_or_default();
        let exact = made.and_then(|made| jiff::Timestamp::from_second(made.as_second()).ok());
        let exact = exact.map(|made| made.to_string()).unwrap_or_default();
        let id = line.image.map(|id| if self.no_trunc { id.hex() } else { id.short() });
        let mut command = line.line.created_by.clone();
        if !self.no_trunc && command.chars().count() > COMMAND_WIDTH {
            command = command.chars().take(COMMAND_WIDTH - 3).chain("...".chars()).collect();
        }
        Row {
            id: id.unwrap_or_else(|| MISSING.into()),
            created: if human { since.clone() } else { exact },
            created_at: line.line.created.clone().unwrap_or_default(),
            created_since: since,
            created_by: command,
            size: if human { text::size(line.size) } else { line.size.to_string() },
            comment: line.line.comment.clone(),
            tags: line.names.join(", "),
        }
    }
}

fn heading() -> Row {
    Row {
        id: "ID".into(),
        created: "CREATED".into(),
        created_at: "CREATED AT".into(),
        created_since: "CREATED SINCE".into(),
        created_by: "CREATED BY".into(),
        size: "SIZE".into(),
        comment: "COMMENT".into(),
        tags: "TAGS".into(),
    }
}

fn json(line: &HistoryLine) -> serde_json::Value {
    serde_json::json!({
        "id": line.image.map_or_else(|| MISSING.into(), |id| id.hex()),
        "created": line.line.created,
        "CreatedBy": line.line.created_by,
        "size": line.size,
        "comment": line.line.comment,
        "tags": line.names,
    })
}
