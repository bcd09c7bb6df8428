//! `standalone-verify`: whether a signature that lies in a file is of a manifest that lies in another.

use crate::error::{Error, Kind, Result};
use crate::name::Reference;
use crate::oci::Digest;
use crate::transport::policy;

/// A signature, and what it is to be of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandaloneVerify {
    /// The manifest, byte for byte.
    pub manifest: Vec<u8>,
    /// The name that was signed.
    pub name: String,
    /// Fingerprints of the keys that may have signed; none for any of `keys`.
    pub fingerprints: Vec<String>,
    /// Files of public keys.
    pub keys: Vec<Vec<u8>>,
    /// The signature: an OpenPGP message.
    pub signature: Vec<u8>,
}

/// A signature that is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The fingerprint of the key that signed, in hexadecimal digits.
    pub fingerprint: String,
    /// The digest of the manifest.
    pub digest: Digest,
}

impl StandaloneVerify {
    /// Checks it.
    ///
    /// # Errors
    /// It is not good, or is for another manifest, another name or by another key.
    pub fn perform(&self) -> Result<Verified> {
        let refuse = |why: String| {
            Error::new(Kind::Denied, format!("cannot accept the signature of `{}`", self.name)).because(why)
        };
        let claim = policy::verify(&self.signature, &self.keys).map_err(refuse)?;
        let digest = Digest::of(&self.manifest);
        if claim.digest != digest.to_string() {
            return Err(refuse("its signature is for another manifest".to_owned()));
        }
        let same = |one: &str, other: &str| {
            one == other
                || matches!((Reference::on_registry(one), Reference::on_registry(other)), (Ok(a), Ok(b)) if a == b)
        };
        if !same(&claim.name, &self.name) {
            return Err(refuse(format!("its signature is for the name `{:.200}`", claim.name)));
        }
        let fits = |wanted: &String| claim.key.eq_ignore_ascii_case(wanted);
        if !self.fingerprints.is_empty() && !self.fingerprints.iter().any(fits) {
            return Err(refuse(format!("the key that signed has the fingerprint {}", claim.key)));
        }
        Ok(Verified { fingerprint: claim.key, digest })
    }
}
