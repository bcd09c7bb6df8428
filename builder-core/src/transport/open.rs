//! From a location to the place it names.

use std::path::Path;

use crate::builder::Builder;
use crate::error::{Context, Error, Kind, Result};
use crate::event::Reporter;
use crate::name::{Location, Pick, Reference};
use crate::settings::{MachineStorage, RegistrySettings};
use crate::store::Work;
use crate::transport::archive::{
    ArchiveFiles, DockerArchiveSink, DockerArchiveSource, Kept, LayoutArchiveSink, Output,
};
use crate::transport::containers_storage;
use crate::transport::copy::advised;
use crate::transport::daemon::{Daemon, DaemonSink, DaemonSource};
use crate::transport::directory::{DirSink, DirSource};
use crate::transport::files::look_around;
use crate::transport::layout::{LayoutSink, LayoutSource};
use crate::transport::policy;
use crate::transport::registry::{Access, Gateway, RegistrySink, RegistrySource};
use crate::transport::sink::Sink;
use crate::transport::source::Source;
use crate::tree::Root;

/// What opening a location may need.
#[derive(Clone, Copy)]
pub(crate) struct Places<'a> {
    /// Where large temporary files go.
    pub scratch: &'a Path,
    /// What is known of registries.
    pub registries: &'a RegistrySettings,
    /// What this command says of them.
    pub access: &'a Access,
    /// Who is told.
    pub reporter: &'a dyn Reporter,
    /// The storage that other programs of this machine share.
    pub machine: &'a MachineStorage,
    /// The store, where it is open: what is written with owners and marks needs who we are.
    pub builder: Option<&'a Builder<'a>>,
}

impl<'a> Places<'a> {
    /// As a builder has them.
    pub fn of(builder: &'a Builder<'a>, work: &'a Work, access: &'a Access) -> Self {
        Places {
            scratch: builder.settings.scratch(work.dir()),
            registries: &builder.settings.registries,
            access,
            reporter: builder.reporter(),
            machine: &builder.settings.machine,
            builder: Some(builder),
        }
    }
}

/// Opens a location outside the store for reading one image, as far as the signature policy lets it in.
pub(crate) fn source<'a>(places: Places<'a>, location: &Location) -> Result<Box<dyn Source + 'a>> {
    guarded(places, location, unchecked(places, location)?)
}

/// A source at a location, as far as the signature policy lets its image in.
pub(crate) fn guarded<'a>(
    places: Places<'a>,
    location: &Location,
    source: Box<dyn Source + 'a>,
) -> Result<Box<dyn Source + 'a>> {
    policy::guarded(places.registries, places.access.policy.as_deref(), location, source)
}

/// As [`source`], for who only looks: no policy says what may be looked at.
pub(crate) fn unchecked<'a>(places: Places<'a>, location: &Location) -> Result<Box<dyn Source + 'a>> {
    open(places, location).map_err(|error| match location {
        Location::Oci { dir: path, .. }
        | Location::OciArchive { path, .. }
        | Location::DockerArchive { path, .. }
        | Location::Dir(path)
            if error.kind() == Kind::NotFound =>
        {
            look_around(path, error)
        }
        _ => advised(error),
    })
}

fn open<'a>(places: Places<'a>, location: &Location) -> Result<Box<dyn Source + 'a>> {
    match location {
        Location::Oci { dir, pick } => {
            let root = Root::open_host(dir).cannot("open the OCI layout", dir.display())?;
            let place = format!("oci:{}", dir.display());
            Ok(Box::new(LayoutSource::open(Box::new(root), place, pick.clone())?))
        }
        Location::OciArchive { path, .. } | Location::DockerArchive { path, .. } => {
            in_archive(location, Kept::open(path, places.scratch)?)
        }
        Location::Dir(path) => Ok(Box::new(DirSource::open(path)?)),
        Location::Registry(name) => {
            let gateway = Gateway::open(places.registries, places.access, places.reporter)?;
            Ok(Box::new(RegistrySource::open(&gateway, name, places.reporter)?))
        }
        Location::ContainersStorage { storage, image } => {
            let (builder, machine) = (places.builder, places.machine);
            containers_storage::source(builder, places.scratch, machine, storage.as_ref(), image)
        }
        Location::Daemon(image) => {
            let daemon = Daemon::find(&places.registries.daemon, places.access)?;
            Ok(Box::new(DaemonSource::new(daemon, image.clone())))
        }
        _ => Err(not_a_place(location)),
    }
}

