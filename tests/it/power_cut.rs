//! Every verb, killed at every system call that writes: afterwards the store is whole, the old state or the new one
//! is seen, the verb can be done again, and nothing is left behind that a prune does not take.
//!
//! A test run makes some cuts per verb, spread evenly and always the same; `tests/power-cut` makes all of them.

mod story;
mod trace;

use crate::support::{Need, needs};
use story::{Story, play};

/// Makes the stories' image: in the store as `localhost/base`, and outside as `oci:layout:base`.
const BASE: &str = "kiln pull -q oci:layout:base >/dev/null\n";
/// A container of it with something in it that was not committed.
const CONTAINER: &str =
    "kiln pull -q oci:layout:base >/dev/null; kiln from --name c localhost/base >/dev/null
    kiln run c -- sh -c 'mkdir /d; echo one > /d/one; ln -s one /d/link; rm -r /home'\n";
/// The container, committed, and then changed again.
const COMMITTED: &str = "kiln commit -q --timestamp 1000000000 c first >/dev/null
    kiln run c -- sh -c 'rm /d/one; echo two > /d/two'\n";
/// A cached container with a step.
const CACHED: &str =
    "kiln pull -q oci:layout:base >/dev/null; kiln from --cached --name c localhost/base >/dev/null
    kiln run c -- sh -c 'echo one >/one; rm -r /home'\n";
/// What a container is worth, and what the same steps give in a new one: what was cut is never taken for whole.
const WORTH_AGAIN: &str = "kiln commit -q --timestamp 1000000000 c worth
    d=$(kiln from --cached localhost/base); kiln run $d -- sh -c 'echo one >/one; rm -r /home'
    kiln run $d -- sh -c 'cat /one >/two; mkdir /d; echo more >/d/three'
    kiln copy -q $d tree /copied/; kiln commit -q --timestamp 1000000000 $d";
/// What a container is worth: the image it would make.
const WORTH: &str = "kiln commit -q --timestamp 1000000000 c worth";

/// Makes the stories' image in Podman's storage.
const SHARED: &str = "skopeo --insecure-policy copy -q oci:layout:base containers-storage:localhost/base\n";
/// A container of that image, its layers where they are, with something in it that was not committed.
const IN_PLACE: &str = "kiln from --name c localhost/base >/dev/null
    kiln run c -- sh -c 'mkdir /d; echo one > /d/one; rm -r /home'\n";
/// What Podman sees.
const PODMANS: &str = "podman images --no-trunc --format '{{.Repository}} {{.ID}} {{.Digest}}' | sort";

/// One test per verb, so that they run side by side and fail by name.
macro_rules! cut {
    ($($test:ident: $story:expr;)*) => {$(
        #[test]
        fn $test() {
            let name = concat!("power_cut::", stringify!($test));
            let story = $story;
            let podman: &[Need] = match story.shared {
                true => &[Need::Program("podman"), Need::Program("skopeo")],
                false => &[],
            };
            if needs(name, &[Need::Root, Need::Busybox]) && needs(name, podman) {
                play(stringify!($test), &story);
            }
        }
    )*};
}

