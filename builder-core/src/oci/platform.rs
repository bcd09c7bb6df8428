//! Which of an index's images is for which platform.

use crate::error::{Error, Kind, Result};
use crate::oci::{Descriptor, Index, Platform, host_architecture};

/// The platform that is wanted; what is not given is this machine's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The operating system, in Go's names.
    pub os: Option<String>,
    /// The processor, in Go's names.
    pub arch: Option<String>,
    /// The variant of the processor.
    pub variant: Option<String>,
}

/// What may stand alone for an operating system …
const SYSTEMS: [&str; 9] =
    ["linux", "windows", "darwin", "freebsd", "netbsd", "openbsd", "solaris", "android", "wasi"];

/// … and for a processor.
const ARCHITECTURES: [&str; 19] = [
    "amd64", "x86_64", "x86-64", "arm64", "aarch64", "386", "i386", "i686", "arm", "armhf", "armel", "ppc64",
    "ppc64le", "s390x", "riscv64", "mips64", "mips64le", "loong64", "wasm",
];

impl Wanted {
    /// Reads `OS[/ARCH[/VARIANT]]`, as `--platform` has it, or a processor alone; `local` is this machine's.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = || {
            Error::invalid(format!("cannot use the platform `{text}`"))
                .hint("write OS/ARCH or OS/ARCH/VARIANT, such as linux/arm64")
        };
        let mut parts = text.split('/').map(|part| {
            let fits =
                !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c));
            if fits { Ok(part.to_owned()) } else { Err(refuse()) }
        });
        let (os, arch, variant) =
            (parts.next().transpose()?, parts.next().transpose()?, parts.next().transpose()?);
        if parts.next().is_some() {
            return Err(refuse());
        }
        match (os, arch) {
            (Some(one), None) if one == "local" => Ok(Wanted::default()),
            (Some(one), None) if ARCHITECTURES.contains(&&*one) => {
                Ok(Wanted { arch: Some(one), ..Wanted::default() })
            }
            (Some(one), None) if !SYSTEMS.contains(&&*one) => Err(refuse()),
            (os, arch) => Ok(Wanted { os, arch, variant }),
        }
    }

    /// The operating system.
    #[must_use]
    pub fn os(&self) -> &str {
        self.os.as_deref().unwrap_or("linux")
    }

    /// The processor, in the name the field has agreed on.
    #[must_use]
    pub fn arch(&self) -> &str {
        match self.arch.as_deref() {
            None => host_architecture(),
            Some("x86_64" | "x86-64") => "amd64",
            Some("aarch64") => "arm64",
            Some("i386" | "i686") => "386",
            Some("armhf" | "armel") => "arm",
            Some(other) => other,
        }
    }

    /// The variants that run there, the best first; the empty one is an image that names none.
    fn variants(&self) -> Vec<&str> {
        let of_arm = ["v8", "v7", "v6", "v5", ""];
        match (self.arch(), self.variant.as_deref()) {
            ("arm", Some(variant)) => match of_arm.iter().position(|known| *known == variant) {
                Some(place) => of_arm[place..].to_vec(),
                None => vec![variant, ""],
            },
            ("arm", None) => of_arm[1..].to_vec(),
            ("arm64", None) => vec!["v8", ""],
            ("arm64", Some("v8")) => vec!["v8", ""],
            (_, Some(variant)) => vec![variant],
            (_, None) => vec!["", "v1"],
        }
    }

    fn place(&self, platform: &Platform) -> Option<usize> {
        if platform.os != self.os() || platform.architecture != self.arch() {
            return None;
        }
        self.variants().iter().position(|variant| *variant == platform.variant)
    }
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os(), self.arch())?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

/// The entry of an index for a platform: the best variant, of several the first. The only entry of an index that names
/// no platforms fits any.
pub(crate) fn choose(index: &Index, wanted: &Wanted) -> Result<Descriptor> {
    let fitting = index.manifests.iter().filter_map(|entry| {
        let place = wanted.place(entry.platform.as_ref()?)?;
        Some((place, entry))
    });
    let best = fitting.min_by_key(|(place, _)| *place).map(|(_, entry)| entry);
    let only = match index.manifests.as_slice() {
        [only] if only.platform.is_none() => Some(only),
        _ => None,
    };
    best.or(only).cloned().ok_or_else(|| {
        let has: Vec<String> = (index.manifests.iter())
            .filter_map(|entry| entry.platform.as_ref())
            .filter(|platform| platform.os != "unknown")
            .map(|platform| {
                let variant = (!platform.variant.is_empty()).then(|| format!("/{}", platform.variant));
                format!("{}/{}{}", platform.os, platform.architecture, variant.unwrap_or_default())
            })
            .take(40)
            .collect();
        let sentence = format!("cannot find an image for `{wanted}`");
        let error = Error::new(Kind::NotFound, sentence);
        match has.first() {
            None => error.because("the index names no platforms"),
            Some(first) => error
                .because(format!("the index has {}", has.join(", ")))
                .hint(format!("take one of these with --platform {first}")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_systems_processors_or_both() {
        let read = |text: &str| Wanted::parse(text).ok().map(|wanted| wanted.to_string());
        let here = Wanted::default().to_string();
        assert_eq!(read("linux/arm64/v8").as_deref(), Some("linux/arm64/v8"));
        assert_eq!(read("arm64").as_deref(), Some("linux/arm64"));
        assert_eq!(read("linux"), Some(here.clone()));
        assert_eq!(read("local"), Some(here));
        assert_eq!(read("plan9/arm").as_deref(), Some("plan9/arm"));
        for text in ["", "nonsense", "linux/", "linux/arm64/v8/x", "linux arm64"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
