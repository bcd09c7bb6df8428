//! Skopeo's flags that sign what is copied: refused, and never ignored.

use std::path::PathBuf;

use builder_core::Result;

use crate::args::endpoint::refuse;

/// Kiln signs nothing: it would have to keep keys.
#[derive(Debug, clap::Args)]
pub struct SigningArgs {
    /// Not here
    #[arg(long, value_name = "FINGERPRINT", hide = true)]
    sign_by: Option<String>,
    /// Not here
    #[arg(long, value_name = "FINGERPRINT", hide = true)]
    sign_by_sq_fingerprint: Option<String>,
    /// Not here
    #[arg(long, value_name = "FILE", hide = true)]
    sign_by_sigstore: Option<PathBuf>,
    /// Not here
    #[arg(long, value_name = "FILE", hide = true)]
    sign_by_sigstore_private_key: Option<PathBuf>,
    /// Not here
    #[arg(long, value_name = "NAME", hide = true)]
    sign_identity: Option<String>,
    /// Not here
    #[arg(long, value_name = "FILE", hide = true)]
    sign_passphrase_file: Option<PathBuf>,
}

impl SigningArgs {
    /// Refuses the first flag that was given.
    pub fn check(&self) -> Result<()> {
        let given = [
            ("sign-by", self.sign_by.is_some()),
            ("sign-by-sq-fingerprint", self.sign_by_sq_fingerprint.is_some()),
            ("sign-by-sigstore", self.sign_by_sigstore.is_some()),
            ("sign-by-sigstore-private-key", self.sign_by_sigstore_private_key.is_some()),
            ("sign-identity", self.sign_identity.is_some()),
            ("sign-passphrase-file", self.sign_passphrase_file.is_some()),
        ];
        match given.iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => refuse(flag, "sign the image afterwards, with a tool that keeps the keys"),
            None => Ok(()),
        }
    }
}
