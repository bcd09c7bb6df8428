//! An archive opened for reading: its files are found by name, and read where they are.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{FileType, Mode, OFlags};

use crate::error::{Context, Kind, Result};
use crate::layer::tar::TarIndex;
use crate::layer::{decode, pour};
use crate::transport::files::{Files, look_around};
use crate::transport::unfinished::Unfinished;

/// An archive in a file that can be read in any order. Opened once, for all the images in it.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    file: Arc<File>,
    index: Arc<TarIndex>,
}

impl Kept {
    /// Opens an archive. A compressed one, and one that comes through a pipe, is first written plainly into a file
    /// without a name in `scratch`.
    pub fn open(path: &Path, scratch: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = rustix::fs::open(path, flags, Mode::empty())
            .cannot("open the archive", path.display())
            .map_err(|error| if error.kind() == Kind::NotFound { look_around(path, error) } else { error })?;
        Kept::of(File::from(file), scratch).cannot("open the archive", path.display())
    }

    /// As [`Kept::open`], of a file that is open.
    pub fn of(mut file: File, scratch: &Path) -> Result<Self> {
        let stat = rustix::fs::fstat(&file).cannot("read", "the archive")?;
        let is_regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if !is_regular || is_compressed(&file).cannot("read", "the archive")? {
            let plain = Unfinished::passing(scratch)?;
            file = spool(file, plain).cannot("decompress", "the archive")?;
        }
        let mut reader = io::BufReader::new(&file);
        let index = TarIndex::read(&mut reader)?;
        Ok(Kept { file: Arc::new(file), index: Arc::new(index) })
    }
}

/// Whether the file begins as no tar does: a tar has its first name there.
fn is_compressed(file: &File) -> io::Result<bool> {
    let mut start = [0; 6];
    let count = file.read_at(&mut start, 0)?;
    Ok(matches!(
        &start[..count],
        [0x1f, 0x8b, ..]
            | [0x28, 0xb5, 0x2f, 0xfd, ..]
            | [0xfd, b'7', b'z', ..]
            | [b'B', b'Z', b'h', _, 0x31, 0x41]
    ))
}

fn spool(file: File, mut plain: Unfinished) -> io::Result<File> {
    pour(&mut decode(file)?, &mut plain)?;
    let mut plain = plain.into_file()?;
    plain.seek(SeekFrom::Start(0))?;
    Ok(plain)
}

/// The files of an archive.
#[derive(Debug)]
pub(crate) struct ArchiveFiles(pub Kept);

impl Files for ArchiveFiles {
    fn read(&self, name: &str, limit: u64) -> io::Result<Vec<u8>> {
        let (reader, size) = self.open(name)?;
        if size > limit {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("it is larger than {limit} bytes"),
            ));
        }
        let mut bytes = Vec::new();
        reader.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn open(&self, name: &str) -> io::Result<(Box<dyn Read + Send>, u64)> {
        let (at, size) = self.0.index.find(name)?;
        Ok((Box::new(Section { file: self.0.file.clone(), at, end: at + size }), size))
    }
}

/// A part of a file; the file's own position is not used, so that several can be read at once.
struct Section {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let count = self.file.read_at(&mut buffer[..wanted], self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}
