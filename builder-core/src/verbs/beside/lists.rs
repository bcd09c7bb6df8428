//! Lists of images in the storage beside the store: those made here are put there, with the images they name; those of
//! other programs are brought here when a verb is about one.

use std::collections::BTreeMap;

use super::{Warnings, adopt, put, storage};
use crate::builder::Builder;
use crate::error::{Kind, Result};
use crate::name::Location;
use crate::oci::{Descriptor, Digest, Index};
use crate::store::Work;
use crate::store::images::{ImageEntry, StoredImage};
use crate::store::lists::StoredList;
use crate::transport::containers_storage::{SharedList, Storage, StorageSource, exists};
use crate::transport::convert::form_of_config;
use crate::transport::{CopyOptions, StoreSink, copy_image};

/// Puts a list of the store there as well, with all of its names, over the one with its id.
pub(crate) fn publish(builder: &Builder<'_>, work: &Work, id: Digest) -> Result<()> {
    let machine = &builder.settings.machine;
    if !machine.beside || !(machine.wanted || exists(machine)) {
        return Ok(());
    }
    let storage = match Storage::open(machine, None) {
        // Podman takes images in through an archive, and no lists.
        Err(error) if error.kind() == Kind::Unsupported => return Ok(()),
        storage => storage?,
    };
    let list = builder.store.find_list(&id.hex())?;
    builder.store.lease(work, [list.entry.manifest.digest.hex().as_str()])?;
    let mut places = BTreeMap::new();
    for entry in &list.index.manifests {
        let place = match list.elsewhere.get(&entry.digest) {
            Some(repository) => Some(format!("{repository}@{}", entry.digest)),
            None => put_instance(builder, work, &storage, entry)?,
        };
        places.extend(place.map(|place| (entry.digest, place)));
    }
    let index = builder.store.read_blob(list.entry.manifest.digest, crate::oci::MAX_MANIFEST)?;
    let shared = SharedList { id, names: list.entry.names, index, places };
    storage.put_list(&shared, &Warnings(builder.reporter()))
}

/// Puts an image there that a list names. Gives its location; none for what is no image.
fn put_instance(
    builder: &Builder<'_>,
    work: &Work,
    storage: &Storage,
    entry: &Descriptor,
) -> Result<Option<String>> {
    let Ok((manifest, _)) = builder.store.read_image(entry.digest) else { return Ok(None) };
    let id = manifest.config.digest;
    if form_of_config(&manifest.config.media_type).is_none() {
        return Ok(None);
    }
    if !storage.has_manifest(id, entry.digest)? {
        let manifest = Descriptor::new(&entry.media_type, entry.digest, entry.size);
        let image = builder.store.load_image(ImageEntry::new(id, manifest, Vec::new()))?;
        put(builder, work, image, &[])?;
    }
    Ok(Some(format!("containers-storage:@{}", id.hex())))
}

/// The list that `text` names. What the storage says of it holds: it is in the store then, too.
pub(crate) fn find(builder: &Builder<'_>, text: &str) -> Result<StoredList> {
    let store = &builder.store;
    let list = match storage(builder)?.filter(|_| !Location::has_transport(text)) {
        Some(storage) => match storage.find_list(text) {
            Ok(list) => list.map(|list| (storage, list)),
            Err(error) if error.kind() == Kind::NotFound => None,
            Err(error) => return Err(error),
        },
        None => None,
    };
    let Some((storage, list)) = list else { return store.find_list(text) };
    let index = list.read()?;
    if let Ok(known) = store.find_list(&list.id.hex())
        && known.index == index
        && known.entry.names == list.names
    {
        return Ok(known);
    }
    bring(builder, &storage, &list, index)?;
    store.find_list(&list.id.hex())
}

fn bring(builder: &Builder<'_>, storage: &Storage, list: &SharedList, index: Index) -> Result<()> {
    let store = &builder.store;
    let work = store.work()?;
    let mut elsewhere = BTreeMap::new();
    for entry in &index.manifests {
        if let Some(source) = StorageSource::of_manifest(storage, entry.digest)? {
            if adopt::adopt(builder, &work, &source)?.is_none() {
                let sink = StoreSink::new(builder, &work, Vec::new());
                copy_image(&source, &sink, &CopyOptions::default(), &Warnings(builder.reporter()))?;
            }
        } else if let Some(Ok(Location::Registry(name))) =
            list.places.get(&entry.digest).map(|place| Location::parse(place))
        {
            elsewhere.insert(entry.digest, format!("docker://{}", name.repository()));
        }
    }
    store.put_list(&work, list.id, &index, &list.names)?;
    store.edit_list(&work, list.id, |stored| {
        stored.index = index;
        stored.elsewhere = elsewhere;
        Ok(())
    })
}

/// All lists there, as the store would list them.
pub(crate) fn all(builder: &Builder<'_>) -> Result<Vec<SharedList>> {
    storage(builder)?.map_or_else(|| Ok(Vec::new()), |storage| storage.lists())
}

/// Whether the storage has a list of this name or id.
pub(crate) fn has(builder: &Builder<'_>, text: &str) -> Result<bool> {
    let Some(storage) = storage(builder)? else { return Ok(false) };
    match storage.find_list(text) {
        Err(error) if error.kind() == Kind::NotFound => Ok(false),
        found => found.map(|list| list.is_some()),
    }
}

/// The image that only the storage has, in the store without a name; none if it has none.
pub(crate) fn take(builder: &Builder<'_>, work: &Work, text: &str) -> Result<Option<StoredImage>> {
    let Some(source) = super::find(builder, text)? else { return Ok(None) };
    if let Some(image) = adopt::adopt(builder, work, &source)? {
        return Ok(Some(image));
    }
    let sink = StoreSink::new(builder, work, Vec::new());
    copy_image(&source, &sink, &CopyOptions::default(), builder.reporter())?;
    builder.store.hold_image(work, &source.id().hex()).map(Some)
}
