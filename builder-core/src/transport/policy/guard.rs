//! A source that shows only what the policy lets through.

use std::path::Path;

use super::{Policy, Requirement, SignedBy, refusal, signature};
use crate::error::{Context, Error, Kind, Result};
use crate::name::{Location, Reference};
use crate::oci::{Descriptor, Digest};
use crate::settings::RegistrySettings;
use crate::transport::source::{Content, RawManifest, Source};

/// The largest file of keys that is read, bytes.
const MAX_KEYS: u64 = 16 << 20;

/// Puts the policy before a source: that of `named`, else the first of the usual files that is there.
pub(crate) fn guarded<'a>(
    settings: &RegistrySettings,
    named: Option<&Path>,
    location: &Location,
    source: Box<dyn Source + 'a>,
) -> Result<Box<dyn Source + 'a>> {
    let Some(policy) = read(settings, named)? else { return Ok(source) };
    let mut conditions = Vec::new();
    for requirement in policy.requirements(location) {
        match requirement {
            Requirement::Accept {} => {}
            Requirement::Reject {} => return Err(refusal(location, "the signature policy rejects it")),
            Requirement::Sigstore(_) => return Err(unsupported(location, "sigstoreSigned")),
            Requirement::BaseLayer(_) => return Err(unsupported(location, "signedBaseLayer")),
            Requirement::SignedBy(signed) => conditions.push(signed.clone()),
        }
    }
    if conditions.is_empty() {
        return Ok(source);
    }
    let Location::Registry(name) = location else {
        return Err(refusal(
            location,
            "the signature policy asks for signatures, and there are none in such a place",
        ));
    };
    Ok(Box::new(Guarded { source, location: location.clone(), name: name.clone(), conditions }))
}

/// The refusal of a location of which something is asked that is not checked here.
fn unsupported(location: &Location, asked: &str) -> Error {
    Error::new(Kind::Unsupported, format!("cannot use `{location}`"))
        .because(format!("the signature policy asks for `{asked}`, which is not supported"))
        .hint(
            "ask for `signedBy` in policy.json, or name another policy: \
            --signature-policy FILE (as skopeo: --policy FILE)",
        )
}

fn read(settings: &RegistrySettings, named: Option<&Path>) -> Result<Option<Policy>> {
    if let Some(path) = named {
        let text = std::fs::read_to_string(path).cannot("read the signature policy", path.display())?;
        return Policy::parse(path, &text).map(Some);
    }
    for path in &settings.policy {
        if let Some(text) = crate::transport::registry::read_file(path)? {
            return Policy::parse(path, &text).map(Some);
        }
    }
    Ok(None)
}

/// A source whose images have to be signed.
struct Guarded<'a> {
    source: Box<dyn Source + 'a>,
    location: Location,
    name: Reference,
    conditions: Vec<SignedBy>,
}

impl Guarded<'_> {
    /// Fails unless the manifest meets all conditions. An index is let through: its images are checked one by one.
    fn check(&self, manifest: &RawManifest) -> Result<()> {
        if manifest.is_index() {
            return Ok(());
        }
        let digest = manifest.digest();
        let signatures = self.source.signatures(digest)?;
        if signatures.is_empty() {
            return Err(refusal(
                &self.location,
                "the signature policy asks for a signature, and it has none",
            ));
        }
        for condition in &self.conditions {
            self.check_one(condition, digest, &signatures)?;
        }
        Ok(())
    }

    /// Fails unless one signature at least meets the condition.
    fn check_one(&self, condition: &SignedBy, digest: Digest, signatures: &[Vec<u8>]) -> Result<()> {
        let keys = keys(condition)?;
        let mut refused = None;
        for signature in signatures {
            match self.accepts(condition, digest, signature, &keys) {
                Ok(()) => return Ok(()),
                Err(why) => refused = Some(why),
            }
        }
        Err(refusal(&self.location, refused.unwrap_or_default()))
    }

    fn accepts(
        &self,
        condition: &SignedBy,
        digest: Digest,
        bytes: &[u8],
        keys: &[Vec<u8>],
    ) -> Result<(), String> {
        let claim = signature::verify(bytes, keys)?;
        if claim.digest != digest.to_string() {
            return Err("its signature is for another manifest".to_owned());
        }
        if !condition.signed_identity.fits(&self.name, &claim.name) {
            return Err(format!("its signature is for the name `{}`", claim.name));
        }
        Ok(())
    }
}

/// The keys of a condition, each as its file has it.
fn keys(condition: &SignedBy) -> Result<Vec<Vec<u8>>> {
    use base64::Engine;
    use std::io::Read;
    if let Some(data) = &condition.key_data {
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(data)
            .map_err(|cause| Error::corrupt("cannot use the keys in the signature policy").because(cause))?;
        return Ok(vec![bytes]);
    }
    let paths = condition.key_path.iter().chain(&condition.key_paths);
    paths
        .map(|path| {
            let mut bytes = Vec::new();
            let file = std::fs::File::open(path).cannot("read the keys in", path.display())?;
            file.take(MAX_KEYS).read_to_end(&mut bytes).cannot("read the keys in", path.display())?;
            Ok(bytes)
        })
        .collect()
}

impl Source for Guarded<'_> {
    fn name(&self) -> String {
        self.source.name()
    }

    fn manifest(&self) -> Result<RawManifest> {
        let manifest = self.source.manifest()?;
        self.check(&manifest)?;
        Ok(manifest)
    }

    fn instance(&self, descriptor: &Descriptor) -> Result<RawManifest> {
        let manifest = self.source.instance(descriptor)?;
        self.check(&manifest)?;
        Ok(manifest)
    }

    fn blob(&self, blob: &Descriptor) -> Result<Content<'_>> {
        self.source.blob(blob)
    }

    fn lanes(&self) -> usize {
        self.source.lanes()
    }

    fn repositories(&self, blob: &Descriptor) -> Vec<String> {
        self.source.repositories(blob)
    }

    fn signatures(&self, manifest: Digest) -> Result<Vec<Vec<u8>>> {
        self.source.signatures(manifest)
    }
}
