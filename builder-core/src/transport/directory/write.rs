//! A `dir:` directory being written.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::error::{Context, Error, Result};
use crate::layer::pour;
use crate::oci::{Descriptor, Digest, Format};
use crate::sys::lock::Claim;
use crate::transport::directory::{VERSION, instance_name, signature_name};
use crate::transport::sink::{Outgoing, Part, Role, Signatures, Sink, Wants};
use crate::transport::source::RawManifest;
use crate::transport::unfinished::{self, Unfinished, Waiting};

/// What is locked while an image is written, and goes afterwards.
const LOCK: &str = ".kiln-lock";

/// How often a directory is made that another takes away at the same time.
const MOST_TRIES: u32 = 100;

/// A directory that gets one image. Its files get their names when the manifest comes: a copy that fails leaves what
/// was there before.
#[derive(Debug)]
pub(crate) struct DirSink {
    path: PathBuf,
    waiting: Waiting,
    /// Whether the directory was made for this.
    made: bool,
    /// Another image waits for its turn: what it has in common with this one would go with the rest of this.
    alone: Option<Claim>,
    written: Mutex<Written>,
}

#[derive(Debug, Default)]
struct Written {
    names: BTreeSet<String>,
    /// Signatures whose manifest is yet to come: only that says what they are called.
    signatures: Vec<Vec<u8>>,
}

impl DirSink {
    /// Opens a directory that is empty or has an image already, making it if it does not exist.
    pub fn open(path: &Path) -> Result<Self> {
        let made = !path.exists();
        let alone = alone(path).cannot("make the directory", path.display())?;
        unfinished::sweep(path);
        let is_lock = |item: &fs::DirEntry| item.file_name() == LOCK;
        let mut items = fs::read_dir(path).cannot("read", path.display())?.flatten();
        let occupied = items.any(|item| !is_lock(&item));
        let marked =
            fs::read(path.join("version")).is_ok_and(|text| text.starts_with(b"Directory Transport Version"));
        if occupied && !marked {
            return Err(Error::invalid(format!("cannot write an image into `{}`", path.display()))
                .because("the directory has other files in it")
                .hint("name a new directory"));
        }
        let sink = DirSink {
            path: path.to_owned(),
            waiting: Waiting::default(),
            made,
            alone: Some(alone),
            written: Mutex::default(),
        };
        sink.put("version".into(), VERSION.as_bytes())?;
        Ok(sink)
    }

    fn written(&self) -> std::sync::MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn put(&self, name: String, bytes: &[u8]) -> Result<()> {
        let written = Unfinished::begin(&self.path).and_then(|mut file| file.write_all(bytes).map(|()| file));
        let file = written.cannot("write", self.path.join(&name).display())?;
        self.add(name, file)
    }

    fn add(&self, name: String, file: Unfinished) -> Result<()> {
        let path = self.path.join(&name);
        self.written().names.insert(name);
        self.waiting.add(file, path)
    }
}

impl Sink for DirSink {
    fn name(&self) -> String {
        format!("dir:{}", self.path.display())
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

    fn has_blob(&self, blob: &Descriptor, _part: Part<'_>) -> Result<bool> {
        let name = blob.digest.hex();
        let path = self.path.join(&name);
        let found = fs::symlink_metadata(&path);
        let there = found.is_ok_and(|found| found.is_file() && found.len() == blob.size)
            || self.waiting.has(&path, blob.size);
        if there {
            self.written().names.insert(name);
        }
        Ok(there)
    }

    fn put_blob(&self, blob: &mut Outgoing<'_>, _part: Part<'_>) -> Result<()> {
        let mut file = Unfinished::begin(&self.path).cannot("write", self.path.display())?;
        pour(blob, &mut file).cannot("write", self.path.display())?;
        self.add(blob.finish()?.digest.hex(), file)
    }

    fn put_manifest(&self, manifest: &RawManifest, role: Role) -> Result<()> {
        let signatures = std::mem::take(&mut self.written().signatures);
        let instance = (role == Role::Instance).then(|| manifest.digest());
        for (number, signature) in (1..).zip(signatures) {
            self.put(signature_name(instance, number), &signature)?;
        }
        self.put(instance.map_or_else(|| "manifest.json".to_owned(), instance_name), &manifest.bytes)?;
        match role {
            Role::Named => self.waiting.publish(),
            Role::Instance => Ok(()),
        }
    }

    fn signatures(&self) -> Signatures {
        Signatures::Kept
    }

    fn put_signatures(&self, _manifest: Digest, signatures: &[Vec<u8>]) -> Result<()> {
        self.written().signatures = signatures.to_vec();
        Ok(())
    }

    /// Takes away what an image that was there before has left.
    fn finish(&self) -> Result<()> {
        let written = self.written();
        for item in fs::read_dir(&self.path).cannot("read", self.path.display())?.flatten() {
            let name = item.file_name();
            let Some(name) = name.to_str() else { continue };
            if is_ours(name) && !written.names.contains(name) {
                fs::remove_file(item.path()).cannot("remove", item.path().display())?;
            }
        }
        Ok(())
    }
}

impl Drop for DirSink {
    fn drop(&mut self) {
        self.waiting.drop_all();
        self.alone.take();
        if self.made {
            // One with an image in it is not empty, and stays.
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Makes a directory and waits until no other image is written into it.
fn alone(path: &Path) -> io::Result<Claim> {
    let mut tries = 0..MOST_TRIES;
    loop {
        match fs::create_dir_all(path).and_then(|()| Claim::wait(&path.join(LOCK))) {
            // The one before us made the directory, and has failed.
            Err(error) if error.kind() == io::ErrorKind::NotFound && tries.next().is_some() => {}
            alone => return alone,
        }
    }
}

/// Whether a file is called as those of this transport are.
fn is_ours(name: &str) -> bool {
    let rest = match name.split_at_checked(64) {
        Some((digits, rest)) if Digest::from_hex(digits).is_some() => rest,
        _ => name,
    };
    rest.is_empty() || rest == ".manifest.json" || rest.trim_start_matches('-').starts_with("signature-")
}
