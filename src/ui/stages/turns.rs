//! Stages that are told one after the other, as if they were built so, while they are built side by side.
//!
//! What the first unfinished stage tells goes out at once; what later ones tell waits for their turn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// Which of the two streams something goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

/// Who has told what.
#[derive(Debug, Default)]
pub struct Turns {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How many stages are told to their end.
    told: usize,
    /// Later ones that have ended.
    ended: BTreeSet<usize>,
    /// What waits, by stage.
    held: BTreeMap<usize, Vec<(Stream, Vec<u8>)>>,
}

impl Turns {
    /// Tells something of a stage, by its number from 1, or keeps it until the stage's turn. `out` is called in order,
    /// by one thread at a time.
    pub fn tell(&self, stage: usize, stream: Stream, bytes: &[u8], out: impl Fn(Stream, &[u8])) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if stage <= state.told + 1 {
            return out(stream, bytes);
        }
        let held = state.held.entry(stage).or_default();
        match held.last_mut() {
            Some((last, text)) if *last == stream => text.extend_from_slice(bytes),
            _ => held.push((stream, bytes.to_vec())),
        }
    }

    /// A stage has ended: it is the turn of those after it.
    pub fn end(&self, stage: usize, out: impl Fn(Stream, &[u8])) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.ended.insert(stage);
        loop {
            let next = state.told + 1;
            if !state.ended.remove(&next) {
                return;
            }
            state.told = next;
            state.tell_held(next + 1, &out);
        }
    }

    /// Tells what waits of a stage that goes no further, out of its turn.
    pub fn tell_now(&self, stage: usize, out: impl Fn(Stream, &[u8])) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).tell_held(stage, &out);
    }
}

impl State {
    fn tell_held(&mut self, stage: usize, out: &impl Fn(Stream, &[u8])) {
        for (stream, bytes) in self.held.remove(&stage).unwrap_or_default() {
            out(stream, &bytes);
        }
    }
}

#[cfg(test)]
mod tests;
