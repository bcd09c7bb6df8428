//! What a command can see through its mounts: where they go, their options, and what is in them.
//!
//! Where on the host something is says nothing. What a cache holds is in no key: a command must do without.

use std::path::Path;

use crate::builder::Builder;
use crate::error::Result;
use crate::steps::key::{Definition, files, others};
use crate::steps::run::{MountKind, RunMount, Volume};
use crate::steps::sources::{Identity, Sources};
use crate::store::Work;
use crate::tree::RelPath;

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
    } else if !volume.keeps_changes() {
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

/// A mount of one run. `sources` has what it is from, `contextdir` is where sources on the host begin.
pub(super) fn mount(
    builder: &Builder<'_>,
    work: &Work,
    sources: &Sources,
    step: &mut Definition,
    mount: &RunMount,
    contextdir: Option<&Path>,
) -> Result<()> {
    let RunMount { kind, target, read_only, contextdir: own, options } = mount;
    let contextdir = own.as_deref().or(contextdir);
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
            let whole = RelPath::clamp(source).is_root();
            match &sources.get(from).identity {
                Identity::Own => step.field(name, format!("itself {}", source.display())),
                Identity::Unknown => {
                    let why = format!("it sees the files of the container {from}, which keeps no steps");
                    step.refuse(why, None);
                }
                Identity::Known(all) => {
                    // A part that is not there is the command's to complain of.
                    let part = (!whole)
                        .then(|| others::part(builder, work, sources.get(from), all, source).ok())
                        .flatten();
                    match part {
                        Some(files) => step.files(name, files),
                        None => step.field(name, format!("{all} {}", source.display())),
                    }
                }
            }
        }
        MountKind::Ssh { .. } => step.refuse("it has an SSH agent", None),
        MountKind::Cache { .. } | MountKind::Tmpfs { .. } | MountKind::Secret { .. } => {
            step.field(name, serde_json::to_vec(kind).expect("plain data"));
        }
    }
    Ok(())
}
