//! Stories of `kiln run`: what a command sees, what it is given, what it may not, and what is left of it.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Env, Need, needs, tell, with_container};

#[test]
fn a_command_ends_as_it_ends() {
    let Some(env) = with_container("a_command_ends_as_it_ends") else { return };
    tell(
        &env,
        r#"
$ kiln run c true
$ kiln run c false
[1]
$ kiln run c sh -c 'exit 77'
[77]
$ # The command is the first process of its namespace: no signal of its own ends it, only what it handles.
> kiln run c -- sh -c 'kill -TERM $$; echo still there'
still there
$ kiln run c -- sh -c 'sh -c "kill -TERM \$\$"; exit $?'
! Terminated
[143]
$ kiln run c nosuch
! Error: cannot run `nosuch`: no directory of the container's PATH has it: /bin
! hint: give its full path, or set the PATH with `--env PATH=…`
[1]
$ kiln run c /etc/passwd
! Error: cannot run `/etc/passwd`: it is no program that user 0 may execute
! hint: make it executable: `kiln run <container> chmod +x /etc/passwd`
[1]
$ kiln run c /tmp
! Error: cannot run `/tmp`: it is no program that user 0 may execute
! hint: make it executable: `kiln run <container> chmod +x /tmp`
[1]
$ kiln run c
! Error: cannot run without a command
! hint: name one after `--`, for example `kiln run <container> -- sh`
[125]
$ kiln run nosuch true
! Error: cannot find the container `nosuch`: no container in the store has this name or id
! hint: see what there is with `kiln containers`
[125]
$ kiln run
! Error: cannot do `kiln run`: <CONTAINER> is missing
! hint: it is used so: kiln run <CONTAINER> [COMMAND]...
[125]
$ kiln run --nosuch c true
! Error: cannot understand `--nosuch`: `kiln run` has no such flag
! hint: see `kiln run --help`
[125]
$ kiln run c -- echo --not-a-flag
--not-a-flag
$ kiln run c echo -n --nosuch
--nosuch<no line end>
"#,
    );
}

#[test]
fn words_pass_through_the_pipes() {
    let Some(env) = with_container("words_pass_through_the_pipes") else { return };
    tell(
        &env,
        r#"
$ echo in | kiln run c cat
in
$ kiln run c sh -c 'echo out; echo err >&2'
out
! err
$ kiln run c sh -c 'echo out; echo err >&2' 2>/dev/null
out
$ head -c 50000000 /dev/zero | kiln run c cat | wc -c
50000000
$ kiln run c busybox yes 2>/dev/null | head -n 1
y
$ kiln run c sh -c 'cat; echo end' </dev/null
end
$ kiln run c sh -c 'read a; echo "<$a>"' <&-
<>
"#,
    );
}

#[test]
fn the_layer_has_the_commands_own_files_only() {
    if !needs("the_layer_has_the_commands_own_files_only", &[Need::Root, Need::Busybox]) {
        return;
    }
    let env = Env::new();
    tell(
        &env,
        r#"
$ kiln from --name c scratch
c
$ kiln copy -q c "$(command -v busybox)" /busybox
$ layer() { kiln commit -q --timestamp 0 c made >/dev/null; rm -rf out; kiln push -qD made oci:out:x
>     m=$(grep -o '[0-9a-f]\{64\}' out/index.json); l=$(grep -o '[0-9a-f]\{64\}' "out/blobs/sha256/$m" | tail -n 1)
>     tar -tf "out/blobs/sha256/$l"; }
> layer
> echo --; kiln run c /busybox true; layer
> echo --; mkdir v; kiln run -v "$PWD/v:/a/b/v" --workingdir /not/there c /busybox touch /a/b/v/x; layer; ls v
> echo --; kiln run --network none c /busybox sh -c '/busybox mkdir /d; echo x >/d/f; echo y >/dev/shm/z'; layer
> echo --; kiln run c /busybox sh -c 'echo 127.0.0.1 x >>/etc/hosts; echo tmp >/proc/nosuch' 2>/dev/null || :; layer
busybox
--
busybox
--
busybox
not/
not/there/
x
--
busybox
d/
d/f
not/
not/there/
--
busybox
d/
d/f
not/
not/there/
"#,
    );
}

