//! `kiln pull`.

use builder_core::{Policy, Pull, Result};

use crate::args::endpoint::refuse;
use crate::args::{BlobCacheArgs, PlatformArgs, RegistryArgs, usual_policy};
use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::{self, Talk};

/// Bring an image into the store and print its id
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Its name, or where it is: docker://HOST/NAME:TAG, oci:DIR:NAME, oci-archive:FILE, docker-archive:FILE, dir:DIR,
    /// docker-daemon:NAME:TAG (of the daemon that DOCKER_HOST names)
    image: String,
    /// All tags of the repository, or all images of the archive
    #[arg(long, short)]
    all_tags: bool,
    /// When an image in the store will do: missing, always, never or newer (default: pull_policy of containers.conf,
    /// else missing)
    #[arg(long, value_name = "POLICY", value_parser = parse_policy)]
    policy: Option<Policy>,
    #[command(flatten)]
    platform: PlatformArgs,
    /// Leave signatures behind
    #[arg(long)]
    remove_signatures: bool,
    /// Not here: decrypt layers
    #[arg(long, value_name = "KEY", hide = true)]
    decryption_key: Vec<String>,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    blob_cache: BlobCacheArgs,
    /// Do not tell what is copied
    #[arg(long, short)]
    quiet: bool,
}

impl Args {
    /// Pulls and prints the image id, or those of all.
    pub fn run(self, context: &Context) -> Result<Exit> {
        if !self.decryption_key.is_empty() {
            return refuse("decryption-key", "take an image that is not encrypted");
        }
        let blobs = self.blob_cache.make()?;
        let talk = Talk { quiet: self.quiet };
        let pull = Pull {
            source: self.image,
            policy: self.policy.map_or_else(usual_policy, Ok)?,
            platform: self.platform.wanted()?,
            remove_signatures: self.remove_signatures,
            access: self.registry.access()?,
        };
        let builder = context.privileged(&talk)?.keeping_blobs(blobs);
        if self.all_tags {
            for pulled in pull.all(&builder)? {
                ui::result(pulled.id.hex());
            }
            return Ok(Exit::Success);
        }
        ui::result(pull.perform(&builder)?.id.hex());
        Ok(Exit::Success)
    }
}

/// When an image in the store will do, in Buildah's words.
pub fn parse_policy(text: &str) -> std::result::Result<Policy, String> {
    match text.to_ascii_lowercase().as_str() {
        "missing" | "ifmissing" | "ifnotpresent" => Ok(Policy::Missing),
        "always" => Ok(Policy::Always),
        "never" => Ok(Policy::Never),
        "newer" | "ifnewer" => Ok(Policy::Newer),
        _ => Err("write missing, always, never or newer".to_owned()),
    }
}
