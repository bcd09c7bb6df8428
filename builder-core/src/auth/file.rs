//! One file of credentials: `auth.json` and Docker's `config.json` have one form. What it holds beside credentials is
//! kept as it is.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{Credentials, TOKEN_USER};
use crate::error::{Context, Error, Result};
use crate::sys::lock::Claim;
use crate::sys::random;

/// The largest file that is read, bytes.
const MAX_FILE: u64 = 4 << 20;

/// So long others are waited for who change a file: each does so for milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// A file of credentials, read whole. One that does not exist is empty.
pub(super) struct AuthFile {
    path: PathBuf,
    /// The whole file; of Docker's oldest form, `.dockercfg`, only its entries.
    content: Map<String, Value>,
}

impl AuthFile {
    /// Waits until nobody else changes the file at `path`, as far as that can be seen to where it is: whoever else may
    /// write in its directory could let us wait for ever. Not at all where anybody may.
    pub fn lock(path: &Path) -> Option<Claim> {
        let path = followed(path);
        let (dir, name) = (directory(&path), path.file_name()?.to_string_lossy());
        let is_public = fs::metadata(dir).is_ok_and(|found| found.permissions().mode() & 0o002 != 0);
        if is_public {
            None
        } else {
            Claim::wait_for(&dir.join(format!(".{name}.kiln-lock")), PATIENCE).ok()?
        }
    }

