//! `kiln diff`.

use builder_core::{Change, Diff, Difference, Result};

use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::{self, Talk, table, text};

/// Show what a container or an image changed: A for added, C for changed, D for removed
///
/// A container is compared with the image it was made from, an image with its own layers below the topmost. What
/// changed of a path besides its content stands in parentheses.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The container or image, by name or id
    name: String,
    /// The container as it was after this step, by its number in `kiln log`; 0 is before the first
    #[arg(long, value_name = "N")]
    at: Option<usize>,
    /// Compare with this image
    #[arg(long, value_name = "IMAGE")]
    against: Option<String>,
    /// Show how many bytes each path has more or less, and the sums
    #[arg(long)]
    stat: bool,
    /// json, for lists of paths by what became of them
    #[arg(long, value_parser = ["json"], conflicts_with = "stat")]
    format: Option<String>,
}

impl Args {
    /// Prints a line for each path, sorted.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        let diff = Diff { name: self.name, at: self.at, against: self.against };
        let found = diff.perform(&context.privileged(&talk)?)?;
        if self.format.is_some() {
            show_json(&found);
        } else if self.stat {
            show_sizes(&found);
        } else {
            for one in &found {
                let details = match one.details.is_empty() {
                    true => String::new(),
                    false => format!(" ({})", one.details.join("; ")),
                };
                ui::result(format_args!("{} {}{details}", letter(one.change), one.path));
            }
        }
        Ok(Exit::Success)
    }
}

fn letter(change: Change) -> char {
    match change {
        Change::Added => 'A',
        Change::Changed => 'C',
        Change::Removed => 'D',
    }
}

/// As Podman has it: only the lists that are not empty.
fn show_json(found: &[Difference]) {
    let mut lists = serde_json::Map::new();
    for (name, change) in
        [("added", Change::Added), ("changed", Change::Changed), ("deleted", Change::Removed)]
    {
        let paths: Vec<&str> =
            found.iter().filter(|one| one.change == change).map(|one| one.path.as_str()).collect();
        if !paths.is_empty() {
            lists.insert(name.to_owned(), paths.into());
        }
    }
    ui::result_json(&lists);
}

fn show_sizes(found: &[Difference]) {
    let grown = |one: &Difference| i128::from(one.size) - i128::from(one.old_size);
    let show = |bytes: i128| {
        let sign = if bytes < 0 { '-' } else { '+' };
        format!("{sign}{}", text::size(u64::try_from(bytes.unsigned_abs()).unwrap_or(u64::MAX)))
    };
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|one| vec![letter(one.change).to_string(), show(grown(one)), one.path.clone()])
        .collect();
    ui::result_bytes(table::draw(None, &rows).as_bytes());
    let count = |change| found.iter().filter(|one| one.change == change).count();
    ui::result(format_args!(
        "{} added, {} changed, {} removed, {}",
        count(Change::Added),
        count(Change::Changed),
        count(Change::Removed),
        show(found.iter().map(grown).sum())
    ));
}
