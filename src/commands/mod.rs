//! One verb, one file: its words as a clap struct, and `run`, which makes a verb value of them and draws the result.

pub mod add;
pub mod build;
pub mod check;
pub mod commit;
pub mod completion;
pub mod config;
pub mod containers;
pub mod copy;
pub mod diff;
pub mod dockerfile;
pub mod doctor;
pub mod du;
pub mod fork;
pub mod from;
pub mod history;
pub mod image;
pub mod images;
pub mod info;
pub mod inspect;
pub mod load;
pub mod log;
pub mod login;
pub mod logout;
pub mod man;
pub mod manifest;
pub mod mount;
pub mod prune;
pub mod pull;
pub mod push;
pub mod rename;
pub mod rm;
pub mod rmi;
pub mod run;
pub mod save;
pub mod script;
pub mod shell;
pub mod source;
pub mod tag;
pub mod r#try;
pub mod umount;
pub mod undo;
pub mod unshare;
pub mod version;
pub mod why;

use builder_core::{Descriptor, Digest, Error, Format, Kind, Result};

use crate::settings::Environment;

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

/// Refuses to do something to nothing, or to all and to some by name: what is meant is not clear then.
pub fn named_or_all(verb: &str, what: &str, names: &[String], all: bool) -> Result<()> {
    match (names.first(), all) {
        (None, false) => Err(Error::invalid(format!("cannot {verb} {what}"))
            .because("none is named")
            .hint("name one, by name or id, or use --all")),
        (Some(name), true) => Err(Error::invalid(format!("cannot {verb} `{name}` and all {what}"))
            .hint("name some, or use --all alone")),
        _ => Ok(()),
    }
}

/// Writes a small file the user asked for, such as `--iidfile`.
pub fn write_file(path: &std::path::Path, text: &str) -> Result<()> {
    std::fs::write(path, text)
        .map_err(|cause| Error::new(Kind::Io, format!("cannot write `{}`", path.display())).because(cause))
}

/// What `--metadata-file` tells, under the names that `docker buildx build` gives them: of an image with this id, or of
/// a list, which has none.
pub fn metadata(id: Option<Digest>, manifest: &Descriptor, names: &[&str]) -> String {
    let mut told = serde_json::Map::new();
    told.extend(id.map(|id| ("containerimage.config.digest".to_owned(), id.to_string().into())));
    told.insert(
        "containerimage.descriptor".to_owned(),
        serde_json::to_value(manifest).expect("plain data becomes JSON"),
    );
    told.insert("containerimage.digest".to_owned(), manifest.digest.to_string().into());
    if !names.is_empty() {
        told.insert("image.name".to_owned(), names.join(",").into());
    }
    serde_json::to_string_pretty(&told).expect("plain data becomes JSON")
}

/// Makes sure that such a file can be written, before what it tells of is done.
pub fn check_output(path: Option<&std::path::Path>) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let fault = |cause| {
        Error::new(Kind::Io, format!("cannot write `{}`", path.display()))
            .because(cause)
            .hint("name a file in a directory that is there, and may be written to")
    };
    match std::fs::File::create_new(path) {
        Ok(_) => std::fs::remove_file(path).map_err(fault),
        Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists => {
            std::fs::File::options().append(true).open(path).map(drop).map_err(fault)
        }
        Err(cause) => Err(fault(cause)),
    }
}

/// The two families of media types, by the names Buildah gives them.
pub fn parse_format(text: &str) -> std::result::Result<Format, String> {
    match text {
        "oci" => Ok(Format::Oci),
        "docker" => Ok(Format::Docker),
        _ => Err("a format is `oci` or `docker`".to_owned()),
    }
}

/// The format that was asked for by the flag, else by `BUILDAH_FORMAT`.
pub fn default_format(flag: Option<Format>) -> Result<Option<Format>> {
    if flag.is_some() {
        return Ok(flag);
    }
    let Some(text) = Environment::text("BUILDAH_FORMAT") else { return Ok(None) };
    parse_format(&text).map(Some).map_err(|cause| {
        Error::invalid(format!("cannot use BUILDAH_FORMAT=`{text}`"))
            .because(cause)
            .hint("set it to `oci` or `docker`, or unset it")
    })
}
