//! `from --userns auto`: the ids of a new container, that no other one has. How they are chosen is the host's business.

use std::path::Path;

use crate::builder::Builder;
use crate::error::{Context, Error, Kind, Result};
use crate::host::{AutoIds, IdMaps};
use crate::rootfs;
use crate::steps::{RunSettings, UserSpace};
use crate::store::Work;
use crate::store::containers::Base;
use crate::sys::lock::{self, Lock, Mode};
use crate::tree::{users, walk_lazily};

/// Chooses the ids, where they are to be chosen. They are free until the container is written, and others are kept from
/// choosing until the answer is dropped.
pub(super) fn settle(
    builder: &Builder<'_>,
    work: &Work,
    base: Option<&Base>,
    settings: &mut RunSettings,
) -> Result<Option<Lock>> {
    let Some(UserSpace::Auto(asked)) = &settings.users else { return Ok(None) };
    let size = size(builder, work, base, asked)?;
    let path = builder.store.root().join("locks/ids");
    let alone = lock::wait(&path, Mode::Exclusive).cannot("lock", path.display())?;
    let records = builder.store.containers()?;
    let others: Vec<IdMaps> = records.iter().filter_map(|record| maps(record.run.as_ref()?)).collect();
    let pool = &builder.settings.ids;
    let maps = asked.choose(builder.host, Path::new("/etc"), pool, size, &others)?;
    settings.users = Some(UserSpace::Chosen(maps));
    Ok(Some(alone))
}

/// The maps that a container's settings have.
fn maps(settings: &serde_json::Value) -> Option<IdMaps> {
    let users = serde_json::from_value(settings.get("users")?.clone()).ok()?;
    match users {
        UserSpace::Private(maps) | UserSpace::Chosen(maps) => Some(maps),
        UserSpace::Host | UserSpace::Path(_) | UserSpace::Auto(_) => None,
    }
}

/// How many ids: those asked for, or as many as the image has, by its files and by its users and groups.
fn size(builder: &Builder<'_>, work: &Work, base: Option<&Base>, asked: &AutoIds) -> Result<u32> {
    if let Some(size) = asked.size {
        return Ok(size);
    }
    let pool = &builder.settings.ids;
    let mut size = pool.smallest;
    if let Some(base) = base {
        let files = rootfs::open_image(builder, work, base.manifest, None)?;
        size = size.max(users::greatest(&files)?.saturating_add(1));
        for entry in walk_lazily(&files) {
            let meta = entry?.meta;
            size = size.max(meta.uid.max(meta.gid).saturating_add(1));
        }
    }
    if size > pool.largest {
        return Err(Error::new(Kind::Unsupported, "cannot choose ids for the container")
            .because(format!("its image has ids up to {}, and {} are the most", size - 1, pool.largest))
            .hint(format!(
                "ask for as many: --userns auto:size={size}, or set auto-userns-max-size in storage.conf"
            )));
    }
    Ok(size)
}
