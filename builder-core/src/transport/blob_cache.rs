//! A directory that keeps blobs, as Buildah's `--blob-cache` names one: what is fetched or compressed once is taken
//! from there the next time, also by another store.
//!
//! A blob is a file named after its digest (`sha256:HEX`), a config one with `.config` after that. What a compressed
//! layer is the other form of is in two notes: `DIFF-ID.compressed` has the digest of the blob, `DIGEST.decompressed`
//! the diff id. Other tools put and take files there as well, so nothing in it is believed before it was digested.

use std::fmt::Display;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Context, Result};
use crate::event::Silent;
use crate::layer::{Checked, Compression, pour};
use crate::oci::{Descriptor, Digest, Format};
use crate::settings::Settings;
use crate::store::layers::Packed;
use crate::transport::convert::layer_type;
use crate::transport::copy::{CopyOptions, copy_image, wanted};
use crate::transport::sink::{Outgoing, Part, Role, Signatures, Sink, Wants};
use crate::transport::source::{Ahead, Content, RawManifest, Source};
use crate::transport::unfinished::Unfinished;

/// As many bytes of a note are read.
const MAX_NOTE: u64 = 256;

/// The directory.
#[derive(Debug, Clone)]
pub(crate) struct BlobCache {
    dir: PathBuf,
}

impl BlobCache {
    /// The one that the settings name.
    pub fn of(settings: &Settings) -> Option<Self> {
        settings.blob_cache.clone().map(|dir| BlobCache { dir })
    }

    /// A source whose blobs are taken from here where they are here.
    pub fn before<'a>(&'a self, source: &'a dyn Source) -> Cached<'a> {
        Cached { cache: self, source }
    }

    /// Keeps an image's blobs in the form that they have at `sink`: its layers are compressed here, and sent from here
    /// afterwards. A place that takes no compressed ones has no use for that.
    pub fn keep_for(&self, source: &dyn Source, sink: &dyn Sink, options: &CopyOptions) -> Result<()> {
        let wants = wanted(sink, options.wants);
        if matches!(wants, Wants::Plain | Wants::Unchanged) {
            return Ok(());
        }
        let format = options.format.filter(|format| sink.formats().contains(format));
        self.keep(source, CopyOptions { wants: Some(wants), format, ..options.clone() })
    }

    /// Keeps an image's blobs, but for what is here already.
    pub fn keep(&self, source: &dyn Source, options: CopyOptions) -> Result<()> {
        copy_image(&self.before(source), &Keeper { cache: self }, &options, &Silent).map(drop)
    }

    fn path(&self, name: impl Display) -> PathBuf {
        self.dir.join(name.to_string())
    }

    /// The blob, if it is here and is what it should be.
    fn open(&self, blob: &Descriptor) -> Option<File> {
        let mut file = File::open(self.path(blob.digest)).ok()?;
        if file.metadata().ok()?.len() != blob.size {
            return None;
        }
        let mut checked = Checked::new(&mut file, blob);
        io::copy(&mut checked, &mut io::sink()).ok()?;
        file.seek(SeekFrom::Start(0)).ok()?;
        Some(file)
    }

    /// What a layer is in this form, if that is here.
    fn compressed(&self, diff_id: Digest, form: Compression) -> Option<Descriptor> {
        let mut note = String::new();
        let note_file = File::open(self.path(format_args!("{diff_id}.compressed"))).ok()?;
        note_file.take(MAX_NOTE).read_to_string(&mut note).ok()?;
        let digest: Digest = note.trim().parse().ok()?;
        let mut file = File::open(self.path(digest)).ok()?;
        let mut magic = [0; 4];
        file.read_exact(&mut magic).ok()?;
        // The first bytes of RFC 1952 and RFC 8878.
        let found = match magic {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] => Compression::Zstd,
            _ => return None,
        };
        let size = file.metadata().ok()?.len();
        (found == form).then(|| Descriptor::new(layer_type(Format::Oci, form), digest, size))
    }

    /// Whether a file of this name and size is here.
    fn has(&self, path: &Path, size: u64) -> bool {
        fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() == size)
    }

    /// Puts a file there, for nobody but its owner: it may be of an image that is not for everybody.
    fn put(&self, path: &Path, mut content: impl Read) -> io::Result<()> {
        let mut file = Unfinished::begin(&self.dir)?;
        file.file().set_permissions(Permissions::from_mode(0o600))?;
        pour(&mut content, &mut file)?;
        file.flush()?;
        file.publish(path)
    }

    fn put_bytes(&self, name: impl Display, bytes: &[u8]) -> Result<()> {
        let path = self.path(name);
        self.put(&path, bytes).cannot("write", path.display())
    }

    fn note(&self, diff_id: Digest, blob: Digest) -> Result<()> {
        if diff_id == blob {
            return Ok(());
        }
        self.put_bytes(format_args!("{diff_id}.compressed"), blob.to_string().as_bytes())?;
        self.put_bytes(format_args!("{blob}.decompressed"), diff_id.to_string().as_bytes())
    }
}

