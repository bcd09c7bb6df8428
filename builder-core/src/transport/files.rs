//! The files of a place that was written by someone else: a directory, or an archive read as one.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};

use crate::error::Error;
use crate::layer::{Compression, decode};
use crate::tree::Root;

/// With a hint, where what should be at `path` is not there.
pub(crate) fn look_around(path: &Path, error: Error) -> Error {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    error.hint(format!("see what there is: ls {}", above.unwrap_or(Path::new(".")).display()))
}

/// A flat or nested set of regular files, by name. No name leads out of it.
pub(crate) trait Files: Send + Sync {
    /// The whole of a file of at most `limit` bytes.
    fn read(&self, name: &str, limit: u64) -> io::Result<Vec<u8>>;

    /// Opens a file, and says how long it is.
    fn open(&self, name: &str) -> io::Result<(Box<dyn Read + Send>, u64)>;

    /// How many bytes a layer has when it is not compressed; a compressed one, which is rare, is read for it.
    fn plain_size(&self, name: &str) -> io::Result<u64> {
        let (reader, size) = self.open(name)?;
        let mut plain = decode(reader)?;
        if plain.compression() == Some(Compression::None) {
            return Ok(size);
        }
        io::copy(&mut plain, &mut io::sink())
    }
}

impl Files for Root {
    fn read(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        Root::read(self, name, limit)
    }

    fn open(&self, name: &str) -> io::Result<(Box<dyn Read + Send>, u64)> {
        // A pipe or a device must not make us wait.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = Root::open(self, name, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&fd)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no regular file"));
        }
        Ok((Box::new(File::from(fd)), u64::try_from(stat.st_size).unwrap_or(0)))
    }
}
