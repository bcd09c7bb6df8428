//! What `docker save` writes, for writing: one archive of any number of images.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;

use crate::error::{Error, Kind, Result};
use crate::oci::{Descriptor, Digest, Format, Manifest};
use crate::transport::archive::docker_read::Item;
use crate::transport::archive::write::{Output, TarFile};
use crate::transport::sink::{Outgoing, Part, Role, Sink, Wants};
use crate::transport::source::RawManifest;

/// An archive being written.
#[derive(Debug)]
pub(crate) struct DockerArchiveSink {
    place: String,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    tar: Option<TarFile>,
    blobs: BTreeSet<Digest>,
    items: Vec<Item>,
    /// The names of the image that is being written.
    names: Vec<String>,
}

impl DockerArchiveSink {
    /// Starts an archive. One that is there already stays as it is: it is an error.
    pub fn begin(output: Output, names: Vec<String>, scratch: &Path) -> Result<Self> {
        let place = format!("docker-archive:{}", output.name());
        if let Output::Path(path) = &output
            && path.metadata().is_ok_and(|meta| meta.len() > 0 && meta.is_file())
        {
            return Err(Error::new(Kind::Exists, format!("cannot write `{}`", path.display()))
                .because("it exists, and nothing is added to an archive of Docker's")
                .hint("remove it first, or name another file"));
        }
        let tar = Some(TarFile::begin(output, scratch)?);
        let written = Written { tar, blobs: BTreeSet::new(), items: Vec::new(), names };
        Ok(DockerArchiveSink { place, written: Mutex::new(written) })
    }

    /// Says what the next image is called.
    pub fn next_is_called(&self, names: Vec<String>) {
        self.written().names = names;
    }

    fn written(&self) -> std::sync::MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Written {
    fn tar(&mut self) -> Result<&mut TarFile> {
        self.tar
            .as_mut()
            .ok_or_else(|| Error::new(Kind::Io, "cannot write the archive").because("it is closed"))
    }
}

impl Sink for DockerArchiveSink {
    fn name(&self) -> String {
        self.place.clone()
    }

    fn formats(&self) -> &'static [Format] {
        &[Format::Docker]
    }

    fn wants(&self) -> Wants {
        Wants::Plain
    }

    fn takes_index(&self) -> bool {
        false
    }

    fn lanes(&self) -> usize {
        1
    }

    fn has_blob(&self, blob: &Descriptor, _part: Part<'_>) -> Result<bool> {
        Ok(self.written().blobs.contains(&blob.digest))
    }

    fn put_blob(&self, blob: &mut Outgoing<'_>, part: Part<'_>) -> Result<()> {
        let mut written = self.written();
        let suffix = if part == Part::Config { "json" } else { "tar" };
        let mut digest = None;
        written.tar()?.stream(blob, |blob| {
            digest = blob.finish().ok().map(|blob| blob.digest);
            digest.map_or_else(String::new, |digest| format!("{}.{suffix}", digest.hex()))
        })?;
        written.blobs.extend(digest);
        Ok(())
    }

    fn put_manifest(&self, manifest: &RawManifest, _role: Role) -> Result<()> {
        let manifest = Manifest::parse(&manifest.bytes)?;
        let mut written = self.written();
        let config = format!("{}.json", manifest.config.digest.hex());
        let layers = manifest.layers.iter().map(|layer| format!("{}.tar", layer.digest.hex())).collect();
        let names = std::mem::take(&mut written.names);
        match written.items.iter_mut().find(|item| item.config == config) {
            Some(item) => item.repo_tags.get_or_insert_default().extend(names),
            None => {
                let repo_tags = (!names.is_empty()).then_some(names);
                written.items.push(Item { config, repo_tags, layers });
            }
        }
        Ok(())
    }

    fn finish(&self) -> Result<()> {
        let mut written = self.written();
        let items = serde_json::to_vec(&written.items).expect("plain data");
        written.tar()?.put("manifest.json", &items)?;
        written.tar.take().map_or(Ok(()), TarFile::finish)
    }
}
