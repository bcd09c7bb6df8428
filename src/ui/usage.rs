//! What a command has cost: `--log-rusage`.

use std::path::Path;
use std::time::Instant;

use builder_core::{Error, Kind, Result};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Tells what this process and those it waited for have used since it began, on stderr or at the end of a file.
pub fn tell(began: Instant, file: Option<&Path>) -> Result<()> {
    let sentence = "cannot tell what the command has cost";
    let io = |cause: std::io::Error| Error::new(Kind::Io, sentence).because(cause);
    let own = getrusage(UsageWho::RUSAGE_SELF).map_err(|cause| io(cause.into()))?;
    let others = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(|cause| io(cause.into()))?;
    let line = line(began.elapsed().as_secs_f64(), &own, &others);
    let Some(path) = file else {
        super::remark(line);
        return Ok(());
    };
    use std::io::Write;
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(path);
    opened
        .and_then(|mut file| writeln!(file, "{line}"))
        .map_err(|cause| Error::new(Kind::Io, format!("cannot write `{}`", path.display())).because(cause))
}

/// In the words and the order of the field's tools.
fn line(elapsed: f64, own: &Usage, others: &Usage) -> String {
    let both = |part: fn(&Usage) -> i64| part(own) + part(others);
    let seconds = |part: fn(&Usage) -> i64| both(part) as f64 / 1e6;
    // A block is 512 bytes, whatever the file system has.
    let kib = |part: fn(&Usage) -> i64| both(part) / 2;
    format!(
        "{:.3}s(system) {:.3}s(user) {elapsed:.3}s(elapsed) {}KB(peak) {}KB(input) {}KB(output)",
        seconds(|usage| usage.system_time().num_microseconds()),
        seconds(|usage| usage.user_time().num_microseconds()),
        own.max_rss().max(others.max_rss()),
        kib(Usage::block_reads),
        kib(Usage::block_writes),
    )
}
