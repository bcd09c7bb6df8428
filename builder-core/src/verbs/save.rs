//! `save`: images out of the store into an archive or a directory, as Podman's and Docker's users know it.

use std::path::PathBuf;

use crate::builder::Builder;
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::name::Reference;
use crate::oci::Format;
use crate::transport::archive::{DockerArchiveSink, LayoutArchiveSink, Output};
use crate::transport::directory::DirSink;
use crate::transport::layout::LayoutSink;
use crate::transport::{CopyOptions, Sink, Source, StoreSource, Wants, add_image, copy_image};
use crate::verbs::beside;
use crate::verbs::images::named_as;

/// Writes images into an archive or a directory.
#[derive(Debug)]
pub struct Save {
    /// The images, by name or id. Unless `several`, those after the first are further names for it.
    pub images: Vec<String>,
    /// Where to; standard output, unless given.
    pub output: Option<PathBuf>,
    /// What is written.
    pub form: SaveForm,
    /// Every name is an image of its own.
    pub several: bool,
    /// Layers that are not compressed are compressed, where they are written as plain files.
    pub compress: bool,
    /// Layers that are not compressed stay so in OCI's forms.
    pub uncompressed: bool,
}

/// What `save` writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SaveForm {
    /// What `docker save` writes.
    #[default]
    DockerArchive,
    /// An OCI layout in a tar.
    OciArchive,
    /// An OCI layout.
    OciDir,
    /// Plain files, with Docker's media types.
    DockerDir,
}

impl Save {
    /// Writes all, or nothing.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<()> {
        self.check()?;
        let work = builder.store.work()?;
        let output = || match &self.output {
            Some(path) => Output::to(path),
            None => Output::stdout(),
        };
        let options = self.options();
        let source = |text: &str| -> Result<(Box<dyn Source + '_>, Vec<String>)> {
            let image = match builder.store.hold_image(&work, text) {
                Err(error) if error.kind() == Kind::NotFound => {
                    let there = beside::find(builder, text)?.ok_or(error)?;
                    let names = there.tags()?.into_iter().take(1).collect();
                    return Ok((Box::new(there), names));
                }
                image => image?,
            };
            let name = named_as(&image.entry, text);
            Ok((Box::new(StoreSource::new(builder, image)), name.into_iter().collect()))
        };
        let (first, mut names) = source(&self.images[0])?;
        if !self.several {
            for name in &self.images[1..] {
                names.push(name.parse::<Reference>()?.to_string());
            }
        }
        let name = names.first().cloned();
        let reporter = builder.reporter();
        let path = self.output.clone().unwrap_or_default();
        match self.form {
            SaveForm::DockerArchive => {
                let sink = DockerArchiveSink::begin(output()?, names, builder.settings.scratch(work.dir()))?;
                add_image(&*first, &sink, &options, reporter)?;
                let mut sources = vec![first.name()];
                for text in self.images[1..].iter().filter(|_| self.several) {
                    let (image, names) = source(text)?;
                    sink.next_is_called(names);
                    add_image(&*image, &sink, &options, reporter)?;
                    sources.push(image.name());
                }
                sink.finish()?;
                reporter.report(Event::Copied { source: sources.join(", "), target: sink.name() });
                Ok(())
            }
            SaveForm::OciArchive => {
                let sink = LayoutArchiveSink::begin(output()?, name, builder.settings.scratch(work.dir()))?;
                copy_image(&*first, &sink, &options, reporter).map(drop)
            }
            SaveForm::OciDir => {
                copy_image(&*first, &LayoutSink::open(&path, name)?, &options, reporter).map(drop)
            }
            SaveForm::DockerDir => copy_image(&*first, &DirSink::open(&path)?, &options, reporter).map(drop),
        }
    }

    fn options(&self) -> CopyOptions {
        let wants = match self.form {
            SaveForm::DockerDir if self.compress => Some(Wants::Compressed),
            _ if self.uncompressed => Some(Wants::Any),
            _ => None,
        };
        let format = (self.form == SaveForm::DockerDir).then_some(Format::Docker);
        CopyOptions { wants, format, ..CopyOptions::default() }
    }

    fn check(&self) -> Result<()> {
        let refuse = |why: &str, hint: &str| {
            Err(Error::new(Kind::Invalid, "cannot save the images").because(why.to_owned()).hint(hint))
        };
        let is_dir = matches!(self.form, SaveForm::OciDir | SaveForm::DockerDir);
        if self.images.is_empty() {
            return refuse("none is named", "name one: kiln save -o FILE IMAGE");
        }
        if self.several && self.form != SaveForm::DockerArchive {
            return refuse(
                "only an archive of Docker's holds several",
                "save them one by one, or with --format docker-archive",
            );
        }
        if self.compress && self.form != SaveForm::DockerDir {
            return refuse("--compress is for --format docker-dir only", "leave out --compress");
        }
        if is_dir && self.output.is_none() {
            return refuse("a directory does not go to standard output", "name one with --output DIR");
        }
        Ok(())
    }
}
