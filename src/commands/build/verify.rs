//! `--verify`: the same build once more in other surroundings has to give the same image.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use builder_core::{
    Builder, Change, Diff, Error, Log, Policy, Result, Settings, Silent, StepCache, Wanted, in_memory,
    inspect_image,
};
use rustix::fs::Mode;
use rustix::thread::CpuSet;

use super::finish::Image;
use super::{Args, Job, Read};
use crate::build::Adapter;

/// How many files are named that differ.
const SHOWN: usize = 5;

/// The host name of the second build, which none has by chance.
const HOST: &str = "verified-elsewhere";

/// A umask that few have.
const UMASK: u32 = 0o037;

/// Room for what a build needs beside what it writes, bytes.
const ROOM: u64 = 256 << 20;

impl Args {
    /// Builds again and compares: in a store of its own, which has the images of the first and nothing else, and other
    /// orders of names; another second, host name, umask and number of processors; stage after stage.
    pub(super) fn verified(
        &self,
        job: &Job<'_>,
        read: &Read,
        wanted: &Wanted,
        first: &Adapter<'_>,
        image: Image,
    ) -> Result<Image> {
        first.talk.verifying();
        // What a command writes now has other times than what the first build wrote.
        std::thread::sleep(Duration::from_millis(1100));
        let mut wrote = ROOM;
        for stage in first.made.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let log = Log { container: stage.container.clone() }.perform(job.builder)?;
            wrote += 2 * log.iter().map(|line| line.size).sum::<u64>();
        }
        let differs = in_memory(job.builder, wrote, |settings| {
            rustix::process::umask(Mode::from_raw_mode(UMASK));
            on_one_processor();
            let second = self.build_again(job, read, wanted, first, settings)?;
            let builder = Builder::open(settings, job.context.host, &Silent)?;
            Ok(if second == image.id { None } else { Some(difference(&builder, &image.id, &second)?) })
        })?;
        differs.map_or(Ok(image), Err)
    }

    /// The id of the image that a second build gives in the store of `settings`.
    fn build_again(
        &self,
        job: &Job<'_>,
        read: &Read,
        wanted: &Wanted,
        first: &Adapter<'_>,
        settings: &Settings,
    ) -> Result<String> {
        let mut options = first.options.clone();
        options.command.hostname = Some(HOST.to_owned());
        // It is the images of the first build that it is compared by.
        if options.policy != Policy::Never {
            options.policy = Policy::Missing;
        }
        let again = Adapter {
            settings: settings.clone(),
            host: first.host,
            options,
            contexts: first.contexts,
            ignore: first.ignore.clone(),
            fetch: first.fetch.clone(),
            access: first.access.clone(),
            cache: StepCache::default(),
            talk: self.talk(job, read.graph.target + 1, false, wanted)?,
            made: Mutex::default(),
            failed: Mutex::default(),
            shuffled: Mutex::default(),
        };
        let built = self.execute(&again, read, 1)?;
        let builder = Builder::open(settings, first.host, &Silent)?;
        Ok(self.commit_of(&again, &built)?.perform(&builder)?.id.hex())
    }
}

/// Has this thread, and what it starts, see one processor.
fn on_one_processor() {
    let Ok(all) = rustix::thread::sched_getaffinity(None) else { return };
    if let Some(first) = (0..CpuSet::MAX_CPU).find(|cpu| all.is_set(*cpu)) {
        let mut one = CpuSet::new();
        one.set(first);
        // Where it is refused, there is one thing less that is another.
        let _ = rustix::thread::sched_setaffinity(None, &one);
    }
}

/// In which step and which files two images differ.
fn difference(builder: &Builder<'_>, first: &str, second: &str) -> Result<Error> {
    let error = Error::invalid(format!("cannot verify the image `{}`", &first[..12]));
    let (one, other) = (inspect_image(builder, first)?.config, inspect_image(builder, second)?.config);
    let pairs = one.rootfs.diff_ids.iter().zip(&other.rootfs.diff_ids);
    let Some(layer) = pairs.clone().position(|(one, other)| one != other) else {
        return Ok(error.because("a second build says something else of the image, by the same files"));
    };
    let with_layers = one.history.iter().filter(|entry| !entry.empty_layer);
    let step = with_layers.map(|entry| entry.created_by.as_str()).nth(layer).unwrap_or("the last step");
    let diff = Diff { name: second.to_owned(), at: None, against: Some(first.to_owned()) };
    let changed = diff.perform(builder)?;
    let mut files: Vec<String> = changed
        .iter()
        .filter(|one| one.size > 0 || one.change != Change::Changed || !one.details.is_empty())
        .take(SHOWN)
        .map(|one| format!("`{}`", one.path))
        .collect();
    if changed.len() > SHOWN {
        files.push(format!("{} more", changed.len() - SHOWN));
    }
    let files = if files.is_empty() { "other times of files".to_owned() } else { files.join(", ") };
    Ok(error
        .because(format!("a second build gives another one, from `{step}` on: {files}"))
        .hint("have that step write nothing that depends on time, host, chance or the order of names in directories"))
}
