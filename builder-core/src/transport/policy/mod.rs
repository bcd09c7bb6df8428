//! `policy.json`: which images may come in at all (containers-policy.json(5)).
//!
//! `insecureAcceptAnything`, `reject` and `signedBy` have their effect; any other kind of requirement is an error,
//! never passed over. Where there is no policy file, everything is accepted, so that a fresh machine works.

mod guard;
mod identity;
mod signature;

pub(crate) use guard::guarded;
pub(crate) use signature::verify;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Kind, Result};
use crate::name::{DaemonImage, Location};
use identity::Identity;

/// What is asked of images.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    default: Vec<Requirement>,
    #[serde(default)]
    transports: BTreeMap<String, BTreeMap<String, Vec<Requirement>>>,
}

/// One condition; all in a list have to hold.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
pub(crate) enum Requirement {
    /// Anything will do.
    #[serde(rename = "insecureAcceptAnything")]
    Accept {},
    /// Nothing will do.
    #[serde(rename = "reject")]
    Reject {},
    /// A good simple signature by one of the keys.
    #[serde(rename = "signedBy")]
    SignedBy(SignedBy),
    /// Known, and not done here.
    #[serde(rename = "sigstoreSigned")]
    Sigstore(serde_json::Value),
    /// Known, and done by no tool yet.
    #[serde(rename = "signedBaseLayer")]
    BaseLayer(serde_json::Value),
}

/// Who has to have signed, and for which name.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SignedBy {
    key_type: String,
    key_path: Option<PathBuf>,
    #[serde(default)]
    key_paths: Vec<PathBuf>,
    key_data: Option<String>,
    #[serde(default)]
    signed_identity: Identity,
}

impl Policy {
    /// Reads the text of the policy at `path`.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let refuse = |why: String| {
            Error::corrupt(format!("cannot use the signature policy `{}`", path.display())).because(why).hint(
                "correct it as containers-policy.json(5) says, or name another: \
                --signature-policy FILE (as skopeo: --policy FILE)",
            )
        };
        let policy: Policy = serde_json::from_str(text).map_err(|cause| refuse(cause.to_string()))?;
        let lists = policy.transports.values().flat_map(BTreeMap::values);
        for list in lists.chain([&policy.default]) {
            if list.is_empty() {
                return Err(refuse("a list of requirements is empty".to_owned()));
            }
            for requirement in list {
                if let Requirement::SignedBy(signed) = requirement {
                    signed.check().map_err(refuse)?;
                }
            }
        }
        Ok(policy)
    }

    /// What is asked of an image at `location`: by its transport and the most specific scope.
    fn requirements(&self, location: &Location) -> &[Requirement] {
        let (transport, scopes) = scopes(location);
        let Some(of_transport) = self.transports.get(transport) else { return &self.default };
        let found = scopes.iter().find_map(|scope| of_transport.get(scope.as_str()));
        found.or_else(|| of_transport.get("")).unwrap_or(&self.default)
    }
}

impl SignedBy {
    fn check(&self) -> Result<(), String> {
        if self.key_type != "GPGKeys" {
            return Err(format!(
                "`signedBy` with keys of the type `{}`: only GPGKeys are known",
                self.key_type
            ));
        }
        let given = [self.key_path.is_some(), !self.key_paths.is_empty(), self.key_data.is_some()];
        match given.iter().filter(|given| **given).count() {
            1 => self.signed_identity.check(),
            _ => Err("`signedBy` has one of keyPath, keyPaths and keyData".to_owned()),
        }
    }
}

/// The transport of a location by its name in policies, and its scopes, the most specific first.
fn scopes(location: &Location) -> (&'static str, Vec<String>) {
    let below = |path: &Path| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        path.ancestors()
            .map(|above| above.display().to_string())
            .filter(|above| above != "/")
            .collect::<Vec<_>>()
    };
    match location {
        Location::Registry(name) | Location::Daemon(DaemonImage::Name(name)) => {
            let transport = if matches!(location, Location::Daemon(_)) { "docker-daemon" } else { "docker" };
            let mut scopes = vec![name.to_string()];
            let repository = name.repository();
            let above = std::iter::successors(Some(repository.as_str()), |scope| {
                scope.rsplit_once('/').map(|(above, _)| above)
            });
            scopes.extend(above.map(str::to_owned));
            let host = name.host().split(':').next().unwrap_or_default();
            let domains = std::iter::successors(host.split_once('.'), |(_, domain)| domain.split_once('.'));
            scopes.extend(domains.map(|(_, domain)| format!("*.{domain}")));
            (transport, scopes)
        }
        Location::Daemon(DaemonImage::Id(_)) => ("docker-daemon", Vec::new()),
        Location::Oci { dir, pick } => {
            let mut scopes = below(dir);
            if let (crate::name::Pick::Name(name), Some(first)) = (pick, scopes.first().cloned()) {
                scopes.insert(0, format!("{first}:{name}"));
            }
            ("oci", scopes)
        }
        Location::OciArchive { path, .. } => ("oci-archive", below(path)),
        Location::DockerArchive { .. } => ("docker-archive", Vec::new()),
        Location::Dir(dir) => ("dir", below(dir)),
        Location::Store(_) | Location::ContainersStorage { .. } => ("containers-storage", Vec::new()),
    }
}

/// The refusal of a location.
fn refusal(location: &Location, why: impl Into<String>) -> Error {
    Error::new(Kind::Denied, format!("cannot use `{location}`")).because(why.into()).hint(
        "see what policy.json asks of it, or name another policy: \
            --signature-policy FILE (as skopeo: --policy FILE)",
    )
}

#[cfg(test)]
mod tests;
