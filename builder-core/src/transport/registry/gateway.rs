//! From a name to the repositories that may have it: configuration, certificates, credentials, connections.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::server::Server;
use super::{Access, Repository};
use crate::auth::{Credentials, Keyring};
use crate::error::{Context, Error, Result};
use crate::event::{Event, Reporter};
use crate::name::{self, Ask, Endpoint, Meant, Reference, Registries};
use crate::settings::RegistrySettings;
use crate::sys::lock;
use crate::transport::http::{Client, Tls, without_certificate};
use crate::transport::unfinished::Unfinished;

/// The largest configuration file that is read, bytes.
const MAX_FILE: u64 = 4 << 20;

/// What is going to be done in a repository: what a token must allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Pull,
    Push,
    Delete,
}

/// What one verb knows of registries. Configuration is read when it is opened, certificates and credentials when they
/// are needed.
pub(crate) struct Gateway<'a> {
    settings: &'a RegistrySettings,
    access: Access,
    reporter: &'a dyn Reporter,
    registries: Registries,
    /// By host, whether plain HTTP will do, and whether it is shown the token that was handed in.
    servers: Mutex<BTreeMap<(String, bool, bool), Arc<Server>>>,
}

impl<'a> Gateway<'a> {
    /// Reads `registries.conf`.
    pub fn open(settings: &'a RegistrySettings, access: &Access, reporter: &'a dyn Reporter) -> Result<Self> {
        let registries = read_registries(settings)?;
        // Other tools take it for an empty one in silence.
        if let Some(dir) = access.cert_dir.as_ref().filter(|dir| !dir.exists()) {
            let text = format!("the directory of certificates `{}` is not there", dir.display());
            reporter.report(Event::warning(text));
        }
        Ok(Gateway { settings, access: access.clone(), reporter, registries, servers: Mutex::default() })
    }

    /// What a name without transport may mean; where that is several images, someone is asked.
    pub fn resolve(&self, text: &str) -> Result<Meant> {
        let meant = name::resolve(text, &self.registries)?;
        if meant.ask == Ask::No {
            return Ok(meant);
        }
        let options: Vec<String> = meant.names.iter().map(Reference::to_string).collect();
        match self.reporter.choose("Please select an image", &options)? {
            Some(place) => Ok(meant.chosen(place)),
            None => meant.unasked(),
        }
    }

