//! Moving the files of a copy: one thread reads and hashes, the other writes, a bounded queue between them.
//!
//! Small files travel in the queue, large ones as the place to read them from, so that a large file is hashed here
//! while the kernel copies it there.

mod parcel;

use std::io::Read;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::error::{Context, Error, Kind, Result};
use crate::steps::add::archive;
use crate::steps::copy::plan::{Pick, Place, Sort};
use crate::steps::copy::{Source, Target};
use crate::tree::adapters::{Adapt, Gather, ModeChange, Rules};
use crate::tree::fingerprint::{BLOCK, ContentHash, ContentHasher, Fingerprint, hash_bytes, hash_file};
use crate::tree::{Apply, Device, Entry, Marks, Node, Options, RelPath, Root, Stats, Timestamp};
use parcel::{Load, Parcel, Taken, take_content};

/// A batch is sent when it has so many entries …
const BATCH_ENTRIES: usize = 128;

/// … or so many bytes; with [`BATCHES`] this bounds what is in flight.
const BATCH_BYTES: usize = 1 << 20;

/// How many batches wait at most.
const BATCHES: usize = 4;

/// All that is decided before anything moves.
pub(super) struct Order {
    pub picks: Vec<Pick>,
    pub place: Place,
    /// Whether nothing was at `place`.
    pub is_new: bool,
    pub rules: Rules,
    /// The owner of everything, or each file's own.
    pub owner: Option<(u32, u32)>,
    pub mode: Option<ModeChange>,
    /// The time of everything, or each file's own.
    pub time: Option<Timestamp>,
}

impl Order {
    /// What becomes of the entries of `pick`.
    fn change(&self, pick: &Pick) -> Change<'_> {
        let time = self.time.or(pick.time);
        match pick.sort {
            // What an archive says is meant: other builders change nothing of it either.
            Sort::Archive => Change { owner: None, mode: None, time },
            _ => Change { owner: self.owner, mode: self.mode.as_ref(), time },
        }
    }
}

/// What becomes of entries on their way.
struct Change<'a> {
    owner: Option<(u32, u32)>,
    mode: Option<&'a ModeChange>,
    time: Option<Timestamp>,
}

/// What was done.
pub(super) struct Done {
    pub stats: Stats,
    pub digest: Option<String>,
}

/// Moves the files.
pub(super) fn perform(order: &Order, from: &Source<'_>, to: &Target<'_>) -> Result<Done> {
    let options = Options { marks: Marks::None, devices: to.devices, keep_times: false };
    let apply = Apply::new(to.root, options)?;
    let mut writer = Writer { apply, direct: direct(order, to), below: false, options };
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(BATCHES);
        let reading = scope.spawn(move || read_all(order, from, to.fingerprint, sender));
        let written = writer.write_all(&receiver);
        // The reader stops when nobody takes its batches.
        drop(receiver);
        let read = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // A stream that fails fails on both sides, and the reader knows why.
        let digest = read?;
        written?;
        Ok(Done { stats: writer.apply.finish()?, digest })
    })
}

/// The upper, if one whole directory is to become a new one: then nothing of the layers is below it, what is written
/// leads through no link made meanwhile, and what overlay would make of it in the upper is just the same.
fn direct<'a>(order: &Order, to: &Target<'a>) -> Option<&'a Root> {
    let whole = order.is_new
        && matches!(order.place, Place::Named(_))
        && matches!(order.picks.as_slice(), [pick] if pick.sort == Sort::Directory);
    to.upper.filter(|_| whole)
}

/// The writing side.
struct Writer<'a> {
    apply: Apply,
    /// Where all goes once its directory is there.
    direct: Option<&'a Root>,
    /// Whether that has begun.
    below: bool,
    options: Options,
}

/// What overlay takes for the mark of a removed file; through a mount nobody can make one.
const WHITEOUT: Device = Device { major: 0, minor: 0 };

impl Writer<'_> {
    fn write_all(&mut self, batches: &Receiver<Vec<Parcel>>) -> Result<()> {
        for batch in batches {
            for parcel in batch {
                let entry = parcel.unpack();
                let top = self.direct.take().filter(|_| matches!(entry.node, Node::Directory { .. }));
                if let Some(upper) = top {
                    // Through the mount, which copies up the directories above it and hides what was removed there;
                    // below, again, for its time.
                    let Entry { path, meta, .. } = &entry;
                    let node = Node::Directory { opaque: false };
                    self.apply.put(Entry { path: path.clone(), meta: meta.clone(), node })?;
                    let through = std::mem::replace(&mut self.apply, Apply::new(upper, self.options)?);
                    through.finish()?;
                    self.below = true;
                }
                if self.below && matches!(entry.node, Node::Char(device) if device == WHITEOUT) {
                    return Err(Error::new(Kind::Denied, format!("cannot make `{}`", entry.path))
                        .because("a character device 0:0 stands for a removed file in a container"));
                }
                self.apply.put(entry)?;
            }
        }
        Ok(())
    }
}