/// Opens one image of an archive that is open: of several, each in its turn.
pub(crate) fn in_archive(location: &Location, archive: Kept) -> Result<Box<dyn Source>> {
    let files = Box::new(ArchiveFiles(archive));
    match location {
        Location::OciArchive { path, pick } => {
            let place = format!("oci-archive:{}", path.display());
            Ok(Box::new(LayoutSource::open(files, place, pick.clone())?))
        }
        Location::DockerArchive { path, pick } => {
            let place = format!("docker-archive:{}", path.display());
            Ok(Box::new(DockerArchiveSource::open(files, &place, pick)?))
        }
        _ => Err(not_a_place(location)),
    }
}

/// Opens a location outside the store for writing one image.
pub(crate) fn sink<'a>(places: Places<'a>, location: &Location) -> Result<Box<dyn Sink + 'a>> {
    let opened = open_sink(places, location);
    match location {
        Location::Oci { dir: path, .. }
        | Location::OciArchive { path, .. }
        | Location::DockerArchive { path, .. }
        | Location::Dir(path) => advised_of(path, opened),
        _ => opened,
    }
}

/// With a hint, where a place at `path` cannot be opened for writing.
fn advised_of<T>(path: &Path, opened: Result<T>) -> Result<T> {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    opened.map_err(|error| match (error.kind(), above) {
        (Kind::Denied, _) => error.hint("name a place where you may write"),
        (Kind::NotFound, Some(above)) if !above.exists() => {
            error.hint(format!("make its directory first: mkdir -p {}", above.display()))
        }
        _ => error,
    })
}

fn open_sink<'a>(places: Places<'a>, location: &Location) -> Result<Box<dyn Sink + 'a>> {
    match location {
        Location::Oci { dir, pick } => Ok(Box::new(LayoutSink::open(dir, name_of(location, pick)?)?)),
        Location::OciArchive { path, pick } => {
            let name = name_of(location, pick)?;
            Ok(Box::new(LayoutArchiveSink::begin(Output::to(path)?, name, places.scratch)?))
        }
        Location::DockerArchive { .. } => docker_archive_sink(places, location, &[]),
        Location::Dir(path) => Ok(Box::new(DirSink::open(path)?)),
        Location::Registry(name) => {
            let gateway = Gateway::open(places.registries, places.access, places.reporter)?;
            Ok(Box::new(RegistrySink::open(&gateway, name)?))
        }
        Location::ContainersStorage { storage, image } => {
            let builder = places.builder.ok_or_else(|| {
                Error::invalid(format!("cannot write to `{location}`")).because("the store is not open")
            })?;
            let names = containers_storage::names_to_give(image)?;
            containers_storage::sink(builder, places.scratch, places.machine, storage.as_ref(), names)
        }
        Location::Daemon(image) => daemon_sink(places, location, vec![image.to_write()?]),
        _ => Err(not_a_place(location)),
    }
}

/// Opens an archive of Docker's for writing one image, which gets these names beside the one of the location: an
/// archive has all names of an image at once.
pub(crate) fn docker_archive_sink<'a>(
    places: Places<'a>,
    location: &Location,
    more: &[String],
) -> Result<Box<dyn Sink + 'a>> {
    let Location::DockerArchive { path, pick } = location else { return Err(not_a_place(location)) };
    let mut names = Vec::new();
    for name in name_of(location, pick)?.iter().chain(more) {
        let full = Reference::on_registry(name)?.to_string();
        if !names.contains(&full) {
            names.push(full);
        }
    }
    let begun = Output::to(path).and_then(|output| DockerArchiveSink::begin(output, names, places.scratch));
    Ok(Box::new(advised_of(path, begun)?))
}

/// Opens a daemon for writing one image, which gets these names.
pub(crate) fn daemon_sink<'a>(
    places: Places<'a>,
    location: &Location,
    names: Vec<String>,
) -> Result<Box<dyn Sink + 'a>> {
    let daemon = Daemon::find(&places.registries.daemon, places.access)?;
    Ok(Box::new(DaemonSink::new(daemon, location.to_string(), names, places.scratch.to_owned())))
}

/// The name that an image gets at a location.
fn name_of(location: &Location, pick: &Pick) -> Result<Option<String>> {
    match pick {
        Pick::Only => Ok(None),
        Pick::Name(name) => Ok(Some(name.clone())),
        Pick::Digest(_) | Pick::Index(_) => Err(Error::invalid(format!("cannot write to `{location}`"))
            .because("a digest or a place in a list is not given, it follows from what is written")
            .hint("name the image: oci:DIRECTORY:NAME")),
    }
}

fn not_a_place(location: &Location) -> Error {
    Error::new(Kind::Unsupported, format!("cannot use `{location}`"))
        .because("it is in no place outside the store")
        .hint("name a location such as oci:DIRECTORY:NAME")
}
