//! What is done with stages: which are built, what they inherit and leave, and what of them is taken from the cache.

use std::time::Duration;

use builder_core::{ConfigEdit, Error, Result};
use dockerfile_frontend::Graph;

use crate::args::duration;

/// The flags about stages and their steps.
#[derive(Debug, clap::Args)]
pub struct StageFlags {
    /// Take steps that are not known here from this repository, HOST/PATH, or layout, oci:DIR; any number. Each is an
    /// image there, whose tag is what the step depends on. Written for BuildKit: type=registry,ref=HOST/PATH
    #[arg(long, value_name = "PLACE")]
    pub cache_from: Vec<String>,
    /// Send steps, performed or known here, to this repository, HOST/PATH, or layout, oci:DIR; any number
    #[arg(long, value_name = "PLACE")]
    pub cache_to: Vec<String>,
    /// Take steps from the cache only if they were performed less than this long ago, such as 30m; 0 is --no-cache
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    cache_ttl: Option<Duration>,
    /// With false, the image has no annotations of the image or stage it stands on (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    inherit_annotations: Option<bool>,
    /// With false, the image has no labels of the image or stage it stands on (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    inherit_labels: Option<bool>,
    /// Set a label of the images of other stages, which --save-stages keeps: NAME=VALUE
    #[arg(long, value_name = "NAME=VALUE")]
    layer_label: Vec<String>,
    /// Take nothing from the cache
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(action = clap::ArgAction::Set, default_value = "false", hide_default_value = true)]
    no_cache: bool,
    /// Take nothing from the cache for this stage, by name or number
    #[arg(long, value_name = "STAGE", value_delimiter = ',')]
    pub no_cache_filter: Vec<String>,
    /// Make an image without a name of every stage
    #[arg(long)]
    pub save_stages: bool,
    /// With false, stages are built too that the image needs nothing of (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(action = clap::ArgAction::Set, default_value = "true", hide_default_value = true)]
    pub skip_unused_stages: bool,
    /// Label the images of all stages with io.buildah.stage.name and io.buildah.stage.base
    #[arg(long, requires = "save_stages")]
    pub stage_labels: bool,
}

impl StageFlags {
    /// Steps that were recorded before this time, seconds since the epoch, are performed anew.
    pub fn anew_before(&self, now: i64) -> i64 {
        match self.cache_ttl {
            _ if self.no_cache => i64::MAX,
            None => i64::MIN,
            Some(Duration::ZERO) => i64::MAX,
            Some(ttl) => now.saturating_sub_unsigned(ttl.as_secs()),
        }
    }

    /// What is to be performed anew and is no stage.
    pub fn without_stage<'a>(&'a self, graph: &'a Graph) -> impl Iterator<Item = &'a String> {
        let is_stage = |text: &str| {
            let is_name = |name: &String| name.eq_ignore_ascii_case(text);
            graph.stages.iter().any(|stage| stage.name.as_ref().is_some_and(is_name))
                || text.parse::<usize>().is_ok_and(|place| place < graph.stages.len())
        };
        self.no_cache_filter.iter().filter(move |text| !is_stage(text))
    }

    /// What a stage does not take over.
    pub fn disinherited(&self) -> Vec<ConfigEdit> {
        let labels = (self.inherit_labels == Some(false)).then_some(ConfigEdit::ClearLabels);
        let annotations = (self.inherit_annotations == Some(false)).then_some(ConfigEdit::ClearAnnotations);
        labels.into_iter().chain(annotations).collect()
    }

    /// The labels of images of other stages.
    pub fn layer_labels(&self) -> Result<Vec<ConfigEdit>> {
        self.layer_label.iter().map(|text| label(text)).collect()
    }
}

/// The repository or layout that a value of `--cache-from` or `--cache-to` names.
pub fn place(text: &str) -> Result<String> {
    if !text.contains("type=") {
        return Ok(text.to_owned());
    }
    let fields: Vec<(&str, &str)> = text.split(',').filter_map(|field| field.split_once('=')).collect();
    let value = |name: &str| fields.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let dir = value("src").or_else(|| value("dest"));
    match (value("type"), value("ref"), dir) {
        (Some("registry"), Some(repository), _) => Ok(repository.to_owned()),
        (Some("local"), _, Some(dir)) => Ok(format!("oci:{dir}")),
        _ => Err(Error::invalid(format!("cannot keep steps in `{text}`"))
            .because("it is neither type=registry with a ref nor type=local with a src or dest")
            .hint("--cache-to HOST/PATH, or --cache-to oci:DIR")),
    }
}

/// `NAME=VALUE`, or `NAME` for an empty one.
pub fn label(text: &str) -> Result<ConfigEdit> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    match name {
        "" => Err(Error::invalid("cannot use a label without a name").hint("--label NAME=VALUE")),
        name => Ok(ConfigEdit::Label(name.to_owned(), value.to_owned())),
    }
}
