//! From a tar made by anyone to entries: v7, ustar, pax and GNU forms.
//!
//! Everything it keeps is bounded. Names lose their leading slashes; one with `..` is refused. Of attributes only those
//! that layers carry are taken. A stream that ends at the end of an entry is taken as whole, with or without an end
//! mark: other builders do so, and the digest tells.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::io::{self, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::rc::Rc;

use super::header::{is_whole, number, text, unreadable};
use super::pax::{self, Values};
use super::{AUFS, BLOCK, OPAQUE, WHITEOUT, XATTR, sparse};
use crate::error::{Context, Error, Kind, Result};
use crate::tree::{Content, Device, Entry, Meta, Node, RelPath, Timestamp, is_carried, plain_capability};

/// As many bytes as a pax header, or all global ones together, may have.
pub(super) const MAX_HEADER: usize = 1 << 20;

/// As many bytes as a name may have: far more than the kernel takes in one call, for deep trees.
pub(super) const MAX_NAME: usize = 64 * 1024;

/// Files up to this size come in memory.
const SMALL: u64 = 64 * 1024;

/// How many directories above the current entry are remembered, for opaque marks that come late.
const REMEMBERED: usize = 64;

/// The entries of the tar that `reader` gives.
///
/// The content of a large file is a stream that ends when the next entry is asked for.
pub(crate) fn read<R: Read + 'static>(reader: R) -> Entries<R> {
    entries(reader, Names::Layer)
}

/// The entries of a tar that is no layer: whiteout names are names as any other, and `..` stops at its root, as other
/// builders have it.
pub(crate) fn read_archive<R: Read + 'static>(reader: R) -> Entries<R> {
    entries(reader, Names::Archive)
}

/// Whether `reader` begins as a tar with something in it does. Reads no more than is needed for that.
pub(crate) fn is_archive(mut reader: impl Read) -> io::Result<bool> {
    let mut block = [0; BLOCK];
    match reader.read_exact(&mut block) {
        Ok(()) => Ok(block.iter().any(|byte| *byte != 0) && is_whole(&block)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// What names mean.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    /// Some are whiteouts, and one with `..` is refused.
    Layer,
    /// Just names.
    Archive,
}

impl Names {
    fn parse(self, name: &[u8]) -> Result<RelPath> {
        match self {
            Names::Layer => parse_path(name),
            Names::Archive => Ok(RelPath::clamp(OsStr::from_bytes(name))),
        }
    }
}

fn entries<R: Read + 'static>(reader: R, names: Names) -> Entries<R> {
    let source =
        Source { reader: BufReader::with_capacity(128 * 1024, reader), left: 0, padding: 0, serial: 0 };
    Entries {
        names,
        source: Rc::new(RefCell::new(source)),
        values: Values::default(),
        held: None,
        above: Vec::new(),
        ended: false,
    }
}

/// The iterator of [`read`]. After a failure it is at its end.
pub(crate) struct Entries<R> {
    names: Names,
    source: Rc<RefCell<Source<R>>>,
    values: Values,
    /// Read ahead: an opaque mark belongs to the directory before it.
    held: Option<Option<Item>>,
    /// The directories seen that the current entry is in, and what they are like.
    above: Vec<(RelPath, Meta)>,
    ended: bool,
}

/// What a header stands for.
enum Item {
    Entry(Entry),
    Opaque(RelPath),
}

impl<R: Read + 'static> Iterator for Entries<R> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let step = self.step();
        self.ended = !matches!(step, Ok(Some(_)));
        step.transpose()
    }
}

