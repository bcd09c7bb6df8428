//! `--secret` and `--ssh`: what the caller lends to a run. Neither is ever written down.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Kind, Result};
use crate::steps::run::agent::Agent;
use crate::steps::run::words::short;

/// As much as BuildKit takes.
const MAX_SECRET: u64 = 500 << 10;

/// A secret that mounts may ask for.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    /// Its name.
    pub id: String,
    /// Where its value is.
    pub value: SecretValue,
    /// Whether a step that sees it is another one with another value.
    pub keyed: bool,
}

/// Where the value of a secret is.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretValue {
    /// In this file of the host.
    File(PathBuf),
    /// Here.
    Bytes(Vec<u8>),
}

/// Shows everything but the value.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The same: a value of variables must not get into a log.
impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SecretValue::File(_) => "File",
            SecretValue::Bytes(_) => "Bytes",
        })
    }
}

impl Secret {
    /// Takes `id=ID,src=FILE`, `id=ID,env=NAME` or `id=ID`, which is the variable of that name, else the file; with
    /// `keyed` if its value counts.
    /// `variable` knows the caller's variables.
    pub fn parse(text: &str, variable: &dyn Fn(&str) -> Option<Vec<u8>>) -> Result<Secret> {
        let fault = |because: String| {
            Error::invalid(format!("cannot use the secret `{}`", short(text)))
                .because(because)
                .hint("write it as id=NAME,src=FILE or id=NAME,env=VARIABLE")
        };
        let (mut id, mut file, mut env, mut kind, mut keyed) = (None, None, None, None, false);
        for part in text.split(',') {
            if let "keyed" | "keyed=true" | "keyed=false" = part {
                keyed = part != "keyed=false";
                continue;
            }
            let (name, value) =
                part.split_once('=').ok_or_else(|| fault(format!("`{}` has no value", short(part))))?;
            if value.is_empty() {
                return Err(fault(format!("`{name}` has no value")));
            }
            match name {
                "id" => id = Some(value),
                "src" | "source" => file = Some(value),
                "env" => env = Some(value),
                "type" if matches!(value, "file" | "env") => kind = Some(value),
                _ => return Err(fault(format!("`{}` is nothing a secret has", short(part)))),
            }
        }
        let id = id.ok_or_else(|| fault("it has no id".into()))?;
        if kind == Some("env") && env.is_none() {
            env = file.take().or(Some(id));
        }
        let value = match (file, env) {
            (Some(_), Some(_)) => return Err(fault("its value is in a file or a variable, not both".into())),
            (Some(file), None) => SecretValue::File(file.into()),
            (None, Some(env)) => SecretValue::Bytes(
                variable(env).ok_or_else(|| fault(format!("the variable `{}` is not set", short(env))))?,
            ),
            (None, None) if kind == Some("file") => SecretValue::File(id.into()),
            (None, None) => match variable(id) {
                Some(bytes) => SecretValue::Bytes(bytes),
                None => return Err(fault("it has no value".into())),
            },
        };
        Ok(Secret { id: id.to_owned(), value, keyed })
    }

    /// Its value.
    pub(crate) fn read(&self) -> Result<Vec<u8>> {
        match &self.value {
            SecretValue::Bytes(bytes) => Ok(bytes.clone()),
            SecretValue::File(path) => {
                let (above, name) = (path.parent().unwrap_or(Path::new("/")), path.file_name());
                let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
                let name = name.ok_or_else(|| {
                    Error::new(Kind::Invalid, format!("cannot read the secret `{}`", self.id))
                        .because(format!("`{}` is no file", path.display()))
                })?;
                // Followed as on the host: a secret is often a link.
                let path = std::fs::canonicalize(above.join(name)).cannot("read the secret", &self.id)?;
                let root = crate::tree::Root::open_host(Path::new("/")).cannot("open", "/")?;
                root.read(&path, MAX_SECRET).cannot("read the secret", &self.id)
            }
        }
    }
}

/// An SSH agent that mounts may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshAgent {
    /// Its name; `default` for the usual one.
    pub id: String,
    /// Its socket on the host.
    pub socket: PathBuf,
}

impl SshAgent {
    /// Takes `ID`, `ID=SOCKET`; without a socket it is the caller's agent, at `usual`.
    pub fn parse(text: &str, usual: Option<PathBuf>) -> Result<SshAgent> {
        let fault = |because: String| {
            Error::invalid(format!("cannot use the SSH agent `{}`", short(text))).because(because)
        };
        let (id, socket) = match text.split_once('=') {
            Some((id, socket)) => (id, Some(PathBuf::from(socket))),
            None => (text, usual),
        };
        if id.is_empty() {
            return Err(fault("it has no name".into()).hint("write `--ssh default`"));
        }
        let socket = socket.ok_or_else(|| {
            fault("SSH_AUTH_SOCK is not set".into()).hint("start an agent: eval \"$(ssh-agent)\"")
        })?;
        let kind = std::fs::metadata(&socket).cannot("find the SSH agent", socket.display())?.file_type();
        if !std::os::unix::fs::FileTypeExt::is_socket(&kind) {
            return Err(fault(format!("`{}` is no socket", socket.display()))
                .hint(format!("give a key to an agent: `ssh-add {}`, then --ssh {id}", socket.display())));
        }
        Ok(SshAgent { id: id.to_owned(), socket })
    }

    /// Stands in for the agent, at a socket with this mode and owner in `dir`.
    pub(super) fn serve(&self, dir: &Path, mode: u32, owner: (u32, u32)) -> Result<Agent> {
        Agent::start(&self.socket, dir, mode, owner).cannot("serve the SSH agent", &self.id)
    }
}

#[cfg(test)]
mod tests;