/// Reads everything in order and gives the fingerprint, if it is wanted.
fn read_all(
    order: &Order,
    from: &Source<'_>,
    fingerprint: bool,
    sender: SyncSender<Vec<Parcel>>,
) -> Result<Option<String>> {
    let (base, renamed) = match &order.place {
        Place::Into(base) => (base, None),
        Place::Named(name) => (name, Some(name)),
    };
    let mut reader = Reader {
        base,
        print: fingerprint.then(Fingerprint::default),
        queue: Queue { sender, batch: Vec::new(), bytes: 0, closed: false },
    };
    let mut gather = Gather::new(&order.rules);
    for pick in &order.picks {
        let under = base.append(&pick.below);
        let (root, change) = (pick.root(from), order.change(pick));
        match pick.sort {
            Sort::Directory => {
                let dir = root.subroot(pick.place.as_path()).cannot("open", &pick.place)?;
                let whole = renamed.is_some() || !pick.below.is_root();
                reader.send(&change, gather.directory(&dir, &pick.place, &pick.judged, under, whole))?;
            }
            Sort::File => {
                let name = renamed.cloned().unwrap_or(under);
                reader.send(&change, gather.file(root, &pick.place, name).transpose().into_iter())?;
            }
            Sort::Archive => {
                let entries = archive::open(root, &pick.place, &under)?;
                reader.send(&change, entries).cannot("unpack", &pick.place)?;
            }
        }
        if reader.queue.closed {
            break;
        }
    }
    reader.queue.flush();
    Ok(reader.print.map(Fingerprint::finish))
}

/// The reading side.
struct Reader<'a> {
    /// Below which paths count for the fingerprint.
    base: &'a RelPath,
    print: Option<Fingerprint>,
    queue: Queue,
}

impl Reader<'_> {
    /// Gives entries their owner and mode and sends them; stops where nobody takes them any more.
    fn send(&mut self, change: &Change<'_>, entries: impl Iterator<Item = Result<Entry>>) -> Result<()> {
        for entry in entries.owned_by(change.owner).with_mode(change.mode).at_time(change.time) {
            let mut entry = entry?;
            let load = match take_content(&mut entry)? {
                Taken::Nothing => None,
                Taken::Load(load) => Some(load),
                Taken::Stream(size, stream) => {
                    let hash = self.stream(&entry, size, stream)?;
                    if let Some(print) = &mut self.print {
                        print.add(self.base, &entry, Some(&hash));
                    }
                    continue;
                }
            };
            let mut hash = None;
            let mut large = None;
            if self.print.is_some() {
                match &load {
                    Some(Load::Bytes(bytes)) => hash = Some(hash_bytes(bytes)),
                    Some(Load::At { size, dir, name }) => large = Some((*size, dir.clone(), name.clone())),
                    Some(Load::Pipe { .. }) | None => {}
                }
            }
            self.queue.push(Parcel::pack(&entry, load));
            if let Some((size, dir, name)) = large {
                // The writer begins with it while it is hashed here.
                self.queue.flush();
                let file = parcel::open(&dir, &name).cannot("read", &entry.path)?;
                hash = Some(hash_file(file, size).cannot("read", &entry.path)?);
            }
            if let Some(print) = &mut self.print {
                print.add(self.base, &entry, hash.as_ref());
            }
            if self.queue.closed {
                break;
            }
        }
        Ok(())
    }
}

impl Reader<'_> {
    /// Sends a file whose content only this thread can read, piece by piece, and hashes it on the way.
    fn stream(&mut self, entry: &Entry, size: u64, mut stream: Box<dyn Read>) -> Result<ContentHash> {
        let (sender, pieces) = sync_channel(BATCHES);
        self.queue.push(Parcel::pack(entry, Some(Load::Pipe { size, pieces })));
        self.queue.flush();
        let mut hasher = ContentHasher::default();
        let mut left = size;
        while left > 0 && !self.queue.closed {
            let length = left.min(BLOCK as u64);
            let mut piece = vec![0; usize::try_from(length).expect("a block fits")];
            if let Err(error) = stream.read_exact(&mut piece) {
                // The writer must not take what there is for all of it.
                let _ = sender.send(Err(std::io::Error::new(error.kind(), error.to_string())));
                return match error.kind() {
                    std::io::ErrorKind::UnexpectedEof if error.get_ref().is_none() => {
                        Err(Error::corrupt(format!("cannot read `{}`", entry.path))
                            .because("it ends too early"))
                    }
                    _ => Err(error).cannot("read", &entry.path),
                };
            }
            hasher.add(&piece);
            left -= length;
            self.queue.closed |= sender.send(Ok(piece)).is_err();
        }
        Ok(hasher.finish())
    }
}

/// The way to the writer.
struct Queue {
    sender: SyncSender<Vec<Parcel>>,
    batch: Vec<Parcel>,
    bytes: usize,
    /// Nobody takes batches any more: the writer failed, and its error is the one to tell.
    closed: bool,
}

impl Queue {
    fn push(&mut self, parcel: Parcel) {
        self.bytes += parcel.len();
        self.batch.push(parcel);
        if self.batch.len() >= BATCH_ENTRIES || self.bytes >= BATCH_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.bytes = 0;
        if !self.batch.is_empty() {
            self.closed |= self.sender.send(std::mem::take(&mut self.batch)).is_err();
        }
    }
}
