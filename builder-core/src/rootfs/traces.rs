//! What a run makes in a container to mount on, written down before it is made: a run takes it away again itself, and
//! for one that was killed the next command that has the container to itself does.
//!
//! One file per run in the container's `traces/`, made when there is something to write down. A record is the time the
//! directory above had (seconds and nanoseconds), then the path, ended by a zero byte.
//!
//! Runs beside each other, in a container that is mounted, mount on what any of them made, and what is taken away is
//! taken from under all of them. There a run that ends leaves its file, with another name, and the last one to end
//! takes away what they all made.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Stat, Timespec, Timestamps};
use rustix::io::Errno;

use crate::builder::Builder;
use crate::error::{Context, Result};
use crate::rootfs::mounted;
use crate::store::{ContainerGuard, Store, Work};
use crate::sys::random;
use crate::tree::Root;

/// The most bytes read of one run's traces: a run makes a few dozen places.
const LIMIT: u64 = 1 << 20;

/// What the name of a run's file ends with once the run has ended and others live.
const ENDED: &str = "ended";

/// The traces of one run that lives. Dropping them says that the run has taken them away, or has ended where it leaves
/// that to the last one.
#[derive(Debug)]
pub(crate) struct Traces {
    path: PathBuf,
    file: Option<File>,
    shared: bool,
    locks: PathBuf,
}

impl Traces {
    /// Those of a new run in a held container; `shared` if there may be others beside it.
    pub fn new(store: &Store, guard: &ContainerGuard, shared: bool) -> Self {
        let path = directory(guard.dir()).join(random::hex(8));
        Traces { path, file: None, shared, locks: store.locks() }
    }

    /// Where the store's locks are, for what is made elsewhere.
    pub fn locks(&self) -> &Path {
        &self.locks
    }

    /// Whether others may use what this run makes.
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    /// Says that `path` is about to be made in a directory with the time `before`.
    pub fn note(&mut self, path: &Path, before: Timespec) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                fs::create_dir_all(self.path.parent().expect("it is in a directory"))?;
                none.insert(File::create(&self.path)?)
            }
        };
        file.write_all(&record(path, before))
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if self.file.is_some() {
            let _ = match self.shared {
                true => fs::rename(&self.path, self.path.with_extension(ENDED)),
                false => fs::remove_file(&self.path),
            };
        }
    }
}

fn directory(container: &Path) -> PathBuf {
    container.join("traces")
}

/// Takes away what killed runs left in a container. The caller has the upper to itself, and it is not mounted.
pub(crate) fn clear(builder: &Builder<'_>, work: &Work, guard: &ContainerGuard) -> Result<()> {
    let left = left(guard.dir())?;
    if left.is_empty() {
        return Ok(());
    }
    // Through an overlay, so that what a lower layer has stays hidden where it was.
    let (mount, _server) = mounted::show(builder, work, guard)?;
    let root = mounted::root(&mount)?;
    drop(mount);
    let cleared = clear_through(&root, &left).cannot("clear the container", &guard.record.name);
    // Before the server, who waits for it.
    drop(root);
    cleared
}

/// As [`clear`], through a mount of the container, of which `container` is the directory, that is there. The caller has
/// that to itself.
pub(super) fn clear_mounted(root: &Root, container: &Path) -> Result<()> {
    clear_through(root, &left(container)?)
}

/// Whether any run wrote something down.
pub(super) fn are_left(container: &Path) -> bool {
    left(container).is_ok_and(|left| !left.is_empty())
}

/// What the runs wrote down that have ended, or were killed: all that is there, where no run lives.
fn left(container: &Path) -> Result<Vec<PathBuf>> {
    let directory = directory(container);
    match fs::read_dir(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        items => Ok(items.cannot("read", directory.display())?.flatten().map(|item| item.path()).collect()),
    }
}

