//! A registry as a place images go to.

use std::sync::Mutex;

use super::gateway::Action;
use super::upload::is_cut;
use super::{Gateway, Repository, lookaside};
use crate::error::{Error, Result};
use crate::name::Reference;
use crate::oci::{Descriptor, Digest, Format};
use crate::settings::RegistrySettings;
use crate::transport::sink::{Outgoing, Part, Role, Signatures, Sink, Wants};
use crate::transport::source::RawManifest;

/// How many blobs are sent at a time, unless a command says otherwise.
const LANES: usize = 4;

/// One image in a registry, as it is written.
pub(crate) struct RegistrySink<'a> {
    repository: Repository<'a>,
    /// How many blobs are sent at a time.
    lanes: usize,
    /// Blobs known to be there, by their digests: a layer may be in an image several times.
    there: Mutex<Vec<Digest>>,
    settings: &'a RegistrySettings,
}

impl<'a> RegistrySink<'a> {
    /// The image `name`, to be written. Nothing is asked for yet.
    pub fn open(gateway: &Gateway<'a>, name: &Reference) -> Result<Self> {
        let repository = gateway.to_change(name, Action::Push)?;
        let lanes = gateway.parallel().unwrap_or(LANES).max(1);
        Ok(RegistrySink { repository, lanes, there: Mutex::default(), settings: gateway.settings() })
    }

    /// Fails if the image was to be stored under a digest that it has not.
    fn check_name(&self, manifest: &RawManifest, role: Role) -> Result<()> {
        let (name, found) = (self.repository.name(), manifest.digest());
        match name.digest().filter(|digest| role == Role::Named && *digest != found) {
            None => Ok(()),
            Some(_) => Err(Error::invalid(format!("cannot write the manifest of `{name}`"))
                .because(format!("its digest is {found}, and not the one in the name"))
                .hint("name a tag, or copy with --preserve-digests what has this digest")),
        }
    }
}

impl Sink for RegistrySink<'_> {
    fn name(&self) -> String {
        format!("docker://{}", self.repository.name())
    }

    fn formats(&self) -> &'static [Format] {
        &[Format::Oci, Format::Docker]
    }

    fn wants(&self) -> Wants {
        Wants::Compressed
    }

    fn takes_index(&self) -> bool {
        true
    }

    fn lanes(&self) -> usize {
        self.lanes
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn has_blob(&self, blob: &Descriptor, _part: Part<'_>) -> Result<bool> {
        let lock = || self.there.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if lock().contains(&blob.digest) {
            return Ok(true);
        }
        let found = self.repository.has_blob(blob)?;
        if found {
            lock().push(blob.digest);
        }
        Ok(found)
    }

    fn send_again(&self, error: &Error, tried: u32) -> bool {
        let again = is_cut(error) && tried < self.repository.retry.times;
        if again {
            std::thread::sleep(self.repository.retry.wait(tried + 1, None));
        }
        again
    }

    fn mount_blob(&self, blob: &Descriptor, repository: &str) -> Result<bool> {
        let own = self.repository.name();
        match repository.split_once('/') {
            Some((host, path)) if host == own.host() && path != own.path() => {
                self.repository.mount(blob, path)
            }
            _ => Ok(false),
        }
    }

    fn put_blob(&self, blob: &mut Outgoing<'_>, _part: Part<'_>) -> Result<()> {
        self.repository.put_blob(blob)
    }

    fn signatures(&self) -> Signatures {
        Signatures::Kept
    }

    fn put_signatures(&self, manifest: Digest, signatures: &[Vec<u8>]) -> Result<()> {
        lookaside::write(self.settings, self.repository.name(), manifest, signatures)
    }

    fn has_manifest(&self, manifest: &RawManifest, role: Role) -> Result<bool> {
        self.check_name(manifest, role)?;
        let wanted = match (role, self.repository.name().digest()) {
            (Role::Named, None) => None,
            _ => Some(manifest.digest()),
        };
        Ok(self.repository.digest_of(wanted)? == Some(manifest.digest()))
    }

    fn put_manifest(&self, manifest: &RawManifest, role: Role) -> Result<()> {
        self.check_name(manifest, role)?;
        let name = self.repository.name();
        match (role, name.digest(), name.tag()) {
            (Role::Named, None, Some(tag)) => self.repository.put_manifest(manifest, tag),
            _ => self.repository.put_manifest(manifest, &manifest.digest().to_string()),
        }
    }
}
