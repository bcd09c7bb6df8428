//! Which platform's image is meant.

use builder_core::{Error, Result, Wanted};

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
                for (flag, word) in [("--os", &self.os), ("--arch", &self.arch), ("--variant", &self.variant)]
                {
                    word.as_deref().map_or(Ok(()), |word| check(flag, word))?;
                }
                Ok(Wanted { os: self.os.clone(), arch: self.arch.clone(), variant: self.variant.clone() })
            }
        }
    }
}

/// Names of platforms are short plain words; an empty one is none.
fn check(flag: &str, word: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if word.len() <= 64 && word.chars().all(fits) && !word.starts_with(['.', '-']) {
        return Ok(());
    }
    Err(Error::invalid(format!("cannot use `{flag} {word}`"))
        .because("it is no name of a platform")
        .hint("use a name that Go has for it, such as linux, arm64 or v8"))
}