#[test]
fn the_environment_is_clean_and_as_asked() {
    let Some(env) = with_container("the_environment_is_clean_and_as_asked") else { return };
    tell(
        &env,
        r#"
$ OUTSIDE=x kiln run c busybox env | busybox sort
HOME=/root
HOSTNAME=<short-1>
PATH=/bin
$ OUTSIDE=x kiln run --env OUTSIDE --env A=b --env EMPTY= --env NOT_SET c busybox env | busybox sort
A=b
EMPTY=
HOME=/root
HOSTNAME=<short-1>
OUTSIDE=x
PATH=/bin
$ kiln config --env A=config --workingdir /home --user user c; kiln run c sh -c 'echo $A $HOME; pwd; id'
config /home
/home
uid=1000(user) gid=1000(user) groups=1000(user),2000(extra)
$ kiln run --env A=flag --user root --workingdir /tmp c sh -c 'echo $A $HOME; pwd; id'
flag /root
/tmp
uid=0(root) gid=0(root) groups=0(root)
$ kiln run --env =x c true
! Error: cannot set the variable `=x`: it has no name
! hint: write NAME=VALUE, or NAME alone for the value that it has here
[125]
$ kiln run c hostname | grep -c '^[0-9a-f]\{12\}$'
1
$ kiln run --hostname other c hostname
other
$ kiln run --workingdir /made/up c pwd
/made/up
"#,
    );
}

#[test]
fn users_are_looked_up_in_the_image() {
    let Some(env) = with_container("users_are_looked_up_in_the_image") else { return };
    tell(
        &env,
        r#"
$ kiln run c id
uid=0(root) gid=0(root) groups=0(root)
$ kiln run --user user c id
uid=1000(user) gid=1000(user) groups=1000(user),2000(extra)
$ kiln run --user 1000 c id
uid=1000(user) gid=1000(user) groups=1000(user),2000(extra)
$ kiln run --user user:root c id
uid=1000(user) gid=0(root) groups=0(root)
$ kiln run --user 4242 c id
uid=4242 gid=0(root) groups=0(root)
$ kiln run --user 4242:77 c id
uid=4242 gid=77 groups=77
$ kiln run --user nosuch c id
! Error: cannot find the user `nosuch`: /etc/passwd of the image has no such user
! hint: give a number instead, or add the user first
[125]
$ kiln run --user user:nosuch c id
! Error: cannot find the group `nosuch`: /etc/group of the image has no such group
! hint: give a number instead, or add the group first
[125]
$ kiln run --user '' c id
uid=0(root) gid=0(root) groups=0(root)
$ kiln run --user 99999999999 c id
! Error: cannot use the user `99999999999`: an id is a whole number from 0 to 4294967294
! hint: give a user name of the image or a number in that range
[125]
"#,
    );
}

#[test]
fn volumes_are_mounted_as_asked() {
    let Some(env) = with_container("volumes_are_mounted_as_asked") else { return };
    tell(
        &env,
        r#"
$ mkdir data; echo kept >data/file; chown 7:7 data data/file
$ kiln run -v "$PWD/data:/data" c sh -c 'cat /data/file; echo new >/data/new'; cat data/new
kept
new
$ kiln run -v "$PWD/data:/data:ro" c sh -c 'echo x >/data/ro'
! sh: can't create /data/ro: Read-only file system
[1]
$ kiln run -v "$PWD/data:/data:rw,Z" c touch /data/rw; kiln run -v "$PWD/data:/data:z" c touch /data/z; ls data
file
new
rw
z
$ kiln run -v "$PWD/data:/data:O" c sh -c 'echo over >/data/file; rm /data/new; ls /data; cat /data/file'; ls data; cat data/file
file
rw
z
over
file
new
rw
z
kept
$ kiln run --user user -v "$PWD/data:/data:U" c sh -c 'stat -c %u:%g /data /data/file'; stat -c %u:%g data data/file
1000:1000
1000:1000
1000:1000
1000:1000
$ kiln run -v "$PWD/data/file:/etc/one:ro" c cat /etc/one
kept
$ kiln run -v "$PWD/data:/data:noexec" c sh -c 'busybox grep " /data " /proc/self/mountinfo | busybox grep -c noexec'
1
$ kiln run -v "$PWD/nosuch:/data" c true
! Error: cannot mount `<dir>/files/nosuch`: No such file or directory (os error 2)
! hint: make it first: `mkdir -p <dir>/files/nosuch`
[125]
$ kiln run -v /data c true
! Error: cannot use the volume `/data`: it is not host:container or host:container:options
! hint: write for example `-v /data:/data:ro`
[125]
$ kiln run -v "$PWD/data:data" c true
! Error: cannot use the volume `<dir>/files/data:data`: the container path `data` does not start with a slash
! hint: write `-v <dir>/files/data:/data`
[125]
$ kiln run -v "$PWD/data:/data:nosuch" c true
! Error: cannot use the volume `<dir>/files/data:/data:nosuch`: there is no option `nosuch`
! hint: use ro, rw, O (with upperdir= and workdir= for kept changes), z, Z, U, idmap, noexec, nosuid, nodev, bind or [r]private, slave, shared
[125]
$ kiln run -v "$PWD/data:/data:ro,rw" c true
! Error: cannot use the volume `<dir>/files/data:/data:ro,rw`: `rw` contradicts another of its options
[125]
$ kiln run c ls -d /data
! ls: /data: No such file or directory
[1]
"#,
    );
}

