//! The few instructions of classic BPF that a system call filter needs, as seccomp(2) takes them.
//!
//! Which calls a filter allows is decided above.

use nix::libc;

/// One instruction.
pub(crate) type Instruction = libc::sock_filter;

/// Offset of the call's number in `struct seccomp_data`; of the architecture; of the first of six 64-bit arguments.
pub(crate) const NUMBER: u32 = 0;
/// See [`NUMBER`].
pub(crate) const ARCHITECTURE: u32 = 4;
/// See [`NUMBER`].
pub(crate) const ARGUMENTS: u32 = 16;

/// What the kernel does with a call: lets it pass.
pub(crate) const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

/// What the kernel does with a call: answers it with this error number.
pub(crate) const fn errno(number: u32) -> u32 {
    libc::SECCOMP_RET_ERRNO | number
}

/// What the kernel does with a call: ends the thread, or the process.
pub(crate) const KILL_THREAD: u32 = libc::SECCOMP_RET_KILL_THREAD;
/// See [`KILL_THREAD`].
pub(crate) const KILL_PROCESS: u32 = libc::SECCOMP_RET_KILL_PROCESS;
/// What the kernel does with a call: sends the process `SIGSYS`.
pub(crate) const TRAP: u32 = libc::SECCOMP_RET_TRAP;
/// What the kernel does with a call: leaves it to a tracer; without one it is unknown.
pub(crate) const TRACE: u32 = libc::SECCOMP_RET_TRACE;
/// What the kernel does with a call: writes it down and lets it pass.
pub(crate) const LOG: u32 = libc::SECCOMP_RET_LOG;

/// Loads the 32-bit word at `offset` of `struct seccomp_data`.
pub(crate) const fn load(offset: u32) -> Instruction {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
}

/// Skips `if_true` instructions if the word loaded is `value`, else `if_false`.
pub(crate) const fn equal(value: u32, if_true: u8, if_false: u8) -> Instruction {
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, if_true, if_false, value)
}

/// Skips `if_true` instructions if the word loaded is `value` or more, else `if_false`.
pub(crate) const fn at_least(value: u32, if_true: u8, if_false: u8) -> Instruction {
    instruction(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, if_true, if_false, value)
}

/// Skips `if_true` instructions if the word loaded is above `value`, else `if_false`.
pub(crate) const fn greater(value: u32, if_true: u8, if_false: u8) -> Instruction {
    instruction(libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K, if_true, if_false, value)
}

/// Keeps of the word loaded only the bits of `mask`.
pub(crate) const fn and(mask: u32) -> Instruction {
    instruction(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, 0, 0, mask)
}

/// Skips `count` instructions.
pub(crate) const fn skip(count: u32) -> Instruction {
    instruction(libc::BPF_JMP | libc::BPF_JA, 0, 0, count)
}

/// Ends with [`ALLOW`] or an [`errno`].
pub(crate) const fn answer(value: u32) -> Instruction {
    instruction(libc::BPF_RET | libc::BPF_K, 0, 0, value)
}

const fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> Instruction {
    Instruction { code: code as u16, jt, jf, k }
}

/// What the kernel would answer to a call with these first arguments.
#[cfg(test)]
pub(crate) fn interpret(program: &[Instruction], architecture: u32, number: u32, args: [u64; 3]) -> u32 {
    let mut data = [0_u8; 64];
    data[..4].copy_from_slice(&number.to_le_bytes());
    data[4..8].copy_from_slice(&architecture.to_le_bytes());
    for (index, arg) in args.iter().enumerate() {
        data[16 + 8 * index..24 + 8 * index].copy_from_slice(&arg.to_le_bytes());
    }
    let (mut at, mut loaded) = (0, 0_u32);
    loop {
        let Instruction { jt, jf, k, .. } = program[at];
        let is = |other: Instruction| program[at] == other;
        let jump = if is(load(k)) {
            loaded = u32::from_le_bytes(data[k as usize..k as usize + 4].try_into().unwrap());
            0
        } else if is(equal(k, jt, jf)) {
            u32::from(if loaded == k { jt } else { jf })
        } else if is(at_least(k, jt, jf)) {
            u32::from(if loaded >= k { jt } else { jf })
        } else if is(greater(k, jt, jf)) {
            u32::from(if loaded > k { jt } else { jf })
        } else if is(and(k)) {
            loaded &= k;
            0
        } else if is(skip(k)) {
            k
        } else if is(answer(k)) {
            return k;
        } else {
            panic!("an instruction a filter should not have: {:?}", program[at]);
        };
        at += 1 + jump as usize;
    }
}
