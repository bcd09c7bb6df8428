//! For which name an image has to be signed: `signedIdentity`.

use serde::Deserialize;

use crate::name::Reference;

/// What the name in a signature has to be.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
pub(super) enum Identity {
    /// The name that is pulled; its repository, where it is pulled by digest.
    #[default]
    #[serde(rename = "matchRepoDigestOrExact")]
    RepositoryOfDigestOrExact,
    /// The name that is pulled.
    #[serde(rename = "matchExact")]
    Exact,
    /// Any name in the repository that is pulled from.
    #[serde(rename = "matchRepository")]
    Repository,
    /// This name, whatever is pulled.
    #[serde(rename = "exactReference")]
    ExactReference {
        /// The name.
        #[serde(rename = "dockerReference")]
        reference: String,
    },
    /// Any name in this repository, whatever is pulled.
    #[serde(rename = "exactRepository")]
    ExactRepository {
        /// The repository.
        #[serde(rename = "dockerRepository")]
        repository: String,
    },
    /// As the first one, with another beginning of the name: that of a mirror stands for its original.
    #[serde(rename = "remapIdentity")]
    Remap {
        /// How names here begin.
        prefix: String,
        /// How names in signatures begin.
        #[serde(rename = "signedPrefix")]
        signed: String,
    },
}

impl Identity {
    /// Whether what it says can be used at all.
    pub fn check(&self) -> Result<(), String> {
        let is_name = |text: &str| match text.parse::<Reference>() {
            Ok(name) if Reference::names_host(text) => Ok(name),
            _ => Err(format!("`{text}` is no whole image name")),
        };
        match self {
            Identity::ExactReference { reference } => is_name(reference).map(drop),
            Identity::ExactRepository { repository } => {
                is_name(repository).and_then(|name| match name.repository() == *repository {
                    true => Ok(()),
                    false => Err(format!("`{repository}` is no repository: it has a tag or a digest")),
                })
            }
            _ => Ok(()),
        }
    }

    /// Whether a signature for `signed` is one for `pulled`.
    pub fn fits(&self, pulled: &Reference, signed: &str) -> bool {
        // A signature names a whole image: nothing is completed.
        let Ok(signed_name) = signed.parse::<Reference>() else { return false };
        if signed_name.to_string() != signed {
            return false;
        }
        let same = |pulled: &Reference| match pulled.digest() {
            Some(_) => pulled.repository() == signed_name.repository(),
            None => *pulled == signed_name,
        };
        match self {
            Identity::RepositoryOfDigestOrExact => same(pulled),
            Identity::Exact => *pulled == signed_name,
            Identity::Repository => pulled.repository() == signed_name.repository(),
            Identity::ExactReference { reference } => {
                reference.parse().is_ok_and(|wanted: Reference| wanted == signed_name)
            }
            Identity::ExactRepository { repository } => signed_name.repository() == *repository,
            Identity::Remap { prefix, signed } => match remapped(pulled, prefix, signed) {
                Some(Ok(name)) => same(&name),
                Some(Err(())) => false,
                None => same(pulled),
            },
        }
    }
}

/// `name` with another beginning, if it begins with `prefix`.
fn remapped(name: &Reference, prefix: &str, signed: &str) -> Option<Result<Reference, ()>> {
    let text = name.to_string();
    let rest = text.strip_prefix(prefix).filter(|rest| rest.starts_with(['/', ':', '@']))?;
    Some(format!("{signed}{rest}").parse().map_err(drop))
}
