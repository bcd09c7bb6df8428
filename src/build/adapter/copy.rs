//! `COPY`, `ADD` and the directories that `WORKDIR` makes.

use std::path::{Path, PathBuf};

use builder_core::{Builder, Copy, CopyFrom, Error, Result, Shown, Unpack};
use dockerfile_frontend::verbs::{self, Origin};

use super::{Adapter, set_mode};
use crate::build::context::cannot;

impl Adapter<'_> {
    /// Copies.
    pub(super) fn copy(
        &self,
        builder: &Builder<'_>,
        container: &str,
        copy: &verbs::Copy,
        shown: &Shown,
    ) -> Result<()> {
        let unpack = match (copy.add, copy.unpack) {
            (false, _) | (true, Some(false)) => Unpack::Nothing,
            (true, None) => Unpack::Files,
            (true, Some(true)) => Unpack::All,
        };
        let value = Copy {
            sources: copy.sources.clone(),
            destination: copy.destination.clone(),
            chown: copy.chown.clone(),
            chmod: copy.chmod.clone(),
            excludes: copy.exclude.clone(),
            parents: copy.parents,
            unpack,
            link: copy.link,
            checksum: copy.checksum.clone(),
            keep_git_dir: copy.keep_git_dir,
            fetch: self.fetch.clone(),
            ..Copy::default()
        };
        if !copy.inline.is_empty() {
            let scratch = builder.scratch()?;
            for (name, text) in &copy.inline {
                write_inline(scratch.path(), name, text)?;
            }
            let sources = copy.inline.keys().cloned().collect();
            let inline = Copy { sources, unpack: Unpack::Nothing, literal: true, ..value.clone() };
            let from = CopyFrom::Context(scratch.path().join("inline"));
            let shown = if copy.sources.is_empty() { shown } else { &Shown::Nothing };
            inline.perform_in(builder, container, &from, false, shown)?;
        }
        if !copy.sources.is_empty() {
            let from = match &copy.origin {
                Origin::Context => CopyFrom::Context(self.contexts.main.clone()),
                Origin::Container(container) => CopyFrom::Other(container.clone()),
                Origin::Named(name) => self.named(builder, name)?,
            };
            let ignore = if copy.origin == Origin::Context { self.ignore.clone() } else { Vec::new() };
            let keep_owners = matches!(from, CopyFrom::Other(_));
            let files = Copy { ignore, keep_owners, ..value };
            files.perform_in(builder, container, &from, false, shown)?;
        }
        Ok(())
    }

    /// Makes a directory and those above it, if they are not there.
    pub(super) fn make_directory(
        &self,
        builder: &Builder<'_>,
        container: &str,
        (path, owner): (&str, &str),
        shown: &Shown,
    ) -> Result<()> {
        let scratch = builder.scratch()?;
        let empty = scratch.path().join("empty");
        std::fs::create_dir(&empty).map_err(|cause| cannot("make", &empty, cause))?;
        let copy = Copy {
            sources: vec![".".to_owned()],
            destination: format!("{path}/"),
            chown: Some(owner.to_owned()).filter(|owner| !owner.is_empty()),
            chmod: Some("755".to_owned()),
            // The directory itself would be as old as this build.
            timestamp: Some(self.options.created.unwrap_or(0)),
            ..Copy::default()
        };
        copy.perform_in(builder, container, &CopyFrom::Context(empty), false, shown).map(drop)
    }
}

fn write_inline(scratch: &Path, name: &str, text: &str) -> Result<()> {
    let dir = scratch.join("inline");
    let path: PathBuf = dir.join(name);
    if name.contains('/') || matches!(name, "." | "..") {
        return Err(Error::invalid(format!("cannot make a file called `{name}`"))
            .because("it is no name of a file")
            .hint("give the heredoc another name"));
    }
    std::fs::create_dir_all(&dir).map_err(|cause| cannot("make", &dir, cause))?;
    std::fs::write(&path, text).map_err(|cause| cannot("write", &path, cause))?;
    set_mode(&path, 0o644)
}
