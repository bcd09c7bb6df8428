//! The small files that an image or container has in a storage ("big data"): manifests, configs.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Context, Result};
use crate::oci::MAX_MANIFEST;
use crate::tree::Root;

/// What the file of a key is called: the key itself, or where that has more than small letters, digits and dots in it,
/// `=` and its base64.
pub(super) fn file_name(key: &str) -> String {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.');
    if key.bytes().all(plain) && !key.is_empty() {
        return key.to_owned();
    }
    format!("={}", STANDARD.encode(key))
}

/// The bytes of a key's file in `dir`.
pub(super) fn read(dir: &Path, key: &str) -> Result<Vec<u8>> {
    let root = Root::open_host(dir).cannot("open", dir.display())?;
    root.read(file_name(key), MAX_MANIFEST).cannot("read", dir.join(file_name(key)).display())
}

/// Writes the file of a key: whole or not at all.
pub(super) fn write(dir: &Path, key: &str, bytes: &[u8]) -> Result<()> {
    let path = dir.join(file_name(key));
    if fs::read(&path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    let unfinished: PathBuf = dir.join(".kiln-unfinished");
    let write = || {
        let mut file =
            fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        fs::rename(&unfinished, &path)
    };
    write().cannot("write", path.display())
}
