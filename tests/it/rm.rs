//! Stories of `kiln rm`: containers go.

use crate::support::{tell, with_base};

#[test]
fn containers_are_removed() {
    let Some(env) = with_base("containers_are_removed") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base
one
$ kiln from --name two base
two
$ kiln from --name three scratch
three
$ kiln containers --notruncate --format '{{.ContainerID}} {{.ContainerName}}'
<id-1> one
<id-2> two
<id-3> three
$ kiln rm one
<id-1>
$ kiln mount two >/dev/null; kiln delete two
<id-2>
$ kiln from --name four scratch
four
$ kiln delete -a
<id-3>
<id-4>
$ kiln rm --all
$ kiln containers
CONTAINER ID  BUILDER  IMAGE ID  IMAGE NAME  CONTAINER NAME
$ kiln images -q | wc -l
1
"#,
    );
}

#[test]
fn what_cannot_be_removed() {
    let Some(env) = with_base("what_cannot_be_removed") else { return };
    tell(
        &env,
        r#"
$ kiln rm
! Error: cannot remove containers: none is named
! hint: name one, by name or id, or use --all
[125]
$ kiln rm nosuch
! Error: cannot find the container `nosuch`: no container in the store has this name or id
! hint: see what there is with `kiln containers`
[125]
$ kiln rm base
! Error: cannot find the container `base`: no container in the store has this name or id
! hint: see what there is with `kiln containers`
[125]
$ kiln from --name one base
one
$ kiln from --name two base
two
$ kiln rm nosuch one other
<id-1>
! Error: cannot find the container `nosuch`: no container in the store has this name or id
! hint: see what there is with `kiln containers`
! Error: cannot find the container `other`: no container in the store has this name or id
! hint: see what there is with `kiln containers`
[125]
$ kiln rm -a two
! Error: cannot remove `two` and all containers
! hint: name some, or use --all alone
[125]
$ kiln containers --format '{{.ContainerName}}'
two
"#,
    );
}

#[test]
fn the_beginning_of_an_id_is_enough_unless_two_have_it() {
    let Some(env) = with_base("the_beginning_of_an_id_is_enough_unless_two_have_it") else { return };
    let mut ids: Vec<String> = Vec::new();
    // Among seventeen ids two begin with the same digit.
    for _ in 0..17 {
        env.ok(["from", "-q", "--cidfile", "cid", "scratch"]);
        ids.push(std::fs::read_to_string(env.path("cid")).expect("the file with the id"));
    }
    let digit = |id: &String| id[..1].to_owned();
    let twice = ids.iter().find(|id| ids.iter().filter(|other| digit(other) == digit(id)).count() > 1);
    let twice = digit(twice.expect("seventeen ids and sixteen digits"));
    let error = env.fails(125, ["rm", &twice]);
    assert!(error.starts_with(&format!("Error: cannot find the container `{twice}`: ")), "{error}");
    assert_eq!(env.ok(["rm", &ids[0]]), ids[0]);
    assert_eq!(env.ok(["rm", &ids[1][..40]]), ids[1]);
}

#[test]
fn a_command_that_is_just_ending_is_waited_for_and_one_that_runs_is_not() {
    let Some(env) = with_base("a_command_that_is_just_ending_is_waited_for_and_one_that_runs_is_not") else {
        return;
    };
    env.ok(["from", "-q", "--cidfile", "cid", "--name", "c", "scratch"]);
    let id = std::fs::read_to_string(env.path("cid")).expect("the file with the id");
    let path = env.store().join("containers").join(id.trim()).join("use");
    let held = std::fs::File::create(path).expect("the container's lock");
    // As the half-made child of a `run` that was killed does, until it sees that it is alone.
    held.lock_shared().expect("nobody else has it");
    let error = env.fails(125, ["rm", "c"]);
    assert!(error.contains("a command runs in it"), "{error}");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            held.unlock().expect("it is ours");
        });
        assert_eq!(env.ok(["rm", "c"]), id.trim());
    });
}