    /// Makes the directory that the file at `path` is in.
    pub fn make_directory(path: &Path) -> Result<()> {
        let path = followed(path);
        let dir = directory(&path);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).cannot("make", dir.display())
    }

    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self> {
        let another =
            |error: Error| error.hint("name a file you may read with --authfile FILE or REGISTRY_AUTH_FILE");
        let empty = || AuthFile { path: path.to_owned(), content: Map::new() };
        let file = match fs::File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(empty()),
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOTDIR.raw_os_error()) => {
                return Ok(empty());
            }
            file => file.cannot("read the credentials in", path.display()).map_err(another)?,
        };
        let mut bytes = Vec::new();
        let read = file.take(MAX_FILE + 1).read_to_end(&mut bytes);
        read.cannot("read the credentials in", path.display()).map_err(another)?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(empty());
        }
        let refuse = |why: String| {
            // Without the text around the fault, which may be a password.
            Error::corrupt(format!("cannot read the credentials in `{}`", path.display()))
                .because(why)
                .hint("correct the file, or remove it and log in again: kiln login HOST")
        };
        if bytes.len() as u64 > MAX_FILE {
            return Err(refuse(format!("it is larger than {MAX_FILE} bytes")));
        }
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| {
            refuse(format!("it is no JSON (line {}, column {})", error.line(), error.column()))
        })?;
        let Value::Object(mut content) = value else { return Err(refuse("it is no JSON object".to_owned())) };
        if path.file_name().is_some_and(|name| name == ".dockercfg") {
            content = Map::from_iter([("auths".to_owned(), Value::Object(content))]);
        }
        Ok(AuthFile { path: path.to_owned(), content })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The helper that keeps the credentials of exactly this registry.
    pub fn helper(&self, registry: &str) -> Option<&str> {
        self.content.get("credHelpers")?.as_object()?.get(registry)?.as_str().filter(|name| !name.is_empty())
    }

    /// The helper that keeps whatever has no entry.
    pub fn store(&self) -> Option<&str> {
        self.content.get("credsStore")?.as_str().filter(|name| !name.is_empty())
    }

    /// All registries with a helper of their own.
    pub fn helped(&self) -> Vec<(String, String)> {
        let helpers = self.content.get("credHelpers").and_then(Value::as_object);
        let pairs = helpers.into_iter().flatten();
        pairs.filter_map(|(registry, name)| Some((registry.clone(), name.as_str()?.to_owned()))).collect()
    }

    /// The credentials in the entry `key`, or in one that means the same registry in Docker's old spelling.
    pub fn entry(&self, key: &str) -> Result<Option<Credentials>> {
        let Some(auths) = self.content.get("auths").and_then(Value::as_object) else { return Ok(None) };
        let entry = auths.get(key).or_else(|| {
            let by_registry = |(name, _): &(&String, &Value)| normalized(name) == key && !key.contains('/');
            auths.iter().find(by_registry).map(|(_, entry)| entry)
        });
        entry.map_or(Ok(None), |entry| self.decode(key, entry))
    }

    fn decode(&self, key: &str, entry: &Value) -> Result<Option<Credentials>> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        if let Some(token) = text("identitytoken") {
            return Ok(Some(Credentials::Token(token.to_owned())));
        }
        let Some(auth) = text("auth") else { return Ok(None) };
        let pair = STANDARD.decode(auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let pair = pair.as_deref().and_then(|pair| pair.split_once(':'));
        let Some((user, password)) = pair else {
            return Err(Error::corrupt(format!(
                "cannot use the credentials for `{key}` in `{}`",
                self.path.display()
            ))
            .because("`auth` is not USER:PASSWORD in base64")
            .hint(format!("log in again: kiln login {}", key.split('/').next().unwrap_or(key))));
        };
        let password = password.trim_end_matches('\0').to_owned();
        Ok(Some(match user {
            TOKEN_USER => Credentials::Token(password),
            _ => Credentials::Password { user: user.to_owned(), password },
        }))
    }

    /// Puts the credentials under `key`.
    pub fn set(&mut self, key: &str, credentials: &Credentials) {
        let entry = match credentials {
            Credentials::Password { user, password } => {
                json!({ "auth": STANDARD.encode(format!("{user}:{password}")) })
            }
            Credentials::Token(token) => {
                json!({ "auth": STANDARD.encode(format!("{TOKEN_USER}:")), "identitytoken": token })
            }
        };
        let auths = self.content.entry("auths").or_insert_with(|| json!({}));
        if !auths.is_object() {
            *auths = json!({});
        }
        auths[key] = entry;
    }

    /// Takes the entry `key` out; whether there was one.
    pub fn remove(&mut self, key: &str) -> bool {
        let Some(auths) = self.content.get_mut("auths").and_then(Value::as_object_mut) else { return false };
        let before = auths.len();
        auths.retain(|name, _| name != key && (key.contains('/') || normalized(name) != key));
        auths.len() < before
    }

    /// Takes all entries out.
    pub fn clear(&mut self) {
        self.content.remove("auths");
        self.content.remove("credHelpers");
        self.content.insert("auths".to_owned(), json!({}));
    }

    /// Whether there are entries.
    pub fn is_empty(&self) -> bool {
        let auths = self.content.get("auths").and_then(Value::as_object);
        auths.is_none_or(Map::is_empty) && self.helped().is_empty()
    }

    /// Replaces the file by this content, readable by its owner only; a reader sees the old file or the new one.
    pub fn write(&self) -> Result<()> {
        let path = &followed(&self.path);
        let new = directory(path).join(format!(".{}", random::hex(8)));
        let bytes = serde_json::to_vec_pretty(&self.content).expect("JSON becomes JSON");
        let written = fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&new);
        let written =
            written.and_then(|mut file| file.write_all(&bytes)).and_then(|()| fs::rename(&new, path));
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written.cannot("write the credentials to", path.display())
    }
}

/// Where a file is: a link to it elsewhere stays one.
fn followed(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The directory a file is in.
fn directory(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The registry of an entry that Docker wrote as an address: `https://HOST/v1/` means `HOST`.
fn normalized(key: &str) -> &str {
    let address = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://"));
    match address {
        // With a path other than the API's it is no registry's entry, but a namespace's.
        Some(address) => match address.split_once('/') {
            None | Some((_, "" | "v1" | "v1/" | "v2" | "v2/")) => {
                crate::name::hub_alias(address.split('/').next().unwrap_or(address))
            }
            Some(_) => key,
        },
        None => key,
    }
}
