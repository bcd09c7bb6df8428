//! `--compat-volumes`: what is in the directories that `VOLUME` names is changed by copies only.
//!
//! As the first builders had it: a command sees a layer of its own over each, which is dropped after it.

use std::path::{Path, PathBuf};

use builder_core::{Builder, MountKind, MountOptions, Result, RunMount, Shown, inspect_container};
use dockerfile_frontend::verbs::{Edit, Verb};

use super::Adapter;

impl Adapter<'_> {
    /// Makes the directories of volumes, where volumes are kept; says whether there were any to make.
    pub(super) fn make_volumes<'v>(
        &self,
        builder: &Builder<'_>,
        container: &str,
        volumes: impl IntoIterator<Item = &'v String>,
    ) -> Result<bool> {
        let mut made = false;
        for volume in volumes.into_iter().filter(|_| self.options.keeps_volumes) {
            self.make_directory(builder, container, (&absolute(volume), ""), &Shown::Nothing)?;
            made = true;
        }
        Ok(made)
    }

    /// What hides the volumes of a container from a command, but for those that it has mounts of its own on.
    pub(super) fn hidden_volumes(
        &self,
        builder: &Builder<'_>,
        container: &str,
        others: &[&RunMount],
    ) -> Result<Vec<RunMount>> {
        if !self.options.keeps_volumes {
            return Ok(Vec::new());
        }
        let volumes = inspect_container(builder, container)?.draft.config.config.volumes;
        let hidden = volumes.keys().map(|volume| PathBuf::from(absolute(volume))).map(|path| RunMount {
            kind: MountKind::Bind { from: Some(container.to_owned()), source: path.clone() },
            target: path,
            read_only: false,
            options: MountOptions::default(),
        });
        let is_free = |one: &RunMount| others.iter().all(|other| other.target != one.target);
        Ok(hidden.filter(|one| one.target != Path::new("/") && is_free(one)).collect())
    }
}

/// A volume's path begins at the top, however it is written.
fn absolute(volume: &str) -> String {
    format!("/{}", volume.trim_matches('/'))
}

/// The volumes that a verb declares.
pub(super) fn declared(verb: &Verb) -> impl Iterator<Item = &String> {
    let edits = if let Verb::Config(edits) = verb { edits.as_slice() } else { &[] };
    edits.iter().filter_map(|edit| if let Edit::Volume(path) = edit { Some(path) } else { None })
}
