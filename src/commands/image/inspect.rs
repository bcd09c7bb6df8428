//! `kiln image inspect`, `skopeo inspect`.

use std::collections::BTreeMap;

use builder_core::{Error, Location, Look, Looked, Result, Surroundings};
use serde::Serialize;
use serde_json::Value;

use super::copy::place;
use super::{RetryArgs, Tool};
use crate::args::endpoint::Endpoint;
use crate::commands::inspect::names;
use crate::exit::Exit;
use crate::ui::template::Format;
use crate::ui::{self, Talk};

/// Look at an image wherever it is; nothing but its manifest and config is fetched
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where it is, with its transport: docker://HOST/NAME:TAG, oci:DIR:NAME …
    image: String,
    #[command(flatten)]
    endpoint: Endpoint,
    /// Print the config; with --raw, byte for byte
    #[arg(long)]
    config: bool,
    /// Print the manifest, or the index, byte for byte
    #[arg(long)]
    raw: bool,
    /// A Go template: .Name .Digest .RepoTags .Created .DockerVersion .Labels .Architecture .Os .Layers .LayersData
    /// .Env; with --config .Architecture .OS .Config.Env .RootFS.DiffIDs .History …
    #[arg(long, short, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Do not list the other tags of the repository
    #[arg(long, short)]
    no_tags: bool,
    #[command(flatten)]
    retry: RetryArgs,
}

/// Skopeo's object.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    digest: String,
    repo_tags: Vec<String>,
    created: Option<String>,
    docker_version: String,
    labels: Option<BTreeMap<String, String>>,
    architecture: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    variant: String,
    os: String,
    layers: Vec<String>,
    layers_data: Vec<Layer>,
    env: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Layer {
    #[serde(rename = "MIMEType")]
    mime_type: String,
    digest: String,
    size: u64,
    annotations: Option<BTreeMap<String, String>>,
}

impl Args {
    /// Prints what was asked for.
    pub fn run(self, tool: &Tool<'_>) -> Result<Exit> {
        if self.raw && self.format.is_some() {
            return Err(Error::invalid("cannot use --format")
                .because("--raw prints the bytes as they are")
                .hint("leave one of them out"));
        }
        let access = tool.access(self.endpoint.access(None)?, &self.retry);
        let look = Look { image: place(&self.image)?, platform: tool.platform()?, access };
        let talk = Talk { quiet: true };
        tool.with(&talk, look.needs_store(), |surroundings| self.show(&look, surroundings))?;
        Ok(Exit::Success)
    }

    fn show(&self, look: &Look, surroundings: &Surroundings<'_>) -> Result<()> {
        if self.raw && !self.config {
            ui::result_bytes(&look.raw(surroundings)?);
            return Ok(());
        }
        if self.raw {
            ui::result_bytes(&look.raw_config(surroundings)?);
            return Ok(());
        }
        let lists_tags = !self.config && !self.no_tags;
        let (looked, repo_tags) = match lists_tags {
            true => look.with_tags(surroundings)?,
            false => (look.perform(surroundings)?, Vec::new()),
        };
        if self.config {
            let config: Value = serde_json::from_slice(&looked.config_bytes).map_err(|cause| {
                Error::corrupt(format!("cannot read the config of `{}`", self.image)).because(cause)
            })?;
            return self.print(&config, names::of_image);
        }
        // As Skopeo has it: only what is in a registry or a store has a name beside it.
        let name = match &look.image {
            Location::Registry(name) | Location::Store(name) => Some(name.repository()),
            _ => None,
        };
        self.print(&inspected(name, repo_tags, looked), names::of_inspected)
    }

    /// As JSON, or as a template has it, which sees `named` of that.
    fn print(&self, value: &impl Serialize, named: impl FnOnce(&Value) -> Value) -> Result<()> {
        match &self.format {
            // As Skopeo has it: the whole, and then as it is shown without a template.
            Some(format) if is_whole(format) => ui::result_json(value),
            Some(format) => {
                let value = serde_json::to_value(value).expect("plain data becomes JSON");
                ui::result(Format::parse(format)?.strict().fill(&named(&value))?);
            }
            None => ui::result_json(value),
        }
        Ok(())
    }
}

/// Whether a template asks for nothing but the JSON of everything.
fn is_whole(format: &str) -> bool {
    let words: String = format.chars().filter(|letter| !letter.is_whitespace()).collect();
    matches!(words.as_str(), "json" | "{{json.}}" | "{{json}}")
}

fn inspected(name: Option<String>, repo_tags: Vec<String>, looked: Looked) -> Inspected {
    let (manifest, config) = (looked.manifest, looked.config);
    let docker_version = config.other.get("docker_version").and_then(|version| version.as_str());
    let data = manifest.layers.iter().map(|layer| Layer {
        mime_type: layer.media_type.clone(),
        digest: layer.digest.to_string(),
        size: layer.size,
        annotations: (!layer.annotations.is_empty()).then(|| layer.annotations.clone()),
    });
    Inspected {
        name,
        digest: looked.digest.to_string(),
        repo_tags,
        docker_version: docker_version.unwrap_or_default().to_owned(),
        created: config.created,
        labels: (!config.config.labels.is_empty()).then_some(config.config.labels),
        architecture: config.architecture,
        variant: config.variant,
        os: config.os,
        layers: manifest.layers.iter().map(|layer| layer.digest.to_string()).collect(),
        layers_data: data.collect(),
        env: (!config.config.env.is_empty()).then_some(config.config.env),
    }
}
