//! `kiln images`.

use builder_core::{Error, ImageInfo, Kind, Reference, Result, images};
use serde::Serialize;

use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::template::Format;
use crate::ui::{self, Talk, table, text};

/// List the images
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only images of this name, with any tag or the one given
    image: Option<String>,
    /// Also images without a name that other images were made of (all are shown)
    #[arg(long, short)]
    all: bool,
    /// Print ids only
    #[arg(long, short)]
    quiet: bool,
    /// Print JSON: a list of objects with id, names, digest, createdat, size, created, createdatraw, readonly, history
    #[arg(long)]
    json: bool,
    /// Do not print the heading
    #[arg(long, short)]
    noheading: bool,
    /// Print whole ids
    #[arg(long, alias = "notruncate")]
    no_trunc: bool,
    /// Print the digests of the manifests
    #[arg(long)]
    digests: bool,
    /// A Go template per name: .ID .Name .Tag .Digest .CreatedAt .CreatedAtRaw .Size
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
}

/// The fields of a template: one row per name.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row {
    #[serde(rename = "ID")]
    id: String,
    name: String,
    tag: String,
    digest: String,
    created_at: String,
    created_at_raw: String,
    size: String,
}

impl Args {
    /// Prints the list in the form asked for, the newest first.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        let mut listed = images(&context.builder(&talk)?)?;
        // Of those made in one second, which is as exact as an image says it, the last to come is the newest.
        listed.reverse();
        listed.sort_by(|a, b| b.created.cmp(&a.created));
        if let Some(wanted) = &self.image {
            let wanted_name: Reference = wanted.parse()?;
            listed.retain_mut(|image| {
                image.names.retain(|name| fits(name, wanted, &wanted_name));
                !image.names.is_empty()
            });
            if listed.is_empty() {
                return Err(Error::new(Kind::NotFound, format!("cannot list the image `{wanted}`"))
                    .because("no image in the store has this name")
                    .hint("see what there is with `kiln images`"));
            }
        }
        if self.json {
            ui::result_json(&listed.iter().map(json).collect::<Vec<_>>());
            return Ok(Exit::Success);
        }
        if self.quiet {
            for image in &listed {
                ui::result(if self.no_trunc { image.id.to_string() } else { image.id.short() });
            }
            return Ok(Exit::Success);
        }
        let rows: Vec<Row> = listed.iter().flat_map(|image| rows(image, !self.no_trunc)).collect();
        if let Some(format) = &self.format {
            let heading = Row {
                id: "IMAGE ID".into(),
                name: "REPOSITORY".into(),
                tag: "TAG".into(),
                digest: "DIGEST".into(),
                created_at: "CREATED".into(),
                created_at_raw: "CREATED AT".into(),
                size: "SIZE".into(),
            };
            Format::parse(format)?.strict().list(&heading, &rows)?;
            return Ok(Exit::Success);
        }
        self.table(rows);
        Ok(Exit::Success)
    }

    fn table(&self, rows: Vec<Row>) {
        let mut heading = vec!["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"];
        if self.digests {
            heading.insert(2, "DIGEST");
        }
        let cells = rows.into_iter().map(|row| {
            let mut cells = vec![row.name, row.tag, row.id, row.created_at, row.size];
            if self.digests {
                cells.insert(2, row.digest);
            }
            cells
        });
        let heading = (!self.noheading).then_some(&heading[..]);
        ui::result_bytes(table::draw(heading, &cells.collect::<Vec<_>>()).as_bytes());
    }
}

/// Whether a stored name is the one asked for: with the tag if one was written, else with any.
fn fits(name: &str, written: &str, wanted: &Reference) -> bool {
    let Ok(known) = name.parse::<Reference>() else { return false };
    let tagged = written.rsplit('/').next().is_some_and(|last| last.contains(':'));
    let same = known.repository() == wanted.repository()
        || !Reference::names_host(written) && known.repository().ends_with(&format!("/{}", wanted.path()));
    same && (!tagged || known.tag() == wanted.tag())
}

fn rows(image: &ImageInfo, short: bool) -> Vec<Row> {
    let row = Row {
        id: if short { image.id.short() } else { image.id.to_string() },
        name: "<none>".into(),
        tag: "<none>".into(),
        digest: image.digest.to_string(),
        created_at: created_at(image),
        created_at_raw: image.created.clone().unwrap_or_default(),
        size: text::size(image.size),
    };
    if image.names.is_empty() {
        return vec![row];
    }
    let named = |name: &String| {
        let (name, tag) = match name.parse::<Reference>() {
            Ok(name) => (name.repository(), name.tag().unwrap_or("<none>").to_owned()),
            Err(_) => (name.clone(), "<none>".to_owned()),
        };
        Row { name, tag, ..row.clone() }
    };
    image.names.iter().map(named).collect()
}

fn created(image: &ImageInfo) -> Option<jiff::Timestamp> {
    image.created.as_ref()?.parse().ok()
}

fn created_at(image: &ImageInfo) -> String {
    created(image)
        .map_or_else(String::new, |made| text::age(jiff::Timestamp::now().as_second() - made.as_second()))
}

fn json(image: &ImageInfo) -> serde_json::Value {
    serde_json::json!({
        "id": image.id.short(),
        "names": (!image.names.is_empty()).then_some(&image.names),
        "digest": image.digest,
        "createdat": created_at(image),
        "size": text::size(image.size),
        "created": created(image).map_or(0, jiff::Timestamp::as_second),
        "createdatraw": image.created,
        "readonly": false,
        "history": null,
    })
}