impl<R: Read + 'static> Entries<R> {
    fn step(&mut self) -> Result<Option<Entry>> {
        let item = match self.held.take() {
            Some(held) => held,
            None => self.item()?,
        };
        let Some(item) = item else { return Ok(None) };
        let mut entry = match item {
            Item::Entry(entry) => entry,
            Item::Opaque(path) => return Ok(Some(self.late_opaque(path))),
        };
        if let Node::Directory { opaque } = &mut entry.node {
            match self.item()? {
                Some(Item::Opaque(path)) if path == entry.path => *opaque = true,
                ahead => self.held = Some(ahead),
            }
            self.above.retain(|(path, _)| entry.path.starts_with(path) && entry.path != *path);
            if self.above.len() == REMEMBERED {
                self.above.remove(0);
            }
            self.above.push((entry.path.clone(), entry.meta.clone()));
        }
        Ok(Some(entry))
    }

    /// Reads to the end of the source: what follows the end mark belongs to the tar's digest too.
    pub(crate) fn drain(self) -> Result<()> {
        io::copy(&mut self.source.borrow_mut().reader, &mut io::sink()).map_err(failed).map(drop)
    }

    /// A mark apart from its directory: the directory again, as it was, or as one that no entry speaks of.
    fn late_opaque(&self, path: RelPath) -> Entry {
        let seen = self.above.iter().find(|(above, _)| *above == path).map(|(_, meta)| meta.clone());
        let meta = seen.unwrap_or_else(|| Meta { mode: 0o755, ..Meta::default() });
        Entry { path, meta, node: Node::Directory { opaque: true } }
    }

    /// The next header that stands for something.
    fn item(&mut self) -> Result<Option<Item>> {
        self.values.clear_own();
        let (mut long_name, mut long_link) = (None, None);
        loop {
            let Some(block) = self.source.borrow_mut().header()? else { return Ok(None) };
            let size = match self.values.get(b"size") {
                Some(size) => pax::decimal(size).ok_or_else(|| unreadable("size"))?,
                None => u64::try_from(number(&block[124..136], "size")?).map_err(|_| unreadable("size"))?,
            };
            if size > i64::MAX as u64 {
                return Err(unreadable("size"));
            }
            match block[156] {
                b'x' | b'X' => {
                    let records = self.source.borrow_mut().meta(own_size(&block)?, MAX_HEADER)?;
                    self.values.set_own(pax::parse(&records)?);
                }
                b'g' => {
                    let records = self.source.borrow_mut().meta(own_size(&block)?, MAX_HEADER)?;
                    self.values.set_global(pax::parse(&records)?)?;
                }
                b'L' => {
                    let name = self.source.borrow_mut().meta(own_size(&block)?, MAX_NAME)?;
                    long_name = Some(text(&name).to_vec());
                }
                b'K' => {
                    let link = self.source.borrow_mut().meta(own_size(&block)?, MAX_NAME)?;
                    long_link = Some(text(&link).to_vec());
                }
                // A volume's label and a list of names: not part of the tree.
                b'V' | b'N' => self.source.borrow_mut().body(size),
                sort => {
                    let name = self.name(&block, long_name.take())?;
                    let link = long_link.take();
                    if let Some(item) = self.entry(&block, sort, &name, link, size)? {
                        return Ok(Some(item));
                    }
                    self.values.clear_own();
                }
            }
        }
    }

    fn name(&self, block: &[u8; BLOCK], long: Option<Vec<u8>>) -> Result<Vec<u8>> {
        let pax = self.values.get(b"GNU.sparse.name").or_else(|| self.values.get(b"path"));
        let name = match (pax, long) {
            (Some(name), _) => name.to_vec(),
            (None, Some(name)) => name,
            // The prefix is ustar's alone: GNU's header, with spaces in its magic, has times there.
            (None, None) if &block[257..263] == b"ustar\0" && block[345] != 0 => {
                [text(&block[345..500]), b"/", text(&block[..100])].concat()
            }
            (None, None) => text(&block[..100]).to_vec(),
        };
        if name.len() > MAX_NAME {
            return Err(Error::corrupt("cannot read the name of a tar entry").because("it is too long"));
        }
        Ok(name)
    }

    fn entry(
        &mut self,
        block: &[u8; BLOCK],
        sort: u8,
        name: &[u8],
        link: Option<Vec<u8>>,
        size: u64,
    ) -> Result<Option<Item>> {
        let path = self.names.parse(name)?;
        let shown = path.clone();
        // Old tars know no directories: there it is a slash at the end.
        let sort = if matches!(sort, 0 | b'0') && name.ends_with(b"/") { b'5' } else { sort };
        if self.names == Names::Layer
            && let Some(item) = whiteout(&path)?
        {
            if !matches!(sort, b'1'..=b'6') {
                self.source.borrow_mut().body(size);
            }
            return Ok(item);
        }
        let link = || match (self.values.get(b"linkpath"), link) {
            (Some(link), _) => link.to_vec(),
            (None, Some(link)) => link,
            (None, None) => text(&block[157..257]).to_vec(),
        };
        let node = match sort {
            0 | b'0' | b'7' | b'S' => self.file(block, sort, size).cannot("read", &shown)?,
            b'1' => Node::Hardlink(self.names.parse(&link())?),
            b'2' => Node::Symlink(PathBuf::from(OsStr::from_bytes(&link()))),
            b'3' => Node::Char(device(block)?),
            b'4' => Node::Block(device(block)?),
            b'5' => Node::Directory { opaque: false },
            b'6' => Node::Fifo,
            // GNU's incremental form: a directory whose body lists names.
            b'D' => {
                self.source.borrow_mut().body(size);
                Node::Directory { opaque: false }
            }
            other => {
                return Err(Error::new(Kind::Unsupported, format!("cannot read `{path}` from a tar"))
                    .because(format!("it is of the unknown sort `{}`", other.escape_ascii())));
            }
        };
        let meta = self.meta(block).cannot("read", &shown)?;
        Ok(Some(Item::Entry(Entry { path, meta, node })))
    }

    fn file(&mut self, block: &[u8; BLOCK], sort: u8, size: u64) -> Result<Node> {
        let mut map = None;
        let mut data = size;
        if sort == b'S' {
            map = Some(sparse::old(block, || self.source.borrow_mut().block())?);
        } else if self.values.get(b"GNU.sparse.major") == Some(b"1") {
            let size = self.values.get(b"GNU.sparse.realsize").and_then(pax::decimal);
            let size = size.ok_or_else(|| unreadable("size"))?;
            let limit = data / BLOCK as u64;
            let mut taken = 0;
            let (found, blocks) = sparse::from_body(size, || {
                taken += 1;
                if taken > limit {
                    return Err(unreadable("sparse map"));
                }
                self.source.borrow_mut().block()
            })?;
            data -= blocks * BLOCK as u64;
            map = Some(found);
        } else if let Some(found) = sparse::from_records(&self.values)? {
            map = Some(found);
        }
        self.source.borrow_mut().body(data);
        if let Some(map) = map {
            if map.data() > data || map.size > i64::MAX as u64 {
                return Err(unreadable("sparse map"));
            }
            let size = map.size;
            let stream = sparse::Filled::new(self.stream(), map);
            return Ok(Node::File { size, content: Content::Stream(Box::new(stream)) });
        }
        let content = if size <= SMALL {
            Content::Bytes(self.source.borrow_mut().take(size)?)
        } else {
            Content::Stream(Box::new(self.stream()))
        };
        Ok(Node::File { size, content })
    }

    fn stream(&self) -> Body<R> {
        Body { serial: self.source.borrow().serial, source: self.source.clone() }
    }

    fn meta(&self, block: &[u8; BLOCK]) -> Result<Meta> {
        let id = |key: &[u8], field: &[u8]| -> Result<u32> {
            let number = match self.values.get(key) {
                Some(id) => pax::decimal(id),
                None => u32::try_from(number(field, "owner")?).ok(),
            };
            number.ok_or_else(|| unreadable("owner"))
        };
        let mtime = match self.values.get(b"mtime") {
            Some(time) => pax::time(time).ok_or_else(|| unreadable("time"))?,
            None => Timestamp::from_seconds(number(&block[136..148], "time")?),
        };
        let mut meta = Meta {
            mode: (number(&block[100..108], "mode")? & 0o7777) as u32,
            uid: id(b"uid", &block[108..116])?,
            gid: id(b"gid", &block[116..124])?,
            mtime,
            ..Meta::default()
        };
        for (key, value) in self.values.all() {
            if let Some(name) = key.strip_prefix(XATTR).filter(|name| is_carried(name)) {
                let is_capability = name == b"security.capability";
                let value = if is_capability { plain_capability(value) } else { value.clone() };
                meta.xattrs.insert(name.to_vec(), value);
            }
        }
        Ok(meta)
    }
}

