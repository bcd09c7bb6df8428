//! The tag table: `images/index.json`, an OCI index whose entries name manifests. Edited under a lock, replaced whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::error::{Context, Error, Kind, Result};
use crate::name::Reference;
use crate::oci::{Descriptor, Digest, ImageConfig, Index, MAX_MANIFEST, Manifest};
use crate::store::{Store, Work, durable};
use crate::sys::lock::{self, Mode};

/// The annotation of the OCI specification that holds an image's name.
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Our annotation with the image id, so that a lookup need not open every manifest.
const IMAGE_ID: &str = "kiln.image.id";

/// What the tag table says of one image.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ImageEntry {
    /// The image id: its config's digest.
    pub id: Digest,
    /// Its manifest.
    pub manifest: Descriptor,
    /// Its full names, in order; none for an image whose name went to another.
    pub names: Vec<String>,
}

/// An image, read and checked.
#[derive(Debug, Clone)]
pub(crate) struct StoredImage {
    /// What the tag table says.
    pub entry: ImageEntry,
    /// The manifest.
    pub manifest: Manifest,
    /// The manifest, byte for byte.
    pub manifest_bytes: Vec<u8>,
    /// The config.
    pub config: ImageConfig,
    /// The config, byte for byte.
    pub config_bytes: Vec<u8>,
}

impl Store {
    /// All images, in the order they came; one entry per image however many names it has.
    pub fn image_entries(&self) -> Result<Vec<ImageEntry>> {
        Ok(entries(&self.read_index()?))
    }

    /// The image that `text` names: by name, by id, by the beginning of an id, by digest.
    pub fn find_image(&self, text: &str) -> Result<ImageEntry> {
        let entries = self.image_entries()?;
        let sentence = || format!("cannot find the image `{text}`");
        if let Some(name) = resolve_name(&entries, text) {
            return Ok(name);
        }
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        if digits.len() >= 3 && digits.bytes().all(|c| c.is_ascii_hexdigit()) {
            let mut found = entries
                .iter()
                .filter(|entry| entry.id.hex().starts_with(digits) || entry.manifest.digest.hex() == digits);
            if let Some(first) = found.next() {
                return match found.next() {
                    None => Ok(first.clone()),
                    Some(_) => Err(Error::invalid(sentence())
                        .because("more than one image id begins so")
                        .hint("give more digits; `kiln images --no-trunc` shows them")),
                };
            }
        }
        let missing = Error::new(Kind::NotFound, sentence())
            .because("no image in the store has this name or id")
            .hint("see what there is with `kiln images`");
        self.find_elsewhere(text, missing)
    }

    /// The image that `text` names, read and leased: it stays as long as `work` lives.
    ///
    /// One that is removed at this moment is looked for again: its name may be another's by now.
    pub fn hold_image(&self, work: &Work, text: &str) -> Result<StoredImage> {
        const TRIES: usize = 8;
        let mut tried = 1;
        loop {
            let entry = self.find_image(text)?;
            self.lease(work, [entry.manifest.digest.hex().as_str()])?;
            match self.load_image(entry) {
                Err(error) if error.kind() == Kind::NotFound && tried < TRIES => tried += 1,
                loaded => {
                    return loaded.map_err(|error| error.hint("see what is damaged with `kiln check`"));
                }
            }
        }
    }

    /// Reads an image's manifest and config, digests checked.
    ///
    /// Of a list, those of its image for this machine.
    pub fn load_image(&self, entry: ImageEntry) -> Result<StoredImage> {
        if entry.is_list() {
            return self.image_of_list(entry);
        }
        let manifest_bytes = self.read_blob(entry.manifest.digest, MAX_MANIFEST)?;
        let (manifest, config) = self.read_image(entry.manifest.digest)?;
        let config_bytes = self.read_blob(manifest.config.digest, MAX_MANIFEST)?;
        Ok(StoredImage { entry, manifest, manifest_bytes, config, config_bytes })
    }

    /// Manifest and config by the manifest's digest, both digests checked.
    pub fn read_image(&self, manifest: Digest) -> Result<(Manifest, ImageConfig)> {
        let manifest = Manifest::parse(&self.read_blob(manifest, MAX_MANIFEST)?)?;
        let bytes = self.read_blob(manifest.config.digest, MAX_MANIFEST)?;
        let config = serde_json::from_slice(&bytes).map_err(|cause| {
            Error::corrupt(format!("cannot read the image config `{}`", manifest.config.digest))
                .because(cause)
        })?;
        Ok((manifest, config))
    }

    /// Publishes an image: config and manifest first, then its names. A name that another image had moves.
    pub fn publish_image(
        &self,
        work: &Work,
        config: &[u8],
        manifest: &[u8],
        media_type: &str,
        names: &[String],
    ) -> Result<Digest> {
        let id = self.put_blob(work, config)?;
        self.put_blob(work, manifest)?;
        let descriptor = Descriptor::of(media_type, manifest);
        self.edit_index(|index| {
            let mut listed = entries(index);
            for entry in &mut listed {
                entry.names.retain(|name| !names.contains(name));
            }
            // The same config under another manifest (other blobs of the same layers): the newest manifest stands.
            match listed.iter_mut().find(|entry| entry.id == id) {
                Some(entry) => {
                    entry.manifest = descriptor;
                    entry.names.extend(names.iter().cloned());
                }
                None => listed.push(ImageEntry { id, manifest: descriptor, names: names.to_vec() }),
            }
            write_entries(index, &listed);
            Ok(())
        })?;
        Ok(id)
    }

