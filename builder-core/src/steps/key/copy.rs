//! What a copy depends on.

use crate::builder::Builder;
use crate::oci::{Digest, Draft};
use crate::steps::add::Unpack;
use crate::steps::copy::{Copy, CopyFrom};
use crate::steps::key::run::ids;
use crate::steps::key::{Definition, shell_line};
use crate::store::StepKind;

/// Takes a copy apart. `inputs` is what its sources are: their shape, their digest, their list; none if they are files
/// of the target itself.
pub(crate) fn define(
    builder: &Builder<'_>,
    copy: &Copy,
    from: &CopyFrom,
    inputs: Option<(String, Digest, Vec<u8>)>,
    draft: &Draft,
) -> Definition {
    let Copy {
        sources,
        destination,
        chown,
        chmod,
        excludes,
        ignore,
        parents,
        keep_owners,
        unpack,
        link,
        // What does not have it is refused before this.
        checksum: _,
        timestamp,
        keep_symlinks,
        // What these four name and bring in is among the inputs.
        keep_git_dir: _,
        literal: _,
        allow_empty: _,
        fetch: _,
    } = copy;
    let adds = *unpack != Unpack::Nothing;
    let mut words = vec![if adds { "add" } else { "copy" }.to_owned()];
    if let CopyFrom::Other(name) = from {
        words.push(format!("--from={name}"));
    }
    words.extend(sources.iter().cloned());
    words.push(destination.clone());
    let mut step = Definition::new(if adds { StepKind::Add } else { StepKind::Copy }, shell_line(&words));
    step.field("destination", destination);
    step.field("owner", chown.as_deref().unwrap_or_default());
    step.field("mode", chmod.as_deref().unwrap_or_default());
    step.field("parents", parents.to_string());
    step.field("keep owners", keep_owners.to_string());
    step.field("unpack", format!("{unpack:?}"));
    step.field("link", link.to_string());
    step.field("time", timestamp.map(|time| time.to_string()).unwrap_or_default());
    step.field("keep symlinks", keep_symlinks.to_string());
    if !destination.starts_with('/') {
        step.field("working directory", &draft.config.config.working_dir);
    }
    step.field("ids", ids(builder));
    match inputs {
        // What they name, leave out and bring in is all in there; how it is spelt and where it lies says nothing.
        Some((shape, digest, list)) => {
            step.field("shape", shape);
            step.files("files", (digest, list));
        }
        None => {
            step.words("source", sources);
            step.words("exclude", excludes);
            step.words("ignore", ignore);
        }
    }
    step
}
