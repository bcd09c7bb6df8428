//! The rules of the code that no compiler checks: sizes, opening comments, module order, where unsafe and print live.

mod order;
mod source;

use std::path::PathBuf;

use source::{SourceFile, code_of};

/// The most lines a file may have.
const MAX_LINES: usize = 500;

/// The most columns a line may have; rustfmt holds code to 110, which a comment may pass by a word.
const MAX_COLUMNS: usize = 120;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "common", "helper", "helpers", "manager"];

#[test]
fn every_file_keeps_the_rules() {
    let files = source::all(&repository());
    assert!(files.len() > 20, "the repository's files are found");
    let faults: Vec<String> = files.iter().flat_map(faults).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn modules_use_only_those_to_their_left() {
    let library = repository().join("builder-core/src");
    let order = order::Order::parse(&std::fs::read_to_string(library.join("lib.rs")).expect("lib.rs"));
    let files = source::all(&repository());
    let faults: Vec<String> = files.iter().flat_map(|file| order.faults(file)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn faults(file: &SourceFile) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |what: String| faults.push(format!("{}: {what}", file.path));
    if file.text.lines().count() > MAX_LINES {
        fault(format!("more than {MAX_LINES} lines"));
    }
    let mut in_story = false;
    for (number, line) in (1..).zip(file.text.lines()) {
        // What a program said stands as it said it: in a raw string, on lines of its own.
        in_story = if in_story { !line.starts_with("\"#") } else { file.is_test() && line.ends_with("r#\"") };
        if line.chars().count() > MAX_COLUMNS && !in_story {
            fault(format!("line {number} has more than {MAX_COLUMNS} columns"));
        }
    }
    if !file.text.starts_with("//!") {
        fault("does not open with `//!`".to_owned());
    }
    if file.path.split(['/', '.']).any(|part| EMPTY_NAMES.contains(&part)) {
        fault("has a name that says nothing".to_owned());
    }
    let code = code_of(&file.text);
    let floor = file.path.starts_with("builder-core/src/sys/");
    if !floor && source::has_word(&code, "unsafe") {
        fault("has `unsafe` outside sys/".to_owned());
    }
    if !floor && source::has_word(&code, "libc") {
        fault("names libc outside sys/".to_owned());
    }
    let prints = ["println!", "eprintln!", "print!", "eprint!", "dbg!"];
    let is_program = file.path.starts_with("examples/");
    let may_print = file.path.starts_with("src/ui/") || is_program || file.is_test();
    if !may_print && prints.iter().any(|print| source::has_word(&code, print)) {
        fault("prints outside src/ui/".to_owned());
    }
    faults
}

#[test]
fn each_rule_can_be_broken() {
    let long = format!("//! x\n{}", "\n".repeat(MAX_LINES));
    let wide = format!("//! x\n// {}\n", "x".repeat(MAX_COLUMNS));
    let after_story = format!("//! x\n const A: &str =\nr#\"\n\"#;//{}\n", "x".repeat(MAX_COLUMNS));
    let after_story = after_story.replace("r#\"\n", "r#\"\ntext\n");
    for (path, text, expected) in [
        ("src/a.rs", long.as_str(), "more than 500 lines"),
        ("src/a.rs", wide.as_str(), "line 2 has more than 120 columns"),
        ("tests/it/a.rs", after_story.as_str(), "line 5 has more than 120 columns"),
        ("src/a.rs", "fn a() {}\n", "does not open with `//!`"),
        ("builder-core/src/tree/util.rs", "//! x\n", "has a name that says nothing"),
        ("builder-core/src/helper/a.rs", "//! x\n", "has a name that says nothing"),
        ("builder-core/src/tree/a.rs", "//! x\nfn a() { unsafe { b() } }\n", "has `unsafe` outside sys/"),
        ("builder-core/src/tree/a.rs", "//! x\nuse libc::c_int;\n", "names libc outside sys/"),
        ("builder-core/src/tree/a.rs", "//! x\nfn a() { println!(); }\n", "prints outside src/ui/"),
        ("src/commands/a.rs", "//! x\nfn a() { eprint!(\"\"); }\n", "prints outside src/ui/"),
    ] {
        let found = faults(&SourceFile { path: path.to_owned(), text: text.to_owned() });
        assert_eq!(found, [format!("{path}: {expected}")]);
    }
}

#[test]
fn what_only_looks_like_a_breach_is_none() {
    for (path, text) in [
        ("src/a.rs", "//! x\n#![deny(unsafe_code)]\n// unsafe, libc::x, println!()\n"),
        ("src/a.rs", "//! x\nconst A: &str = \"unsafe println!() libc::\";\nconst B: char = '\"';\n"),
        ("src/a.rs", "//! x\nconst A: &str = r#\"a \" unsafe \"#; /* unsafe /* b */ libc */\n"),
        ("src/ui/a.rs", "//! x\nfn a() { println!(); }\n"),
        ("tests/it/a.rs", &format!("//! x\nconst A: &str =\nr#\"\n{}\n\"#;\n", "x".repeat(MAX_COLUMNS + 1))),
        ("builder-core/src/sys/a.rs", "//! x\nfn a() { unsafe { libc::b() } }\n"),
        ("builder-core/src/tree/a/tests.rs", "//! x\nfn a() { eprintln!(); }\n"),
    ] {
        let found = faults(&SourceFile { path: path.to_owned(), text: text.to_owned() });
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn the_order_can_be_broken() {
    let order = order::Order::parse(
        "//! A module uses only those to its left: `sys · error event · tree ·\n//! verbs`. Done.\n\
         mod error;\nmod event;\nmod sys;\n#[cfg(test)]\nmod testing;\nmod tree;\nmod verbs;\nmod stray;\n",
    );
    let faults = |path: &str, text: &str| {
        order.faults(&SourceFile { path: format!("builder-core/src/{path}"), text: text.to_owned() })
    };
    assert!(faults("lib.rs", "")[0].contains("`stray` has no place"));
    assert!(faults("tree/a.rs", "use crate::error::{Context, Error};\nuse crate::tree::Root;").is_empty());
    assert!(faults("error.rs", "use crate::event::Event;").is_empty());
    assert!(faults("verbs/mod.rs", "use crate::{sys, tree::{Entry, Root}, Kind};").is_empty());
    assert!(faults("tree/a/tests.rs", "use crate::verbs::x;").is_empty());
    assert!(faults("tree/a.rs", "// crate::verbs\n").is_empty());
    assert_eq!(faults("tree/a.rs", "fn a() { crate::verbs::b() }").len(), 1);
    assert_eq!(faults("tree/a.rs", "use crate::{error::{Kind, verbs}, verbs::x};").len(), 1);
    assert_eq!(faults("sys/mod.rs", "use super::error::Error;").len(), 1);
    assert_eq!(faults("sys.rs", "use crate::{\n    error,\n    tree,\n};").len(), 2);
}
