//! stub
use std::io::*;
use crate::error::Result; use crate::tree::*; use crate::oci::Digest;
pub(crate) const WRITER_VERSION: u32 = 1;
/// a
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Times { #[default] /// a
 Keep, /// a
 Set(i64), /// a
 Clamp(i64) }
/// a
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression { /// a
 None, /// a
 Gzip, /// a
 Zstd }
pub(crate) struct Profile { pub times: Times }
pub(crate) mod tar { use super::*; pub(crate) fn write(_e: impl Iterator<Item = Result<Entry>>, _p: &Profile, _o: &mut impl Write) -> Result<()> { Ok(()) } }
pub(crate) struct Encoder<W>(W);
impl<W: Write> Encoder<W> { pub fn new(w: W, _c: Compression, _l: Option<i32>) -> Self { Encoder(w) } pub fn finish(self) -> Result<W> { Ok(self.0) } }
impl<W: Write> Write for Encoder<W> { fn write(&mut self, b: &[u8]) -> std::io::Result<usize> { self.0.write(b) } fn flush(&mut self) -> std::io::Result<()> { Ok(()) } }
pub(crate) struct Unpacked { pub diff_id: Digest, pub size: u64, pub stats: Stats }
pub(crate) fn unpack(_r: &mut impl Read, _root: &Root, _m: Marks) -> Result<Unpacked> { unimplemented!() }