cut! {
    from_image: Story {
        setup: &[BASE],
        verb: &["from", "--name", "c", "localhost/base"],
        finish: WORTH,
        ..Story::default()
    };
    from_layout_into_a_new_store: Story {
        verb: &["from", "-q", "--name", "c", "oci:layout:base"],
        // The image may be there already when the container is not.
        view: "kiln containers --format '{{.ContainerName}}'",
        finish: WORTH,
        ..Story::default()
    };
    from_scratch: Story {
        setup: &[BASE],
        verb: &["from", "--name", "c", "scratch"],
        finish: WORTH,
        ..Story::default()
    };
    mount: Story {
        setup: &[BASE, CONTAINER],
        verb: &["mount", "c"],
        view: "kiln mount; kiln containers",
        finish: "echo x > $(kiln mount c)/x; touch -d @1000000000 $(kiln mount c)/x; kiln umount c >/dev/null
            kiln commit -q --timestamp 1000000000 c worth",
        again: true,
        ..Story::default()
    };
    umount: Story {
        setup: &[BASE, CONTAINER],
        before_each: "kiln mount c >/dev/null",
        verb: &["umount", "c"],
        view: "kiln mount; kiln containers",
        finish: WORTH,
        ..Story::default()
    };
    run: Story {
        setup: &[BASE, CONTAINER],
        verb: &["run", "c", "--", "sh", "-c", "echo run > /run.txt; mkdir -p /deep/er; rm -rf /d"],
        finish: WORTH,
        again: true,
        ..Story::default()
    };
    run_while_mounted: Story {
        setup: &[BASE, CONTAINER],
        before_each: "kiln mount c >/dev/null",
        verb: &["run", "c", "--", "sh", "-c", "echo run > /run.txt; rm -rf /d"],
        finish: WORTH,
        again: true,
        ..Story::default()
    };
    run_a_step: Story {
        setup: &[BASE, CACHED],
        verb: &["run", "c", "--", "sh", "-c", "cat /one >/two; mkdir -p /d; echo more >/d/three"],
        finish: WORTH_AGAIN,
        again: true,
        ..Story::default()
    };
    run_a_known_step: Story {
        setup: &[
            BASE,
            CACHED,
            "d=$(kiln fork c); kiln run $d -- sh -c 'cat /one >/two; mkdir -p /d'; kiln rm $d >/dev/null",
        ],
        verb: &["run", "c", "--", "sh", "-c", "cat /one >/two; mkdir -p /d"],
        finish: WORTH_AGAIN,
        again: true,
        ..Story::default()
    };
    copy_a_step: Story {
        setup: &[BASE, CACHED],
        verb: &["copy", "-q", "c", "tree", "/copied/"],
        finish: WORTH_AGAIN,
        again: true,
        ..Story::default()
    };
    step_by_hand: Story {
        setup: &[
            BASE,
            CACHED,
            "echo x >$(kiln mount c)/hand; touch -d @1000000000 $(kiln mount c)/hand; kiln umount c >/dev/null",
        ],
        verb: &["config", "--label", "a=b", "c"],
        finish: WORTH_AGAIN,
        again: true,
        ..Story::default()
    };
    undo: Story {
        setup: &[BASE, CACHED, "kiln run c -- sh -c 'echo two >/two'"],
        verb: &["undo", "c"],
        view: "kiln log --format '{{.Step}}' c",
        finish: WORTH_AGAIN,
        ..Story::default()
    };
    fork: Story {
        setup: &[BASE, CACHED],
        verb: &["fork", "--name", "d", "c"],
        view: "kiln containers --format '{{.ContainerName}}'",
        finish: "kiln commit -q --timestamp 1000000000 d worth; kiln log --format '{{.Step}}' d",
        ..Story::default()
    };
    config: Story {
        setup: &[BASE, CONTAINER],
        verb: &["config", "--env", "A=b", "--label", "x=y", "--cmd", "/bin/true", "--workingdir", "/d", "c"],
        finish: WORTH,
        again: true,
        ..Story::default()
    };
    copy: Story {
        setup: &[BASE, CONTAINER],
        verb: &["copy", "-q", "c", "tree", "/copied/"],
        finish: WORTH,
        again: true,
        ..Story::default()
    };
    commit: Story {
        setup: &[BASE, CONTAINER],
        verb: &["commit", "-q", "--timestamp", "1000000000", "c", "made"],
        finish: WORTH,
        again: true,
        ..Story::default()
    };
    commit_again: Story {
        setup: &[BASE, CONTAINER, COMMITTED],
        verb: &["commit", "-q", "--timestamp", "1000000000", "c", "first"],
        finish: WORTH,
        again: true,
        ..Story::default()
    };
    commit_while_mounted: Story {
        setup: &[BASE, CONTAINER, COMMITTED],
        before_each: "kiln mount c >/dev/null",
        verb: &["commit", "-q", "--timestamp", "1000000000", "c", "made"],
        finish: WORTH,
        again: true,
        ..Story::default()
    };
    commit_squash_rm: Story {
        setup: &[BASE, CONTAINER, COMMITTED],
        verb: &["commit", "-q", "--squash", "--rm", "--timestamp", "1000000000", "c", "made"],
        // Two things happen, one after the other: the image is made, then the container goes.
        view: "kiln images --no-trunc --format '{{.Name}} {{.Tag}} {{.ID}}'",
        finish: "kiln from --name d made; kiln commit -q --timestamp 1000000000 d worth",
        ..Story::default()
    };
    commit_to_layout: Story {
        setup: &[BASE, CONTAINER],
        before_each: "rm -rf target",
        verb: &["commit", "-q", "--timestamp", "1000000000", "c", "oci:target:made"],
        view: "test ! -e target/index.json || skopeo inspect --format '{{.Digest}}' oci:target:made",
        finish: "skopeo inspect oci:target:made; kiln pull -q oci:target:made",
        again: true,
        ..Story::default()
    };
    push: Story {
        setup: &[BASE, CONTAINER, COMMITTED],
        before_each: "rm -rf target; cp -a layout target",
        verb: &["push", "-q", "first", "oci:target:made"],
        view: "skopeo inspect --format '{{.Digest}}' oci:target:base
            ! grep -q made target/index.json || skopeo inspect --format '{{.Digest}}' oci:target:made",
        finish: "skopeo inspect oci:target:made; kiln pull -q oci:target:made",
        again: true,
        ..Story::default()
    };
    pull: Story {
        setup: &[BASE, CONTAINER, COMMITTED, "kiln push -q first oci:other:first; kiln rm -a; kiln rmi -a"],
        verb: &["pull", "-q", "oci:other:first"],
        finish: "kiln from --name c localhost/first; kiln commit -q --timestamp 1000000000 c worth",
        again: true,
        ..Story::default()
    };
    commit_beside_podman: Story {
        setup: &[SHARED, IN_PLACE],
        verb: &["commit", "-q", "--timestamp", "1000000000", "c", "made"],
        view: PODMANS,
        finish: "kiln commit -q --timestamp 1000000000 c worth; rm -f saved.tar; podman save -q -o saved.tar made
            tar -xOf saved.tar --wildcards '*.tar' | sha256sum",
        again: true,
        shared: true,
        ..Story::default()
    };
    copy_into_podmans: Story {
        setup: &[SHARED, "kiln push -q localhost/base oci:other:other; podman rmi -a >/dev/null"],
        verb: &["image", "copy", "-q", "oci:other:other", "containers-storage:localhost/made"],
        view: PODMANS,
        finish: "rm -f saved.tar; podman save -q -o saved.tar made; tar -xOf saved.tar --wildcards '*.tar' | sha256sum",
        again: true,
        shared: true,
        ..Story::default()
    };
    from_podmans: Story {
        setup: &[SHARED],
        verb: &["from", "--name", "c", "localhost/base"],
        // A container that is there is noted.
        view: "for c in $(kiln containers --format '{{.ContainerName}}'); do
                echo $c; podman ps -a --external --format '{{.Names}}' | grep -x $c
            done; podman images -q",
        finish: "kiln rm c >/dev/null; podman ps -a --external; podman rmi localhost/base",
        shared: true,
        ..Story::default()
    };
    rm_of_podmans: Story {
        setup: &[SHARED, IN_PLACE],
        verb: &["rm", "c"],
        view: "kiln containers --format '{{.ContainerName}}'",
        finish: "podman ps -a --external; podman rmi localhost/base",
        shared: true,
        ..Story::default()
    };
    commit_beside_podman_with_vfs: Story {
        setup: &[SHARED, IN_PLACE],
        verb: &["commit", "-q", "--timestamp", "1000000000", "c", "made"],
        view: PODMANS,
        finish: "rm -f saved.tar; podman save -q -o saved.tar made; tar -xOf saved.tar --wildcards '*.tar' | sha256sum",
        again: true,
        shared: true,
        driver: "vfs",
        ..Story::default()
    };
    rmi_beside_podman_with_vfs: Story {
        setup: &[SHARED, IN_PLACE, "kiln commit -q --timestamp 1000000000 c made >/dev/null"],
        verb: &["rmi", "made"],
        view: PODMANS,
        finish: "podman images --format '{{.Repository}}'",
        shared: true,
        driver: "vfs",
        ..Story::default()
    };
    list_beside_podman: Story {
        setup: &[SHARED, "kiln pull -q oci:layout:base >/dev/null; kiln manifest create l localhost/base >/dev/null"],
        verb: &["manifest", "annotate", "--annotation", "a=b", "l", "localhost/base"],
        view: "podman images --format '{{.Repository}}'",
        finish: "podman manifest inspect l; kiln manifest inspect l",
        again: true,
        shared: true,
        ..Story::default()
    };
    rmi_beside_podman: Story {
        setup: &[SHARED, IN_PLACE, "kiln commit -q --timestamp 1000000000 c made >/dev/null"],
        verb: &["rmi", "made"],
        view: PODMANS,
        finish: "podman images --format '{{.Repository}}'",
        shared: true,
        ..Story::default()
    };
    tag: Story {
        setup: &[BASE],
        verb: &["tag", "localhost/base", "one", "two", "three"],
        finish: "kiln images --no-trunc -q",
        again: true,
        ..Story::default()
    };
    rename: Story {
        setup: &[BASE, CONTAINER],
        verb: &["rename", "c", "other"],
        finish: "kiln commit -q --timestamp 1000000000 other worth; kiln from --name c scratch",
        ..Story::default()
    };
    rm: Story {
        setup: &[BASE, CONTAINER, COMMITTED],
        before_each: "kiln mount c >/dev/null",
        verb: &["rm", "c"],
        finish: "kiln from --name c first; kiln commit -q --timestamp 1000000000 c worth",
        ..Story::default()
    };
    rmi: Story {
        setup: &[BASE, CONTAINER, COMMITTED],
        verb: &["rmi", "first"],
        finish: WORTH,
        ..Story::default()
    };
    prune: Story {
        setup: &[
            BASE,
            CONTAINER,
            COMMITTED,
            "kiln commit -q --timestamp 1000000001 c again; kiln commit -q --timestamp 1000000002 c again",
        ],
        verb: &["prune"],
        finish: WORTH,
        again: true,
        ..Story::default()
    };
    check_repair: Story {
        // A damaged blob that the image cannot do without: the image goes, the container stays.
        setup: &[
            BASE,
            "kiln from --name c scratch",
            "for blob in $KILN_ROOT/images/blobs/sha256/*; do echo damage >> $blob; done",
        ],
        verb: &["check", "--deep", "--repair"],
        damaged: true,
        view: "kiln containers --format '{{.ContainerName}}'",
        finish: WORTH,
        again: true,
        ..Story::default()
    };
}
