//! Flags of Buildah that make something else of an image: refused at once, and never ignored.

use std::path::PathBuf;

use builder_core::{Error, Kind, Result};

/// Images are neither scanned nor signed, and no workloads are made of them.
#[derive(Debug, Default, clap::Args)]
pub struct RefusedArgs {
    #[arg(long, hide = true)]
    cw: Option<String>,
    #[arg(long, hide = true)]
    sign_by: Option<String>,
    #[arg(long, hide = true)]
    sbom: Option<String>,
    #[arg(long, hide = true)]
    sbom_scanner_image: Option<String>,
    #[arg(long, hide = true)]
    sbom_scanner_command: Vec<String>,
    #[arg(long, hide = true)]
    sbom_merge_strategy: Option<String>,
    #[arg(long, hide = true)]
    sbom_output: Option<PathBuf>,
    #[arg(long, hide = true)]
    sbom_image_output: Option<PathBuf>,
    #[arg(long, hide = true)]
    sbom_purl_output: Option<PathBuf>,
    #[arg(long, hide = true)]
    sbom_image_purl_output: Option<PathBuf>,
}

impl RefusedArgs {
    /// Refuses the first flag that was given.
    pub fn check(&self) -> Result<()> {
        let scan = "scan the image afterwards: kiln push IMAGE oci:DIR, then a scanner on DIR";
        refuse_first(&[
            ("--cw", self.cw.is_some(), "make the workload of the committed image with a tool for that"),
            ("--sign-by", self.sign_by.is_some(), "sign it where it is pushed to, with a tool for that"),
            ("--sbom", self.sbom.as_ref().is_some_and(|wanted| wanted != "false"), scan),
            ("--sbom-scanner-image", self.sbom_scanner_image.is_some(), scan),
            ("--sbom-scanner-command", !self.sbom_scanner_command.is_empty(), scan),
            ("--sbom-merge-strategy", self.sbom_merge_strategy.is_some(), scan),
            ("--sbom-output", self.sbom_output.is_some(), scan),
            ("--sbom-image-output", self.sbom_image_output.is_some(), scan),
            ("--sbom-purl-output", self.sbom_purl_output.is_some(), scan),
            ("--sbom-image-purl-output", self.sbom_image_purl_output.is_some(), scan),
        ])
    }
}

/// Refuses the first of the flags that was given: its name, whether it was, and what to do in its place.
pub fn refuse_first(flags: &[(&str, bool, &str)]) -> Result<()> {
    match flags.iter().find(|(_, given, _)| *given) {
        None => Ok(()),
        Some((flag, _, hint)) => Err(Error::new(Kind::Unsupported, format!("cannot use `{flag}`"))
            .because("Kiln neither encrypts nor signs nor scans images")
            .hint(*hint)),
    }
}
