//! The control groups of one command: made, limited, entered, and removed after it.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::io::Errno;

use crate::error::{Context, Error, Kind, Result};
use crate::host::probe::Knob;
use crate::sandbox::cgroup::layout::{Hierarchy, Layout};
use crate::sandbox::{DeviceNode, Resources};
use crate::sys::device_rule::{self, Denied};
use crate::sys::random;

/// How the groups that we make begin; a process number follows, so that those of the dead can be told.
const PREFIX: &str = "kiln-";

/// The groups of one command; they go with this value.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    made: Vec<PathBuf>,
    /// Those above, that were not there either; the outer before the inner.
    above: Vec<PathBuf>,
}

/// One thing to write: the file of version 1, that of version 2, and whether it may be missing.
struct Setting {
    controller: &'static str,
    old: (&'static str, String),
    new: (&'static str, String),
    optional: bool,
}

impl Groups {
    /// Makes the groups that `resources` ask for, and devices of which only a part is lent; none if neither asks.
    pub(crate) fn make(resources: &Resources, devices: &[DeviceNode]) -> Result<Groups> {
        let mut groups = Groups::default();
        let lent_in_part: Vec<&DeviceNode> =
            devices.iter().filter(|device| !denied_of(device).is_empty()).collect();
        if resources.is_empty() && lent_in_part.is_empty() {
            return Ok(groups);
        }
        let read = |path| fs::read_to_string(path).cannot("read", path);
        let layout = Layout::parse(&read("/proc/self/mountinfo")?, &read("/proc/self/cgroup")?);
        let name = format!("{PREFIX}{}-{}", std::process::id(), random::hex(4));
        for device in lent_in_part {
            groups.deny(&layout, resources, &name, device)?;
        }
        if resources.is_empty() {
            return Ok(groups);
        }
        let settings = settings(resources);
        let mut controllers: Vec<&str> = settings.iter().map(|setting| setting.controller).collect();
        controllers.dedup();
        if controllers.is_empty() {
            groups.everywhere(&layout, resources, &name)?;
            return Ok(groups);
        }
        let mut unified: Vec<&str> = Vec::new();
        for controller in controllers {
            let own = settings.iter().filter(|setting| setting.controller == controller);
            match layout.single.get(controller) {
                Some(hierarchy) => {
                    let group = groups.add(&above(hierarchy, resources, &hierarchy.own), &name)?;
                    if controller == "cpuset" {
                        inherit_cpuset(&group)?;
                    }
                    for setting in own {
                        write(&group, &setting.old, setting.optional)?;
                    }
                }
                None => unified.push(controller),
            }
        }
        if !unified.is_empty() {
            let above = delegate(&layout, resources, &unified)?;
            let group = groups.add(&above, &name)?;
            for setting in settings.iter().filter(|setting| unified.contains(&setting.controller)) {
                write(&group, &setting.new, setting.optional)?;
            }
        }
        Ok(groups)
    }

    /// `cgroup.procs` of each group, for the command to write itself into.
    pub(crate) fn procs(&self) -> Result<Vec<OwnedFd>> {
        let open = |group: &PathBuf| {
            let path = group.join("cgroup.procs");
            File::options().write(true).open(&path).map(OwnedFd::from).map_err(|error| refused(&path, error))
        };
        self.made.iter().map(open).collect()
    }

    /// Whether the kernel has ended a process in them for want of memory.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        let counted = |group: &PathBuf| {
            let text = ["memory.events", "memory.oom_control"]
                .iter()
                .find_map(|name| fs::read_to_string(group.join(name)).ok())
                .unwrap_or_default();
            text.lines().any(|line| line.strip_prefix("oom_kill ").is_some_and(|count| count.trim() != "0"))
        };
        self.made.iter().any(counted)
    }

    /// Keeps the command from what of a device it is not lent.
    fn deny(
        &mut self,
        layout: &Layout,
        resources: &Resources,
        name: &str,
        device: &DeviceNode,
    ) -> Result<()> {
        let fault = || {
            let show = device.source.display();
            Error::new(Kind::Unsupported, format!("cannot lend the device `{show}` for `{}`", device.access))
                .hint("lend it for `rw` or `rwm`, or add --runtime runc")
        };
        let old = layout.single.get("devices");
        let hierarchy = old.or(layout.unified.as_ref());
        let hierarchy = hierarchy.ok_or_else(|| fault().because("there are no control groups"))?;
        let group = self
            .add(&above(hierarchy, resources, &hierarchy.own), name)
            .map_err(|error| fault().because(error))?;
        if old.is_none() {
            let rule = Denied {
                block: device.block,
                number: device.number,
                read: !device.access.contains('r'),
                write: !device.access.contains('w'),
            };
            let attached = File::open(&group).and_then(|group| device_rule::attach(group.as_fd(), rule));
            return attached.map_err(|error| fault().because(error));
        }
        let kind = if device.block { 'b' } else { 'c' };
        let (major, minor) = device.number;
        let rule = format!("{kind} {major}:{minor} {}", denied_of(device));
        write(&group, &("devices.deny", rule), false).map_err(|error| fault().because(error))
    }

