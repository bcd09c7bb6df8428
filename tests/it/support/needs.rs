//! What a test needs of the machine. Where it is missing the test is listed with the reason, never passed in silence.

use std::io::Write;
use std::path::{Path, PathBuf};

/// Something a machine may lack.
#[derive(Debug, Clone, Copy)]
pub enum Need {
    /// The tests run as root.
    Root,
    /// The ordinary user the test command makes, with subordinate ids; and root, to become that user.
    User,
    /// A program on the usual path.
    Program(&'static str),
    /// A file, mostly of a device, that is there.
    File(&'static str),
    /// A busybox without shared libraries.
    Busybox,
    /// Mounts on a RAM disk that show other owners.
    IdmappedMounts,
}

/// The ordinary user that rootless stories run as.
pub const USER: &str = "kilntest";

/// Whether all of `needs` are there. If not, `test` is added to the list of tests that did not run.
#[must_use]
pub fn needs(test: &str, needs: &[Need]) -> bool {
    let Some(reason) = needs.iter().find_map(|need| need.missing()) else { return true };
    not_run(test, &reason);
    false
}

/// Adds a line to the file named by `KILN_TESTS_NOT_RUN`, which the test command prints and compares on CI.
#[expect(clippy::print_stderr, reason = "the test runner shows it with the test")]
pub fn not_run(test: &str, reason: &str) {
    eprintln!("not run: {test}: {reason}");
    if let Some(path) = std::env::var_os("KILN_TESTS_NOT_RUN") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        let line = format!("{test}: {reason}\n");
        file.expect("the list of tests not run opens").write_all(line.as_bytes()).expect("it can be written");
    }
}

impl Need {
    /// Why it is missing, or `None` if it is there.
    fn missing(self) -> Option<String> {
        let root = rustix::process::geteuid().is_root();
        match self {
            Need::Root => (!root).then(|| "needs root".to_owned()),
            Need::User if !root => Some("needs root to become an ordinary user".to_owned()),
            Need::User => {
                let known = nix::unistd::User::from_name(USER).is_ok_and(|user| user.is_some());
                (!known).then(|| format!("needs the user {USER}"))
            }
            Need::Program(name) => find_program(name).is_none().then(|| format!("needs the program {name}")),
            Need::File(path) => (!Path::new(path).exists()).then(|| format!("needs {path}")),
            Need::IdmappedMounts => {
                let release = rustix::system::uname().release().to_string_lossy().into_owned();
                let mut numbers =
                    release.split(|c: char| !c.is_ascii_digit()).map(|word| word.parse().unwrap_or(0));
                let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
                (version < (6, 3)).then(|| "needs Linux 6.3 for other owners on a RAM disk".to_owned())
            }
            Need::Busybox => static_busybox().is_none().then(|| "needs a static busybox".to_owned()),
        }
    }
}

/// Where the program `name` is.
pub fn find_program(name: &str) -> Option<PathBuf> {
    super::env::PATH.split(':').map(|dir| Path::new(dir).join(name)).find(|path| path.is_file())
}

/// A busybox that runs in an otherwise empty root.
pub fn static_busybox() -> Option<PathBuf> {
    let path = find_program("busybox")?;
    let bytes = std::fs::read(&path).ok()?;
    // A dynamic program names its loader in the first page.
    let head = &bytes[..bytes.len().min(4096)];
    let dynamic = head.windows(4).any(|window| window == b"/ld-");
    (!dynamic).then_some(path)
}
