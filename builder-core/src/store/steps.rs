//! Records of performed steps: what a step was asked to do, what it could see, and what came of it.
//!
//! `cache/steps/<key>` is one file: a line of JSON ([`StepRecord`]), then what the step printed. It is written beside
//! its place and renamed, after the tree it names; it carries the digest of what it printed, so that a record is whole
//! or none. Its modification time is when the build began that used it last: a prune takes whole builds by it.
//! `cache/near` leads from a likeness (same words, same place) to the step recorded last with it, for explanations.
//! What a key is made of is not known here.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::error::{Context, Result};
use crate::oci::Digest;
use crate::store::{Store, TreeId, Work, durable};

/// The most that a step may print and still be recorded, bytes.
pub(crate) const MAX_OUTPUT: usize = 16 << 20;

/// The most that this takes as it is kept, bytes.
pub(crate) const MAX_KEPT: u64 = (MAX_OUTPUT + MAX_OUTPUT / 2) as u64;

/// The largest table of signatures that is read: of two and a half million files.
const MAX_TABLE: u64 = 256 << 20;

/// The largest thing found out once that is read.
const MAX_MEMO: u64 = 1 << 20;

/// The longest first line of a record that is read: a step with some ten thousand fields.
const MAX_HEADER: u64 = 16 << 20;

/// What a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StepKind {
    /// Ran a command.
    Run,
    /// Copied files.
    Copy,
    /// Copied files, and unpacked archives among them.
    Add,
    /// Edited the configuration.
    Config,
    /// Changed by hand through a mount.
    Hand,
}

impl StepKind {
    /// As people read it.
    pub fn name(self) -> &'static str {
        match self {
            StepKind::Run => "run",
            StepKind::Copy => "copy",
            StepKind::Add => "add",
            StepKind::Config => "config",
            StepKind::Hand => "hand",
        }
    }
}

/// One step in a cached container's log. What follows it there, up to the next, is what it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// What sort of step.
    pub kind: StepKind,
    /// The step in words, as one would type it.
    pub line: String,
    /// How it came to be here.
    pub outcome: Outcome,
    /// How long it took when it was performed, milliseconds.
    pub milliseconds: u64,
    /// Its record's key; none for one that may never be taken from the cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Digest>,
    /// The state of the container's files after it, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Digest>,
    /// Why it was not taken from the cache, a fact a line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub why: Vec<String>,
    /// The verb as a value, for a shell with its privileges; kept of a command that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verb: Option<serde_json::Value>,
}

/// How a step came to be in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// Taken from the cache.
    Cached,
    /// Performed.
    Performed,
    /// Performed, and it failed with this exit code.
    Failed(u8),
}

/// One thing that a step could see: a word, a variable, the content of its sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Field {
    /// What it is, e.g. `argument 2` or `variable PATH`; no two fields of a step have the same.
    pub name: String,
    /// Its beginning, for people.
    pub shown: String,
    /// The digest of all of it.
    pub digest: Digest,
    /// Whether a list of files with this digest is in `cache/inputs`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub listed: bool,
}

/// What is known of a step that was performed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StepRecord {
    /// What sort of step.
    pub kind: StepKind,
    /// The step in words.
    pub line: String,
    /// The state of the files before it.
    pub before: Digest,
    /// What else it could see.
    pub fields: Vec<Field>,
    /// When it was performed, seconds since the epoch.
    pub created: i64,
    /// How long it took, milliseconds.
    pub milliseconds: u64,
    /// The tree it left; none if it changed no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<TreeId>,
    /// What the verb returned, if it returns anything.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub returned: serde_json::Value,
    /// The digest of what it printed.
    pub printed: Digest,
}

/// What a step printed, in order: whether to standard error, and the bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Printed(Vec<u8>);

impl Printed {
    /// Adds a piece.
    pub fn push(&mut self, to_stderr: bool, bytes: &[u8]) {
        for piece in bytes.chunks(u32::MAX as usize) {
            self.0.push(u8::from(to_stderr));
            self.0.extend_from_slice(&(piece.len() as u32).to_le_bytes());
            self.0.extend_from_slice(piece);
        }
    }

    /// How many bytes it takes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All of it, as it is kept.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// What was kept so; of what was not, no pieces come.
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        Printed(bytes)
    }

    /// The pieces in order.
    pub fn pieces(&self) -> impl Iterator<Item = (bool, &[u8])> {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || {
            let (head, tail) = rest.split_at_checked(5)?;
            let length = u32::from_le_bytes(head[1..].try_into().expect("four bytes")) as usize;
            let (piece, tail) = tail.split_at_checked(length)?;
            rest = tail;
            Some((head[0] != 0, piece))
        })
    }
}

impl Store {
    pub(super) fn step_path(&self, key: Digest) -> std::path::PathBuf {
        self.root.join("cache/steps").join(key.hex())
    }

    /// Whether there is a record with this key, whole or not: what it names is kept.
    pub(crate) fn has_step(&self, key: Digest) -> bool {
        self.step_path(key).exists()
    }

    /// The record with this key and what the step printed, if it is there and whole, and so is its tree. From then on
    /// the tree is leased to `work`.
    pub fn take_step(&self, work: &Work, key: Digest) -> Result<Option<(StepRecord, Printed)>> {
        let Some((record, mut rest)) = self.open_step(key) else { return Ok(None) };
        let mut printed = Vec::new();
        rest.by_ref().take(MAX_KEPT).read_to_end(&mut printed).cannot("read the step", key)?;
        if Digest::of(&printed) != record.printed {
            return Ok(None);
        }
        if let Some(tree) = &record.tree {
            self.lease(work, [tree.as_str()])?;
            // Only now: a prune that began before the lease may have taken it.
            if !self.is_trusted(tree) {
                return Ok(None);
            }
        }
        Ok(Some((record, Printed(printed))))
    }

