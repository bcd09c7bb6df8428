//! `--verify`: the same build once more in other surroundings has to give the same image.

use std::sync::Mutex;

use builder_core::{Builder, Change, Diff, Error, Result, Rmi, StepCache, Wanted, inspect_image};
use rustix::fs::Mode;

use super::finish::Image;
use super::{Args, Job, Read};
use crate::build::Adapter;

/// How many files are named that differ.
const SHOWN: usize = 5;

/// The host name of the second build, which none has by chance.
const HOST: &str = "verified-elsewhere";

/// A umask that few have.
const UMASK: u32 = 0o037;

impl Args {
    /// Builds again and compares: nothing from the cache, another second, host name and umask, stage after stage.
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
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let mut options = first.options.clone();
        options.anew_before = i64::MAX;
        options.command.hostname = Some(HOST.to_owned());
        let again = Adapter {
            settings: first.settings.clone(),
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
        };
        let usual = rustix::process::umask(Mode::from_raw_mode(UMASK));
        let built = self.execute(&again, read, 1);
        let made = built.and_then(|built| self.commit_of(&again, &built)?.perform(job.builder));
        rustix::process::umask(usual);
        again.clean(job.builder, None);
        let second = made?.id.hex();
        if second == image.id {
            return Ok(image);
        }
        let error = difference(job.builder, &image.id, &second);
        let gone = Rmi { image: second, force: true }.perform(job.builder);
        let error = error?;
        gone?;
        Err(error)
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
        .hint("have that step write nothing that depends on time, host or chance"))
}
