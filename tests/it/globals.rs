//! Stories of the flags that all verbs take, and of the configuration files.

use crate::support::{Env, Need, needs, tell, with_base, with_container};

#[test]
fn what_is_told_follows_the_level() {
    let Some(env) = with_base("what_is_told_follows_the_level") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base
one
$ kiln config --entrypoint '["/x"]' one
! warning: the command ["/bin/sh"] becomes arguments of the new entrypoint
! hint: to remove it: kiln config --cmd '' one
$ kiln --log-level error config --entrypoint '["/y"]' one
$ kiln config --loglevel=fatal --entrypoint '["/z"]' one
$ kiln --log-level debug containers -q >out
! debug: the store is <dir>/store
$ kiln --debug containers -q >out
! debug: the store is <dir>/store
$ kiln --log-level loud containers
! Error: cannot use `--log-level=loud`: a level is trace, debug, info, warn, error, fatal or panic
! hint: see `kiln containers --help`
[125]
$ kiln --log-rusage containers -q 2>&1 >out | sed 's/[0-9.][0-9.]*/N/g'
Ns(system) Ns(user) Ns(elapsed) NKB(peak) NKB(input) NKB(output)
$ kiln containers -q --rusage-logfile used >out; kiln images -q --rusage-logfile used >out; grep -c 'elapsed' used
2
$ kiln --rusage-logfile /proc/nosuch/x version
Version:         0.1.0
Image Spec:      1.1.0
Runtime Spec:    1.2.0
OS/Arch:         linux/amd64
! Error: cannot write `/proc/nosuch/x`: No such file or directory (os error 2)
[125]
"#,
    );
}

#[test]
fn flags_that_have_no_effect_here_are_refused() {
    let env = Env::new();
    tell(
        &env,
        r#"
$ kiln --cpu-profile x version
! Error: cannot use `--cpu-profile`: Kiln has nothing like it
! hint: profile it from outside: perf record kiln …
[125]
$ kiln --memory-profile x version
! Error: cannot use `--memory-profile`: Kiln has nothing like it
! hint: see what it used: kiln --log-rusage …
[125]
$ kiln --imagestore x images
! Error: cannot use `--imagestore`: Kiln has nothing like it
! hint: images and containers share one store: --root DIR
[125]
$ kiln --transient-store images
! Error: cannot use `--transient-store`: Kiln has nothing like it
! hint: use a store that goes with the machine: --root /run/DIR
[125]
$ kiln --cgroup-manager systemd images
! Error: cannot use the cgroup manager `systemd`: limits are set by Kiln itself, in the cgroup file systems
! hint: use --cgroup-manager cgroupfs, or leave it away
[125]
$ kiln --cgroup-manager cgroupfs images -q
$ kiln --runroot run/below images -q; stat -c '%a' run run/below
700
700
$ kiln --runroot /proc/nosuch images
! Error: cannot make the directory `/proc/nosuch`: No such file or directory (os error 2)
! hint: name another one with --runroot DIR, or leave it away
[125]
$ kiln --storage-driver btrfs images
! Error: cannot use the storage driver `btrfs`: --storage-driver may be `overlay` or `vfs`
! hint: use --storage-driver overlay, or leave it away
[125]
$ STORAGE_DRIVER=zfs kiln images
! Error: cannot use the storage driver `zfs`: STORAGE_DRIVER may be `overlay` or `vfs`
! hint: use --storage-driver overlay, or leave it away
[125]
$ kiln --storage-opt nosuch images
! Error: cannot use the storage option `nosuch`: there is no `=` in it
! hint: give NAME=VALUE, e.g. --storage-opt mount_program=/usr/bin/fuse-overlayfs
[125]
$ kiln --storage-opt overlay.size=5G images
! Error: cannot use the storage option `overlay.size=5G`: there is no such option here
! hint: there are mount_program, additionalimagestore and ignore_chown_errors
[125]
$ STORAGE_OPTS=mount_program=/nosuch kiln images
! Error: cannot use the storage option `mount_program=/nosuch`: there is no file `/nosuch`
[125]
$ kiln --storage-opt additionalimagestore=/ images
! Error: cannot use the storage option `additionalimagestore=/`: `/` is not a store of Kiln
! hint: name the --root of another Kiln store
[125]
"#,
    );
}