fn clear_through(root: &Root, left: &[PathBuf]) -> Result<()> {
    let is_ended = |path: &Path| path.extension().is_some_and(|end| end == ENDED);
    let (mut all, mut files) = (Vec::new(), Vec::new());
    for path in left {
        let path = if is_ended(path) { with_times_of_now(root, path)? } else { path.clone() };
        all.extend(records(&read(&path)?));
        files.push(path);
    }
    take_away(root, all).cannot("remove", "the mount points of earlier commands")?;
    // One whose writer was killed before it had removed the old one is there twice.
    files.sort();
    files.dedup();
    files.iter().try_for_each(|path| fs::remove_file(path).cannot("remove", path.display()))
}

/// Writes down what times the directories have now that the run has ended, and gives the file that says so: removing
/// changes them, and may be cut short.
fn with_times_of_now(root: &Root, ended: &Path) -> Result<PathBuf> {
    let mut text = Vec::new();
    for Record { path, .. } in records(&read(ended)?) {
        match root.parent(&path).and_then(|(above, _)| Ok(rustix::fs::fstat(above)?)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            stat => text.extend(record(&path, modified(&stat.cannot("find", path.display())?))),
        }
    }
    let path = ended.with_extension("");
    fs::write(&path, text).and_then(|()| fs::remove_file(ended)).cannot("write", path.display())?;
    Ok(path)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let file = File::open(path).cannot("read", path.display())?;
    file.take(LIMIT).read_to_end(&mut text).cannot("read", path.display())?;
    Ok(text)
}

/// One place that was made.
struct Record {
    path: PathBuf,
    /// The time that the directory above gets back.
    before: Timespec,
}

fn record(path: &Path, before: Timespec) -> Vec<u8> {
    let mut record = format!("{} {} ", before.tv_sec, before.tv_nsec).into_bytes();
    record.extend_from_slice(path.as_os_str().as_bytes());
    record.push(0);
    record
}

fn records(text: &[u8]) -> Vec<Record> {
    // What follows the last zero byte was cut short, and nothing was made after it.
    let whole = text.split_inclusive(|byte| *byte == 0).filter_map(|record| record.strip_suffix(&[0]));
    whole.filter_map(parse).collect()
}

fn modified(stat: &Stat) -> Timespec {
    Timespec { tv_sec: stat.st_mtime, tv_nsec: stat.st_mtime_nsec as _ }
}

/// Removes what the records name, where it is still as empty as it was made: of one run the last first, and what is in
/// a directory before that, whoever made it.
fn take_away(root: &Root, mut records: Vec<Record>) -> io::Result<()> {
    records.reverse();
    records.sort_by_key(|record| std::cmp::Reverse(record.path.components().count()));
    for Record { path, before } in records {
        let (above, name) = match root.parent(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            found => found?,
        };
        let removed = match rustix::fs::statat(&above, &name, AtFlags::SYMLINK_NOFOLLOW) {
            // Never made, or removed without the time above being put back.
            Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error),
            Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => rustix::fs::unlinkat(&above, &name, AtFlags::REMOVEDIR),
                FileType::RegularFile if stat.st_size == 0 => {
                    rustix::fs::unlinkat(&above, &name, AtFlags::empty())
                }
                _ => continue,
            },
        };
        match removed {
            Err(Errno::NOTEMPTY | Errno::EXIST) => continue,
            Err(Errno::NOENT) => {}
            removed => removed?,
        }
        let keep = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
        let times = Timestamps { last_access: keep, last_modification: before };
        let above = root.open(
            path.parent().unwrap_or(Path::new("/")),
            rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::RDONLY,
            rustix::fs::Mode::empty(),
        )?;
        rustix::fs::futimens(&above, &times)?;
    }
    Ok(())
}

fn parse(record: &[u8]) -> Option<Record> {
    let mut parts = record.splitn(3, |byte| *byte == b' ');
    let mut number = || std::str::from_utf8(parts.next()?).ok()?.parse::<i64>().ok();
    let before = Timespec { tv_sec: number()?, tv_nsec: number()? };
    let path = std::ffi::OsString::from_vec(parts.next()?.to_vec());
    let path = PathBuf::from(path);
    path.file_name().is_some().then_some(Record { path, before })
}

#[cfg(test)]
mod tests;