    /// Gives an image more names, all at once, taking them from whichever images had them.
    pub fn add_names(&self, id: Digest, names: &[Reference]) -> Result<()> {
        let names: BTreeSet<String> = names.iter().map(ToString::to_string).collect();
        self.edit_index(|index| {
            let mut listed = entries(index);
            for entry in &mut listed {
                entry.names.retain(|known| !names.contains(known));
            }
            let Some(entry) = listed.iter_mut().find(|entry| entry.id == id) else {
                return Err(Error::new(Kind::NotFound, format!("cannot tag the image `{}`", id.short()))
                    .because("it was removed meanwhile"));
            };
            entry.names.extend(names);
            write_entries(index, &listed);
            Ok(())
        })
    }

    /// Takes `name` away from its image; the image stays, perhaps without a name.
    pub fn remove_name(&self, name: &str) -> Result<()> {
        self.edit_index(|index| {
            let mut listed = entries(index);
            for entry in &mut listed {
                entry.names.retain(|known| known != name);
            }
            write_entries(index, &listed);
            Ok(())
        })
    }

    /// Takes the image out of the table, if `still` holds of what the table then says. Its content goes with `gc`.
    pub fn remove_image(&self, id: Digest, still: impl Fn(&ImageEntry) -> bool) -> Result<bool> {
        let mut removed = false;
        self.edit_index(|index| {
            let mut listed = entries(index);
            listed.retain(|entry| {
                let goes = entry.id == id && still(entry);
                removed |= goes;
                !goes
            });
            write_entries(index, &listed);
            Ok(())
        })?;
        Ok(removed)
    }

    pub(super) fn read_index(&self) -> Result<Index> {
        let path = self.root.join("images/index.json");
        let bytes = fs::read(&path).cannot("read", path.display())?;
        Index::parse(&bytes).map_err(|error| error.hint("mend the store with `kiln check --repair`"))
    }

    pub(super) fn edit_index(&self, edit: impl FnOnce(&mut Index) -> Result<()>) -> Result<()> {
        let lock = self.root.join("locks/images");
        let _alone = lock::wait(&lock, Mode::Exclusive).cannot("lock", lock.display())?;
        let mut index = self.read_index()?;
        let before = index.clone();
        edit(&mut index)?;
        if index == before {
            return Ok(());
        }
        let bytes = serde_json::to_vec(&index).expect("an index has only string keys");
        durable::write(&self.root.join("images/index.json"), &bytes)
    }
}

/// One entry per image from an index with one descriptor per name.
pub(super) fn entries(index: &Index) -> Vec<ImageEntry> {
    let mut listed: Vec<ImageEntry> = Vec::new();
    let mut places: BTreeMap<Digest, usize> = BTreeMap::new();
    for descriptor in &index.manifests {
        let Some(id) = descriptor.annotations.get(IMAGE_ID).and_then(|id| id.parse().ok()) else { continue };
        let place = *places.entry(id).or_insert_with(|| {
            let mut manifest = descriptor.clone();
            manifest.annotations.remove(IMAGE_ID);
            manifest.annotations.remove(REF_NAME);
            listed.push(ImageEntry { id, manifest, names: Vec::new() });
            listed.len() - 1
        });
        if let Some(name) = descriptor.annotations.get(REF_NAME) {
            listed[place].names.push(name.clone());
        }
    }
    listed
}

/// One descriptor per name from one entry per image.
pub(super) fn write_entries(index: &mut Index, listed: &[ImageEntry]) {
    index.manifests.clear();
    for entry in listed {
        let mut descriptor = entry.manifest.clone();
        descriptor.annotations.insert(IMAGE_ID.into(), entry.id.to_string());
        if entry.names.is_empty() {
            index.manifests.push(descriptor.clone());
        }
        for name in &entry.names {
            let mut named = descriptor.clone();
            named.annotations.insert(REF_NAME.into(), name.clone());
            index.manifests.push(named);
        }
    }
}

/// A name as written and completed; then, for one without host, the same path on any host.
fn resolve_name(entries: &[ImageEntry], text: &str) -> Option<ImageEntry> {
    let wanted: Reference = text.parse().ok()?;
    let exact = wanted.to_string();
    if let Some(entry) = entries.iter().find(|entry| entry.names.contains(&exact)) {
        return Some(entry.clone());
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
    let fits_digest =
        |entry: &ImageEntry| wanted.digest().is_none_or(|digest| entry.manifest.digest == digest);
    if Reference::names_host(text) && wanted.digest().is_none() {
        return None;
    }
    entries.iter().find(|entry| fits_digest(entry) && entry.names.iter().any(|name| fits(name))).cloned()
}
