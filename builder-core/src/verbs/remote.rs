//! What is done to a registry without the store: listing tags, deleting, finding what refers to an image.

use crate::error::Result;
use crate::event::Reporter;
use crate::name::Reference;
use crate::oci::{Digest, Index};
use crate::settings::RegistrySettings;
use crate::transport::registry::{Access, Action, Gateway};

/// An image or a repository in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// `HOST[:PORT]/PATH[:TAG|@DIGEST]`.
    pub name: Reference,
    /// How the registry is reached.
    pub access: Access,
}

impl Remote {
    /// All tags of the repository, in the registry's order.
    pub fn tags(&self, settings: &RegistrySettings, reporter: &dyn Reporter) -> Result<Vec<String>> {
        self.gateway(settings, reporter)?.to_change(&self.name, Action::Pull)?.tags()
    }

    /// Deletes the image, all its tags included. Gives its digest.
    pub fn delete(&self, settings: &RegistrySettings, reporter: &dyn Reporter) -> Result<Digest> {
        self.gateway(settings, reporter)?.to_change(&self.name, Action::Delete)?.delete()
    }

    /// What refers to the image: signatures, attestations, other artifacts.
    pub fn referrers(&self, settings: &RegistrySettings, reporter: &dyn Reporter) -> Result<Index> {
        let repository = self.gateway(settings, reporter)?.to_change(&self.name, Action::Pull)?;
        let subject = match self.name.digest() {
            Some(digest) => digest,
            None => repository.manifest()?.digest(),
        };
        repository.referrers(subject)
    }

    fn gateway<'a>(&self, settings: &'a RegistrySettings, reporter: &'a dyn Reporter) -> Result<Gateway<'a>> {
        Gateway::open(settings, &self.access, reporter)
    }
}
