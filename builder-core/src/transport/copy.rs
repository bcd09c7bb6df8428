//! The copy engine: one image, or an index of several, from any source to any sink.
//!
//! Blobs first, several at a time, then manifests, so that nothing half-sent has a name. A layer is digested while it
//! moves and changes its form, where it has to, in the same pass. What the target has is not sent, and what does not
//! change keeps its bytes and with them its digest.

use std::path::PathBuf;

use crate::error::{Context, Error, Kind, Result};
use crate::event::{Event, Reporter};
use crate::layer::Compression;
use crate::oci::Wanted;
use crate::oci::{Descriptor, Digest, Format, ImageConfig, Index, MAX_MANIFEST, Manifest};
use crate::transport::ahead;
use crate::transport::blobs::{Blobs, Sender};
use crate::transport::convert::{self, Others, Recompress};
use crate::transport::sink::{Role, Signatures, Sink, Wants, is_form_refused};
use crate::transport::source::{Content, RawManifest, Source};
use crate::transport::turn::Turn;

/// How many indexes may be nested: an image of several platforms is one in another.
const MAX_NESTING: usize = 4;

/// How many manifests an index may name.
const MAX_INSTANCES: usize = 1000;

/// What of an index is copied.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Which {
    /// The image for one platform.
    #[default]
    One,
    /// The index and all that it names.
    All,
    /// The index alone: what it names is there already.
    IndexOnly,
}

/// How an image is copied.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct CopyOptions {
    /// What of an index.
    pub which: Which,
    /// The platform that is chosen of an index; this machine's, unless given.
    pub platform: Wanted,
    /// The family of media types at the target; the image's own where the target takes it, unless given.
    pub format: Option<Format>,
    /// The form of the layers at the target.
    pub recompress: Recompress,
    /// Which layers the target gets where it would take any; as it prefers, unless given.
    pub wants: Option<Wants>,
    /// Fails rather than change a digest.
    pub preserve_digests: bool,
    /// Leaves signatures behind.
    pub remove_signatures: bool,
    /// Layers that change their form are made in this directory first, so that a target which has one is not sent it.
    pub precompute: Option<PathBuf>,
    /// Forms of layers that each image of an index is sent in as well, where it does not have them.
    pub also: Vec<Compression>,
}

/// What was copied.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Copied {
    /// The manifest, or the index, at the target.
    pub manifest: Descriptor,
    /// The config of the image; none for an index.
    pub config: Option<Digest>,
}

/// Copies what `source` was opened for to where `sink` was.
pub(crate) fn copy_image(
    source: &dyn Source,
    sink: &dyn Sink,
    options: &CopyOptions,
    reporter: &dyn Reporter,
) -> Result<Copied> {
    let copied = add_image(source, sink, options, reporter)?;
    sink.finish()?;
    reporter.report(Event::Copied { source: source.name(), target: sink.name() });
    Ok(copied)
}

/// As [`copy_image`], for a sink that takes more than one: the caller finishes it.
pub(crate) fn add_image(
    source: &dyn Source,
    sink: &dyn Sink,
    options: &CopyOptions,
    reporter: &dyn Reporter,
) -> Result<Copied> {
    let add = |options: &CopyOptions| {
        let copy = Copy { source, sink, options, reporter, recompress: options.recompress };
        ahead::send(source, sink, options, reporter)?;
        let top = limited(source.manifest()?)?;
        match (top.is_index(), &options.which) {
            (false, _) => copy.image(&top, Role::Named),
            (true, Which::One) => {
                let (_, chosen) = choose(source, &top, &options.platform)?;
                copy.image(&chosen, Role::Named)
            }
            (true, Which::All | Which::IndexOnly) => copy.index(&top, Role::Named, 0),
        }
    };
    let added = add(options).or_else(|error| {
        if options.format.is_some() || options.preserve_digests || !is_form_refused(&error) {
            return Err(error);
        }
        // Old registries know no OCI. What was sent is there by now.
        let docker = CopyOptions { format: Some(Format::Docker), ..options.clone() };
        add(&docker).map_err(|_| error)
    });
    added.map_err(advised)
}

