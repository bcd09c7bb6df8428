//! Changes by hand: what is in a cached container's upper though no step put it there becomes a step of its own.

use crate::builder::{Builder, now};
use crate::error::Result;
use crate::rootfs::{self, Quiet};
use crate::steps::timeline;
use crate::store::{ContainerGuard, Logged, Outcome, Step, StepKind, Work};
use crate::sys::lock::Lock;

/// Whether a container's upper was cut off into a step.
pub(crate) enum Cut {
    /// The upper is empty now.
    Clean {
        /// Keeps others from mounting it.
        alone: Lock,
        /// Whether the user's mount was taken down and is to be put up again.
        attached: bool,
    },
    /// Someone is inside, so it cannot be.
    Busy,
}

/// Makes a step of what was changed by hand, if anything was, and leaves the upper empty and unmounted.
pub(crate) fn cut(builder: &Builder<'_>, work: &Work, guard: &mut ContainerGuard) -> Result<Cut> {
    let Quiet::Yes { alone, attached } = rootfs::quieten(builder, guard)? else { return Ok(Cut::Busy) };
    rootfs::clear_traces(builder, work, guard)?;
    let log = &mut guard.record.log;
    // A process that was killed before it could freeze may have logged that it would.
    if matches!(log.last().map(|entry| &entry.did), Some(Logged::Step(step)) if step.kind == StepKind::Hand) {
        log.pop();
    }
    if !builder.store.is_untouched(guard)? {
        let step = Step {
            kind: StepKind::Hand,
            line: "changed by hand".to_owned(),
            outcome: Outcome::Performed,
            milliseconds: 0,
            key: None,
            after: None,
            why: Vec::new(),
            verb: None,
        };
        timeline::freeze(builder, work, guard, step, now())?;
    }
    rootfs::clear_mark(guard.dir());
    Ok(Cut::Clean { alone, attached })
}
