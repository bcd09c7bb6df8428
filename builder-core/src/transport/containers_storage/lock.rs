//! The locks of a storage: a file beside each table, locked as a whole, and in it who wrote last.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Context, Error, Kind, Result};
use crate::event::{Event, Reporter};
use crate::sys::lock::Mode;
use crate::sys::record_lock;

/// The length of what says who wrote last: any 64 bytes that no writer used before.
const WRITER: usize = 64;

/// A wait that is not told of.
const SHORT: Duration = Duration::from_secs(1);

/// A held lock of one table; dropping it frees it.
#[derive(Debug)]
pub(super) struct TableLock {
    file: File,
    path: PathBuf,
}

/// Waits for the lock `path`, alone, at most as long as `patience`.
pub(super) fn wait(path: &Path, patience: Duration, reporter: &dyn Reporter) -> Result<TableLock> {
    let opened =
        OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o644).open(path);
    let file = opened.cannot("lock", path.display()).map_err(|error| match error.kind() {
        Kind::Denied => {
            error.hint("run as the user whose storage it is, or name another: containers-storage:[DIR]NAME")
        }
        _ => error,
    })?;
    let began = Instant::now();
    let (mut told, mut pause) = (false, Duration::from_micros(200));
    while !record_lock::attempt(&file, Mode::Exclusive).cannot("lock", path.display())? {
        if began.elapsed() >= patience {
            return Err(Error::new(Kind::InUse, format!("cannot lock `{}`", path.display()))
                .because(format!("another process has held it for {} s", began.elapsed().as_secs()))
                .hint(format!(
                    "see which with `fuser -v {}`, or wait longer: KILN_STORAGE_WAIT=SECONDS",
                    path.display()
                )));
        }
        if !told && began.elapsed() >= SHORT {
            told = true;
            reporter.report(Event::Warning {
                message: format!("waiting for another process that has locked `{}`", path.display()),
                hint: Some(format!("see which with `fuser -v {}`", path.display())),
            });
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
    Ok(TableLock { file, path: path.to_owned() })
}

impl TableLock {
    /// Says that the table beside it is another now: whoever has read it before reads it again.
    pub fn touch(&self) -> Result<()> {
        let mut writer = [0; WRITER];
        let filled = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut writer));
        filled.cannot("read", "/dev/urandom")?;
        self.file.write_all_at(&writer, 0).cannot("write", self.path.display())
    }
}

/// Writes `path` so that it has either its old content or all of `bytes`. The lock of the table is held: the name of
/// the unfinished file is always the same, and what a killed process left is overwritten.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = path.with_file_name(format!(".kiln-{name}"));
    let write = || -> io::Result<()> {
        let mut file =
            OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_data()?;
        std::fs::rename(&unfinished, path)
    };
    write().cannot("write", path.display())
}
