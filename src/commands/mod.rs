//! One verb, one file: its words as a clap struct, and `run`, which makes a verb value of them and draws the result.

pub mod add;
pub mod build;
pub mod check;
pub mod commit;
pub mod config;
pub mod containers;
pub mod copy;
pub mod dockerfile;
pub mod from;
pub mod images;
pub mod info;
pub mod inspect;
pub mod mount;
pub mod prune;
pub mod pull;
pub mod push;
pub mod rename;
pub mod rm;
pub mod rmi;
pub mod run;
pub mod tag;
pub mod umount;
pub mod unshare;
pub mod version;

use builder_core::{Error, Format, Kind, Result};

/// Runs `each` for every name and goes on after a failure; the last one is what is returned, those before are shown.
pub fn for_each(names: &[String], mut each: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let mut last = Ok(());
    for name in names {
        let Err(error) = each(name) else { continue };
        if let Err(earlier) = std::mem::replace(&mut last, Err(error)) {
            crate::ui::show_error(&earlier);
        }
    }
    last
}

/// Writes a small file the user asked for, such as `--iidfile`.
pub fn write_file(path: &std::path::Path, text: &str) -> Result<()> {
    std::fs::write(path, text)
        .map_err(|cause| Error::new(Kind::Io, format!("cannot write `{}`", path.display())).because(cause))
}

/// The two families of media types, by the names Buildah gives them.
pub fn parse_format(text: &str) -> std::result::Result<Format, String> {
    match text {
        "oci" => Ok(Format::Oci),
        "docker" => Ok(Format::Docker),
        _ => Err("a format is `oci` or `docker`".to_owned()),
    }
}
