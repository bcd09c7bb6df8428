//! `login` and `logout`: credentials are tried, and then kept or forgotten.

use crate::auth::Credentials;
use crate::error::{Error, Kind, Result};
use crate::event::Reporter;
use crate::settings::RegistrySettings;
use crate::transport::registry::{Access, Gateway};

/// Logs in to a registry.
#[derive(Debug, Clone)]
pub struct LogIn {
    /// `HOST[:PORT]`, or `HOST[:PORT]/PATH` for credentials of that part only.
    pub registry: String,
    /// What to log in with; what is known already, if there is none.
    pub credentials: Option<Credentials>,
    /// How the registry is reached, and in which file the credentials are kept.
    pub access: Access,
}

/// How logging in went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedIn {
    /// Where the credentials are kept: a file, or the name of a credential helper; none if they were known already.
    pub kept: Option<String>,
}

impl LogIn {
    /// The credentials that are known for the registry.
    pub fn known(&self, settings: &RegistrySettings, reporter: &dyn Reporter) -> Result<Option<Credentials>> {
        Gateway::open(settings, &self.access, reporter)?.keyring().find(&key(&self.registry)?)
    }

    /// Tries the credentials with the registry, and keeps them if it takes them.
    pub fn perform(&self, settings: &RegistrySettings, reporter: &dyn Reporter) -> Result<LoggedIn> {
        let key = key(&self.registry)?;
        let host = key.split('/').next().unwrap_or(&key);
        let gateway = Gateway::open(settings, &self.access, reporter)?;
        let keyring = gateway.keyring();
        let (credentials, new) = match &self.credentials {
            Some(given) => (given.clone(), true),
            None => (keyring.find(&key)?.ok_or_else(|| not_logged_in("log in to", &key))?, false),
        };
        gateway.to_log_in(host, &credentials)?.greet()?;
        let kept = if new { Some(keyring.store(&key, &credentials)?) } else { None };
        Ok(LoggedIn { kept })
    }
}

/// Forgets credentials.
#[derive(Debug, Clone)]
pub struct LogOut {
    /// As in [`LogIn`]; none for all registries.
    pub registry: Option<String>,
    /// In which file the credentials are.
    pub access: Access,
}

impl LogOut {
    /// Forgets what is in the file, or with a credential helper.
    pub fn perform(&self, settings: &RegistrySettings, reporter: &dyn Reporter) -> Result<()> {
        let keyring = Gateway::open(settings, &self.access, reporter)?.keyring();
        let Some(registry) = &self.registry else { return keyring.remove_all() };
        let key = key(registry)?;
        if keyring.remove(&key)? { Ok(()) } else { Err(not_logged_in("log out of", &key)) }
    }
}

fn not_logged_in(verb: &str, key: &str) -> Error {
    Error::new(Kind::NotFound, format!("cannot {verb} `{key}`"))
        .because("there are no credentials for it")
        .hint(format!("log in with `kiln login {key}`"))
}

/// The key that credentials for `registry` have: without scheme, and with nothing a name cannot have.
fn key(registry: &str) -> Result<String> {
    // Neither does the message show what may be a password.
    if let Some((_, host)) = registry.rsplit_once('@') {
        return Err(Error::invalid(format!("cannot use the registry `…@{host}`"))
            .because("it has a user name or a password in it")
            .hint(format!("log in with `kiln login -u NAME --password-stdin {host}`")));
    }
    let bare = registry.strip_prefix("https://").or_else(|| registry.strip_prefix("http://"));
    let key = bare.unwrap_or(registry).trim_end_matches('/');
    let host = key.split('/').next().unwrap_or(key);
    let is_name =
        format!("{key}/x").parse::<crate::name::Reference>().is_ok_and(|name| name.tag() == Some("latest"));
    if !is_name || !crate::name::Reference::names_host(&format!("{host}/x")) {
        return Err(Error::invalid(format!("cannot use the registry `{registry}`"))
            .because("it is no host name with a dot, a port, or `localhost`")
            .hint("write HOST[:PORT], such as registry.example or localhost:5000"));
    }
    Ok(key.to_owned())
}
