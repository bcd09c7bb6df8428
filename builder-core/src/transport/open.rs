//! From a location to the place it names.

use std::path::Path;

use crate::error::{Context, Error, Kind, Result};
use crate::name::{Location, Pick};
use crate::transport::layout::{LayoutSink, LayoutSource};
use crate::transport::sink::Sink;
use crate::transport::source::Source;
use crate::tree::Root;

/// Opens a location outside the store for reading one image.
pub(crate) fn source(location: &Location) -> Result<Box<dyn Source>> {
    match location {
        Location::Oci { dir, pick } => {
            let root = Root::open_host(dir).cannot("open the OCI layout", dir.display())?;
            let place = format!("oci:{}", dir.display());
            Ok(Box::new(LayoutSource::open(Box::new(root), place, pick.clone())?))
        }
        _ => Err(not_a_place(location)),
    }
}

/// Opens a location outside the store for writing one image.
pub(crate) fn sink(location: &Location) -> Result<Box<dyn Sink>> {
    match location {
        Location::Oci { dir, pick } => Ok(Box::new(layout_sink(location, dir, pick)?)),
        _ => Err(not_a_place(location)),
    }
}

fn layout_sink(location: &Location, dir: &Path, pick: &Pick) -> Result<LayoutSink> {
    match pick {
        Pick::Only => LayoutSink::open(dir, None),
        Pick::Name(name) => LayoutSink::open(dir, Some(name.clone())),
        Pick::Digest(_) | Pick::Index(_) => Err(Error::invalid(format!("cannot write to `{location}`"))
            .because("a digest or a place is not given, it follows from what is written")
            .hint("name the image: oci:DIRECTORY:NAME")),
    }
}

fn not_a_place(location: &Location) -> Error {
    Error::new(Kind::Unsupported, format!("cannot use `{location}`"))
        .because("it is in no place outside the store")
        .hint("name a location such as oci:DIRECTORY:NAME")
}
