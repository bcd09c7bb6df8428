//! The `kiln` command: words to verb values to words. No logic, no state.

fn main() {}
