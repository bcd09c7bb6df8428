//! What becomes of an image on its way: which layers change their form, and how its manifest then says so.
//!
//! Media types are those of the OCI image specification 1.1 and of Docker's schema 2. A layer of a media type that is
//! not known here, as artifacts have them, is never touched.

use crate::error::{Error, Kind, Result};
use crate::layer::{Compression, TABLE_DIGEST};
use crate::oci::{Descriptor, Format, Manifest, media_type};
use crate::store::layers::Packed;
use crate::transport::sink::Wants;

/// The annotation of an entry of an index whose image has zstd layers, so that who knows it prefers it.
pub(crate) const ZSTD_MARK: &str = "io.github.containers.compression.zstd";

/// How layers are to be compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Recompress {
    /// The form plain layers get; what the target prefers, unless given. Plain is a form, too.
    pub to: Option<Compression>,
    /// The level; each form's usual one, unless given.
    pub level: Option<i32>,
    /// What becomes of layers that are compressed already, in another form.
    pub others: Others,
}

/// What becomes of layers that are compressed already, but not in the form that is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Others {
    /// They stay as they are.
    #[default]
    Stay,
    /// They are compressed again, unless the target has them as they are.
    UnlessThere,
    /// They are compressed again.
    Change,
}

/// The form of a layer by its media type and what is said of it; none if it is no layer.
pub(crate) fn form_of(layer: &Descriptor) -> Option<Compression> {
    match layer.media_type.as_str() {
        media_type::LAYER | media_type::DOCKER_LAYER => Some(Compression::None),
        media_type::LAYER_GZIP | media_type::DOCKER_LAYER_GZIP => Some(Compression::Gzip),
        media_type::LAYER_ZSTD if layer.annotations.contains_key(TABLE_DIGEST) => {
            Some(Compression::ZstdChunked)
        }
        media_type::LAYER_ZSTD | media_type::DOCKER_LAYER_ZSTD => Some(Compression::Zstd),
        _ => None,
    }
}

/// The media type of a layer in a form; Docker's family has none for zstd.
pub(crate) fn layer_type(format: Format, form: Compression) -> &'static str {
    match (format, form) {
        (Format::Oci, Compression::None) => media_type::LAYER,
        (Format::Oci, Compression::Gzip) => media_type::LAYER_GZIP,
        (_, Compression::Zstd | Compression::ZstdChunked) => media_type::LAYER_ZSTD,
        (Format::Docker, Compression::None) => media_type::DOCKER_LAYER,
        (Format::Docker, Compression::Gzip) => media_type::DOCKER_LAYER_GZIP,
    }
}

/// Whether a layer is kept elsewhere: the media types for those that may not be handed on, with addresses.
pub(crate) fn is_foreign(layer: &Descriptor) -> bool {
    layer.media_type.contains(".nondistributable.") || layer.media_type.contains(".foreign.")
}

impl Recompress {
    /// The form that a layer gets; none if it stays as it is.
    pub fn change(self, layer: &Descriptor, wants: Wants, format: Format) -> Option<Compression> {
        self.change_of(form_of(layer)?, wants, format)
    }

    /// The form that a layer gets which has the form `now`; none if it stays as it is.
    pub fn change_of(self, now: Compression, wants: Wants, format: Format) -> Option<Compression> {
        let wanted = match (now, self.to) {
            _ if wants == Wants::Unchanged => now,
            (Compression::None, Some(to)) => to,
            (Compression::None, None) if wants == Wants::Compressed => Compression::Gzip,
            (Compression::None, None) => Compression::None,
            // With a table it is what was asked for, and more.
            (Compression::ZstdChunked, Some(Compression::Zstd)) => now,
            (_, Some(to)) if self.others != Others::Stay => to,
            (_, None) if wants == Wants::Plain => Compression::None,
            (now, _) => now,
        };
        let wanted = if wants == Wants::Plain { Compression::None } else { wanted };
        // Docker's media types have no word for it.
        let wanted = match (format, wanted) {
            (Format::Docker, Compression::Zstd | Compression::ZstdChunked) => Compression::Gzip,
            (_, wanted) => wanted,
        };
        (wanted != now).then_some(wanted)
    }

