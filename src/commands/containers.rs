//! `kiln containers`.

use builder_core::{ContainerInfo, Containers, Result};
use serde::Serialize;

use crate::args::list;
use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::template::Format;
use crate::ui::{self, Talk, table};

/// List the working containers
#[derive(Debug, clap::Args)]
pub struct Args {
    /// List all containers, which this list always does: the store has no others than Kiln's
    #[arg(long, short)]
    all: bool,
    /// Only containers that meet all conditions: id=BEGINNING, name=PART, ancestor=IMAGE
    #[arg(long, short, value_name = "CONDITION")]
    filter: Vec<String>,
    /// Print whole ids only
    #[arg(long, short)]
    quiet: bool,
    /// Print JSON: a list of objects with id, builder, imageid, imagename, containername
    #[arg(long)]
    json: bool,
    /// Do not print the heading
    #[arg(long, short)]
    noheading: bool,
    /// Print whole ids and names
    #[arg(long, visible_alias = "no-trunc")]
    notruncate: bool,
    /// A Go template per container: .ContainerID .ContainerName .ImageID .ImageName .Builder
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
}

/// The fields of a template.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    #[serde(rename = "ContainerID")]
    container_id: String,
    builder: &'static str,
    #[serde(rename = "ImageID")]
    image_id: String,
    image_name: String,
    container_name: String,
}

const HEADING: [&str; 5] = ["CONTAINER ID", "BUILDER", "IMAGE ID", "IMAGE NAME", "CONTAINER NAME"];

impl Args {
    /// Prints the list in the form asked for.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        let filters = list::split_all("--filter", &self.filter)?;
        let listed = Containers { filters }.perform(&context.builder(&talk)?)?;
        if self.json || self.format.as_deref().is_some_and(Format::is_json) {
            ui::result_json(&listed.iter().map(json).collect::<Vec<_>>());
            return Ok(Exit::Success);
        }
        if let Some(format) = &self.format {
            let rows: Vec<Row> = listed.into_iter().map(|container| row(container, false)).collect();
            let heading = HEADING.map(str::to_owned);
            let [container_id, _, image_id, image_name, container_name] = heading;
            let heading = Row { container_id, builder: HEADING[1], image_id, image_name, container_name };
            let heading = (!self.noheading).then_some(heading);
            Format::parse(format)?.strict().list(heading.as_ref(), &rows)?;
            return Ok(Exit::Success);
        }
        let cells = listed.into_iter().map(|container| {
            let row = row(container, !self.notruncate && !self.quiet);
            match self.quiet {
                true => vec![row.container_id],
                false => vec![
                    row.container_id,
                    format!("   {}", row.builder),
                    row.image_id,
                    row.image_name,
                    row.container_name,
                ],
            }
        });
        let heading = (!self.noheading && !self.quiet).then_some(&HEADING[..]);
        ui::result_bytes(table::draw(heading, &cells.collect::<Vec<_>>()).as_bytes());
        Ok(Exit::Success)
    }
}

fn row(container: ContainerInfo, short: bool) -> Row {
    let cut = |id: String| if short { id.chars().take(12).collect() } else { id };
    Row {
        container_id: cut(container.id),
        builder: "*",
        image_id: cut(container.image_id.map(|id| id.hex()).unwrap_or_default()),
        image_name: container.image,
        container_name: container.name,
    }
}

fn json(container: &ContainerInfo) -> serde_json::Value {
    serde_json::json!({
        "id": container.id,
        "builder": true,
        "imageid": container.image_id.map(|id| id.hex()).unwrap_or_default(),
        "imagename": container.image,
        "containername": container.name,
    })
}
