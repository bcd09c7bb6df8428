//! Storages that are not written here, of other drivers or none that is known: Podman itself takes an archive in, or
//! writes one, where it is installed.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::place;
use crate::error::{Context, Error, Kind, Result};
use crate::name::StorageSpec;
use crate::oci::{Descriptor, Format};
use crate::settings::{MachineStorage, Settings};
use crate::sys::random;
use crate::transport::archive::{ArchiveFiles, DockerArchiveSink, Kept, Output};
use crate::transport::layout::LayoutSource;
use crate::transport::sink::{Outgoing, Part, Role, Sink, Wants};
use crate::transport::source::RawManifest;

/// As many bytes of what it says are shown.
const MAX_SAID: usize = 500;

/// As long as the path may be that Podman keeps what need not survive a reboot at.
const MAX_RUN: usize = 50;

/// Podman, and which storage it works on.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    name: String,
}

impl Program {
    /// Podman for a storage; none if it is not installed.
    pub fn find(settings: &Settings, machine: &MachineStorage, spec: Option<&StorageSpec>) -> Option<Self> {
        let path = settings.find_program("podman")?;
        let (root, driver) = place::whereabouts(machine, spec);
        let mut arguments: Vec<OsString> = vec!["--root".into(), root.clone().into()];
        // Podman takes none of more than so many bytes, and other tools do.
        let usual = machine.run.as_ref().filter(|run| run.as_os_str().len() <= MAX_RUN);
        if let Some(run) = spec.and_then(|spec| spec.run.as_ref()).or(usual) {
            arguments.extend(["--runroot".into(), run.into()]);
        }
        arguments.extend(["--storage-driver".into(), driver.clone().into()]);
        Some(Program { path, arguments, name: format!("containers-storage:[{driver}@{}]", root.display()) })
    }

    fn run(&self, words: &[&OsStr]) -> Result<()> {
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).args(words).stdin(Stdio::null());
        let done = command.output().cannot("start", self.path.display())?;
        if done.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
        let last: String = last.chars().filter(|c| !c.is_control()).take(MAX_SAID).collect();
        Err(Error::new(Kind::Io, format!("cannot use `{}`", self.name))
            .because(format!("podman says: {last}"))
            .hint("see what it can do there with `podman info`"))
    }

    /// The image that Podman calls `image`, by way of an archive in `scratch`.
    pub fn save(&self, image: &str, scratch: &Path) -> Result<LayoutSource> {
        let path = scratch.join(format!("kiln-{}.tar", random::hex(8)));
        let words = ["save", "-q", "--format", "oci-archive", "-o"].map(OsStr::new);
        let image = image.trim_start_matches('@');
        let saved = self.run(&[&words[..], &[path.as_os_str(), OsStr::new(image)]].concat());
        let opened = saved.and_then(|()| Kept::open(&path, scratch));
        // It is open: what was there is read as long as that lasts.
        let _ = fs::remove_file(&path);
        let files = Box::new(ArchiveFiles(opened?));
        LayoutSource::open(files, format!("{}{image}", self.name), crate::name::Pick::Only)
    }
}

/// An image into an archive that Podman then takes in.
pub(crate) struct ProgramSink {
    program: Program,
    archive: PathBuf,
    inner: DockerArchiveSink,
}

impl ProgramSink {
    /// An image that will have `names`; the archive is in `scratch`.
    pub fn begin(program: Program, names: Vec<String>, scratch: &Path) -> Result<Self> {
        let archive = scratch.join(format!("kiln-{}.tar", random::hex(8)));
        let inner = DockerArchiveSink::begin(Output::to(&archive)?, names, scratch)?;
        Ok(ProgramSink { program, archive, inner })
    }
}

impl Sink for ProgramSink {
    fn name(&self) -> String {
        self.program.name.clone()
    }

    fn formats(&self) -> &'static [Format] {
        self.inner.formats()
    }

    fn wants(&self) -> Wants {
        self.inner.wants()
    }

    fn takes_index(&self) -> bool {
        false
    }

    fn lanes(&self) -> usize {
        self.inner.lanes()
    }

    fn begin(&self, config: &Descriptor, bytes: &[u8]) -> Result<()> {
        self.inner.begin(config, bytes)
    }

    fn has_blob(&self, blob: &Descriptor, part: Part<'_>) -> Result<bool> {
        self.inner.has_blob(blob, part)
    }

    fn put_blob(&self, blob: &mut Outgoing<'_>, part: Part<'_>) -> Result<()> {
        self.inner.put_blob(blob, part)
    }

    fn put_manifest(&self, manifest: &RawManifest, role: Role) -> Result<()> {
        self.inner.put_manifest(manifest, role)
    }

    fn finish(&self) -> Result<()> {
        self.inner.finish()?;
        let words = ["load", "-q", "-i"].map(OsStr::new);
        self.program.run(&[&words[..], &[self.archive.as_os_str()]].concat())
    }
}

impl Drop for ProgramSink {
    fn drop(&mut self) {
        // It may not have got its name.
        let _ = fs::remove_file(&self.archive);
    }
}
