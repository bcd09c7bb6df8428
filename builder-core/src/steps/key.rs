//! What a step depends on, as named fields, and the key that follows from them.
//!
//! Every verb takes its own struct apart without `..`, so that a field that is added must be placed: into the key, or
//! out of it with a reason. The key is the digest of the state of the files below and of all fields, each framed.

mod config;
mod copy;
pub(crate) mod files;
mod mounts;
pub(crate) mod others;
mod run;

use std::fmt::Write;

use crate::oci::{Digest, Hasher};
use crate::store::{Field, StepKind};

pub(crate) use config::define as define_config;
pub(crate) use copy::define as define_copy;
pub(crate) use run::define as define_run;

/// The version of everything that goes into a key: to be raised when any of it changes its meaning.
const VERSION: &str = "kiln step 1";

/// As much of a value as is kept for people, bytes.
const SHOWN: usize = 160;

/// What a step is asked to do and what it can see, but for the files of its own container.
#[derive(Debug)]
pub(crate) struct Definition {
    /// What sort of step.
    pub kind: StepKind,
    /// The step in words, as one would type it.
    pub line: String,
    /// What it depends on.
    pub fields: Vec<Field>,
    /// Lists of files behind some of the fields, by their digest.
    pub lists: Vec<(Digest, Vec<u8>)>,
    /// Why it may never be taken from the cache, and what would change that.
    pub never: Option<(String, Option<String>)>,
}

impl Definition {
    /// A step without any field yet.
    pub fn new(kind: StepKind, line: String) -> Self {
        Definition { kind, line, fields: Vec::new(), lists: Vec::new(), never: None }
    }

    /// Adds a field.
    pub fn field(&mut self, name: impl Into<String>, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        let mut end = value.len().min(SHOWN);
        while end < value.len() && end > 0 && value[end] & 0xc0 == 0x80 {
            end -= 1;
        }
        let mut shown = String::from_utf8_lossy(&value[..end]).into_owned();
        if end < value.len() {
            shown.push('…');
        }
        self.push(Field { name: name.into(), shown, digest: Digest::of(value), listed: false });
    }

    /// Adds a field whose value is kept nowhere, only a digest of it.
    pub fn hidden(&mut self, name: impl Into<String>, value: &[u8]) {
        let mut framed = Framed::new("kiln secret 1");
        framed.add(value);
        self.push(Field { name: name.into(), shown: String::new(), digest: framed.finish(), listed: false });
    }

    /// Adds each word of a list as a field of its own, `name 1`, `name 2` …
    pub fn words<S: AsRef<str>>(&mut self, name: &str, words: &[S]) {
        for (number, word) in words.iter().enumerate() {
            self.field(format!("{name} {}", number + 1), word.as_ref());
        }
    }

    /// Adds a field for the content of files, with the list of them.
    pub fn files(&mut self, name: impl Into<String>, (digest, list): (Digest, Vec<u8>)) {
        let shown = digest.short();
        self.push(Field { name: name.into(), shown, digest, listed: true });
        self.lists.push((digest, list));
    }

    /// Says that the step must be performed each time. The first reason is kept.
    pub fn refuse(&mut self, why: impl Into<String>, hint: Option<&str>) {
        self.never.get_or_insert((why.into(), hint.map(str::to_owned)));
    }

    fn push(&mut self, mut field: Field) {
        while self.fields.iter().any(|known| known.name == field.name) {
            field.name.push_str(" again");
        }
        self.fields.push(field);
    }

    /// The key of the step on files in the state `before`.
    pub fn key(&self, before: Digest) -> Digest {
        let mut framed = Framed::new(VERSION);
        framed.add(self.kind.name());
        framed.add(before.hex());
        for field in &self.fields {
            framed.add(&field.name);
            framed.add(field.digest.hex());
        }
        framed.finish()
    }
}

/// A digest over byte strings, no two sequences of which give the same.
pub(crate) struct Framed(Hasher);

impl Framed {
    /// Begins with `what`, which keeps digests of different meanings apart.
    pub fn new(what: &str) -> Self {
        let mut framed = Framed(Hasher::default());
        framed.add(what);
        framed
    }

    /// Adds one.
    pub fn add(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// The digest.
    pub fn finish(self) -> Digest {
        self.0.finish()
    }
}

/// The words as a shell takes them.
pub(crate) fn shell_line<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> String {
    let mut line = String::new();
    for word in words {
        let word = word.as_ref();
        if !line.is_empty() {
            line.push(' ');
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "%+,-./:=@_".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            line.push_str(word);
        } else {
            let _ = write!(line, "'{}'", word.replace('\'', "'\\''"));
        }
    }
    line
}

#[cfg(test)]
mod tests;
