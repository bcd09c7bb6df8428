//! Files that an image gets and its container does not. They are copied into a container that has the same frozen parts
//! and lives as long as the commit.

use std::path::PathBuf;

use super::{Commit, Committed};
use crate::builder::{Builder, now_nanoseconds};
use crate::error::Result;
use crate::rootfs;
use crate::steps::{Copy, CopyFrom, Shown};
use crate::store::{NewContainer, TreeId};
use crate::verbs::containers::Rm;

/// Commits a twin of the container with the files in it.
pub(super) fn commit(asked: &Commit, builder: &Builder<'_>) -> Result<Committed> {
    let store = &builder.store;
    let work = store.work()?;
    let mut guard = store.hold_container(&asked.container)?;
    if let Some(base) = &guard.record.base {
        rootfs::trees::ensure(builder, &work, base)?;
    }
    let mut frozen = super::freeze(builder, &work, &mut guard)?;
    frozen.reverse();
    store.lease(&work, frozen.iter().map(TreeId::as_str))?;
    let record = guard.record.clone();
    drop(guard);
    let twin = store.make_container(
        &work,
        NewContainer {
            name: format!("{}-to-commit", record.name),
            exact: false,
            base: record.base,
            format: record.format,
            run: record.run,
            created: now_nanoseconds(),
            cached: false,
            frozen,
            log: record.log,
            leased: None,
        },
    )?;
    let done = fill(asked, builder, &twin.id).and_then(|()| {
        let plain = Commit { container: twin.id.clone(), add_files: Vec::new(), rm: false, ..asked.clone() };
        plain.perform(builder)
    });
    let removed = Rm { container: twin.id }.perform(builder);
    let done = done?;
    removed?;
    if asked.rm {
        Rm { container: record.id }.perform(builder)?;
    }
    Ok(done)
}

fn fill(asked: &Commit, builder: &Builder<'_>, twin: &str) -> Result<()> {
    for (source, destination) in &asked.add_files {
        let copy = Copy {
            sources: vec![source.clone()],
            destination: destination.clone(),
            literal: true,
            ..Copy::default()
        };
        copy.perform_in(builder, twin, &CopyFrom::Host(PathBuf::from("/")), false, &Shown::Nothing)?;
    }
    Ok(())
}
