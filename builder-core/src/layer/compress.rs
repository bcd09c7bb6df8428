//! Compression of layers: gzip and zstd, by as many workers as there are, with the same bytes for any number of them.

mod chunked;
mod decode;
mod deflate;
mod gzip;
mod pool;

use std::collections::BTreeMap;
use std::io::{self, Write};

use zstd::zstd_safe::CParameter;

pub(crate) use chunked::TABLE_DIGEST;
pub(crate) use decode::decode;

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    None,
    /// RFC 1952.
    #[default]
    Gzip,
    /// RFC 8878.
    Zstd,
    /// The same with a table of contents, "zstd:chunked": files can be fetched one by one.
    ZstdChunked,
}

impl Compression {
    /// The level used unless another is asked for. For gzip 5, not the customary 6: with zlib-rs it takes a tenth less
    /// time for 0.2% more bytes.
    pub(crate) fn default_level(self) -> i32 {
        match self {
            Compression::None => 0,
            Compression::Gzip => 5,
            Compression::Zstd | Compression::ZstdChunked => 3,
        }
    }
}

/// How many bytes one worker of zstd gets at a time. The default for level 3 is 8 MiB; the memory taken grows with it.
const ZSTD_JOB: u32 = 4 << 20;

/// How far back zstd looks for a repetition, as a power of two (`ZSTD_c_windowLog`): 4 MiB; every decoder should be
/// able to hold 8 (RFC 8878). The default for level 3 is half of it: text that repeats itself after half a megabyte
/// then takes twice the room.
const ZSTD_WINDOW_LOG: u32 = 22;

/// The highest level whose own window is not larger than [`ZSTD_WINDOW_LOG`].
const ZSTD_LAST_WITH_WINDOW: i32 = 16;

/// The size of the table of places at the default level, as a power of two (`ZSTD_c_hashLog`; default 17): it has to
/// grow with the window. 1% smaller layers of programs and scripts, for 1 MiB a worker.
const ZSTD_HASH_LOG: u32 = 18;

/// How much of what comes before a worker of zstd may refer to (`ZSTD_c_overlapLog`): half of the window.
const ZSTD_OVERLAP: u32 = 8;

/// Compresses what is written to it. [`Encoder::finish`] must be called at the end.
pub(crate) enum Encoder<W: Write> {
    /// Passes it on.
    Plain(W),
    /// By blocks in parallel.
    Gzip(gzip::Parallel<W>),
    /// By zstd's own workers.
    Zstd(zstd::Encoder<'static, W>),
    /// File by file; what is written must be a tar.
    Chunked(Box<chunked::Chunked<W>>),
}

impl<W: Write> Encoder<W> {
    /// Compresses into `out` at `level` (gzip 0–9, zstd 1–22) with at least one worker.
    pub(crate) fn new(compression: Compression, level: i32, workers: usize, out: W) -> io::Result<Self> {
        let workers = workers.max(1);
        match compression {
            Compression::None => Ok(Encoder::Plain(out)),
            Compression::Gzip => Ok(Encoder::Gzip(gzip::Parallel::new(out, level, workers)?)),
            Compression::Zstd => {
                let mut encoder = zstd::Encoder::new(out, level)?;
                // Without workers zstd cuts the input in another way, so that the bytes would differ.
                encoder.multithread(u32::try_from(workers).unwrap_or(u32::MAX))?;
                if level <= ZSTD_LAST_WITH_WINDOW {
                    encoder.window_log(ZSTD_WINDOW_LOG)?;
                }
                if level == compression.default_level() {
                    encoder.set_parameter(CParameter::HashLog(ZSTD_HASH_LOG))?;
                }
                encoder.set_parameter(CParameter::JobSize(ZSTD_JOB))?;
                encoder.set_parameter(CParameter::OverlapSizeLog(ZSTD_OVERLAP))?;
                encoder.include_checksum(true)?;
                Ok(Encoder::Zstd(encoder))
            }
            Compression::ZstdChunked => {
                Ok(Encoder::Chunked(Box::new(chunked::Chunked::new(out, level, workers)?)))
            }
        }
    }

    /// Writes the end, and gives the sink back and what a layer's descriptor has to say of the form.
    pub(crate) fn finish(self) -> io::Result<(W, BTreeMap<String, String>)> {
        let out = match self {
            Encoder::Plain(out) => out,
            Encoder::Gzip(encoder) => encoder.finish()?,
            Encoder::Zstd(encoder) => encoder.finish()?,
            Encoder::Chunked(encoder) => return encoder.finish(),
        };
        Ok((out, BTreeMap::new()))
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Encoder::Plain(out) => out.write(bytes),
            Encoder::Gzip(encoder) => encoder.write(bytes),
            Encoder::Zstd(encoder) => encoder.write(bytes),
            Encoder::Chunked(encoder) => encoder.write(bytes),
        }
    }

    /// Passes on what is compressed so far; it forces nothing out, since that would change the bytes.
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Encoder::Plain(out) => out.flush(),
            Encoder::Gzip(_) | Encoder::Zstd(_) | Encoder::Chunked(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
