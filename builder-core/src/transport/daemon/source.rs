//! An image out of a daemon.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::Daemon;
use super::survey::{Survey, Written};
use crate::error::{Context, Result};
use crate::layer::pour;
use crate::name::{DaemonImage, Pick};
use crate::oci::{Descriptor, Digest};
use crate::transport::archive::DockerArchiveSource;
use crate::transport::source::{Ahead, Content, RawManifest, Source};

/// One image of a daemon. Its archive is read once where its layers can be sent on before anything says what they are,
/// and else once for what says so and once for each layer.
pub(crate) struct DaemonSource {
    image: DaemonImage,
    /// Until the archive is read.
    daemon: Mutex<Option<Daemon>>,
    opened: OnceLock<Opened>,
}

/// What is known once the archive was read.
struct Opened {
    archive: DockerArchiveSource,
    /// What was sent on meanwhile, by the digest of the layer that it is.
    sent: BTreeMap<Digest, Descriptor>,
}

impl DaemonSource {
    /// Nothing is asked of the daemon yet.
    pub fn new(daemon: Daemon, image: DaemonImage) -> Self {
        DaemonSource { image, daemon: Mutex::new(Some(daemon)), opened: OnceLock::new() }
    }

    fn opened(&self) -> Result<&Opened> {
        if self.opened.get().is_none() {
            self.open(None)?;
        }
        Ok(self.opened.get().expect("opened just now"))
    }

    /// Reads the archive; its layers go to `send`, or are passed over.
    fn open(&self, mut send: Option<&mut Ahead<'_>>) -> Result<()> {
        let mut held = self.daemon.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(daemon) = held.take() else { return Ok(()) };
        let mut sent = BTreeMap::new();
        let survey = Survey::of(daemon.archive(&self.image)?, |layer, size| match &mut send {
            Some(send) => {
                let ahead = send(layer, size)?;
                sent.insert(ahead.diff_id, ahead.blob);
                Ok(ahead.size)
            }
            None => pour(layer, &mut io::sink()).cannot("read", "the archive"),
        })?;
        let files = Box::new(Written { daemon, image: self.image.clone(), survey });
        let archive = DockerArchiveSource::open(files, &self.name(), &Pick::Only)?;
        // Only who holds the daemon comes here.
        let _ = self.opened.set(Opened { archive, sent });
        Ok(())
    }
}

impl Source for DaemonSource {
    fn name(&self) -> String {
        format!("docker-daemon:{}", self.image)
    }

    fn tags(&self) -> Result<Vec<String>> {
        self.opened()?.archive.tags()
    }

    fn send_ahead(&self, send: &mut Ahead<'_>) -> Result<()> {
        self.open(Some(send))
    }

    fn sent_ahead(&self, diff_id: Digest) -> Option<Descriptor> {
        self.opened.get()?.sent.get(&diff_id).cloned()
    }

    fn manifest(&self) -> Result<RawManifest> {
        self.opened()?.archive.manifest()
    }

    fn instance(&self, descriptor: &Descriptor) -> Result<RawManifest> {
        self.opened()?.archive.instance(descriptor)
    }

    fn blob(&self, blob: &Descriptor) -> Result<Content<'_>> {
        self.opened()?.archive.blob(blob)
    }

    fn lanes(&self) -> usize {
        1
    }
}
