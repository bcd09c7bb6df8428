//! Limits of all processes of a command together: what may be limited, and the control groups that do it.
//!
//! Version 1 has one hierarchy per controller, version 2 one for all; a machine may have both. A group is made for one
//! command and removed after it.

use serde::{Deserialize, Serialize};

mod group;
mod layout;

pub(super) use group::Groups;

/// Limits of all processes of a command together, set through control groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// The control group that the command's own one is made in: below the root of the hierarchy if it begins with a
    /// slash, else below our own.
    pub parent: Option<String>,
    /// Microseconds in which `cpu_quota` may be used up.
    pub cpu_period: Option<u64>,
    /// Microseconds of processor time per period.
    pub cpu_quota: Option<i64>,
    /// Weight against other groups where processor time is short; 1024 is usual.
    pub cpu_shares: Option<u64>,
    /// Processors it may run on, as in `0-3,5`.
    pub cpuset_cpus: Option<String>,
    /// Memory nodes it may use, as in `0-1`.
    pub cpuset_mems: Option<String>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Bytes of memory and swap together; -1 for any.
    pub memory_swap: Option<i64>,
}

impl Resources {
    /// Whether a control group is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Resources::default()
    }
}

impl Resources {
    /// These limits, and where they leave something open those of `kept`.
    pub(crate) fn over(self, kept: Resources) -> Resources {
        Resources {
            parent: self.parent.or(kept.parent),
            cpu_period: self.cpu_period.or(kept.cpu_period),
            cpu_quota: self.cpu_quota.or(kept.cpu_quota),
            cpu_shares: self.cpu_shares.or(kept.cpu_shares),
            cpuset_cpus: self.cpuset_cpus.or(kept.cpuset_cpus),
            cpuset_mems: self.cpuset_mems.or(kept.cpuset_mems),
            // The two belong together.
            memory_swap: if self.memory.is_some() { self.memory_swap } else { kept.memory_swap },
            memory: self.memory.or(kept.memory),
        }
    }
}
