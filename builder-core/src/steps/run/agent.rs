//! A stand-in for the caller's SSH agent: a socket that the command's user may open, passed on byte by byte.
//!
//! The agent itself refuses every user but its own, and its socket belongs to that user.

use std::io;
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many may talk to the agent at once; more are turned away.
const MAX_CONNECTIONS: usize = 64;

/// A socket that is served until this is dropped.
#[derive(Debug)]
pub(crate) struct Agent {
    path: PathBuf,
    listener: UnixListener,
    thread: Option<thread::JoinHandle<()>>,
}

impl Agent {
    /// Serves the agent at `socket`, at a socket in `dir`.
    pub(super) fn start(socket: &Path, dir: &Path, mode: u32, (uid, gid): (u32, u32)) -> io::Result<Self> {
        // To find out now, with a sentence, whether it is there.
        drop(UnixStream::connect(socket)?);
        std::fs::create_dir_all(dir)?;
        let path = dir.join("agent");
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
        std::os::unix::fs::chown(&path, Some(uid), Some(gid))?;
        let (accept, socket) = (listener.try_clone()?, socket.to_owned());
        let thread = thread::spawn(move || serve(&accept, &socket));
        Ok(Agent { path, listener, thread: Some(thread) })
    }

    /// Where the socket is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Wakes the thread: nothing is accepted from a socket that is shut down.
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(listener: &UnixListener, socket: &Path) {
    let open = Arc::new(AtomicUsize::new(0));
    for inner in listener.incoming() {
        let Ok(inner) = inner else { return };
        if open.load(Ordering::SeqCst) >= MAX_CONNECTIONS {
            continue;
        }
        let Ok(outer) = UnixStream::connect(socket) else { continue };
        open.fetch_add(1, Ordering::SeqCst);
        let open = Arc::clone(&open);
        thread::spawn(move || {
            relay(&inner, &outer);
            open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

/// Passes bytes both ways until both sides are done.
fn relay(inner: &UnixStream, outer: &UnixStream) {
    thread::scope(|scope| {
        scope.spawn(|| pass(inner, outer));
        pass(outer, inner);
    });
}

fn pass(mut from: &UnixStream, mut to: &UnixStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
