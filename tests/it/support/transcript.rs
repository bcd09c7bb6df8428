//! Stories as one reads them in a terminal: a command after `$`, then exactly what it says and how it ends.
//!
//! ```text
//! $ kiln from nosuch
//! ! Error: …               a line of stderr; a line of stdout stands as it is
//! [125]                    the exit code, unless it is 0
//! ```
//!
//! A command goes on in lines that start with `> `. Each runs in a shell of its own, in the story's directory. Ids,
//! times and the scratch directory are redacted over the whole story: an id keeps its number from command to command.
//! With `KILN_TESTS_REWRITE` set, a story that differs is put into its source file as it went, for review.

use std::panic::Location;
use std::path::Path;

use super::env::Outcome;
use super::redact::redact;
use super::{Env, Need, images, needs};

/// A profile under which no directory can be made.
pub const NO_MKDIR: &str = r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
    {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}"#;

/// What marks an output that does not end its last line.
const NO_LINE_END: &str = "<no line end>";

/// A story whose store has the image `localhost/base`. `None`, and `test` on the list, where it cannot be told.
pub fn with_base(test: &str) -> Option<Env> {
    if !needs(test, &[Need::Root]) {
        return None;
    }
    let env = Env::new();
    add_base(&env);
    Some(env)
}

/// A story whose store has the image `localhost/base`, which has a shell. `None`, and `test` on the list, where there
/// is no busybox.
pub fn with_shell(test: &str) -> Option<Env> {
    if !needs(test, &[Need::Root, Need::Busybox]) {
        return None;
    }
    let env = Env::new();
    images::write_busybox(&env.path("layout"), "base")?;
    env.ok(["pull", "-q", "oci:layout:base"]);
    Some(env)
}

/// As [`with_base`], told by an ordinary user.
pub fn with_base_for_user(test: &str) -> Option<Env> {
    let env = Env::for_user(test)?;
    add_base(&env);
    Some(env)
}

/// A story with the container `c` of a busybox image. `None`, and `test` on the list, where there is no busybox.
pub fn with_container(test: &str) -> Option<Env> {
    if !needs(test, &[Need::Root, Need::Busybox]) {
        return None;
    }
    let env = Env::new();
    add_container(&env);
    Some(env)
}

/// As [`with_container`], told by an ordinary user.
pub fn with_container_for_user(test: &str) -> Option<Env> {
    if !needs(test, &[Need::Busybox]) {
        return None;
    }
    let env = Env::for_user(test)?;
    add_container(&env);
    Some(env)
}

fn add_container(env: &Env) {
    images::write_busybox(&env.path("layout"), "localhost/base");
    env.ok(["from", "-q", "--name", "c", "oci:layout:localhost/base"]);
}

fn add_base(env: &Env) {
    images::write_small(&env.path("layout"), "localhost/base");
    env.ok(["pull", "-q", "oci:layout:localhost/base"]);
}

/// Tells the story and compares every word.
#[track_caller]
pub fn tell(env: &Env, expected: &str) {
    compare(env, expected, &|command| env.shell(command));
}

/// As [`tell`], where every command says `buildah`, which is Kiln under that name.
#[track_caller]
pub fn tell_as_buildah(env: &Env, expected: &str) {
    compare(env, expected, &|command| env.shell_as_buildah(command));
}

#[track_caller]
fn compare(env: &Env, expected: &str, run: &dyn Fn(&str) -> Outcome) {
    let commands = commands(expected);
    let told = transcript(&commands, run);
    let told = redact(&told, env.path("").parent().expect("files are in the story's directory"));
    // What was typed stands as it was typed.
    let told = commands.iter().enumerate().fold(told, |told, (number, command)| {
        told.replacen(&format!("$ {number}\n"), &format!("{command}\n"), 1)
    });
    if told == expected {
        return;
    }
    if std::env::var_os("KILN_TESTS_REWRITE").is_some() {
        rewrite(Location::caller().file(), expected, &told);
        return;
    }
    let line = told.lines().zip(expected.lines()).position(|(told, expected)| told != expected);
    let line = line.unwrap_or_else(|| told.lines().count().min(expected.lines().count()));
    let (got, want) = (told.lines().nth(line), expected.lines().nth(line));
    panic!("line {line} of the story is {got:?} and not {want:?}; all of it went:\n{told}");
}

/// The commands of a story, each with its marks.
fn commands(story: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut inside = false;
    for line in story.lines() {
        if line.starts_with("$ ") {
            found.push(line.to_owned());
            inside = true;
        } else if inside && line.starts_with("> ") {
            let command = found.last_mut().expect("a command began");
            command.push('\n');
            command.push_str(line);
        } else {
            inside = false;
        }
    }
    found
}

/// What came of all commands, each after its number.
fn transcript(commands: &[String], run: &dyn Fn(&str) -> Outcome) -> String {
    let mut told = "\n".to_owned();
    for (number, command) in commands.iter().enumerate() {
        let plain: Vec<&str> = command.lines().map(|line| &line[2..]).collect();
        let outcome = run(&plain.join("\n"));
        told.push_str(&format!("$ {number}\n"));
        for line in lines(&outcome.stdout) {
            told.push_str(&line);
            told.push('\n');
        }
        for line in lines(&outcome.stderr) {
            told.push_str(format!("! {line}").trim_end());
            told.push('\n');
        }
        if outcome.code != 0 {
            told.push_str(&format!("[{}]\n", outcome.code));
        }
    }
    told
}

fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if let Some(last) = lines.last_mut()
        && !text.ends_with('\n')
    {
        last.push_str(NO_LINE_END);
    }
    lines
}

fn rewrite(file: &str, expected: &str, told: &str) {
    // Relative to the workspace, which is where the tests are.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let source = std::fs::read_to_string(&path).expect("the story's source");
    assert_eq!(source.matches(expected).count(), 1, "the story is once in {file}");
    std::fs::write(&path, source.replacen(expected, told, 1)).expect("the story's source is written");
}
