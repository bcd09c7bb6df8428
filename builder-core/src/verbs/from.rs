//! `from`: makes a working container of an image, or from nothing.

use crate::builder::{Builder, now_nanoseconds};
use crate::error::{Kind, Result};
use crate::name::Location;
use crate::oci::{ConfigEdit, Format, Wanted};
use crate::steps::{Config, RunSettings};
use crate::store::containers::Base;
use crate::store::images::{ImageEntry, StoredImage};
use crate::store::{NewContainer, Work};
use crate::transport::containers_storage::to_read;
use crate::transport::{Access, Source};
use crate::verbs::beside;
use crate::verbs::images::named_as;
use crate::verbs::pull::{Policy, Pull, tell_platform};

mod ids;

/// Makes a working container.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct From {
    /// `scratch`, an image's name or id, or a location such as `oci:dir:name`.
    pub image: String,
    /// The container's name; without one it is named after the image, `-1`, `-2` … while that is taken.
    pub name: Option<String>,
    /// In which format a commit of it writes, unless told otherwise.
    pub format: Format,
    /// Whether each verb on it is a step that is taken from the cache where it is known.
    pub cached: bool,
    /// How commands run in it, unless a run says otherwise.
    pub run: RunSettings,
    /// How a registry is reached.
    pub access: Access,
    /// When one is asked for the image.
    pub pull: Policy,
    /// Which image of an index; this machine's, unless given.
    pub platform: Wanted,
}

/// A container that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its name.
    pub name: String,
    /// Its id, 64 hexadecimal digits.
    pub id: String,
}

impl From {
    /// Makes the container. Its files are mounted only when they are asked for.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<Made> {
        self.run.check()?;
        let work = builder.store.work()?;
        let base = if self.image == "scratch" { None } else { Some(self.base(builder, &work)?) };
        let after = match &base {
            None => "working-container".to_owned(),
            Some(base) => format!("{}-working-container", base_name(&base.name)),
        };
        let exact = self.name.is_some();
        let name = self.name.clone().unwrap_or(after);
        let mut run = self.run.clone();
        let chosen = ids::settle(builder, &work, base.as_ref(), &mut run)?;
        let run = (run != RunSettings::default())
            .then(|| serde_json::to_value(&run).expect("plain data becomes JSON"));
        let (format, cached) = (self.format, self.cached);
        let created = now_nanoseconds();
        let new = NewContainer { name, exact, base, format, run, created, cached, ..NewContainer::default() };
        let record = beside::make_container(builder, &work, new)?;
        drop(chosen);
        if self.image == "scratch" {
            self.set_platform(builder, &record.id)?;
        }
        Ok(Made { name: record.name, id: record.id })
    }

    /// An image from nothing is for the platform that was asked for.
    fn set_platform(&self, builder: &Builder<'_>, container: &str) -> Result<()> {
        if self.platform == Wanted::default() {
            return Ok(());
        }
        let Wanted { os, variant, .. } = self.platform.clone();
        let arch = self.platform.arch.is_some().then(|| self.platform.arch().to_owned());
        let edits =
            [os.map(ConfigEdit::Os), arch.map(ConfigEdit::Architecture), variant.map(ConfigEdit::Variant)];
        let edits = edits.into_iter().flatten().collect();
        Config { container: container.to_owned(), edits, history: Vec::new() }.perform(builder)
    }

    /// The image it starts from, held by `work`; brought if it is not here.
    pub(super) fn base(&self, builder: &Builder<'_>, work: &Work) -> Result<Base> {
        let is_place = Location::has_transport(&self.image)
            && !matches!(Location::parse(&self.image)?, Location::Registry(_));
        let pull = Pull {
            source: self.image.clone(),
            access: self.access.clone(),
            // A policy is about registries: what lies in a file was meant to be read.
            policy: if is_place { Policy::Missing } else { self.pull },
            platform: self.platform.clone(),
            ..Pull::default()
        };
        // An image that is here is held by the name it was asked for by: it may be removed or made anew meanwhile.
        let plain = self.pull == Policy::Missing && self.platform == Wanted::default();
        let here = if plain && !Location::has_transport(&self.image) {
            match beside::hold(builder, work, &self.image)? {
                None => builder.store.hold_image(work, &self.image).map(Some),
                here => Ok(here),
            }
        } else if is_place {
            let location = to_read(Location::parse(&self.image)?, &builder.settings.machine);
            beside::hold_at(builder, work, &location)
        } else {
            Ok(None)
        };
        // Of what is brought, the pull tells.
        let was_here = matches!(here, Ok(Some(_)));
        let (text, image) = match here {
            Ok(Some(image)) => (self.image.clone(), image),
            Err(error) if error.kind() != Kind::NotFound => return Err(error),
            Ok(None) | Err(_) => {
                let pulled = pull.perform(builder)?;
                let text = pulled.name.unwrap_or_else(|| self.image.clone());
                let id = pulled.id.hex();
                (text, self.brought(builder, work, &id)?)
            }
        };
        let name = name_of(&image.entry, &text).unwrap_or(text);
        if was_here {
            tell_platform(builder, &name, &image.config, &self.platform);
        }
        Ok(Base {
            name,
            id: image.entry.id,
            manifest: image.entry.manifest.digest,
            layers: image.config.rootfs.diff_ids,
        })
    }

    /// An image that a pull found or brought, by its id. Where the files of a storage's layers cannot be used in place,
    /// they are copied.
    fn brought(&self, builder: &Builder<'_>, work: &Work, id: &str) -> Result<StoredImage> {
        if let Some(image) = beside::hold(builder, work, id)? {
            return Ok(image);
        }
        match (builder.store.hold_image(work, id), beside::find(builder, id)?) {
            (Err(error), Some(source)) if error.kind() == Kind::NotFound => {
                Pull { source: source.name(), access: self.access.clone(), ..Pull::default() }
                    .perform(builder)?;
                builder.store.hold_image(work, id)
            }
            (held, _) => held,
        }
    }
}

/// The full name an image was meant by; its first one, if it was named by its id.
fn name_of(image: &ImageEntry, text: &str) -> Option<String> {
    named_as(image, text).or_else(|| image.names.first().cloned())
}

/// What a container is named after: the last part of the image's path, or of a location's directory.
pub(super) fn base_name(image: &str) -> String {
    match image.parse::<crate::name::Reference>() {
        Ok(name) if !Location::has_transport(image) => name.base().to_owned(),
        _ => {
            let last = image.rsplit(['/', ':']).find(|part| !part.is_empty()).unwrap_or("image");
            last.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
        }
    }
}
