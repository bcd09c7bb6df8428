//! Stories of names without a host: someone is asked which image is meant, and the answer is remembered.

use crate::support::registry::{Setup, start, with_registry};
use crate::support::{Env, Need, needs, tell};

/// A story with two registries that are searched, `$R` and `$M`; only the second has `thing`.
fn with_two(test: &str, mode: &str) -> Option<(Env, Vec<crate::support::registry::Registry>)> {
    let (mut env, first) = with_registry(test, Setup::default())?;
    let second = start(&env, "second", Setup::default());
    env.set("M", &second.host);
    let mut conf =
        format!("unqualified-search-registries = [\"{}\", \"{}\"]\n{mode}\n", first.host, second.host);
    for host in [&first.host, &second.host] {
        conf.push_str(&format!("[[registry]]\nlocation = \"{host}\"\ninsecure = true\n"));
    }
    let conf = env.write("conf", conf).display().to_string();
    env.set("CONTAINERS_REGISTRIES_CONF", conf);
    env.ok(["push", "-q", "base", &format!("docker://{}/thing", second.host)]);
    env.ok(["rmi", "-f", "base"]);
    Some((env, vec![first, second]))
}

#[test]
fn without_a_terminal_all_are_tried_or_none() {
    let Some((env, _registries)) = with_two("without_a_terminal_all_are_tried_or_none", "") else { return };
    tell(
        &env,
        r#"
$ kiln --short-name-alias-conf names pull -q thing; kiln images --format '{{.Name}}'; ls names
<id-1>
<localhost>/thing
! ls: cannot access 'names': No such file or directory
[2]
$ kiln rmi -fa >/dev/null; sed -i '1i short-name-mode = "enforcing"' conf; kiln pull -q thing
! Error: cannot resolve the short name `thing`: it may be on <localhost>, <localhost>, short-name-mode is enforcing, and there is no terminal to ask on
! hint: write the whole name: <localhost>/thing
[125]
$ sed -i '1s/.*/short-name-mode = "disabled"/' conf; kiln pull -q thing
<id-1>
"#,
    );
}

#[test]
fn on_a_terminal_one_is_chosen_and_remembered() {
    let test = "on_a_terminal_one_is_chosen_and_remembered";
    if !needs(test, &[Need::Program("script")]) {
        return;
    }
    let Some((env, _registries)) = with_two(test, "short-name-mode = \"enforcing\"") else { return };
    let ask = |answers: &str| {
        let command = "kiln --short-name-alias-conf dir/names pull -q thing:latest";
        env.shell(&format!("printf '{answers}' | script -qec '{command}' /dev/null"))
    };
    // The first has no such image: nothing is remembered.
    let told = ask("1\\n");
    assert_ne!(told.code, 0, "{told:?}");
    assert!(told.stdout.contains("Please select an image") && told.stdout.contains("2) "), "{told:?}");
    assert!(!env.path("dir/names").exists());
    let told = ask("0\\nx\\n7\\n");
    assert!(told.stdout.contains("a number from 1 to 2 was asked for"), "{told:?}");
    env.write("dir/names", "[aliases]\n  \"other\" = \"registry.example/other\"\n");
    let told = ask("7\\n2\\n");
    assert_eq!(told.code, 0, "{told:?}");
    env.ok(["rmi", "-fa"]);
    tell(
        &env,
        r#"
$ sed "s/$M/<second>/" dir/names
[aliases]
  "other" = "registry.example/other"
  "thing" = "<second>/thing"
$ kiln --short-name-alias-conf dir/names pull -q thing
<id-1>
$ echo 'aliases = 1' >dir/names; kiln --short-name-alias-conf dir/names pull -q thing:other 2>&1 | head -n 1
Error: cannot use `dir/names`: line 1: invalid type: integer `1`, expected a map
"#,
    );
}
