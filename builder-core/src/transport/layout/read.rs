//! Layouts someone else may have written: nothing in them is believed before its digest is checked.

use crate::error::{Context, Error, Kind, Result};
use crate::name::Pick;
use crate::oci::{Descriptor, Index, MAX_MANIFEST};
use crate::store::images::REF_NAME;
use crate::transport::files::Files;
use crate::transport::layout::blob_name;
use crate::transport::source::{Content, RawManifest, Source};

/// The annotation in which other tools keep an image's full name, where the specification's has its tag only.
const FULL_NAME: &str = "io.containerd.image.name";

/// One image of a layout.
pub(crate) struct LayoutSource {
    files: Box<dyn Files>,
    /// The transport and the path: `oci:dir`.
    place: String,
    pick: Pick,
}

impl LayoutSource {
    /// Opens a layout for reading. `place` is how messages call it.
    pub fn open(files: Box<dyn Files>, place: String, pick: Pick) -> Result<Self> {
        let layout = LayoutSource { files, place, pick };
        let marker = layout.files.read("oci-layout", 4096).map_err(|error| layout.not_a_layout(error))?;
        let version: serde_json::Value =
            serde_json::from_slice(&marker).map_err(|e| layout.not_a_layout(e))?;
        match version["imageLayoutVersion"].as_str() {
            Some(version) if version.starts_with("1.") => Ok(layout),
            Some(other) => Err(layout.not_a_layout(format!("its layout version is {other}"))),
            None => Err(layout.not_a_layout("oci-layout names no version")),
        }
    }

    fn not_a_layout(&self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        let path = self.place.split_once(':').map_or("", |(_, path)| path);
        Error::corrupt(format!("cannot open the OCI layout `{path}`"))
            .because(cause)
            .hint("name one that has the files oci-layout and index.json")
    }

    /// All that `index.json` names.
    pub fn index(&self) -> Result<Index> {
        let bytes = self.files.read("index.json", MAX_MANIFEST).map_err(|error| self.not_a_layout(error))?;
        Index::parse(&bytes)
    }

    /// The entry that was picked, or the only one.
    pub fn find(&self) -> Result<Descriptor> {
        let index = self.index()?;
        let named = |entry: &&Descriptor, name: &str| {
            entry.annotations.get(REF_NAME).is_some_and(|known| known == name)
        };
        let found = match &self.pick {
            Pick::Name(name) => index.manifests.iter().find(|entry| named(entry, name)),
            Pick::Digest(digest) => index.manifests.iter().find(|entry| entry.digest == *digest),
            Pick::Index(place) => index.manifests.get(*place),
            Pick::Only if index.manifests.len() == 1 => index.manifests.first(),
            Pick::Only => None,
        };
        found.cloned().ok_or_else(|| self.not_found(&index))
    }

    fn not_found(&self, index: &Index) -> Error {
        let path = self.place.split_once(':').map_or("", |(_, path)| path);
        let sentence = match &self.pick {
            Pick::Only => format!("cannot choose an image in `{path}`"),
            pick => format!("cannot find the image `{}` in `{path}`", pick.as_written()),
        };
        let names: Vec<&str> = (index.manifests.iter())
            .filter_map(|entry| entry.annotations.get(REF_NAME).map(String::as_str))
            .collect();
        let count = match index.manifests.len() {
            1 => "one image".to_owned(),
            count => format!("{count} images"),
        };
        let list = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
        let first = names.first().unwrap_or(&"NAME");
        Error::new(Kind::NotFound, sentence)
            .because(format!("it has {count}{list}"))
            .hint(format!("name one of them: {}:{first}", self.place))
    }

    fn read(&self, descriptor: &Descriptor) -> Result<RawManifest> {
        let bytes = self.files.read(&blob_name(descriptor.digest), MAX_MANIFEST);
        let bytes = bytes.cannot("read the blob", descriptor.digest)?;
        if descriptor.media_type.is_empty() {
            return RawManifest::sniffed(bytes);
        }
        Ok(RawManifest { media_type: descriptor.media_type.clone(), bytes })
    }
}

impl Source for LayoutSource {
    fn name(&self) -> String {
        match &self.pick {
            Pick::Only => self.place.clone(),
            Pick::Name(name) => format!("{}:{name}", self.place),
            pick => format!("{}{}", self.place, pick.as_written()),
        }
    }

    fn tags(&self) -> Result<Vec<String>> {
        let annotations = self.find()?.annotations;
        let name = annotations.get(FULL_NAME).or_else(|| annotations.get(REF_NAME));
        Ok(name.cloned().into_iter().collect())
    }

    fn manifest(&self) -> Result<RawManifest> {
        let found = self.find()?;
        crate::transport::copy::instance(self, &found)
    }

    fn instance(&self, descriptor: &Descriptor) -> Result<RawManifest> {
        self.read(descriptor)
    }

    fn blob(&self, blob: &Descriptor) -> Result<Content<'_>> {
        let (reader, _) = self.files.open(&blob_name(blob.digest)).cannot("open the blob", blob.digest)?;
        Ok(Content::Stored(reader))
    }
}
