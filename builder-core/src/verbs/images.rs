//! `images`, `tag`, `rmi`, `prune`: the images of the store, their names, their end.

use crate::builder::Builder;
use crate::error::{Error, Kind, Result};
use crate::name::Reference;
use crate::oci::{Digest, ImageConfig, Manifest};
use crate::store::{Reclaimed, images::ImageEntry};

/// What a list says of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageInfo {
    /// The image id.
    pub id: Digest,
    /// The manifest's digest.
    pub digest: Digest,
    /// Its full names; none for an image whose name went to another.
    pub names: Vec<String>,
    /// When it was made, as its config says.
    pub created: Option<String>,
    /// The sum of its layers as they are kept, bytes.
    pub size: u64,
    /// Its labels.
    pub labels: std::collections::BTreeMap<String, String>,
}

/// All images, the newest last.
pub fn images(builder: &Builder<'_>) -> Result<Vec<ImageInfo>> {
    let mut found = Vec::new();
    for entry in builder.store.image_entries()? {
        let image = match builder.store.load_image(entry) {
            Ok(image) => image,
            // Removed while we looked.
            Err(error) if error.kind() == Kind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let size = image.manifest.layers.iter().map(|layer| layer.size).sum();
        found.push(ImageInfo {
            id: image.entry.id,
            digest: image.entry.manifest.digest,
            names: image.entry.names,
            created: image.config.created,
            size,
            labels: image.config.config.labels,
        });
    }
    Ok(found)
}

/// All there is to say of one image.
#[derive(Debug, Clone)]
pub struct ImageDetails {
    /// What lists say.
    pub info: ImageInfo,
    /// The manifest.
    pub manifest: Manifest,
    /// The manifest, byte for byte.
    pub manifest_bytes: Vec<u8>,
    /// The config.
    pub config: ImageConfig,
    /// The config, byte for byte.
    pub config_bytes: Vec<u8>,
}

/// Looks at one image.
pub fn inspect_image(builder: &Builder<'_>, text: &str) -> Result<ImageDetails> {
    let image = builder.store.load_image(builder.store.find_image(text)?)?;
    let info = ImageInfo {
        id: image.entry.id,
        digest: image.entry.manifest.digest,
        names: image.entry.names,
        created: image.config.created.clone(),
        size: image.manifest.layers.iter().map(|layer| layer.size).sum(),
        labels: image.config.config.labels.clone(),
    };
    Ok(ImageDetails {
        info,
        manifest: image.manifest,
        manifest_bytes: image.manifest_bytes,
        config: image.config,
        config_bytes: image.config_bytes,
    })
}

/// Gives an image more names.
#[derive(Debug, Clone, PartialEq)]
pub struct Tag {
    /// The image, by name or id.
    pub image: String,
    /// The names; one that another image has moves.
    pub names: Vec<String>,
}

impl Tag {
    /// Adds all names, or none if one of them is no name.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<()> {
        let entry = builder.store.find_image(&self.image)?;
        let names: Vec<Reference> = self.names.iter().map(|name| name.parse()).collect::<Result<_>>()?;
        for name in &names {
            if name.digest().is_some() {
                return Err(Error::invalid(format!("cannot tag an image `{name}`"))
                    .because("a digest is not given, it follows from the content"));
            }
        }
        builder.store.add_names(entry.id, &names)
    }
}

/// Removes a name of an image, and the image with its last name.
#[derive(Debug, Clone, PartialEq)]
pub struct Rmi {
    /// The image, by name or id.
    pub image: String,
    /// Also if containers were made of it (they are removed) or it has several names.
    pub force: bool,
}

/// What `rmi` did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// Names that were taken away.
    pub untagged: Vec<String>,
    /// The image that went.
    pub deleted: Option<Digest>,
}

impl Rmi {
    /// Takes the name away, then the image if that was its last. What only it used goes too.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Removed> {
        let entry = builder.store.find_image(&self.image)?;
        let named = named_as(&entry, &self.image);
        if let Some(name) = named.as_ref().filter(|_| entry.names.len() > 1) {
            builder.store.remove_name(name)?;
            return Ok(Removed { untagged: vec![name.clone()], deleted: None });
        }
        if named.is_none() && entry.names.len() > 1 && !self.force {
            return Err(Error::new(Kind::InUse, format!("cannot remove the image `{}`", self.image))
                .because(format!("it has several names: {}", entry.names.join(", ")))
                .hint(format!("remove all of them with `kiln rmi --force {}`", self.image)));
        }
        self.release(builder, &entry)?;
        let known = entry.names.clone();
        // A name given meanwhile keeps the image: somebody wants it.
        builder.store.remove_image(entry.id, |now| now.names.iter().all(|name| known.contains(name)))?;
        builder.store.gc()?;
        Ok(Removed { untagged: entry.names, deleted: Some(entry.id) })
    }

    /// Refuses while containers were made of the image, or removes them where that is asked for.
    fn release(&self, builder: &Builder<'_>, entry: &ImageEntry) -> Result<()> {
        let users: Vec<String> = (builder.store.containers()?.into_iter())
            .filter(|container| container.base.as_ref().is_some_and(|base| base.id == entry.id))
            .map(|container| container.name)
            .collect();
        if users.is_empty() {
            return Ok(());
        }
        if !self.force {
            return Err(Error::new(Kind::InUse, format!("cannot remove the image `{}`", self.image))
                .because(format!("containers were made of it: {}", users.join(", ")))
                .hint(format!("remove them first: kiln rm {}", users.join(" "))));
        }
        for container in users {
            super::containers::Rm { container }.perform(builder)?;
        }
        Ok(())
    }
}

/// The full name by which `text` names the image, if it is not by id.
pub(crate) fn named_as(entry: &ImageEntry, text: &str) -> Option<String> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let wanted: Reference = text.parse().ok()?;
    let exact = entry.names.iter().find(|name| **name == wanted.to_string());
    if exact.is_some() || (entry.id.hex().starts_with(digits) && digits.len() >= 3) {
        return exact.cloned();
    }
    let tail = format!("/{}", wanted.path());
    entry
        .names
        .iter()
        .find(|name| {
            name.parse::<Reference>()
                .is_ok_and(|known| known.repository().ends_with(&tail) && known.tag() == wanted.tag())
        })
        .cloned()
}

/// Removes what nothing needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Prune {
    /// Images with a name too, if no container was made of them.
    pub all: bool,
}

/// What `prune` took away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Images.
    pub images: Vec<Digest>,
    /// What went with them, and what was left over before.
    pub reclaimed: Reclaimed,
}

impl Prune {
    /// Removes images without a name (or all unused ones), then everything that nothing names.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Pruned> {
        let used: Vec<Digest> = builder
            .store
            .containers()?
            .into_iter()
            .filter_map(|container| Some(container.base?.id))
            .collect();
        let mut pruned = Pruned::default();
        for entry in builder.store.image_entries()? {
            if used.contains(&entry.id) || !(self.all || entry.names.is_empty()) {
                continue;
            }
            if builder.store.remove_image(entry.id, |now| self.all || now.names.is_empty())? {
                pruned.images.push(entry.id);
            }
        }
        pruned.reclaimed = builder.store.gc()?;
        Ok(pruned)
    }
}
