//! One at a time, for what takes much memory: how much is held does not depend on how many layers an image has.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Something that one thread at a time may do.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    taken: Mutex<bool>,
    free: Condvar,
}

/// It is this one's turn until it is dropped, by whatever thread.
pub(crate) struct Taken<'a>(&'a Turn);

impl Turn {
    /// Waits until nobody else has it.
    pub fn take(&self) -> Taken<'_> {
        let waited = self.free.wait_while(self.lock(), |taken| *taken);
        *waited.unwrap_or_else(PoisonError::into_inner) = true;
        Taken(self)
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.0.lock() = false;
        self.0.free.notify_one();
    }
}
