//! What security modules are told of a command: the labels of its process and of what it is to reach.
//!
//! Which labels those are is `host::lsm`'s. Where the kernel has no SELinux a script must run all the same, as with
//! Buildah; that what it asked for does nothing is told. A profile of AppArmor that was asked for is what a command
//! shall be held by: without it the command does not run, as with Buildah.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, XattrFlags};
use rustix::io::Errno;

use crate::error::{Context, Error, Kind, Result};
use crate::event::{Event, Reporter};
use crate::host::lsm::{self, Labels, Modules};
use crate::sandbox::ExecLabel;
use crate::steps::run::options::MountOptions;
use crate::steps::run::settings::Security;
use crate::sys::xattr;
use crate::tree::{self, Marks, Root};

/// Where SELinux keeps the label of a file.
const LABEL: &CStr = c"security.selinux";

/// What one run is told.
#[derive(Debug, Default)]
pub(super) struct Confinement {
    /// What the child writes before it becomes the command.
    pub exec: Vec<ExecLabel>,
    /// The labels of files, where labels are in use.
    labels: Option<Labels>,
}

impl Confinement {
    /// Settles it for the container `id`. What is `usual` on this machine was not asked for by anyone.
    pub fn settle(
        security: &Security,
        usual: &Security,
        id: &str,
        modules: &Modules,
        reporter: &dyn Reporter,
    ) -> Result<Self> {
        let labels = modules.labels(id, &security.label);
        let mut exec = Vec::new();
        if let Some(process) = labels.as_ref().and_then(|labels| labels.process.as_deref()) {
            exec.push(exec_label("/proc/thread-self/attr/exec", process)?);
        }
        match (&security.apparmor, modules.apparmor) {
            (Some(profile), Some(path)) => exec.push(exec_label(path, &format!("exec {profile}"))?),
            (Some(profile), None) if profile != "unconfined" && security.apparmor != usual.apparmor => {
                let sentence = format!("cannot hold the command by the AppArmor profile `{profile}`");
                return Err(Error::new(Kind::Unsupported, sentence)
                    .because("this kernel has no AppArmor, or it is not active")
                    .hint(
                        "leave --security-opt apparmor= away, or boot with `apparmor=1 security=apparmor`",
                    ));
            }
            _ => {}
        }
        let word = security.label.iter().find(|word| *word != "disable");
        if let (Some(word), None) = (word, &labels) {
            reporter.report(Event::Warning {
                message: format!("this kernel has no SELinux: `--security-opt label={word}` does nothing"),
                hint: None,
            });
        }
        Ok(Confinement { exec, labels })
    }

    /// The label of the file systems made for the run.
    pub fn file_label(&self) -> Option<String> {
        self.labels.as_ref().map(|labels| labels.private.clone())
    }

    /// Gives what is mounted from `source` a label that the command may reach, where `z` or `Z` asks for that and
    /// labels are in use.
    pub fn relabel(&self, source: BorrowedFd<'_>, path: &Path, options: &MountOptions) -> Result<()> {
        let Some(labels) = &self.labels else { return Ok(()) };
        let label = match (options.has("Z"), options.has("z")) {
            (true, _) => &labels.private,
            (_, true) => &labels.shared,
            _ => return Ok(()),
        };
        lsm::refuse_relabeling(path)?;
        relabel(source, label).cannot("relabel", path.display())
    }
}

fn exec_label(path: &str, value: &str) -> Result<ExecLabel> {
    match (CString::new(path), CString::new(value)) {
        (Ok(path), Ok(value)) => Ok(ExecLabel { path, value }),
        _ => Err(Error::invalid("cannot use the label of `--security-opt`").because("it has a NUL in it")),
    }
}

/// Labels a file, or a directory and all that is in it; symlinks themselves, not what they lead to.
fn relabel(top: BorrowedFd<'_>, label: &str) -> Result<()> {
    let stat = rustix::fs::fstat(top).cannot("read", "the source")?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        // A handle by path takes no attribute itself.
        let path = format!("/proc/self/fd/{}", top.as_raw_fd());
        let set = rustix::fs::setxattr(path, LABEL, label.as_bytes(), XattrFlags::empty());
        return unless_unknown(set.map_err(Into::into)).cannot("label", "the source");
    }
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    let root = rustix::fs::openat(top, ".", flags, Mode::empty()).map(Root::from_fd);
    let root = root.cannot("open", "the source")?;
    for entry in tree::walk(&root, Marks::None) {
        let path = entry?.path;
        let set = match path.name() {
            None => xattr::set_at(root.fd(), c".", LABEL, label.as_bytes()),
            Some(_) => {
                let (dir, name) = root.parent(path.as_path()).cannot("open", &path)?;
                let name = CString::new(name.into_encoded_bytes()).expect("a name has no NUL");
                xattr::set_at(dir.as_fd(), &name, LABEL, label.as_bytes())
            }
        };
        match unless_unknown(set) {
            // Removed in the meantime.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            set => set.cannot("label", &path)?,
        }
    }
    Ok(())
}

/// A file system that keeps no labels has one for all of it.
fn unless_unknown(set: std::io::Result<()>) -> std::io::Result<()> {
    match set {
        Err(error) if error.raw_os_error() == Some(Errno::OPNOTSUPP.raw_os_error()) => Ok(()),
        set => set,
    }
}

#[cfg(test)]
mod tests;
