//! Where a daemon listens, in the forms that Docker's and Skopeo's users write.

use std::path::PathBuf;

use crate::error::{Error, Kind, Result};
use crate::settings::DaemonSettings;
use crate::transport::http::{Client, Tls, Url};
use crate::transport::registry::Access;

/// Where it listens if nothing is said.
const USUAL: &str = "unix:///var/run/docker.sock";

/// A way to a daemon.
pub(super) struct Host {
    /// Sends requests there.
    pub client: Client,
    /// What the paths of its API follow.
    pub base: Url,
    /// How messages call it.
    pub shown: String,
}

impl Host {
    /// Of the flag, which is Skopeo's: `tcp://` means TLS. Else of `DOCKER_HOST`, where that takes `DOCKER_TLS_VERIFY`.
    pub fn find(settings: &DaemonSettings, access: &Access) -> Result<Self> {
        let (text, tls) = match (&access.daemon_host, &settings.host) {
            (Some(flag), _) => (flag.as_str(), true),
            (None, Some(variable)) => (variable.as_str(), settings.tls),
            (None, None) => (USUAL, false),
        };
        let refuse = |why: &str, hint: String| {
            Error::new(Kind::Unsupported, format!("cannot use the Docker daemon at `{text}`"))
                .because(why.to_owned())
                .hint(hint)
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| {
            refuse("it is no address", format!("write unix://PATH or tcp://HOST:PORT, e.g. {USUAL}"))
        })?;
        let base = |scheme: &str| Url::parse(&format!("{scheme}://{}/", rest.trim_end_matches('/')));
        let shown = text.to_owned();
        match scheme {
            "unix" if rest.starts_with('/') => {
                // No host name: nothing is looked up for it.
                let base = Url::parse("http://127.0.0.1/")?;
                Ok(Host { client: Client::of_socket(PathBuf::from(rest)), base, shown })
            }
            "unix" => Err(refuse("its path does not begin with a slash", format!("write it like {USUAL}"))),
            "tcp" if !tls => Ok(Host { client: plain(), base: base("http")?, shown }),
            "http" => Ok(Host { client: plain(), base: base("http")?, shown }),
            "tcp" | "https" => {
                let tls = Tls {
                    unchecked: access.tls_verify == Some(false),
                    client_directory: access.cert_dir.clone().or_else(|| settings.certificates.clone()),
                    ..Tls::default()
                };
                Ok(Host { client: Client::new(tls, Default::default()), base: base("https")?, shown })
            }
            "ssh" => Err(refuse(
                "Kiln makes no connections by SSH",
                format!(
                    "forward its socket, ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock {rest}, and use \
                     unix:///tmp/docker.sock"
                ),
            )),
            _ => Err(refuse(
                "there is no such way to it",
                format!("write unix://PATH or tcp://HOST:PORT, e.g. {USUAL}"),
            )),
        }
    }
}

/// What is said to be a daemon is spoken to directly.
fn plain() -> Client {
    Client::new(Tls::default(), Default::default())
}
