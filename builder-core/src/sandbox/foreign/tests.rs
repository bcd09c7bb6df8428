//! What the kernel shows of emulators, and what programs say whose they are.

use super::*;

/// What Debian's qemu-user-static registers for arm64.
const SHOWN: &str = "enabled\ninterpreter /usr/libexec/qemu-binfmt/aarch64-binfmt-P\nflags: POCF\noffset 0\n\
     magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n";

/// The beginning of an ELF file for that processor, whose numbers are in this order.
fn program(machine: u16, big: bool) -> Vec<u8> {
    let mut head = vec![0; 64];
    head[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, if big { 2 } else { 1 }, 1]);
    head[16..18].copy_from_slice(&[2, 0]);
    head[18..20].copy_from_slice(&if big { machine.to_be_bytes() } else { machine.to_le_bytes() });
    head
}

#[test]
fn an_emulator_is_for_what_it_is_registered_for() {
    let emulator = Emulator::parse(SHOWN).unwrap();
    assert!(emulator.enabled && emulator.is_fixed && emulator.program.ends_with("aarch64-binfmt-P"));
    assert!(emulator.runs(&program(183, false)));
    // The mask leaves open who made it, and whether it can be anywhere in memory.
    let mut other = program(183, false);
    (other[7], other[16]) = (3, 3);
    assert!(emulator.runs(&other));
    assert!(!emulator.runs(&program(62, false)));
    assert!(!emulator.runs(&program(183, false)[..19]) && !emulator.runs(b""));
    let off = Emulator::parse(&SHOWN.replace("enabled", "disabled").replace("POCF", "OC")).unwrap();
    assert!(!off.enabled && !off.is_fixed);
    for wrong in ["", "enabled\nextension .x", "magic 7", "magic zz", "magic 7f\noffset -1", "magic ä7f"] {
        assert_eq!(Emulator::parse(wrong), None, "{wrong}");
    }
    // One byte far behind, without a mask.
    let far = Emulator::parse("enabled\nmagic 7f\noffset 18446744073709551615\n").unwrap();
    assert!(!far.runs(&program(183, false)));
}

#[test]
fn programs_say_whose_they_are() {
    assert_eq!(machine(&program(183, false)), Some("arm64"));
    assert_eq!(machine(&program(22, true)), Some("s390x"));
    assert_eq!(machine(&program(9999, false)), Some("another processor"));
    assert_eq!(machine(&program(183, false)[..19]), None);
    assert_eq!(machine(b"\x7fELF"), None);
    assert_eq!(machine(b"#!/bin/sh"), None);
}
