//! Files as an entry of a list: an artifact of the OCI image specification 1.1 ("Guidelines for Artifact Usage").

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use crate::builder::Builder;
use crate::error::{Context, Error, Result};
use crate::layer::Checked;
use crate::oci::{Descriptor, Format, MAX_MANIFEST, Manifest};
use crate::store::Work;
use crate::transport::registry::Access;
use crate::verbs::manifest::{Found, entry};

/// The media type of a config that says nothing, and its content.
const EMPTY: (&str, &[u8]) = ("application/vnd.oci.empty.v1+json", b"{}");

/// The annotation that holds the name of a file.
const TITLE: &str = "org.opencontainers.image.title";

/// Files, and what they are.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Artifact {
    /// The files.
    pub files: Vec<PathBuf>,
    /// What it is, as a media type.
    pub kind: Option<String>,
    /// A file that is its config.
    pub config: Option<PathBuf>,
    /// What the config is, as a media type.
    pub config_type: Option<String>,
    /// What each file is, as a media type; guessed from its name or content, unless given.
    pub layer_type: Option<String>,
    /// An image it is about.
    pub subject: Option<String>,
    /// Remarks.
    pub annotations: BTreeMap<String, String>,
    /// Leaves out the names of the files.
    pub no_titles: bool,
}

impl Artifact {
    /// Puts the files and a manifest that names them into the store.
    pub(super) fn store(&self, builder: &Builder<'_>, work: &Work) -> Result<Found> {
        let (config_type, config) = match &self.config {
            Some(path) => {
                let mut bytes = Vec::new();
                let file = File::open(path).cannot("open", path.display())?;
                file.take(MAX_MANIFEST).read_to_end(&mut bytes).cannot("read", path.display())?;
                (self.config_type.as_deref().unwrap_or("application/vnd.unknown.config.v1+json"), bytes)
            }
            None => (self.config_type.as_deref().unwrap_or(EMPTY.0), EMPTY.1.to_vec()),
        };
        builder.store.put_blob(work, &config)?;
        let mut layers = Vec::new();
        for path in &self.files {
            layers.push(self.file(builder, work, path)?);
        }
        let mut other = BTreeMap::new();
        let kind = self.kind.as_deref().unwrap_or("application/vnd.unknown.artifact.v1");
        other.insert("artifactType".to_owned(), kind.into());
        if let Some(subject) = &self.subject {
            let found = entry::find(builder, work, subject, false, &Access::default())?;
            let subject = found.into_iter().next().map(|found| found.descriptor);
            let subject = subject.map(|subject| Descriptor { platform: None, ..subject });
            other.insert("subject".to_owned(), serde_json::to_value(subject).expect("plain data"));
        }
        let manifest = Manifest {
            schema_version: 2,
            media_type: Format::Oci.manifest().into(),
            config: Descriptor::of(config_type, &config),
            layers,
            annotations: self.annotations.clone(),
            other,
        };
        let bytes = manifest.to_bytes();
        builder.store.put_blob(work, &bytes)?;
        let mut descriptor = Descriptor::of(Format::Oci.manifest(), &bytes);
        descriptor.other.insert("artifactType".to_owned(), kind.into());
        Ok(Found { descriptor, elsewhere: None })
    }

    fn file(&self, builder: &Builder<'_>, work: &Work, path: &PathBuf) -> Result<Descriptor> {
        let file = File::open(path).cannot("open", path.display())?;
        if !file.metadata().is_ok_and(|meta| meta.is_file()) {
            return Err(Error::invalid(format!("cannot add `{}`", path.display()))
                .because("it is no regular file")
                .hint("name files, or a tar of the directory"));
        }
        let mut blob = builder.store.blob_writer(work)?;
        let mut checked = Checked::unknown(file);
        io::copy(&mut checked, &mut blob).cannot("read", path.display())?;
        let (digest, size) = checked.finish().cannot("read", path.display())?;
        builder.store.publish_blob(work, blob, digest)?;
        let kind = self.layer_type.as_deref().unwrap_or_else(|| guess(path));
        let mut descriptor = Descriptor::new(kind, digest, size);
        if let (false, Some(name)) = (self.no_titles, path.file_name()) {
            descriptor.annotations.insert(TITLE.into(), name.to_string_lossy().into_owned());
        }
        Ok(descriptor)
    }
}

/// What a file is, by the end of its name.
fn guess(path: &std::path::Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => "application/json",
        Some("txt" | "md") => "text/plain",
        Some("tar") => "application/x-tar",
        Some("gz" | "tgz") => "application/gzip",
        Some("zst") => "application/zstd",
        Some("pdf") => "application/pdf",
        Some("yaml" | "yml") => "application/yaml",
        _ => "application/octet-stream",
    }
}
