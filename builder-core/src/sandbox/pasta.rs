//! A network of the command's own by the program `pasta` (package passt).

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::{CWD, FileType, Mode, OFlags};

use crate::error::{Context, Result};
use crate::sandbox::uplink::{Uplink, program};

/// Where a command on such a network asks for names; pasta passes that on to the host's own name server.
pub(crate) const NAME_SERVER: &str = "169.254.1.1";

/// Starts it for a network namespace, and waits until the network is up. `scratch` is a directory to write in.
///
/// It is looked for in `helpers`, then on the usual path. `options` are its own, added to the usual ones; `--map-gw`
/// among them leaves `--no-map-gw` away, as in Buildah.
pub(super) fn start(
    namespace: File,
    options: &[String],
    scratch: &Path,
    helpers: &[PathBuf],
) -> Result<Uplink> {
    // It writes its number there when it is ready.
    let ready = scratch.join("pasta.ready");
    rustix::fs::mknodat(CWD, &ready, FileType::Fifo, Mode::from_raw_mode(0o600), 0)
        .cannot("make", ready.display())?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let reader = rustix::fs::open(&ready, flags, Mode::empty()).cannot("open", ready.display())?;
    let mut command = program("pasta", helpers);
    command.args(["--foreground", "--quiet", "--config-net"]);
    command.args(["-t", "none", "-u", "none", "-T", "none", "-U", "none"]);
    command.args(["--runas", "0", "--dns-forward", NAME_SERVER]);
    if !options.iter().any(|option| option == "--map-gw") {
        command.arg("--no-map-gw");
    }
    command.args(options.iter().filter(|option| *option != "--map-gw"));
    command.args(["--netns-only", "--netns", "/proc/self/fd/0", "--pid"]).arg(&ready);
    command.stdin(namespace).stdout(Stdio::null());
    let started = Uplink::start("pasta", command, reader);
    std::fs::remove_file(&ready).cannot("remove", ready.display())?;
    started
}
