//! The bytes of a file on their way: opening them and copying them into another file, holes kept.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, SeekFrom};
use rustix::io::Errno;

use crate::tree::Content;

/// Up to this size a file is copied by one read and one write.
const SMALL: u64 = 64 * 1024;

/// The unit of buffered copies.
const BLOCK: usize = 256 * 1024;

/// The unit of holes found in streams.
const HOLE: usize = 64 * 1024;

/// Content that is open.
pub(crate) enum Opened {
    /// In memory.
    Bytes(Vec<u8>),
    /// A regular file, at its beginning.
    File(File),
    /// A stream.
    Stream(Box<dyn Read>),
}

impl Content {
    /// Opens it; anything but a regular file (a pipe would wait for ever) is an error.
    pub(crate) fn open(self) -> io::Result<Opened> {
        let fd = match self {
            Content::Bytes(bytes) => return Ok(Opened::Bytes(bytes)),
            Content::Stream(stream) => return Ok(Opened::Stream(stream)),
            Content::At { dir, name } | Content::Seen { dir, name, .. } => {
                let flags =
                    OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
                rustix::fs::openat(&dir, &name, flags, Mode::empty())?
            }
        };
        Ok(Opened::File(File::from(fd)))
    }
}

/// What copying learns about the file systems it works on, and its buffer.
#[derive(Debug)]
pub(crate) struct Copier {
    buffer: Vec<u8>,
    /// Whether the last attempt to share extents worked; asked again of no later file once it did not.
    shares: bool,
}

impl Default for Copier {
    fn default() -> Self {
        Copier { buffer: vec![0; BLOCK], shares: true }
    }
}

impl Copier {
    /// Puts exactly `size` bytes of `content` into the new, empty file `to`.
    ///
    /// # Errors
    /// `UnexpectedEof` if there are fewer.
    pub(crate) fn copy(&mut self, content: Content, size: u64, to: BorrowedFd<'_>) -> io::Result<()> {
        match content.open()? {
            Opened::Bytes(bytes) if bytes.len() as u64 == size => write_all_at(to, &bytes, 0),
            Opened::Bytes(_) => Err(io::ErrorKind::UnexpectedEof.into()),
            Opened::Stream(mut stream) => self.copy_stream(&mut stream, size, to),
            Opened::File(from) => self.copy_file(&from.into(), size, to),
        }
    }

    /// Whole blocks of zeros become holes: that keeps a sparse file sparse that comes out of a tar.
    fn copy_stream(&mut self, stream: &mut dyn Read, size: u64, to: BorrowedFd<'_>) -> io::Result<()> {
        let mut at = 0;
        while at < size {
            let length = usize::try_from(size - at).unwrap_or(BLOCK).min(BLOCK);
            stream.read_exact(&mut self.buffer[..length])?;
            for part in self.buffer[..length].chunks(HOLE) {
                if part.len() < HOLE || !is_zero(part) {
                    write_all_at(to, part, at)?;
                }
                at += part.len() as u64;
            }
        }
        // A hole at the end needs the length said.
        Ok(rustix::fs::ftruncate(to, size)?)
    }

    fn copy_file(&mut self, from: &OwnedFd, size: u64, to: BorrowedFd<'_>) -> io::Result<()> {
        if size <= SMALL {
            return copy_run(from, to, 0, size, &mut self.buffer);
        }
        let stat = rustix::fs::fstat(from)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file any more"));
        }
        if (stat.st_size as u64) < size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if self.shares {
            self.shares = rustix::fs::ioctl_ficlone(to, from).is_ok();
            if self.shares {
                return Ok(rustix::fs::ftruncate(to, size)?);
            }
        }
        if (stat.st_blocks as u64).saturating_mul(512) >= size {
            return copy_run(from, to, 0, size, &mut self.buffer);
        }
        let mut at = 0;
        while at < size {
            let start = match rustix::fs::seek(from, SeekFrom::Data(at)) {
                Err(Errno::NXIO) => break,
                start => start?.min(size),
            };
            let end = rustix::fs::seek(from, SeekFrom::Hole(start))?.min(size);
            copy_run(from, to, start, end, &mut self.buffer)?;
            at = end;
        }
        Ok(rustix::fs::ftruncate(to, size)?)
    }
}

/// The bytes from `start` to `end`, through `buffer`. `copy_file_range` is no faster where extents cannot be shared.
fn copy_run(from: &OwnedFd, to: BorrowedFd<'_>, start: u64, end: u64, buffer: &mut [u8]) -> io::Result<()> {
    let mut at = start;
    while at < end {
        let length = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
        let got = match rustix::io::pread(from, &mut buffer[..length], at) {
            Err(Errno::INTR) => continue,
            got => got?,
        };
        if got == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        write_all_at(to, &buffer[..got], at)?;
        at += got as u64;
    }
    Ok(())
}

fn is_zero(block: &[u8]) -> bool {
    // Comparing a block with itself, shifted by one, is a `memcmp`.
    block.first().is_none_or(|first| *first == 0) && block[..block.len() - 1] == block[1..]
}

fn write_all_at(to: BorrowedFd<'_>, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::pwrite(to, bytes, at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                bytes = &bytes[count..];
                at += count as u64;
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
