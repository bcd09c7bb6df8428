//! `kiln images`.

use builder_core::{Error, ImageInfo, Images, Kind, Reference, Result};
use serde::Serialize;

use crate::args::list;
use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::template::Format;
use crate::ui::{self, Talk, table, text};

/// List the images
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only images of this name, with any tag or the one given
    image: Option<String>,
    /// Also images without a name that other images were made of
    #[arg(long, short)]
    all: bool,
    /// Only images that meet a condition KEY=VALUE or KEY!=VALUE; the keys are after, before, containers, dangling,
    /// digest, id, intermediate, label, readonly, reference, since and until
    #[arg(long, short, value_name = "CONDITION")]
    filter: Vec<String>,
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
    #[arg(long, visible_alias = "notruncate")]
    no_trunc: bool,
    /// Print the digests of the manifests
    #[arg(long)]
    digests: bool,
    /// Print which other names an image has
    #[arg(long)]
    history: bool,
    /// A Go template per name: .ID .Name .Tag .Digest .Created .CreatedAt .CreatedAtRaw .Size .ReadOnly .History
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
    created: String,
    created_at: String,
    created_at_raw: String,
    size: String,
    read_only: String,
    history: String,
}

impl Args {
    /// Prints the list in the form asked for, the newest first.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let together = |one: &str, other: &str| {
            Error::invalid(format!("cannot use `{one}` and `{other}` together"))
                .hint("see `kiln images --help`")
        };
        if let (true, Some(image)) = (self.all, &self.image) {
            return Err(together("--all", image));
        }
        if self.quiet && self.format.is_some() {
            return Err(together("--quiet", "--format"));
        }
        let filters = list::split_all("--filter", &self.filter)?;
        let talk = Talk { quiet: true };
        let listed = Images { filters, all: self.all || self.image.is_some() };
        let mut listed = listed.perform(&context.builder(&talk)?)?;
        // Of those made in one second, which is as exact as an image says it, the last to come is the newest.
        listed.reverse();
        listed.sort_by(|a, b| b.created.cmp(&a.created));
        if let Some(wanted) = &self.image {
            keep_named(&mut listed, wanted)?;
        }
        if self.json || self.format.as_deref().is_some_and(Format::is_json) {
            ui::result_json(&listed.iter().map(json).collect::<Vec<_>>());
            return Ok(Exit::Success);
        }
        if self.quiet {
            for image in &listed {
                ui::result(if self.no_trunc { image.id.to_string() } else { image.id.short() });
            }
            return Ok(Exit::Success);
        }
        let fits = |name: &str| self.image.as_deref().is_none_or(|wanted| fits(name, wanted));
        let rows: Vec<Row> = listed.iter().flat_map(|image| rows(image, !self.no_trunc, fits)).collect();
        match &self.format {
            Some(format) => {
                let heading = (!self.noheading).then(heading);
                Format::parse(format)?.strict().list(heading.as_ref(), &rows)?;
            }
            None => self.table(rows),
        }
        Ok(Exit::Success)
    }

    fn table(&self, rows: Vec<Row>) {
        let columns = |row: Row| {
            let mut cells = vec![row.name, row.tag];
            cells.extend(self.digests.then_some(row.digest));
            cells.extend([row.id, row.created_at, row.size]);
            cells.extend(self.history.then_some(row.history));
            cells
        };
        let heading = columns(heading());
        let heading: Vec<&str> = heading.iter().map(String::as_str).collect();
        let rows: Vec<_> = rows.into_iter().map(columns).collect();
        let heading = (!self.noheading).then_some(&heading[..]);
        ui::result_bytes(table::draw(heading, &rows).as_bytes());
    }
}

fn heading() -> Row {
    Row {
        id: "IMAGE ID".into(),
        name: "REPOSITORY".into(),
        tag: "TAG".into(),
        digest: "DIGEST".into(),
        created: "CREATED".into(),
        created_at: "CREATED".into(),
        created_at_raw: "CREATED AT".into(),
        size: "SIZE".into(),
        read_only: "READ ONLY".into(),
        history: "HISTORY".into(),
    }
}

/// Keeps the images that have the name asked for.
fn keep_named(listed: &mut Vec<ImageInfo>, wanted: &str) -> Result<()> {
    wanted.parse::<Reference>()?;
    listed.retain(|image| image.names.iter().any(|name| fits(name, wanted)));
    if listed.is_empty() {
        return Err(Error::new(Kind::NotFound, format!("cannot list the image `{wanted}`"))
            .because("no image in the store has this name")
            .hint("see what there is with `kiln images`"));
    }
    Ok(())
}

/// Whether a stored name is the one asked for: with the tag if one was written, else with any.
fn fits(name: &str, written: &str) -> bool {
    let (Ok(known), Ok(wanted)) = (name.parse::<Reference>(), written.parse::<Reference>()) else {
        return false;
    };
    let tagged = written.rsplit('/').next().is_some_and(|last| last.contains(':'));
    let same = known.repository() == wanted.repository()
        || !Reference::names_host(written) && known.repository().ends_with(&format!("/{}", wanted.path()));
    same && (!tagged || known.tag() == wanted.tag())
}

/// A row for each name that `fits`.
fn rows(image: &ImageInfo, short: bool, fits: impl Fn(&str) -> bool) -> Vec<Row> {
    let row = Row {
        id: if short { image.id.short() } else { image.id.to_string() },
        name: "<none>".into(),
        tag: "<none>".into(),
        digest: image.digest.to_string(),
        created: created(image).map_or(0, jiff::Timestamp::as_second).to_string(),
        created_at: created_at(image),
        created_at_raw: image.created.clone().unwrap_or_default(),
        size: text::size(image.size),
        read_only: image.read_only.to_string(),
        history: "<none>".into(),
    };
    if image.names.is_empty() {
        return vec![row];
    }
    let named = |full: &String| {
        let (name, tag) = match full.parse::<Reference>() {
            Ok(name) => (name.repository(), name.tag().unwrap_or("<none>").to_owned()),
            Err(_) => (full.clone(), "<none>".to_owned()),
        };
        let others: Vec<&str> =
            image.names.iter().filter(|other| *other != full).map(String::as_str).collect();
        let history = if others.is_empty() { "<none>".to_owned() } else { others.join(", ") };
        let digest = image.other_digests.get(full).unwrap_or(&image.digest).to_string();
        Row { name, tag, digest, history, ..row.clone() }
    };
    image.names.iter().filter(|name| fits(name)).map(named).collect()
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
        "readonly": image.read_only,
        "history": null,
    })
}
