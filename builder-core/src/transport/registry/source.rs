//! A registry as a place images come from: mirrors first, then the registry itself.

use std::sync::OnceLock;

use super::{Gateway, Repository, lookaside};
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Reporter};
use crate::name::Reference;
use crate::oci::{Descriptor, Digest};
use crate::settings::RegistrySettings;
use crate::transport::source::{Content, RawManifest, Source};

/// How many blobs are fetched at a time, unless a command says otherwise: as many as the field's tools use.
const LANES: usize = 6;

/// One image in a registry, or in one of its mirrors.
pub(crate) struct RegistrySource<'a> {
    name: Reference,
    repositories: Vec<Repository<'a>>,
    /// Which of them has the image.
    chosen: OnceLock<usize>,
    /// What the name means, once it was asked for: it stays that while the image is copied.
    manifest: OnceLock<RawManifest>,
    /// How many blobs are fetched at a time.
    lanes: usize,
    settings: &'a RegistrySettings,
    reporter: &'a dyn Reporter,
}

impl<'a> RegistrySource<'a> {
    /// The image `name`. Nothing is asked for yet.
    pub fn open(gateway: &Gateway<'a>, name: &Reference, reporter: &'a dyn Reporter) -> Result<Self> {
        let repositories = gateway.to_pull(name)?;
        let lanes = gateway.parallel().unwrap_or(LANES).max(1);
        Ok(RegistrySource {
            name: name.clone(),
            repositories,
            chosen: OnceLock::new(),
            manifest: OnceLock::new(),
            lanes,
            settings: gateway.settings(),
            reporter,
        })
    }

    /// The registry that the name means, whichever mirror has the image.
    pub fn primary(&self) -> &Repository<'a> {
        self.repositories.last().expect("there is always one")
    }

    /// The repository that has the image.
    pub fn repository(&self) -> &Repository<'a> {
        // The registry itself is the last one, and there is always one.
        let last = self.repositories.len() - 1;
        &self.repositories[self.chosen.get().copied().unwrap_or(last)]
    }
}

impl Source for RegistrySource<'_> {
    fn name(&self) -> String {
        format!("docker://{}", self.name)
    }

    fn manifest(&self) -> Result<RawManifest> {
        if let Some(manifest) = self.manifest.get() {
            return Ok(manifest.clone());
        }
        let mut tried: Option<Error> = None;
        for (place, repository) in self.repositories.iter().enumerate() {
            match repository.manifest() {
                Ok(manifest) => {
                    let _ = self.chosen.set(place);
                    let _ = self.manifest.set(manifest.clone());
                    return Ok(manifest);
                }
                Err(error) => {
                    // A mirror need not have everything.
                    if place + 1 < self.repositories.len() && error.kind() != Kind::NotFound {
                        let message = format!("the mirror {} is passed over: {error:?}", repository.host());
                        self.reporter.report(Event::warning(message));
                    }
                    tried = Some(error);
                }
            }
        }
        Err(tried.unwrap_or_else(|| Error::new(Kind::NotFound, format!("cannot find `{}`", self.name))))
    }

    fn instance(&self, descriptor: &Descriptor) -> Result<RawManifest> {
        self.repository().manifest_by_digest(descriptor.digest)
    }

    fn blob(&self, blob: &Descriptor) -> Result<Content<'_>> {
        Ok(Content::Stored(Box::new(self.repository().blob(blob, 0))))
    }

    fn lanes(&self) -> usize {
        self.lanes
    }

    fn repositories(&self, _blob: &Descriptor) -> Vec<String> {
        vec![self.repository().name().repository()]
    }

    /// Those that belong to where the image was found: a mirror's are the mirror's own.
    fn signatures(&self, manifest: Digest) -> Result<Vec<Vec<u8>>> {
        lookaside::read(self.settings, self.repository().name(), manifest)
    }
}
