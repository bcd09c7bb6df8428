//! `load`: images out of an archive or a directory into the store, whichever kind it is.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::builder::Builder;
use crate::error::{Context, Error, Kind, Result};
use crate::name::{Location, Pick, Reference};
use crate::oci::Digest;
use crate::store::Work;
use crate::transport::archive::{self, ArchiveFiles, Kept};
use crate::transport::directory::DirSource;
use crate::transport::files::Files;
use crate::transport::layout::LayoutSource;
use crate::transport::{Access, CopyOptions, Places, Source, StoreSink, copy_image, open};
use crate::tree::Root;

/// Brings all images of an archive or a directory into the store.
#[derive(Debug)]
pub struct Load {
    /// Where they are.
    pub input: LoadFrom,
}

/// Where `load` reads.
#[derive(Debug)]
pub enum LoadFrom {
    /// A file, or a directory.
    Path(PathBuf),
    /// A file that is open, such as standard input.
    File(File),
}

/// An image that was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Its id.
    pub id: Digest,
    /// The full names it got.
    pub names: Vec<String>,
}

impl Load {
    /// Loads all of them. One that cannot be loaded ends it; those before it stay.
    pub fn perform(self, builder: &Builder<'_>) -> Result<Vec<Loaded>> {
        let work = builder.store.work()?;
        let load = One { builder, work: &work };
        match self.input {
            LoadFrom::Path(path) if path.is_dir() => load.directory(&path),
            LoadFrom::Path(path) => {
                load.archive(Kept::open(&path, builder.settings.scratch(work.dir()))?, &path)
            }
            LoadFrom::File(file) => {
                load.archive(Kept::of(file, builder.settings.scratch(work.dir()))?, Path::new("-"))
            }
        }
    }
}

struct One<'a> {
    builder: &'a Builder<'a>,
    work: &'a Work,
}

impl One<'_> {
    fn directory(&self, path: &Path) -> Result<Vec<Loaded>> {
        if !path.join("oci-layout").exists() {
            let source = Box::new(DirSource::open(path)?);
            return Ok(vec![self.image(&Location::Dir(path.to_owned()), source)?]);
        }
        let open = |pick| {
            let root = Root::open_host(path).cannot("open the directory", path.display())?;
            LayoutSource::open(Box::new(root), format!("oci:{}", path.display()), pick)
        };
        let count = open(Pick::Only)?.index()?.manifests.len();
        let at = |pick| Location::Oci { dir: path.to_owned(), pick };
        let load = |place| self.image(&at(Pick::Index(place)), Box::new(open(Pick::Index(place))?));
        (0..count).map(load).collect()
    }

    fn archive(&self, archive: Kept, path: &Path) -> Result<Vec<Loaded>> {
        let files = ArchiveFiles(archive.clone());
        let path = path.to_owned();
        // Newer archives of Docker's are both; only `manifest.json` has the full names.
        if has(&files, "manifest.json")? || has(&files, "repositories")? {
            let count = archive::docker_items(&files)?.len();
            let at = |pick| Location::DockerArchive { path: path.clone(), pick };
            return self.each(count, &archive, at);
        }
        if has(&files, "oci-layout")? {
            let place = format!("oci-archive:{}", path.display());
            let index = LayoutSource::open(Box::new(files), place, Pick::Only)?.index()?;
            let at = |pick| Location::OciArchive { path: path.clone(), pick };
            return self.each(index.manifests.len(), &archive, at);
        }
        Err(Error::new(Kind::Corrupt, format!("cannot load the images of `{}`", path.display()))
            .because("it has neither manifest.json nor oci-layout")
            .hint("name an archive that `kiln save`, `podman save` or `docker save` has written"))
    }

    fn each(&self, count: usize, archive: &Kept, at: impl Fn(Pick) -> Location) -> Result<Vec<Loaded>> {
        let load = |place| {
            let location = at(Pick::Index(place));
            self.image(&location, open::in_archive(&location, archive.clone())?)
        };
        (0..count).map(load).collect()
    }

    fn image(&self, location: &Location, source: Box<dyn Source>) -> Result<Loaded> {
        let access = Access::default();
        let source = open::guarded(Places::of(self.builder, self.work, &access), location, source)?;
        let mut names = Vec::new();
        for tag in source.tags()? {
            // A tag alone names nothing here.
            if tag.contains(['/', ':']) || !looks_like_a_tag(&tag) {
                names.push(tag.parse::<Reference>()?.to_string());
            }
        }
        let sink = StoreSink::new(self.builder, self.work, names.clone());
        let copied = copy_image(&*source, &sink, &CopyOptions::default(), self.builder.reporter())?;
        let id = copied.config.ok_or_else(|| {
            Error::corrupt(format!("cannot load `{}`", source.name())).because("it has no image config")
        })?;
        Ok(Loaded { id, names })
    }
}

/// Whether the archive has a file; one that it has in a way that makes no sense is an error.
fn has(files: &ArchiveFiles, name: &str) -> Result<bool> {
    match files.open(name) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).cannot("read the archive's", name),
    }
}

/// Layouts often name an image by its tag alone, such as `latest` or `1.2`.
pub(crate) fn looks_like_a_tag(name: &str) -> bool {
    name == "latest" || name.starts_with(|c: char| c.is_ascii_digit()) && !name.contains('/')
}
