//! From a tar-split and a tree to the tar.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};

use super::{FILE, Line, SEGMENT, decode};
use crate::error::{Context, Error, Result};
use crate::tree::Root;

/// As many bytes as a line may have: other writers put all that follows the end mark into one.
const MAX_LINE: u64 = 256 << 20;

/// Writes the tar that `split` was recorded of to `out`, with the content of the files in `tree`.
///
/// Whether it is that tar, the digest of the whole says; sums of single files are not looked at.
pub(crate) fn join(split: impl Read, tree: &Root, out: &mut dyn Write) -> Result<()> {
    let mut lines =
        BufReader::with_capacity(64 * 1024, flate2::bufread::MultiGzDecoder::new(BufReader::new(split)));
    let mut text = Vec::new();
    loop {
        text.clear();
        let count = (&mut lines).take(MAX_LINE).read_until(b'\n', &mut text);
        if count.cannot("read", "the tar-split")? == 0 {
            return Ok(());
        }
        if text.len() as u64 == MAX_LINE {
            return Err(unfit("a line of it is too long"));
        }
        let line: Line = serde_json::from_slice(&text).map_err(|cause| unfit(&cause.to_string()))?;
        match line.kind {
            SEGMENT => {
                let bytes = decode(line.payload.as_deref().unwrap_or_default());
                out.write_all(&bytes.ok_or_else(|| unfit("a segment is no base64"))?)
                    .cannot("write", "the layer")?;
            }
            FILE if line.size > 0 => put_file(&line, tree, out)?,
            FILE => {}
            other => return Err(unfit(&format!("it has an entry of the unknown type {other}"))),
        }
    }
}

fn put_file(line: &Line, tree: &Root, out: &mut dyn Write) -> Result<()> {
    let path = path(line)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = tree.open(&path, flags, Mode::empty()).cannot("open", path.display())?;
    let copied = io::copy(&mut File::from(file).take(line.size), out).cannot("read", path.display())?;
    if copied < line.size {
        return Err(Error::corrupt(format!("cannot read `{}`", path.display()))
            .because(format!("it has {copied} bytes, and the layer's tar-split says {}", line.size)));
    }
    Ok(())
}

fn path(line: &Line) -> Result<PathBuf> {
    match (&line.name, &line.name_raw) {
        (Some(name), None) => Ok(OsStr::from_bytes(name.as_bytes()).into()),
        (_, Some(raw)) => {
            let raw = decode(raw).ok_or_else(|| unfit("a name is no base64"))?;
            Ok(std::ffi::OsString::from_vec(raw).into())
        }
        (None, None) => Err(unfit("a file has no name")),
    }
}

fn unfit(why: &str) -> Error {
    Error::corrupt("cannot read the tar-split of the layer").because(why.to_owned())
}
