//! OCI image layouts: `oci-layout`, `index.json` and `blobs/sha256`, as the specification has them; in a directory, or
//! in a tar archive for reading.

mod read;
mod write;

pub(crate) use read::LayoutSource;
pub(crate) use write::LayoutSink;

use crate::oci::Digest;

/// Where a blob is.
pub(crate) fn blob_name(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

#[cfg(test)]
mod tests;
