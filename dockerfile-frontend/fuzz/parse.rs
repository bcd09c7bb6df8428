//! The fuzz target of the front end: whatever the bytes are, they are read without a panic.
//!
//! `./run SECONDS`, beside this file, builds it by the stable compiler and begins with the files of the corpus. The
//! same is held to random bytes in the unit tests, and to files that were once found here.
#![no_main]

#[path = "../src/parser/tests/any_bytes.rs"]
mod any_bytes;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| any_bytes::any_bytes(bytes));
