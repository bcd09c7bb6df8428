//! The form of the tag table `images/index.json`: an OCI index with a descriptor for each name, and what it says of an
//! image. Pure data; the file is read and written by `images`.
//!
//! One config may come under several manifests: the same image in Docker's form and in OCI's, or with its layers
//! compressed otherwise. They are one image, for it is called by its config; each name keeps the manifest it came with,
//! and a manifest stays, to be found by its digest, as long as the image.

use std::collections::BTreeMap;

use crate::name::Reference;
use crate::oci::{Descriptor, Digest, Index};

/// The annotation of the OCI specification that holds an image's name.
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Our annotation with the image id, so that a lookup need not open every manifest.
const IMAGE_ID: &str = "kiln.image.id";

/// What the tag table says of one image.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ImageEntry {
    /// The image id: its config's digest.
    pub id: Digest,
    /// Its manifest: of an image that was found by a name or a digest the one meant, else the newest.
    pub manifest: Descriptor,
    /// Its full names, in order; none for an image whose name went to another.
    pub names: Vec<String>,
    /// Its other manifests.
    pub others: Vec<OtherManifest>,
}

/// Another manifest with an image's config.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OtherManifest {
    /// The manifest.
    pub manifest: Descriptor,
    /// Those of the image's names that came with it.
    pub names: Vec<String>,
}

impl ImageEntry {
    /// An image with one manifest.
    pub fn new(id: Digest, manifest: Descriptor, names: Vec<String>) -> Self {
        ImageEntry { id, manifest, names, others: Vec::new() }
    }

    /// All its manifests, the one that is meant first.
    pub fn manifests(&self) -> impl Iterator<Item = &Descriptor> {
        std::iter::once(&self.manifest).chain(self.others.iter().map(|other| &other.manifest))
    }

    /// The manifest that a name of the image came with.
    pub fn manifest_of(&self, name: &str) -> &Descriptor {
        let pinned = self.others.iter().find(|other| other.names.iter().any(|known| known == name));
        pinned.map_or(&self.manifest, |other| &other.manifest)
    }

    /// The image, meant by the manifest of this digest; none if it has no such manifest.
    pub fn meant_by(&self, digest: Digest) -> Option<Self> {
        let manifest = self.manifests().find(|manifest| manifest.digest == digest)?.clone();
        let mut meant = self.clone();
        meant.renew(manifest, &[]);
        Some(meant)
    }

    /// Makes `manifest` the one that is meant, and `names` come with it.
    pub(super) fn renew(&mut self, manifest: Descriptor, names: &[String]) {
        if self.manifest.digest != manifest.digest {
            let pinned = |name: &String| self.others.iter().any(|other| other.names.contains(name));
            let left = self.names.iter().filter(|name| !pinned(name)).cloned().collect();
            let before = std::mem::replace(&mut self.manifest, manifest);
            self.others.retain(|other| other.manifest.digest != self.manifest.digest);
            self.others.push(OtherManifest { manifest: before, names: left });
        }
        self.take_names(names);
        self.names.extend(names.iter().cloned());
    }

    /// Gives the image names that come with its manifest of this digest; with the newest, if it has no such one.
    pub(super) fn add_names(&mut self, digest: Digest, names: &[String]) {
        self.take_names(names);
        self.names.extend(names.iter().cloned());
        if let Some(other) = self.others.iter_mut().find(|other| other.manifest.digest == digest) {
            other.names.extend(names.iter().cloned());
        }
    }

    /// Forgets a manifest that is not its only one; names that came with it then come with the one that is meant.
    pub(super) fn forget(&mut self, digest: Digest) {
        if self.manifest.digest == digest
            && let Some(other) = self.others.first()
        {
            self.renew(other.manifest.clone(), &[]);
        }
        self.others.retain(|other| other.manifest.digest != digest);
    }

    fn take_names(&mut self, names: &[String]) {
        self.names.retain(|name| !names.contains(name));
        for other in &mut self.others {
            other.names.retain(|name| !names.contains(name));
        }
    }
}

/// Takes `names` away from whichever images have them.
pub(super) fn take_names(listed: &mut [ImageEntry], names: &[String]) {
    for entry in listed {
        entry.take_names(names);
    }
}

/// One entry per image from an index with one descriptor per name. Of an image's manifests, the first is the newest.
pub(super) fn entries(index: &Index) -> Vec<ImageEntry> {
    let mut listed: Vec<ImageEntry> = Vec::new();
    let mut places: BTreeMap<Digest, usize> = BTreeMap::new();
    for descriptor in &index.manifests {
        let Some(id) = descriptor.annotations.get(IMAGE_ID).and_then(|id| id.parse().ok()) else { continue };
        let mut manifest = descriptor.clone();
        manifest.annotations.remove(IMAGE_ID);
        let name = manifest.annotations.remove(REF_NAME);
        let place = *places.entry(id).or_insert_with(|| {
            listed.push(ImageEntry::new(id, manifest.clone(), Vec::new()));
            listed.len() - 1
        });
        let entry = &mut listed[place];
        entry.names.extend(name.clone());
        if entry.manifest.digest == manifest.digest {
            continue;
        }
        match entry.others.iter_mut().find(|other| other.manifest.digest == manifest.digest) {
            Some(other) => other.names.extend(name),
            None => entry.others.push(OtherManifest { manifest, names: name.into_iter().collect() }),
        }
    }
    listed
}

