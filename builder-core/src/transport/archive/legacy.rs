//! Archives of a Docker before 1.10: `repositories` names the topmost layer of each image; a layer is a directory with
//! `json`, which names the layer below it and says how a container runs, and `layer.tar`.
//!
//! The format is Docker's image specification 1.0. Such an image has no config of its own; one is made up, from what
//! the layers say, always the same.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde::Deserialize;

use crate::error::{Context, Error, Result};
use crate::layer::{Digesting, decode, pour};
use crate::oci::{ContainerDefaults, Digest, History, ImageConfig, MAX_MANIFEST, RootFs};
use crate::transport::archive::docker_read::Item;
use crate::transport::files::Files;

/// How many layers an image may have: more than Docker ever mounted.
const MAX_LAYERS: usize = 1000;

/// How many images an archive may have.
const MAX_IMAGES: usize = 10_000;

/// The file `json` of a layer.
#[derive(Debug, Default, Deserialize)]
struct Layer {
    #[serde(default)]
    parent: Option<String>,
    #[serde(default)]
    created: Option<String>,
    #[serde(default)]
    author: String,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    #[serde(default)]
    config: Option<ContainerDefaults>,
    /// The container that was committed; its command is what made the layer.
    #[serde(default)]
    container_config: Option<ContainerDefaults>,
}

/// All images that `repositories` names.
pub(super) fn items(files: &dyn Files) -> Result<Vec<Item>> {
    let what = "the archive's `repositories`";
    let bytes = files.read("repositories", MAX_MANIFEST).cannot("read", "repositories")?;
    let named: BTreeMap<String, BTreeMap<String, String>> = serde_json::from_slice(&bytes)
        .map_err(|cause| Error::corrupt(format!("cannot read {what}")).because(cause))?;
    let mut tops: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, tags) in named {
        for (tag, top) in tags {
            tops.entry(top).or_default().push(format!("{name}:{tag}"));
        }
    }
    if tops.is_empty() || tops.len() > MAX_IMAGES {
        let why = if tops.is_empty() { "it names no image" } else { "it names too many images" };
        return Err(Error::corrupt(format!("cannot read {what}")).because(why));
    }
    let item = |(top, names): (String, Vec<String>)| {
        let ids = chain(files, &top)?;
        let layers = ids.iter().map(|(id, _)| format!("{id}/layer.tar")).collect();
        Ok(Item { config: format!("{top}/json"), repo_tags: Some(names), layers, legacy: true })
    };
    tops.into_iter().map(item).collect()
}

/// The config that is made up for an image.
pub(super) fn config(files: &dyn Files, item: &Item) -> Result<Vec<u8>> {
    let top = item.config.strip_suffix("/json").unwrap_or(&item.config);
    let mut whole = ImageConfig { rootfs: RootFs::default(), ..ImageConfig::scratch() };
    for (id, layer) in chain(files, top)? {
        let entry = format!("{id}/layer.tar");
        whole.rootfs.diff_ids.push(diff_id(files, &entry).cannot("read the layer", &entry)?);
        let command = layer.container_config.as_ref().and_then(|config| config.cmd.clone());
        whole.history.push(History {
            created: layer.created.clone(),
            created_by: command.map(|words| words.join(" ")).unwrap_or_default(),
            author: layer.author.clone(),
            comment: layer.comment.clone(),
            empty_layer: false,
        });
        // What the topmost layer says, holds.
        whole.created = layer.created;
        whole.author = layer.author;
        whole.config = layer.config.unwrap_or_default();
        if !layer.architecture.is_empty() {
            whole.architecture = layer.architecture;
        }
        if !layer.os.is_empty() {
            whole.os = layer.os;
        }
    }
    Ok(whole.to_bytes())
}

/// The layers of an image, the lowest first.
fn chain(files: &dyn Files, top: &str) -> Result<Vec<(String, Layer)>> {
    let sentence = || format!("cannot read the image `{:.80}` of the archive", top.escape_default());
    let mut found: Vec<(String, Layer)> = Vec::new();
    let mut next = Some(top.to_owned());
    while let Some(id) = next {
        if found.len() == MAX_LAYERS || found.iter().any(|(known, _)| *known == id) {
            return Err(Error::corrupt(sentence()).because("its layers have no end"));
        }
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::corrupt(sentence()).because("the name of a layer is no id"));
        }
        let bytes = files.read(&format!("{id}/json"), MAX_MANIFEST).cannot("read the layer", &id)?;
        let layer: Layer =
            serde_json::from_slice(&bytes).map_err(|cause| Error::corrupt(sentence()).because(cause))?;
        next = layer.parent.clone().filter(|parent| !parent.is_empty());
        found.push((id, layer));
    }
    found.reverse();
    Ok(found)
}

/// The digest of a layer's tar.
fn diff_id(files: &dyn Files, entry: &str) -> io::Result<Digest> {
    let (reader, _) = files.open(entry)?;
    let mut digesting = Digesting::new(io::sink());
    let mut plain: Box<dyn Read> = Box::new(decode(reader)?);
    pour(&mut *plain, &mut digesting)?;
    Ok(Digest::from_bytes(digesting.finish()?.1))
}
