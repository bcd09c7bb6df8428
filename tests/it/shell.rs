//! Stories of `kiln shell`: a look that leaves nothing behind.

use crate::support::{Env, Need, images, needs};

fn cached(test: &str) -> Option<Env> {
    if !needs(test, &[Need::Root, Need::Busybox]) {
        return None;
    }
    let env = Env::new();
    images::write_busybox(&env.path("layout"), "base")?;
    env.ok(["pull", "-q", "oci:layout:base"]);
    env.ok(["from", "--cached", "--name", "c", "localhost/base"]);
    Some(env)
}

#[test]
fn each_step_can_be_looked_into() {
    let Some(env) = cached("shell::each_step_can_be_looked_into") else { return };
    env.ok(["run", "c", "--", "sh", "-c", "echo one >/file"]);
    env.ok(["config", "--env", "A=b", "c"]);
    env.ok(["run", "c", "--", "sh", "-c", "echo two >/file"]);
    let look = |at: &[&str]| {
        env.ok([&["shell"], at, &["c", "sh", "-c", "cat /file; echo $A; rm -f /file; touch /new"]].concat())
    };
    assert_eq!(look(&["--at", "1"]), "one\n");
    assert_eq!(look(&["--at", "2"]), "one\nb");
    assert_eq!(look(&[]), "two\nb");
    assert_eq!(env.ok(["run", "c", "--", "sh", "-c", "ls /new 2>/dev/null; cat /file"]).as_str(), "two");
    assert_eq!(env.kiln(["shell", "c", "sh", "-c", "exit 9"]).code, 9);
    // Without a command a shell, which reads what it is told.
    assert_eq!(env.shell("echo 'cat /file' | kiln shell --at 1 c").stdout, "one\n");
    assert_eq!(env.ok(["containers", "-q"]).lines().count(), 1);
}

#[test]
fn what_cannot_be_looked_into() {
    let Some(env) = cached("shell::what_cannot_be_looked_into") else { return };
    let said = env.fails(125, ["shell", "--failed", "c"]);
    assert!(said.contains("none of its steps failed") && said.contains("hint: "), "{said}");
    let said = env.fails(125, ["shell", "--at", "1", "c"]);
    assert!(said.contains("cannot find step 1 of the container `c`: it has no steps"), "{said}");
    env.ok(["from", "--name", "plain", "localhost/base"]);
    assert!(env.fails(125, ["shell", "plain"]).contains("it keeps no steps"));
    // A command that does not start is a step that failed, too.
    assert_ne!(env.kiln(["run", "c", "--", "/no/such/program"]).code, 0);
    assert_eq!(env.ok(["shell", "--failed", "c", "echo", "here"]), "here");
}
