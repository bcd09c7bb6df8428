//! Which image of a storage is meant, by name, by id, by digest.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;

use super::files;
use super::place::{Kept, Storage};
use super::tables::texts;
use crate::error::{Error, Kind, Result};
use crate::name::Reference;
use crate::oci::Digest;

/// An image of a storage.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Found {
    /// The root it is in.
    pub root: PathBuf,
    /// What the table says of it.
    pub image: Image,
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Named {
    /// Of an image the digest of its config.
    pub id: Digest,
    /// All of its names.
    pub names: Vec<String>,
    /// Whether it is a list of images.
    pub is_list: bool,
}

/// What is read of an image.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Image {
    /// 64 hexadecimal digits: the digest of its config.
    pub id: String,
    /// The digest of its manifest.
    pub digest: String,
    /// Its names.
    #[serde(deserialize_with = "perhaps")]
    pub names: Vec<String>,
    /// Its topmost layer; none if it has no layer.
    pub layer: String,
    /// The keys of its files.
    #[serde(deserialize_with = "perhaps")]
    pub big_data_names: Vec<String>,
}

/// Go writes `null` for a list that was never made.
fn perhaps<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::<Vec<String>>::deserialize(from)?.unwrap_or_default())
}

impl Found {
    /// Its id: of an image the digest of its config, of a list any.
    pub fn id(&self) -> Result<Digest> {
        format!("sha256:{}", self.image.id).parse()
    }

    /// The bytes of one of its files.
    pub fn file(&self, storage: &Storage, key: &str) -> Result<Vec<u8>> {
        files::read(&storage.dir(&self.root, Kept::Images).join(&self.image.id), key)
    }
}

impl Storage {
    /// The image that `text` names.
    ///
    /// As the storage's own programs have it: a name as it stands, one without host on Docker Hub or under
    /// `localhost`; else the same path on any host; an id (after `@`, too), or its beginning; a digest.
    pub(super) fn find(&self, text: &str) -> Result<Found> {
        for root in self.roots() {
            let table = self.table(root, Kept::Images)?;
            if let Some(item) = find_among(table.items(), text)? {
                let image: Image = serde_json::from_value(item.clone()).map_err(|cause| {
                    Error::corrupt(format!("cannot find the image `{text}`")).because(cause)
                })?;
                return Ok(Found { root: root.to_owned(), image });
            }
        }
        Err(Error::new(Kind::NotFound, format!("cannot find the image `{text}`"))
            .because(format!("no image in the storage `{}` has this name or id", self.root().display()))
            .hint("see what there is with `podman images`"))
    }

    /// What `text` names, whatever there is of it.
    pub fn named(&self, text: &str) -> Result<Named> {
        let found = self.find(text)?;
        Ok(Named { is_list: found.is_list(), id: found.id()?, names: found.image.names })
    }

    /// The ids of all images, lists of images left out.
    pub fn image_ids(&self) -> Result<Vec<String>> {
        let table = self.table(self.root(), Kept::Images)?;
        let is_list = |image: &Value| texts(&image["big-data-names"]).any(|key| key == "instances.json");
        let images = table.items().iter().filter(|image| !is_list(image));
        Ok(images.filter_map(|image| image["id"].as_str().map(str::to_owned)).collect())
    }

    /// Whether the image with this id is here, and its newest manifest is this one.
    pub fn has_manifest(&self, id: Digest, manifest: Digest) -> Result<bool> {
        let table = self.table(self.root(), Kept::Images)?;
        let newest = |image: &Value| image["big-data-digests"]["manifest"] == manifest.to_string();
        Ok(table.find(&id.hex()).is_some_and(newest))
    }
}

fn find_among<'a>(items: &'a [Value], text: &str) -> Result<Option<&'a Value>> {
    let digits = text.trim_start_matches('@');
    let digits = digits.strip_prefix("sha256:").unwrap_or(digits);
    let with_name = |name: &str| items.iter().find(|item| texts(&item["names"]).any(|known| known == name));
    if !text.starts_with('@')
        && let Ok(name) = text.parse::<Reference>()
    {
        if let Some(digest) = name.digest() {
            return Ok(of_digest(items, &name, digest));
        }
        if let Some(item) = full_names(&name, text).iter().find_map(|name| with_name(name)) {
            return Ok(Some(item));
        }
        let tail = format!("/{}:{}", name.path(), name.tag().unwrap_or("latest"));
        if !Reference::names_host(text)
            && let Some(item) =
                items.iter().find(|item| texts(&item["names"]).any(|known| known.ends_with(&tail)))
        {
            return Ok(Some(item));
        }
    }
    if digits.len() < 3 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let mut found = items.iter().filter(|item| item["id"].as_str().is_some_and(|id| id.starts_with(digits)));
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(Error::invalid(format!("cannot find the image `{text}`"))
            .because("more than one image id begins so")
            .hint("give more digits; `podman images --no-trunc` shows them")),
        (first, _) => Ok(first),
    }
}

/// The full names that a name may stand for, the likeliest first.
fn full_names(name: &Reference, text: &str) -> Vec<String> {
    let full = name.to_string();
    if Reference::names_host(text) {
        return vec![full];
    }
    let rest = full.split_once('/').map_or(full.as_str(), |(_, rest)| rest);
    let library = if name.path().contains('/') { "" } else { "library/" };
    vec![full.clone(), format!("{}/{library}{rest}", crate::name::hub())]
}

/// The image that has a manifest of this digest, and a name in this repository if it has any.
fn of_digest<'a>(items: &'a [Value], name: &Reference, digest: Digest) -> Option<&'a Value> {
    let key = format!("manifest-{digest}");
    let fits = |item: &&Value| {
        item["digest"] == digest.to_string() || texts(&item["big-data-names"]).any(|known| known == key)
    };
    let repository = format!("{}:", name.repository());
    let named = |item: &&Value| {
        let mut names = texts(&item["names"]).chain(texts(&item["names-history"])).peekable();
        names.peek().is_none() || names.any(|known| known.starts_with(&repository) || known.contains('@'))
    };
    items.iter().filter(fits).find(named)
}
