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
        checksum,
        timestamp,
        keep_symlinks,
        keep_git_dir,
        literal,
        allow_empty,
        fetch: _,
    } = copy;
    // How an address is fetched says nothing about what is there, and what was fetched is among the inputs.
    let mut words = vec![if *unpack == Unpack::Nothing { "copy" } else { "add" }.to_owned()];
    if let CopyFrom::Other(name) = from {
        words.push(format!("--from={name}"));
    }
    words.extend(sources.iter().cloned());
    words.push(destination.clone());
    let mut step = Definition::new(StepKind::Copy, shell_line(&words));
    step.field("destination", destination);
    step.field("owner", chown.as_deref().unwrap_or_default());
    step.field("mode", chmod.as_deref().unwrap_or_default());
    step.field("parents", parents.to_string());
    step.field("keep owners", keep_owners.to_string());
    if !destination.starts_with('/') {
        step.field("working directory", &draft.config.config.working_dir);
    }
    step.field("ids", ids(builder));
    step.field("unpack", format!("{unpack:?}"));
    step.field("link", link.to_string());
    step.field("checksum", checksum.as_deref().unwrap_or_default());
    step.field("timestamp", timestamp.map(|seconds| seconds.to_string()).unwrap_or_default());
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
            step.field("symlinks", keep_symlinks.to_string());
            step.field("git", keep_git_dir.to_string());
            step.field("names", format!("{literal} {allow_empty}"));
        }
    }
    step
}
