//! `dir:`: a manifest and its blobs as plain files in one directory, as Skopeo's users debug with.
//!
//! `version`, `manifest.json`, blobs by the digits of their digests, `<digits>.manifest.json` for what an index names,
//! `signature-<n>` and `<digits>-signature-<n>`.

mod read;
mod write;

pub(crate) use read::DirSource;
pub(crate) use write::DirSink;

use crate::oci::Digest;

/// What the file `version` says.
const VERSION: &str = "Directory Transport Version: 1.1\n";

/// How many signatures a manifest may have.
const MAX_SIGNATURES: usize = 128;

fn instance_name(digest: Digest) -> String {
    format!("{}.manifest.json", digest.hex())
}

/// Where a signature is; of the manifest itself, or of one that an index names.
fn signature_name(instance: Option<Digest>, number: usize) -> String {
    let prefix = instance.map_or_else(String::new, |digest| format!("{}-", digest.hex()));
    format!("{prefix}signature-{number}")
}

#[cfg(test)]
mod tests;
