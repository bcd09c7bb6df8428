//! Lists of images: an index that has a name of its own in the tag table, and an id that stays while it is edited.
//!
//! What an index names is in the store, or is known to be in a registry: then the tag table says where.

use std::collections::BTreeMap;

use crate::error::{Error, Kind, Result};
use crate::oci::{Descriptor, Digest, Index, MAX_MANIFEST, Wanted, choose, is_index, media_type};
use crate::store::images::{ImageEntry, StoredImage};
use crate::store::tag_table::{entries, take_names, write_entries};
use crate::store::{Store, Work};
use crate::sys::random;

/// Our annotation with the places of what is not in the store: an object of digests and locations.
const ELSEWHERE: &str = "kiln.elsewhere";

/// A list, read and checked.
#[derive(Debug, Clone)]
pub(crate) struct StoredList {
    /// What the tag table says.
    pub entry: ImageEntry,
    /// The index.
    pub index: Index,
    /// Where the manifests are that are not in the store: `docker://HOST/PATH`.
    pub elsewhere: BTreeMap<Digest, String>,
}

impl ImageEntry {
    /// Whether it is a list and no image.
    pub fn is_list(&self) -> bool {
        is_index(&self.manifest.media_type)
    }
}

impl Store {
    /// Publishes a new list, and gives its id.
    pub fn make_list(&self, work: &Work, index: &Index, names: &[String]) -> Result<Digest> {
        // The id stays while the index changes: it is no digest of it.
        let id = Digest::of(random::hex(32).as_bytes());
        self.put_list(work, id, index, names)?;
        Ok(id)
    }

    /// Publishes a list with an id that is known, over the one that has it.
    pub fn put_list(&self, work: &Work, id: Digest, index: &Index, names: &[String]) -> Result<()> {
        let bytes = serde_json::to_vec(index).expect("an index has only string keys");
        self.put_blob(work, &bytes)?;
        let manifest = Descriptor::of(media_type::INDEX, &bytes);
        self.edit_index(|table| {
            let mut listed = entries(table);
            listed.retain(|entry| entry.id != id);
            take_names(&mut listed, names);
            listed.push(ImageEntry::new(id, manifest, names.to_vec()));
            write_entries(table, &listed);
            Ok(())
        })
    }

    /// The list that `text` names.
    pub fn find_list(&self, text: &str) -> Result<StoredList> {
        let entry = self.find_image(text)?;
        if !entry.is_list() {
            return Err(Error::new(Kind::NotFound, format!("cannot find the manifest list `{text}`"))
                .because("it is an image, and no list of images")
                .hint("make a list with `kiln manifest create NAME`"));
        }
        self.read_list(entry)
    }

    /// Reads a list, its digest checked.
    pub fn read_list(&self, entry: ImageEntry) -> Result<StoredList> {
        let index = Index::parse(&self.read_blob(entry.manifest.digest, MAX_MANIFEST)?)?;
        let elsewhere = entry.manifest.annotations.get(ELSEWHERE);
        let elsewhere = elsewhere.map(|text| serde_json::from_str(text)).transpose().map_err(|cause| {
            Error::corrupt(format!("cannot read the manifest list `{}`", entry.id.short())).because(cause)
        })?;
        Ok(StoredList { entry, index, elsewhere: elsewhere.unwrap_or_default() })
    }

    /// Changes a list. Its id stays; nobody else changes it meanwhile.
    pub fn edit_list(
        &self,
        work: &Work,
        id: Digest,
        edit: impl FnOnce(&mut StoredList) -> Result<()>,
    ) -> Result<()> {
        self.edit_index(|table| {
            let mut listed = entries(table);
            let entry = listed.iter_mut().find(|entry| entry.id == id).ok_or_else(|| {
                Error::new(Kind::NotFound, format!("cannot change the manifest list `{}`", id.short()))
                    .because("it was removed meanwhile")
            })?;
            let mut list = self.read_list(entry.clone())?;
            edit(&mut list)?;
            let bytes = serde_json::to_vec(&list.index).expect("an index has only string keys");
            self.put_blob(work, &bytes)?;
            let kind =
                if list.index.media_type.is_empty() { media_type::INDEX } else { &list.index.media_type };
            entry.manifest = Descriptor::of(kind, &bytes);
            list.elsewhere.retain(|digest, _| list.index.manifests.iter().any(|m| m.digest == *digest));
            if !list.elsewhere.is_empty() {
                let text = serde_json::to_string(&list.elsewhere).expect("plain data");
                entry.manifest.annotations.insert(ELSEWHERE.into(), text);
            }
            write_entries(table, &listed);
            Ok(())
        })
    }

    /// The image of a list that is for this machine, where it is in the store.
    pub(super) fn image_of_list(&self, entry: ImageEntry) -> Result<StoredImage> {
        let list = self.read_list(entry)?;
        let name = list.entry.names.first().cloned().unwrap_or_else(|| list.entry.id.short());
        let sentence = format!("cannot choose an image in the manifest list `{name}`");
        let chosen = choose(&list.index, &Wanted::default())
            .map_err(|error| Error::new(error.kind(), sentence.clone()).because(error))?;
        if !self.has_blob(chosen.digest) {
            let place = list.elsewhere.get(&chosen.digest).cloned().unwrap_or_else(|| name.clone());
            return Err(Error::new(Kind::Unsupported, sentence)
                .because("it is not in the store")
                .hint(format!("pull it: kiln pull {place}@{}", chosen.digest)));
        }
        let (manifest, _) = self.read_image(chosen.digest)?;
        let manifest_descriptor = Descriptor::new(&chosen.media_type, chosen.digest, chosen.size);
        self.load_image(ImageEntry::new(manifest.config.digest, manifest_descriptor, list.entry.names))
    }
}