/// One descriptor per name, and one for each manifest without a name, from one entry per image.
pub(super) fn write_entries(index: &mut Index, listed: &[ImageEntry]) {
    index.manifests.clear();
    for entry in listed {
        let mut describe = |manifest: &Descriptor, names: &[&String]| {
            let mut descriptor = manifest.clone();
            descriptor.annotations.insert(IMAGE_ID.into(), entry.id.to_string());
            if names.is_empty() {
                index.manifests.push(descriptor.clone());
            }
            for name in names {
                let mut named = descriptor.clone();
                named.annotations.insert(REF_NAME.into(), (*name).clone());
                index.manifests.push(named);
            }
        };
        let pinned = |name: &String| entry.others.iter().any(|other| other.names.contains(name));
        let newest: Vec<&String> = entry.names.iter().filter(|name| !pinned(name)).collect();
        describe(&entry.manifest, &newest);
        for other in &entry.others {
            describe(&other.manifest, &other.names.iter().collect::<Vec<_>>());
        }
    }
}

/// A name as written and completed; then, for one without host, the same path on any host. The entry found is meant by
/// the name's manifest.
pub(super) fn resolve_name(entries: &[ImageEntry], text: &str) -> Option<ImageEntry> {
    let wanted: Reference = text.parse().ok()?;
    let exact = wanted.to_string();
    let meant = |entry: &ImageEntry, name: &str| entry.meant_by(entry.manifest_of(name).digest);
    if let Some(entry) = entries.iter().find(|entry| entry.names.contains(&exact)) {
        return meant(entry, &exact);
    }
    let fits = |name: &str| {
        let Ok(known) = name.parse::<Reference>() else { return false };
        let tail = format!("/{}", wanted.path());
        let same_path = if Reference::names_host(text) {
            known.repository() == wanted.repository()
        } else {
            known.repository().ends_with(&tail)
        };
        same_path && (wanted.tag().is_none() || known.tag() == wanted.tag())
    };
    if Reference::names_host(text) && wanted.digest().is_none() {
        return None;
    }
    entries.iter().find_map(|entry| {
        let name = entry.names.iter().find(|name| fits(name))?;
        match wanted.digest() {
            Some(digest) => entry.meant_by(digest),
            None => meant(entry, name),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(text: &str) -> Descriptor {
        Descriptor::of("application/vnd.oci.image.manifest.v1+json", text.as_bytes())
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| format!("localhost/{name}")).collect()
    }

    /// As it is after it was written and read.
    fn again(listed: &[ImageEntry]) -> Vec<ImageEntry> {
        let mut index = Index::default();
        write_entries(&mut index, listed);
        entries(&index)
    }

    /// One image that came first as `oci`, called `a:1`, then as `docker`, called `b:1`.
    fn twice() -> ImageEntry {
        let mut entry = ImageEntry::new(Digest::of(b"config"), manifest("oci"), names(&["a:1"]));
        entry.renew(manifest("docker"), &names(&["b:1"]));
        entry
    }

    #[test]
    fn a_name_keeps_the_manifest_it_came_with() {
        let [entry] = again(&[twice()]).try_into().unwrap();
        assert_eq!(entry.manifest_of("localhost/a:1"), &manifest("oci"));
        assert_eq!(entry.manifest_of("localhost/b:1"), &manifest("docker"));
        let found = |text: &str| resolve_name(std::slice::from_ref(&entry), text).map(|found| found.manifest);
        assert_eq!(found("localhost/a:1"), Some(manifest("oci")));
        assert_eq!(found("b:1"), Some(manifest("docker")));
        let by_digest = format!("localhost/b@{}", manifest("oci").digest);
        assert_eq!(found(&by_digest), Some(manifest("oci")));
        let unknown = format!("localhost/b@{}", manifest("other").digest);
        assert_eq!(found(&unknown), None);
    }

    #[test]
    fn a_manifest_whose_names_went_stays_and_the_newest_stays_the_newest() {
        let mut listed = [twice()];
        take_names(&mut listed, &names(&["b:1"]));
        let [mut entry] = again(&listed).try_into().unwrap();
        assert_eq!((entry.names.clone(), &entry.manifest), (names(&["a:1"]), &manifest("docker")));
        entry.renew(manifest("oci"), &names(&["b:1"]));
        let [entry] = again(&[entry]).try_into().unwrap();
        assert_eq!(entry.manifest, manifest("oci"));
        assert_eq!(entry.others, [OtherManifest { manifest: manifest("docker"), names: Vec::new() }]);
        assert_eq!(entry.manifest_of("localhost/a:1"), &manifest("oci"));
    }

    #[test]
    fn names_outlive_a_manifest_that_is_forgotten() {
        for form in ["oci", "docker"] {
            let mut entry = twice();
            entry.forget(manifest(form).digest);
            let [entry] = again(&[entry]).try_into().unwrap();
            assert_eq!(entry.names.len(), 2);
            assert!(entry.others.is_empty() && entry.manifest != manifest(form));
        }
    }

    #[test]
    fn a_further_name_is_given_with_the_manifest_that_is_meant() {
        let mut entry = twice();
        entry.add_names(manifest("oci").digest, &names(&["c:1"]));
        assert_eq!(entry.manifest_of("localhost/c:1"), &manifest("oci"));
        entry.renew(manifest("docker"), &names(&["c:1"]));
        assert_eq!(entry.manifest_of("localhost/c:1"), &manifest("docker"));
        assert_eq!(again(std::slice::from_ref(&entry))[0].names.len(), 3);
    }
}
