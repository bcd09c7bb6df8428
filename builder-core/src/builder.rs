//! What every verb works with: an open store, who we are on this machine, and whom to tell.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::Result;
use crate::event::{Event, Reporter};
use crate::host::Host;
use crate::oci::Digest;
use crate::settings::Settings;
use crate::store::{Store, Work};

/// Where steps are known that this store does not know.
pub(crate) trait Exchange: Sync {
    /// Records the step with this key here, if it is known there. What cannot be reached knows nothing.
    fn fetch(&self, builder: &Builder<'_>, key: Digest) -> bool;
}

/// An opened store and its surroundings. Verbs are plain values that are performed with one of these.
pub struct Builder<'a> {
    pub(crate) store: Store,
    pub(crate) host: Host,
    pub(crate) settings: Settings,
    /// Steps that were recorded before this time, seconds since the epoch, are performed anew.
    pub(crate) anew_before: i64,
    /// Who is asked for steps that are not known here.
    pub(crate) exchange: Option<&'a dyn Exchange>,
    reporter: &'a dyn Reporter,
}

impl<'a> Builder<'a> {
    /// Opens the store, making it if there is none. Verbs that touch files need a `host` that has been entered.
    pub fn open(settings: &Settings, host: Host, reporter: &'a dyn Reporter) -> Result<Self> {
        if settings.ignore_chown_errors {
            crate::tree::give_up_owners();
        }
        let store = Store::open(settings, host.marks())?;
        Ok(Builder {
            store,
            host,
            settings: settings.clone(),
            anew_before: i64::MIN,
            exchange: None,
            reporter,
        })
    }

    /// With another directory for large temporary files, where one is given.
    #[must_use]
    pub fn with_scratch(mut self, dir: Option<PathBuf>) -> Self {
        self.settings.scratch = dir.or(self.settings.scratch);
        self
    }

    /// Keeps blobs in this directory, which exists, and takes them from there where it has them.
    #[must_use]
    pub fn keeping_blobs(mut self, dir: Option<PathBuf>) -> Self {
        self.settings.blob_cache = dir;
        self
    }

    /// Performs steps anew that were recorded before this time, seconds since the epoch; what they do is recorded.
    #[must_use]
    pub fn anew_before(self, time: i64) -> Self {
        Builder { anew_before: time, ..self }
    }

    /// Asks somebody for steps that are not known here.
    pub(crate) fn asking(self, exchange: &'a dyn Exchange) -> Self {
        Builder { exchange: Some(exchange), ..self }
    }

    /// A directory for what is only needed meanwhile; gone when dropped, or swept after a death.
    pub fn scratch(&self) -> Result<Scratch> {
        self.store.work().map(Scratch)
    }

    /// Tells something.
    pub(crate) fn report(&self, event: Event) {
        self.reporter.report(event);
    }

    /// Whom to tell.
    pub(crate) fn reporter(&self) -> &'a dyn Reporter {
        self.reporter
    }
}

/// A directory of unfinished work.
#[derive(Debug)]
pub struct Scratch(Work);

impl Scratch {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.dir()
    }
}

impl std::fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("store", &self.store).finish_non_exhaustive()
    }
}

/// The clock, in nanoseconds since the epoch.
pub(crate) fn now_nanoseconds() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| i64::try_from(age.as_nanos()).unwrap_or(i64::MAX))
}

/// The clock, in whole seconds since the epoch.
pub(crate) fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| i64::try_from(age.as_secs()).unwrap_or(i64::MAX))
}
