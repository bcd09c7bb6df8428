//! What the library tells while it works. It never prints: whoever called draws these.

mod meter;

use crate::error::Result;

pub(crate) use meter::{Meter, Metered};

/// Something worth telling while a verb works.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A piece of work began, e.g. `copying blob 0123456789ab`.
    Began {
        /// What is being done, in the progressive, and to what: `copying …`, `writing …`. No two pieces of work that go
        /// on side by side in a verb have the same words.
        task: String,
        /// How many bytes it will move, where that is known. Of a layer that changes its form on the way, these are
        /// bytes of the form that is read.
        bytes: Option<u64>,
    },
    /// So much of the piece of work named before is done. The last one before its end is exact.
    Moved {
        /// The same words it began with.
        task: String,
        /// How many bytes so far, counted as those it began with.
        bytes: u64,
    },
    /// A whole image, or an index, was copied: all of it is there.
    Copied {
        /// Where it was, e.g. `oci:dir:name`.
        source: String,
        /// Where it is now as well.
        target: String,
    },
    /// The piece of work named before has ended well.
    Ended {
        /// The same words it began with.
        task: String,
        /// How many bytes the target has got of it: fewer than were read, where a layer is compressed on the way. None
        /// for what goes nowhere else, such as unpacking.
        sent: Option<u64>,
    },
    /// The piece of work named before has not ended well: it failed, and may begin anew.
    Stopped {
        /// The same words it began with.
        task: String,
    },
    /// Something the user should know and can do something about; the work goes on.
    Warning {
        /// One sentence, lower case, no full stop.
        message: String,
        /// A complete command or setting, if one helps.
        hint: Option<String>,
    },
    /// Something about the step of a cached container that is being done.
    Step(Fate),
}

/// What becomes of a step of a cached container.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// It was known: what it left and printed before is taken.
    Cached,
    /// It is performed, though one like it is known: what differs.
    Missed {
        /// One fact, such as `src/main.rs changed`.
        why: String,
    },
    /// It is performed, and will be each time.
    Uncacheable {
        /// One fact, such as `it has a writable mount at /data`.
        why: String,
        /// What would make it cacheable, if anything would.
        hint: Option<String>,
    },
    /// It was performed, and took so long.
    Performed(std::time::Duration),
}

impl Event {
    /// A warning without a hint.
    pub fn warning(message: impl Into<String>) -> Self {
        Event::Warning { message: message.into(), hint: None }
    }
}

/// Takes the events of a verb. Called from any thread.
pub trait Reporter: Sync {
    /// Takes one event; must not block for long.
    fn report(&self, event: Event);

    /// Has someone choose one of `options`, by its place; `None` where nobody can be asked.
    ///
    /// # Errors
    /// Whoever was asked chose none.
    fn choose(&self, question: &str, options: &[String]) -> Result<Option<usize>> {
        let _ = (question, options);
        Ok(None)
    }

    /// Takes what a command of a cached container prints, to standard error or else to standard output, as it comes.
    /// `false` says that nobody reads it any more, as a closed pipe does.
    fn output(&self, to_stderr: bool, bytes: &[u8]) -> bool {
        let _ = (to_stderr, bytes);
        true
    }
}

/// Drops every event.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Reporter for Silent {
    fn report(&self, _event: Event) {}
}
