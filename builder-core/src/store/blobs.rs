//! Blobs by digest, in the OCI layout below `images/`.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use crate::error::{Context, Error, Kind, Result};
use crate::oci::Digest;
use crate::store::durable;
use crate::store::{Store, Work};
use crate::sys::random;

/// Writes one blob: into the owner's work first, under its digest once it is whole.
pub(crate) struct BlobWriter {
    file: File,
    path: PathBuf,
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Store {
    /// Starts a blob.
    pub fn blob_writer(&self, work: &Work) -> Result<BlobWriter> {
        let path = work.dir().join(random::hex(8));
        let file = fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path);
        let file = file.cannot("write", path.display())?;
        Ok(BlobWriter { file, path })
    }

    /// Publishes the blob `digest` that was written whole: out of a [`crate::layer::Checked`], so that it is that blob.
    pub fn publish_blob(&self, work: &Work, blob: BlobWriter, digest: Digest) -> Result<()> {
        self.lease(work, [digest.hex().as_str()])?;
        let path = self.blob_path(digest);
        if !path.exists() {
            self.note_unsynced_blob(digest)?;
            fs::rename(&blob.path, &path).cannot("write", path.display())?;
        }
        Ok(())
    }

    /// Stores a small blob, synced: configs and manifests. It stays at least as long as `work` lives.
    pub fn put_blob(&self, work: &Work, bytes: &[u8]) -> Result<Digest> {
        let digest = Digest::of(bytes);
        self.lease(work, [digest.hex().as_str()])?;
        let path = self.blob_path(digest);
        if !path.exists() {
            durable::write_from(work.dir(), &path, bytes)?;
        }
        Ok(digest)
    }

    /// Whether the blob is here.
    pub fn has_blob(&self, digest: Digest) -> bool {
        self.found_blob(digest).exists()
    }

    /// Opens a blob for reading. Its bytes are checked by whoever reads them to the end.
    pub fn open_blob(&self, digest: Digest) -> Result<File> {
        File::open(self.found_blob(digest)).cannot("open the blob", digest)
    }

    /// The whole of a blob of at most `limit` bytes, its digest checked.
    pub fn read_blob(&self, digest: Digest, limit: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open_blob(digest)?.take(limit + 1).read_to_end(&mut bytes).cannot("read the blob", digest)?;
        if bytes.len() as u64 > limit {
            return Err(Error::corrupt(format!("cannot read the blob `{digest}`"))
                .because(format!("it is larger than {limit} bytes")));
        }
        if Digest::of(&bytes) != digest {
            return Err(Error::new(Kind::Corrupt, format!("cannot read the blob `{digest}`"))
                .because("its content has another digest")
                .hint("see what is damaged with `kiln check`, mend it with `kiln check --repair`"));
        }
        Ok(bytes)
    }

    /// All blobs here, by name.
    pub(super) fn blobs(&self) -> Result<Vec<Digest>> {
        let dir = self.root.join("images/blobs/sha256");
        let items = fs::read_dir(&dir).cannot("read", dir.display())?;
        Ok(items.flatten().filter_map(|item| Digest::from_hex(item.file_name().to_str()?)).collect())
    }

    /// Where the blob is, here or in another store.
    fn found_blob(&self, digest: Digest) -> PathBuf {
        self.find_path(self.blob_path(digest), |other| other.blob_path(digest))
    }

    /// Where the blob is or would be, here.
    pub(super) fn blob_path(&self, digest: Digest) -> PathBuf {
        self.root.join("images/blobs/sha256").join(digest.hex())
    }
}
