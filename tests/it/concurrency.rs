//! Many processes on one store at once: no error but an honest one, and nothing lost.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::env::finish;
use crate::support::{Env, Need, needs, with_shell};

/// Processes at once.
const WORKERS: usize = 16;
/// How often each goes round.
const ROUNDS: usize = 3;

/// Failures that name a real conflict with what another process did.
const HONEST: [&str; 5] = [
    "the image was removed meanwhile",
    "no image in the store has this name or id",
    // Nor is it anywhere else.
    "no registry to search in",
    "it was removed meanwhile",
    "containers were made of it",
];

/// One worker's script: what it makes and keeps is named `kept-N-M`, what it shares with the others `shared`.
fn script(worker: usize) -> String {
    format!(
        "for round in $(seq {ROUNDS}); do
            c=$(kiln from --name w{worker}-$round localhost/base) || {{ echo from failed; continue; }}
            kiln run $c -- sh -c \"echo {worker} $round > /made\" || echo run failed
            kiln run $c true || echo run failed
            kiln config --label worker={worker} $c || echo config failed
            kiln commit -q $c kept-{worker}-$round >/dev/null || echo commit failed
            kiln commit -q $c shared >/dev/null || echo commit failed
            kiln tag shared also-shared || echo tag failed
            s=s{worker}-$round
            kiln from --name $s also-shared >/dev/null && kiln run $s cat /made >/dev/null &&
                kiln rm $s >/dev/null || echo from failed
            kiln images -q >/dev/null || echo images failed
            kiln containers -q >/dev/null || echo containers failed
            case $(({worker} % 4)) in
                0) kiln prune 2>&1 >/dev/null | grep -v '^removed ' >&2 ;;
                1) kiln rmi also-shared >/dev/null || echo rmi failed ;;
            esac
            kiln rm $c >/dev/null || echo rm failed
        done"
    )
}

#[test]
fn sixteen_processes_on_one_store_lose_nothing() {
    let Some(env) = with_shell("concurrency::sixteen_processes_on_one_store_lose_nothing") else { return };
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let mut command = env.command("/bin/sh");
                command.args(["-c", &script(worker)]);
                scope.spawn(move || finish(&mut command))
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker")).collect()
    });
    for (worker, outcome) in outcomes.iter().enumerate() {
        let errors: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with("Error")).collect();
        let dishonest: Vec<_> =
            errors.iter().filter(|error| !HONEST.iter().any(|honest| error.contains(honest))).collect();
        assert!(dishonest.is_empty(), "worker {worker} says {dishonest:#?}");
        // Everything a worker does in its own container and under its own names must succeed.
        let failed: Vec<&str> = outcome.stdout.lines().collect();
        let allowed = ["tag failed", "from failed", "rmi failed"];
        assert!(failed.iter().all(|line| allowed.contains(line)), "worker {worker}: {outcome:#?}");
        assert_eq!(failed.len(), errors.len(), "a failure says why: worker {worker}: {outcome:#?}");
        assert!(!outcome.stderr.contains("panicked"), "worker {worker}: {}", outcome.stderr);
    }
    env.shell("kiln rm -a").expect_ok("what containers are left go");
    for worker in 0..WORKERS {
        for round in 1..=ROUNDS {
            let name = format!("kept-{worker}-{round}");
            let said =
                env.shell(&format!("c=$(kiln from {name}); kiln run $c cat /made; kiln rm $c >/dev/null"));
            assert_eq!(said.expect_ok(&name), format!("{worker} {round}"));
        }
    }
    assert_eq!(env.ok(["check", "--deep"]), "");
    env.shell("kiln rmi -a -f; kiln prune").expect_ok("the removal of everything");
    let layers = std::fs::read_dir(env.store().join("layers")).expect("the layers").count();
    assert_eq!(layers, 0, "layers are left");
}

/// Starts a command that goes on by itself.
fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

