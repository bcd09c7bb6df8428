//! `registries.conf`, and the names it leads to.

use super::super::registries::Registries;
use super::super::{Ask, Reference, resolve, with_alias};
use crate::oci::Digest;

fn conf(text: &str) -> Registries {
    let mut registries = Registries::default();
    registries.add("main", text, false).unwrap();
    registries
}

fn name(text: &str) -> Reference {
    text.parse().unwrap()
}

fn pulls(registries: &Registries, text: &str) -> Vec<String> {
    let found = registries.to_pull(&name(text)).unwrap();
    found
        .into_iter()
        .map(|endpoint| format!("{}{}", endpoint.name, if endpoint.insecure { " insecure" } else { "" }))
        .collect()
}

#[test]
fn the_longest_prefix_leads_elsewhere() {
    let registries = conf(
        r#"
        [[registry]]
        location = "a.example"
        insecure = true
        [[registry]]
        prefix = "a.example/team"
        location = "b.example:5000/other"
        [[registry]]
        prefix = "*.wild.example"
        location = "c.example/wild/"
        [[registry]]
        prefix = "*.just.example"
        insecure = true
        "#,
    );
    assert_eq!(pulls(&registries, "a.example/x:1"), ["a.example/x:1 insecure"]);
    assert_eq!(pulls(&registries, "a.example/team/x:1"), ["b.example:5000/other/x:1"]);
    assert_eq!(pulls(&registries, "a.example/teams/x"), ["a.example/teams/x:latest insecure"]);
    assert_eq!(pulls(&registries, "a.example:443/x"), ["a.example:443/x:latest insecure"]);
    assert_eq!(pulls(&registries, "a.example.evil/x"), ["a.example.evil/x:latest"]);
    assert_eq!(pulls(&registries, "x.y.wild.example/p/q"), ["c.example/wild/p/q:latest"]);
    assert_eq!(pulls(&registries, "wild.example/p"), ["wild.example/p:latest"]);
    assert_eq!(pulls(&registries, "x.just.example/p"), ["x.just.example/p:latest insecure"]);
}

#[test]
fn mirrors_come_first_for_what_they_are_for() {
    let registries = conf(
        r#"
        [[registry]]
        location = "a.example"
        [[registry.mirror]]
        location = "all.example/m"
        [[registry.mirror]]
        location = "digests.example"
        pull-from-mirror = "digest-only"
        [[registry.mirror]]
        location = "tags.example"
        pull-from-mirror = "tag-only"
        insecure = true
        [[registry]]
        location = "b.example"
        mirror-by-digest-only = true
        [[registry.mirror]]
        location = "mirror.example"
        "#,
    );
    assert_eq!(
        pulls(&registries, "a.example/x:1"),
        ["all.example/m/x:1", "tags.example/x:1 insecure", "a.example/x:1"]
    );
    let by_digest = format!("a.example/x@{}", Digest::of(b""));
    assert_eq!(pulls(&registries, &by_digest).len(), 3);
    assert!(pulls(&registries, &by_digest)[1].starts_with("digests.example/x@"));
    assert_eq!(pulls(&registries, "b.example/x"), ["b.example/x:latest"]);
    assert_eq!(pulls(&registries, &format!("b.example/x@{}", Digest::of(b""))).len(), 2);
    assert_eq!(registries.to_push(&name("a.example/x:1")).unwrap().name.to_string(), "a.example/x:1");
}

