//! A container as the sum of its base and its log: what its image would say of itself now.

use crate::builder::{Builder, now};
use crate::error::Result;
use crate::oci::{Draft, ImageConfig, Manifest};
use crate::store::{ContainerRecord, Logged, Store};

/// The manifest and config a container started from; none for one made from nothing.
pub(crate) fn base_image(store: &Store, record: &ContainerRecord) -> Result<Option<(Manifest, ImageConfig)>> {
    let Some(base) = &record.base else { return Ok(None) };
    store.read_image(base.manifest).map(Some)
}

/// What the container's image would say of itself: the base's config and every edit since.
pub(crate) fn draft(builder: &Builder<'_>, record: &ContainerRecord) -> Result<Draft> {
    let mut draft = Draft::default();
    match base_image(&builder.store, record)? {
        Some((manifest, config)) => {
            draft.config = config;
            draft.annotations = manifest.annotations;
        }
        None => draft.config = ImageConfig::scratch(),
    }
    for entry in &record.log {
        if let Logged::Config(edits) = &entry.did {
            edits.iter().for_each(|edit| draft.apply(edit));
        }
    }
    Ok(draft)
}

/// When an image committed now was made, seconds since the epoch: for a cached container when the newest of its steps
/// was performed, so that a repetition gives the same image; else now.
pub(crate) fn made_at(record: &ContainerRecord, draft: &Draft) -> i64 {
    if !record.cached {
        return now();
    }
    let steps = record.log.iter().filter(|entry| matches!(entry.did, Logged::Step(_)));
    let base =
        || draft.config.created.as_deref()?.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second);
    steps.map(|entry| entry.at).max().or_else(base).unwrap_or_default()
}
