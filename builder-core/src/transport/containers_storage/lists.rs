//! Lists of images for several platforms in a storage: images without layers whose manifest is an index, and beside it
//! where what that names is (`instances.json`).

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::DirBuilderExt;
use std::{fs, iter};

use serde_json::{Value, json};

use super::files;
use super::find::{Found, Image};
use super::place::{Kept, Storage};
use super::publish::{PASSING, note_files, take_names};
use super::tables::{Table, texts};
use crate::error::{Context, Error, Kind, Result};
use crate::event::Reporter;
use crate::oci::{Digest, Index, Wanted, choose};
use crate::transport::source::RawManifest;

/// The file with the places of what an index names: an object of digests and locations; the empty one is its own.
const PLACES: &str = "instances.json";

/// The file with the index.
const INDEX: &str = "manifest";

/// A list of a storage.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SharedList {
    /// Random, as it has to stay while the index changes.
    pub id: Digest,
    /// Its names.
    pub names: Vec<String>,
    /// The index, byte for byte.
    pub index: Vec<u8>,
    /// Where what it names is, as locations.
    pub places: BTreeMap<Digest, String>,
}

impl Found {
    /// Whether it is a list and no image.
    pub(super) fn is_list(&self) -> bool {
        self.image.layer.is_empty() && self.image.big_data_names.iter().any(|key| key == PLACES)
    }
}

impl Storage {
    /// The list that `text` names; none if that is an image.
    pub fn find_list(&self, text: &str) -> Result<Option<SharedList>> {
        let found = self.find(text)?;
        found.is_list().then(|| self.list(&found)).transpose()
    }

    /// All lists of the storage's own. One that cannot be read is left out.
    pub fn lists(&self) -> Result<Vec<SharedList>> {
        let table = self.table(self.root(), Kept::Images)?;
        let images =
            table.items().iter().filter_map(|item| serde_json::from_value::<Image>(item.clone()).ok());
        let found = images.map(|image| Found { root: self.root().to_owned(), image });
        Ok(found.filter(Found::is_list).filter_map(|found| self.list(&found).ok()).collect())
    }

    fn list(&self, found: &Found) -> Result<SharedList> {
        let places = found.file(self, PLACES)?;
        let places: BTreeMap<String, String> = serde_json::from_slice(&places).map_err(|cause| {
            Error::corrupt(format!("cannot read the manifest list `{}`", found.image.id)).because(cause)
        })?;
        let places = places.into_iter().filter_map(|(digest, place)| Some((digest.parse().ok()?, place)));
        Ok(SharedList {
            id: found.id()?,
            names: found.image.names.clone(),
            index: found.file(self, INDEX)?,
            places: places.collect(),
        })
    }

    /// The image of a list that is for this machine, under the list's names.
    pub(super) fn image_of_list(&self, list: &Found) -> Result<Found> {
        let sentence = || format!("cannot choose an image in the manifest list `{}`", list.image.id);
        let index = Index::parse(&list.file(self, INDEX)?)?;
        let chosen = choose(&index, &Wanted::default())
            .map_err(|error| Error::new(error.kind(), sentence()).because(error))?;
        let mut found = self.instance(chosen.digest)?.ok_or_else(|| {
            Error::new(Kind::NotFound, sentence())
                .because(format!("the storage does not have the image {}", chosen.digest))
                .hint("see where it is with `podman manifest inspect`, and pull it")
        })?;
        found.image.names.clone_from(&list.image.names);
        Ok(found)
    }

    /// The image that has this manifest.
    pub(super) fn instance(&self, manifest: Digest) -> Result<Option<Found>> {
        let key = format!("manifest-{manifest}");
        for root in self.roots() {
            let table = self.table(root, Kept::Images)?;
            let has = |item: &&Value| texts(&item["big-data-names"]).any(|known| known == key);
            let Some(item) = table.items().iter().find(has) else { continue };
            let image = serde_json::from_value::<Image>(item.clone()).map_err(|cause| {
                Error::corrupt(format!("cannot read the image `{manifest}`")).because(cause)
            })?;
            return Ok(Some(Found {
                root: root.to_owned(),
                image: Image { digest: manifest.to_string(), ..image },
            }));
        }
        Ok(None)
    }

    /// Writes a list, over the one with its id.
    pub fn put_list(&self, list: &SharedList, reporter: &dyn Reporter) -> Result<()> {
        self.make()?;
        let lock = self.lock(Kept::Images, reporter)?;
        let path = self.table_path(self.root(), Kept::Images);
        let mut table = Table::read(&path)?;
        let id = list.id.hex();
        let places = list.places.iter().map(|(digest, place)| (digest.to_string(), place.clone()));
        let places: BTreeMap<String, String> =
            places.chain(iter::once((String::new(), id.clone()))).collect();
        let places = serde_json::to_vec(&places).expect("plain data");
        let kept: [(String, &[u8]); 2] = [(INDEX.to_owned(), &list.index), (PLACES.to_owned(), &places)];
        let dir = self.dir(self.root(), Kept::Images).join(&id);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).cannot("make", dir.display())?;
        for (key, bytes) in &kept {
            files::write(&dir, key, bytes)?;
        }
        take_names(&mut table, &list.names, &id);
        if table.find(&id).is_none() {
            let now = jiff::Timestamp::now().to_string();
            table.items_mut().push(json!({ "id": id, "created": now }));
        }
        let image = table.find_mut(&id).expect("it is there by now");
        image["digest"] = Digest::of(&list.index).to_string().into();
        image["names"] = json!(list.names);
        note_files(image, &kept);
        table.write(&path)?;
        lock.touch()
    }

    /// Removes a list, and of the images that only it names those that were written for a list.
    pub fn remove_list(&self, id: &str, reporter: &dyn Reporter) -> Result<()> {
        let named = |list: &SharedList| {
            let index = Index::parse(&list.index).map(|index| index.manifests).unwrap_or_default();
            index.into_iter().map(|entry| entry.digest).collect::<BTreeSet<Digest>>()
        };
        let mut lists = self.lists()?;
        let gone: Vec<_> = lists.extract_if(.., |list| list.id.hex() == id).collect();
        self.remove_image(id, reporter)?;
        let needed: BTreeSet<Digest> = lists.iter().flat_map(named).collect();
        for digest in gone.iter().flat_map(named).filter(|digest| !needed.contains(digest)) {
            let table = self.table(self.root(), Kept::Images)?;
            let Some(found) = self.instance(digest)?.filter(|found| found.image.names.is_empty()) else {
                continue;
            };
            let metadata = table.find(&found.image.id).and_then(|item| item["metadata"].as_str());
            let metadata: Value = serde_json::from_str(metadata.unwrap_or("{}")).unwrap_or_default();
            if metadata[PASSING] != true {
                continue;
            }
            match self.remove_image(&found.image.id, reporter) {
                Err(error) if error.kind() == Kind::InUse => {}
                removed => removed?,
            }
        }
        Ok(())
    }
}

impl SharedList {
    /// The index, read.
    pub fn read(&self) -> Result<Index> {
        match RawManifest::sniffed(self.index.clone())?.is_index() {
            true => Index::parse(&self.index),
            false => Err(Error::corrupt(format!("cannot read the manifest list `{}`", self.id.short()))
                .because("what it has is no index")),
        }
    }
}
