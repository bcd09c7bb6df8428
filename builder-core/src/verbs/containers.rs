//! `containers`, `rename`, `rm`: the working containers as a list, their names, their end.

use std::time::Duration;

use crate::builder::Builder;
use crate::error::{Context, Error, Kind, Result};
use crate::name::Reference;
use crate::oci::{Digest, MAX_MANIFEST};
use crate::rootfs;
use crate::steps::container;
use crate::store::containers::{Base, frozen_of};
use crate::store::{ContainerRecord, Logged, Outcome, Store};
use crate::sys::lock::{self, Mode};
use crate::verbs::beside;
use crate::verbs::mount::Mounted;

/// So long a command may be ending in a container that is to be removed: one that was just killed may have left its
/// lock to a child that is only about to see that it is alone.
const ENDING: Duration = Duration::from_millis(500);

/// What a list says of a container.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerInfo {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was made, seconds since the epoch.
    pub created: i64,
    /// The full name of the image it started from; `scratch` for none.
    pub image: String,
    /// That image's id.
    pub image_id: Option<Digest>,
}

/// All working containers, the oldest first.
pub fn containers(builder: &Builder<'_>) -> Result<Vec<ContainerInfo>> {
    Ok(builder.store.containers()?.into_iter().map(info).collect())
}

/// The containers that meet conditions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Containers {
    /// Conditions that must all hold: `id=` and its beginning, `name=` and a part of it, `ancestor=` and the image.
    pub filters: Vec<String>,
}

impl Containers {
    /// The list, the oldest first.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Vec<ContainerInfo>> {
        let conditions: Vec<(&str, &str)> =
            self.filters.iter().map(|text| condition(text)).collect::<Result<_>>()?;
        let mut listed = containers(builder)?;
        listed.retain(|container| {
            conditions.iter().all(|(key, value)| match *key {
                "id" => container.id.starts_with(value),
                "name" => container.name.contains(value),
                _ => is_ancestor(container, value),
            })
        });
        Ok(listed)
    }
}

fn condition(text: &str) -> Result<(&str, &str)> {
    match text.split_once('=') {
        Some((key @ ("id" | "name" | "ancestor"), value)) if !value.is_empty() => Ok((key, value)),
        _ => Err(Error::invalid(format!("cannot use the filter `{text}`"))
            .because("it is none of id=BEGINNING, name=PART and ancestor=IMAGE")
            .hint("--filter name=working")),
    }
}

/// Whether `text` names the image a container was made of: by its id, or by its name in full or without host or tag.
fn is_ancestor(container: &ContainerInfo, text: &str) -> bool {
    if container.image_id.is_some_and(|id| text.len() >= 3 && id.hex().starts_with(text)) {
        return true;
    }
    let (Ok(known), Ok(wanted)) = (container.image.parse::<Reference>(), text.parse::<Reference>()) else {
        return container.image == text;
    };
    let tail = format!("/{}", wanted.path());
    known.tag() == wanted.tag()
        && (known.repository() == wanted.repository()
            || !Reference::names_host(text) && known.repository().ends_with(&tail))
}

fn info(record: ContainerRecord) -> ContainerInfo {
    ContainerInfo {
        id: record.id,
        name: record.name,
        created: record.created.div_euclid(1_000_000_000),
        image: record.base.as_ref().map_or_else(|| "scratch".into(), |base| base.name.clone()),
        image_id: record.base.map(|base| base.id),
    }
}

/// All there is to say of one container.
#[derive(Debug, Clone)]
pub struct ContainerDetails {
    /// What lists say.
    pub info: ContainerInfo,
    /// The manifest digest of the image it started from.
    pub image_digest: Option<Digest>,
    /// What its image would say of itself now.
    pub draft: crate::oci::Draft,
    /// In which format a commit writes.
    pub format: crate::oci::Format,
    /// Where it is mounted, if it is, in this mount namespace.
    pub mounted: Option<Mounted>,
    /// Manifest and config of the image it started from, byte for byte.
    pub base: Option<(Vec<u8>, Vec<u8>)>,
}

/// Looks at one container.
pub fn inspect_container(builder: &Builder<'_>, text: &str) -> Result<ContainerDetails> {
    let record = builder.store.find_container(text)?;
    let draft = container::draft(builder, &record)?;
    let base = match container::base_image(&builder.store, &record)?.zip(record.base.as_ref()) {
        Some(((manifest, _), base)) => Some((
            builder.store.read_blob(base.manifest, MAX_MANIFEST)?,
            builder.store.read_blob(manifest.config.digest, MAX_MANIFEST)?,
        )),
        None => None,
    };
    let path = builder.store.container_dir(&record.id).join("merged");
    let mounted = rootfs::is_attached(&path)?.then(|| Mounted {
        name: record.name.clone(),
        id: record.id.clone(),
        path,
    });
    let image_digest = record.base.as_ref().map(|base| base.manifest);
    let format = record.format;
    Ok(ContainerDetails { info: info(record), image_digest, draft, format, mounted, base })
}

/// Gives a container another name.
#[derive(Debug, Clone, PartialEq)]
pub struct Rename {
    /// The container, by name or id.
    pub container: String,
    /// Its new name.
    pub name: String,
}

impl Rename {
    /// Renames it; the old name is free afterwards.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<()> {
        let mut guard = builder.store.hold_container(&self.container)?;
        if guard.record.name == self.name {
            return Err(Error::new(Kind::Exists, format!("cannot rename the container `{}`", self.name))
                .because("that is its name already"));
        }
        builder.store.rename_container(&mut guard, &self.name)?;
        beside::rename(builder, &guard.record);
        Ok(())
    }
}

/// Removes a container with all that was changed in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Rm {
    /// The container, by name or id.
    pub container: String,
}

impl Rm {
    /// Removes it and gives its id. What was committed from it stays.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<String> {
        let guard = builder.store.hold_container(&self.container)?;
        let path = guard.dir().join("use");
        let Some(_alone) =
            lock::attempt_for(&path, Mode::Exclusive, ENDING).cannot("lock", path.display())?
        else {
            return Err(Error::new(
                Kind::InUse,
                format!("cannot remove the container `{}`", guard.record.name),
            )
            .because("a command runs in it")
            .hint("wait for it to end, or end it"));
        };
        rootfs::take_down(&guard)?;
        let id = guard.record.id.clone();
        let has_parts = !guard.record.frozen.is_empty() || guard.record.base.is_some();
        let is_kept = is_kept(&builder.store, &guard.record);
        // First: without its container a note would keep the image for ever.
        beside::release(builder, &guard.record);
        builder.store.remove_container(&guard)?;
        drop(guard);
        // Reading the whole store takes longer than a build of which all is known.
        if has_parts && !is_kept {
            builder.store.gc()?;
        }
        Ok(id)
    }
}

/// Whether all that a container is made of stays when it goes: its image, and steps that were known before.
fn is_kept(store: &Store, record: &ContainerRecord) -> bool {
    let mut is_known = false;
    let are_known = record.log.iter().all(|entry| match &entry.did {
        Logged::Step(step) => {
            is_known = step.outcome == Outcome::Cached && step.key.is_some_and(|key| store.has_step(key));
            is_known
        }
        Logged::Froze(_) => is_known,
        Logged::Config(_) | Logged::History(_) => true,
    });
    let is_image_there = |base: &Base| store.find_image(&base.id.hex()).is_ok();
    record.cached
        && are_known
        && record.frozen == frozen_of(&record.log)
        && record.base.as_ref().is_none_or(is_image_there)
}