/// What a header's own size field says; a pax size is meant for the entry after it.
pub(super) fn own_size(block: &[u8; BLOCK]) -> Result<u64> {
    u64::try_from(number(&block[124..136], "size")?).map_err(|_| unreadable("size"))
}

fn parse_path(name: &[u8]) -> Result<RelPath> {
    RelPath::parse(OsStr::from_bytes(name))
        .map_err(|cause| Error::corrupt("cannot read the name of a tar entry").because(cause))
}

fn device(block: &[u8; BLOCK]) -> Result<Device> {
    let part = |field: &[u8]| {
        number(field, "device").and_then(|part| u32::try_from(part).map_err(|_| unreadable("device")))
    };
    Ok(Device { major: part(&block[329..337])?, minor: part(&block[337..345])? })
}

/// What a name stands for that is not its own: outer `None` if it is, inner if it means nothing.
fn whiteout(path: &RelPath) -> Result<Option<Option<Item>>> {
    let (Some(name), Some(parent)) = (path.name(), path.parent()) else { return Ok(None) };
    let name = name.as_bytes();
    let Some(hidden) = name.strip_prefix(WHITEOUT) else { return Ok(None) };
    if name == OPAQUE {
        return Ok(Some(Some(Item::Opaque(parent))));
    }
    if name.starts_with(AUFS) {
        return Ok(Some(None));
    }
    if matches!(hidden, b"" | b"." | b"..") {
        return Err(Error::corrupt(format!("cannot read `{path}` from a tar"))
            .because("it would remove what is no name in its directory"));
    }
    let path = parent.join(OsStr::from_bytes(hidden));
    Ok(Some(Some(Item::Entry(Entry { path, meta: Meta::default(), node: Node::Whiteout }))))
}

