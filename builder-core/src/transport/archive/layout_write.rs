//! An OCI layout in a tar, for writing: one archive of any number of images.

use std::path::Path;

use crate::error::Result;
use crate::oci::{Digest, Format, Index};
use crate::store::images::REF_NAME;
use crate::transport::archive::sink::{ArchiveSink, Shape};
use crate::transport::archive::write::Output;
use crate::transport::layout::blob_name;
use crate::transport::sink::{Part, Role, Wants};
use crate::transport::source::RawManifest;

/// A layout in an archive, being written.
pub(crate) type LayoutArchiveSink = ArchiveSink<LayoutShape>;

/// What a layout names.
pub(crate) struct LayoutShape {
    index: Index,
    /// The name of the image that is being written.
    name: Option<String>,
}

impl LayoutArchiveSink {
    /// Starts an archive. One that is there already is replaced when this one is whole.
    pub fn begin(output: Output, name: Option<String>, scratch: &Path) -> Result<Self> {
        let marker: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
        let shape = LayoutShape { index: Index::default(), name };
        ArchiveSink::new(output, scratch, &[("oci-layout", marker)], shape)
    }
}

impl Shape for LayoutShape {
    const TRANSPORT: &'static str = "oci-archive";
    const FORMATS: &'static [Format] = &[Format::Oci];
    const WANTS: Wants = Wants::Compressed;
    const INDEX: bool = true;

    fn entry(digest: Digest, _part: Part<'_>) -> String {
        blob_name(digest)
    }

    fn put_manifest(&mut self, manifest: &RawManifest, role: Role) -> Result<Option<String>> {
        if role == Role::Named {
            let mut entry = manifest.descriptor();
            entry.annotations.extend(self.name.take().map(|name| (REF_NAME.to_owned(), name)));
            self.index.manifests.push(entry);
        }
        Ok(Some(blob_name(manifest.digest())))
    }

    fn last(&self) -> (&'static str, Vec<u8>) {
        ("index.json", serde_json::to_vec(&self.index).expect("plain data"))
    }
}
