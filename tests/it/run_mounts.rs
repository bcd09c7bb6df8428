//! Stories of `kiln run --mount`: what each type shows, keeps, drops and refuses.

use crate::support::{Need, needs, tell, with_container, with_container_for_user};

#[test]
fn a_bind_mount_is_read_and_never_written() {
    let Some(env) = with_container("a_bind_mount_is_read_and_never_written") else { return };
    tell(
        &env,
        r#"
$ mkdir -p data/below; echo kept >data/file; echo deep >data/below/file
$ kiln run --mount type=bind,src="$PWD/data",dst=/d c cat /d/file
kept
$ kiln run --mount type=bind,src="$PWD/data",dst=/d c touch /d/new
! touch: /d/new: Read-only file system
[1]
$ kiln run --mount type=bind,src="$PWD/data",dst=/d,rw c sh -c 'echo new >/d/file; rm /d/below/file; cat /d/file'; cat data/file data/below/file
new
kept
deep
$ kiln run --mount type=bind,src="$PWD/data/file",dst=/d,rw c sh -c 'echo new >/d; cat /d'; cat data/file
new
kept
$ kiln run --mount type=bind,src=below,dst=rel --contextdir data --workingdir /tmp c cat /tmp/rel/file
deep
$ ln -s /etc data/out; kiln run --mount type=bind,src=out/passwd,dst=/d --contextdir data c true
! Error: cannot find in the context directory `out/passwd`: No such file or directory (os error 2)
! hint: the source of a mount must exist: make it first
[125]
$ kiln run --mount type=bind,src=/nosuch,dst=/d c true
! Error: cannot mount `/nosuch`: No such file or directory (os error 2)
! hint: the source of a mount must exist: make it first
[125]
$ kiln run --mount type=bind,src=data,dst=/d c true
! Error: cannot mount `data`: the source does not start with a slash
! hint: write source=$PWD/data, or add --contextdir .
[125]
$ kiln run --mount type=bind,dst=/d c true
! Error: cannot mount on `/d`: nothing says what is to be mounted there
! hint: add source=/path, or from=IMAGE, or --contextdir DIR
[125]
$ kiln run --mount type=bind,src=/tmp,dst=/d,bind-propagation=rw,lowerdir=/ c true
! Error: cannot use the mount `type=bind,src=/tmp,dst=/d,bind-propagation=rw,lowerdir=/`: a mount has no option `lowerdir`
! hint: the options of each type are in `kiln run --help`, --mount
[125]
$ kiln run --mount type=bind,src="$PWD/data",dst=/d,noexec c busybox grep -c '/d .*noexec' /proc/mounts
1
$ kiln run --mount type=bind,src="$PWD/data",dst=/d c ls -d /d; kiln run c ls -d /d
/d
! ls: /d: No such file or directory
[1]
"#,
    );
}

#[test]
fn files_of_images_and_containers_are_mounted() {
    let Some(env) = with_container("files_of_images_and_containers_are_mounted") else { return };
    tell(
        &env,
        r#"
$ kiln from -q --name other localhost/base; kiln run other sh -c 'mkdir /o; echo other >/o/file'
other
$ kiln run --mount type=bind,from=localhost/base,dst=/i c ls /i/bin/busybox
/i/bin/busybox
$ kiln run --mount type=bind,from=localhost/base,src=/etc/passwd,dst=/i c busybox head -n 1 /i
root:x:0:0:root:/root:/bin/sh
$ kiln run --mount type=bind,from=localhost/base,src=/etc,dst=/i,rw c sh -c 'echo x >/i/passwd; cat /i/passwd'
x
$ kiln run --mount type=bind,from=localhost/base,src=/etc,dst=/i c sh -c 'echo x >/i/passwd'
! sh: can't create /i/passwd: Read-only file system
[1]
$ kiln run --mount type=bind,from=other,src=/o,dst=/i c cat /i/file
other
$ kiln run --mount type=bind,from=c,src=/etc,dst=/i c busybox grep -c root /i/passwd
1
$ kiln run --mount type=bind,from=nosuch,dst=/i c true
! Error: cannot find a container or image `nosuch`
! hint: see what there is with `kiln containers` and `kiln images`
[125]
$ kiln run --mount type=bind,from=localhost/base,src=/nosuch,dst=/i c true
! Error: cannot find in the image or container `/nosuch`: No such file or directory (os error 2)
! hint: the source of a mount must exist: make it first
[125]
"#,
    );
}