/// With a hint, where bytes from elsewhere are not what they should be and nothing nearer helps.
pub(crate) fn advised(error: Error) -> Error {
    match error.kind() {
        Kind::Corrupt => {
            error.hint("fetch it again, or from elsewhere; if that is no better, it has to be made anew")
        }
        _ => error,
    }
}

/// Follows indexes down to the manifest for a platform.
pub(crate) fn choose(
    source: &dyn Source,
    top: &RawManifest,
    wanted: &Wanted,
) -> Result<(Descriptor, RawManifest)> {
    let mut found = (top.descriptor(), top.clone());
    for _ in 0..=MAX_NESTING {
        if !found.1.is_index() {
            return Ok(found);
        }
        let index = Index::parse(&found.1.bytes)?;
        let chosen = crate::oci::choose(&index, wanted).map_err(|error| {
            let sentence = format!("cannot choose an image in `{}`", source.name());
            Error::new(error.kind(), sentence).because(error)
        })?;
        let manifest = instance(source, &chosen)?;
        found = (chosen, manifest);
    }
    Err(Error::corrupt(format!("cannot choose an image in `{}`", source.name()))
        .because("its indexes are nested too deeply"))
}

/// A manifest that an index names, its digest checked.
pub(crate) fn instance(source: &dyn Source, descriptor: &Descriptor) -> Result<RawManifest> {
    let mut manifest = limited(source.instance(descriptor)?)?;
    let found = manifest.digest();
    if found != descriptor.digest {
        return Err(Error::corrupt(format!("cannot read the blob `{}`", descriptor.digest))
            .because(format!("its content has the digest {found}")));
    }
    // What the index says of it stands: places that keep no media types cannot.
    if !descriptor.media_type.is_empty() {
        manifest.media_type.clone_from(&descriptor.media_type);
    }
    Ok(manifest)
}

fn limited(manifest: RawManifest) -> Result<RawManifest> {
    if manifest.bytes.len() as u64 > MAX_MANIFEST {
        return Err(Error::corrupt("cannot read the image manifest")
            .because(format!("it is larger than {MAX_MANIFEST} bytes")));
    }
    Ok(manifest)
}

/// The whole of a small blob, checked.
pub(crate) fn small_blob(source: &dyn Source, blob: &Descriptor) -> Result<Vec<u8>> {
    use std::io::Read;
    if blob.size > MAX_MANIFEST {
        return Err(Error::corrupt(format!("cannot read the blob `{}`", blob.digest))
            .because(format!("it is larger than {MAX_MANIFEST} bytes")));
    }
    let Content::Stored(reader) = source.blob(blob)? else {
        return Err(Error::corrupt(format!("cannot read the blob `{}`", blob.digest))
            .because("it is a layer, and not a config"));
    };
    let mut bytes = Vec::new();
    let mut checked = crate::layer::Checked::new(reader, blob);
    checked.read_to_end(&mut bytes).cannot("read the blob", blob.digest)?;
    Ok(bytes)
}

/// Reads a manifest's config and checks what it says of the layers against the manifest.
pub(crate) fn read_config(source: &dyn Source, manifest: &Manifest) -> Result<(Vec<u8>, ImageConfig)> {
    let bytes = small_blob(source, &manifest.config)?;
    let sentence = || format!("cannot read the image config `{}`", manifest.config.digest);
    let config: ImageConfig =
        serde_json::from_slice(&bytes).map_err(|cause| Error::corrupt(sentence()).because(cause))?;
    let (named, there) = (config.rootfs.diff_ids.len(), manifest.layers.len());
    if named != there {
        return Err(
            Error::corrupt(sentence()).because(format!("it names {named} layers, the manifest {there}"))
        );
    }
    Ok((bytes, config))
}

/// Which layers the sink gets: an archive of Docker's has no compressed ones, whoever wants them.
pub(crate) fn wanted(sink: &dyn Sink, asked: Option<Wants>) -> Wants {
    match (sink.wants(), asked) {
        (own @ (Wants::Plain | Wants::Unchanged), _) => own,
        (preferred, asked) => asked.unwrap_or(preferred),
    }
}

