//! `--output`: where an image, or its files, go besides the store.

use std::path::PathBuf;

use builder_core::{
    Builder, Compression, Error, Export, ExportTo, Layers, Push, Reference, Result, Save, SaveForm, Tag,
    Wanted,
};

use crate::args::RegistryArgs;

/// One value of `--output`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    kind: Kind,
    /// The form of layers there, if it is said.
    layers: Option<Layers>,
    level: Option<i32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// The files.
    Files(ExportTo),
    /// An archive or layout: the transport, the place, and the name in it.
    Place(&'static str, PathBuf, Option<String>),
    /// An archive to standard output.
    Stream(Archive),
    /// Further names in the store, and whether they are pushed.
    Names(Vec<String>, bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Archive {
    Oci,
    Docker,
}

/// What an output is made of.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// The image's id.
    pub image: &'a str,
    /// The name it has in the store, if any.
    pub name: Option<&'a str>,
    /// The time of all files, if one was asked for.
    pub time: Option<i64>,
    /// The platform, where images of several are built.
    pub platform: Option<&'a Wanted>,
}

impl Output {
    /// Reads a list of fields, as BuildKit has it; or only a directory, or `-`.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |because: String| {
            Error::invalid(format!("cannot use the output `{text}`"))
                .because(because)
                .hint("--output DIR, --output type=tar,dest=FILE or --output type=oci,dest=FILE")
        };
        if text.is_empty() {
            return Err(wrong("it is empty".into()));
        }
        if !text.contains('=') {
            let to = if text == "-" { ExportTo::Stdout } else { ExportTo::Directory(PathBuf::from(text)) };
            return Ok(Output { kind: Kind::Files(to), layers: None, level: None });
        }
        let mut fields = Fields::default();
        for field in split(text).ok_or_else(|| wrong("a quote is not closed".into()))? {
            let (name, value) = field.split_once('=').unwrap_or((&field, "true"));
            fields.set(name.trim(), value).map_err(&wrong)?;
        }
        let kind = fields.kind().map_err(&wrong)?;
        let layers = match (fields.compression, fields.force) {
            (None, false) => None,
            (None, true) => Some(Layers::Form(Compression::Gzip, true)),
            (Some(Compression::None), _) => Some(Layers::Plain),
            (Some(form), force) => Some(Layers::Form(form, force)),
        };
        Ok(Output { kind, layers, level: fields.level })
    }

    /// Whether it goes to standard output, which nothing else goes to then.
    pub fn is_stdout(&self) -> bool {
        matches!(self.kind, Kind::Files(ExportTo::Stdout) | Kind::Stream(_))
    }

    /// Puts an image there.
    pub fn perform(
        &self,
        builder: &Builder<'_>,
        made: Made<'_>,
        usual: Layers,
        registry: &RegistryArgs,
    ) -> Result<()> {
        let layers = self.layers.unwrap_or(usual);
        let image = made.name.unwrap_or(made.image).to_owned();
        match &self.kind {
            Kind::Files(to) => {
                let to = match (to, made.platform) {
                    // As BuildKit has it: one directory for each platform.
                    (ExportTo::Directory(dir), Some(platform)) => {
                        ExportTo::Directory(dir.join(platform.to_string().replace('/', "_")))
                    }
                    (to, _) => to.clone(),
                };
                Export { image: made.image.to_owned(), to, time: made.time }.perform(builder)
            }
            Kind::Place(transport, place, name) => {
                let name = name.as_deref().or(made.name);
                let name = name.map(|name| format!(":{name}")).unwrap_or_default();
                let target = Some(format!("{transport}:{}{name}", place.display()));
                let push = Push {
                    image: made.image.to_owned(),
                    target,
                    layers,
                    level: self.level,
                    ..Push::default()
                };
                push.perform(builder).map(drop)
            }
            Kind::Stream(archive) => {
                let form = match archive {
                    Archive::Oci => SaveForm::OciArchive,
                    Archive::Docker => SaveForm::DockerArchive,
                };
                let uncompressed = layers == Layers::Plain;
                Save {
                    images: vec![image],
                    output: None,
                    form,
                    several: false,
                    compress: false,
                    uncompressed,
                }
                .perform(builder)
            }
            Kind::Names(names, push) => {
                if !names.is_empty() {
                    let names = names.iter().map(|name| full(name)).collect::<Result<_>>()?;
                    Tag { image: made.image.to_owned(), names }.perform(builder)?;
                }
                if !push {
                    return Ok(());
                }
                let own = made.name.map(str::to_owned).into_iter().collect();
                for name in if names.is_empty() { &own } else { names } {
                    let target = Some(format!("docker://{}", full(name)?));
                    let image = made.image.to_owned();
                    let access = registry.access()?;
                    Push { image, target, layers, level: self.level, access, ..Push::default() }
                        .perform(builder)?;
                }
                if names.is_empty() && made.name.is_none() {
                    return Err(Error::invalid("cannot push the image")
                        .because("it has no name that says where to")
                        .hint("give it one: --tag HOST/NAME:TAG"));
                }
                Ok(())
            }
        }
    }
}

