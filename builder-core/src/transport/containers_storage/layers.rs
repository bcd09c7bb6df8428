//! Layers of a storage: what they are called, and their directories coming and going. The lock of the table is held.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use serde_json::{Value, json};

use super::place::Storage;
use super::stage::Stage;
use super::tables::Table;
use crate::error::{Context, Error, Result};
use crate::oci::Digest;
use crate::sys::random;

/// The ids of layers by their diff ids, the lowest first, as the storage's own programs reckon them: so that a layer is
/// there once, whoever brought it.
pub(super) fn ids(diff_ids: &[Digest]) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for diff_id in diff_ids {
        let id = match ids.last() {
            None => diff_id.hex(),
            Some(parent) => Digest::of(format!("{parent}+{}", diff_id.hex()).as_bytes()).hex(),
        };
        ids.push(id);
    }
    ids
}

/// A short name for a layer's directory: an overlay's options have room for many of these.
pub(super) fn link_name() -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    const LENGTH: usize = 26;
    let bytes = random::hex(LENGTH).into_bytes();
    let letter = |pair: &[u8]| {
        let value = u8::from_str_radix(std::str::from_utf8(pair).unwrap_or("0"), 16).unwrap_or(0);
        char::from(LETTERS[usize::from(value % 32)])
    };
    bytes.chunks(2).map(letter).collect()
}

/// Gives a layer's directory, which has `diff` and `link`, its name, and makes what else it has.
pub(super) fn put(
    storage: &Storage,
    stage: &Stage,
    id: &str,
    parent: &str,
    dir: &Path,
    link: &str,
) -> Result<()> {
    let named = storage.layer_dir(id);
    if !storage.is_overlay() {
        // No table named it, so nobody uses what is there.
        take_away(storage, stage, id)?;
        return fs::rename(dir.join("diff"), named).cannot("write the layer", id);
    }
    let overlay = storage.home();
    let mut needed = vec!["work", "merged"];
    if parent.is_empty() {
        // Where the kernel wants a second layer below a lowest one.
        needed.push("empty");
    } else {
        fs::write(dir.join("lower"), lower(&overlay, parent)?).cannot("write the layer", id)?;
    }
    for name in needed {
        fs::DirBuilder::new().mode(0o700).create(dir.join(name)).cannot("make the layer", id)?;
    }
    take_away(storage, stage, id)?;
    fs::rename(dir, named).cannot("write the layer", id)?;
    let link = overlay.join("l").join(link);
    std::os::unix::fs::symlink(format!("../{id}/diff"), &link).cannot("make", link.display())
}

/// Takes the files of a layer away, if there are any.
pub(super) fn take_away(storage: &Storage, stage: &Stage, id: &str) -> Result<()> {
    let dir = storage.layer_dir(id);
    if storage.is_overlay()
        && let Ok(link) = fs::read_to_string(dir.join("link"))
        && is_link_name(&link)
    {
        let link = storage.home().join("l").join(link);
        ignore_missing(fs::remove_file(link)).cannot("remove the layer", id)?;
    }
    ignore_missing(fs::remove_file(storage.split(storage.root(), id))).cannot("remove the layer", id)?;
    ignore_missing(fs::rename(dir, stage.trash())).cannot("remove the layer", id)
}

/// Says of a layer that its files are not to be used, and that who finds it so may take it away.
pub(super) fn begin(layer: &mut Value) {
    layer["flags"]["incomplete"] = json!(true);
}

/// Says that all of a layer is there.
pub(super) fn complete(table: &mut Table, id: &str) {
    if let Some(Value::Object(layer)) = table.find_mut(id) {
        let empty = match layer.get_mut("flags").and_then(Value::as_object_mut) {
            Some(flags) => {
                flags.remove("incomplete");
                flags.is_empty()
            }
            None => false,
        };
        if empty {
            layer.remove("flags");
        }
    }
}

/// Takes out of the table what killed processes began. Their files go first, so that no name is in the way.
pub(super) fn clear_incomplete(storage: &Storage, stage: &Stage, table: &mut Table) -> Result<()> {
    let begun: Vec<String> = (table.items().iter())
        .filter(|item| item["flags"]["incomplete"] == true)
        .filter_map(|item| item["id"].as_str().map(str::to_owned))
        .collect();
    for id in begun.iter().filter(|id| is_id(id)) {
        take_away(storage, stage, id)?;
        table.items_mut().retain(|item| item["id"] != id.as_str());
    }
    Ok(())
}

/// Whether a text is an id, and so a name in a directory.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What the file `lower` of a layer over `parent` says: the short names of all layers below, the topmost first.
fn lower(overlay: &Path, parent: &str) -> Result<String> {
    let dir = overlay.join(parent);
    let link = fs::read_to_string(dir.join("link")).cannot("read the layer", parent)?;
    if !is_link_name(&link) {
        return Err(
            Error::corrupt(format!("cannot read the layer `{parent}`")).because("its short name is none")
        );
    }
    let below = match fs::read_to_string(dir.join("lower")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        below => format!(":{}", below.cannot("read the layer", parent)?),
    };
    Ok(format!("l/{link}{below}"))
}

fn is_link_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

pub(super) fn ignore_missing(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
