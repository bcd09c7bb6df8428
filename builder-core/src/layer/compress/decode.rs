//! Decompression of what comes from outside; the form is told by its first bytes, not by what someone says it is.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use flate2::bufread::GzDecoder;

use super::Compression;
use crate::error::{Error, Kind};

/// How much is read from the source at once.
const BUFFER: usize = 256 * 1024;

type Source<R> = BufReader<Chain<Cursor<Vec<u8>>, R>>;

/// Gives the plain bytes of `input`.
///
/// # Errors
/// Those of `input`, and [`Kind::Unsupported`] for forms that are known but not read.
pub(crate) fn decode<R: Read>(mut input: R) -> io::Result<Decoder<R>> {
    let mut start = Vec::with_capacity(6);
    (&mut input).take(6).read_to_end(&mut start)?;
    let foreign = match start.as_slice() {
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Some("xz"),
        [b'B', b'Z', b'h', ..] => Some("bzip2"),
        _ => None,
    };
    if let Some(form) = foreign {
        return Err(io::Error::other(
            Error::new(Kind::Unsupported, format!("cannot decompress `{form}`"))
                .hint(format!("{form} -d FILE")),
        ));
    }
    let form = match start.as_slice() {
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
        // A frame that is to be skipped may come first; eStargz-like writers put one there.
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
        _ => Compression::None,
    };
    let source = BufReader::with_capacity(BUFFER, Cursor::new(start).chain(input));
    Ok(match form {
        Compression::None => Decoder::Plain(source),
        Compression::Gzip => Decoder::Gzip(Box::new(Gunzip { member: Some(GzDecoder::new(source)) })),
        // The default limit of the window, 128 MiB, is what every tool accepts; smaller ones would refuse images that
        // others take. Memory is used only as far as a frame asks for it.
        Compression::Zstd => Decoder::Zstd(zstd::Decoder::with_buffer(source)?),
    })
}

/// Reads plain bytes out of compressed ones.
pub(crate) enum Decoder<R: Read> {
    /// They were plain already.
    Plain(Source<R>),
    /// gzip, of any number of members.
    Gzip(Box<Gunzip<Source<R>>>),
    /// zstd, of any number of frames.
    Zstd(zstd::Decoder<'static, Source<R>>),
}

impl<R: Read> Decoder<R> {
    /// How it was compressed.
    pub(crate) fn compression(&self) -> Compression {
        match self {
            Decoder::Plain(_) => Compression::None,
            Decoder::Gzip(_) => Compression::Gzip,
            Decoder::Zstd(_) => Compression::Zstd,
        }
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Decoder::Plain(source) => source.read(buffer),
            Decoder::Gzip(decoder) => decoder.read(buffer).map_err(as_corrupt),
            Decoder::Zstd(decoder) => decoder.read(buffer).map_err(as_corrupt),
        }
    }
}

/// The decompressors say of bad bytes `InvalidInput` or nothing; errors of the source stay what they are.
fn as_corrupt(error: io::Error) -> io::Error {
    let is_ours = error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Error>);
    let is_vague = matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Other);
    if is_vague && !is_ours && error.raw_os_error().is_none() {
        return io::Error::new(io::ErrorKind::InvalidData, error);
    }
    error
}

/// Member after member, as `gzip -d` does; what follows the last and is no member is read and ignored.
pub(crate) struct Gunzip<R> {
    /// `None` at the end.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while let Some(member) = &mut self.member {
            let count = member.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            let Some(mut source) = self.member.take().map(GzDecoder::into_inner) else { break };
            if source.fill_buf()?.first() == Some(&0x1f) {
                self.member = Some(GzDecoder::new(source));
            } else {
                // To its end, so that whoever hashes the source sees all of it.
                io::copy(&mut source, &mut io::sink())?;
            }
        }
        Ok(0)
    }
}
