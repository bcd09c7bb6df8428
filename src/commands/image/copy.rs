//! `kiln image copy`, `skopeo copy`.

use std::path::PathBuf;

use builder_core::{Access, Compression, CopyImage, Error, Format, Layers, Location, Result, Which};

use super::{RetryArgs, Tool};
use crate::args::endpoint::{From, To, refuse};
use crate::args::parse_form;
use crate::args::signing::SigningArgs;
use crate::commands::write_file;
use crate::exit::Exit;
use crate::ui::{self, Talk};

/// Copy an image from any place to any other
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where it is: docker://HOST/NAME:TAG, oci:DIR:NAME, oci-archive:FILE, docker-archive:FILE, dir:DIR,
    /// docker-daemon:NAME:TAG, or containers-storage:[overlay@DIR]NAME for the storage that Podman and others share
    /// (without brackets the machine's, by storage.conf; Kiln's own store where there is none)
    source: String,
    /// Where to, in the same form
    target: String,
    /// Further names at the target
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    additional_tag: Vec<String>,
    /// Of an index, copy the images for all platforms
    #[arg(long, short, conflicts_with = "multi_arch")]
    all: bool,
    /// Of an index, copy the image for this system, all, or the index alone: system, all or index-only
    #[arg(long, value_name = "WHAT", value_parser = parse_which)]
    multi_arch: Option<Which>,
    /// The file with credentials for both ends
    #[arg(long, value_name = "FILE")]
    authfile: Option<PathBuf>,
    #[command(flatten)]
    from: From,
    #[command(flatten)]
    to: To,
    /// Compress layers that are not, where they would stay so
    #[arg(long)]
    dest_compress: bool,
    /// Decompress layers that are compressed
    #[arg(long, conflicts_with_all = ["dest_compress", "dest_compress_format"])]
    dest_decompress: bool,
    /// Compress all layers so, whatever form they have: gzip, zstd or zstd:chunked
    #[arg(long, value_name = "FORMAT", value_parser = parse_form)]
    dest_compress_format: Option<Compression>,
    /// Also compress again what the target has in another compressed form (default: true if --dest-compress-format is
    /// given)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    dest_force_compress_format: Option<bool>,
    /// The level of compression: gzip 0 to 9, zstd 1 to 22
    #[arg(long, value_name = "LEVEL")]
    dest_compress_level: Option<i32>,
    /// Leave layers that are not compressed so in an OCI layout
    #[arg(long)]
    dest_oci_accept_uncompressed_layers: bool,
    /// Make layers that change their form before they are sent, so that a registry which has one is not sent it
    #[arg(long)]
    dest_precompute_digests: bool,
    /// Write the digest of the manifest to this file
    #[arg(long, value_name = "FILE")]
    digestfile: Option<PathBuf>,
    /// The manifest's family of media types: oci or v2s2 (default: as it is, where the target takes that)
    #[arg(long, short, value_name = "FORMAT", value_parser = parse_manifest_type)]
    format: Option<Format>,
    /// Fail rather than change a digest
    #[arg(long)]
    preserve_digests: bool,
    /// Tell what would be copied, and copy nothing
    #[arg(long)]
    dry_run: bool,
    /// How many layers are copied at a time at most
    #[arg(long, value_name = "N")]
    image_parallel_copies: Option<usize>,
    /// Do not tell what is copied
    #[arg(long, short)]
    quiet: bool,
    /// Leave signatures behind
    #[arg(long)]
    remove_signatures: bool,
    #[command(flatten)]
    retry: RetryArgs,
    #[command(flatten)]
    refused: Refused,
}

/// Skopeo's flags that can have no effect here.
#[derive(Debug, clap::Args)]
struct Refused {
    /// Not here
    #[arg(long, value_name = "KEY", hide = true)]
    decryption_key: Vec<String>,
    /// Not here
    #[arg(long, value_name = "KEY", hide = true)]
    encryption_key: Vec<String>,
    /// Not here
    #[arg(long, value_name = "N", hide = true, allow_negative_numbers = true)]
    encrypt_layer: Vec<i32>,
    #[command(flatten)]
    signing: SigningArgs,
}

impl Refused {
    fn check(&self) -> Result<()> {
        let given = [
            ("decryption-key", !self.decryption_key.is_empty()),
            ("encryption-key", !self.encryption_key.is_empty()),
            ("encrypt-layer", !self.encrypt_layer.is_empty()),
        ];
        if let Some((flag, _)) = given.iter().find(|(_, is_given)| *is_given) {
            return refuse(flag, "copy the image without encryption");
        }
        self.signing.check()
    }
}

impl Args {
    /// Copies.
    pub fn run(self, tool: &Tool<'_>) -> Result<Exit> {
        self.refused.check()?;
        let which = match (self.all, self.multi_arch) {
            (true, _) => Which::All,
            (false, which) => which.unwrap_or_default(),
        };
        let layers = match self.dest_compress_format {
            Some(form) => Layers::Form(form, self.dest_force_compress_format.unwrap_or(true)),
            None if self.dest_decompress => Layers::Plain,
            None if self.dest_compress => Layers::Compressed,
            None if self.dest_oci_accept_uncompressed_layers => Layers::Kept,
            None => Layers::Preferred,
        };
        let parallel = self.image_parallel_copies;
        let access = |access| Access { parallel, ..tool.access(access, &self.retry) };
        let copy = CopyImage {
            source: place(&self.source)?,
            target: place(&self.target)?,
            which,
            platform: tool.platform()?,
            format: self.format,
            layers,
            level: self.dest_compress_level,
            preserve_digests: self.preserve_digests,
            remove_signatures: self.remove_signatures,
            additional_tags: self.additional_tag,
            precompute: self.dest_precompute_digests,
            from: access(self.from.access(self.authfile.as_ref())?),
            to: access(self.to.access(self.authfile.as_ref())?),
        };
        if self.dry_run {
            ui::remark(format_args!("Would have copied {} to {}", self.source, self.target));
            return Ok(Exit::Success);
        }
        let talk = Talk { quiet: self.quiet };
        let copied = tool.with(&talk, copy.needs_store(), |surroundings| copy.perform(surroundings))?;
        if let Some(path) = &self.digestfile {
            write_file(path, &copied.digest.to_string())?;
        }
        Ok(Exit::Success)
    }
}

/// A location; here every one has a transport.
pub fn place(text: &str) -> Result<Location> {
    if Location::has_transport(text) {
        return Location::parse(text);
    }
    Err(Error::invalid(format!("cannot use `{text}`"))
        .because("it names no transport")
        .hint(format!("write docker://{text} for a registry, or containers-storage:{text} for the store")))
}

/// The family of media types by the names Skopeo gives them.
pub fn parse_manifest_type(text: &str) -> std::result::Result<Format, String> {
    match text {
        "oci" => Ok(Format::Oci),
        "v2s2" | "docker" => Ok(Format::Docker),
        "v2s1" => Err("Docker's schema 1 is written by no tool any more; write `oci` or `v2s2`".to_owned()),
        _ => Err("write `oci` or `v2s2`".to_owned()),
    }
}

/// What of an index.
pub fn parse_which(text: &str) -> std::result::Result<Which, String> {
    match text {
        "system" => Ok(Which::One),
        "all" => Ok(Which::All),
        "index-only" => Ok(Which::IndexOnly),
        _ => Err("write system, all or index-only".to_owned()),
    }
}
