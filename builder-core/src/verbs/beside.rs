//! The storage that Podman and others of a machine share, beside Kiln's own store: what verbs find and do there too,
//! where the settings say so.
//!
//! A name means there what it means to Podman: of an image that both have, the storage says what it is called.

mod adopt;
pub(crate) mod lists;

use crate::builder::Builder;
use crate::error::{Context, Error, Kind, Result};
use crate::event::{Event, Reporter};
use crate::layer::Times;
use crate::layer::tar::split::Recorder;
use crate::name::{Location, Reference};
use crate::oci::Digest;
use crate::store::export::TreeLayer;
use crate::store::images::StoredImage;
use crate::store::layers::{Export, Owners};
use crate::store::{ContainerRecord, NewContainer, Work};
use crate::sys::random;
use crate::transport::containers_storage::{self, Lease, Named, Storage, StorageSource, exists};
use crate::transport::{CopyOptions, StoreSource, copy_image};
use crate::verbs::images::Removed;

/// The storage that verbs act on too, if there is one.
pub(crate) fn storage(builder: &Builder<'_>) -> Result<Option<Storage>> {
    let machine = &builder.settings.machine;
    if !machine.beside || !exists(machine) {
        return Ok(None);
    }
    match Storage::open(machine, None) {
        // Images go there through Podman; what else is there, Kiln does not see.
        Err(error) if error.kind() == Kind::Unsupported => Ok(None),
        opened => opened.map(Some),
    }
}

/// The image that `text` names there; none if there is none, or no such storage.
pub(crate) fn find(builder: &Builder<'_>, text: &str) -> Result<Option<StorageSource>> {
    let Some(storage) = storage(builder)? else { return Ok(None) };
    if Location::has_transport(text) {
        return Ok(None);
    }
    let is_list = |storage: &Storage| storage.named(text).is_ok_and(|named| named.is_list);
    match StorageSource::open(storage.clone(), text) {
        // A list that has no image for this machine is there all the same.
        Err(error) if error.kind() == Kind::NotFound && !is_list(&storage) => Ok(None),
        found => found.map(Some),
    }
}

/// All images there, as they would be in the store. One that is removed meanwhile, or cannot be read, is left out: it
/// is for those to tell of whose it is.
pub(crate) fn images(builder: &Builder<'_>) -> Result<Vec<StoredImage>> {
    let Some(storage) = storage(builder)? else { return Ok(Vec::new()) };
    let opened = |id: &String| StorageSource::open(storage.clone(), &format!("@{id}"));
    let ids = storage.image_ids()?;
    Ok(ids.iter().filter_map(|id| adopt::look(&opened(id).ok()?).ok()).collect())
}

/// The image that `text` names there, to be looked at.
pub(crate) fn look(builder: &Builder<'_>, text: &str) -> Result<Option<StoredImage>> {
    find(builder, text)?.map(|source| adopt::look(&source)).transpose()
}

/// The image that `text` names there, ready to be worked with: as it is in the store, or its files in place.
pub(crate) fn hold(builder: &Builder<'_>, work: &Work, text: &str) -> Result<Option<StoredImage>> {
    match find(builder, text)? {
        Some(source) => adopt::adopt(builder, work, &source),
        None => Ok(None),
    }
}

/// As [`hold`], for a location in a storage, whatever the settings say.
pub(crate) fn hold_at(
    builder: &Builder<'_>,
    work: &Work,
    location: &Location,
) -> Result<Option<StoredImage>> {
    let Location::ContainersStorage { storage, image } = location else { return Ok(None) };
    let storage = Storage::open(&builder.settings.machine, storage.as_ref())?;
    adopt::adopt(builder, work, &StorageSource::open(storage, image)?)
}

