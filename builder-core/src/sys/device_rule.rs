//! A rule that keeps the processes of a control group (version 2) from some uses of one device: a program of eBPF, as
//! bpf(2) takes it. In version 1 it is a line written to `devices.deny`.
//!
//! Numbers and layouts are those of `linux/bpf.h`.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::libc;

/// What of which device is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Denied {
    /// Whether it is a block device.
    pub block: bool,
    /// Major and minor number.
    pub number: (u32, u32),
    /// Whether it may not be read.
    pub read: bool,
    /// Whether it may not be written.
    pub write: bool,
}

/// `BPF_PROG_LOAD` and `BPF_PROG_ATTACH`.
const LOAD: libc::c_int = 5;
const ATTACH: libc::c_int = 8;
/// `BPF_PROG_TYPE_CGROUP_DEVICE`.
const PROGRAM_TYPE: u32 = 15;
/// `BPF_CGROUP_DEVICE`.
const ATTACH_TYPE: u32 = 6;
/// `BPF_F_ALLOW_MULTI`: beside the programs of groups above, all of which have to agree.
const BESIDE_OTHERS: u32 = 2;

/// `struct bpf_insn`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Instruction {
    code: u8,
    registers: u8,
    offset: i16,
    value: i32,
}

const fn instruction(code: u8, to: u8, from: u8, offset: i16, value: i32) -> Instruction {
    let registers = if cfg!(target_endian = "little") { from << 4 | to } else { to << 4 | from };
    Instruction { code, registers, offset, value }
}

/// Loads the program for a rule, and attaches it to the control group that is opened as `group`. It goes with that.
pub(crate) fn attach(group: BorrowedFd<'_>, rule: Denied) -> io::Result<()> {
    /// The beginning of `union bpf_attr` for `BPF_PROG_LOAD`.
    #[repr(C)]
    struct LoadRequest {
        kind: u32,
        count: u32,
        instructions: u64,
        license: u64,
    }
    /// The beginning of `union bpf_attr` for `BPF_PROG_ATTACH`.
    #[repr(C)]
    struct AttachRequest {
        target: u32,
        program: u32,
        kind: u32,
        flags: u32,
    }
    let instructions = program(rule)?;
    let load = LoadRequest {
        kind: PROGRAM_TYPE,
        count: instructions.len() as u32,
        instructions: instructions.as_ptr() as u64,
        // It calls nothing that asks for another.
        license: c"MIT".as_ptr() as u64,
    };
    // SAFETY: a request of the size given, whose pointers are to instructions, as many as it says, and to a C string;
    // all outlive the call.
    let program = unsafe { ask(LOAD, &load)? };
    // SAFETY: a descriptor that the kernel has just made for us.
    let program = unsafe { OwnedFd::from_raw_fd(program) };
    let descriptor = |fd: i32| u32::try_from(fd).map_err(io::Error::other);
    let attach = AttachRequest {
        target: descriptor(group.as_raw_fd())?,
        program: descriptor(program.as_raw_fd())?,
        kind: ATTACH_TYPE,
        flags: BESIDE_OTHERS,
    };
    // SAFETY: a request of the size given, without pointers.
    unsafe { ask(ATTACH, &attach) }.map(drop)
}

/// bpf(2).
///
/// # Safety
/// `request` begins as the command's part of `union bpf_attr` does, and what it points to is there.
unsafe fn ask<T>(command: libc::c_int, request: &T) -> io::Result<libc::c_int> {
    // SAFETY: the caller answers for the request.
    let answer =
        unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(request), size_of::<T>()) };
    match libc::c_int::try_from(answer) {
        Ok(answer) if answer >= 0 => Ok(answer),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Answers 0, which is no, where type, numbers and use are those of the rule, and 1 elsewhere.
fn program(rule: Denied) -> io::Result<[Instruction; 14]> {
    /// `BPF_DEVCG_DEV_BLOCK`, `BPF_DEVCG_DEV_CHAR`, `BPF_DEVCG_ACC_READ`, `BPF_DEVCG_ACC_WRITE`.
    const BLOCK: i32 = 1;
    const CHAR: i32 = 2;
    const READ: i32 = 2;
    const WRITE: i32 = 4;
    // A word of the context; a copy; a shift; a mask; jumps unless equal, and if a bit is set; the end.
    const WORD: u8 = 0x61;
    const SET: u8 = 0xb7;
    const COPY: u8 = 0xbf;
    const SHIFT: u8 = 0x77;
    const MASK: u8 = 0x57;
    const UNLESS: u8 = 0x55;
    const IF_ANY: u8 = 0x45;
    const END: u8 = 0x95;
    let number = |number: u32| i32::try_from(number).map_err(io::Error::other);
    let kind = if rule.block { BLOCK } else { CHAR };
    let uses = if rule.read { READ } else { 0 } | if rule.write { WRITE } else { 0 };
    let (major, minor) = (number(rule.number.0)?, number(rule.number.1)?);
    // `struct bpf_cgroup_dev_ctx`: the use above the type, the major number, the minor one.
    Ok([
        instruction(WORD, 2, 1, 0, 0),
        instruction(COPY, 3, 2, 0, 0),
        instruction(SHIFT, 3, 0, 0, 16),
        instruction(MASK, 2, 0, 0, 0xffff),
        instruction(WORD, 4, 1, 4, 0),
        instruction(WORD, 5, 1, 8, 0),
        // Yes, where the next three jump to the end; no, where any of the uses is asked for.
        instruction(SET, 0, 0, 0, 1),
        instruction(UNLESS, 2, 0, 3, kind),
        instruction(UNLESS, 4, 0, 2, major),
        instruction(UNLESS, 5, 0, 1, minor),
        instruction(IF_ANY, 3, 0, 1, uses),
        instruction(END, 0, 0, 0, 0),
        instruction(SET, 0, 0, 0, 0),
        instruction(END, 0, 0, 0, 0),
    ])
}