/// Waits until `path` exists.
fn wait_for(path: &std::path::Path) {
    let began = Instant::now();
    while !path.exists() {
        assert!(began.elapsed() < Duration::from_secs(60), "{} never came", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_prune_during_a_run_does_not_wait_for_it_and_takes_nothing_of_it() {
    let test = "concurrency::a_prune_during_a_run_does_not_wait_for_it_and_takes_nothing_of_it";
    let Some(env) = with_shell(test) else { return };
    env.shell(
        "kiln from --name c base; kiln run c -- sh -c 'echo one > /one'; kiln commit -q c one; kiln rm c
        kiln from --name c one; kiln rmi -f base; mkdir shared",
    )
    .expect_ok("the setup");
    // The run's image loses its name and its container is all that holds it.
    env.shell("kiln from --name d scratch; kiln commit -q d one; kiln rm d").expect_ok("the name moves");
    let volume = format!("{}:/shared", env.path("shared").display());
    let waits = "echo two > /two; touch /shared/began; while test ! -e /shared/end; do sleep 0.05; done";
    let mut run = env.command("kiln");
    let mut running = start(run.args(["run", "-v", &volume, "c", "--", "sh", "-c", waits]));
    wait_for(&env.path("shared/began"));
    // Each of these would hang for good if it waited for the run, which waits for us.
    env.ok(["prune"]);
    env.ok(["prune", "--all"]);
    env.ok(["containers"]);
    assert!(running.try_wait().expect("the run is looked at").is_none(), "the run ended early");
    env.write("shared/end", "");
    assert!(running.wait().expect("the run is waited for").success());
    let said = env.shell(
        "kiln commit -q c done >/dev/null; kiln rm c >/dev/null; c=$(kiln from done)
        kiln run $c cat /one /two",
    );
    assert_eq!(said.expect_ok("what was run is committed"), "one\ntwo");
    assert_eq!(env.ok(["check", "--deep"]), "");
}

#[test]
fn many_processes_make_one_new_store() {
    let test = "concurrency::many_processes_make_one_new_store";
    if !needs(test, &[Need::Root]) {
        return;
    }
    let env = Env::new();
    let mut made: Vec<Child> =
        (0..WORKERS).map(|_| start(env.command("kiln").args(["from", "scratch"]))).collect();
    for child in &mut made {
        assert!(child.wait().expect("it is waited for").success());
    }
    let mut names: Vec<String> =
        env.ok(["containers", "--format", "{{.ContainerName}}"]).lines().map(str::to_owned).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), WORKERS, "{names:?}");
}

#[test]
fn runs_in_one_mounted_container_leave_each_other_their_mounts() {
    // The first to end took the places away that it had made, and with them what others had mounted there.
    let Some(env) = with_shell("concurrency::runs_in_one_mounted_container_leave_each_other_their_mounts")
    else {
        return;
    };
    let story = "kiln from --name c base; kiln mount c
        kiln run c -- sh -c 'echo >/began; while ! [ -e /go ]; do sleep 0.01; done' & first=$!
        while ! [ -e $(kiln mount c)/began ]; do kill -0 $first; sleep 0.01; done
        kiln run c -- sh -c 'echo >/go; while ! [ -e /over ]; do sleep 0.01; done
            test -e /proc/self && test -s /etc/hosts && echo seen >/dev/null && echo kept' & second=$!
        wait $first; sleep 0.1; echo >$(kiln mount c)/over; wait $second
        pids=; for n in $(seq 8); do
            (for m in $(seq 8); do kiln run c -- true || exit 1; done) & pids=\"$pids $!\"
        done
        for pid in $pids; do wait $pid || echo failed; done; kiln diff c";
    let told = env.shell(story).expect_ok("runs beside each other");
    let lines: Vec<_> = told.lines().skip(2).collect();
    assert_eq!(lines, ["kept", "A /began", "A /go", "A /over"], "{told}");
}

#[test]
fn whoever_uses_a_mounted_container_last_takes_away_what_runs_made_in_it() {
    let name = "concurrency::whoever_uses_a_mounted_container_last_takes_away_what_runs_made_in_it";
    let Some(env) = with_shell(name) else { return };
    let story = "kiln from --name c base; c=$(kiln mount c); kiln from --name d base; d=$(kiln mount d)
        kiln run --mount type=bind,from=c,target=/c d -- \
            sh -c 'echo >/began; while ! [ -e /go ]; do sleep 0.01; done' & reader=$!
        while ! [ -e $d/began ]; do kill -0 $reader; sleep 0.01; done
        kiln run -v $PWD:/made c -- true; ls -d $c/made; echo >$d/go; wait $reader; kiln diff c";
    let told = env.shell(story).expect_ok("a run and a reader");
    let lines: Vec<_> = told.lines().collect();
    assert!(lines.len() == 3 && lines[2].ends_with("/made"), "{told}");
}

#[test]
fn runs_that_mount_in_one_volume_leave_each_other_their_mounts() {
    // In containers of their own: the first to end removed the directory, and the other's mount with it.
    let Some(env) = with_shell("concurrency::runs_that_mount_in_one_volume_leave_each_other_their_mounts")
    else {
        return;
    };
    let story = "mkdir volume inner; echo kept >inner/file; kiln from --name a base; kiln from --name b base
        run() { kiln run -v $PWD/volume:/v -v $PWD/inner:/v/inner \"$@\"; }
        run a -- sh -c 'echo >/v/began; while ! [ -e /v/go ]; do sleep 0.01; done' & first=$!
        while ! [ -e volume/began ]; do kill -0 $first; sleep 0.01; done
        run b -- sh -c 'echo >/v/go; while ! [ -e /v/over ]; do sleep 0.01; done; cat /v/inner/file' & second=$!
        wait $first; echo >volume/over; wait $second; ls volume";
    let told = env.shell(story).expect_ok("runs beside each other");
    let lines: Vec<_> = told.lines().skip(2).collect();
    assert_eq!(lines, ["kept", "began", "go", "over"], "{told}");
}

#[test]
fn many_processes_push_into_one_layout() {
    let Some(env) = with_shell("concurrency::many_processes_push_into_one_layout") else { return };
    env.shell(
        "for n in $(seq 8); do kiln from --name c$n base; kiln run c$n -- sh -c \"echo $n > /n\"
        kiln commit -q c$n image$n; done",
    )
    .expect_ok("the setup");
    let pushes = "pids=; for n in $(seq 8); do kiln push -q image$n oci:out:image$n & pids=\"$pids $!\"; done
        for pid in $pids; do wait $pid; done
        kiln rm -a; kiln rmi -a
        for n in $(seq 8); do
            test $(kiln run $(kiln from -q oci:out:image$n) cat /n) = $n
        done";
    env.shell(pushes).expect_ok("eight pushes at once");
}
