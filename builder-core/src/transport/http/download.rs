//! A body that goes on where it was cut: the rest is asked for with `Range` (RFC 9110, 14).

use std::io::{self, Read};

use super::{Failure, Response, Retry};
use crate::error::{Error, Result};
use crate::event::{Event, Reporter};

/// Asks for the same bytes from an offset on; given 0 it asks for all.
type Ask<'a> = Box<dyn FnMut(u64) -> Result<Response, Failure> + Send + 'a>;

/// Reads a body to its end, over as many connections as it takes. Its bytes are not checked here.
pub(crate) struct Download<'a> {
    what: String,
    ask: Ask<'a>,
    retry: Retry,
    reporter: &'a dyn Reporter,
    body: Option<Box<dyn Read + Send>>,
    /// How many bytes were handed out, the offset it began at included.
    at: u64,
    /// Where the body ends, once known.
    end: Option<u64>,
    /// Repetitions since the last byte came.
    tried: u32,
}

impl<'a> Download<'a> {
    /// A download that begins at `offset`; `what` names it in messages: `the blob …`. Nothing is asked for before the
    /// first read. `end` is the whole length, where it is known: not a byte more is read.
    pub fn new(
        what: impl Into<String>,
        offset: u64,
        end: Option<u64>,
        retry: Retry,
        reporter: &'a dyn Reporter,
        ask: impl FnMut(u64) -> Result<Response, Failure> + Send + 'a,
    ) -> Self {
        let (what, ask) = (what.into(), Box::new(ask));
        Download { what, ask, retry, reporter, body: None, at: offset, end, tried: 0 }
    }

    /// Opens the body at the present offset.
    fn open(&mut self) -> Result<(), Failure> {
        let response = (self.ask)(self.at)?;
        let skip = match response.status {
            206 => match response.header("content-range").and_then(first_byte) {
                Some(first) if first == self.at => 0,
                _ => return Err(self.odd("the server sends another part than the one asked for")),
            },
            // It knows no ranges and begins at the beginning.
            _ => self.at,
        };
        if let Some(length) = response.length() {
            let end = self.at - skip + length;
            let promised = response.header("content-range").and_then(whole_length).unwrap_or(end);
            if *self.end.get_or_insert(promised) != promised {
                return Err(self.odd(&format!(
                    "the server sends {promised} bytes in place of {}",
                    self.end.unwrap_or(0)
                )));
            }
        }
        let mut body: Box<dyn Read + Send> = Box::new(response.into_reader());
        let skipped = io::copy(&mut body.by_ref().take(skip), &mut io::sink());
        match skipped {
            Ok(skipped) if skipped == skip => {
                self.body = Some(body);
                Ok(())
            }
            Ok(_) => Err(self.odd("the server sends less than before")),
            Err(error) => Err(Failure::Passing { error: self.cut(&error), wait: None }),
        }
    }

    fn sentence(&self) -> String {
        format!("cannot read {}", self.what)
    }

    fn odd(&self, why: &str) -> Failure {
        Failure::Lasting(Error::corrupt(self.sentence()).because(why.to_owned()))
    }

    fn cut(&self, error: &io::Error) -> Error {
        Error::new(crate::error::Kind::Io, self.sentence()).because(super::failure::of_read(error))
    }

    /// Waits before the next attempt, or gives up with the failure.
    fn again(&mut self, failure: Failure) -> io::Result<()> {
        self.body = None;
        match failure {
            Failure::Passing { error, wait } if self.tried < self.retry.times => {
                self.tried += 1;
                let wait = self.retry.wait(self.tried, wait);
                let what = &self.what;
                let message = format!("reading {what} was cut, going on in {wait:?}: {error:?}");
                self.reporter.report(Event::warning(message));
                std::thread::sleep(wait);
                Ok(())
            }
            Failure::Passing { error, .. } => {
                Err(io::Error::other(error.hint("try again later; --retry N goes on for longer")))
            }
            failure => Err(io::Error::other(failure.error())),
        }
    }
}

impl Read for Download<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        loop {
            let left = self.end.map(|end| end.saturating_sub(self.at));
            // The last read of all lets the connection be used again: it sees the end of the body.
            let room =
                left.map_or(into.len(), |left| into.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
            if self.body.is_none() {
                if left == Some(0) && self.at > 0 {
                    return Ok(0);
                }
                if let Err(failure) = self.open() {
                    self.again(failure)?;
                }
                continue;
            }
            let Some(body) = &mut self.body else { continue };
            if room == 0 {
                let rest = body.read(&mut [0]);
                self.body = None;
                return match rest {
                    Ok(0) | Err(_) => Ok(0),
                    Ok(_) => self.again(self.odd("the server sends more than it should")).map(|()| 0),
                };
            }
            match body.read(&mut into[..room]) {
                Ok(0) if left.is_some() => {
                    let error = io::Error::from(io::ErrorKind::UnexpectedEof);
                    let error = self.cut(&error);
                    self.again(Failure::Passing { error, wait: None })?;
                }
                Ok(0) => return Ok(0),
                Ok(read) => {
                    self.at += read as u64;
                    self.tried = 0;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let error = self.cut(&error);
                    self.again(Failure::Passing { error, wait: None })?;
                }
            }
        }
    }
}

/// The first number of `bytes 5-9/10`.
fn first_byte(range: &str) -> Option<u64> {
    range.strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

/// The last number of `bytes 5-9/10`.
fn whole_length(range: &str) -> Option<u64> {
    range.rsplit('/').next()?.trim().parse().ok()
}