#[test]
fn networks_are_the_hosts_or_none() {
    let Some(env) = with_container("networks_are_the_hosts_or_none") else { return };
    tell(
        &env,
        r#"
$ test "$(kiln run c ls /proc/self/ns/net -l | sed 's/.*net:/net:/')" = "$(readlink /proc/self/ns/net)"
$ kiln run --network host c cat /etc/resolv.conf | cmp - /etc/resolv.conf
$ kiln run --network none c busybox ifconfig | grep -o 'lo \|127.0.0.1\|LOOPBACK RUNNING\|eth'
lo 
127.0.0.1
LOOPBACK RUNNING
$ kiln run --net none c busybox wget -q -O - http://127.0.0.1:4711
! wget: can't connect to remote host (127.0.0.1): Connection refused
[1]
$ kiln run c busybox grep -c localhost /etc/hosts
1
$ kiln run --no-hosts c cat /etc/hosts
! cat: can't open '/etc/hosts': No such file or directory
[1]
$ kiln run --network nosuch c true
! Error: cannot use the network `nosuch`: there are no named networks
! hint: use --network host, none, private or ns:PATH
[125]
"#,
    );
}

#[test]
fn a_terminal_is_one() {
    let test = "a_terminal_is_one";
    if !needs(test, &[Need::Program("script")]) {
        return;
    }
    let Some(env) = with_container(test) else { return };
    tell(
        &env,
        r#"
$ kiln run --tty c busybox tty | tr -d '\r'
/dev/pts/0
$ kiln run c busybox tty
not a tty
[1]
$ kiln run -t=false c busybox tty
not a tty
[1]
$ mkfifo never; script -qec 'stty rows 33 cols 77; kiln run -t c sh -c "busybox tty; busybox stty size"' x <>never | tr -d '\r'
/dev/pts/0
33 77
$ script -qec 'kiln run --tty c sh -c "read a; echo got \$a; exit 5"' x <<. >out || echo $?; grep -c 'got typed' out
> typed
> .
5
1
"#,
    );
}

#[test]
fn a_signal_reaches_the_command() {
    let Some(env) = with_container("a_signal_reaches_the_command") else { return };
    for (signal, code) in
        [(Signal::SIGTERM, 9), (Signal::SIGINT, 9), (Signal::SIGHUP, 9), (Signal::SIGUSR1, 9)]
    {
        let name = signal.as_str().trim_start_matches("SIG");
        let script = format!("trap 'echo got; exit 9' {name}; echo ready; while :; do sleep 0.02; done");
        let mut command = env.command("kiln");
        let mut child =
            command.args(["run", "c", "sh", "-c", &script]).stdout(Stdio::piped()).spawn().expect("kiln");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        assert_eq!(lines.next().expect("a line").expect("text"), "ready");
        kill(Pid::from_raw(child.id().cast_signed()), signal).expect("a signal");
        assert_eq!(lines.next().expect("a line").expect("text"), "got", "{signal}");
        assert_eq!(child.wait().expect("it ends").code(), Some(code), "{signal}");
    }
}

