//! A tar that goes by: which of its bytes are content and of what, with nothing changed and nothing left out. For those
//! who need every byte of it; `read` makes entries.

use std::io;

use super::header::{is_whole, number, text, unreadable};
use super::pax::{self, Values};
use super::read::{MAX_HEADER, MAX_NAME, own_size};
use super::{BLOCK, XATTR};
use crate::error::{Error, Kind, Result};
use crate::tree::Timestamp;

/// What a header says, as it stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Passing {
    /// The sort of entry, `b'0'` to `b'6'`.
    pub sort: u8,
    /// The name as the tar has it.
    pub name: String,
    /// What a link leads to.
    pub link: String,
    /// Bytes of content.
    pub size: u64,
    /// Permission bits and what else the field has.
    pub mode: i64,
    pub uid: i64,
    pub gid: i64,
    /// When the content was changed, the file was read, and its inode was changed.
    pub times: [Option<Timestamp>; 3],
    /// Major and minor number of a device.
    pub device: (i64, i64),
    /// Extended attributes.
    pub xattrs: Vec<(String, Vec<u8>)>,
}

/// Who is told what goes by, in its order.
pub(crate) trait Watch {
    /// Bytes that are no content: headers, what fills a block, the end.
    fn between(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// An entry; its content follows.
    fn entry(&mut self, entry: Passing) -> io::Result<()>;

    /// Content of the entry.
    fn content(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// There is no more of it; said of each entry.
    fn ended(&mut self) -> io::Result<()>;
}

/// Where in the tar we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Now {
    /// In the block of a header.
    Header,
    /// In what a header says of the next one: bytes still to come, what it is, and what fills its last block.
    About { left: usize, sort: u8, padding: usize },
    /// In content.
    Content { left: u64, padding: usize },
    /// In what fills a block.
    Padding(usize),
    /// After the end mark.
    End,
}

/// Takes a tar in any pieces.
#[derive(Debug)]
pub(crate) struct Scan {
    now: Now,
    /// What is gathered of a header, or of what it says.
    gathered: Vec<u8>,
    values: Values,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl Scan {
    /// At the beginning of a tar.
    pub fn new() -> Self {
        Scan {
            now: Now::Header,
            gathered: Vec::new(),
            values: Values::default(),
            long_name: None,
            long_link: None,
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// Those of `to`; it is no tar; it has an entry that cannot be told in full: a sparse one, or a name that is no
    /// text.
    pub fn pass(&mut self, mut bytes: &[u8], to: &mut impl Watch) -> io::Result<()> {
        while !bytes.is_empty() {
            let taken = match self.now {
                Now::Header => {
                    let piece = first(bytes, BLOCK - self.gathered.len());
                    to.between(piece)?;
                    self.gathered.extend_from_slice(piece);
                    if self.gathered.len() == BLOCK {
                        self.header(to)?;
                    }
                    piece.len()
                }
                Now::About { left, sort, padding } => {
                    let piece = first(bytes, left);
                    to.between(piece)?;
                    self.gathered.extend_from_slice(piece);
                    self.now = Now::About { left: left - piece.len(), sort, padding };
                    if piece.len() == left {
                        self.about(sort).map_err(io::Error::other)?;
                        self.now = filled(padding);
                    }
                    piece.len()
                }
                Now::Content { left, padding } => {
                    let piece = first(bytes, usize::try_from(left).unwrap_or(usize::MAX));
                    to.content(piece)?;
                    let left = left - piece.len() as u64;
                    self.now = Now::Content { left, padding };
                    if left == 0 {
                        to.ended()?;
                        self.now = filled(padding);
                    }
                    piece.len()
                }
                Now::Padding(left) => {
                    let piece = first(bytes, left);
                    to.between(piece)?;
                    self.now = filled(left - piece.len());
                    piece.len()
                }
                Now::End => {
                    to.between(bytes)?;
                    bytes.len()
                }
            };
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    /// Says that there are no more bytes.
    ///
    /// # Errors
    /// The tar is cut short.
    pub fn finish(&self) -> io::Result<()> {
        let whole = match self.now {
            Now::Header => self.gathered.is_empty(),
            Now::End => true,
            _ => false,
        };
        if whole { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// A block of a header is whole.
    fn header(&mut self, to: &mut impl Watch) -> io::Result<()> {
        let gathered = std::mem::take(&mut self.gathered);
        let block: [u8; BLOCK] = gathered.try_into().expect("a whole block");
        if block.iter().all(|byte| *byte == 0) {
            self.now = Now::End;
            return Ok(());
        }
        if !is_whole(&block) {
            return Err(io::Error::other(
                Error::corrupt("cannot read a tar entry").because("its checksum is wrong"),
            ));
        }
        if let sort @ (b'x' | b'X' | b'g' | b'L' | b'K') = block[156] {
            self.now = announced(&block, sort).map_err(io::Error::other)?;
            return Ok(());
        }
        let entry = self.entry(&block).map_err(io::Error::other)?;
        self.values.clear_own();
        let size = entry.size;
        to.entry(entry)?;
        if size == 0 {
            to.ended()?;
            self.now = Now::Header;
        } else {
            self.now = Now::Content { left: size, padding: padding_of(size) };
        }
        Ok(())
    }

    /// What a header says of the next one is whole.
    fn about(&mut self, sort: u8) -> Result<()> {
        let gathered = std::mem::take(&mut self.gathered);
        match sort {
            b'L' => self.long_name = Some(text(&gathered).to_vec()),
            b'K' => self.long_link = Some(text(&gathered).to_vec()),
            b'g' => return self.values.set_global(pax::parse(&gathered)?),
            _ => self.values.set_own(pax::parse(&gathered)?),
        }
        Ok(())
    }

    fn entry(&mut self, block: &[u8; BLOCK]) -> Result<Passing> {
        let values = &self.values;
        let name = match (values.get(b"path"), self.long_name.take()) {
            (Some(name), _) => name.to_vec(),
            (None, Some(name)) => name,
            (None, None) if &block[257..263] == b"ustar\0" && block[345] != 0 => {
                [text(&block[345..500]), b"/", text(&block[..100])].concat()
            }
            (None, None) => text(&block[..100]).to_vec(),
        };
        let link = match (values.get(b"linkpath"), self.long_link.take()) {
            (Some(link), _) => link.to_vec(),
            (None, Some(link)) => link,
            (None, None) => text(&block[157..257]).to_vec(),
        };
        let name = String::from_utf8(name).map_err(|_| untellable("its name is no text"))?;
        let link = String::from_utf8(link).map_err(|_| untellable("the name it links to is no text"))?;
        let sort = match block[156] {
            b'S' => return Err(untellable("it is sparse")),
            _ if values.all().any(|(key, _)| key.starts_with(b"GNU.sparse.")) => {
                return Err(untellable("it is sparse"));
            }
            0 | b'0' | b'7' if name.ends_with('/') => b'5',
            0 | b'7' => b'0',
            sort @ b'0'..=b'6' => sort,
            _ => return Err(untellable("it is of an unknown sort")),
        };
        let decimal = |key: &[u8], field: &[u8], what: &str| match values.get(key) {
            Some(value) => pax::decimal(value).ok_or_else(|| unreadable(what)),
            None => number(field, what),
        };
        let size = decimal(b"size", &block[124..136], "size")?;
        let time = |key: &[u8]| {
            let found = values.get(key).map(|value| pax::time(value).ok_or_else(|| unreadable("time")));
            found.transpose()
        };
        let changed = match time(b"mtime")? {
            Some(time) => time,
            None => Timestamp::from_seconds(number(&block[136..148], "time")?),
        };
        let is_device = matches!(sort, b'3' | b'4');
        let device = |field: &[u8]| if is_device { number(field, "device") } else { Ok(0) };
        let xattr = |(key, value): (&Vec<u8>, &Vec<u8>)| {
            let name = key.strip_prefix(XATTR)?;
            Some((String::from_utf8_lossy(name).into_owned(), value.clone()))
        };
        Ok(Passing {
            sort,
            name,
            link,
            // Only files have content, whatever the field says.
            size: if sort == b'0' { u64::try_from(size).map_err(|_| unreadable("size"))? } else { 0 },
            mode: number(&block[100..108], "mode")?,
            uid: decimal(b"uid", &block[108..116], "owner")?,
            gid: decimal(b"gid", &block[116..124], "owner")?,
            times: [Some(changed), time(b"atime")?, time(b"ctime")?],
            device: (device(&block[329..337])?, device(&block[337..345])?),
            xattrs: values.all().filter_map(xattr).collect(),
        })
    }
}

/// The state in what a header says of the next one.
fn announced(block: &[u8; BLOCK], sort: u8) -> Result<Now> {
    let limit = if matches!(sort, b'L' | b'K') { MAX_NAME } else { MAX_HEADER };
    let size = own_size(block)?;
    match usize::try_from(size) {
        Ok(0) => Ok(Now::Header),
        Ok(left) if left <= limit => Ok(Now::About { left, sort, padding: padding_of(size) }),
        _ => Err(Error::corrupt("cannot read a tar entry").because("its header is too large")),
    }
}

fn untellable(why: &str) -> Error {
    Error::new(Kind::Unsupported, "cannot list a tar entry")
        .because(why.to_owned())
        .hint("compress the layers without a table of contents: --compression-format zstd")
}

fn padding_of(size: u64) -> usize {
    (size.wrapping_neg() % BLOCK as u64) as usize
}

fn filled(padding: usize) -> Now {
    if padding == 0 { Now::Header } else { Now::Padding(padding) }
}

fn first(bytes: &[u8], most: usize) -> &[u8] {
    &bytes[..bytes.len().min(most)]
}
