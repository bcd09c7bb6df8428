//! Decompression of what comes from outside; the form is told by its first bytes, not by what someone says it is.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::GzDecoder;
use lzma_rust2::XzReader;

use super::Compression;
use crate::error::{Error, Kind};

/// How much is read from the source at once.
const BUFFER: usize = 256 * 1024;

/// As much memory as xz may ask for, in KiB: twice the dictionary of `xz -9`, which is the largest in use.
const XZ_MEMORY: u32 = 128 << 10;

type Source<R> = BufReader<Chain<Cursor<Vec<u8>>, R>>;

/// Gives the plain bytes of `input`. What is kept in memory is bounded, whatever the input asks for.
///
/// # Errors
/// Those of `input`.
pub(crate) fn decode<R: Read>(mut input: R) -> io::Result<Decoder<R>> {
    let mut start = Vec::with_capacity(10);
    (&mut input).take(10).read_to_end(&mut start)?;
    let form: Form = match start.as_slice() {
        [0x1f, 0x8b, ..] => Form::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Form::Zstd,
        // A frame that is to be skipped may come first; eStargz-like writers put one there.
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Form::Zstd,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Form::Xz,
        // The letters alone may begin a text: a block, or the end of an empty file, must follow.
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59]
        | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90] => Form::Bzip2,
        _ => Form::Plain,
    };
    let source = BufReader::with_capacity(BUFFER, Cursor::new(start).chain(input));
    Ok(match form {
        Form::Plain => Decoder::Plain(source),
        Form::Gzip => Decoder::Gzip(Box::new(Gunzip { member: Some(GzDecoder::new(source)) })),
        // The default limit of the window, 128 MiB, is what every tool accepts; smaller ones would refuse images that
        // others take. Memory is used only as far as a frame asks for it.
        Form::Zstd => Decoder::Zstd(zstd::Decoder::with_buffer(source)?),
        Form::Bzip2 => Decoder::Bzip2(Box::new(MultiBzDecoder::new(source))),
        Form::Xz => Decoder::Xz(Box::new(XzReader::new_mem_limit(source, true, XZ_MEMORY))),
    })
}

/// The forms that are read.
enum Form {
    Plain,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

/// Reads plain bytes out of compressed ones.
pub(crate) enum Decoder<R: Read> {
    /// They were plain already.
    Plain(Source<R>),
    /// gzip, of any number of members.
    Gzip(Box<Gunzip<Source<R>>>),
    /// zstd, of any number of frames.
    Zstd(zstd::Decoder<'static, Source<R>>),
    /// bzip2, of any number of streams.
    Bzip2(Box<MultiBzDecoder<Source<R>>>),
    /// xz, of any number of streams.
    Xz(Box<XzReader<Source<R>>>),
}

impl<R: Read> Decoder<R> {
    /// How it was compressed, if Kiln writes that form too.
    pub(crate) fn compression(&self) -> Option<Compression> {
        match self {
            Decoder::Plain(_) => Some(Compression::None),
            Decoder::Gzip(_) => Some(Compression::Gzip),
            Decoder::Zstd(_) => Some(Compression::Zstd),
            Decoder::Bzip2(_) | Decoder::Xz(_) => None,
        }
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Decoder::Plain(source) => source.read(buffer),
            Decoder::Gzip(decoder) => decoder.read(buffer).map_err(as_corrupt),
            Decoder::Zstd(decoder) => decoder.read(buffer).map_err(as_corrupt),
            Decoder::Bzip2(decoder) => decoder.read(buffer).map_err(as_corrupt),
            Decoder::Xz(decoder) => decoder.read(buffer).map_err(|error| match error.kind() {
                io::ErrorKind::OutOfMemory => io::Error::other(
                    Error::new(Kind::Unsupported, "cannot decompress `xz`")
                        .because(format!("it asks for more than {} MiB of memory", XZ_MEMORY >> 10))
                        .hint("compress it again with a smaller dictionary: `xz -9`"),
                ),
                _ => as_corrupt(error),
            }),
        }
    }
}

/// The decompressors say of bad bytes `InvalidInput` or nothing; errors of the source stay what they are.
fn as_corrupt(error: io::Error) -> io::Error {
    let is_ours = error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Error>);
    let is_vague = matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported | io::ErrorKind::Other
    );
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