#[test]
fn a_tmpfs_is_empty_and_gone_afterwards() {
    let Some(env) = with_container("a_tmpfs_is_empty_and_gone_afterwards") else { return };
    tell(
        &env,
        r#"
$ kiln run --mount type=tmpfs,dst=/t c sh -c 'ls -A /t; stat -c %a /t; echo x >/t/x; cat /t/x'; kiln run c ls -d /t
1777
x
! ls: /t: No such file or directory
[1]
$ kiln run --mount type=tmpfs,dst=/t,tmpfs-size=64k,tmpfs-mode=0750 c sh -c 'stat -c %a /t; head -c 100000 /dev/zero >/t/x'
750
! head: standard output: I/O error
[1]
$ kiln run --mount type=tmpfs,dst=/t,ro c touch /t/x
! touch: /t/x: Read-only file system
[1]
$ kiln run --mount type=tmpfs,dst=/etc,tmpcopyup c sh -c 'busybox head -n 1 /etc/passwd; echo x >/etc/passwd'; kiln run c busybox head -n 1 /etc/passwd
root:x:0:0:root:/root:/bin/sh
root:x:0:0:root:/root:/bin/sh
$ kiln run --user user --mount type=tmpfs,dst=/t,mode=700,U c sh -c 'touch /t/x; stat -c %u /t'
1000
$ kiln run --mount type=tmpfs,dst=/t,size=x c true
! Error: cannot use the mount `type=tmpfs,dst=/t,size=x`: `x` is no size
! hint: write for example tmpfs-size=64m
[125]
$ kiln run --mount type=tmpfs c true
! Error: cannot use the mount `type=tmpfs`: it has no target
! hint: add target=/where
[125]
"#,
    );
}

#[test]
fn a_cache_lives_on() {
    let Some(env) = with_container("a_cache_lives_on") else { return };
    tell(
        &env,
        r#"
$ kiln run --mount type=cache,dst=/c c sh -c 'stat -c "%a %u:%g" /c; echo one >/c/file'
755 0:0
$ kiln run --mount type=cache,dst=/c c cat /c/file; kiln run c ls -d /c
one
! ls: /c: No such file or directory
[1]
$ kiln run --mount type=cache,id=/c,dst=/elsewhere,ro c sh -c 'cat /elsewhere/file; echo x >/elsewhere/file'
one
! sh: can't create /elsewhere/file: Read-only file system
[1]
$ kiln run --mount type=cache,id=own,dst=/c,mode=0700,uid=5,gid=6 c sh -c 'stat -c "%a %u:%g" /c; ls -A /c'
700 5:6
$ kiln run --mount type=cache,id=seeded,dst=/c,from=localhost/base,src=/etc c sh -c 'ls /c/passwd; rm /c/passwd'
/c/passwd
$ kiln run --mount type=cache,id=seeded,dst=/c,from=localhost/base,src=/etc c ls /c/passwd
! ls: /c/passwd: No such file or directory
[1]
$ # One that wants it alone, while another has it, gets a copy of its own.
> kiln from -q --name d localhost/base >/dev/null; mkfifo in out
> kiln run --mount type=cache,id=x,dst=/c,sharing=private c sh -c 'echo one >>/c/log; echo ready; cat >/dev/null' <in >out &
> exec 3>in; read ready <out; echo $ready
> kiln run --mount type=cache,id=x,dst=/c,sharing=private d sh -c 'echo two >>/c/log; cat /c/log' 3>&-
> exec 3>&-; wait; kiln run --mount type=cache,id=x,dst=/c,sharing=locked d cat /c/log
ready
two
one
$ kiln run --mount type=cache,id=../x,dst=/c c true
! Error: cannot use the mount `type=cache,id=../x,dst=/c`: `../x` is no name of a cache
! hint: use letters and digits, for example id=cargo
[125]
$ kiln run --mount type=cache,dst=/c,sharing=nosuch c true
! Error: cannot use the mount `type=cache,dst=/c,sharing=nosuch`: `sharing` cannot be `nosuch`
! hint: use sharing=shared, private or locked
[125]
$ kiln run --mount type=cache,dst=/c,uid=-1 c true
! Error: cannot use the mount `type=cache,dst=/c,uid=-1`: `uid` cannot be `-1`
[125]
$ ls -A "$KILN_ROOT/cache-mounts" | wc -l
4
"#,
    );
}