    /// A group in every hierarchy, where only the place was asked for.
    fn everywhere(&mut self, layout: &Layout, resources: &Resources, name: &str) -> Result<()> {
        let mut hierarchies: Vec<&Hierarchy> = layout.single.values().chain(&layout.unified).collect();
        hierarchies.dedup_by(|a, b| a.mount == b.mount);
        for hierarchy in hierarchies {
            let group = self.add(&above(hierarchy, resources, &hierarchy.own), name)?;
            if group.join("cpuset.mems").exists() && group.join("tasks").exists() {
                inherit_cpuset(&group)?;
            }
        }
        if self.made.is_empty() { Err(no_controller("any")) } else { Ok(()) }
    }

    /// Makes the group in a directory, and takes away those that the dead have left there.
    fn add(&mut self, above: &Path, name: &str) -> Result<PathBuf> {
        let missing: Vec<&Path> = above.ancestors().take_while(|dir| !dir.exists()).collect();
        for dir in missing.into_iter().rev() {
            match fs::create_dir(dir) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made.map_err(|error| refused(dir, error))?,
            }
            self.above.push(dir.to_owned());
            if dir.join("cpuset.mems").exists() && dir.join("tasks").exists() {
                inherit_cpuset(dir)?;
            }
        }
        for item in fs::read_dir(above).into_iter().flatten().flatten() {
            let left = item.file_name().into_string().unwrap_or_default();
            let pid = left.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
            if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
                // One with processes in it stays: that is for the kernel to say.
                let _ = fs::remove_dir(item.path());
            }
        }
        let group = above.join(name);
        if !self.made.contains(&group) {
            fs::create_dir(&group).map_err(|error| refused(&group, error))?;
            self.made.push(group.clone());
        }
        Ok(group)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        // The last process may be ended and not gone yet.
        const TRIES: usize = 200;
        const PAUSE: Duration = Duration::from_millis(5);
        for group in &self.made {
            for _ in 0..TRIES {
                match fs::remove_dir(group) {
                    Err(error) if error.kind() == io::ErrorKind::ResourceBusy => std::thread::sleep(PAUSE),
                    _ => break,
                }
            }
        }
        // Where another command is by now, it stays.
        for group in self.above.iter().rev() {
            let _ = fs::remove_dir(group);
        }
    }
}

/// What may not be done with a device. Without the right to make nodes nobody needs to be kept from that.
fn denied_of(device: &DeviceNode) -> String {
    ["r", "w"].into_iter().filter(|letter| !device.access.contains(letter)).collect()
}

/// What is written where.
fn settings(resources: &Resources) -> Vec<Setting> {
    let mut settings = Vec::new();
    let mut add = |controller, old: (&'static str, String), new: (&'static str, String), optional| {
        settings.push(Setting { controller, old, new, optional });
    };
    let Resources {
        parent: _,
        cpu_period,
        cpu_quota,
        cpu_shares,
        cpuset_cpus,
        cpuset_mems,
        memory,
        memory_swap,
    } = resources;
    if let Some(memory) = memory {
        add(
            "memory",
            ("memory.limit_in_bytes", memory.to_string()),
            ("memory.max", memory.to_string()),
            false,
        );
        // Unless said otherwise as much swap as memory, which a machine without swap need not hear of.
        let both = memory_swap.unwrap_or_else(|| i64::try_from(memory.saturating_mul(2)).unwrap_or(i64::MAX));
        let swap = match both {
            ..0 => "max".to_owned(),
            both => both.unsigned_abs().saturating_sub(*memory).to_string(),
        };
        let old = ("memory.memsw.limit_in_bytes", both.to_string());
        add("memory", old, ("memory.swap.max", swap), memory_swap.is_none());
    }
    if let Some(shares) = cpu_shares {
        // The usual translation: 2–262144 becomes 1–10000.
        let weight = 1 + (shares.saturating_sub(2) * 9999) / 262_142;
        add("cpu", ("cpu.shares", shares.to_string()), ("cpu.weight", weight.to_string()), false);
    }
    let quota = cpu_quota.map(|quota| if quota < 0 { "max".to_owned() } else { quota.to_string() });
    let max = format!("{} {}", quota.as_deref().unwrap_or("max"), cpu_period.unwrap_or(100_000));
    if let Some(period) = cpu_period {
        add("cpu", ("cpu.cfs_period_us", period.to_string()), ("cpu.max", max.clone()), false);
    }
    if let Some(quota) = cpu_quota {
        add("cpu", ("cpu.cfs_quota_us", quota.to_string()), ("cpu.max", max), false);
    }
    for (list, name) in [(cpuset_cpus, "cpuset.cpus"), (cpuset_mems, "cpuset.mems")] {
        if let Some(list) = list {
            add("cpuset", (name, list.clone()), (name, list.clone()), false);
        }
    }
    settings
}

