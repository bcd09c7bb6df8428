//! How the registry at one end of a copy is reached: Skopeo's flags, plain and with `src-` and `dest-` before them.

use std::path::PathBuf;

use builder_core::{Access, BearerToken, Credentials, Error, Kind, Result};

use crate::args::registry::parse_bool;
use crate::ui;

/// Makes a struct of flags for one end.
macro_rules! endpoint {
    ($name:ident, $what:literal, $creds:literal, $user:literal, $password:literal, $none:literal, $authfile:literal,
     $certs:literal, $tls:literal, $token:literal, $daemon:literal, $shared:literal) => {
        #[doc = $what]
        #[derive(Debug, Clone, Default, clap::Args)]
        pub struct $name {
            /// Log in with this name and password; a password that is missing is asked for
            #[arg(long = $creds, id = $creds, value_name = "USER[:PASSWORD]", conflicts_with = $none)]
            creds: Option<String>,
            /// Log in with this name
            #[arg(long = $user, id = $user, value_name = "USER", conflicts_with_all = [$creds, $none])]
            username: Option<String>,
            /// Log in with this password
            #[arg(long = $password, id = $password, value_name = "PASSWORD", requires = $user)]
            password: Option<String>,
            /// Do not log in, whatever credentials there are
            #[arg(long = $none, id = $none)]
            no_creds: bool,
            /// The file with credentials
            #[arg(long = $authfile, id = $authfile, value_name = "FILE")]
            authfile: Option<PathBuf>,
            /// The directory with certificates: *.crt, *.cert with *.key
            #[arg(long = $certs, id = $certs, value_name = "DIR")]
            cert_dir: Option<PathBuf>,
            /// Check the registry's certificate and refuse plain HTTP; with false, neither
            #[arg(long = $tls, id = $tls, value_name = "BOOL", value_parser = parse_bool)]
            #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
            tls_verify: Option<bool>,
            /// Send this token to the registry in place of logging in
            #[arg(long = $token, id = $token, value_name = "TOKEN", conflicts_with_all = [$creds, $user, $none])]
            registry_token: Option<String>,
            /// Where the Docker daemon is: unix://PATH, http://HOST:PORT or, with TLS, tcp://HOST:PORT (default:
            /// unix:///var/run/docker.sock) [env: DOCKER_HOST]
            #[arg(long = $daemon, id = $daemon, value_name = "HOST")]
            daemon_host: Option<String>,
            /// Not here: keep the blobs of several layouts in one directory
            #[arg(long = $shared, id = $shared, value_name = "DIR", hide = true)]
            shared_blob_dir: Option<PathBuf>,
        }

        impl $name {
            /// What the flags say; `authfile` is that of both ends.
            pub fn access(&self, authfile: Option<&PathBuf>) -> Result<Access> {
                if self.shared_blob_dir.is_some() {
                    return refuse($shared, "leave it out: a layout then has all its blobs");
                }
                let ask = || ui::ask_secret("Password: ", "write it after the name: USER:PASSWORD");
                let credentials = match (&self.creds, &self.username, &self.password) {
                    (Some(creds), ..) => Some(Credentials::parse(creds, ask)?),
                    (None, Some(user), Some(password)) => {
                        Some(Credentials::parse(&format!("{user}:{password}"), ask)?)
                    }
                    (None, Some(user), None) => Some(Credentials::parse(user, ask)?),
                    (None, None, _) => None,
                };
                Ok(Access {
                    tls_verify: self.tls_verify,
                    credentials,
                    anonymous: self.no_creds,
                    bearer: self.registry_token.clone().map(BearerToken),
                    auth_file: self.authfile.as_ref().or(authfile).cloned(),
                    cert_dir: self.cert_dir.clone(),
                    daemon_host: self.daemon_host.clone(),
                    ..Access::default()
                })
            }
        }
    };
}

endpoint!(
    Endpoint,
    "The one end there is.",
    "creds",
    "username",
    "password",
    "no-creds",
    "authfile",
    "cert-dir",
    "tls-verify",
    "registry-token",
    "daemon-host",
    "shared-blob-dir"
);
endpoint!(
    From,
    "Where an image comes from.",
    "src-creds",
    "src-username",
    "src-password",
    "src-no-creds",
    "src-authfile",
    "src-cert-dir",
    "src-tls-verify",
    "src-registry-token",
    "src-daemon-host",
    "src-shared-blob-dir"
);
endpoint!(
    To,
    "Where an image goes.",
    "dest-creds",
    "dest-username",
    "dest-password",
    "dest-no-creds",
    "dest-authfile",
    "dest-cert-dir",
    "dest-tls-verify",
    "dest-registry-token",
    "dest-daemon-host",
    "dest-shared-blob-dir"
);

/// A flag of the field's that can have no effect here.
pub fn refuse<T>(flag: &str, hint: &str) -> Result<T> {
    Err(Error::new(Kind::Unsupported, format!("cannot use --{flag}"))
        .because("Kiln does not do what it asks for")
        .hint(hint))
}
