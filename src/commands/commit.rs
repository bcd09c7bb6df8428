//! `kiln commit`.

use std::path::PathBuf;

use builder_core::{
    Commit, ConfigEdit as E, Error, Existing, Format, Kind, ManifestCreate, Reference, Result,
};

use crate::args::refused::{RefusedArgs, refuse_first};
use crate::args::times::TimeFlags;
use crate::args::{BlobCacheArgs, CommitCompressionArgs, RegistryArgs, change, list};
use crate::cli::Context;
use crate::commands::{check_output, default_format, metadata, parse_format, write_file};
use crate::exit::Exit;
use crate::ui::{self, Talk};

/// Make an image of a working container
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The container, by name or id
    container: String,
    /// The image's name, or a location such as oci:DIR:NAME (default: an image without a name)
    image: Option<String>,
    /// Put this file into the image and not into the container (default: at the path it has here)
    #[arg(long, value_name = "FILE[:DESTINATION]")]
    add_file: Vec<String>,
    /// Set an annotation of the manifest
    #[arg(long, value_name = "NAME=VALUE")]
    annotation: Vec<String>,
    /// Change what the image says of itself, by an instruction of a Dockerfile such as 'CMD ["/bin/sh"]'
    #[arg(long, short, value_name = "INSTRUCTION")]
    change: Vec<String>,
    /// Change what the image says of itself: the JSON of a config, whose fields win over the container's
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// With false, the manifest has no annotation of when the image was made
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    created_annotation: Option<bool>,
    /// The image's format: oci or docker (default: as the container was made with) [env: BUILDAH_FORMAT]
    #[arg(long, short, value_parser = parse_format)]
    format: Option<Format>,
    /// Label the image with the version of this program (default: no label, so that an image does not depend on it)
    #[arg(long)]
    identity_label: bool,
    /// Put the image into this list of images, which is made if there is none of that name
    #[arg(long, value_name = "LIST")]
    manifest: Option<String>,
    /// Write what was made to this file: a JSON object with the id and digest of the image, and its name
    #[arg(long, value_name = "FILE")]
    metadata_file: Option<PathBuf>,
    /// The image tells nothing of what made it
    #[arg(long)]
    omit_history: bool,
    /// Add no layer where no file changed
    #[arg(long)]
    omit_empty_layer: bool,
    /// Remove an annotation from the image; several with commas between
    #[arg(long, value_name = "NAME")]
    unsetannotation: Vec<String>,
    /// Remove a variable from the image; several with commas between
    #[arg(long, value_name = "NAME")]
    unsetenv: Vec<String>,
    #[command(flatten)]
    compression: CommitCompressionArgs,
    /// Write the image id to this file instead of printing it
    #[arg(long, value_name = "FILE")]
    iidfile: Option<PathBuf>,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    blob_cache: BlobCacheArgs,
    /// Do not tell what is written
    #[arg(long, short)]
    quiet: bool,
    /// Remove the container afterwards
    #[arg(long)]
    rm: bool,
    /// One layer for each step of a cached container that changed files
    #[arg(long, conflicts_with = "squash")]
    layers: bool,
    /// One layer with everything in it, the base's layers included
    #[arg(long)]
    squash: bool,
    #[command(flatten)]
    times: TimeFlags,
    #[command(flatten)]
    refused: Refused,
}

/// What Kiln has not: said at once, and never ignored.
#[derive(Debug, clap::Args)]
struct Refused {
    #[command(flatten)]
    other: RefusedArgs,
    #[arg(long, hide = true)]
    encryption_key: Vec<String>,
    #[arg(long, hide = true)]
    encrypt_layer: Vec<String>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "always")]
    pull: Option<String>,
}

impl Refused {
    /// Refuses the first flag that was given.
    fn check(&self) -> Result<()> {
        let crypt = "encrypt the layout it is pushed to: kiln push IMAGE oci:DIR, then a tool for that";
        let scan = "it is about the scanner of --sbom, which Kiln has not: leave it away";
        refuse_first(&[
            ("--encryption-key", !self.encryption_key.is_empty(), crypt),
            ("--encrypt-layer", !self.encrypt_layer.is_empty(), crypt),
            ("--pull", self.pull.is_some(), scan),
        ])?;
        self.other.check()
    }
}

