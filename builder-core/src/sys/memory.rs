//! How memory goes back to the kernel.

/// The smallest size of what goes back as soon as it is freed, in bytes.
#[cfg(target_env = "gnu")]
const LARGE: nix::libc::c_int = 1 << 20;

/// From now on, large buffers of this process go back to the kernel when they are freed.
///
/// glibc raises the size from which that holds with every larger one it sees go, up to 32 MiB, and keeps what is below
/// for each thread (mallopt(3), `M_MMAP_THRESHOLD`): layers compressed one after the other, each by new threads, would
/// together hold the buffers of several. Other C libraries give it back in any case.
pub(crate) fn give_back_large() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it only sets a number of the allocator's, under the allocator's own lock.
    let _ = unsafe { nix::libc::mallopt(nix::libc::M_MMAP_THRESHOLD, LARGE) };
}