#[test]
fn what_is_blocked_is_not_used() {
    let mut registries = conf("[[registry]]\nlocation = \"a.example/bad\"\nblocked = true\n");
    assert!(
        registries.to_pull(&name("a.example/bad/x")).unwrap_err().to_string().contains("a.example/bad/x")
    );
    assert!(registries.to_push(&name("a.example/bad:1")).is_err());
    assert!(registries.to_pull(&name("a.example/good")).is_ok());
    registries
        .add_sources(r#"{"allowedRegistries":["b.example"],"insecureRegistries":["b.example"]}"#)
        .unwrap();
    assert!(registries.to_pull(&name("a.example/good")).is_err());
    assert_eq!(pulls(&registries, "b.example/x"), ["b.example/x:latest insecure"]);
    registries.add_sources(r#"{"blockedRegistries":["b.example"]}"#).unwrap();
    assert!(registries.to_push(&name("b.example/x")).is_err());
    assert!(registries.add_sources("[").is_err());
}

#[test]
fn later_files_count_more() {
    let mut registries = conf(
        "unqualified-search-registries = [\"a.example\"]\n[[registry]]\nlocation = \"a.example\"\nblocked = true\n\
         [aliases]\nx = \"a.example/x\"\ny = \"a.example/y\"\n",
    );
    let drop_in = "unqualified-search-registries = [\"b.example\"]\n[[registry]]\nlocation = \"a.example\"\n\
                   [aliases]\nx = \"b.example/x\"\ny = \"\"\n";
    registries.add("drop-in", drop_in, true).unwrap();
    assert_eq!(registries.search, ["b.example"]);
    assert!(registries.to_pull(&name("a.example/x")).is_ok());
    assert_eq!(registries.aliases.len(), 1);
    assert_eq!(registries.aliases["x"], "b.example/x");
}

#[test]
fn version_1_is_read_alone_and_only_as_the_main_file() {
    let old = "[registries.search]\nregistries = [\"a.example\"]\n[registries.insecure]\nregistries = [\"i.example\"]\n\
               [registries.block]\nregistries = [\"b.example\"]\n";
    let registries = conf(old);
    assert_eq!(registries.search, ["a.example"]);
    assert_eq!(pulls(&registries, "i.example/x"), ["i.example/x:latest insecure"]);
    assert!(registries.to_pull(&name("b.example/x")).is_err());
    assert!(Registries::default().add("drop-in", old, true).is_err());
    assert!(
        Registries::default().add("x", &format!("unqualified-search-registries = []\n{old}"), false).is_err()
    );
}

#[test]
fn what_makes_no_sense_is_refused_with_the_file_named() {
    for bad in [
        "unqualified-search-registries = 7",
        "unqualified-search-registries = [\"https://a.example\"]",
        "short-name-mode = \"sometimes\"",
        "[[registry]]\n",
        "[[registry]]\nprefix = \"a.*.example\"\nlocation = \"b.example\"",
        "[[registry]]\nprefix = \"a.example\"",
        "[[registry]]\nlocation = \"http://a.example\"",
        "[[registry]]\nlocation = \"a.example\"\n[[registry.mirror]]\n",
        "[[registry]]\nlocation = \"a.example\"\nmirror-by-digest-only = true\n[[registry.mirror]]\n\
         location = \"m.example\"\npull-from-mirror = \"all\"",
        "[[registry",
    ] {
        let error = Registries::default().add("/etc/file.conf", bad, false).unwrap_err();
        assert!(
            error.to_string().contains("/etc/file.conf") && error.hint_text().is_some(),
            "{bad}: {error:?}"
        );
    }
}

#[test]
fn short_names_mean_what_podman_takes_them_for() {
    let meant = |conf_text: &str, text: &str| {
        resolve(text, &conf(conf_text))
            .map(|meant| meant.names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    };
    let one = "unqualified-search-registries = [\"a.example\"]\n";
    let two = "unqualified-search-registries = [\"a.example\", \"b.example/team\"]\n";
    let alias = format!("{two}[aliases]\nx = \"c.example/x\"\n\"d/x\" = \"d.example/x\"\n");
    assert_eq!(meant("", "a.example/x:1").unwrap(), "a.example/x:1");
    assert_eq!(meant("", "localhost/x").unwrap(), "localhost/x:latest");
    assert_eq!(meant(one, "x:1").unwrap(), "a.example/x:1");
    assert_eq!(meant(two, "team/x").unwrap(), "a.example/team/x:latest b.example/team/team/x:latest");
    assert_eq!(meant(&alias, "x:2").unwrap(), "c.example/x:2");
    assert_eq!(meant(&alias, "d/x").unwrap(), "d.example/x:latest");
    assert_eq!(
        meant(&format!("short-name-mode = \"enforcing\"\n{alias}"), "x").unwrap(),
        "c.example/x:latest"
    );
    assert_eq!(
        meant(&format!("short-name-mode = \"disabled\"\n{alias}"), "x").unwrap(),
        "c.example/x:latest"
    );
    let asked = |mode: &str, search: &str| {
        resolve("y:1", &conf(&format!("short-name-mode = \"{mode}\"\n{search}"))).unwrap()
    };
    for (mode, search, ask) in [
        ("enforcing", two, Ask::Must),
        ("enforcing", one, Ask::No),
        ("permissive", two, Ask::IfPossible),
        ("disabled", two, Ask::No),
    ] {
        assert_eq!(asked(mode, search).ask, ask, "{mode}");
    }
    assert!(asked("enforcing", two).unasked().is_err());
    assert_eq!(asked("permissive", two).unasked().unwrap().names.len(), 2);
    let chosen = asked("enforcing", two).chosen(1);
    assert_eq!((chosen.names[0].to_string(), chosen.short), ("b.example/team/y:1".into(), Some("y".into())));
    let file = with_alias("", "b/c", "b.example/c").unwrap();
    let file = with_alias(&file, "a", "a.example/a").unwrap();
    assert_eq!(file, "[aliases]\n  \"a\" = \"a.example/a\"\n  \"b/c\" = \"b.example/c\"\n");
    assert!(with_alias("[", "a", "b").is_err());
    assert!(meant("", "y").unwrap_err().hint_text().unwrap().contains("registries.conf"));
    assert!(meant(one, "Y").is_err());
}
