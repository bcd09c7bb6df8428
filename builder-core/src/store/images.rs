//! The images of the store: found, read, named, taken out of the tag table. The table's form is `tag_table`'s.

use std::collections::BTreeSet;
use std::fs;

use crate::error::{Context, Error, Kind, Result};
use crate::name::Reference;
use crate::oci::{Descriptor, Digest, ImageConfig, Index, MAX_MANIFEST, Manifest};
use crate::store::tag_table::{entries, resolve_name, take_names, write_entries};
use crate::store::{Store, Work, durable};
use crate::sys::lock::{self, Mode};

pub(crate) use crate::store::tag_table::{ImageEntry, REF_NAME};

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
            let by_digest = |entry: &ImageEntry| {
                let meant = entry.manifests().find(|manifest| manifest.digest.hex() == digits)?.digest;
                entry.meant_by(meant)
            };
            let by_id = |entry: &ImageEntry| entry.id.hex().starts_with(digits).then(|| entry.clone());
            let mut found = entries.iter().filter_map(|entry| by_id(entry).or_else(|| by_digest(entry)));
            if let Some(first) = found.next() {
                return match found.next() {
                    None => Ok(first),
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
            take_names(&mut listed, names);
            match listed.iter_mut().find(|entry| entry.id == id) {
                Some(entry) => entry.renew(descriptor, names),
                None => listed.push(ImageEntry::new(id, descriptor, names.to_vec())),
            }
            write_entries(index, &listed);
            Ok(())
        })?;
        Ok(id)
    }

    /// Gives an image more names, all at once, taking them from whichever images had them. They come with the manifest
    /// that is meant.
    pub fn add_names(&self, image: &ImageEntry, names: &[Reference]) -> Result<()> {
        let names: BTreeSet<String> = names.iter().map(ToString::to_string).collect();
        let names = Vec::from_iter(names);
        self.edit_index(|index| {
            let mut listed = entries(index);
            take_names(&mut listed, &names);
            let Some(entry) = listed.iter_mut().find(|entry| entry.id == image.id) else {
                return Err(Error::new(
                    Kind::NotFound,
                    format!("cannot tag the image `{}`", image.id.short()),
                )
                .because("it was removed meanwhile"));
            };
            entry.add_names(image.manifest.digest, &names);
            write_entries(index, &listed);
            Ok(())
        })
    }

    /// Takes `name` away from its image; the image stays, perhaps without a name.
    pub fn remove_name(&self, name: &str) -> Result<()> {
        self.edit_index(|index| {
            let mut listed = entries(index);
            take_names(&mut listed, &[name.to_owned()]);
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

    /// Takes one of an image's manifests out of the table, the image with its last, if it is there and `wanted` says so
    /// of it: nothing of the table goes meanwhile. Names that came with it stay, if there is another.
    pub(super) fn forget_manifest(
        &self,
        id: Digest,
        manifest: Digest,
        wanted: impl FnOnce(ImageEntry) -> bool,
    ) -> Result<()> {
        self.edit_index(|index| {
            let mut listed = entries(index);
            let meant = listed.iter().find(|entry| entry.id == id).and_then(|entry| entry.meant_by(manifest));
            if !meant.is_some_and(wanted) {
                return Ok(());
            }
            listed.retain(|entry| entry.id != id || entry.manifests().any(|known| known.digest != manifest));
            for entry in listed.iter_mut().filter(|entry| entry.id == id) {
                entry.forget(manifest);
            }
            write_entries(index, &listed);
            Ok(())
        })
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
