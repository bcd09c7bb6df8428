//! An image into a daemon: an archive as `docker save` writes it, made while it is sent.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use super::Daemon;
use crate::error::{Context, Error, Kind, Result};
use crate::layer::{Inlet, pipe, pour};
use crate::oci::{Descriptor, Digest, Format, Manifest};
use crate::transport::archive::{BLOCK, DockerItem, header};
use crate::transport::sink::{Outgoing, Part, Role, Sink, Wants};
use crate::transport::source::RawManifest;
use crate::transport::unfinished::Unfinished;

/// The place of one image in a daemon.
pub(crate) struct DaemonSink {
    daemon: Arc<Daemon>,
    place: String,
    /// What the image will be called.
    names: Vec<String>,
    /// Where a layer goes whose size nobody knows before it is made: it has to stand in front of it.
    scratch: PathBuf,
    /// The layers of each image that the daemon has.
    known: OnceLock<Vec<Vec<Digest>>>,
    load: Mutex<Load>,
}

/// What was sent.
#[derive(Default)]
struct Load {
    upload: Option<Upload>,
    blobs: BTreeSet<Digest>,
    items: Vec<DockerItem>,
}

/// A request under way, and where the bytes of its body go in.
struct Upload {
    inlet: Inlet,
    request: JoinHandle<Result<()>>,
}

impl DaemonSink {
    /// Nothing is asked of the daemon yet.
    pub fn new(daemon: Daemon, place: String, names: Vec<String>, scratch: PathBuf) -> Self {
        let (known, load) = (OnceLock::new(), Mutex::default());
        DaemonSink { daemon: Arc::new(daemon), place, names, scratch, known, load }
    }

    fn load(&self) -> std::sync::MutexGuard<'_, Load> {
        self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the daemon has this layer over just these.
    fn has_chain(&self, chain: &[Digest]) -> Result<bool> {
        if self.known.get().is_none() {
            let _ = self.known.set(self.daemon.layers()?);
        }
        let known = self.known.get().expect("set just now");
        Ok(known.iter().any(|layers| layers.starts_with(chain)))
    }

    /// Writes one file of the archive. What goes wrong in the request is what is told.
    fn send(&self, load: &mut Load, name: &str, size: u64, content: &mut dyn Read) -> Result<()> {
        let upload = load.upload.get_or_insert_with(|| self.begin());
        let padding = size.next_multiple_of(BLOCK) - size;
        let sent = upload.inlet.write_all(&header(name, size)).and_then(|()| {
            let poured = pour(content, &mut upload.inlet)?;
            if poured != size {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("it has {poured} bytes, not {size}"),
                ));
            }
            io::copy(&mut io::repeat(0).take(padding), &mut upload.inlet).map(drop)
        });
        match sent {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ended(load)),
            sent => sent.cannot("write", &self.place),
        }
    }

    fn begin(&self) -> Upload {
        let (inlet, mut outlet) = pipe();
        let daemon = self.daemon.clone();
        Upload { inlet, request: std::thread::spawn(move || daemon.load(&mut outlet)) }
    }
}

/// Why a request takes no more.
fn ended(load: &mut Load) -> Error {
    let early = || {
        Error::new(Kind::Io, "cannot load the image into the Docker daemon")
            .because("it answered before it had all of it")
    };
    let Some(upload) = load.upload.take() else { return early() };
    drop(upload.inlet);
    match upload.request.join() {
        Ok(Err(error)) => error,
        _ => early(),
    }
}

impl Sink for DaemonSink {
    fn name(&self) -> String {
        self.place.clone()
    }

    fn formats(&self) -> &'static [Format] {
        &[Format::Docker]
    }

    /// A daemon decompresses by itself; and of what stays as it is the size is known.
    fn wants(&self) -> Wants {
        Wants::Unchanged
    }

    fn takes_index(&self) -> bool {
        false
    }

    fn lanes(&self) -> usize {
        1
    }

    fn has_blob(&self, blob: &Descriptor, part: Part<'_>) -> Result<bool> {
        if self.load().blobs.contains(&blob.digest) {
            return Ok(true);
        }
        match part {
            Part::Layer(chain) if !chain.is_empty() => self.has_chain(chain),
            _ => Ok(false),
        }
    }

    fn put_blob(&self, blob: &mut Outgoing<'_>, part: Part<'_>) -> Result<()> {
        let mut load = self.load();
        let suffix = if part == Part::Config { "json" } else { "tar" };
        let name = |digest: Digest| format!("{}.{suffix}", digest.hex());
        let digest = match blob.known().cloned() {
            Some(known) => {
                self.send(&mut load, &name(known.digest), known.size, blob)?;
                known.digest
            }
            None => {
                let mut spooled = Unfinished::passing(&self.scratch)?;
                pour(blob, &mut spooled).cannot("write", self.scratch.display())?;
                let made = blob.finish()?;
                let mut file = spooled.into_file().cannot("read", self.scratch.display())?;
                file.seek(SeekFrom::Start(0)).cannot("read", self.scratch.display())?;
                self.send(&mut load, &name(made.digest), made.size, &mut file)?;
                made.digest
            }
        };
        load.blobs.insert(digest);
        Ok(())
    }

    fn put_manifest(&self, manifest: &RawManifest, _role: Role) -> Result<()> {
        let manifest = Manifest::parse(&manifest.bytes)?;
        let config = format!("{}.json", manifest.config.digest.hex());
        // A layer that was left out is named all the same, and not looked for.
        let layers = manifest.layers.iter().map(|layer| format!("{}.tar", layer.digest.hex())).collect();
        let repo_tags = (!self.names.is_empty()).then(|| self.names.clone());
        self.load().items.push(DockerItem { config, repo_tags, layers, legacy: false });
        Ok(())
    }

    fn finish(&self) -> Result<()> {
        let mut load = self.load();
        let items = serde_json::to_vec(&load.items).expect("plain data");
        self.send(&mut load, "manifest.json", items.len() as u64, &mut items.as_slice())?;
        let Some(mut upload) = load.upload.take() else { return Ok(()) };
        // Where the other side is gone, its answer says why.
        let _ = upload.inlet.write_all(&[0; 2 * BLOCK as usize]).and_then(|()| upload.inlet.finish());
        match upload.request.join() {
            Ok(answered) => answered,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}
