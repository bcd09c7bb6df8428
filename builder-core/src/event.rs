//! What the library tells while it works. It never prints: whoever called draws these.

/// Something worth telling while a verb works.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A piece of work began, e.g. `copying blob sha256:…`.
    Began {
        /// What is being done, in the progressive: `copying …`, `writing …`.
        task: String,
        /// How many bytes it will move, where that is known.
        bytes: Option<u64>,
    },
    /// So much of the piece of work named before is done.
    Moved {
        /// The same words it began with.
        task: String,
        /// How many bytes so far.
        bytes: u64,
    },
    /// The piece of work named before has ended well.
    Ended {
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
}

/// Drops every event.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Reporter for Silent {
    fn report(&self, _event: Event) {}
}