struct Copy<'a> {
    source: &'a dyn Source,
    sink: &'a dyn Sink,
    options: &'a CopyOptions,
    reporter: &'a dyn Reporter,
    /// That of the options, or another one for an image that is sent once more.
    recompress: Recompress,
}

impl Copy<'_> {
    /// One image, or an artifact: its blobs, then its manifest.
    fn image(&self, raw: &RawManifest, role: Role) -> Result<Copied> {
        let manifest = Manifest::parse(&raw.bytes)?;
        let signatures = self.signatures(raw)?;
        // An artifact's config is nothing to be read, and its blobs go as they are.
        let is_image = convert::form_of_config(&manifest.config.media_type).is_some();
        let (config, diff_ids) = match is_image {
            true => {
                let (bytes, config) = read_config(self.source, &manifest)?;
                (bytes, config.rootfs.diff_ids)
            }
            false => (small_blob(self.source, &manifest.config)?, Vec::new()),
        };
        let format = self.format_of(&manifest, is_image)?;
        if !signatures.is_empty() && format != manifest.format() {
            return Err(convert::invalidated());
        }
        self.sink.begin(&manifest.config, &config)?;
        let blobs = Blobs {
            source: self.source,
            sender: Sender {
                sink: self.sink,
                reporter: self.reporter,
                recompress: self.recompress,
                wants: self.wants(!signatures.is_empty()),
                format,
                precompute: self.options.precompute.as_deref(),
                turn: Turn::default(),
            },
            keep: self.options.preserve_digests,
        };
        if let Some(sent) = self.there_already(&blobs, raw, &manifest, &diff_ids, role)? {
            self.hand_over(&signatures, raw, &sent)?;
            return Ok(Copied {
                manifest: sent.descriptor(),
                config: is_image.then_some(manifest.config.digest),
            });
        }
        let layers = blobs.all((&manifest.config, &config), &self.at_hand(&manifest), &diff_ids)?;
        let written = convert::rewrite(&manifest, layers, format)?;
        let sent = if written == manifest {
            RawManifest { media_type: raw.media_type.clone(), bytes: raw.bytes.clone() }
        } else if self.options.preserve_digests {
            return Err(self.would_change("a layer changes its form"));
        } else {
            RawManifest { media_type: format.manifest().into(), bytes: written.to_bytes() }
        };
        self.hand_over(&signatures, raw, &sent)?;
        self.sink.put_manifest(&sent, role)?;
        Ok(Copied { manifest: sent.descriptor(), config: is_image.then_some(manifest.config.digest) })
    }

    /// The family of media types that a manifest gets.
    fn format_of(&self, manifest: &Manifest, is_image: bool) -> Result<Format> {
        let (now, taken, asked) = (manifest.format(), self.sink.formats(), self.options.format);
        if self.options.preserve_digests {
            let why = "the target takes no manifest of this media type";
            return if taken.contains(&now) { Ok(now) } else { Err(self.would_change(why)) };
        }
        if is_image {
            return convert::choose_format(asked, now, taken, self.recompress);
        }
        // What takes nothing but Docker's manifests is made for images only.
        if !taken.contains(&Format::Oci) {
            convert::refuse_artifact(&manifest.config, &format!("`{}`", self.sink.name()))?;
        }
        match asked {
            Some(asked) if asked != now => Err(convert::artifact_changes(&manifest.config)),
            _ => Ok(now),
        }
    }

    /// The manifest the target would get, where that is known before anything is sent and it has it.
    fn there_already(
        &self,
        blobs: &Blobs<'_>,
        raw: &RawManifest,
        manifest: &Manifest,
        diff_ids: &[Digest],
        role: Role,
    ) -> Result<Option<RawManifest>> {
        let format = blobs.sender.format;
        let Some(layers) = blobs.foresee(&manifest.layers, diff_ids)? else { return Ok(None) };
        let written = convert::rewrite(manifest, layers, format)?;
        let sent = match written == *manifest {
            true => raw.clone(),
            false if self.options.preserve_digests => return Ok(None),
            false => RawManifest { media_type: format.manifest().into(), bytes: written.to_bytes() },
        };
        Ok(self.sink.has_manifest(&sent, role)?.then_some(sent))
    }

    /// The layers as the source has them.
    fn at_hand(&self, manifest: &Manifest) -> Vec<Descriptor> {
        let Some(plain) = self.source.plain_layers() else { return manifest.layers.clone() };
        let same = |(named, plain): (&Descriptor, Descriptor)| {
            if named.digest == plain.digest { named.clone() } else { plain }
        };
        manifest.layers.iter().zip(plain).map(same).collect()
    }

    fn would_change(&self, why: &str) -> Error {
        Error::new(Kind::Unsupported, format!("cannot keep the digests in `{}`", self.sink.name()))
            .because(why.to_owned())
            .hint("copy without --preserve-digests")
    }

    /// Which layers the sink gets. What is signed stays as it is, unless somebody asks for another form in so many
    /// words: then it is told that this cannot be.
    fn wants(&self, is_signed: bool) -> Wants {
        match (is_signed, self.options.wants) {
            (true, None) if self.recompress == Recompress::default() => Wants::Unchanged,
            (_, asked) => wanted(self.sink, asked),
        }
    }

    /// The signatures that go along with a manifest, if the sink takes them: asked before anything is sent.
    fn signatures(&self, raw: &RawManifest) -> Result<Vec<Vec<u8>>> {
        let becomes = self.sink.signatures();
        if self.options.remove_signatures || becomes == Signatures::LeftBehind {
            return Ok(Vec::new());
        }
        let found = self.source.signatures(raw.digest())?;
        if found.is_empty() || becomes == Signatures::Kept {
            return Ok(found);
        }
        let sentence = format!("cannot keep the image's signatures in `{}`", self.sink.name());
        Err(Error::new(Kind::Unsupported, sentence)
            .because("it has no place for them")
            .hint("leave them behind with --remove-signatures"))
    }

    /// Hands signatures to the sink. Each is of one digest: they go along with a manifest that did not change.
    fn hand_over(&self, signatures: &[Vec<u8>], before: &RawManifest, sent: &RawManifest) -> Result<()> {
        match signatures.is_empty() {
            true => Ok(()),
            false if before.bytes != sent.bytes => Err(convert::invalidated()),
            false => self.sink.put_signatures(sent.digest(), signatures),
        }
    }

    /// The entries of an index whose layers are zstd: marked so, or added without the mark. Nobody asks where no other
    /// form is wanted.
    fn in_zstd(&self, index: &Index) -> Result<Vec<Descriptor>> {
        let mut found = Vec::new();
        let is_zstd = |form| matches!(form, Compression::Zstd | Compression::ZstdChunked);
        for entry in index.manifests.iter().filter(|_| !self.options.also.is_empty()) {
            let marked = entry.annotations.contains_key(convert::ZSTD_MARK);
            let layers = match marked {
                true => Vec::new(),
                // What is no image has no layers to be in another form.
                false => Manifest::parse(&instance(self.source, entry)?.bytes)
                    .map(|manifest| manifest.layers)
                    .unwrap_or_default(),
            };
            let forms = layers.iter().map(convert::form_of);
            if marked || !layers.is_empty() && forms.flatten().all(is_zstd) {
                found.push(entry.clone());
            }
        }
        Ok(found)
    }

    /// Sends an image of an index in the other forms that are asked for, and gives an entry for each. `in_zstd` are
    /// those of the index that are.
    fn variants(
        &self,
        raw: &RawManifest,
        entry: &Descriptor,
        in_zstd: &[Descriptor],
    ) -> Result<Vec<Descriptor>> {
        let mut more = Vec::new();
        let Ok(manifest) = Manifest::parse(&raw.bytes) else { return Ok(more) };
        if convert::form_of_config(&manifest.config.media_type).is_none() {
            return Ok(more);
        }
        for form in &self.options.also {
            let there = match form {
                Compression::Zstd | Compression::ZstdChunked => {
                    in_zstd.iter().any(|other| other.platform == entry.platform)
                }
                // One that is not compressed yet gets the form all have.
                form => manifest.layers.iter().filter_map(convert::form_of).all(|now| {
                    let plain = now == Compression::None;
                    plain || now == *form
                }),
            };
            if there || in_zstd.iter().any(|other| other.digest == entry.digest) {
                continue;
            }
            let recompress = Recompress { to: Some(*form), level: None, others: Others::Change };
            let copied = Copy { recompress, ..*self }.image(raw, Role::Instance)?;
            let mut variant = entry.clone();
            take_place(&mut variant, copied.manifest);
            if matches!(form, Compression::Zstd | Compression::ZstdChunked) {
                variant.annotations.insert(convert::ZSTD_MARK.into(), "true".into());
            }
            more.push(variant);
        }
        Ok(more)
    }

    /// An index: what it names, then itself, with the digests that came of it.
    fn index(&self, raw: &RawManifest, role: Role, depth: usize) -> Result<Copied> {
        if !self.sink.takes_index() {
            return Err(Error::new(
                Kind::Unsupported,
                format!("cannot copy an index to `{}`", self.sink.name()),
            )
            .because("it takes single images only")
            .hint("copy the image for one platform, without --all"));
        }
        let now = convert::index_format(&raw.media_type);
        if self.options.preserve_digests && self.options.format.is_some_and(|asked| asked != now) {
            return Err(self.would_change("--format asks for other media types than the index has"));
        }
        let signatures = self.signatures(raw)?;
        let mut index = Index::parse(&raw.bytes)?;
        if depth > MAX_NESTING || index.manifests.len() > MAX_INSTANCES {
            return Err(Error::corrupt("cannot read the image index")
                .because("it names more manifests, or is nested more deeply, than any image does"));
        }
        let mut changed = false;
        if self.options.which == Which::All {
            let mut more = Vec::new();
            let in_zstd = self.in_zstd(&index)?;
            for entry in &mut index.manifests {
                let manifest = instance(self.source, entry)?;
                if !manifest.is_index() {
                    more.extend(self.variants(&manifest, entry, &in_zstd)?);
                }
                let copied = match manifest.is_index() {
                    true => self.index(&manifest, Role::Instance, depth + 1)?,
                    false => self.image(&manifest, Role::Instance)?,
                };
                changed |= copied.manifest.digest != entry.digest;
                take_place(entry, copied.manifest);
            }
            changed |= !more.is_empty();
            // Last: who knows no zstd takes the first image that fits.
            index.manifests.extend(more);
        }
        let taken = self.sink.formats();
        let mixed = index.manifests.iter().any(|entry| entry.annotations.contains_key(convert::ZSTD_MARK));
        let format = match (self.options.format, self.options.preserve_digests) {
            (Some(asked), false) => asked,
            // Docker's have no annotations.
            (None, false) if mixed && taken.contains(&Format::Oci) => Format::Oci,
            _ if taken.contains(&now) => now,
            (_, false) => taken[0],
            (_, true) => return Err(self.would_change("the target takes no index of this media type")),
        };
        let sent = if changed || format != now {
            index.media_type = format.index().into();
            if format == Format::Docker {
                index.annotations.clear();
            }
            let bytes = serde_json::to_vec(&index).expect("an index has only string keys");
            RawManifest { media_type: format.index().into(), bytes }
        } else {
            raw.clone()
        };
        if self.options.preserve_digests && sent.bytes != raw.bytes {
            return Err(self.would_change("an image in the index changes"));
        }
        self.hand_over(&signatures, raw, &sent)?;
        self.sink.put_manifest(&sent, role)?;
        Ok(Copied { manifest: sent.descriptor(), config: None })
    }
}

/// The entry names what was sent.
fn take_place(entry: &mut Descriptor, sent: Descriptor) {
    entry.media_type = sent.media_type;
    entry.digest = sent.digest;
    entry.size = sent.size;
}