    /// Remembers what was chosen for a short name, once it was found there.
    pub fn remember(&self, meant: &Meant) -> Result<()> {
        let (Some(short), [name], Some(path)) =
            (&meant.short, meant.names.as_slice(), &self.settings.short_names)
        else {
            return Ok(());
        };
        let dir = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(dir).cannot("make the directory", dir.display())?;
        // The file's own lock is what other tools take as well.
        let mut lock = path.clone().into_os_string();
        lock.push(".lock");
        let _held = lock::wait(Path::new(&lock), lock::Mode::Exclusive).cannot("lock", path.display())?;
        let text = name::with_alias(&read_file(path)?.unwrap_or_default(), short, &name.repository())?;
        let written = Unfinished::begin(dir).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.publish(path)
        });
        written.cannot("write", path.display())
    }

    /// What is known of registries.
    pub fn settings(&self) -> &'a RegistrySettings {
        self.settings
    }

    /// Where `name` is pulled from: its mirrors, then its registry.
    pub fn to_pull(&self, name: &Reference) -> Result<Vec<Repository<'a>>> {
        let endpoints = self.registries.to_pull(name)?;
        endpoints.into_iter().map(|endpoint| self.repository(endpoint, Action::Pull)).collect()
    }

    /// Where `name` is pushed to or deleted from.
    pub fn to_change(&self, name: &Reference, action: Action) -> Result<Repository<'a>> {
        self.repository(self.registries.to_push(name)?, action)
    }

    /// The server `host` itself, with `credentials`, to log in.
    pub fn to_log_in(&self, host: &str, credentials: &Credentials) -> Result<Repository<'a>> {
        // Any name will do: only the root of the server is asked for.
        let name: Reference = format!("{host}/login").parse()?;
        let endpoint = self.registries.to_push(&name)?;
        // Where nobody listens, who has just typed a password is told at once, as with a mirror.
        let endpoint = Endpoint { primary: false, ..endpoint };
        let mut repository = self.repository_without_login(endpoint, Action::Pull);
        repository.login = Some(credentials.clone());
        repository.scopes.clear();
        Ok(repository)
    }

    /// Where credentials are kept, as flags and files say.
    pub fn keyring(&self) -> Keyring {
        let files = match &self.access.auth_file {
            Some(file) => vec![file.clone()],
            None => self.settings.auth_files.clone(),
        };
        // A file that was named is meant alone.
        let helpers = if self.access.auth_file.is_some() {
            Vec::new()
        } else {
            self.registries.credential_helpers.clone()
        };
        Keyring::new(files, helpers)
    }

    fn repository(&self, endpoint: Endpoint, action: Action) -> Result<Repository<'a>> {
        let login = match &self.access.credentials {
            // What is handed in is for the registry that was named, not for a mirror elsewhere.
            Some(given) if endpoint.primary => Some(given.clone()),
            _ if self.access.anonymous => None,
            _ => self.keyring().find(&endpoint.name.repository())?,
        };
        Ok(Repository { login, ..self.repository_without_login(endpoint, action) })
    }

    fn repository_without_login(&self, endpoint: Endpoint, action: Action) -> Repository<'a> {
        let insecure = self.access.tls_verify.map_or(endpoint.insecure, |verify| !verify);
        let actions = match action {
            Action::Pull => "pull",
            Action::Push => "pull,push",
            Action::Delete => "*",
        };
        Repository {
            // What is handed in is for the registry that was named, not for a mirror elsewhere.
            server: self.server(endpoint.name.host(), insecure, endpoint.primary),
            scopes: vec![format!("repository:{}:{actions}", endpoint.name.path())],
            name: endpoint.name,
            login: None,
            retry: self.access.retry,
            reporter: self.reporter,
        }
    }

    /// How many blobs move at a time at most, as the command says.
    pub fn parallel(&self) -> Option<usize> {
        self.access.parallel
    }

    fn server(&self, host: &str, insecure: bool, named: bool) -> Arc<Server> {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || {
            let tls = Tls {
                unchecked: insecure,
                directories: self.cert_dirs(host),
                bundle: self.settings.bundle.clone(),
                bundle_dirs: self.settings.bundle_dirs.clone(),
                ..Tls::default()
            };
            for path in tls.directories.iter().flat_map(|dir| without_certificate(dir)) {
                let text = format!(
                    "the certificate `{}` is passed over: there is none in PEM form in it",
                    path.display()
                );
                self.reporter.report(Event::warning(text));
            }
            let client = Client::new(tls, self.settings.proxies.clone());
            let bearer = self.access.bearer.clone().filter(|_| named);
            Arc::new(Server::new(host.to_owned(), name::api_host(host), client, insecure, named, bearer))
        };
        servers.entry((host.to_owned(), insecure, named)).or_insert_with(make).clone()
    }

    /// The directories with certificates for a host: the one handed in, else the first of `certs.d` that is there.
    fn cert_dirs(&self, host: &str) -> Vec<PathBuf> {
        if let Some(dir) = &self.access.cert_dir {
            return vec![dir.clone()];
        }
        // A host is checked when a name is read: it holds no slash and is not `..`.
        let dirs = self.settings.cert_dirs.iter().map(|dir| dir.join(host));
        dirs.filter(|dir| dir.is_dir()).take(1).collect()
    }
}

/// Reads `registries.conf`, the files beside it, and the short names resolved so far.
fn read_registries(settings: &RegistrySettings) -> Result<Registries> {
    let mut registries = Registries::default();
    for path in &settings.conf {
        if let Some(text) = read_file(path)? {
            registries.add(&path.display().to_string(), &text, false)?;
            break;
        }
    }
    for dir in &settings.conf_dirs {
        let items = match fs::read_dir(dir) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            items => items.cannot("read", dir.display())?,
        };
        let mut paths: Vec<PathBuf> = items.flatten().map(|item| item.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
        paths.sort();
        for path in paths {
            if let Some(text) = read_file(&path)? {
                registries.add(&path.display().to_string(), &text, true)?;
            }
        }
    }
    if let Some(path) = &settings.short_names
        && let Some(text) = read_file(path)?
    {
        registries.add(&path.display().to_string(), &text, true)?;
    }
    if let Some(text) = &settings.sources {
        registries.add_sources(text)?;
    }
    Ok(registries)
}

/// The text of a configuration file; `None` if there is none.
pub(crate) fn read_file(path: &Path) -> Result<Option<String>> {
    use std::io::Read;
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.cannot("read", path.display())?,
    };
    let mut text = String::new();
    file.take(MAX_FILE + 1).read_to_string(&mut text).cannot("read", path.display())?;
    if text.len() as u64 > MAX_FILE {
        return Err(Error::corrupt(format!("cannot read `{}`", path.display()))
            .because(format!("it is larger than {MAX_FILE} bytes")));
    }
    Ok(Some(text))
}