#[test]
fn storage_conf_moves_the_store() {
    let env = Env::new();
    let storage = format!("[storage]\ndriver = \"overlay\"\ngraphroot = \"{}\"\n", env.path("big").display());
    env.write("storage.conf", storage);
    env.write("btrfs.conf", "[storage]\ndriver = \"btrfs\"\n");
    env.write("broken.conf", "[storage\n");
    env.write("huge.conf", "#".repeat(2 << 20));
    tell(
        &env,
        r#"
$ unset KILN_ROOT; CONTAINERS_STORAGE_CONF=storage.conf kiln info --format '{{.store.GraphRoot}}'
<dir>/files/big/kiln
$ unset KILN_ROOT; CONTAINERS_STORAGE_CONF=storage.conf kiln --root other info --format '{{.store.GraphRoot}}'
<dir>/files/other
$ CONTAINERS_STORAGE_CONF=btrfs.conf kiln images
! Error: cannot use the storage driver `btrfs`: driver of btrfs.conf may be `overlay` or `vfs`
! hint: use --storage-driver overlay, or leave it away
[125]
$ CONTAINERS_STORAGE_CONF=btrfs.conf kiln --storage-driver overlay images -q
$ CONTAINERS_STORAGE_CONF=broken.conf kiln images
! Error: cannot read the configuration file `broken.conf`: line 1: unclosed table, expected `]`
! hint: correct broken.conf
[125]
$ CONTAINERS_STORAGE_CONF=huge.conf kiln images
! Error: cannot read the configuration file `huge.conf`: it is larger than 1 MiB
! hint: CONTAINERS_CONF, CONTAINERS_CONF_OVERRIDE and CONTAINERS_STORAGE_CONF name other files in its place
[125]
$ CONTAINERS_STORAGE_CONF=nosuch.conf kiln images
! Error: cannot read the configuration file `nosuch.conf`: No such file or directory (os error 2)
! hint: CONTAINERS_CONF, CONTAINERS_CONF_OVERRIDE and CONTAINERS_STORAGE_CONF name other files in its place
[125]
"#,
    );
}

#[test]
fn containers_conf_is_put_together() {
    let env = Env::new();
    env.write("one.conf", "[containers]\nenv = [\"A=1\"]\nshm_size = \"1m\"\n[engine]\nruntime = \"crun\"\n");
    env.write("two.conf", "[containers]\nenv = [\"B=2\", {append=true}]\n");
    env.write("wrong.conf", "[containers]\nshm_size = [1]\n");
    env.write("mounts.conf", "/etc/hostname:/run/name\n# remark\n");
    tell(
        &env,
        r#"
$ export CONTAINERS_CONF=one.conf; kiln info --debug --format '{{index .debug "containers.conf" "containers" "env"}} {{.host.OCIRuntime}}'
[A=1] crun
$ export CONTAINERS_CONF=one.conf CONTAINERS_CONF_OVERRIDE=two.conf; kiln info -d --format '{{index .debug "containers.conf" "containers" "env"}} {{index .debug "containers.conf" "containers" "shm_size"}}'
[A=1 B=2] 1m
$ export CONTAINERS_CONF=wrong.conf; kiln info --debug
! Error: cannot read the configuration file `wrong.conf`: invalid type: sequence, expected a string in `containers.shm_size`
! hint: correct wrong.conf
[125]
$ export CONTAINERS_CONF=nosuch.conf; kiln info
! Error: cannot read the configuration file `nosuch.conf`: No such file or directory (os error 2)
! hint: CONTAINERS_CONF, CONTAINERS_CONF_OVERRIDE and CONTAINERS_STORAGE_CONF name other files in its place
[125]
$ export CONTAINERS_CONF=one.conf; kiln info -d --default-mounts-file mounts.conf --format '{{index .debug "mounts.conf"}}'
[map[container:/run/name host:/etc/hostname]]
"#,
    );
}

#[test]
fn what_commands_need_while_they_run_is_in_the_runroot() {
    let test = "what_commands_need_while_they_run_is_in_the_runroot";
    if !needs(test, &[Need::Program("runc")]) {
        return;
    }
    let Some(env) = with_container(test) else { return };
    let told = env.path("told");
    env.write("mine", format!("#!/bin/sh\necho \"$*\" >>{}\nexec runc \"$@\"\n", told.display()));
    // A storage that is not written here, and its own program.
    env.write("storage/zfs-images/images.json", "[]");
    env.write("fake/podman", format!("#!/bin/sh\necho \"$*\" >>{}\nexit 1\n", told.display()));
    tell(
        &env,
        r#"
$ chmod +x mine fake/podman; kiln --runroot rr run --runtime $PWD/mine c echo ran; stat -c %a rr; find rr/kiln -mindepth 2 | wc -l
ran
700
0
$ grep -o -e "--root $PWD/rr/kiln/tmp/[0-9a-f]*/" -e "--bundle $PWD/rr/kiln/tmp/[0-9a-f]*/" told | wc -l
2
$ # What a killed one left goes with the next; what a living one has stays.
> mkdir -p rr/kiln/tmp/dead rr/kiln/tmp/alive; : >rr/kiln/tmp/dead/lock; : >rr/kiln/tmp/alive/lock
> flock rr/kiln/tmp/alive/lock kiln --runroot rr run c true; ls rr/kiln/tmp
alive
$ PATH=$PWD/fake:$PATH kiln --runroot rr image copy -q containers-storage:[zfs@$PWD/storage]x oci:y || grep -c -e "--runroot $PWD/rr " told
1
! Error: cannot use `containers-storage:[zfs@<dir>/files/storage]`: podman says: it says nothing
! hint: see what it can do there with `podman info`
$ : >file; kiln --runroot file/x run c true
! Error: cannot make the directory `<dir>/files/file/x`: Not a directory (os error 20)
! hint: name another one with --runroot DIR, or leave it away
[125]
"#,
    );
}
