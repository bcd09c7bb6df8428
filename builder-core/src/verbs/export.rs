//! `build --output type=local` and `type=tar`: the files of an image, as a directory of the host or as one tar.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::builder::Builder;
use crate::error::{Context, Error, Result};
use crate::event::Event;
use crate::layer::Times;
use crate::layer::tar::{self, Profile};
use crate::rootfs;
use crate::transport::unfinished::Unfinished;
use crate::tree::{Apply, Devices, Entry, Marks, Options, Root, Timestamp, walk};

/// Writes the files of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The image, by name or id.
    pub image: String,
    /// Where to.
    pub to: ExportTo,
    /// The time of everything, seconds since the epoch; each file's own, unless given.
    pub time: Option<i64>,
}

/// Where an image's files go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportTo {
    /// Into this directory of the host, which is made if it is not there. What is in it stays, unless the image has
    /// something of the same name.
    Directory(PathBuf),
    /// Into a tar that gets this name when it is whole.
    Tar(PathBuf),
    /// As a tar to standard output.
    Stdout,
}

impl Export {
    /// Writes all files.
    pub fn perform(&self, builder: &Builder<'_>) -> Result<()> {
        let work = builder.store.work()?;
        let held = builder.store.hold_image(&work, &self.image)?;
        let files = rootfs::open_image(builder, &work, held.entry.manifest.digest, None)?;
        match &self.to {
            ExportTo::Directory(path) => self.put(builder, &files, path),
            ExportTo::Tar(path) => {
                let dir = match path.parent() {
                    Some(dir) if !dir.as_os_str().is_empty() => dir,
                    _ => Path::new("."),
                };
                if path.is_dir() {
                    return Err(Error::invalid(format!("cannot write `{}`", path.display()))
                        .because("it is a directory")
                        .hint("name a file in it"));
                }
                let mut file = BufWriter::new(Unfinished::begin(dir).cannot("write", path.display())?);
                self.write(&files, &mut file)?;
                let file = file.into_inner().map_err(io::IntoInnerError::into_error);
                file.and_then(|file| file.publish(path)).cannot("write", path.display())
            }
            ExportTo::Stdout => {
                let mut out = BufWriter::new(io::stdout().lock());
                self.write(&files, &mut out)?;
                out.flush().cannot("write", "standard output")
            }
        }
    }

    fn put(&self, builder: &Builder<'_>, files: &Root, path: &Path) -> Result<()> {
        fs::create_dir_all(path).cannot("make", path.display())?;
        let into = Root::open_host(path).cannot("open", path.display())?;
        let devices = if builder.host.is_rootless() { Devices::Skip } else { Devices::Make };
        let mut apply = Apply::new(&into, Options { marks: Marks::None, devices, keep_times: false })?;
        for entry in walk(files, Marks::None) {
            let Entry { path, mut meta, node } = entry?;
            // The directory itself is the caller's.
            if path.name().is_none() {
                continue;
            }
            if let Some(time) = self.time {
                meta.mtime = Timestamp::from_seconds(time);
            }
            apply.put(Entry { path, meta, node })?;
        }
        let stats = apply.finish()?;
        if stats.devices_skipped > 0 {
            builder.report(Event::Warning {
                message: format!("left out {} device nodes, which only root may make", stats.devices_skipped),
                hint: Some("run as root to write device nodes".to_owned()),
            });
        }
        Ok(())
    }

    fn write(&self, files: &Root, out: &mut impl Write) -> Result<()> {
        let times = self.time.map_or(Times::Keep, Times::Set);
        tar::write(walk(files, Marks::None), &Profile { times }, out).map(drop)
    }
}
