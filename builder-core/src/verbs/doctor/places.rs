//! What `doctor` tries in places: the store's file system, devices, control groups, programs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::{Check, State};
use crate::builder::Builder;
use crate::error::{Context, Result};
use crate::event::Silent;
use crate::host::Host;
use crate::host::probe::Knob;
use crate::sandbox::kept_networks;
use crate::settings::{Driver, Settings};
use crate::sys::mount::{self, Overlay};
use crate::sys::{random, trial};

/// Whether the store opens, and what can be mounted on its file system.
pub(super) fn store(settings: &Settings, host: Host, privileged: bool) -> Vec<Check> {
    let show = settings.root.display().to_string();
    let builder = match Builder::open(settings, host, &Silent) {
        Ok(builder) => builder,
        Err(error) => return vec![Check::of_error("store", State::Missing, &error)],
    };
    let mut checks = vec![Check::works("store", format!("{show} on {}", file_system(&settings.root)))];
    if privileged {
        match builder.store.work() {
            Ok(work) => {
                checks.push(overlay(settings, host, work.dir()));
                checks.push(idmapped(work.dir()));
            }
            Err(error) => checks.push(Check::of_error("store", State::Missing, &error)),
        }
    }
    checks
}

fn overlay(settings: &Settings, host: Host, dir: &Path) -> Check {
    const NAME: &str = "overlay";
    let refusal = match try_overlay(host, dir) {
        Ok(Ok(())) => return Check::works(NAME, ""),
        Ok(Err(refusal)) => refusal,
        Err(error) => return Check::of_error(NAME, State::Missing, &error),
    };
    let knob = match Errno::from_io_error(&refusal) {
        Some(Errno::PERM | Errno::NODEV) if host.is_rootless() => Knob::OverlayKernel,
        _ => Knob::OverlayStore,
    };
    // With the driver named there is no other way than the one named.
    let state = match (settings.driver, settings.mount_program.is_some()) {
        (Some(Driver::Overlay), false) => State::Missing,
        (Some(Driver::Vfs), _) => State::Unneeded,
        _ => State::Limited,
    };
    Check::new(NAME, state, refusal.to_string()).fix(knob)
}

/// Mounts an empty overlay and writes a file through it: some file systems are refused only then.
fn try_overlay(host: Host, dir: &Path) -> Result<io::Result<()>> {
    let place = dir.join(random::hex(8));
    let [lower, upper, work] = ["lower", "upper", "work"].map(|name| place.join(name));
    for dir in [&lower, &upper, &work] {
        fs::create_dir_all(dir).cannot("make", dir.display())?;
    }
    let lowers = [lower];
    let upper = Some((upper.as_path(), work.as_path()));
    let asked = Overlay {
        lowers: &lowers,
        upper,
        userxattr: host.is_rootless(),
        label: None,
        probe: false,
        synced: false,
    };
    Ok(mount::overlay(&asked).and_then(|mount| {
        rustix::fs::mkdirat(&mount, "tried", rustix::fs::Mode::RWXU)?;
        Ok(())
    }))
}

fn idmapped(dir: &Path) -> Check {
    const NAME: &str = "idmapped mounts";
    match trial::idmapped_mount(dir) {
        Ok(()) => Check::works(NAME, ""),
        Err(error) => {
            let detail = format!(
                "{error}; nothing but --userns-uid-map and its kin, and `idmap` of a volume, needs them"
            );
            Check::new(NAME, State::Limited, detail).fix(Knob::IdmappedMounts)
        }
    }
}

/// The name of the file system at `path`, by its magic number (linux/magic.h).
fn file_system(path: &Path) -> String {
    let magic = rustix::fs::statfs(path).map_or(0, |stat| stat.f_type);
    match magic & 0xffff_ffff {
        0xef53 => "ext4".to_owned(),
        0x0102_1994 => "tmpfs".to_owned(),
        0x5846_5342 => "xfs".to_owned(),
        0x9123_683e => "btrfs".to_owned(),
        0x794c_7630 => "overlay".to_owned(),
        0x6573_5546 => "fuse".to_owned(),
        0x6969 => "nfs".to_owned(),
        0x2fc1_2fc1 => "zfs".to_owned(),
        other => format!("a file system of type {other:#x}"),
    }
}

