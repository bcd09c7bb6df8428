//! The whole session as an ordinary user: every verb, and what such a user is told.

use crate::support::{Env, Need, images, needs, tell, tell_as_buildah, with_base, with_base_for_user};

#[test]
fn every_verb_works() {
    let Some(env) = with_base_for_user("every_verb_works") else { return };
    tell(
        &env,
        r#"
$ id -un
kilntest
$ kiln from --name one base
one
$ kiln from scratch
working-container
$ kiln containers -n | wc -l
2
$ echo file >file; kiln copy -q --chown 33:44 one file /srv/file
$ kiln config --env A=b --label l=m one
$ kiln unshare sh -c 'cd $(kiln mount one); stat -c "%n %u:%g" etc/hello.conf srv/file; echo new >new'
etc/hello.conf 0:0
srv/file 33:44
$ kiln unshare sh -c 'kiln mount one >/dev/null; kiln mount | cut -d" " -f1; kiln umount one | wc -c; kiln mount'
one
65
$ kiln unshare --mount M=one sh -c 'cat $M/new; id -u'
new
0
$ kiln commit -q --timestamp 0 one made
<id-1>
$ kiln images --format '{{.Name}}:{{.Tag}} {{.ID}}' | sort
localhost/base:latest <short-2>
localhost/made:latest <short-1>
$ kiln inspect --format '{{.OCIv1.Config.Env}} {{index .OCIv1.Config.Labels "l"}}' made
[PATH=/bin KEPT=yes A=b] m
$ kiln tag made other:1
$ kiln push -q made oci:out:x; ls out
blobs
index.json
oci-layout
$ kiln rmi other:1 made
untagged: localhost/other:1
untagged: localhost/made:latest
<id-1>
$ kiln pull -q oci:out:x
<id-1>
$ kiln rename one two
$ kiln check --deep
$ kiln info --format '{{.host.rootless}} {{.store.ContainerStore.number}}'
true 2
$ kiln version | head -n 1
Version:         0.1.0
$ kiln rm two working-container | wc -l
2
$ kiln rmi --all
untagged: localhost/base:latest
<id-2>
untagged: localhost/x:latest
<id-1>
$ kiln prune --all
! removed 0 trees and 0 blobs
$ kiln images -q; kiln containers -q
$ ls -A "$KILN_ROOT/layers" "$KILN_ROOT/containers" "$KILN_ROOT/trash" "$KILN_ROOT/tmp"
<dir>/store/containers:

<dir>/store/layers:

<dir>/store/tmp:

<dir>/store/trash:
"#,
    );
}

#[test]
fn a_mount_is_only_for_a_session() {
    let Some(env) = with_base_for_user("a_mount_is_only_for_a_session") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base
one
$ kiln mount one
! Error: cannot mount the container `one`: an ordinary user's mount is only seen inside a session of `kiln unshare`
! hint: kiln unshare sh -c 'm=$(kiln mount one) && …'
[125]
$ kiln umount one
! Error: cannot unmount containers: an ordinary user's mounts live inside a session of `kiln unshare`
! hint: run this inside that session
[125]
$ kiln mount
$ kiln unshare sh -c 'kiln mount one >/dev/null'
$ kiln unshare sh -c 'kiln mount'
"#,
    );
}

#[test]
fn commands_run() {
    let test = "commands_run";
    let Some(env) = Env::for_user(test) else { return };
    if !needs(test, &[Need::Busybox]) {
        return;
    }
    images::write_busybox(&env.path("layout"), "localhost/base");
    tell(
        &env,
        r#"
$ kiln from -q --name c oci:layout:localhost/base
c
$ kiln run c id
uid=0(root) gid=0(root) groups=0(root)
$ kiln run --user user c id
uid=1000(user) gid=1000(user) groups=1000(user),2000(extra)
$ kiln run c sh -c 'busybox cat /proc/self/uid_map | busybox wc -l; exit 5'
2
[5]
$ kiln run c sh -c 'touch /f; chown 33:44 /f; ln /f /hard; mkdir -m 700 /d; chown 5:6 /d; echo in >/d/f; stat -c "%u:%g %h" /f'
33:44 2
$ mkdir data; echo kept >data/file; kiln run -v "$PWD/data:/data" c sh -c 'cat /data/file; echo new >/data/new'; stat -c %U data/new
kept
kilntest
$ kiln run -v "$PWD/data:/data:O" c sh -c 'rm /data/file; ls /data'; ls data
new
file
new
$ kiln run --network none c busybox ifconfig | grep -c 127.0.0.1
1
$ echo in | kiln run c cat
in
$ kiln run --tty c busybox tty | tr -d '\r'
/dev/pts/0
$ kiln run c busybox mknod /dev/x c 1 3
! mknod: /dev/x: Operation not permitted
[1]
$ kiln commit -q --timestamp 0 c made >/dev/null; kiln from -q --name again made; kiln run again cat /d/f
again
in
$ kiln run again stat -c '%n %u:%g %a %h' /f /hard /d
/f 33:44 644 2
/hard 33:44 644 2
/d 5:6 700 2
$ kiln rm c again | wc -l
2
$ kiln rmi -a | wc -l
4
$ ls -A "$KILN_ROOT/layers" "$KILN_ROOT/containers"
<dir>/store/containers:

<dir>/store/layers:
"#,
    );
}