/// The directory that a group is made in: the one asked for, or `usual`.
fn above(hierarchy: &Hierarchy, resources: &Resources, usual: &Path) -> PathBuf {
    match resources.parent.as_deref() {
        None => usual.to_owned(),
        Some(parent) => match parent.strip_prefix('/') {
            Some(absolute) => hierarchy.mount.join(absolute),
            None => hierarchy.own.join(parent),
        },
    }
}

/// A directory of the unified tree in which groups can have these controllers.
///
/// A group with processes in it gives none to those below, but for the root; so it is the nearest above our own that
/// has none, and that we may change.
fn delegate(layout: &Layout, resources: &Resources, controllers: &[&str]) -> Result<PathBuf> {
    let hierarchy = layout.unified.as_ref().ok_or_else(|| no_controller(controllers[0]))?;
    let candidates: Vec<PathBuf> = match resources.parent {
        Some(_) => vec![above(hierarchy, resources, &hierarchy.own)],
        None => hierarchy
            .own
            .ancestors()
            .take_while(|dir| dir.starts_with(&hierarchy.mount))
            .map(Path::to_owned)
            .collect(),
    };
    let mut refusal = no_controller(controllers[0]);
    for dir in candidates {
        fs::create_dir_all(&dir).map_err(|error| refused(&dir, error))?;
        let words = |name: &str| fs::read_to_string(dir.join(name)).unwrap_or_default();
        let available = words("cgroup.controllers");
        let missing =
            controllers.iter().find(|name| !available.split_ascii_whitespace().any(|word| word == **name));
        if let Some(missing) = missing {
            refusal = no_controller(missing);
            continue;
        }
        if dir != hierarchy.mount && !words("cgroup.procs").is_empty() {
            continue;
        }
        let given = words("cgroup.subtree_control");
        let wanted: Vec<String> = controllers
            .iter()
            .filter(|name| !given.split_ascii_whitespace().any(|word| word == **name))
            .map(|name| format!("+{name}"))
            .collect();
        if wanted.is_empty() {
            return Ok(dir);
        }
        match fs::write(dir.join("cgroup.subtree_control"), wanted.join(" ")) {
            Ok(()) => return Ok(dir),
            Err(error) => refusal = refused(&dir, error),
        }
    }
    Err(refusal)
}

/// Version 1 takes no process into a group without processors and memory nodes.
fn inherit_cpuset(group: &Path) -> Result<()> {
    let above = group.parent().unwrap_or(group);
    for name in ["cpuset.cpus", "cpuset.mems"] {
        let list = fs::read_to_string(above.join(name)).map_err(|error| refused(above, error))?;
        write(group, &(name, list.trim().to_owned()), false)?;
    }
    Ok(())
}

fn write(group: &Path, (name, value): &(&'static str, String), optional: bool) -> Result<()> {
    let path = group.join(name);
    // Never made: a file that the kernel does not have is a limit it does not know.
    let written = File::options()
        .write(true)
        .open(&path)
        .and_then(|mut file| io::Write::write_all(&mut file, value.as_bytes()));
    match written {
        Err(_) if optional => Ok(()),
        Err(error)
            if matches!(errno(&error), Some(Errno::INVAL | Errno::RANGE | Errno::ACCESS)) && cpuset(name) =>
        {
            Err(Error::invalid(format!("cannot set `{name}` to `{value}`"))
                .because("this machine, or the group above, has none of these")
                .hint(format!(
                    "leave it away, or look at {}/{name}",
                    group.parent().unwrap_or(group).display()
                )))
        }
        Err(error) if matches!(errno(&error), Some(Errno::INVAL | Errno::RANGE)) => {
            Err(Error::invalid(format!("cannot set `{name}` to `{value}`"))
                .because("the kernel does not take that value"))
        }
        written => written.map_err(|error| refused(&path, error)),
    }
}

fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw_os_error)
}

fn cpuset(name: &str) -> bool {
    name.starts_with("cpuset.")
}

fn no_controller(name: &str) -> Error {
    Error::new(Kind::Unsupported, "cannot limit the command")
        .because(format!("there is no control group with the controller `{name}` that we may use here"))
        .hint(Knob::CgroupDelegation.fix())
}

fn refused(path: &Path, error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Kind::Denied,
        _ => Kind::Io,
    };
    Error::new(kind, "cannot limit the command")
        .because(format!("{}: {error}", path.display()))
        .hint(Knob::CgroupDelegation.fix())
}

#[cfg(test)]
mod tests;