impl Args {
    /// Commits, and prints the image id unless it went to a file.
    pub fn run(self, context: &Context) -> Result<Exit> {
        self.refused.check()?;
        check_output(self.metadata_file.as_deref())?;
        check_output(self.iidfile.as_deref())?;
        self.manifest.as_deref().map(str::parse::<Reference>).transpose()?;
        let blobs = self.blob_cache.make()?;
        let talk = Talk { quiet: self.quiet };
        let (times, created) = self.times.chosen()?;
        let edits = self.edits()?;
        let format = default_format(self.format)?;
        let builder = context.privileged(&talk)?.keeping_blobs(blobs);
        let commit = Commit {
            container: self.container,
            image: self.image,
            format,
            squash: self.squash,
            layers: self.layers,
            each_step: false,
            times,
            created,
            compression: self.compression.chosen(),
            level: self.compression.level()?,
            force_compression: self.compression.force_compression,
            add_files: self.add_file.iter().map(|text| added_file(text)).collect::<Result<_>>()?,
            rm: self.rm,
            omit_empty: self.omit_empty_layer,
            edits,
            omit_history: self.omit_history,
            omit_created_annotation: self.created_annotation == Some(false),
            access: self.registry.access()?,
            passing: false,
        };
        let made = commit.perform(&builder)?;
        if let Some(name) = self.manifest {
            let images = vec![made.id.hex()];
            let existing = Existing::Amend;
            ManifestCreate { name, images, existing, ..ManifestCreate::default() }.perform(&builder)?;
        }
        if let Some(path) = &self.metadata_file {
            let names: Vec<&str> = made.name.as_deref().into_iter().collect();
            write_file(path, &metadata(Some(made.id), &made.manifest, &names))?;
        }
        match &self.iidfile {
            Some(path) => write_file(path, &made.id.to_string())?,
            None => ui::result(made.id.hex()),
        }
        Ok(Exit::Success)
    }

    /// What this image says of itself beside what its container does, what is removed last.
    fn edits(&self) -> Result<Vec<E>> {
        let mut edits = self.config.as_deref().map(change::of_config).transpose()?.unwrap_or_default();
        for line in &self.change {
            edits.extend(change::of_instruction(line)?);
        }
        for text in &self.annotation {
            let Some((name, value)) = text.split_once('=').filter(|(name, _)| !name.is_empty()) else {
                return Err(Error::invalid(format!("cannot set the annotation `{text}`"))
                    .because("it is not NAME=VALUE")
                    .hint(format!("--annotation {text}=VALUE")));
            };
            edits.push(E::Annotation(name.to_owned(), value.to_owned()));
        }
        if self.identity_label {
            edits.push(E::Label("io.buildah.version".into(), super::version::BUILDAH.into()));
        }
        let names = list::split_all("--unsetenv", &self.unsetenv)?;
        edits.extend(names.into_iter().map(E::UnsetEnv));
        let names = list::split_all("--unsetannotation", &self.unsetannotation)?;
        edits.extend(names.into_iter().map(E::UnsetAnnotation));
        Ok(edits)
    }
}

/// `FILE[:DESTINATION]`, the file by its absolute path.
fn added_file(text: &str) -> Result<(String, String)> {
    let (file, destination) = text.split_once(':').unwrap_or((text, ""));
    let sentence = || format!("cannot add the file `{text}`");
    let path = std::fs::canonicalize(file).map_err(|cause| {
        Error::new(Kind::NotFound, sentence()).because(cause).hint("--add-file FILE:/WHERE/IN/THE/IMAGE")
    })?;
    if !path.is_file() {
        return Err(Error::invalid(sentence())
            .because(format!("`{file}` is not a regular file"))
            .hint("a directory is copied with `kiln copy`"));
    }
    let Some(path) = path.to_str() else {
        return Err(Error::invalid(sentence()).because("its path is not UTF-8"));
    };
    let destination = if destination.is_empty() { path } else { destination };
    Ok((path.to_owned(), destination.to_owned()))
}