/// Made in a container by either kind of user.
const CONTENT: &str = "
kiln pull -q oci:layout:localhost/base >/dev/null; C=$(kiln from base)
echo file >file; chmod 644 file; kiln copy -q --chown 33:44 $C file /srv/file
kiln copy -q --chmod 4755 $C file /srv/set
kiln config --env A=b $C
kiln unshare sh -c 'cd $(kiln mount '$C'); umask 022; mkdir d; echo a >d/a; ln d/a d/b; chown 7:8 d/a; ln -s a d/l
    rm etc/hello.conf; chmod 1777 d; touch -d @5 d/a; setfattr -n user.x -v y d/a; mkfifo d/p'
kiln commit -q --timestamp 0 $C";

#[test]
fn the_same_content_is_the_same_image_for_everyone() {
    let test = "the_same_content_is_the_same_image_for_everyone";
    let Some(user) = with_base_for_user(test) else { return };
    let Some(root) = with_base(test) else { return };
    let ids = [&user, &root].map(|env| env.shell(CONTENT).expect_ok("the content"));
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ids[0].len(), 64);
}

#[test]
fn a_user_without_subordinate_ids_is_told_how_to_get_them() {
    let test = "a_user_without_subordinate_ids_is_told_how_to_get_them";
    let Some(env) = Env::for_user(test) else { return };
    // An /etc of one's own, in a mount namespace of one's own, where nobody has any.
    env.write("empty", "");
    let user = nix::unistd::User::from_name("kilntest").expect("it is looked up").expect("it is known");
    let script = format!(
        "mount --bind {0} /etc/subuid; mount --bind {0} /etc/subgid
         exec setpriv --reuid {1} --regid {2} --clear-groups sh -c 'kiln --root {3} from scratch
         kiln --root {3} doctor | grep -A 1 \"^subordinate ids\"'",
        env.path("empty").display(),
        user.uid,
        user.gid,
        env.path("store").display()
    );
    let mut command = Env::new().command("unshare");
    let path = env.command("kiln");
    let path = path.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, path)| path).expect("a PATH");
    command.env("PATH", path).current_dir("/").args(["-m", "sh", "-euc", &script]);
    let outcome = crate::support::env::finish(&mut command);
    // One id is enough; who wants more is told by the doctor.
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome:#?}");
    let said = [
        "working-container\n",
        "/etc/subuid has no line for `kilntest`",
        "fix: as root: `usermod --add-subuids",
    ];
    assert!(said.iter().all(|said| outcome.stdout.contains(said)), "{}", outcome.stdout);
}

#[test]
fn the_name_buildah_behaves_the_same() {
    let Some(env) = with_base_for_user("the_name_buildah_behaves_the_same") else { return };
    tell_as_buildah(
        &env,
        r#"
$ buildah from base
base-working-container
$ buildah unshare sh -c 'echo hi >"$(buildah mount base-working-container)/etc/hello.conf"'
$ buildah unshare sh -c 'cat "$(buildah mount base-working-container)/etc/hello.conf"'
hi
$ buildah config --env A=b --cmd y --label a=b --port 80 --user u --workingdir /w --volume /v base-working-container
$ buildah commit -q --timestamp 0 base-working-container hello
<id-1>
$ buildah images --format '{{.Name}}' | sort
localhost/base
localhost/hello
$ buildah mount base-working-container
! Error: cannot mount the container `base-working-container`: an ordinary user's mount is only seen inside a session of `kiln unshare`
! hint: kiln unshare sh -c 'm=$(kiln mount base-working-container) && …'
[125]
$ buildah delete -a | wc -l
1
$ buildah nosuch
! Error: cannot understand `nosuch`: `buildah` has no such verb
! hint: see `buildah --help`
[125]
$ buildah --version
buildah version 1.45.0 (image-spec 1.1.0, runtime-spec 1.2.0)
"#,
    );
}

#[test]
fn credentials_that_others_keep_are_not_ours() {
    let Some(env) = with_base_for_user("credentials_that_others_keep_are_not_ours") else { return };
    tell(
        &env,
        r#"
$ XDG_RUNTIME_DIR=/root kiln image inspect docker://localhost:1/x
! Error: cannot talk to `localhost:1`: Connection refused (os error 111)
! hint: see whether a registry runs at `localhost:1`
[125]
$ kiln image inspect --authfile /root/auth.json docker://localhost:1/x
! Error: cannot read the credentials in `/root/auth.json`: Permission denied (os error 13)
! hint: name a file you may read with --authfile FILE or REGISTRY_AUTH_FILE
[125]
$ kiln image inspect oci:nosuch
! Error: cannot open the OCI layout `nosuch`: No such file or directory (os error 2)
! hint: see what there is: ls .
[125]
"#,
    );
}

#[test]
fn what_others_ids_have_is_left_to_who_may_remove_it() {
    // `tag` has no namespace around it, and failed where a pull was killed or the power was cut.
    let Some(env) = with_base_for_user("what_others_ids_have_is_left_to_who_may_remove_it") else { return };
    tell(
        &env,
        r#"
$ kiln from --name c base
c
$ kiln unshare sh -c 'cd $(kiln mount c); mkdir -m 700 of-others; >of-others/file; chown -R 5:5 of-others'
$ kiln commit -q c made | wc -c
65
$ kiln unshare sh -c 'cd $KILN_ROOT; mkdir tmp/dead; touch tmp/dead/lock; cp -a layers tmp/dead'; ln -s $KILN_ROOT s
$ cd $KILN_ROOT; for tree in layers/*; do echo before >unsynced/${tree#*/}; done; touch -d 2000-01-01 unsynced/*
$ kiln tag made again; ls s/tmp
dead
$ ls s/unsynced >notes; kiln config --env A=b c; ls s/unsynced | diff - notes
$ kiln from made >/dev/null; ls s/tmp; ls s/unsynced/ | grep -xFf notes | wc -l
0
$ kiln check --deep
"#,
    );
}
