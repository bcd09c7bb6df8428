//! What one command says about registries, beside the configuration files.

use std::path::PathBuf;

use crate::auth::{BearerToken, Credentials};
use crate::transport::http::Retry;

/// How registries are reached by one verb: what its flags say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Whether certificates are checked and plain HTTP is refused; as `registries.conf` says, unless given.
    pub tls_verify: Option<bool>,
    /// What to log in with, in place of what files and helpers have.
    pub credentials: Option<Credentials>,
    /// Whether nothing is logged in with, whatever files and helpers have.
    pub anonymous: bool,
    /// A token that is sent to the registry in place of logging in.
    pub bearer: Option<BearerToken>,
    /// The file of credentials, in place of the usual ones.
    pub auth_file: Option<PathBuf>,
    /// The directory with certificates and keys, in place of `certs.d`.
    pub cert_dir: Option<PathBuf>,
    /// Where Docker's daemon is, in place of what the environment says.
    pub daemon_host: Option<String>,
    /// How often what failed is tried again.
    pub retry: Retry,
    /// How many blobs move at a time at most; as many as is fast, unless given.
    pub parallel: Option<usize>,
    /// The signature policy, in place of the usual file.
    pub policy: Option<PathBuf>,
}