    /// Whether a tree is here, whole, and not in doubt since a power cut.
    fn is_trusted(&self, tree: &TreeId) -> bool {
        let sound = |part: &TreeId| self.tree(part).is_ok_and(|record| !record.doubted);
        sound(tree) && self.parts(tree).is_ok_and(|parts| parts.iter().all(sound))
    }

    /// The record with this key, for reading what it says.
    pub fn step(&self, key: Digest) -> Option<StepRecord> {
        self.open_step(key).map(|(record, _)| record)
    }

    fn open_step(&self, key: Digest) -> Option<(StepRecord, BufReader<File>)> {
        let mut file = BufReader::new(File::open(self.step_path(key)).ok()?);
        let mut header = Vec::new();
        file.by_ref().take(MAX_HEADER).read_until(b'\n', &mut header).ok()?;
        Some((serde_json::from_slice(&header).ok()?, file))
    }

    /// Publishes the record of a step whose tree is published. `build` is when the build began it belongs to,
    /// nanoseconds since the epoch.
    pub fn record_step(
        &self,
        work: &Work,
        key: Digest,
        record: &StepRecord,
        printed: &Printed,
        build: i64,
    ) -> Result<()> {
        let mut bytes = serde_json::to_vec(record).expect("plain data");
        bytes.push(b'\n');
        bytes.extend_from_slice(&printed.0);
        durable::write_whole(work.dir(), &self.step_path(key), &bytes)?;
        self.use_step(key, build);
        Ok(())
    }

    /// The digest that [`StepRecord::printed`] has for this.
    pub fn digest_of_printed(printed: &Printed) -> Digest {
        Digest::of(&printed.0)
    }

    /// Says that the build that began at `build`, nanoseconds since the epoch, uses a step: a prune takes the builds
    /// first that began first. One that a later build uses stays that one's.
    pub fn use_step(&self, key: Digest, build: i64) {
        let path = self.step_path(key);
        let when = UNIX_EPOCH + Duration::from_nanos(u64::try_from(build).unwrap_or_default());
        let newer = fs::metadata(&path).and_then(|meta| meta.modified()).is_ok_and(|last| last == when);
        if !newer {
            // What cannot be marked is pruned earlier than it need be.
            let _ = File::open(&path).and_then(|file| file.set_modified(when));
        }
    }

    /// All records by key, with the beginning of the build that used each last.
    pub fn steps(&self) -> Result<Vec<(Digest, std::time::SystemTime)>> {
        let dir = self.root.join("cache/steps");
        let mut found = Vec::new();
        for item in fs::read_dir(&dir).cannot("read", dir.display())?.flatten() {
            let Some(key) = item.file_name().to_str().and_then(Digest::from_hex) else { continue };
            if let Ok(used) = item.metadata().and_then(|meta| meta.modified()) {
                found.push((key, used));
            }
        }
        Ok(found)
    }

    /// Forgets a step.
    pub fn forget_step(&self, key: Digest) {
        let _ = fs::remove_file(self.step_path(key));
    }

    /// What was known of the files below a directory, by its device and inode; nothing, if nothing was.
    pub fn stat_table(&self, directory: (u64, u64)) -> Vec<u8> {
        let path = self.stat_path(directory);
        let small = fs::metadata(&path).is_ok_and(|meta| meta.len() <= MAX_TABLE);
        small.then(|| fs::read(&path).ok()).flatten().unwrap_or_default()
    }

    /// Keeps it.
    pub fn keep_stat_table(&self, work: &Work, directory: (u64, u64), table: &[u8]) -> Result<()> {
        durable::write_whole(work.dir(), &self.stat_path(directory), table)
    }

    /// What was kept under a key by [`Store::keep_memo`].
    pub fn memo(&self, key: Digest) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.memo_path(key)).ok()?.take(MAX_MEMO).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Keeps something that can be found out again; beside the tables, and pruned as they are.
    pub fn keep_memo(&self, work: &Work, key: Digest, bytes: &[u8]) -> Result<()> {
        durable::write_whole(work.dir(), &self.memo_path(key), bytes)
    }

    fn memo_path(&self, key: Digest) -> std::path::PathBuf {
        self.root.join("cache/stat").join(key.hex())
    }

    fn stat_path(&self, (device, inode): (u64, u64)) -> std::path::PathBuf {
        self.root.join("cache/stat").join(format!("{device:x}-{inode:x}"))
    }

    /// Keeps a list of files by its digest, to be compared with another some day.
    pub fn keep_list(&self, work: &Work, digest: Digest, list: &[u8]) -> Result<()> {
        let path = self.root.join("cache/inputs").join(digest.hex());
        if path.exists() { Ok(()) } else { durable::write_whole(work.dir(), &path, list) }
    }

    /// A list that was kept.
    pub fn list(&self, digest: Digest) -> Option<Vec<u8>> {
        fs::read(self.root.join("cache/inputs").join(digest.hex())).ok()
    }

    /// Notes that the step `key` was recorded last with this likeness.
    pub fn note_near(&self, likeness: Digest, key: Digest) -> Result<()> {
        let path = self.root.join("cache/near").join(likeness.hex());
        if fs::read_to_string(&path).is_ok_and(|known| known == key.hex()) {
            return Ok(());
        }
        durable::write_lazily(&path, key.hex().as_bytes())
    }

    /// The step recorded last with this likeness, if it is still known.
    pub fn near(&self, likeness: Digest) -> Option<Digest> {
        let text = fs::read_to_string(self.root.join("cache/near").join(likeness.hex())).ok()?;
        Digest::from_hex(text.trim()).filter(|key| self.step_path(*key).exists())
    }
}

#[cfg(test)]
mod tests;