/// Lines of /proc/self/status, and limits, that say what a command may do.
const POWERS: &str = "busybox grep -E '^(Cap|NoNewPrivs|Seccomp:|Groups)' /proc/self/status; busybox ls /proc/self/fd
    busybox ls /proc/1/exe >/dev/null; busybox cat /proc/self/comm; umask; busybox ls /dev /dev/pts
    busybox grep -E '^(Max (core|stack|pending|address))' /proc/self/limits
    busybox stat -c '%a %t:%T' /dev/null /dev/shm
    for f in /proc/kcore /proc/keys /proc/timer_list; do busybox head -c 1 $f 2>/dev/null | busybox wc -c; done
    for f in /proc/sys/kernel/printk /proc/sysrq-trigger /sys/x; do echo 1 2>&1 >$f | busybox sed 's/.*: //'; done";

#[test]
fn a_command_may_do_what_buildahs_may() {
    let test = "a_command_may_do_what_buildahs_may";
    if !needs(test, &[Need::Program("buildah"), Need::Program("runc")]) {
        return;
    }
    let Some(env) = with_container(test) else { return };
    let at = env.path("peer").display().to_string();
    let peer = format!("buildah --root {at} --runroot {at}-run --storage-driver overlay");
    env.shell(&format!("{peer} from -q --name c oci:layout:localhost/base 2>/dev/null"))
        .expect_ok("buildah from");
    for flags in
        ["", "--user user", "--cap-add CAP_SYS_ADMIN", "--cap-drop all", "--cap-drop CAP_CHOWN --user 5"]
    {
        let words =
            |kiln: &str, more: &str| format!("{kiln} run {more} {flags} c sh -c \"$POWERS\" 2>&1 | cat");
        let say = |script: String| {
            let mut command = env.command("/bin/sh");
            let outcome = crate::support::env::finish(command.args(["-euc", &script]).env("POWERS", POWERS));
            outcome.expect_ok(flags)
        };
        let ours = say(words("kiln", ""));
        let theirs = say(words(&peer, "--isolation oci --runtime runc --network host"));
        assert_eq!(ours, theirs, "with {flags:?}");
        assert!(ours.contains("Seccomp:\t2") && ours.contains("CapInh:\t0000000000000000"), "{ours}");
    }
}

#[test]
fn nothing_is_left_of_a_command() {
    let Some(env) = with_container("nothing_is_left_of_a_command") else { return };
    let mounts = || {
        let text = std::fs::read_to_string("/proc/thread-self/mountinfo").expect("mountinfo");
        text.lines().filter(|line| line.contains(&env.path("").display().to_string()[..24])).count()
    };
    let before = mounts();
    env.ok(["run", "-v", &format!("{}:/v", env.path("").display()), "c", "true"]);
    assert_eq!(env.kiln(["run", "c", "false"]).code, 1);
    env.fails(125, ["run", "--user", "nosuch", "c", "true"]);
    assert_eq!(mounts(), before);
    // What the command left running ends with it.
    env.ok(["run", "c", "sh", "-c", "busybox setsid sleep 4711 >/dev/null 2>&1 & true"]);
    let running = std::fs::read_dir("/proc")
        .expect("proc")
        .filter_map(|item| std::fs::read_to_string(item.ok()?.path().join("cmdline")).ok());
    assert_eq!(running.filter(|line| line.contains("sleep\x004711")).count(), 0);
    // Killed itself, it takes the command with it.
    let mut child = env.command("kiln").args(["run", "c", "sleep", "4712"]).spawn().expect("kiln");
    let sleeps = || {
        let all = std::fs::read_dir("/proc").expect("proc");
        let lines = all.filter_map(|item| std::fs::read_to_string(item.ok()?.path().join("cmdline")).ok());
        lines.filter(|line| line.starts_with("sleep\x004712")).count()
    };
    let until = |wanted: usize| {
        let started = std::time::Instant::now();
        while sleeps() != wanted {
            assert!(started.elapsed().as_secs() < 20, "{} and not {wanted}", sleeps());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    };
    until(1);
    child.kill().expect("a signal");
    child.wait().expect("it ends");
    until(0);
    assert_eq!(mounts(), before);
    env.ok(["run", "c", "true"]);
}
