//! Programs for another processor: whose they are, and why nothing here runs them.
//!
//! The kernel runs them by an emulator that somebody registered with binfmt_misc (the kernel's
//! `admin-guide/binfmt-misc`). Whether one is, is only looked at where a command could not be started.

use std::fs;
use std::io::Read;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};

use crate::error::{Error, Kind};
use crate::oci::host_architecture;
use crate::sandbox::Spec;
use crate::tree::Root;

/// Where the kernel shows what is registered.
const REGISTERED: &str = "/proc/sys/fs/binfmt_misc";

/// How much of a file the kernel compares with what is registered (`BINPRM_BUF_SIZE`).
const HEAD: u64 = 256;

/// More than the description of one emulator ever has, bytes.
const MAX_ENTRY: u64 = 16 * 1024;

/// Numbers of processors in ELF files (elf.h: `e_machine`), and what images call them.
const MACHINES: [(u16, &str); 10] = [
    (3, "386"),
    (8, "mips"),
    (20, "ppc"),
    (21, "ppc64le"),
    (22, "s390x"),
    (40, "arm"),
    (62, "amd64"),
    (183, "arm64"),
    (243, "riscv64"),
    (258, "loong64"),
];

/// One emulator as the kernel shows it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Emulator {
    enabled: bool,
    program: String,
    /// Whether the kernel opened the program when it was registered, so that no container needs to have it.
    is_fixed: bool,
    offset: usize,
    magic: Vec<u8>,
    mask: Vec<u8>,
}

/// Why the command of `spec` could not be started, if it is a program for another processor; else `error` as it is.
pub(super) fn explain(tree: &Root, spec: &Spec, error: Error) -> Error {
    let Some(head) =
        Some(&error).filter(|error| error.kind() == Kind::NotStarted).and_then(|_| head(tree, spec))
    else {
        return error;
    };
    let Some(machine) = machine(&head).filter(|machine| *machine != host_architecture()) else {
        return error;
    };
    let name = spec.args.first().map_or("", String::as_str);
    let foreign = Error::new(Kind::NotStarted, format!("cannot run `{name}`"));
    let here = host_architecture();
    match registered().into_iter().find(|(_, emulator)| emulator.runs(&head)) {
        None => foreign
            .because(format!(
                "it is a program for {machine}, and no emulator is registered on this {here} machine"
            ))
            .hint(
                "register emulators, as root: apt-get install qemu-user-static (dnf, zypper: the same name)",
            ),
        Some((entry, emulator)) if !emulator.enabled => foreign
            .because(format!("it is a program for {machine}, and its emulator is switched off"))
            .hint(format!("switch it on, as root: echo 1 >{REGISTERED}/{entry}")),
        Some((entry, emulator)) if !emulator.is_fixed => foreign
            .because(format!(
                "it is a program for {machine}, and its emulator, {}, is not in the container",
                emulator.program
            ))
            .hint(format!(
                "register it with the flag F, which lets it work everywhere: see {REGISTERED}/{entry}"
            )),
        Some(_) => error,
    }
}

/// The beginning of the program that the command names.
fn head(tree: &Root, spec: &Spec) -> Option<Vec<u8>> {
    let name = spec.args.first()?;
    if name.contains('/') {
        return begin(tree, &Path::new(&spec.directory).join(name));
    }
    let path = spec.env.iter().rev().find(|(key, _)| key == "PATH")?;
    path.1.split(':').find_map(|dir| begin(tree, &Path::new(dir).join(name)))
}

/// The beginning of a regular file.
fn begin(tree: &Root, path: &Path) -> Option<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = tree.open(path, flags, Mode::empty()).ok()?;
    let stat = rustix::fs::fstat(&file).ok()?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return None;
    }
    let mut head = Vec::new();
    fs::File::from(file).take(HEAD).read_to_end(&mut head).ok()?;
    Some(head)
}

/// The processor that an ELF file is for.
fn machine(head: &[u8]) -> Option<&'static str> {
    if !head.starts_with(b"\x7fELF") {
        return None;
    }
    let number: [u8; 2] = head.get(18..20)?.try_into().ok()?;
    // The byte before says in which order numbers are.
    let number = if head[5] == 2 { u16::from_be_bytes(number) } else { u16::from_le_bytes(number) };
    let known = MACHINES.iter().find(|(known, _)| *known == number);
    Some(known.map_or("another processor", |(_, name)| name))
}

/// All emulators that the kernel shows, by the names of their entries; none where it shows nothing.
fn registered() -> Vec<(String, Emulator)> {
    let entries = fs::read_dir(REGISTERED).into_iter().flatten().flatten();
    let named = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let mut text = String::new();
        fs::File::open(entry.path()).ok()?.take(MAX_ENTRY).read_to_string(&mut text).ok()?;
        Some((name, Emulator::parse(&text)?))
    });
    named.collect()
}

impl Emulator {
    /// Reads what the kernel shows of one entry; `None` for one that goes by the ends of names.
    fn parse(text: &str) -> Option<Self> {
        let mut emulator = Emulator::default();
        for line in text.lines() {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("enabled", _) => emulator.enabled = true,
                ("interpreter", program) => emulator.program = program.to_owned(),
                ("flags:", flags) => emulator.is_fixed = flags.contains('F'),
                ("offset", offset) => emulator.offset = offset.trim().parse().ok()?,
                ("magic", magic) => emulator.magic = bytes(magic)?,
                ("mask", mask) => emulator.mask = bytes(mask)?,
                _ => {}
            }
        }
        (!emulator.magic.is_empty()).then_some(emulator)
    }

    /// Whether it is for files that begin so.
    fn runs(&self, head: &[u8]) -> bool {
        let Some(part) = head.get(self.offset..).and_then(|rest| rest.get(..self.magic.len())) else {
            return false;
        };
        let mask = self.mask.iter().copied().chain(std::iter::repeat(0xff));
        part.iter().zip(&self.magic).zip(mask).all(|((byte, magic), mask)| byte & mask == magic & mask)
    }
}

/// Bytes as two digits each.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let pair = |at: usize| text.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
    (0..text.len()).step_by(2).map(pair).collect()
}

#[cfg(test)]
mod tests;
