//! Why an exchange failed, and whether it is worth trying again.

use std::error::Error as _;
use std::time::Duration;

use crate::error::{Error, Kind};

/// A failed exchange.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It may work the next time: the line was cut, the server is busy.
    Passing {
        /// What is said when no next time is left.
        error: Error,
        /// How long the server asked to wait.
        wait: Option<Duration>,
    },
    /// The other side does not speak TLS.
    NotTls(Error),
    /// It fails every time.
    Lasting(Error),
}

impl Failure {
    /// The error in it.
    pub fn error(self) -> Error {
        match self {
            Failure::Passing { error, .. } | Failure::NotTls(error) | Failure::Lasting(error) => error,
        }
    }

    /// The same once more, for another who waited for what failed.
    pub fn again(&self) -> Failure {
        match self {
            Failure::Passing { error, wait } => Failure::Passing { error: error.again(), wait: *wait },
            Failure::NotTls(error) => Failure::NotTls(error.again()),
            Failure::Lasting(error) => Failure::Lasting(error.again()),
        }
    }

    /// The same failure with another sentence above it.
    pub fn under(self, above: impl FnOnce(Error) -> Error) -> Failure {
        match self {
            Failure::Passing { error, wait } => Failure::Passing { error: above(error), wait },
            Failure::NotTls(error) => Failure::NotTls(above(error)),
            Failure::Lasting(error) => Failure::Lasting(above(error)),
        }
    }

    /// What `ureq` says about an exchange with `host` (`name:port`).
    pub(super) fn of_exchange(host: &str, error: ureq::Error) -> Failure {
        let said = Error::new(Kind::Io, format!("cannot talk to `{host}`"));
        match error {
            ureq::Error::Io(error) => of_io(host, said, error),
            ureq::Error::Timeout(which) => passing(said.because(silence(which))),
            ureq::Error::HostNotFound => unknown_host(host),
            ureq::Error::ConnectProxyFailed(why) => Failure::Lasting(
                said.because(why).hint("see what https_proxy, http_proxy and no_proxy are set to"),
            ),
            ureq::Error::Other(inner) => match inner.downcast::<Error>() {
                Ok(own) => Failure::Lasting(said.because(*own)),
                Err(inner) => passing(said.because(inner)),
            },
            ureq::Error::LargeResponseHeader(..) => Failure::Lasting(
                Error::corrupt(format!("cannot talk to `{host}`")).because("its answer has too many headers"),
            ),
            // The other side broke off, or what it says is not HTTP.
            error @ ureq::Error::ConnectionFailed => passing(said.because(error)),
            error => Failure::Lasting(said.because(error)),
        }
    }
}

fn passing(error: Error) -> Failure {
    Failure::Passing { error, wait: None }
}

fn unknown_host(host: &str) -> Failure {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    Failure::Lasting(
        Error::new(Kind::NotFound, format!("cannot talk to `{host}`"))
            .because("no such host is known")
            .hint(format!("see whether the name is right, and whether it resolves: getent hosts {name}")),
    )
}

fn silence(which: ureq::Timeout) -> &'static str {
    match which {
        ureq::Timeout::Resolve | ureq::Timeout::Connect => "it did not answer in time",
        _ => "it fell silent",
    }
}

fn of_io(host: &str, said: Error, error: std::io::Error) -> Failure {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        // The only words the standard library has for a name that does not resolve.
        None if error.to_string().starts_with("failed to lookup address") => unknown_host(host),
        None => passing(said.because(error)),
        Some(rustls::Error::InvalidMessage(_)) => Failure::NotTls(
            said.because("it does not speak TLS")
                .hint("if it is meant to speak plain HTTP, allow that with --tls-verify=false"),
        ),
        Some(rustls::Error::InvalidCertificate(why)) => {
            Failure::Lasting(said.because(format!("its certificate is not accepted: {}", certificate(why))).hint(
                "hand in the authority's certificate with --cert-dir DIR (a file DIR/ca.crt), \
                 or do not check it with --tls-verify=false",
            ))
        }
        Some(rustls::Error::AlertReceived(alert)) => Failure::Lasting(
            said.because(format!("it ended the TLS handshake ({alert:?})"))
                .hint("if it wants a client certificate, put NAME.cert and NAME.key into the directory of --cert-dir"),
        ),
        Some(other) => Failure::Lasting(said.because(other.clone())),
    }
}

fn certificate(why: &rustls::CertificateError) -> String {
    use rustls::CertificateError as E;
    match why {
        E::UnknownIssuer => "no authority that is trusted here has signed it".to_owned(),
        E::Expired | E::ExpiredContext { .. } => "it has expired".to_owned(),
        E::NotValidYet | E::NotValidYetContext { .. } => {
            "it is not valid yet; is this machine's clock right?".to_owned()
        }
        E::NotValidForName | E::NotValidForNameContext { .. } => "it is for another host name".to_owned(),
        other if super::tls::is_authority(other) => {
            "it is an authority's own, which is not trusted here".to_owned()
        }
        other => other.to_string(),
    }
}

/// What a failed read in the middle of a body says.
pub(super) fn of_read(error: &std::io::Error) -> String {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
        Some(ureq::Error::Timeout(which)) => silence(*which).to_owned(),
        _ if error.kind() == std::io::ErrorKind::UnexpectedEof => "the connection was cut".to_owned(),
        Some(other) => other.source().map_or_else(|| other.to_string(), ToString::to_string),
        None => error.to_string(),
    }
}
