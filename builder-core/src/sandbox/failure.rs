//! What went wrong inside the child, in words.

use std::ffi::CStr;
use std::io;

use rustix::io::Errno;

use crate::error::{Error, Kind};
use crate::event::Event;
use crate::host::probe::{self, Knob};
use crate::sandbox::{Space, Spec, spaces};
use crate::sys::spawn::{Kind as Namespace, Notice, Step, View};

/// The error of a step that failed.
pub(super) fn explain(spec: &Spec, steps: &[Step], notice: Notice) -> Error {
    let (index, errno) = match notice {
        Notice::Failed(index, errno) | Notice::FellBack(index, errno) => (index, errno),
        Notice::NoInterpreter(_) => return no_interpreter(spec),
    };
    let Some(step) = steps.get(index) else {
        return Error::corrupt("cannot understand what the sandbox reported");
    };
    let errno = Errno::from_raw_os_error(errno);
    match step {
        Step::Exec(_) => exec(spec, errno),
        Step::Inspect(_) => Error::new(
            Kind::NotStarted,
            format!("cannot run `{}`", spec.args.first().map_or("", String::as_str)),
        )
        .because(
            "it, or the interpreter or loader it names, is a loop or leads through /proc to another program",
        ),
        Step::Mount { at, .. } => mount(&format!("/{}", at.to_string_lossy()), errno),
        Step::Directory(path) if errno == Errno::LOOP => {
            let path = path.to_string_lossy();
            Error::new(Kind::NotStarted, format!("cannot change to the working directory `{path}`"))
                .because("it is a loop of symbolic links, or leads through the open files of a process")
        }
        Step::Directory(path) => {
            let path = path.to_string_lossy();
            Error::new(Kind::NotStarted, format!("cannot change to the working directory `{path}`"))
                .because(io::Error::from(errno))
                .hint(format!("make it first: `kiln run --workingdir / <container> mkdir -p {path}`"))
        }
        Step::Become { uid, gid, .. } => {
            let error = refusal(format!("cannot become user {}:{}", uid.as_raw(), gid.as_raw()), errno);
            match errno {
                Errno::INVAL => error.hint(format!(
                    "only ids of /proc/self/uid_map exist here: use a lower one, or get more {}",
                    Knob::SubordinateIds.fix()
                )),
                _ => error,
            }
        }
        Step::Enter(_, Namespace::User) => refusal("cannot enter the command's user namespace", errno)
            .hint("name a namespace that you made with --userns, or leave it away"),
        Step::Set { path, value } => {
            let name = setting(path);
            refusal(format!("cannot set `{name}` to `{}`", value.to_string_lossy()), errno)
                .hint("correct default_sysctls in containers.conf, or leave --network and --ipc away")
        }
        Step::Enter(_, kind) => {
            let path = spaces::path(spec, *kind).display();
            let error = refusal(format!("cannot join the {} namespace `{path}`", spaces::name(*kind)), errno);
            match errno {
                Errno::INVAL => error.hint("name a namespace of this kind"),
                Errno::PERM => error.hint("join it as the user who made it, or as root"),
                _ => error,
            }
        }
        Step::Group(_) => refusal(
            match &spec.resources.parent {
                Some(parent) => format!("cannot move the command into a control group below `{parent}`"),
                None => "cannot move the command into its control group".to_owned(),
            },
            errno,
        )
        .hint("name a group that takes processes with --cgroup-parent"),
        Step::Label { value, .. } => {
            let value = value.to_string_lossy();
            let error = refusal(format!("cannot label the command `{value}`"), errno);
            match errno {
                Errno::NOENT => error.hint("load the profile first: `apparmor_parser -r FILE`"),
                _ => error.hint("name a label the policy knows, or none: --security-opt label=disable"),
            }
        }
        Step::Hostname { name, .. } => {
            refusal(format!("cannot set the host name `{}`", name.to_string_lossy()), errno)
                .hint(Knob::ContainerSeccomp.fix())
        }
        Step::Seccomp(_) => refusal("cannot install the system call filter", errno).hint(Knob::Seccomp.fix()),
        Step::Pivot(_) => refusal("cannot make the container the root directory", errno)
            .hint("inside a chroot or an initramfs use `--no-pivot`"),
        step => refused_call(step, errno),
    }
}

