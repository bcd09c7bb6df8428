//! What the README tells a newcomer to type works as it stands there.

use crate::support::{Env, Need, needs};

/// All shell lines of the section `heading`, less the building, which has happened.
fn lines_of(heading: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let text = std::fs::read_to_string(path).expect("the README");
    let section = text.split("\n## ").find(|section| section.starts_with(heading)).expect("the section");
    let shell = section.split("```sh\n").skip(1).map(|rest| rest.split("```").next().expect("a block ends"));
    let lines =
        shell.flat_map(str::lines).filter(|line| !line.starts_with("cargo ") && !line.starts_with("export "));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Types the tour, and looks at what it prints in the end.
fn tour(env: &Env) {
    let script = lines_of("Five minutes");
    assert!(script.lines().count() > 15, "{script}");
    let told = env.shell(&script).expect_ok("the tour");
    let mut lines: Vec<&str> = told.lines().filter(|line| !line.contains("untagged: ")).collect();
    // The ids that rm and rmi print.
    let ids = lines.split_off(lines.len() - 4);
    assert!(ids.iter().all(|id| id.len() == 64), "{told}");
    let twice = lines.split_off(lines.len() - 2);
    assert_eq!(twice[0], twice[1], "{told}");
    assert!(lines.windows(2).any(|pair| pair == ["hello", "more"]), "{told}");
    assert!(lines.contains(&"[/bin/sh] 2"), "{told}");
}

#[test]
fn the_tour_works() {
    if needs("the_tour_works", &[Need::Root, Need::Busybox]) {
        tour(&Env::new());
    }
}

#[test]
fn the_tour_works_for_an_ordinary_user() {
    let test = "the_tour_works_for_an_ordinary_user";
    let Some(env) = Env::for_user(test) else { return };
    if needs(test, &[Need::Busybox]) {
        tour(&env);
    }
}
