//! Which platform's image is meant.

use builder_core::{Result, Wanted};

/// The flags of verbs that choose of an index.
#[derive(Debug, Default, clap::Args)]
pub struct PlatformArgs {
    /// The processor of the image, such as arm64 (default: this machine's)
    #[arg(long)]
    arch: Option<String>,
    /// The operating system of the image (default: linux)
    #[arg(long)]
    os: Option<String>,
    /// The variant of the processor, such as v8
    #[arg(long)]
    variant: Option<String>,
    /// All of these together
    #[arg(long, value_name = "OS/ARCH[/VARIANT]", conflicts_with_all = ["arch", "os", "variant"])]
    platform: Option<String>,
}

impl PlatformArgs {
    /// What the flags say.
    pub fn wanted(&self) -> Result<Wanted> {
        match &self.platform {
            Some(text) => Wanted::parse(text),
            None => {
                Ok(Wanted { os: self.os.clone(), arch: self.arch.clone(), variant: self.variant.clone() })
            }
        }
    }
}