/// Makes a container. Where it will have files in place in a storage, that is told of it first, so that they stay.
pub(crate) fn make_container(
    builder: &Builder<'_>,
    work: &Work,
    mut new: NewContainer,
) -> Result<ContainerRecord> {
    let store = &builder.store;
    let machine = &builder.settings.machine;
    let base = new.base.as_ref().and_then(|base| Some((base.id, adopt::lender(store, &base.layers)?)));
    // Of what is in an additional storage, nobody removes anything.
    let Some((image, root)) = base.filter(|(_, root)| !machine.additional.contains(root)) else {
        return store.make_container(work, new);
    };
    end_loans(builder)?;
    let storage = Storage::at(machine, &root)?;
    let reporter = Warnings(builder.reporter());
    let (id, name) = (random::hex(32), store.free_name(&new.name, new.exact)?);
    let loan = store.begin_loan(&id, &root)?;
    let told = storage.lease(Lease { id: &id, name: &name, image: &image.hex() }, &reporter);
    new.leased = Some((id.clone(), root));
    match told.and_then(|()| store.make_container(work, new)) {
        Ok(record) => {
            loan.end()?;
            if record.name != name {
                // Another process took the name meanwhile.
                storage.rename_lease(&id, &record.name, &reporter)?;
            }
            Ok(record)
        }
        Err(error) => {
            // What cannot be taken back now, a later command does.
            if storage.release(&id, &reporter).is_ok() {
                loan.end()?;
            }
            Err(error)
        }
    }
}

/// Tells storages of containers that killed processes never made.
fn end_loans(builder: &Builder<'_>) -> Result<()> {
    for loan in builder.store.dead_loans()? {
        if let Some(root) = loan.storage.as_ref().filter(|root| root.is_dir()) {
            let storage = Storage::at(&builder.settings.machine, root)?;
            storage.release(&loan.id, &Warnings(builder.reporter()))?;
        }
        loan.end()?;
    }
    Ok(())
}

/// As a container gets another name, it does in the storage that knows of it: what cannot be done is only told.
pub(crate) fn rename(builder: &Builder<'_>, container: &ContainerRecord) {
    let Some(root) = &container.leased else { return };
    let renamed = Storage::at(&builder.settings.machine, root).and_then(|storage| {
        storage.rename_lease(&container.id, &container.name, &Warnings(builder.reporter()))
    });
    if let Err(error) = renamed {
        builder.report(Event::Warning {
            message: format!(
                "the storage `{}` lists the container by its old name: {error:?}",
                root.display()
            ),
            hint: None,
        });
    }
}

/// Takes the note away again, as the container goes: what cannot be done is only told.
pub(crate) fn release(builder: &Builder<'_>, container: &ContainerRecord) {
    let Some(root) = &container.leased else { return };
    let released = Storage::at(&builder.settings.machine, root)
        .and_then(|storage| storage.release(&container.id, &Warnings(builder.reporter())));
    if let Err(error) = released {
        builder.report(Event::Warning {
            message: format!("the storage `{}` still lists the container: {error:?}", root.display()),
            hint: Some(format!("remove it there: podman rm {}", &container.id[..12])),
        });
    }
}

/// Puts an image or a list of the store there as well, under `names`, or gives it these names if it is there.
pub(crate) fn publish(builder: &Builder<'_>, work: &Work, id: Digest, names: &[String]) -> Result<()> {
    let machine = &builder.settings.machine;
    if !machine.beside || !(machine.wanted || exists(machine)) {
        return Ok(());
    }
    if builder.store.find_image(&id.hex())?.is_list() {
        return lists::publish(builder, work, id);
    }
    let image = builder.store.hold_image(work, &id.hex())?;
    if image.entry.id != id {
        return Ok(());
    }
    if let Some(storage) = storage(builder)?
        && storage.has_manifest(id, image.entry.manifest.digest)?
        && storage.add_names(&id.hex(), names, &Warnings(builder.reporter()))?
    {
        return Ok(());
    }
    put(builder, work, image, names)
}

/// Copies an image there.
fn put(builder: &Builder<'_>, work: &Work, image: StoredImage, names: &[String]) -> Result<()> {
    let source = StoreSource::new(builder, image);
    let mut tried = 0;
    loop {
        let machine = &builder.settings.machine;
        let sink = containers_storage::sink(
            builder,
            builder.settings.scratch(work.dir()),
            machine,
            None,
            names.to_vec(),
        )?;
        match copy_image(&source, &*sink, &CopyOptions::default(), &Warnings(builder.reporter())) {
            // Another process removed a layer that was there: then it is sent.
            Err(error) if error.kind() == Kind::NotFound && tried < 3 => tried += 1,
            copied => return copied.map(drop),
        }
    }
}