#[test]
fn a_secret_is_shown_and_kept_nowhere() {
    let Some(env) = with_container("a_secret_is_shown_and_kept_nowhere") else { return };
    tell(
        &env,
        r#"
$ printf hush >token; kiln run --secret id=t,src=token --mount type=secret,id=t c sh -c 'cat /run/secrets/t; stat -c " %a %u" /run/secrets/t'
hush 400 0
$ TOKEN=hushed kiln run --secret id=t,env=TOKEN --mount type=secret,id=t,dst=/s,mode=0440,uid=1000,gid=5 --user user c sh -c 'cat /s; stat -c " %a %u:%g" /s'
hushed 440 1000:5
$ TOKEN=hushed kiln run --secret id=TOKEN --mount type=secret,id=TOKEN,env=T c sh -c 'echo $T; ls /run/secrets'
hushed
! ls: /run/secrets: No such file or directory
[1]
$ kiln run --mount type=secret,id=t c ls /run/secrets/t
! ls: /run/secrets/t: No such file or directory
[1]
$ kiln run --mount type=secret,id=t,required c true
! Error: cannot find the secret `t`: the mount requires it, and the caller has given none of this id
! hint: add `--secret id=ID,src=FILE` or `--secret id=ID,env=NAME`
[125]
$ kiln run --secret id=t c true
! Error: cannot use the secret `id=t`: it has no value
! hint: write it as id=NAME,src=FILE or id=NAME,env=VARIABLE
[125]
$ kiln run --secret id=t,src= c true
! Error: cannot use the secret `id=t,src=`: `src` has no value
! hint: write it as id=NAME,src=FILE or id=NAME,env=VARIABLE
[125]
$ kiln run --secret id=t,src=/nosuch --mount type=secret,id=t c true
! Error: cannot use the secret `t`: /nosuch: No such file or directory (os error 2)
! hint: write it as id=NAME,src=FILE or id=NAME,env=VARIABLE
[125]
$ kiln run --secret src=token c true
! Error: cannot use the secret `src=token`: it has no id
! hint: write it as id=NAME,src=FILE or id=NAME,env=VARIABLE
[125]
$ kiln run c ls /run/secrets; grep -r hush "$KILN_ROOT" | wc -l
! ls: /run/secrets: No such file or directory
[1]
"#,
    );
}

#[test]
fn an_agent_is_reached_by_any_user() {
    let test = "an_agent_is_reached_by_any_user";
    if !needs(test, &[Need::Program("ssh-agent"), Need::Program("ssh-add")]) {
        return;
    }
    let Some(env) = with_container(test) else { return };
    tell(
        &env,
        r#"
$ kiln run --ssh default --mount type=ssh c true
! Error: cannot use the SSH agent `default`: SSH_AUTH_SOCK is not set
! hint: start an agent: eval "$(ssh-agent)"
[125]
$ kiln run --mount type=ssh,required c true
! Error: cannot find the SSH agent `default`: the mount requires it, and the caller has given none of this id
! hint: add `--ssh ID=$SSH_AUTH_SOCK`
[125]
$ touch key; kiln run --ssh default=key --mount type=ssh c true
! Error: cannot use the SSH agent `default=key`: `key` is no socket
! hint: give a key to an agent: `ssh-add key`, then --ssh default
[125]
$ eval "$(ssh-agent -s)" >/dev/null; kiln run --ssh default --mount type=ssh,uid=1000 --user user c sh -c 'stat -c "%F %a %u" $SSH_AUTH_SOCK; echo $SSH_AUTH_SOCK'; kill $SSH_AGENT_PID
socket 600 1000
/run/buildkit/ssh_agent.0
$ eval "$(ssh-agent -s)" >/dev/null; kiln run -v /usr:/usr -v /lib:/lib -v /lib64:/lib64 --ssh default --mount type=ssh,uid=1000 --user user c /usr/bin/ssh-add -l || echo "code $?"; kill $SSH_AGENT_PID
The agent has no identities.
code 1
"#,
    );
}