/// The bytes of the tar, in step with its headers.
struct Source<R> {
    reader: BufReader<R>,
    /// Of the current body.
    left: u64,
    /// After the current body.
    padding: u64,
    /// Counts bodies, so that a stream kept too long is found out.
    serial: u64,
}

impl<R: Read> Source<R> {
    /// A body of `size` bytes comes now.
    fn body(&mut self, size: u64) {
        self.left = size;
        self.padding = size.wrapping_neg() % BLOCK as u64;
    }

    /// The next header, or `None` at the end. What is left of the body before it is skipped.
    fn header(&mut self) -> Result<Option<[u8; BLOCK]>> {
        self.serial += 1;
        let rest = self.left + self.padding;
        (self.left, self.padding) = (0, 0);
        let skipped = io::copy(&mut (&mut self.reader).take(rest), &mut io::sink()).map_err(failed)?;
        if skipped < rest {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        let mut block = [0; BLOCK];
        let mut filled = 0;
        while filled < BLOCK {
            match self.reader.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(failed(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error)),
            }
        }
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if !is_whole(&block) {
            return Err(Error::corrupt("cannot read a tar entry").because("its checksum is wrong"));
        }
        Ok(Some(block))
    }

    /// One block of the current body or between it and its header.
    fn block(&mut self) -> Result<[u8; BLOCK]> {
        let mut block = [0; BLOCK];
        self.reader.read_exact(&mut block).map_err(failed)?;
        Ok(block)
    }

    /// The whole body of a header that describes another.
    fn meta(&mut self, size: u64, limit: usize) -> Result<Vec<u8>> {
        if size > limit as u64 {
            return Err(Error::corrupt("cannot read a tar entry")
                .because(format!("a header of {size} bytes is too large")));
        }
        self.body(size);
        self.take(size)
    }

    /// The next `size` bytes of the current body, which must be small.
    fn take(&mut self, size: u64) -> Result<Vec<u8>> {
        let mut bytes = vec![0; size as usize];
        self.reader.read_exact(&mut bytes).map_err(failed)?;
        self.left -= size;
        Ok(bytes)
    }
}

fn failed(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::UnexpectedEof && error.get_ref().is_none() {
        return Error::corrupt("cannot read a tar").because("it ends in the middle of an entry");
    }
    // What went wrong below, in decompression or transport, says more than that a tar could not be read.
    Err::<(), _>(error).cannot("read", "the layer").expect_err("it is one")
}

/// The body of one large file.
struct Body<R> {
    source: Rc<RefCell<Source<R>>>,
    serial: u64,
}

impl<R: Read> Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut source = self.source.borrow_mut();
        if source.serial != self.serial {
            return Err(io::Error::other("the next entry was asked for already"));
        }
        let count = usize::try_from(source.left).unwrap_or(usize::MAX).min(buffer.len());
        if count == 0 {
            return Ok(0);
        }
        let count = source.reader.read(&mut buffer[..count])?;
        if count == 0 {
            return Err(io::Error::other(failed(io::ErrorKind::UnexpectedEof.into())));
        }
        source.left -= count as u64;
        Ok(count)
    }
}
