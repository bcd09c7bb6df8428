//! What scripts for `docker buildx build` say: what is done in any case, and what is not done.

use builder_core::Result;

use crate::args::endpoint::refuse;

/// The flags that only Docker's command has.
#[derive(Debug, clap::Args)]
pub struct DockerFlags {
    /// Attest something of the image: type=provenance or type=sbom; only with disabled=true, for nothing is attested
    #[arg(long, value_name = "ATTESTATION", hide_short_help = true)]
    attest: Vec<String>,
    /// Which builder builds: only default, for there is one
    #[arg(long, value_name = "BUILDER", hide_short_help = true)]
    builder: Option<String>,
    /// Accepted for scripts: the image is in the store in any case
    #[arg(long, hide_short_help = true)]
    load: bool,
    /// Attest how the image came about; only with false, for nothing is attested
    #[arg(long, value_name = "PROVENANCE", hide_short_help = true)]
    provenance: Option<String>,
}

impl DockerFlags {
    /// Refuses what is asked for and not done.
    pub fn check(&self) -> Result<()> {
        let is_off =
            |text: &String| text.split(',').any(|field| matches!(field, "disabled=true" | "disabled"));
        let is_no = |text: &&String| text.as_str() == "false" || is_off(text);
        if self.attest.iter().any(|text| !is_off(text)) {
            return refuse("attest", "leave it away, and attest the image where it is pushed to");
        }
        if self.provenance.as_ref().is_some_and(|text| !is_no(&text)) {
            return refuse("provenance", "leave it away, or write --provenance=false");
        }
        match self.builder.as_deref() {
            None | Some("default") => Ok(()),
            Some(_) => refuse("builder", "leave it away: this command builds by itself"),
        }
    }
}
