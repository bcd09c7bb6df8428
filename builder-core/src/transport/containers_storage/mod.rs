//! The storage that Podman, Buildah, Skopeo and CRI-O of a machine share (`containers-storage:`), read and written in
//! its own layout and under its own locks.
//!
//! The layout is that of github.com/containers/storage with the drivers overlay and vfs: `<driver>-layers/layers.json`,
//! `<driver>-images/images.json`, `<driver>-containers/containers.json`, each beside a lock; a directory per layer
//! below `<driver>/`; beside `layers.json` each layer's tar-split. What is written has the order a killed process
//! needs: a layer is in the table as incomplete, which every program that opens the table removes, before its files
//! have their names; an image comes last.

mod files;
mod find;
mod layers;
mod lease;
mod lists;
mod lock;
mod place;
mod program;
mod publish;
mod remove;
mod share;
mod sink;
mod source;
mod stage;
mod tables;

pub(crate) use find::Named;
pub(crate) use lease::Lease;
pub(crate) use lists::SharedList;
pub(crate) use place::{Storage, exists};
pub(crate) use source::StorageSource;

use sink::StorageSink;

use std::path::Path;

use crate::builder::Builder;
use crate::error::{Error, Kind, Result};
use crate::name::{Location, Reference, StorageSpec};
use crate::settings::MachineStorage;
use crate::transport::{Sink, Source};
use program::{Program, ProgramSink};

/// A location that is read, as it is meant on this machine: `containers-storage:NAME` is Kiln's own store where the
/// machine has no other storage, or none with this image.
pub(crate) fn to_read(location: Location, machine: &MachineStorage) -> Location {
    let here = |image: &str| {
        exists(machine) && Storage::open(machine, None).and_then(|storage| storage.find(image)).is_ok()
    };
    match &location {
        Location::ContainersStorage { storage: None, image } if !here(image) => {
            own(image).unwrap_or(location)
        }
        _ => location,
    }
}

/// As [`to_read`], of a location that is written. A storage that settings name is meant before it has an image.
pub(crate) fn to_write(location: Location, machine: &MachineStorage) -> Location {
    match &location {
        Location::ContainersStorage { storage: None, image } if !exists(machine) && !machine.named => {
            own(image).unwrap_or(location)
        }
        _ => location,
    }
}

fn own(image: &str) -> Option<Location> {
    image.trim_start_matches('@').parse().ok().map(Location::Store)
}

/// Opens an image of a storage: of one that is unknown here through Podman, if `builder` says where that is.
pub(crate) fn source<'a>(
    builder: Option<&Builder<'_>>,
    scratch: &Path,
    machine: &MachineStorage,
    spec: Option<&StorageSpec>,
    image: &str,
) -> Result<Box<dyn Source + 'a>> {
    let error = match Storage::open(machine, spec) {
        Err(error) if error.kind() == Kind::Unsupported => error,
        storage => return Ok(Box::new(StorageSource::open(storage?, image)?)),
    };
    let program = builder.and_then(|builder| Program::find(&builder.settings, machine, spec)).ok_or(error)?;
    Ok(Box::new(program.save(image, scratch)?))
}

/// Begins an image in a storage: in one that is not written here through Podman, if it is installed.
pub(crate) fn sink<'a>(
    builder: &'a Builder<'a>,
    scratch: &Path,
    machine: &MachineStorage,
    spec: Option<&StorageSpec>,
    names: Vec<String>,
) -> Result<Box<dyn Sink + 'a>> {
    let opened = Storage::open(machine, spec);
    let error = match opened.and_then(|storage| StorageSink::open(builder, storage, names.clone())) {
        Err(error) if error.kind() == Kind::Unsupported => error,
        sink => return Ok(Box::new(sink?)),
    };
    let program = Program::find(&builder.settings, machine, spec).ok_or(error)?;
    Ok(Box::new(ProgramSink::begin(program, names, scratch)?))
}

/// The full names of an image that is written under a name; none for one that is given its id.
pub(crate) fn names_to_give(image: &str) -> Result<Vec<String>> {
    if image.starts_with('@') {
        return Ok(Vec::new());
    }
    let name: Reference = image.parse()?;
    if name.digest().is_some() {
        return Err(Error::invalid(format!("cannot give an image the name `{image}`"))
            .because("a digest is not given, it follows from the content"));
    }
    Ok(vec![name.to_string()])
}

#[cfg(test)]
mod tests;
