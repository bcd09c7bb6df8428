//! From entries to a tar, in one fixed form: the same entries give the same bytes on every machine.
//!
//! Any change here that changes a byte of the output needs a new [`WRITER_VERSION`]: stored layers are made again from
//! their trees and must come out as before.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;

use tar::{EntryType, Header};

use super::{BLOCK, OPAQUE, WHITEOUT, XATTR, pax};
use crate::error::{Context, Error, Kind, Result};
use crate::tree::{Content, Device, Entry, Meta, Node, Opened, RelPath};

/// The form that [`write`] gives.
pub(crate) const WRITER_VERSION: u32 = 1;

/// How much is collected before it is given to the sink.
const BUFFER: usize = 256 * 1024;

/// What becomes of modification times in a layer, which has whole seconds. The tree itself keeps its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Times {
    /// They are as in the tree.
    #[default]
    Keep,
    /// All are this many seconds after the epoch.
    Set(i64),
    /// None is later than this many seconds after the epoch.
    Clamp(i64),
}

/// What may be different from export to export of one tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    /// What becomes of modification times.
    pub times: Times,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TarSummary {
    /// Entries, whiteouts and opaque marks among them.
    pub entries: u64,
    /// Length of the tar in bytes.
    pub bytes: u64,
    /// Sockets, which have no form in a tar and were left out.
    pub sockets: u64,
}

/// Writes `entries` as one tar to `out`, the end mark included.
///
/// The root is in it only if it is not 0755, root's, without attributes, which is what every unpacker makes of it
/// anyway: the layer of one file is to hold one entry. (containers/storage never writes it and so loses a change.)
pub(crate) fn write(
    entries: impl Iterator<Item = Result<Entry>>,
    profile: &Profile,
    out: &mut impl Write,
) -> Result<TarSummary> {
    let mut writer = Writer {
        out,
        buffer: Vec::with_capacity(BUFFER),
        times: profile.times,
        summary: TarSummary::default(),
    };
    for entry in entries {
        writer.entry(entry?)?;
    }
    writer.put(&[0; 2 * BLOCK]).cannot("write", "the end of the layer")?;
    writer.flush().cannot("write", "the end of the layer")?;
    Ok(writer.summary)
}

/// The letters of POSIX for the sorts of entries.
mod sort {
    pub(super) const FILE: u8 = b'0';
    pub(super) const HARDLINK: u8 = b'1';
    pub(super) const SYMLINK: u8 = b'2';
    pub(super) const CHAR: u8 = b'3';
    pub(super) const BLOCK: u8 = b'4';
    pub(super) const DIRECTORY: u8 = b'5';
    pub(super) const FIFO: u8 = b'6';
    pub(super) const PAX: u8 = b'x';
}

/// What a header says besides mode, owner, time and attributes.
struct Fields<'a> {
    path: &'a [u8],
    sort: u8,
    size: u64,
    link: &'a [u8],
    device: Option<Device>,
}

struct Writer<'a, W> {
    out: &'a mut W,
    buffer: Vec<u8>,
    times: Times,
    summary: TarSummary,
}

