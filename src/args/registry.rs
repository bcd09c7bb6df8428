//! How a registry is reached: the flags of all verbs that move images.

use std::path::PathBuf;
use std::time::Duration;

use builder_core::{Access, Credentials, Error, Fetch, Result, Retry, Tls};

use crate::args::Globals;
use crate::args::duration;
use crate::settings;
use crate::ui;

/// The flags of verbs that reach registries.
#[derive(Debug, Default, clap::Args)]
pub struct RegistryArgs {
    /// Check the registry's certificate and refuse plain HTTP; with false, neither (default: as registries.conf says)
    #[arg(long, value_name = "BOOL", value_parser = parse_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub tls_verify: Option<bool>,
    /// Log in to the registry with this name and password; a password that is missing is asked for
    #[arg(long, value_name = "USER[:PASSWORD]")]
    pub creds: Option<String>,
    /// The file with credentials (default: the one `kiln login` writes) [env: REGISTRY_AUTH_FILE]
    #[arg(long, value_name = "FILE")]
    pub authfile: Option<PathBuf>,
    /// The directory with an authority's certificate, *.crt, and a client's, *.cert with *.key (default: the one of the
    /// registry in /etc/containers/certs.d)
    #[arg(long, value_name = "DIR")]
    pub cert_dir: Option<PathBuf>,
    /// How often what failed is tried again (default: retry of containers.conf, else 3)
    #[arg(long, value_name = "N")]
    pub retry: Option<u32>,
    /// How long is waited before that, e.g. 2s or 500ms (default: retry_delay of containers.conf, else longer each
    /// time, or as long as the registry asks)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub retry_delay: Option<Duration>,
    /// The signature policy, in place of policy.json
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub signature_policy: Option<PathBuf>,
}

impl RegistryArgs {
    /// What the flags say.
    pub fn access(&self) -> Result<Access> {
        let ask = || ui::ask_secret("Password: ", "write it after the name, --creds USER:PASSWORD");
        self.check_authfile()?;
        let credentials = self.creds.as_deref().map(|text| Credentials::parse(text, ask)).transpose()?;
        Ok(Access {
            tls_verify: self.tls_verify,
            credentials,
            anonymous: false,
            bearer: None,
            parallel: parallel()?,
            auth_file: self.authfile.clone(),
            cert_dir: self.cert_dir.clone(),
            daemon_host: None,
            retry: self.retry()?,
            policy: self.signature_policy.clone(),
        })
    }
}

impl RegistryArgs {
    /// Sees that a file of credentials that is named is there: a name with a mistake would only show as a refusal.
    fn check_authfile(&self) -> Result<()> {
        let Some(path) = &self.authfile else { return Ok(()) };
        std::fs::metadata(path).map(drop).map_err(|cause| {
            Error::invalid(format!("cannot read credentials of `{}`", path.display()))
                .because(cause)
                .hint(format!("write it with `kiln login --authfile {} REGISTRY`", path.display()))
        })
    }
}

/// How many blobs move at a time at most, as containers.conf says; 0 leaves it to us.
fn parallel() -> Result<Option<usize>> {
    let copies = settings::engine()?.image_parallel_copies.filter(|copies| *copies > 0);
    Ok(copies.and_then(|copies| usize::try_from(copies).ok()))
}

impl RegistryArgs {
    /// How often what failed is tried again: as the flags say, else containers.conf.
    fn retry(&self) -> Result<Retry> {
        let usual = Retry::default();
        if let (Some(times), Some(_)) = (self.retry, self.retry_delay) {
            return Ok(Retry { times, delay: self.retry_delay });
        }
        let engine = settings::engine()?;
        let written = engine.retry_delay.as_deref().filter(|text| !text.is_empty());
        let written = written
            .map(|text| duration(text).map_err(|why| settings::bad_engine_key("retry_delay", text, why)));
        let times = self.retry.or(engine.retry).unwrap_or(usual.times);
        Ok(Retry { times, delay: self.retry_delay.or(written.transpose()?) })
    }

    /// How addresses are fetched that are no registry's.
    pub fn fetch(&self, globals: &Globals) -> Fetch {
        let settings = settings::registries(globals);
        Fetch {
            retry: Retry { times: self.retry.unwrap_or(Retry::default().times), delay: self.retry_delay },
            tls: Tls {
                unchecked: self.tls_verify == Some(false),
                directories: self.cert_dir.iter().cloned().collect(),
                bundle: settings.bundle,
                bundle_dirs: settings.bundle_dirs,
                ..Tls::default()
            },
            proxies: settings.proxies,
            ..Fetch::default()
        }
    }
}

/// A truth value in any of the spellings Go's programs take.
pub fn parse_bool(text: &str) -> std::result::Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("write true or false".to_owned()),
    }
}
