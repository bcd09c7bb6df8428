//! Verbs that read each other's containers at the same time: they take turns, or none, but never wait for each other.
//!
//! A script that hangs is ended by `timeout`, which fails with 124.

use crate::support::env::finish;
use crate::support::{Env, with_shell};

/// Has every one of three containers read by the two others, in all ways at once.
fn read_crosswise(env: &Env, from: &str) {
    env.shell(&format!(
        "for c in a b c; do
            {from} --name $c base && m=$(kiln mount $c) && mkdir $m/of-$c && echo $c > $m/of-$c/file && kiln umount $c
        done"
    ))
    .expect_ok("three containers that were changed by hand");
    let scripts =
        [("a", "b"), ("b", "a"), ("a", "c"), ("c", "a"), ("b", "c"), ("c", "b")].map(|(own, other)| {
            format!(
                "set -e
            for n in 1 2 3; do
                kiln copy -q --add-history --from {other} {own} /of-{other} /copied-$n-{other}
                kiln run --mount type=bind,from={other},target=/m \\
                    --mount type=bind,from={other},source=/of-{other},target=/n \\
                    {own} -- cat /m/of-{other}/file /n/file
            done"
            )
        });
    std::thread::scope(|scope| {
        let workers = scripts.map(|script| {
            let mut command = env.command("timeout");
            command.args(["90", "/bin/sh", "-c", &script]);
            scope.spawn(move || finish(&mut command))
        });
        for (worker, (_, other)) in
            workers.into_iter().zip([((), "b"), ((), "a"), ((), "c"), ((), "a"), ((), "c"), ((), "b")])
        {
            let said = worker.join().expect("a worker").expect_ok("a worker");
            assert_eq!(said.split_whitespace().collect::<Vec<_>>(), [other; 6]);
        }
    });
    let look =
        "for c in a b c; do kiln run $c -- sh -c 'cat /copied-*/file' | wc -l; done; kiln rm -a >/dev/null";
    assert_eq!(env.shell(look).expect_ok("what was copied"), "6\n6\n6");
    assert_eq!(env.ok(["check"]), "");
}

#[test]
fn containers_read_crosswise_do_not_wait_for_each_other() {
    let Some(env) = with_shell("regression::crosswise::containers_read_crosswise_do_not_wait_for_each_other")
    else {
        return;
    };
    read_crosswise(&env, "kiln from");
}

#[test]
fn cached_containers_read_crosswise_do_not_wait_for_each_other() {
    let test = "regression::crosswise::cached_containers_read_crosswise_do_not_wait_for_each_other";
    let Some(env) = with_shell(test) else { return };
    for _ in 0..2 {
        read_crosswise(&env, "kiln from --cached");
    }
}

#[test]
fn copies_into_one_container_do_not_wait_for_each_other() {
    let Some(env) = with_shell("regression::crosswise::copies_into_one_container_do_not_wait_for_each_other")
    else {
        return;
    };
    // The log was written with the files still held, for which the next one waited with the log held.
    let said = env.shell(
        "kiln from --name c base >/dev/null; echo x > x; all=
        for n in 1 2 3 4 5 6; do timeout 60 kiln copy -q --add-history c x /x$n & all=\"$all $!\"; done
        for one in $all; do wait $one || exit; done
        kiln run c -- sh -c 'cat /x?' | wc -l",
    );
    assert_eq!(said.expect_ok("six copies"), "6");
}

#[test]
fn stages_read_one_stage_side_by_side() {
    let Some(env) = with_shell("regression::crosswise::stages_read_one_stage_side_by_side") else { return };
    let stages: String = (0..6)
        .map(|n| {
            format!(
                "FROM base AS s{n}
                COPY --from=first /data /data{n}
                RUN --mount=from=first,target=/m echo {n} && cat /m/data/file > /f{n}
                COPY --from=first /data/file /g{n}
                "
            )
        })
        .collect();
    let copies: String = (0..6).map(|n| format!("COPY --from=s{n} /data{n} /f{n} /g{n} /all/\n")).collect();
    let text =
        format!("FROM base AS first\nRUN mkdir /data; echo x > /data/file\n{stages}FROM base\n{copies}");
    std::fs::write(env.path("Dockerfile"), text).expect("it is written");
    for _ in 0..3 {
        let built = env.shell("timeout 90 kiln build --jobs 6 --no-cache -t built -f Dockerfile .");
        let stderr = built.stderr.clone();
        built.expect_ok("a build");
        assert!(!stderr.contains("waiting for another"), "{stderr}");
    }
    assert_eq!(env.shell("kiln try built sh -c 'ls /all | wc -l'").expect_ok("a look"), "13");
    assert_eq!(env.ok(["check"]), "");
}