/// What the layer's tar is: remembered, or hashed now, and then its tar-split is recorded in the same pass where the
/// storage will want it.
pub(crate) fn describe(
    builder: &Builder<'_>,
    work: &Work,
    layer: &TreeLayer,
    times: Times,
) -> Result<Export> {
    let store = &builder.store;
    let remembered = layer.remembered(store, times)?;
    let takes = storage(builder)?.is_some_and(|storage| storage.is_overlay());
    let ([tree], None, true) = (layer.parts.as_slice(), &remembered, takes) else {
        return remembered.map_or_else(|| layer.describe(store, times), Ok);
    };
    let path = work.dir().join(random::hex(8));
    let file = std::fs::File::create_new(&path).cannot("write", path.display())?;
    let mut recorder = Recorder::new(std::io::BufWriter::new(file));
    let mut export = layer.write(store, times, &mut recorder)?;
    let (file, recorded) = recorder.finish().cannot("write", path.display())?;
    file.into_inner().map_err(std::io::IntoInnerError::into_error).cannot("write", path.display())?;
    let split = store.split_path(tree, export.diff_id);
    std::fs::rename(&path, &split).cannot("write", split.display())?;
    export.owners = Some(Owners { uids: recorded.uids, gids: recorded.gids });
    Ok(export)
}

/// What `text` names there; none if it names nothing.
pub(crate) fn named(builder: &Builder<'_>, text: &str) -> Result<Option<(Storage, Named)>> {
    let Some(storage) = storage(builder)?.filter(|_| !Location::has_transport(text)) else { return Ok(None) };
    match storage.named(text) {
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        named => named.map(|named| Some((storage, named))),
    }
}

/// Gives the image that `text` names there more names. `false` if it names none there, or one that the store has too
/// and that is named there.
pub(crate) fn tag(builder: &Builder<'_>, text: &str, names: &[String]) -> Result<Option<Digest>> {
    let Some((storage, Named { id, .. })) = named(builder, text)? else { return Ok(None) };
    storage.add_names(&id.hex(), names, &Warnings(builder.reporter()))?;
    // What the store calls so is another image now.
    for name in names {
        let other =
            builder.store.find_image(name).is_ok_and(|entry| entry.names.contains(name) && entry.id != id);
        if other {
            builder.store.remove_name(name)?;
        }
    }
    Ok(Some(id))
}

/// Takes the name `text` away there, or the image if that was its last. None if it names none there.
pub(crate) fn remove(builder: &Builder<'_>, text: &str, force: bool) -> Result<Option<Removed>> {
    match named(builder, text)? {
        Some((storage, _)) => remove_at(builder, &storage, text, force).map(Some),
        None => Ok(None),
    }
}

/// As [`remove`], in any storage.
pub(crate) fn remove_at(
    builder: &Builder<'_>,
    storage: &Storage,
    text: &str,
    force: bool,
) -> Result<Removed> {
    let Named { id, names, is_list } = storage.named(text)?;
    let reporter = Warnings(builder.reporter());
    let named = text.parse::<Reference>().ok().map(|name| name.to_string());
    let named = named.and_then(|full| {
        let tail = full.split_once('/').map_or(full.as_str(), |(_, tail)| tail).to_owned();
        let exact = names.iter().find(|name| **name == full).cloned();
        exact.or_else(|| names.iter().find(|name| name.ends_with(&format!("/{tail}"))).cloned())
    });
    match named {
        Some(name) if names.len() > 1 => {
            storage.remove_name(&name, &reporter)?;
            Ok(Removed { untagged: vec![name], ..Removed::default() })
        }
        None if names.len() > 1 && !force => {
            Err(Error::new(Kind::InUse, format!("cannot remove the image `{text}`"))
                .because(format!("it has several names: {}", names.join(", ")))
                .hint(format!("remove all of them with `kiln rmi --force {text}`")))
        }
        _ => {
            match is_list {
                true => storage.remove_list(&id.hex(), &reporter)?,
                false => storage.remove_image(&id.hex(), &reporter)?,
            }
            Ok(Removed { untagged: names, deleted: Some(id), parents: Vec::new() })
        }
    }
}

/// Ends there what killed processes of ours began.
pub(crate) fn sweep(builder: &Builder<'_>) -> Result<()> {
    end_loans(builder)?;
    match storage(builder)? {
        Some(storage) => storage.sweep(&Warnings(builder.reporter())),
        None => Ok(()),
    }
}

/// Tells warnings only: that something is copied there, too, is nothing to talk of.
struct Warnings<'a>(&'a dyn Reporter);

impl Reporter for Warnings<'_> {
    fn report(&self, event: Event) {
        if matches!(event, Event::Warning { .. }) {
            self.0.report(event);
        }
    }
}
