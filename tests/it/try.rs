//! Stories of `kiln try`: what was built is run once, as whoever gets it would, and nothing of it stays.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Env, Need, images, needs, tell};

/// A store with the image `localhost/made`, which says how it is run; `None`, and `test` on the list, without busybox.
fn with_image(test: &str, env: impl FnOnce() -> Option<Env>) -> Option<Env> {
    if !needs(test, &[Need::Root, Need::Busybox]) {
        return None;
    }
    let env = env()?;
    images::write_busybox(&env.path("layout"), "localhost/base");
    env.ok(["from", "-q", "--name", "c", "oci:layout:localhost/base"]);
    env.write("start", "#!/bin/sh\necho \"$@\" as $(id -un) in $(pwd), A=$A\n");
    env.ok(["copy", "-q", "--chmod", "755", "c", "start", "/bin/start"]);
    let config = ["--entrypoint", r#"["start", "up"]"#, "--cmd", "usual", "--env", "A=1", "--user", "user"];
    env.ok([&["config"], config.as_slice(), &["--workingdir", "/home/user", "c"]].concat());
    env.ok(["commit", "-q", "c", "made"]);
    Some(env)
}

#[test]
fn an_image_runs_as_it_says() {
    let Some(env) = with_image("try::an_image_runs_as_it_says", || Some(Env::new())) else { return };
    tell(
        &env,
        r#"
$ kiln try made
up usual as user in /home/user, A=1
$ kiln try made --other 'two words'
up --other two words as user in /home/user, A=1
$ A=3 kiln try --env A --user root -w /tmp made
up usual as root in /tmp, A=3
$ kiln try --entrypoint echo made

$ kiln try --entrypoint echo made said
said
$ kiln try --entrypoint '["sh", "-c"]' made 'echo $HOME; exit 7'
/home
[7]
$ kiln try --entrypoint '' made
! Error: cannot try `made`: it names no program to run
! hint: name one: kiln try made sh
[125]
$ kiln try --entrypoint '[' made
! Error: cannot use the entrypoint `[`: EOF while parsing a list at line 1 column 1
! hint: write a JSON list of words: --entrypoint '["sh", "-c"]'
[125]
$ kiln try --entrypoint nosuch made
! Error: cannot run `nosuch`: no directory of the container's PATH has it: /bin
! hint: give its full path, or set the PATH with `--env PATH=…`
[127]
$ kiln try --entrypoint /etc/passwd made
! Error: cannot run `/etc/passwd`: it is no program that user 1000 may execute
! hint: make it executable: `kiln run <container> chmod +x /etc/passwd`
[126]
$ kiln try nosuch
! Error: cannot resolve the short name `nosuch`: there is no alias for it, and no registry to search in
! hint: write the whole name, HOST/nosuch, or set unqualified-search-registries in registries.conf
[125]
$ kiln try -p 80:80 -p 127.0.0.1:53:53/udp made
up usual as user in /home/user, A=1
$ kiln try -p 8080:80 made
! Error: cannot publish `8080:80`: what is tried is on the host's network: its port 80 is the host's port 80
! hint: leave --publish and --network away, and use the port it listens on
[125]
$ kiln try --network none -p 80:80 made
! Error: cannot publish `80:80`: what is tried is on the host's network: its port 80 is the host's port 80
! hint: leave --publish and --network away, and use the port it listens on
[125]
$ kiln try --rm=false made
! Error: cannot use `--rm=false`: what is tried has no container that could stay
! hint: make one: kiln from made
[125]
$ kiln try -q oci:layout:localhost/base echo from a layout
from a layout
"#,
    );
}

#[test]
fn what_it_changes_is_dropped() {
    let Some(env) = with_image("try::what_it_changes_is_dropped", || Some(Env::new())) else { return };
    tell(
        &env,
        r#"
$ mkdir shared; kiln try --rm -v "$PWD/shared:/shared" --user 0 --entrypoint sh made -c 'rm -r /home; echo x | tee /new /shared/kept'
x
$ cat shared/kept
x
$ kiln try --user 0 --entrypoint ls made /new /home/user
/home/user:
! ls: /new: No such file or directory
[1]
$ # A container is tried as it is, mounted or not, and stays so.
> echo mine >"$(kiln mount c)/mine"; kiln try --entrypoint sh c -c 'cat /mine; rm -f /mine; echo $A' 2>&1; cat "$(kiln mount c)/mine"
mine
rm: can't remove '/mine': Permission denied
1
mine
$ # Where someone is inside it is a copy of what is there at this moment.
> cd "$(kiln mount c)"; echo more >more; kiln try --entrypoint cat c /more
more
! warning: the container `c` is in use, so its files are copied as they are at this moment
$ kiln umount c >/dev/null; kiln try --user 0 --entrypoint rm c /mine; kiln run --user 0 c cat /mine
mine
$ kiln from -q --cached --name steps made; kiln run --user 0 steps touch /step 2>/dev/null; kiln try --user 0 --entrypoint rm steps /step
steps
$ kiln try --entrypoint ls steps /step; kiln log steps | wc -l
/step
2
$ kiln containers -q | wc -l; ls -A "$KILN_ROOT/tmp"
2
"#,
    );
}

#[test]
fn input_and_terminal_are_handed_on() {
    let Some(env) = with_image("try::input_and_terminal_are_handed_on", || Some(Env::new())) else { return };
    tell(
        &env,
        r#"
$ echo said | kiln try --entrypoint cat made
said
$ echo said | kiln try -i --entrypoint cat made
said
$ echo said | kiln try --interactive=false --entrypoint cat made
$ kiln try -it --entrypoint sh made -c 'test -t 0 && test -t 1 && echo a terminal' </dev/null
a terminal
$ kiln try --entrypoint sh made -c 'test -t 1 || echo none'
none
"#,
    );
}

#[test]
fn a_signal_ends_it_and_it_is_gone() {
    let Some(env) = with_image("try::a_signal_ends_it_and_it_is_gone", || Some(Env::new())) else { return };
    let mut kiln = env.command("kiln");
    kiln.args(["try", "--entrypoint", "sh", "made", "-c", "echo up; exec sleep 100"]).stdout(Stdio::piped());
    let mut child = kiln.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "up\n");
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    assert_eq!(std::fs::read_dir(env.store().join("tmp")).unwrap().count(), 0);
}

