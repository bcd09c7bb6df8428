//! What refers to a manifest: signatures, attestations, other artifacts (distribution specification 1.1, "Listing
//! Referrers"). Where a registry keeps no such list, a tag made of the digest stands in for it, and whoever pushes
//! keeps that up.

use super::{Repository, answer};
use crate::error::{Error, Result};
use crate::oci::{Descriptor, Digest, Index, MAX_MANIFEST, Manifest, media_type};
use crate::transport::http::{Failure, Method, Response};
use crate::transport::source::RawManifest;

/// How many pages a list may come in.
const MAX_PAGES: usize = 1000;

impl Repository<'_> {
    /// What refers to the manifest `subject`.
    pub fn referrers(&self, subject: Digest) -> Result<Index> {
        let mut all: Option<Index> = None;
        let mut path = self.path(&format!("referrers/{subject}"));
        for _ in 0..MAX_PAGES {
            let Some((page, next)) = self.page(&path, subject)? else { break };
            match &mut all {
                None => all = Some(page),
                Some(all) => all.manifests.extend(page.manifests),
            }
            match next {
                Some(next) if next != path => path = next,
                _ => break,
            }
        }
        match all {
            Some(all) => Ok(all),
            None => Ok(self.stand_in(subject)?.unwrap_or_default()),
        }
    }

    /// One page of the list, and where the next one is; none where the registry keeps no list.
    fn page(&self, path: &str, subject: Digest) -> Result<Option<(Index, Option<String>)>> {
        let sentence = || format!("cannot list what refers to `{subject}`");
        let accept = [("accept", media_type::INDEX.to_owned())];
        self.again(&format!("listing what refers to {subject}"), || {
            let response = self.call(Method::Get, path, &accept, &[])?;
            match response.status {
                200 => {}
                // Those that do not know the list say so in several ways.
                400 | 404 | 405 => return Ok(None),
                _ => return Err(answer::failure(response, sentence(), self.host())),
            }
            let next = response.header("link").and_then(super::repository::next_page);
            let next = next.map(|link| response.url.join(link)).transpose();
            let next = next.map_err(|cause| Failure::Lasting(Error::corrupt(sentence()).because(cause)))?;
            let next = next.filter(|next| next.same_origin(&response.url));
            let next = next.map(|next| next.path_and_query().to_owned());
            let index = Index::parse(&response.bytes(MAX_MANIFEST)?);
            let index = index.map_err(|cause| Failure::Lasting(Error::corrupt(sentence()).because(cause)))?;
            Ok(Some((index, next)))
        })
    }

    /// The index under the tag that stands in for the list.
    fn stand_in(&self, subject: Digest) -> Result<Option<Index>> {
        let path = self.path(&format!("manifests/{}", tag_of(subject)));
        Ok(self.page(&path, subject)?.map(|(index, _)| index))
    }

    /// Has what was pushed found as one that refers to its subject, where the registry has not said that it does so by
    /// itself.
    pub(super) fn list_under_subject(&self, manifest: &RawManifest, listed: bool) -> Result<()> {
        let Some(subject) = subject(manifest).filter(|_| !listed) else { return Ok(()) };
        let mut index = self.stand_in(subject)?.unwrap_or_default();
        let entry = entry(manifest);
        if index.manifests.iter().any(|known| known.digest == entry.digest) {
            return Ok(());
        }
        index.manifests.push(entry);
        let bytes = serde_json::to_vec(&index).expect("an index has only string keys");
        let index = RawManifest { media_type: media_type::INDEX.into(), bytes };
        self.put_manifest(&index, &tag_of(subject))
    }
}

/// Whether an answer to a pushed manifest says that the registry lists it under its subject.
pub(super) fn is_listed(response: &Response) -> bool {
    response.header("oci-subject").is_some()
}

fn tag_of(subject: Digest) -> String {
    format!("sha256-{}", subject.hex())
}

/// The digest of what a manifest or an index is about.
fn subject(manifest: &RawManifest) -> Option<Digest> {
    let fields: serde_json::Value = serde_json::from_slice(&manifest.bytes).ok()?;
    fields["subject"]["digest"].as_str()?.parse().ok()
}

/// What the list says of a manifest: its kind and its annotations beside its digest.
fn entry(manifest: &RawManifest) -> Descriptor {
    let mut entry = manifest.descriptor();
    let fields: serde_json::Value = serde_json::from_slice(&manifest.bytes).unwrap_or_default();
    let own = fields["artifactType"].as_str().map(str::to_owned);
    let of_config = || Manifest::parse(&manifest.bytes).ok().map(|manifest| manifest.config.media_type);
    if let Some(kind) = own.or_else(of_config) {
        entry.other.insert("artifactType".into(), kind.into());
    }
    if let Ok(annotations) = serde_json::from_value(fields["annotations"].clone()) {
        entry.annotations = annotations;
    }
    entry
}
