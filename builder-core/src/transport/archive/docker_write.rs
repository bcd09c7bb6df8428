//! What `docker save` writes, for writing: one archive of any number of images.

use std::path::Path;

use crate::error::{Error, Kind, Result};
use crate::oci::{Digest, Format, Manifest};
use crate::transport::archive::docker_read::Item;
use crate::transport::archive::sink::{ArchiveSink, Shape};
use crate::transport::archive::write::Output;
use crate::transport::sink::{Part, Role, Wants};
use crate::transport::source::RawManifest;

/// An archive being written.
pub(crate) type DockerArchiveSink = ArchiveSink<DockerShape>;

/// What an archive of Docker's names.
pub(crate) struct DockerShape {
    items: Vec<Item>,
    /// The names of the image that is being written.
    names: Vec<String>,
}

impl DockerArchiveSink {
    /// Starts an archive. One that is there already stays as it is: it is an error.
    pub fn begin(output: Output, names: Vec<String>, scratch: &Path) -> Result<Self> {
        if let Output::Path(path) = &output
            && path.metadata().is_ok_and(|meta| meta.len() > 0 && meta.is_file())
        {
            return Err(Error::new(Kind::Exists, format!("cannot write `{}`", path.display()))
                .because("it exists, and nothing is added to an archive of Docker's")
                .hint("remove it first, or name another file"));
        }
        ArchiveSink::new(output, scratch, &[], DockerShape { items: Vec::new(), names })
    }

    /// Says what the next image is called.
    pub fn next_is_called(&self, names: Vec<String>) {
        self.with_shape(|shape| shape.names = names);
    }
}

impl Shape for DockerShape {
    const TRANSPORT: &'static str = "docker-archive";
    const FORMATS: &'static [Format] = &[Format::Docker];
    const WANTS: Wants = Wants::Plain;
    const INDEX: bool = false;

    fn entry(digest: Digest, part: Part<'_>) -> String {
        let suffix = if part == Part::Config { "json" } else { "tar" };
        format!("{}.{suffix}", digest.hex())
    }

    fn put_manifest(&mut self, manifest: &RawManifest, _role: Role) -> Result<Option<String>> {
        let manifest = Manifest::parse(&manifest.bytes)?;
        let config = format!("{}.json", manifest.config.digest.hex());
        let layers = manifest.layers.iter().map(|layer| format!("{}.tar", layer.digest.hex())).collect();
        let names = std::mem::take(&mut self.names);
        match self.items.iter_mut().find(|item| item.config == config) {
            Some(item) => item.repo_tags.get_or_insert_default().extend(names),
            None => {
                self.items.push(Item { config, repo_tags: Some(names), layers, legacy: false });
            }
        }
        Ok(None)
    }

    fn last(&self) -> (&'static str, Vec<u8>) {
        ("manifest.json", serde_json::to_vec(&self.items).expect("plain data"))
    }
}