#[test]
fn what_a_killed_one_leaves_is_swept() {
    let Some(env) = with_image("try::what_a_killed_one_leaves_is_swept", || Some(Env::new())) else { return };
    let mut kiln = env.command("kiln");
    kiln.args([
        "try",
        "--entrypoint",
        "sh",
        "--user",
        "0",
        "made",
        "-c",
        "echo x >/new; echo up; exec sleep 100",
    ]);
    let mut child = kiln.stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    // The command ends with it: nobody holds the other end of its output any more.
    assert_eq!(out.read_line(&mut line).unwrap(), 0);
    env.ok(["check"]);
    env.ok(["prune"]);
    assert_eq!(std::fs::read_dir(env.store().join("tmp")).unwrap().count(), 0);
    assert_eq!(env.ok(["try", "made"]), "up usual as user in /home/user, A=1");
}

/// A server of one answer in the image is asked through the host's own address.
fn asks_a_server(env: &Env) {
    // A free port: taken and given back, so that the server inside can have it.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut kiln = env.command("kiln");
    let serve = format!("echo up; echo hello | busybox nc -l -p {port}");
    kiln.args(["try", "--entrypoint", "sh", "made", "-c", &serve]).stdout(Stdio::piped());
    let mut child = kiln.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let mut answer = String::new();
    for _ in 0..200 {
        // It says that it is up before it listens.
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
            let _ = stream.write_all(b"asked\n");
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read_to_string(&mut answer);
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(25));
    }
    child.wait().unwrap();
    assert_eq!(answer, "hello\n");
}

#[test]
fn its_ports_are_the_hosts() {
    let Some(env) = with_image("try::its_ports_are_the_hosts", || Some(Env::new())) else { return };
    asks_a_server(&env);
}

#[test]
fn an_ordinary_user_tries_too() {
    let test = "try::an_ordinary_user_tries_too";
    let Some(env) = with_image(test, || Env::for_user(test)) else { return };
    asks_a_server(&env);
    tell(
        &env,
        r#"
$ kiln try made
up usual as user in /home/user, A=1
$ kiln try --user root --entrypoint sh made -c 'id -u; touch /new; exit 3'
0
[3]
$ kiln unshare sh -c 'echo mine >"$(kiln mount c)/mine"'; kiln try --entrypoint cat c /mine
mine
$ kiln containers -q | wc -l; ls -A "$KILN_ROOT/tmp"
1
"#,
    );
}
