//! Whether a command leads back to the program that is about to run it.
//!
//! A script that names `/proc/self/exe` as its interpreter, or a program that names it as its loader, has the kernel
//! run *us* inside the container, with libraries of the image, which then hold a handle of our own file on the host.
//! So the chain of interpreters is followed before, as execve(2) would, but by no magic link. Allocates nothing.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;

use crate::sys::in_root;

/// How much of a file the kernel looks at for `#!` (`BINPRM_BUF_SIZE`).
const HEAD: usize = 256;

/// How many interpreters may stand behind one another, as in the kernel.
const MAX_DEPTH: usize = 6;

/// The longest path there is, with its NUL.
const MAX_PATH: usize = 4096;

/// More program headers than any program has; the kernel takes 64 KiB of them.
const MAX_HEADERS: u64 = 1170;

/// Fails with `ELOOP` if running `path` would run something that only a magic link leads to. All other mistakes are
/// for execve(2) to find.
pub(super) fn inspect(path: &CStr) -> Result<(), Errno> {
    let mut buffer = [0; MAX_PATH];
    let length = path.to_bytes().len();
    let Some(place) = buffer.get_mut(..length) else { return Ok(()) };
    place.copy_from_slice(path.to_bytes());
    for _ in 0..MAX_DEPTH {
        let Ok(path) = CStr::from_bytes_until_nul(&buffer) else { return Ok(()) };
        let Some(file) = open(path)? else { return Ok(()) };
        let mut head = [0; HEAD];
        let count = read_at(file.as_fd(), &mut head, 0);
        let Some(head) = head.get(..count) else { return Ok(()) };
        if let Some(line) = head.strip_prefix(b"#!") {
            let name = script_interpreter(line);
            buffer.fill(0);
            buffer[..name.len()].copy_from_slice(name);
        } else if head.starts_with(b"\x7fELF") {
            // The loader of a program is the end of the chain.
            if loader(file.as_fd(), head, &mut buffer)
                && let Ok(path) = CStr::from_bytes_until_nul(&buffer)
            {
                open(path)?;
            }
            return Ok(());
        } else {
            return Ok(());
        }
    }
    Ok(())
}

/// Opens a regular file that no magic link leads to; `None` if there is none.
fn open(path: &CStr) -> Result<Option<OwnedFd>, Errno> {
    let open = |flags: OFlags| in_root::open_by_no_magic(path, flags);
    // Looked at first: opening a pipe or a device may do something.
    let stat = match open(OFlags::PATH) {
        Ok(file) => rustix::fs::fstat(&file)?,
        Err(Errno::LOOP) => return Err(Errno::LOOP),
        Err(_) => return Ok(None),
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    Ok(open(OFlags::RDONLY).ok())
}

/// Reads as much as there is, up to the buffer's length.
fn read_at(file: BorrowedFd<'_>, buffer: &mut [u8], offset: u64) -> usize {
    let mut count = 0;
    while count < buffer.len() {
        match rustix::io::pread(file, &mut buffer[count..], offset.saturating_add(count as u64)) {
            Ok(0) | Err(_) => break,
            Ok(more) => count += more,
        }
    }
    count
}

/// The interpreter's path in what follows `#!`.
fn script_interpreter(line: &[u8]) -> &[u8] {
    let end = |byte: &u8| matches!(byte, b'\n' | 0);
    let line = line.split(end).next().unwrap_or_default();
    line.split(|byte| matches!(byte, b' ' | b'\t')).find(|word| !word.is_empty()).unwrap_or_default()
}

/// Puts the path that the `PT_INTERP` header of an ELF file (elf(5)) names into `path`; `false` if it has none.
fn loader(file: BorrowedFd<'_>, head: &[u8], path: &mut [u8; MAX_PATH]) -> bool {
    const PT_INTERP: u64 = 3;
    let wide = head.get(4) == Some(&2);
    let number = |bytes: &[u8], at: usize, size: usize| -> Option<u64> {
        let mut value = [0; 8];
        value.get_mut(..size)?.copy_from_slice(bytes.get(at..at + size)?);
        // Programs of this machine only: all that the tables of `seccomp` know store the low byte first.
        Some(u64::from_le_bytes(value))
    };
    let fields = if wide { [(32, 8), (54, 2), (56, 2)] } else { [(28, 4), (42, 2), (44, 2)] };
    let [table, size, count] = fields.map(|(at, size)| number(head, at, size).unwrap_or(0));
    for index in 0..count.min(MAX_HEADERS) {
        let mut header = [0; 56];
        read_at(file, &mut header, table.saturating_add(index * size));
        if number(&header, 0, 4) != Some(PT_INTERP) {
            continue;
        }
        let [offset, length] = if wide { [(8, 8), (32, 8)] } else { [(4, 4), (16, 4)] }
            .map(|(at, size)| number(&header, at, size).unwrap_or(0));
        path.fill(0);
        let length = usize::try_from(length).unwrap_or(MAX_PATH).min(MAX_PATH - 1);
        read_at(file, &mut path[..length], offset);
        return true;
    }
    false
}
