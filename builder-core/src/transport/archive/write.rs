//! A tar that is written entry by entry, where the size of one may only be known at its end.
//!
//! Nothing that differs between machines or runs is in it: no times, no owners.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Result};
use crate::layer::pour;
use crate::transport::unfinished::Unfinished;

/// The unit of a tar.
pub(crate) const BLOCK: u64 = 512;

/// Where an archive goes.
#[derive(Debug)]
pub(crate) enum Output {
    /// Into a file that gets this name when it is whole.
    Path(PathBuf),
    /// Through a pipe or into a device, which is called so, when it is whole.
    Stream(File, String),
}

impl Output {
    /// Of a path: what is there and is no regular file is written through.
    pub fn to(path: &Path) -> Result<Self> {
        if fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir()) {
            let file = File::options().write(true).open(path).cannot("write", path.display())?;
            return Ok(Output::Stream(file, path.display().to_string()));
        }
        Ok(Output::Path(path.to_owned()))
    }

    /// Standard output.
    pub fn stdout() -> Result<Self> {
        use std::os::fd::AsFd;
        let fd = io::stdout().as_fd().try_clone_to_owned().cannot("write", "standard output")?;
        Ok(Output::Stream(File::from(fd), "standard output".into()))
    }

    /// How messages call it.
    pub fn name(&self) -> String {
        match self {
            Output::Path(path) => path.display().to_string(),
            Output::Stream(_, name) => name.clone(),
        }
    }
}

/// A tar being written.
#[derive(Debug)]
pub(crate) struct TarFile {
    file: Unfinished,
    output: Output,
    at: u64,
}

impl TarFile {
    /// Starts one. What goes through a pipe is put together in `scratch` first.
    pub fn begin(output: Output, scratch: &Path) -> Result<Self> {
        if let Output::Path(path) = &output
            && path.is_dir()
        {
            return Err(Error::invalid(format!("cannot write `{}`", path.display()))
                .because("it is a directory")
                .hint("name a file in it"));
        }
        let file = match &output {
            Output::Path(path) => Unfinished::begin(parent(path)).cannot("write", output.name())?,
            Output::Stream(..) => Unfinished::passing(scratch)?,
        };
        Ok(TarFile { file, output, at: 0 })
    }

    /// Writes a small entry.
    pub fn put(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.stream(bytes, |_| name.to_owned()).map(drop)
    }

    /// Writes an entry; what it is called, `called` says when its content has been read.
    pub fn stream<R: io::Read>(
        &mut self,
        mut content: R,
        called: impl FnOnce(&mut R) -> String,
    ) -> Result<u64> {
        let written = self.try_stream(&mut content, called);
        if written.is_err() {
            // What was begun is written over by the next.
            let _ = self.file.file().seek(SeekFrom::Start(self.at));
        }
        written.cannot("write", self.output.name())
    }

    fn try_stream<R: io::Read>(
        &mut self,
        content: &mut R,
        called: impl FnOnce(&mut R) -> String,
    ) -> io::Result<u64> {
        let start = self.at;
        self.file.file().seek(SeekFrom::Start(start + BLOCK))?;
        let size = pour(content, &mut self.file)?;
        let padding = size.next_multiple_of(BLOCK) - size;
        self.file.write_all(&[0; BLOCK as usize][..usize::try_from(padding).unwrap_or(0)])?;
        self.file.file().write_all_at(&header(&called(content), size), start)?;
        self.at = start + BLOCK + size + padding;
        Ok(size)
    }

    /// Writes the end mark, and gives the file its name, or sends it.
    pub fn finish(mut self) -> Result<()> {
        let name = self.output.name();
        self.file.write_all(&[0; 2 * BLOCK as usize]).cannot("write", &name)?;
        // A failure before this one may have left something after the end.
        self.file.file().set_len(self.at + 2 * BLOCK).cannot("write", &name)?;
        match self.output {
            Output::Path(path) => self.file.publish(&path).cannot("write", name),
            Output::Stream(mut out, _) => {
                let mut file = self.file.into_file().cannot("read", &name)?;
                let sent = file.seek(SeekFrom::Start(0)).and_then(|_| pour(&mut file, &mut out));
                sent.cannot("write", name).map(drop)
            }
        }
    }
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A regular file of root's, of 1970, for everyone to read. The names here are short.
pub(crate) fn header(name: &str, size: u64) -> [u8; BLOCK as usize] {
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_mode(0o444);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    *header.as_bytes()
}
