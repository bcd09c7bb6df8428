//! Which images were made of which: an image without a name that another stands on is a step on the way to that one.
//! It is shown only where it is asked for, and goes with the last image that stands on it.

use std::collections::{BTreeMap, BTreeSet};

use crate::builder::Builder;
use crate::error::{Kind, Result};
use crate::oci::{Digest, History};
use crate::store::images::StoredImage;

/// The images without a name that others were made of.
pub(super) fn intermediate(images: &[StoredImage]) -> BTreeSet<Digest> {
    let nameless = || images.iter().filter(|image| image.entry.names.is_empty());
    // By their layers: an image has few lengths to begin with, a store may have many images.
    let mut asked: BTreeMap<&[Digest], Vec<&StoredImage>> = BTreeMap::new();
    for image in nameless() {
        asked.entry(&image.config.rootfs.diff_ids).or_default().push(image);
    }
    let mut found = BTreeSet::new();
    for child in images.iter().filter(|_| !asked.is_empty()) {
        let layers = &child.config.rootfs.diff_ids;
        for length in 1..=layers.len() {
            let known = asked.get(&layers[..length]).into_iter().flatten();
            found.extend(known.filter(|image| is_made_of(child, image)).map(|image| image.entry.id));
        }
    }
    found
}

/// Removes the images without a name that only `child`, which is removed already, was made of; the nearest first.
pub(super) fn remove_left(builder: &Builder<'_>, child: &StoredImage) -> Result<Vec<Digest>> {
    let mut removed = Vec::new();
    let mut images = own(builder)?;
    let mut left: Vec<Digest> = images
        .iter()
        .filter(|image| image.entry.names.is_empty() && is_made_of(child, image))
        .map(|image| image.entry.id)
        .collect();
    let containers = builder.store.containers()?;
    left.retain(|id| containers.iter().all(|made| made.base.as_ref().is_none_or(|base| base.id != *id)));
    while !left.is_empty() {
        let needed = intermediate(&images);
        let Some(place) = left.iter().position(|id| !needed.contains(id)) else { break };
        let id = left.remove(place);
        images.retain(|image| image.entry.id != id);
        if builder.store.remove_image(id, |now| now.names.is_empty())? {
            removed.push(id);
        }
    }
    Ok(removed)
}

/// The images of the store itself that are no lists.
pub(super) fn own(builder: &Builder<'_>) -> Result<Vec<StoredImage>> {
    let mut images = Vec::new();
    for entry in builder.store.image_entries()?.into_iter().filter(|entry| !entry.is_list()) {
        match builder.store.load_image(entry) {
            // Removed while we looked.
            Err(error) if error.kind() == Kind::NotFound => {}
            image => images.push(image?),
        }
    }
    Ok(images)
}

/// Whether `child` has all that `parent` has, and more: its layers, and its history, if that is told.
fn is_made_of(child: &StoredImage, parent: &StoredImage) -> bool {
    let (layers, below) = (&child.config.rootfs.diff_ids, &parent.config.rootfs.diff_ids);
    if below.is_empty() || !layers.starts_with(below) {
        return false;
    }
    let (lines, before) = (&child.config.history, &parent.config.history);
    let same = |(line, before): (&History, &History)| {
        (&line.created, &line.created_by, line.empty_layer)
            == (&before.created, &before.created_by, before.empty_layer)
    };
    let goes_on = lines.len() > before.len() && lines.iter().zip(before).all(same);
    goes_on || (lines.is_empty() && layers.len() > below.len())
}