impl<W: Write> Writer<'_, W> {
    fn entry(&mut self, entry: Entry) -> Result<()> {
        let Entry { path, meta, node } = entry;
        if path.name().is_some_and(|name| name.as_encoded_bytes().starts_with(WHITEOUT)) {
            return Err(Error::new(Kind::Unsupported, format!("cannot write `{path}` into a layer"))
                .because("a name that begins with `.wh.` stands for a removed file there"));
        }
        let mut fields = Fields { path: path.as_bytes(), sort: sort::FILE, size: 0, link: &[], device: None };
        match &node {
            Node::Directory { opaque } => return self.directory(&path, &meta, *opaque),
            Node::Whiteout => return self.whiteout(&path),
            Node::Socket => {
                self.summary.sockets += 1;
                return Ok(());
            }
            Node::File { size, .. } => fields.size = *size,
            Node::Symlink(target) => {
                (fields.sort, fields.link) = (sort::SYMLINK, target.as_os_str().as_bytes());
            }
            Node::Hardlink(target) => (fields.sort, fields.link) = (sort::HARDLINK, target.as_bytes()),
            Node::Char(device) => (fields.sort, fields.device) = (sort::CHAR, Some(*device)),
            Node::Block(device) => (fields.sort, fields.device) = (sort::BLOCK, Some(*device)),
            Node::Fifo => fields.sort = sort::FIFO,
        }
        self.header(&fields, &meta).cannot("write", &path)?;
        match node {
            Node::File { size, content } => self.content(content, size, &path),
            _ => Ok(()),
        }
    }

    fn directory(&mut self, path: &RelPath, meta: &Meta, opaque: bool) -> Result<()> {
        let is_usual = meta.mode == 0o755 && (meta.uid, meta.gid) == (0, 0) && meta.xattrs.is_empty();
        let mut name = path.as_bytes().to_vec();
        if path.is_root() {
            name.push(b'.');
        }
        name.push(b'/');
        if !(path.is_root() && is_usual) {
            let fields = Fields { path: &name, sort: sort::DIRECTORY, size: 0, link: &[], device: None };
            self.header(&fields, meta).cannot("write", path)?;
        }
        if opaque { self.mark(path, OPAQUE) } else { Ok(()) }
    }

    fn whiteout(&mut self, path: &RelPath) -> Result<()> {
        let Some(name) = path.name() else {
            return Err(Error::invalid("cannot write a layer that removes the root"));
        };
        self.mark(&path.parent().unwrap_or_default(), &[WHITEOUT, name.as_bytes()].concat())
    }

    /// An empty file without mode, owner and time: the name is all there is to it.
    fn mark(&mut self, dir: &RelPath, name: &[u8]) -> Result<()> {
        let path = dir.join(OsStr::from_bytes(name));
        let fields = Fields { path: path.as_bytes(), sort: sort::FILE, size: 0, link: &[], device: None };
        self.header(&fields, &Meta::default()).cannot("write", &path)
    }

    fn header(&mut self, fields: &Fields<'_>, meta: &Meta) -> io::Result<()> {
        self.summary.entries += 1;
        let seconds = match self.times {
            Times::Keep => meta.mtime.seconds,
            Times::Set(time) => time,
            Times::Clamp(latest) => meta.mtime.seconds.min(latest),
        };
        let mut records = Records::default();
        let mut header = Header::new_ustar();
        let ustar = header.as_ustar_mut().expect("just made as one");
        match split(fields.path) {
            Some((prefix, name)) => {
                ustar.prefix[..prefix.len()].copy_from_slice(prefix);
                ustar.name[..name.len()].copy_from_slice(name);
            }
            None => {
                records.name(b"path", fields.path);
                let start = &fields.path[..ustar.name.len()];
                ustar.name.copy_from_slice(start);
            }
        }
        if fields.link.len() > ustar.linkname.len() {
            records.name(b"linkpath", fields.link);
        }
        let link = &fields.link[..fields.link.len().min(ustar.linkname.len())];
        ustar.linkname[..link.len()].copy_from_slice(link);
        header.set_mode(meta.mode);
        header.set_uid(records.fitting(b"uid", i128::from(meta.uid), SMALL));
        header.set_gid(records.fitting(b"gid", i128::from(meta.gid), SMALL));
        header.set_size(records.fitting(b"size", i128::from(fields.size), LARGE));
        header.set_mtime(records.fitting(b"mtime", i128::from(seconds), LARGE));
        let device = fields.device.unwrap_or(Device { major: 0, minor: 0 });
        header.set_device_major(device.major)?;
        header.set_device_minor(device.minor)?;
        if fields.sort != sort::HARDLINK {
            for (name, value) in &meta.xattrs {
                records.0.insert([XATTR, name].concat(), value.clone());
            }
        }
        if !records.0.is_empty() {
            self.records(fields.path, &records)?;
        }
        self.block(header, fields.sort)
    }

    /// A pax header for the entry at `path`, which follows it.
    fn records(&mut self, path: &[u8], records: &Records) -> io::Result<()> {
        let mut body = Vec::new();
        // Says how to read those after it, so it stands first.
        if records.is_binary() {
            pax::put(&mut body, b"hdrcharset", b"BINARY");
        }
        for (key, value) in &records.0 {
            pax::put(&mut body, key, value);
        }
        let mut header = Header::new_ustar();
        let ustar = header.as_ustar_mut().expect("just made as one");
        // Shown only by tools that do not know pax.
        let name =
            path.strip_suffix(b"/").unwrap_or(path).rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        let name = [b"PaxHeaders/", &name[..name.len().min(80)]].concat();
        ustar.name[..name.len()].copy_from_slice(&name);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(body.len() as u64);
        header.set_device_major(0)?;
        header.set_device_minor(0)?;
        self.block(header, sort::PAX)?;
        self.put(&body)?;
        self.pad()
    }

    fn block(&mut self, mut header: Header, sort: u8) -> io::Result<()> {
        header.set_entry_type(EntryType::new(sort));
        header.set_cksum();
        self.put(header.as_bytes())
    }

    fn content(&mut self, content: Content, size: u64, path: &RelPath) -> Result<()> {
        let mut source: Box<dyn Read> = match content.open().cannot("open", path)? {
            Opened::Bytes(bytes) => {
                if bytes.len() as u64 != size {
                    return Err(shorter(path));
                }
                self.put(&bytes).cannot("write", path)?;
                return self.pad().cannot("write", path);
            }
            Opened::File(mut file) => {
                self.copy(&mut file, size, path)?;
                return self.pad().cannot("write", path);
            }
            Opened::Stream(stream) => stream,
        };
        self.copy(&mut source, size, path)?;
        self.pad().cannot("write", path)
    }

    /// Exactly `size` bytes, read straight into the buffer.
    fn copy(&mut self, source: &mut impl Read, size: u64, path: &RelPath) -> Result<()> {
        let mut left = size;
        while left > 0 {
            if self.buffer.len() == BUFFER {
                self.flush().cannot("write", path)?;
            }
            let start = self.buffer.len();
            let room = usize::try_from(left).unwrap_or(BUFFER).min(BUFFER - start);
            self.buffer.resize(start + room, 0);
            let read = loop {
                match source.read(&mut self.buffer[start..]) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => break read.cannot("read", path)?,
                }
            };
            self.buffer.truncate(start + read);
            if read == 0 {
                return Err(shorter(path));
            }
            left -= read as u64;
            self.summary.bytes += read as u64;
        }
        Ok(())
    }

    fn pad(&mut self) -> io::Result<()> {
        let over = self.summary.bytes as usize % BLOCK;
        if over == 0 { Ok(()) } else { self.put(&[0; BLOCK][over..]) }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.summary.bytes += bytes.len() as u64;
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush()?;
            if bytes.len() > BUFFER {
                return self.out.write_all(bytes);
            }
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

fn shorter(path: &RelPath) -> Error {
    Error::new(Kind::InUse, format!("cannot read `{path}`")).because("it became shorter while it was read")
}

/// What seven octal digits hold.
const SMALL: i128 = 0o777_7777;
/// What eleven octal digits hold.
const LARGE: i128 = 0o777_7777_7777;

/// The records of one pax header, sorted by key.
#[derive(Default)]
struct Records(BTreeMap<Vec<u8>, Vec<u8>>);

impl Records {
    fn name(&mut self, key: &[u8], name: &[u8]) {
        self.0.insert(key.to_vec(), name.to_vec());
    }

    /// The number for the header's field: `value` itself if it is not negative and at most `max`, else 0, and a record
    /// says it.
    fn fitting(&mut self, key: &[u8], value: i128, max: i128) -> u64 {
        if (0..=max).contains(&value) {
            return value as u64;
        }
        self.0.insert(key.to_vec(), value.to_string().into_bytes());
        0
    }

    /// Whether a name is not UTF-8, as names in a pax header otherwise are. Attributes are bytes to every reader.
    fn is_binary(&self) -> bool {
        let names = [b"path".as_slice(), b"linkpath"];
        names.iter().any(|key| self.0.get(*key).is_some_and(|name| std::str::from_utf8(name).is_err()))
    }
}

/// Where a path fits into the two fields of a header, prefix first; `None` if it does not.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.len() <= 100 {
        return Some((&[], path));
    }
    // The slash between the two is not written; the name may not be empty, nor just the slash of a directory.
    let earliest = path.len().saturating_sub(101);
    let latest = (path.len() - 2).min(155);
    let slash = (earliest..=latest).find(|at| path[*at] == b'/')?;
    Some((&path[..slash], &path[slash + 1..])).filter(|(prefix, _)| !prefix.is_empty())
}
