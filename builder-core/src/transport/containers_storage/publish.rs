//! The end of a write: layers, then the image, under the locks of both tables.
//!
//! A process may be killed at any of its calls. Then each layer is not in the table, or in it as incomplete (whoever
//! opens the table to write removes it), or whole; an image is not there or whole.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use super::files;
use super::layers;
use super::place::{Kept, Storage};
use super::stage::{Stage, Staged};
use super::tables::{NewLayer, Table, texts};
use crate::error::{Context, Error, Kind, Result};
use crate::event::Reporter;
use crate::layer::Compression;
use crate::oci::{Digest, ImageConfig};

/// In the metadata of an image that was written without a name: a list that names it takes it along when it goes.
pub(super) const PASSING: &str = "kiln-passing";

/// What is written.
pub(super) struct Publication<'a> {
    pub storage: &'a Storage,
    pub stage: &'a Stage,
    pub reporter: &'a dyn Reporter,
    /// The names the image gets.
    pub names: &'a [String],
    /// Its manifest, byte for byte.
    pub manifest: &'a [u8],
    /// Its config, byte for byte.
    pub config: &'a [u8],
    /// The diff ids of its layers, the lowest first.
    pub chain: &'a [Digest],
    /// The layers that are whole and have no names yet, by id.
    pub staged: &'a mut BTreeMap<String, Staged>,
    /// Simple-signing signatures of the manifest.
    pub signatures: &'a [Vec<u8>],
}

/// Gives everything its name.
pub(super) fn publish(publication: Publication<'_>) -> Result<()> {
    let Publication { storage, reporter, .. } = publication;
    // In this order, as everyone takes them.
    let layers_lock = storage.lock(Kept::Layers, reporter)?;
    let path = storage.table_path(storage.root(), Kept::Layers);
    let mut table = Table::read(&path)?;
    let ids = layers::ids(publication.chain);
    let new = publication.missing(&table, &ids)?;
    if !new.is_empty() {
        layers::clear_incomplete(storage, publication.stage, &mut table)?;
        for (id, parent) in &new {
            let record = record(id, parent, &publication.staged[id]);
            let mut record = serde_json::to_value(record).expect("plain data becomes JSON");
            layers::begin(&mut record);
            table.items_mut().push(record);
        }
        table.write(&path)?;
        layers_lock.touch()?;
        for (id, parent) in &new {
            let staged = publication.staged.remove(id).expect("it is not missing");
            layers::put(storage, publication.stage, id, parent, &staged.dir, &staged.link)?;
            let split = storage.split(storage.root(), id);
            fs::rename(&staged.split, split).cannot("write the layer", id)?;
        }
        new.iter().for_each(|(id, _)| layers::complete(&mut table, id));
        table.write(&path)?;
        layers_lock.touch()?;
    }
    // Still under that lock: whoever removes an image removes its layers under both.
    put_image(&publication, ids.last().map_or("", String::as_str))
}

impl Publication<'_> {
    /// The layers that are not in the table, each with its parent, the lowest first.
    fn missing(&self, table: &Table, ids: &[String]) -> Result<Vec<(String, String)>> {
        let mut new = Vec::new();
        for (place, id) in ids.iter().enumerate() {
            if table.layer(id).is_some_and(|layer| !layer.is_incomplete()) {
                continue;
            }
            if !self.staged.contains_key(id) {
                return Err(Error::new(Kind::NotFound, format!("cannot write `{}`", self.storage.name("")))
                    .because(format!(
                        "the layer {} was removed meanwhile by another process",
                        self.chain[place]
                    ))
                    .hint("repeat the command"));
            }
            new.push((id.clone(), place.checked_sub(1).map(|below| ids[below].clone()).unwrap_or_default()));
        }
        Ok(new)
    }
}

