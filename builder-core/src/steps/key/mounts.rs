//! What a command can see through its mounts: where they go, their options, and what is in them.
//!
//! Where on the host something is says nothing. What a cache holds is in no key: a command must do without.

use std::path::Path;

use crate::builder::Builder;
use crate::error::{Kind, Result};
use crate::steps::key::{Definition, files};
use crate::steps::run::{MountKind, RunMount, Volume};
use crate::steps::timeline;
use crate::store::layers::chain_id;
use crate::store::{ContainerGuard, Work};

/// A volume.
pub(super) fn volume(
    builder: &Builder<'_>,
    work: &Work,
    step: &mut Definition,
    volume: &Volume,
) -> Result<()> {
    let target = volume.target.display();
    let options = volume.options();
    step.field(format!("options of mount {target}"), options.iter().collect::<Vec<_>>().join(","));
    if options.has("U") {
        step.refuse(format!("it gives the files of mount {target} to a user"), None);
    } else if options.has("ro") || options.has("O") {
        step.files(format!("mount {target}"), files::of_host(&builder.store, work, &volume.source)?);
    } else {
        let hint = "mount it read-only, or so that changes are dropped: add :ro or :O";
        step.refuse(format!("it has the writable mount {target}"), Some(hint));
    }
    Ok(())
}

/// A file of the host that settles how a command runs.
pub(super) fn host_file(
    builder: &Builder<'_>,
    work: &Work,
    step: &mut Definition,
    name: &str,
    path: &Path,
) -> Result<()> {
    step.files(name, files::of_host(&builder.store, work, path)?);
    Ok(())
}

/// A mount of one run. `guard` holds the container it is in, `contextdir` is where sources on the host begin.
pub(super) fn mount(
    builder: &Builder<'_>,
    work: &Work,
    guard: &ContainerGuard,
    step: &mut Definition,
    mount: &RunMount,
    contextdir: Option<&Path>,
) -> Result<()> {
    let RunMount { kind, target, read_only, options } = mount;
    let target = target.display();
    let mut words: Vec<&str> = options.iter().collect();
    words.push(if *read_only { "read only" } else { "writable" });
    step.field(format!("options of mount {target}"), words.join(","));
    let name = format!("mount {target}");
    match kind {
        MountKind::Bind { from: None, source } if options.has("U") => {
            step.refuse(format!("it gives the files of {} to a user", source.display()), None);
        }
        // What is written there is dropped afterwards.
        MountKind::Bind { from: None, source } => {
            let inside = source.strip_prefix("/").unwrap_or(source);
            let path = contextdir.map_or_else(|| source.clone(), |dir| dir.join(inside));
            step.files(name, files::of_host(&builder.store, work, &path)?);
        }
        MountKind::Bind { from: Some(from), source } => {
            let files = files_of(builder, work, guard, step, from)?;
            step.field(name, format!("{files} {}", source.display()));
        }
        MountKind::Ssh { .. } => step.refuse("it has an SSH agent", None),
        MountKind::Cache { .. } | MountKind::Tmpfs { .. } | MountKind::Secret { .. } => {
            step.field(name, serde_json::to_vec(kind).expect("plain data"));
        }
    }
    Ok(())
}

/// What tells the files of a container or image from others.
fn files_of(
    builder: &Builder<'_>,
    work: &Work,
    guard: &ContainerGuard,
    step: &mut Definition,
    name: &str,
) -> Result<String> {
    match builder.store.find_container(name) {
        // Its own files are those below the step.
        Ok(found) if found.id == guard.record.id => Ok("itself".to_owned()),
        Ok(found) => {
            let mut other = builder.store.hold_container(&found.id)?;
            if !other.record.cached || !builder.store.is_untouched(&other)? {
                step.refuse(format!("it sees the files of the container {name}, which keeps no steps"), None);
                return Ok(String::new());
            }
            let state = timeline::state(builder, &mut other)?;
            other.save()?;
            Ok(state.hex())
        }
        Err(error) if error.kind() == Kind::NotFound => {
            let held = builder.store.hold_image(work, name)?;
            Ok(chain_id(&held.config.rootfs.diff_ids).map(|chain| chain.hex()).unwrap_or_default())
        }
        Err(error) => Err(error),
    }
}
