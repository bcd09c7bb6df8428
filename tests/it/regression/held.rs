//! Containers that somebody else still holds while they are committed: another mount namespace, the user's own mount,
//! a shell inside, two rootless sessions.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{Env, Need, images, needs};

/// Commits container `c` under a name, always at the same time.
const COMMIT: &str = "kiln commit -q --timestamp 1000000000 c";

/// A shell that lives as long as this, and does what it is told in its own mount namespace and directory.
struct Shell {
    child: Child,
    answers: BufReader<std::process::ChildStdout>,
}

impl Shell {
    fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the shell starts");
        let answers = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        let mut shell = Shell { child, answers };
        shell.does("true");
        shell
    }

    /// Runs a script to its end; it must succeed. Returns what it printed.
    fn does(&mut self, script: &str) -> String {
        let input = self.child.stdin.as_mut().expect("its input is a pipe");
        writeln!(input, "({script}\n) && echo :done || echo :failed").expect("the shell listens");
        let mut said = String::new();
        loop {
            let mut line = String::new();
            let count = self.answers.read_line(&mut line).expect("the shell answers");
            assert!(count > 0 && line != ":failed\n", "`{script}` failed: {said}");
            if line == ":done\n" {
                return said;
            }
            said.push_str(&line);
        }
    }

    /// As [`Shell::does`], in the shell itself: for `cd`.
    fn goes(&mut self, script: &str) {
        let input = self.child.stdin.as_mut().expect("its input is a pipe");
        writeln!(input, "{script}").expect("the shell listens");
        self.does("true");
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A store with `localhost/base` and a container `c` of it with a file `/one`.
fn with_container(test: &str) -> Option<Env> {
    if !needs(test, &[Need::Root, Need::Busybox, Need::Program("skopeo")]) {
        return None;
    }
    let env = Env::new();
    images::write_busybox(&env.path("layout"), "base")?;
    env.shell(
        "kiln from --name c oci:layout:base; kiln run c -- sh -c 'echo one > /one; mkdir /d; echo d > /d/d'",
    )
    .expect_ok("the setup");
    Some(env)
}

/// The image's digest in a fresh layout, and what its tree holds, as another tool sees both.
fn content(env: &Env, image: &str) -> (String, String) {
    let script = format!(
        "rm -rf out seen; kiln push -q {image} oci:out:x; skopeo inspect --format '{{{{.Digest}}}}' oci:out:x"
    );
    let digest = env.shell(&script).expect_ok("the push");
    let script = format!(
        "c=$(kiln from {image}); m=$(kiln mount $c)
         cd $m; find . | LC_ALL=C sort; find . -type f ! -name busybox | LC_ALL=C sort | xargs tail -n +1; cd /
         kiln umount $c >/dev/null; kiln rm $c >/dev/null"
    );
    (digest, env.shell(&script).expect_ok("the content"))
}

/// How many layers an image has over the one of the base.
fn layers_over_base(env: &Env, image: &str) -> usize {
    let json: Value = serde_json::from_str(&env.ok(["inspect", "--type", "image", image])).expect("JSON");
    json["OCIv1"]["rootfs"]["diff_ids"].as_array().expect("the diff ids").len() - 1
}

#[test]
fn a_namespace_that_holds_the_mount_never_changes_a_committed_layer() {
    let test = "regression::a_namespace_that_holds_the_mount_never_changes_a_committed_layer";
    let Some(env) = with_container(test) else { return };
    for unmounted in [false, true] {
        let mount = env.ok(["mount", "c"]);
        // Of all mounts only ours is held: the others belong to tests beside this one.
        let mut command = env.command("unshare");
        let mut inside = Shell::start(command.args(["-m", "--propagation", "slave", "/bin/sh"]));
        let hold = env.path("hold").display().to_string();
        inside.does(&format!(
            "mkdir -p {hold}; mount -t tmpfs none {hold} && mount --make-private {hold} && mkdir {hold}/m &&
             mount --bind {mount} {hold}/m"
        ));
        if unmounted {
            env.ok(["umount", "c"]);
        }
        env.shell(&format!("{COMMIT} held")).expect_ok("the commit while the mount is held");
        let before = content(&env, "held");
        assert!(before.1.contains("one\n"), "{}", before.1);
        inside.does(&format!(
            "cd {hold}/m; echo changed > one; echo more > d/more; rm d/d; mkdir new; chmod 700 d; sync -f ."
        ));
        assert_eq!(content(&env, "held"), before, "the committed image changed, unmounted: {unmounted}");
        assert_eq!(env.ok(["check", "--deep"]), "");
        // What was written in there was written to the container, and the next commit has it.
        assert_eq!(inside.does(&format!("cat {hold}/m/one")), "changed\n");
        drop(inside);
        env.shell(&format!("{COMMIT} after")).expect_ok("the commit when nobody holds it");
        let after = content(&env, "after");
        assert!(after.1.contains("changed") && after.1.contains("./d/more"), "{}", after.1);
        assert!(!after.1.contains("./d/d\n"), "{}", after.1);
        assert_eq!(content(&env, "held"), before);
        env.shell(
            "kiln umount c >/dev/null || true; kiln rmi -f held after; kiln rm c || true
            kiln from --name c base; kiln run c -- sh -c 'echo one > /one; mkdir /d; echo d > /d/d'",
        )
        .expect_ok("once more");
    }
}

#[test]
fn a_shell_inside_the_mount_never_changes_a_committed_layer() {
    let test = "regression::a_shell_inside_the_mount_never_changes_a_committed_layer";
    let Some(env) = with_container(test) else { return };
    let mount = env.ok(["mount", "c"]);
    let mut inside = Shell::start(&mut env.command("/bin/sh"));
    inside.goes(&format!("cd {mount}/d; exec 9>>d"));
    env.shell(&format!("{COMMIT} first")).expect_ok("the commit with a shell inside");
    let first = content(&env, "first");
    inside.goes("echo by the shell >&9; echo new > new");
    assert_eq!(content(&env, "first"), first);
    // The shell still works where the user sees the container.
    assert!(Path::new(&mount).join("d/new").exists());
    env.shell(&format!("{COMMIT} second")).expect_ok("the second commit");
    let second = content(&env, "second");
    assert!(second.1.contains("by the shell") && second.1.contains("./d/new"), "{}", second.1);
    assert_eq!((layers_over_base(&env, "first"), layers_over_base(&env, "second")), (1, 1));
    drop(inside);
    env.shell(&format!("{COMMIT} third")).expect_ok("the commit when nobody is inside");
    assert_eq!(content(&env, "third"), second);
    assert_eq!(content(&env, "first"), first);
}

/// Commit, edit, commit, remove, commit: three images, each of one layer over the base, each as it was then.
fn three_commits(env: &Env, mounted: bool, edit: impl Fn(&str) -> String) {
    if mounted {
        env.ok(["mount", "c"]);
    }
    let script = |script: &str| env.shell(&edit(script)).expect_ok(script);
    env.shell(&format!("{COMMIT} first")).expect_ok("first");
    script("echo two > $m/two; echo changed > $m/one; ln -s one $m/link; rm $m/bin/false");
    env.shell(&format!("{COMMIT} second")).expect_ok("second");
    script("rm -r $m/d $m/one; mkdir $m/one; echo x > $m/one/x; rm $m/link");
    env.shell(&format!("{COMMIT} third")).expect_ok("third");
    let seen: Vec<String> = ["first", "second", "third"].iter().map(|image| content(env, image).1).collect();
    let has = |nth: usize, path: &str| seen[nth].lines().any(|line| line == path);
    for (path, expected) in [
        ("./one", [true, true, true]),
        ("./d/d", [true, true, false]),
        ("./d", [true, true, false]),
        ("./two", [false, true, true]),
        ("./link", [false, true, false]),
        ("./one/x", [false, false, true]),
        ("./bin/false", [true, false, false]),
        ("changed", [false, true, false]),
    ] {
        assert_eq!([0, 1, 2].map(|nth| has(nth, path)), expected, "{path}: {seen:#?}");
    }
    for image in ["first", "second", "third"] {
        assert_eq!(layers_over_base(env, image), 1, "{image}");
    }
}

#[test]
fn commit_edit_commit_remove_commit_gives_three_right_images() {
    let test = "regression::commit_edit_commit_remove_commit_gives_three_right_images";
    let Some(env) = with_container(test) else { return };
    three_commits(&env, false, |script| format!("m=$(kiln mount c); {script}; kiln umount c"));
}

#[test]
fn commit_edit_commit_remove_commit_while_mounted_gives_three_right_images() {
    let test = "regression::commit_edit_commit_remove_commit_while_mounted_gives_three_right_images";
    let Some(env) = with_container(test) else { return };
    let mount = env.ok(["mount", "c"]);
    // The path stays good across the commits: nobody has to mount again.
    three_commits(&env, true, |script| format!("m={mount}; {script}"));
}

#[test]
fn commits_in_a_rootless_session_give_right_images() {
    let test = "regression::commits_in_a_rootless_session_give_right_images";
    if !needs(test, &[Need::Busybox]) {
        return;
    }
    let Some(env) = Env::for_user(test) else { return };
    images::write_busybox(&env.path("layout"), "base").expect("a static busybox");
    let session = format!(
        "kiln from --name c oci:layout:base
         m=$(kiln mount c); echo one > $m/one; {COMMIT} first
         echo two > $m/one; {COMMIT} second
         rm $m/one; mkdir $m/one; {COMMIT} third
         (cd $m/one; echo inside > new; {COMMIT} fourth; echo later > new)
         {COMMIT} fifth"
    );
    env.run("kiln", ["unshare", "sh", "-euc", &session]);
    for (image, command, expected) in [
        ("first", "cat /one", "one"),
        ("second", "cat /one", "two"),
        ("third", "ls /one", ""),
        ("fourth", "cat /one/new", "inside"),
        ("fifth", "cat /one/new", "later"),
    ] {
        let said = env.shell(&format!("kiln run $(kiln from {image}) {command}")).expect_ok(image);
        assert_eq!(said, expected, "{image}");
        assert_eq!(layers_over_base(&env, image), 1, "{image}");
    }
    assert_eq!(env.ok(["check", "--deep"]), "");
}

#[test]
fn two_rootless_sessions_on_one_container_are_told_apart() {
    let test = "regression::two_rootless_sessions_on_one_container_are_told_apart";
    if !needs(test, &[Need::Busybox]) {
        return;
    }
    let Some(env) = Env::for_user(test) else { return };
    images::write_busybox(&env.path("layout"), "base").expect("a static busybox");
    env.ok(["from", "-q", "--name", "c", "oci:layout:base"]);
    let mut one = Shell::start(env.command("kiln").args(["unshare", "sh"]));
    one.does("echo one > $(kiln mount c)/one");
    let mut two = Shell::start(env.command("kiln").args(["unshare", "sh"]));
    // A second mount of one upper would be undefined; a commit needs none and copies what is there.
    for script in ["kiln mount c", "kiln run c true", "kiln copy c layout /"] {
        let said = two.does(&format!("! {script} 2>&1"));
        assert!(said.contains("another mount namespace has it mounted"), "{script}: {said}");
        assert!(said.contains("hint: "), "{script}: {said}");
        assert_eq!(said.matches("Error: ").count(), 1, "{script}: {said}");
    }
    two.does(&format!("{COMMIT} first >/dev/null 2>&1"));
    one.does("echo two > $(kiln mount c)/one");
    assert_eq!(env.shell("kiln run $(kiln from first) cat /one").expect_ok("the first"), "one");
    one.does("kiln umount c >/dev/null");
    two.does("cat $(kiln mount c)/one; kiln umount c >/dev/null");
    two.does(&format!("{COMMIT} second >/dev/null"));
    assert_eq!(env.shell("kiln run $(kiln from second) cat /one").expect_ok("the second"), "two");
}
