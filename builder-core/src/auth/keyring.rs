//! Where the credentials of a repository are looked for, and where `login` puts them.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::file::AuthFile;
use super::{Credentials, program};
use crate::error::{Error, Kind, Result};

/// The entry of `credential-helpers` in registries.conf that stands for the files.
const FILES: &str = "containers-auth.json";

/// All places where credentials may be, in the order in which they are searched.
#[derive(Debug, Clone)]
pub(crate) struct Keyring {
    files: Vec<PathBuf>,
    helpers: Vec<String>,
}

impl Keyring {
    /// A keyring of files (the first is the one written to) and of `credential-helpers`; without any, the files only.
    pub fn new(files: Vec<PathBuf>, helpers: Vec<String>) -> Self {
        let helpers = if helpers.is_empty() { vec![FILES.to_owned()] } else { helpers };
        Keyring { files, helpers }
    }

    /// The credentials for `key` (`HOST[:PORT]` or `HOST[:PORT]/PATH`), the most specific that are there.
    pub fn find(&self, key: &str) -> Result<Option<Credentials>> {
        for name in &self.helpers {
            let found = if name == FILES { self.in_files(key)? } else { program::get(name, registry(key))? };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn in_files(&self, key: &str) -> Result<Option<Credentials>> {
        for path in &self.files {
            // Of those that are looked into unnamed one may be in a directory that root has made for itself, such as
            // that of all users without a session: it has no credentials of ours. One that was named is alone.
            let looked = fs::symlink_metadata(path);
            let is_kept = looked.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
            if is_kept && self.files.len() > 1 {
                continue;
            }
            let file = AuthFile::read(path)?;
            if let Some(name) = file.helper(registry(key)) {
                return program::get(name, registry(key));
            }
            for candidate in above(key) {
                if let Some(found) = file.entry(candidate)? {
                    return Ok(Some(found));
                }
            }
            if let Some(name) = file.store()
                && let Some(found) = program::get(name, registry(key))?
            {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Keeps the credentials for `key`; gives where: a file, or a helper's name.
    pub fn store(&self, key: &str, credentials: &Credentials) -> Result<String> {
        if let Some(name) = self.first_helper() {
            program::store(name, key, credentials)?;
            return Ok(name.to_owned());
        }
        AuthFile::make_directory(self.written()?)?;
        let _alone = AuthFile::lock(self.written()?);
        let mut file = AuthFile::read(self.written()?)?;
        if let Some(name) = file.helper(key).or_else(|| file.store()) {
            program::store(name, registry(key), credentials)?;
            return Ok(name.to_owned());
        }
        file.set(key, credentials);
        file.write()?;
        Ok(file.path().display().to_string())
    }

    /// Forgets the credentials for exactly `key`; whether there were any.
    pub fn remove(&self, key: &str) -> Result<bool> {
        if let Some(name) = self.first_helper() {
            return program::erase(name, key);
        }
        let _alone = AuthFile::lock(self.written()?);
        let mut file = AuthFile::read(self.written()?)?;
        let mut removed = false;
        if let Some(name) = file.helper(key).or_else(|| file.store()) {
            removed = program::erase(name, registry(key))?;
        }
        if file.remove(key) {
            file.write()?;
            removed = true;
        }
        Ok(removed)
    }

    /// Forgets all credentials of the file that is written to, and those its helpers keep for the registries in it.
    pub fn remove_all(&self) -> Result<()> {
        let _alone = AuthFile::lock(self.written()?);
        let mut file = AuthFile::read(self.written()?)?;
        for (registry, name) in file.helped() {
            program::erase(&name, &registry)?;
        }
        if !file.is_empty() {
            file.clear();
            file.write()?;
        }
        Ok(())
    }

    /// Another helper than the files, if that is the first choice.
    fn first_helper(&self) -> Option<&str> {
        self.helpers.first().map(String::as_str).filter(|name| *name != FILES)
    }

    fn written(&self) -> Result<&Path> {
        self.files.first().map(PathBuf::as_path).ok_or_else(|| {
            Error::new(Kind::NotFound, "cannot find where credentials are kept")
                .because("neither HOME nor XDG_RUNTIME_DIR is set")
                .hint("name a file: --authfile FILE")
        })
    }
}

/// `HOST[:PORT]` of a key.
fn registry(key: &str) -> &str {
    key.split('/').next().unwrap_or(key)
}

/// The key, and what is above it: `a/b/c`, `a/b`, `a`.
fn above(key: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(key), |key| key.rsplit_once('/').map(|(above, _)| above))
}
