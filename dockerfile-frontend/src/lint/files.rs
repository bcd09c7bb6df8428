//! Files that are copied though the ignore file leaves them out.

use super::{Looked, Report};
use crate::ast::{Body, CopySource};

pub(super) fn look(looked: &Looked<'_>, report: &mut Report<'_, '_>) {
    for instruction in &looked.dockerfile.instructions {
        let (name, sources) = match &instruction.body {
            Body::Copy(copy) if copy.from.is_none() => ("COPY", &copy.sources),
            Body::Add(add) => ("ADD", &add.sources),
            _ => continue,
        };
        for source in sources {
            let CopySource::Path(path) = source else { continue };
            let plain = !path.contains(['$', '*', '?', '[']) && !path.contains("://");
            if plain && !matches!(path.as_str(), "." | "/" | "./") && (looked.outside.is_ignored)(path) {
                let message =
                    format!("attempting to {name} the file `{path}`, which the ignore file leaves out");
                report.warn("CopyIgnoredFile", instruction.span, Some(path), message);
            }
        }
    }
}