/// What the user should know of a file system that was refused and replaced; `None` where nobody will miss it.
pub(super) fn warn(spec: &Spec, steps: &[Step], notice: Notice) -> Option<Event> {
    match notice {
        Notice::FellBack(index, errno) => match steps.get(index)? {
            // Of processes that are not its own a new one would show the same.
            Step::Create { view: View::Proc, .. } if spec.namespaces.pid == Space::Private => {
                Some(Event::Warning {
                    message: format!(
                        "the kernel allows no new /proc here ({}), so the command sees the one outside",
                        io::Error::from_raw_os_error(errno)
                    ),
                    hint: Some(Knob::UnmaskedProc.fix().to_owned()),
                })
            }
            Step::Set { path, .. } => Some(Event::Warning {
                message: format!("`{}` stays as it is: /proc/sys is read-only here", setting(path)),
                hint: Some(Knob::UnmaskedProc.fix().to_owned()),
            }),
            _ => None,
        },
        _ => None,
    }
}

/// The name of a setting of the kernel's.
fn setting(path: &CStr) -> String {
    path.to_string_lossy().trim_start_matches("proc/sys/").replace('/', ".")
}

/// What is done in every sandbox, and refused in few places.
fn refused_call(step: &Step, errno: Errno) -> Error {
    let error = refusal(format!("cannot {}", what(step)), errno);
    match probe::of_namespaces(errno) {
        Some(knob) => error.hint(knob.fix()),
        None => error,
    }
}

fn what(step: &Step) -> String {
    match step {
        Step::Private | Step::Cover(_) => "set up the mounts of the container".into(),
        Step::Copy { .. } => "make the container's own files".into(),
        Step::Create { view, .. } => format!("make a {} file system", view.name().to_string_lossy()),
        Step::Mask { at, .. } => format!("hide `/{}`", at.to_string_lossy()),
        Step::Protect { at, .. } => format!("protect `/{}`", at.to_string_lossy()),
        Step::Loopback => "bring up the loopback device".into(),
        Step::Limit { .. } => "set a resource limit".into(),
        Step::Streams(_) => "set up standard input and output".into(),
        Step::Session(_) => "start a session".into(),
        Step::Close => "close our own files".into(),
        Step::OwnKeyring => "make a keyring".into(),
        Step::Bound(_) | Step::Capabilities(_) | Step::NoNewPrivileges => "set the capabilities".into(),
        _ => "set up the container".into(),
    }
}

fn mount(at: &str, errno: Errno) -> Error {
    match errno {
        Errno::LOOP => Error::invalid(format!("cannot mount on `{at}`"))
            .because("it is a symbolic link in the image, and would be mounted elsewhere")
            .hint(format!("make `{at}` a directory in the image")),
        Errno::NOTDIR => Error::invalid(format!("cannot mount on `{at}`"))
            .because("one of the two is a directory and the other is not"),
        _ => refusal(format!("cannot mount on `{at}`"), errno),
    }
}

fn exec(spec: &Spec, errno: Errno) -> Error {
    let name = spec.args.first().map_or("", String::as_str);
    let sentence = format!("cannot run `{name}`");
    match errno {
        Errno::NOENT | Errno::NOTDIR if name.contains('/') => {
            Error::new(Kind::NotStarted, sentence).because(missing("the container has no such file"))
        }
        Errno::NOENT | Errno::NOTDIR => {
            let path =
                spec.env.iter().rev().find(|(key, _)| key == "PATH").map_or("", |(_, path)| path.as_str());
            Error::new(Kind::NotStarted, sentence)
                .because(missing(&format!("no directory of the container's PATH has it: {path}")))
                .hint("give its full path, or set the PATH with `--env PATH=…`")
        }
        Errno::ACCESS => Error::new(Kind::NotStarted, sentence)
            .because(format!("it is no program that user {} may execute", spec.user.uid))
            .hint(format!("make it executable: `kiln run <container> chmod +x {name}`")),
        Errno::NOEXEC => Error::new(Kind::NotStarted, sentence)
            .because("it is neither a program for this machine nor a script with a `#!` line")
            .hint(format!("name the interpreter: `sh {name}`")),
        errno => Error::new(Kind::NotStarted, sentence).because(io::Error::from(errno)),
    }
}

/// A cause that says of itself that something is not there: see [`Error::is_of_missing`].
fn missing(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, why)
}

fn no_interpreter(spec: &Spec) -> Error {
    let name = spec.args.first().map_or("", String::as_str);
    Error::new(Kind::NotStarted, format!("cannot run `{name}`"))
        .because("it is there, but the interpreter or loader that it names is not in the container")
        .hint("install what its first line (`#!`) names, or the C library it was built for")
}

fn refusal(sentence: impl Into<String>, errno: Errno) -> Error {
    let kind = match errno {
        Errno::PERM | Errno::ACCESS => Kind::Denied,
        Errno::NOENT => Kind::NotFound,
        Errno::NOSYS => Kind::Unsupported,
        _ => Kind::Io,
    };
    Error::new(kind, sentence).because(io::Error::from(errno))
}
