//! `skopeo standalone-verify`.

use std::path::{Path, PathBuf};

use builder_core::{Error, Kind, Result, StandaloneVerify};

use crate::exit::Exit;
use crate::ui;

/// The largest file that is read, bytes.
const MAX_FILE: u64 = 16 << 20;

/// Check a signature that lies in a file
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file with the manifest
    manifest: PathBuf,
    /// The name that was signed: HOST/NAME:TAG
    name: String,
    /// Fingerprints of the keys that may have signed, with commas between, or `any`
    fingerprints: String,
    /// The file with the signature
    signature: PathBuf,
    /// The file with the public keys
    #[arg(long, value_name = "FILE")]
    public_key_file: Option<PathBuf>,
}

impl Args {
    /// Checks it, and prints what Skopeo prints.
    pub fn run(self) -> Result<Exit> {
        let Some(keys) = &self.public_key_file else {
            return Err(Error::new(
                Kind::Unsupported,
                format!("cannot check the signature of `{}`", self.name),
            )
            .because("the keys of GnuPG are not read here")
            .hint("hand the keys in: gpg --export FINGERPRINT >KEYS, then --public-key-file KEYS"));
        };
        let given = self.fingerprints.split(',').map(str::trim).filter(|one| !one.is_empty());
        let any = self.fingerprints == "any";
        let verify = StandaloneVerify {
            manifest: read(&self.manifest)?,
            name: self.name,
            fingerprints: if any { Vec::new() } else { given.map(str::to_owned).collect() },
            keys: vec![read(keys)?],
            signature: read(&self.signature)?,
        };
        let verified = verify.perform()?;
        ui::result(format_args!(
            "Signature verified using fingerprint {}, digest {}",
            verified.fingerprint, verified.digest
        ));
        Ok(Exit::Success)
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes));
    read.map_err(|cause| Error::new(Kind::Io, format!("cannot read `{}`", path.display())).because(cause))?;
    Ok(bytes)
}