#[test]
fn targets_stay_in_the_container() {
    let Some(env) = with_container("targets_stay_in_the_container") else { return };
    tell(
        &env,
        r#"
$ mkdir data; echo x >data/x; kiln run c sh -c 'ln -s / /top; ln -s /proc/self/fd /fds; ln -s ../../../tmp /up'
$ kiln run --mount type=tmpfs,dst=/top c true
! Error: cannot mount on `/top`: it leads to `/`, and the mount would hide the whole container
[125]
$ kiln run -v "$PWD/data:/top" c true
! Error: cannot mount on `/top`: it leads to `/`, and the mount would hide the whole container
[125]
$ kiln run --mount type=bind,src="$PWD/data",dst=/up/in c ls /tmp/in
x
$ kiln run --mount type=tmpfs,dst=/top/.. c true
! Error: cannot use the mount `type=tmpfs,dst=/top/..`: it would hide the whole container
[125]
$ kiln run --mount type=tmpfs,dst=/ c true
! Error: cannot use the mount `type=tmpfs,dst=/`: it would hide the whole container
[125]
$ kiln run --workingdir /proc/self/fd/7 c pwd
! Error: cannot change to the working directory `/proc/self/fd/7`: No such file or directory (os error 2)
! hint: make it first: `kiln run --workingdir / <container> mkdir -p /proc/self/fd/7`
[1]
$ kiln run --workingdir /fds/7 c pwd
! Error: cannot change to the working directory `/fds/7`: No such file or directory (os error 2)
! hint: make it first: `kiln run --workingdir / <container> mkdir -p /fds/7`
[1]
$ kiln run --mount type=tmpfs,dst=/proc/self/fd/7 c true
! Error: cannot mount on `/proc/self/fd/7`: it is a symbolic link in the image, and would be mounted elsewhere
! hint: make `/proc/self/fd/7` a directory in the image
[125]
$ ls data
x
"#,
    );
}

/// For root and for an ordinary user.
const KEPT_CHANGES: &str = r#"
$ mkdir data up work; echo old >data/a; echo old >data/b; where=O,upperdir=$PWD/up,workdir=$PWD/work; kiln run -v "$PWD/data:/d:$where" c sh -c 'echo new >/d/a; rm /d/b; echo made >/d/c'; cat data/a data/b up/a up/c; ls data
old
old
new
made
a
b
$ where=O,upperdir=$PWD/up,workdir=$PWD/work; kiln run -v "$PWD/data:/d:$where,ro" c sh -c 'cat /d/a /d/c; ls /d; echo >/d/e'
new
made
a
c
! sh: can't create /d/e: Read-only file system
[1]
$ kiln from --cached -q --name k oci:layout:localhost/base; kiln run -v "$PWD/data:/d:O,upperdir=$PWD/up,workdir=$PWD/work" k cat /d/c 2>&1 | grep -v ' s$'
k
not cached: it has the writable mount /d
hint: mount it read-only, or so that changes are dropped: add :ro or :O
made
$ kiln run -v "$PWD/data:/d:O,upperdir=$PWD/none,workdir=$PWD/work" c true
! Error: cannot overlay `<dir>/files/data`: No such file or directory (os error 2)
! hint: make both first, empty and on one file system: `mkdir -p <dir>/files/none <dir>/files/work`
[125]
$ kiln run -v "$PWD/data:/d:O,upperdir=$PWD/up" c true
! Error: cannot use the volume `<dir>/files/data:/d:O,upperdir=<dir>/files/up`: `upperdir` and `workdir` go together, and with `O`
! hint: write `-v <dir>/files/data:/d:O,upperdir=/changes,workdir=/empty`
[125]
$ kiln run -v "$PWD/data:/d:nocopy,cached" c ls /d; kiln run -v "$PWD/data:/d:delegated" c ls /d/a
a
b
/d/a
"#;

#[test]
fn changes_over_a_volume_are_kept_where_it_says() {
    let Some(env) = with_container("changes_over_a_volume_are_kept_where_it_says") else { return };
    tell(&env, KEPT_CHANGES);
}

#[test]
fn an_ordinary_users_changes_over_a_volume_are_kept() {
    let Some(env) = with_container_for_user("an_ordinary_users_changes_over_a_volume_are_kept") else {
        return;
    };
    tell(&env, KEPT_CHANGES);
}