fn record(id: &str, parent: &str, staged: &Staged) -> NewLayer {
    NewLayer {
        id: id.to_owned(),
        parent: parent.to_owned(),
        created: jiff::Timestamp::now().to_string(),
        compressed_diff_digest: staged.blob.0.to_string(),
        compressed_size: staged.blob.1,
        diff_digest: staged.diff.0.to_string(),
        diff_size: staged.diff.1,
        compression: match staged.form {
            Compression::None => 0,
            Compression::Gzip => 2,
            Compression::Zstd | Compression::ZstdChunked => 4,
        },
        uidset: staged.uids.iter().copied().collect(),
        gidset: staged.gids.iter().copied().collect(),
    }
}

/// The image's files, then its entry.
fn put_image(publication: &Publication<'_>, top: &str) -> Result<()> {
    let storage = publication.storage;
    let lock = storage.lock(Kept::Images, publication.reporter)?;
    let path = storage.table_path(storage.root(), Kept::Images);
    let mut table = Table::read(&path)?;
    let (id, manifest) = (Digest::of(publication.config), Digest::of(publication.manifest));
    let dir = storage.dir(storage.root(), Kept::Images).join(id.hex());
    if !dir.is_dir() {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).cannot("make", dir.display())?;
    }
    let signatures = publication.signatures.concat();
    let kept: [(String, &[u8]); 4] = [
        (id.to_string(), publication.config),
        (format!("manifest-{manifest}"), publication.manifest),
        ("manifest".to_owned(), publication.manifest),
        (format!("signature-{}", manifest.hex()), &signatures),
    ];
    for (key, bytes) in &kept {
        files::write(&dir, key, bytes)?;
    }
    take_names(&mut table, publication.names, &id.hex());
    let is_new = table.find(&id.hex()).is_none();
    if is_new {
        let config: Option<ImageConfig> = serde_json::from_slice(publication.config).ok();
        let created =
            config.and_then(|config| config.created).unwrap_or_else(|| jiff::Timestamp::now().to_string());
        table.items_mut().push(json!({ "id": id.hex(), "created": created }));
    }
    let image = table.find_mut(&id.hex()).expect("it is there by now");
    image["digest"] = manifest.to_string().into();
    image["layer"] = top.into();
    add_texts(&mut image["names"], publication.names);
    add_texts(&mut image["names-history"], publication.names);
    let sizes: Vec<usize> = publication.signatures.iter().map(Vec::len).collect();
    let mut metadata: Value = image["metadata"]
        .as_str()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_else(|| json!({}));
    metadata["signatures-sizes"][manifest.to_string()] = json!(sizes);
    if is_new && publication.names.is_empty() {
        metadata[PASSING] = true.into();
    }
    image["metadata"] = metadata.to_string().into();
    note_files(image, &kept);
    table.write(&path)?;
    lock.touch()
}

/// Notes which files an image has.
pub(super) fn note_files(image: &mut Value, kept: &[(String, &[u8])]) {
    add_texts(&mut image["big-data-names"], kept.iter().map(|(key, _)| key));
    for (key, bytes) in kept {
        image["big-data-sizes"][key.as_str()] = bytes.len().into();
        image["big-data-digests"][key.as_str()] = Digest::of(bytes).to_string().into();
    }
}

/// Takes names away from the images that have them, but for one.
pub(super) fn take_names(table: &mut Table, names: &[String], but: &str) {
    for image in table.items_mut().iter_mut().filter(|image| image["id"] != but) {
        if texts(&image["names"]).any(|name| names.iter().any(|taken| taken == name)) {
            let left: Vec<&str> =
                texts(&image["names"]).filter(|name| names.iter().all(|taken| taken != name)).collect();
            image["names"] = json!(left);
        }
    }
}

/// Adds texts to a list, each once.
pub(super) fn add_texts(list: &mut Value, more: impl IntoIterator<Item = impl AsRef<str>>) {
    if !list.is_array() {
        *list = json!([]);
    }
    let all = list.as_array_mut().expect("made one just now");
    for text in more {
        if !all.iter().any(|known| known == text.as_ref()) {
            all.push(text.as_ref().into());
        }
    }
}