    /// Whether a layer that is known in a form has the level that is asked for: nothing else differs.
    pub fn has_level(self, known: &Packed, form: Compression) -> bool {
        known.level == self.unusual_level(form)
    }

    /// The level for a form, if it is not the usual one.
    pub fn unusual_level(self, form: Compression) -> Option<i32> {
        Some(self.level(form)).filter(|level| *level != form.default_level())
    }

    /// The level for a form.
    pub fn level(self, form: Compression) -> i32 {
        self.level.filter(|_| form != Compression::None).unwrap_or_else(|| form.default_level())
    }
}

/// Which family a manifest is written in at the target.
pub(crate) fn choose_format(
    asked: Option<Format>,
    now: Format,
    taken: &[Format],
    recompress: Recompress,
) -> Result<Format> {
    let has_zstd = matches!(recompress.to, Some(Compression::Zstd | Compression::ZstdChunked));
    if let Some(asked) = asked {
        if asked == Format::Docker && has_zstd {
            return Err(Error::new(Kind::Unsupported, "cannot compress the layers with `zstd`")
                .because("Docker's media types have none for it")
                .hint("write OCI's media types, with --format oci"));
        }
        return Ok(asked);
    }
    if has_zstd && taken.contains(&Format::Oci) {
        return Ok(Format::Oci);
    }
    Ok(if taken.contains(&now) { now } else { taken[0] })
}

/// The manifest in a family of media types, its layers as they were sent.
pub(crate) fn rewrite(manifest: &Manifest, layers: Vec<Descriptor>, format: Format) -> Result<Manifest> {
    let mut written = manifest.clone();
    written.layers = layers;
    if format == manifest.format() {
        return Ok(written);
    }
    if form_of_config(&manifest.config.media_type).is_none() {
        return Err(artifact_changes(&manifest.config));
    }
    written.media_type = format.manifest().into();
    written.config.media_type = format.config().into();
    for layer in &mut written.layers {
        layer.media_type = format.layer(&layer.media_type).into();
        if format == Format::Docker {
            layer.annotations.clear();
        }
    }
    if format == Format::Docker {
        // Docker's schema 2 has no place for them.
        written.annotations.clear();
        written.other.clear();
    }
    Ok(written)
}

/// Why the manifest of an artifact, with this config, does not get another family of media types.
pub(crate) fn artifact_changes(config: &Descriptor) -> Error {
    Error::new(Kind::Unsupported, "cannot change the media types")
        .because(format!("the manifest is of an artifact: its config is of the type `{}`", config.media_type))
        .hint("copy it without --format")
}

/// Why an image whose manifest changes is not copied with its signatures.
pub(crate) fn invalidated() -> Error {
    Error::new(Kind::Unsupported, "cannot keep the image's signatures")
        .because("its manifest changes on the way")
        .hint("leave them behind with --remove-signatures")
}

/// Refuses the config of an artifact for a place that keeps images only: `place` says which.
pub(crate) fn refuse_artifact(config: &Descriptor, place: &str) -> Result<()> {
    if form_of_config(&config.media_type).is_some() {
        return Ok(());
    }
    Err(Error::new(Kind::Unsupported, format!("cannot keep the artifact in {place}"))
        .because(format!("its config is of the type `{}`, which is no image's", config.media_type))
        .hint("copy it elsewhere: kiln image copy SOURCE oci:DIRECTORY:NAME"))
}

/// The family of a config's media type; none if it is no image's.
pub(crate) fn form_of_config(media_type: &str) -> Option<Format> {
    match media_type {
        media_type::CONFIG => Some(Format::Oci),
        media_type::DOCKER_CONFIG => Some(Format::Docker),
        _ => None,
    }
}

/// The family of an index's media type.
pub(crate) fn index_format(media_type: &str) -> Format {
    if media_type == Format::Docker.index() { Format::Docker } else { Format::Oci }
}