/// The directory as a place that takes images.
struct Keeper<'a> {
    cache: &'a BlobCache,
}

impl Sink for Keeper<'_> {
    fn name(&self) -> String {
        self.cache.dir.display().to_string()
    }

    fn formats(&self) -> &'static [Format] {
        &[Format::Oci, Format::Docker]
    }

    fn wants(&self) -> Wants {
        Wants::Any
    }

    fn takes_index(&self) -> bool {
        true
    }

    fn begin(&self, config: &Descriptor, bytes: &[u8]) -> Result<()> {
        let name = format!("{}.config", config.digest);
        match self.cache.has(&self.cache.path(&name), config.size) {
            true => Ok(()),
            false => self.cache.put_bytes(name, bytes),
        }
    }

    fn has_blob(&self, blob: &Descriptor, part: Part<'_>) -> Result<bool> {
        let has = part == Part::Config || self.cache.has(&self.cache.path(blob.digest), blob.size);
        if let (true, Part::Layer([.., diff_id])) = (has, part) {
            self.cache.note(*diff_id, blob.digest)?;
        }
        Ok(has)
    }

    fn put_blob(&self, blob: &mut Outgoing<'_>, part: Part<'_>) -> Result<()> {
        let dir = &self.cache.dir;
        let mut file = Unfinished::begin(dir).cannot("write a blob into", dir.display())?;
        file.file()
            .set_permissions(Permissions::from_mode(0o600))
            .cannot("write a blob into", dir.display())?;
        pour(blob, &mut file).cannot("write a blob into", dir.display())?;
        let digest = blob.finish()?.digest;
        let path = self.cache.path(digest);
        file.flush().and_then(|()| file.publish(&path)).cannot("write", path.display())?;
        match part {
            Part::Layer([.., diff_id]) => self.cache.note(*diff_id, digest),
            _ => Ok(()),
        }
    }

    fn put_manifest(&self, manifest: &RawManifest, _role: Role) -> Result<()> {
        self.cache.put_bytes(manifest.digest(), &manifest.bytes)
    }

    fn signatures(&self) -> Signatures {
        Signatures::LeftBehind
    }
}

/// A source behind the directory.
pub(crate) struct Cached<'a> {
    cache: &'a BlobCache,
    source: &'a dyn Source,
}

impl Source for Cached<'_> {
    fn name(&self) -> String {
        self.source.name()
    }

    fn tags(&self) -> Result<Vec<String>> {
        self.source.tags()
    }

    fn manifest(&self) -> Result<RawManifest> {
        self.source.manifest()
    }

    fn plain_layers(&self) -> Option<Vec<Descriptor>> {
        self.source.plain_layers()
    }

    fn instance(&self, descriptor: &Descriptor) -> Result<RawManifest> {
        self.source.instance(descriptor)
    }

    fn blob(&self, blob: &Descriptor) -> Result<Content<'_>> {
        match self.cache.open(blob) {
            Some(file) => Ok(Content::Stored(Box::new(file))),
            None => self.source.blob(blob),
        }
    }

    fn send_ahead(&self, send: &mut Ahead<'_>) -> Result<()> {
        self.source.send_ahead(send)
    }

    fn sent_ahead(&self, diff_id: Digest) -> Option<Descriptor> {
        self.source.sent_ahead(diff_id)
    }

    fn lanes(&self) -> usize {
        self.source.lanes()
    }

    fn forms(&self, diff_id: Digest) -> Result<Vec<Packed>> {
        self.source.forms(diff_id)
    }

    fn ready(&self, diff_id: Digest, form: Compression) -> Option<Descriptor> {
        let ready = self.cache.compressed(diff_id, form)?;
        self.cache.open(&ready).map(|_| ready).or_else(|| self.source.ready(diff_id, form))
    }

    fn remember(&self, diff_id: Digest, form: Packed) -> Result<()> {
        self.source.remember(diff_id, form)
    }

    fn repositories(&self, blob: &Descriptor) -> Vec<String> {
        self.source.repositories(blob)
    }

    fn signatures(&self, manifest: Digest) -> Result<Vec<Vec<u8>>> {
        self.source.signatures(manifest)
    }
}
