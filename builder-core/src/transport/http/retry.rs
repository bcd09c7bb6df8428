//! Trying again: how often, after how long, and what is told meanwhile.

use std::time::Duration;

use super::Failure;
use crate::error::Result;
use crate::event::{Event, Reporter};

/// The longest that is waited because a server asks for it.
const MAX_WAIT: Duration = Duration::from_secs(120);

/// How often a failed exchange is tried again, and after how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How many more times it is tried.
    pub times: u32,
    /// How long is waited before each; without one the waits double, from half a second on.
    pub delay: Option<Duration>,
}

impl Default for Retry {
    /// Three more times, as the field's tools do.
    fn default() -> Self {
        Retry { times: 3, delay: None }
    }
}

impl Retry {
    /// How long is waited before attempt `number` (the first repetition is 1), where the server asks for `asked`.
    pub(crate) fn wait(&self, number: u32, asked: Option<Duration>) -> Duration {
        let own = self.delay.unwrap_or(Duration::from_millis(500) * (1 << number.saturating_sub(1).min(6)));
        asked.map_or(own, |asked| asked.max(own)).min(MAX_WAIT)
    }

    /// Does `attempt` until it succeeds, fails for good, or was tried often enough. `what` is told before each
    /// repetition: `reading the manifest …`.
    pub(crate) fn run<T>(
        &self,
        reporter: &dyn Reporter,
        what: &str,
        mut attempt: impl FnMut() -> Result<T, Failure>,
    ) -> Result<T> {
        let mut number = 0;
        loop {
            match attempt() {
                Ok(done) => return Ok(done),
                Err(Failure::Passing { error, wait }) if number < self.times => {
                    number += 1;
                    let wait = self.wait(number, wait);
                    reporter.report(Event::warning(format!(
                        "{what} failed, trying again in {wait:?}: {error:?}"
                    )));
                    std::thread::sleep(wait);
                }
                Err(failure) => return Err(failure.error()),
            }
        }
    }
}