/// fuse-overlayfs and its device, for where the kernel's overlay is refused.
pub(super) fn fuse(settings: &Settings) -> Check {
    const NAME: &str = "fuse-overlayfs";
    match fs::OpenOptions::new().read(true).write(true).open("/dev/fuse") {
        Err(error) => {
            let absent = matches!(error.kind(), io::ErrorKind::NotFound)
                || Errno::from_io_error(&error) == Some(Errno::NODEV);
            let knob = if absent { Knob::FuseModule } else { Knob::FuseDevice };
            Check::new(NAME, State::Limited, format!("/dev/fuse: {error}")).fix(knob)
        }
        Ok(_) => match settings.mount_program() {
            Some(program) => Check::works(NAME, program.display().to_string()),
            None => Check::new(NAME, State::Limited, "there is no such program").fix(Knob::FuseOverlayfs),
        },
    }
}

/// Which limits can be set: by trying to make a group.
pub(super) fn cgroups() -> Check {
    const NAME: &str = "cgroups";
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut usable = Vec::new();
    let mut seen = Vec::new();
    for line in own.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let path = path.trim_start_matches('/');
        if controllers.is_empty() {
            let unified = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
            let Some(top) = unified.into_iter().find(|top| top.join("cgroup.controllers").exists()) else {
                continue;
            };
            let dir = top.join(path);
            let controllers = fs::read_to_string(dir.join("cgroup.controllers")).unwrap_or_default();
            seen.push("version 2".to_owned());
            if can_make_group(&dir) {
                usable.extend(controllers.split_whitespace().map(str::to_owned));
            }
        } else {
            seen.push(controllers.to_owned());
            let place = PathBuf::from("/sys/fs/cgroup").join(controllers);
            if can_make_group(&place.join(path)) || can_make_group(&place) {
                usable.extend(controllers.split(',').map(str::to_owned));
            }
        }
    }
    let has = |name: &str| usable.iter().any(|controller| controller == name);
    if has("memory") && has("cpu") {
        return Check::works(NAME, format!("limits by {}", usable.join(", ")));
    }
    let detail = if seen.is_empty() {
        "none are mounted; memory and cpu limits are refused".to_owned()
    } else {
        format!("no group can be made for memory and cpu (there are {})", seen.join(", "))
    };
    Check::new(NAME, State::Limited, detail).fix(Knob::CgroupDelegation)
}

fn can_make_group(parent: &Path) -> bool {
    let group = parent.join(format!("kiln-{}", random::hex(8)));
    fs::create_dir(&group).is_ok() && fs::remove_dir(&group).is_ok()
}

/// What gives a container a network of its own.
pub(super) fn network(settings: &Settings) -> Check {
    const NAME: &str = "network helper";
    let Some(program) = ["pasta", "slirp4netns"].iter().find_map(|name| settings.find_program(name)) else {
        let detail =
            "neither pasta nor slirp4netns is there; containers share the host's network, or have none";
        return Check::new(NAME, State::Limited, detail).fix(Knob::NetworkProgram);
    };
    let tun = fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun");
    match tun {
        Ok(_) => {
            let kept = match kept_networks(&settings.root) {
                0 => String::new(),
                1 => "; 1 network is kept for the next command".to_owned(),
                many => format!("; {many} networks are kept for the next commands"),
            };
            Check::works(NAME, format!("{}{kept}", program.display()))
        }
        Err(error) => {
            let detail = format!("{} needs /dev/net/tun: {error}", program.display());
            Check::new(NAME, State::Limited, detail).fix(Knob::TunDevice)
        }
    }
}
