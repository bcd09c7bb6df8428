//! Where a storage is and what is in it: opening, its paths, its tables.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::lock::{self, TableLock};
use super::tables::{Layer, Table};
use crate::error::{Context, Error, Kind, Result};
use crate::event::Reporter;
use crate::name::StorageSpec;
use crate::settings::MachineStorage;

/// As many layers as an image may have here.
const MAX_LAYERS: usize = 1000;

/// One storage, opened.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    root: PathBuf,
    driver: String,
    /// Further roots, whose images and layers are used and never written.
    additional: Vec<PathBuf>,
    patience: Duration,
}

/// The tables of a storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    Layers,
    Images,
    Containers,
}

impl Kept {
    fn name(self) -> &'static str {
        match self {
            Kept::Layers => "layers",
            Kept::Images => "images",
            Kept::Containers => "containers",
        }
    }
}

/// Whether the machine has a storage where its settings say; also one that may not be looked into.
pub(crate) fn exists(machine: &MachineStorage) -> bool {
    let denied = |root: &Path| {
        let found = fs::metadata(root.join("overlay-images"));
        found.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    driver_at(&machine.root).is_some() || (machine.root.is_absolute() && denied(&machine.root))
}

/// The driver of the storage at `root`: the one that has images, overlay before others.
fn driver_at(root: &Path) -> Option<String> {
    if root.as_os_str().is_empty() {
        return None;
    }
    if root.join("overlay-images").is_dir() {
        return Some("overlay".to_owned());
    }
    let items = fs::read_dir(root).ok()?;
    let names = items.filter_map(|item| item.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.strip_suffix("-images").map(str::to_owned)).min()
}

/// Where the storage is that a location names, or the machine's; and its driver. One that a location or settings name
/// is the one that is meant, as every other program takes it. But `overlay` is also what settings say that came with
/// the machine: there it need not be true.
pub(super) fn whereabouts(machine: &MachineStorage, spec: Option<&StorageSpec>) -> (PathBuf, String) {
    let root = spec.and_then(|spec| spec.root.clone()).unwrap_or_else(|| machine.root.clone());
    let said = match spec {
        Some(spec) => spec.driver.clone(),
        None => machine.driver.clone(),
    };
    let driver = match (said, driver_at(&root)) {
        (Some(said), _) if spec.is_some() || !said.starts_with("overlay") => said,
        (Some(said), _) if root.join(format!("{said}-images")).is_dir() => said,
        (_, Some(there)) => there,
        (Some(said), None) => said,
        (None, None) => "overlay".to_owned(),
    };
    (root, if driver == "overlay2" { "overlay".to_owned() } else { driver })
}

impl Storage {
    /// Opens the storage that a location names, or the machine's.
    ///
    /// # Errors
    /// If it is of a driver that is unknown here, or may not be read.
    pub fn open(machine: &MachineStorage, spec: Option<&StorageSpec>) -> Result<Self> {
        let (root, driver) = whereabouts(machine, spec);
        let sentence = || format!("cannot open the storage `{}`", root.display());
        if root.as_os_str().is_empty() {
            return Err(Error::new(Kind::NotFound, "cannot find the machine's containers-storage")
                .hint("name it: containers-storage:[overlay@/var/lib/containers/storage]NAME"));
        }
        if let Err(error) = fs::read_dir(&root)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error).cannot("open the storage", root.display()).map_err(|error| {
                error.hint(
                    "run as the user whose storage it is, or name another with containers-storage:[DIR]NAME",
                )
            });
        }
        if !matches!(driver.as_str(), "overlay" | "vfs") {
            return Err(Error::new(Kind::Unsupported, sentence())
                .because(format!("its driver is `{driver}`; known are overlay and vfs"))
                .hint("install podman, which then takes images in and out, or use an archive: docker-archive:FILE"));
        }
        let additional = if spec.is_some() { Vec::new() } else { machine.additional.clone() };
        Ok(Storage { root, driver, additional, patience: machine.patience })
    }

    /// The storage at `root`, which is one.
    pub fn at(machine: &MachineStorage, root: &Path) -> Result<Self> {
        let spec = StorageSpec { root: Some(root.to_owned()), ..StorageSpec::default() };
        Storage::open(machine, Some(&spec))
    }

    /// Whether its layers may carry the marks of a program that mounts in the kernel's place.
    pub(super) fn has_mount_program(&self, root: &Path) -> bool {
        fs::read_to_string(root.join("overlay/.has-mount-program")).is_ok_and(|text| text.trim() == "true")
    }

    /// Its directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether layers are directories that are mounted over each other.
    pub fn is_overlay(&self) -> bool {
        self.driver == "overlay"
    }

    /// As a location names it.
    pub fn name(&self, image: &str) -> String {
        format!("containers-storage:[{}@{}]{image}", self.driver, self.root.display())
    }

    /// The directory of its driver, with layers in it.
    pub(super) fn home(&self) -> PathBuf {
        self.root.join(&self.driver)
    }

    /// A layer's own directory.
    pub(super) fn layer_dir(&self, layer: &str) -> PathBuf {
        match self.is_overlay() {
            true => self.home().join(layer),
            false => self.home().join("dir").join(layer),
        }
    }

    /// The directory of a table and of what goes with it.
    pub(super) fn dir(&self, root: &Path, kept: Kept) -> PathBuf {
        root.join(format!("{}-{}", self.driver, kept.name()))
    }

    /// The storage's own root, then the additional ones.
    pub(super) fn roots(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(self.root.as_path()).chain(self.additional.iter().map(PathBuf::as_path))
    }

    /// Reads a table. It is replaced as a whole whenever it is written, so that no lock is needed to read it once.
    pub(super) fn table(&self, root: &Path, kept: Kept) -> Result<Table> {
        Table::read(&self.table_path(root, kept))
    }

    /// As [`Storage::table`], with what is in use until the machine is started again: newer programs keep that in a
    /// table of its own.
    pub(super) fn table_of_users(&self, kept: Kept) -> Result<Table> {
        let mut table = self.table(&self.root, kept)?;
        let path = self.dir(&self.root, kept).join(format!("volatile-{}.json", kept.name()));
        table.items_mut().extend_from_slice(Table::read(&path)?.items());
        Ok(table)
    }

    pub(super) fn table_path(&self, root: &Path, kept: Kept) -> PathBuf {
        self.dir(root, kept).join(format!("{}.json", kept.name()))
    }

    /// Locks a table of its own alone.
    pub(super) fn lock(&self, kept: Kept, reporter: &dyn Reporter) -> Result<TableLock> {
        let path = self.dir(&self.root, kept).join(format!("{}.lock", kept.name()));
        lock::wait(&path, self.patience, reporter)
    }

    /// Makes what a new storage needs to be one.
    pub(super) fn make(&self) -> Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        let mut private = fs::DirBuilder::new();
        private.recursive(true).mode(0o700);
        let tables = [Kept::Layers, Kept::Images, Kept::Containers].map(|kept| self.dir(&self.root, kept));
        let own = self.home().join(if self.is_overlay() { "l" } else { "dir" });
        for dir in tables.iter().chain([&own]) {
            private.create(dir).cannot("make", dir.display()).map_err(|error| {
                error.hint(
                    "run as the user whose storage it is, or name another with containers-storage:[DIR]NAME",
                )
            })?;
        }
        Ok(())
    }

    /// The layers from the topmost, `top`, down, and the root each is in; the lowest first.
    pub(super) fn chain(&self, top: &str) -> Result<Vec<(PathBuf, Layer)>> {
        let mut tables = Vec::new();
        for root in self.roots() {
            tables.push((root, self.table(root, Kept::Layers)?));
        }
        let mut found = Vec::new();
        let mut id = top.to_owned();
        while !id.is_empty() {
            let here = tables.iter().find_map(|(root, table)| Some((root.to_path_buf(), table.layer(&id)?)));
            let Some((root, layer)) = here.filter(|(_, layer)| !layer.is_incomplete()) else {
                return Err(Error::new(Kind::NotFound, format!("cannot find the layer `{id}`"))
                    .because(format!(
                        "the storage `{}` has an image of it, and not the layer",
                        self.root.display()
                    ))
                    .hint("remove the image with `podman rmi`, and pull it again"));
            };
            if found.len() >= MAX_LAYERS {
                return Err(Error::corrupt(format!("cannot read the layer `{top}`"))
                    .because("there are more layers below it than any image has"));
            }
            id.clone_from(&layer.parent);
            found.push((root, layer));
        }
        found.reverse();
        Ok(found)
    }

    /// The directory with a layer's files: what changed, or with vfs all of them.
    pub(super) fn tree(&self, root: &Path, layer: &str) -> PathBuf {
        match self.is_overlay() {
            true => root.join("overlay").join(layer).join("diff"),
            false => root.join("vfs/dir").join(layer),
        }
    }

    /// The file of a layer's tar-split.
    pub(super) fn split(&self, root: &Path, layer: &str) -> PathBuf {
        self.dir(root, Kept::Layers).join(format!("{layer}.tar-split.gz"))
    }
}