/// The full name: without a host it is here.
fn full(name: &str) -> Result<String> {
    name.parse::<Reference>().map(|name| name.to_string())
}

/// The output of `--push`.
pub fn push() -> Output {
    Output { kind: Kind::Names(Vec::new(), true), layers: None, level: None }
}

/// The fields of one value.
#[derive(Debug, Default)]
struct Fields {
    kind: Option<String>,
    dest: Option<String>,
    names: Vec<String>,
    push: bool,
    /// `tar`, where it is said.
    tar: Option<bool>,
    compression: Option<Compression>,
    force: bool,
    level: Option<i32>,
}

impl Fields {
    fn set(&mut self, name: &str, value: &str) -> std::result::Result<(), String> {
        let switch = |value: &str| match value {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(format!("`{name}={value}` is neither true nor false")),
        };
        match name {
            "type" => self.kind = Some(value.to_owned()),
            "dest" => self.dest = Some(value.to_owned()),
            "name" => {
                self.names.extend(value.split(',').filter(|name| !name.is_empty()).map(str::to_owned));
            }
            "push" => self.push = switch(value)?,
            "tar" => self.tar = Some(switch(value)?),
            "force-compression" => self.force = switch(value)?,
            "compression-level" => {
                let level = value.parse().map_err(|_| format!("`{value}` is no level of compression"))?;
                self.level = Some(level);
            }
            "compression" => {
                self.compression = Some(match value {
                    "gzip" => Compression::Gzip,
                    "zstd" => Compression::Zstd,
                    "uncompressed" => Compression::None,
                    _ => return Err(format!("`{value}` is none of gzip, zstd and uncompressed")),
                });
            }
            _ => return Err(format!("`{name}` means nothing there")),
        }
        Ok(())
    }

    fn kind(&self) -> std::result::Result<Kind, String> {
        let dest = self.dest.clone().filter(|dest| !dest.is_empty());
        let kind = match self.kind.as_deref() {
            Some(kind) => kind,
            // A place alone is one for the files.
            None if dest.as_deref() == Some("-") => "tar",
            None if dest.is_some() => "local",
            None => return Err("it has no type".into()),
        };
        let needed = || dest.clone().ok_or(format!("type={kind} needs a place: dest=…"));
        let name = self.names.first().cloned();
        match kind {
            "local" => match needed()?.as_str() {
                "-" => Err("a directory is not written to standard output: type=tar is".into()),
                dir => Ok(Kind::Files(ExportTo::Directory(PathBuf::from(dir)))),
            },
            "tar" => Ok(Kind::Files(match needed()?.as_str() {
                "-" => ExportTo::Stdout,
                file => ExportTo::Tar(PathBuf::from(file)),
            })),
            "oci" | "docker" => {
                let is_oci = kind == "oci";
                match (dest, self.tar) {
                    (None, None) if !is_oci => Ok(Kind::Names(self.names.clone(), self.push)),
                    (Some(dest), Some(false)) if is_oci => Ok(Kind::Place("oci", dest.into(), name)),
                    (_, Some(false)) => Err("a layout is written by type=oci,dest=DIR,tar=false".into()),
                    (Some(dest), _) if dest != "-" => {
                        let transport = if is_oci { "oci-archive" } else { "docker-archive" };
                        Ok(Kind::Place(transport, dest.into(), name))
                    }
                    _ => Ok(Kind::Stream(if is_oci { Archive::Oci } else { Archive::Docker })),
                }
            }
            "image" => Ok(Kind::Names(self.names.clone(), self.push)),
            "registry" => Ok(Kind::Names(self.names.clone(), true)),
            _ => Err(format!("`{kind}` is none of local, tar, oci, docker, image and registry")),
        }
    }
}

/// The fields of a list with commas, where a field in double quotes may have commas itself.
fn split(text: &str) -> Option<Vec<String>> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            _ => field.push(letter),
        }
    }
    fields.push(field);
    (!quoted).then_some(fields)
}

#[cfg(test)]
mod tests;
