//! The one error type of the library: a sentence, the causes beneath it, and at most one hint.
//!
//! How it is drawn, and which exit code a kind gives, is the command line's business.

use std::fmt;

/// What an operation of this library returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure it was; programs decide by it, people read the sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What was named does not exist.
    NotFound,
    /// What was to be made exists already.
    Exists,
    /// Something else uses it now.
    InUse,
    /// The caller asked for something that makes no sense: a malformed name, flag or value.
    Invalid,
    /// Bytes from outside are not what they claim to be.
    Corrupt,
    /// This machine or user does not let us do it.
    Denied,
    /// Kiln does not do it, here or at all.
    Unsupported,
    /// A command in a container could not be started.
    NotStarted,
    /// The operating system refused or failed.
    Io,
}

/// A failure: one sentence ``cannot <verb> `<object>` ``, its causes as bare facts, and at most one hint.
pub struct Error {
    kind: Kind,
    sentence: String,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    hint: Option<String>,
}

impl Error {
    /// An error with a sentence of its own, e.g. ``cannot mount `web` ``: lower case, no full stop.
    pub fn new(kind: Kind, sentence: impl Into<String>) -> Self {
        Error { kind, sentence: sentence.into(), cause: None, hint: None }
    }

    /// ``cannot <verb> `<object>` `` of kind [`Kind::Invalid`].
    pub fn invalid(sentence: impl Into<String>) -> Self {
        Error::new(Kind::Invalid, sentence)
    }

    /// Bytes from outside that are not what they claim to be.
    pub fn corrupt(sentence: impl Into<String>) -> Self {
        Error::new(Kind::Corrupt, sentence)
    }

    /// Puts `cause` beneath the sentence.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Adds the hint: a complete command or setting that helps. A hint given lower down is kept, being nearer.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if self.hint_text().is_none() {
            self.hint = Some(hint.into());
        }
        self
    }

    /// The kind of failure.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The sentence alone, without causes.
    #[must_use]
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// The same once more, for another who waited for what failed. Its causes are text by then.
    #[must_use]
    pub(crate) fn again(&self) -> Self {
        let mut causes = Vec::new();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        let hint = self.hint_text().map(str::to_owned);
        let again = Error { hint, ..Error::new(self.kind, self.sentence.clone()) };
        if causes.is_empty() { again } else { again.because(causes.join(": ")) }
    }

    /// The hint of this error, or of the nearest cause that has one.
    #[must_use]
    pub fn hint_text(&self) -> Option<&str> {
        if let Some(hint) = &self.hint {
            return Some(hint);
        }
        self.cause.as_deref().and_then(|cause| cause.downcast_ref::<Error>()).and_then(Error::hint_text)
    }

    /// The error number of the operating system at the bottom of the causes, if there is one.
    #[must_use]
    pub fn os_error(&self) -> Option<i32> {
        let mut next: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(self);
        while let Some(error) = next {
            if let Some(io) = error.downcast_ref::<std::io::Error>() {
                return io.raw_os_error();
            }
            if let Some(errno) = error.downcast_ref::<rustix::io::Errno>() {
                return Some(errno.raw_os_error());
            }
            next = error.source();
        }
        None
    }
}

impl Error {
    /// Whether it came about because something is not there: of a command that could not be started, the program.
    #[must_use]
    pub fn is_of_missing(&self) -> bool {
        let mut next = std::error::Error::source(self);
        while let Some(error) = next {
            let io = error.downcast_ref::<std::io::Error>();
            if io.is_some_and(|io| io.kind() == std::io::ErrorKind::NotFound) {
                return true;
            }
            next = error.source();
        }
        self.kind == Kind::NotFound
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// The sentence and all causes in one line: what a panic or a log shows.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.sentence)?;
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            write!(f, ": {cause}")?;
            next = cause.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

/// Turns a low-level failure into a sentence, where it happens.
pub(crate) trait Context<T> {
    /// ``cannot <verb> `<object>` ``, with the failure as its cause; the kind follows from the error number.
    fn cannot(self, verb: &str, object: impl fmt::Display) -> Result<T>;
}

impl<T> Context<T> for std::io::Result<T> {
    fn cannot(self, verb: &str, object: impl fmt::Display) -> Result<T> {
        self.map_err(|cause| {
            // A library error that travelled through an `io::Read` keeps its own kind.
            let kind = match cause.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
                Some(inner) => inner.kind,
                None => kind_of(&cause),
            };
            match cause.downcast::<Error>() {
                Ok(inner) => Error::new(kind, format!("cannot {verb} `{object}`")).because(inner),
                Err(cause) => {
                    let hint = cause.raw_os_error().and_then(hint_for);
                    let error = Error::new(kind, format!("cannot {verb} `{object}`")).because(cause);
                    hint.into_iter().fold(error, Error::hint)
                }
            }
        })
    }
}

impl<T> Context<T> for rustix::io::Result<T> {
    fn cannot(self, verb: &str, object: impl fmt::Display) -> Result<T> {
        self.map_err(std::io::Error::from).cannot(verb, object)
    }
}

impl<T> Context<T> for nix::Result<T> {
    fn cannot(self, verb: &str, object: impl fmt::Display) -> Result<T> {
        self.map_err(std::io::Error::from).cannot(verb, object)
    }
}

impl<T> Context<T> for Result<T> {
    fn cannot(self, verb: &str, object: impl fmt::Display) -> Result<T> {
        self.map_err(|cause| Error::new(cause.kind, format!("cannot {verb} `{object}`")).because(cause))
    }
}

/// What helps wherever the operating system fails like this.
fn hint_for(code: i32) -> Option<&'static str> {
    use rustix::io::Errno;
    let full = [Errno::NOSPC, Errno::DQUOT].map(Errno::raw_os_error).contains(&code);
    full.then_some(
        "make room on that disk, e.g. with `kiln prune`, or use a store on another one with --root DIR",
    )
}

fn kind_of(error: &std::io::Error) -> Kind {
    use std::io::ErrorKind as E;
    match error.kind() {
        E::NotFound => Kind::NotFound,
        E::AlreadyExists => Kind::Exists,
        E::PermissionDenied => Kind::Denied,
        E::ResourceBusy => Kind::InUse,
        E::InvalidData | E::UnexpectedEof => Kind::Corrupt,
        E::Unsupported => Kind::Unsupported,
        _ => Kind::Io,
    }
}
