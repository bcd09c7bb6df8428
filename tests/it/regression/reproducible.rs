//! The same inputs and epoch give the same image, whatever the machine, the user and the moment.

use std::process::Command;

use crate::support::env::finish;
use crate::support::{Env, Need, images, needs};

/// Makes an image in every way that writes files, and prints its id. `$umask`, `$order` and `$cut` vary.
const SCRIPT: &str = r#"
    umask $umask
    rm -rf tree; mkdir tree; cd tree
    for name in $order; do mkdir -p $name/deep; echo $name > $name/file; chmod 640 $name/file; done
    chmod 755 . $order; chmod 2775 one/deep; chmod 700 two/deep; chmod 1777 three/deep
    ln -s ../one two/link; ln one/file hard; cd ..
    cut() { test -z "$cut" || kiln commit -q c between >/dev/null; }
    kiln from -q --name c oci:layout:base >/dev/null
    kiln copy -q c tree /tree; cut
    kiln run c -- sh -c 'umask 022; mkdir -p /made/by/run; echo x > /made/x; rm -r /home; ln -s x /made/y'; cut
    kiln run --workingdir /work c -- sh -c 'cat /proc/self/status > /dev/null; touch /work/w'; cut
    kiln config --env A=b --label z=y --label a=b --port 80 --cmd 'x y' --created-by test c
    kiln commit -q $when c result
"#;

/// One way to make it.
struct Way {
    what: &'static str,
    umask: &'static str,
    order: &'static str,
    cut: &'static str,
    variables: &'static [(&'static str, &'static str)],
    /// Words before the shell.
    around: &'static [&'static str],
}

const USUAL: Way = Way {
    what: "the usual way",
    umask: "022",
    order: "one two three",
    cut: "",
    variables: &[("TZ", "UTC")],
    around: &[],
};

const WAYS: &[Way] = &[
    USUAL,
    Way { what: "a strict umask", umask: "077", ..USUAL },
    Way { what: "no umask", umask: "000", ..USUAL },
    Way { what: "another time zone", variables: &[("TZ", "Pacific/Kiritimati")], ..USUAL },
    Way {
        what: "another language",
        variables: &[("LC_ALL", "tr_TR.UTF-8"), ("LANG", "tr_TR.UTF-8")],
        ..USUAL
    },
    Way { what: "another order", order: "three one two", ..USUAL },
    Way { what: "in steps", cut: "yes", ..USUAL },
    Way {
        what: "another host name",
        around: &["unshare", "--uts", "sh", "-euc", "hostname elsewhere; exec \"$@\"", "sh"],
        ..USUAL
    },
];

/// The id of the image made in this way, in a store of its own.
fn make(env: &Env, way: &Way, when: &str) -> String {
    let shell = ["/bin/sh", "-euc", SCRIPT];
    let words: Vec<&str> = way.around.iter().copied().chain(shell).collect();
    let mut command: Command = env.command(words[0]);
    command.args(&words[1..]).env("umask", way.umask).env("order", way.order).env("cut", way.cut);
    command.env("when", when).env("SOURCE_DATE_EPOCH", "1000000000").envs(way.variables.iter().copied());
    let id = finish(&mut command).expect_ok(way.what);
    assert_eq!(id.len(), 64, "{}: {id}", way.what);
    env.shell("kiln rm -a; kiln rmi -a; kiln prune").expect_ok("room for the next");
    id
}

#[test]
fn the_same_inputs_give_the_same_image_whatever_surrounds_them() {
    let test = "regression::the_same_inputs_give_the_same_image_whatever_surrounds_them";
    if !needs(test, &[Need::Root, Need::Busybox]) {
        return;
    }
    let env = Env::new();
    images::write_busybox(&env.path("layout"), "base").expect("a static busybox");
    // Everything newer than the epoch is clamped to it, or set to a given time.
    for when in ["", "--timestamp 1000000000", "--squash", "--format docker"] {
        let first = make(&env, &USUAL, when);
        // The clock has gone on, also in whole seconds.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        for way in WAYS {
            assert_eq!(make(&env, way, when), first, "{} {when}", way.what);
        }
    }
}

#[test]
fn an_ordinary_user_makes_the_same_image_as_root() {
    let test = "regression::an_ordinary_user_makes_the_same_image_as_root";
    if !needs(test, &[Need::Root, Need::Busybox]) {
        return;
    }
    let Some(user) = Env::for_user(test) else { return };
    let root = Env::new();
    for env in [&root, &user] {
        images::write_busybox(&env.path("layout"), "base").expect("a static busybox");
    }
    for when in ["", "--timestamp 1000000000"] {
        assert_eq!(make(&user, &USUAL, when), make(&root, &USUAL, when), "{when}");
    }
}
