//! What a machine can withhold, and how it is given: one table for `doctor` and for every refusal elsewhere.

use std::path::Path;

use rustix::io::Errno;

use crate::error::{Error, Kind};
use crate::sys::trial;

/// Something of the machine that someone with the right to can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Knob {
    /// The kernel's bound on user namespaces.
    MaxUserNamespaces,
    /// Debian's switch for user namespaces of ordinary users.
    UserNamespacesClone,
    /// AppArmor's restriction of them.
    AppArmor,
    /// A filter of system calls around us that refuses them.
    ContainerSeccomp,
    /// A kernel built without them.
    KernelUserNamespaces,
    /// Ranges of ids for this user.
    SubordinateIds,
    /// The programs that map them.
    Newuidmap,
    /// The same, without the right to.
    NewuidmapSetuid,
    /// Root without the capability to mount.
    MountCapability,
    /// A file system under the store on which overlay works.
    OverlayStore,
    /// The kernel's overlay for ordinary users.
    OverlayKernel,
    /// The program that serves overlays.
    FuseOverlayfs,
    /// Its device, for us.
    FuseDevice,
    /// Its device, at all.
    FuseModule,
    /// A kernel with filters of system calls.
    Seccomp,
    /// A `/proc` of which nothing is hidden.
    UnmaskedProc,
    /// Control groups given to this user.
    CgroupDelegation,
    /// A program that gives a container a network of its own.
    NetworkProgram,
    /// The device it needs.
    TunDevice,
    /// A kernel and a file system that show files with other owners.
    IdmappedMounts,
}

impl Knob {
    /// What to do, as a command where there is one.
    pub(crate) fn fix(self) -> &'static str {
        match self {
            Knob::MaxUserNamespaces => "allow user namespaces: `sysctl user.max_user_namespaces=15000`",
            Knob::UserNamespacesClone => "allow user namespaces: `sysctl kernel.unprivileged_userns_clone=1`",
            Knob::AppArmor => {
                "allow user namespaces: `sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or give kiln \
                 an AppArmor profile with the rule `userns,`"
            }
            Knob::ContainerSeccomp => {
                "start the container around this with `--security-opt seccomp=unconfined`, or with `--privileged`"
            }
            Knob::KernelUserNamespaces => "boot a kernel with CONFIG_USER_NS=y, or run as root",
            Knob::SubordinateIds => {
                "as root: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER` (a range no other \
                 user has)"
            }
            Knob::Newuidmap => {
                "install newuidmap and newgidmap: `apt install uidmap` or `dnf install shadow-utils`"
            }
            Knob::NewuidmapSetuid => {
                "see that /etc/subuid and /etc/subgid have a range of this user, and that newuidmap is setuid root: \
                 `chmod u+s /usr/bin/newuidmap /usr/bin/newgidmap`"
            }
            Knob::MountCapability => {
                "run it as an ordinary user, or start this container with --cap-add SYS_ADMIN"
            }
            Knob::OverlayStore => {
                "put the store on ext4, xfs, btrfs or tmpfs: --root DIR; in a container, on a volume"
            }
            Knob::OverlayKernel => "boot Linux 5.11 or newer, install fuse-overlayfs, or run as root",
            Knob::FuseOverlayfs => {
                "install it: `apt install fuse-overlayfs` or `dnf install fuse-overlayfs`; or name it with \
                 --storage-opt mount_program=FILE"
            }
            Knob::FuseDevice => {
                "as root: `chmod 666 /dev/fuse`; in a container: start that with `--device /dev/fuse`"
            }
            Knob::FuseModule => {
                "as root: `modprobe fuse`; in a container: start that with `--device /dev/fuse`"
            }
            Knob::Seccomp => "boot a kernel with CONFIG_SECCOMP_FILTER=y, or run with seccomp=unconfined",
            Knob::UnmaskedProc => "start the container around this with `--security-opt unmask=ALL`",
            Knob::CgroupDelegation => {
                "delegate control groups: `systemctl edit user@.service` with `[Service] Delegate=cpu cpuset memory \
                 pids`; in a container: start that with `--cgroupns=private` and a writable /sys/fs/cgroup"
            }
            Knob::NetworkProgram => "install pasta: `apt install passt` or `dnf install passt`",
            Knob::TunDevice => {
                "as root: `modprobe tun && chmod 666 /dev/net/tun`; in a container: start that with `--device \
                 /dev/net/tun`"
            }
            Knob::IdmappedMounts => {
                "boot Linux 5.19 or newer, with the files on ext4, xfs, btrfs or tmpfs; of a file system that the \
                 machine has mounted only root can have one"
            }
        }
    }
}

/// Those of the calls that are refused for which there is no older way.
pub(crate) fn needed_calls(refused: &[&'static str]) -> Vec<&'static str> {
    refused.iter().copied().filter(|call| ["open_tree", "move_mount"].contains(call)).collect()
}

/// What refuses newer system calls.
pub(crate) fn of_calls() -> Knob {
    if is_filtered() { Knob::ContainerSeccomp } else { Knob::OverlayKernel }
}

/// An error that comes of a refused system call for which there is no older way says so; any other stays as it is.
#[must_use]
pub fn name_refused_call(error: Error) -> Error {
    let refusals = [Errno::NOSYS, Errno::PERM].map(Errno::raw_os_error);
    // Without that right some of them answer the same.
    let may_mount = rustix::thread::capabilities(None)
        .is_ok_and(|sets| sets.effective.contains(rustix::thread::CapabilitySet::SYS_ADMIN));
    if !may_mount || !error.os_error().is_some_and(|errno| refusals.contains(&errno)) {
        return error;
    }
    let needed = needed_calls(&trial::refused_calls());
    match needed.first() {
        None => error,
        Some(call) => Error::new(Kind::Unsupported, "cannot mount anything here")
            .because(format!("{call} is refused, and there is no older way: {error:?}"))
            .hint(of_calls().fix()),
    }
}

/// What refuses user namespaces, by what the kernel answered to a request for one.
pub(crate) fn of_user_namespaces(refusal: Errno) -> Knob {
    let setting = |name: &str| std::fs::read_to_string(Path::new("/proc/sys").join(name)).unwrap_or_default();
    let is = |name: &str, value: &str| setting(name).trim() == value;
    if matches!(refusal, Errno::NOSPC | Errno::USERS) || is("user/max_user_namespaces", "0") {
        Knob::MaxUserNamespaces
    } else if is("kernel/unprivileged_userns_clone", "0") {
        Knob::UserNamespacesClone
    } else if is("kernel/apparmor_restrict_unprivileged_userns", "1") {
        Knob::AppArmor
    } else if matches!(refusal, Errno::INVAL) {
        Knob::KernelUserNamespaces
    } else if is_filtered() {
        Knob::ContainerSeccomp
    } else {
        Knob::KernelUserNamespaces
    }
}

/// What refuses namespaces of other kinds to root, by what the kernel answered; none where that says nothing of it.
pub(crate) fn of_namespaces(refusal: Errno) -> Option<Knob> {
    match refusal {
        Errno::NOSPC | Errno::USERS => Some(Knob::MaxUserNamespaces),
        Errno::PERM | Errno::NOSYS if is_filtered() => Some(Knob::ContainerSeccomp),
        Errno::PERM => Some(Knob::MountCapability),
        _ => None,
    }
}

/// Whether a filter of system calls is around us.
pub(crate) fn is_filtered() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| line.strip_prefix("Seccomp:").is_some_and(|mode| mode.trim() == "2"))
}
