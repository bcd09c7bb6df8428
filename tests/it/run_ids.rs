//! Stories of containers with ids of their own: what their commands see, and that files keep the ids of the image.

use crate::support::{Need, needs, tell, with_container, with_container_for_user};

#[test]
fn commands_have_ids_of_their_own_and_files_those_of_the_image() {
    let test = "commands_have_ids_of_their_own_and_files_those_of_the_image";
    if !needs(test, &[Need::IdmappedMounts]) {
        return;
    }
    let Some(env) = with_container(test) else { return };
    tell(
        &env,
        r#"
$ kiln from -q --name u --userns-uid-map 0:100000:65536 --userns-gid-map 0:200000:65536 localhost/base
u
$ kiln run u sh -c 'cat /proc/self/uid_map /proc/self/gid_map | busybox xargs; id'
0 100000 65536 0 200000 65536
uid=0(root) gid=0(root) groups=0(root)
$ kiln run u sh -c 'touch /made; chown 33:44 /made; mkdir /d; stat -c "%n %u:%g" / /made /d /etc/passwd /dev /dev/null /dev/shm /etc/hosts'
/ 0:0
/made 33:44
/d 0:0
/etc/passwd 0:0
/dev 0:0
/dev/null 0:0
/dev/shm 0:0
/etc/hosts 0:0
$ kiln run --user user u sh -c 'id -u; touch /tmp/mine; stat -c %u:%g /tmp/mine; echo x >/etc/x'
1000
1000:1000
! sh: can't create /etc/x: Permission denied
[1]
$ kiln run --workingdir /new/dir u sh -c 'stat -c %u:%g . ..; touch here'
0:0
0:0
$ mkdir -m 777 open; kiln run -v "$PWD/open:/open" u sh -c 'touch /open/f; stat -c %u:%g /open/f'; stat -c %u:%g open/f
0:0
100000:200000
$ chown 5:6 open/f; kiln run -v "$PWD/open:/open:idmap" u stat -c %u:%g /open/f; kiln run -v "$PWD/open:/open" u stat -c %u:%g /open/f
5:6
65534:65534
$ kiln run -v "$PWD/open:/open:U" u stat -c %u:%g /open/f; stat -c %u:%g open/f
0:0
100000:200000
$ kiln run -v "$PWD/open:/open:idmap" c true
! Error: cannot use the volume `<dir>/files/open:/open:idmap`: `idmap` shows the ids of a user namespace, and the command has none of its own
! hint: add --userns-uid-map, or use `U` to give the files to the container's user
[125]
$ kiln run --mount type=tmpfs,dst=/t --mount type=cache,dst=/k u sh -c 'stat -c %u:%g /t /k; touch /t/x /k/x; ls /k'
0:0
0:0
x
$ kiln run --tty u sh -c 'stat -c %u:%g "$(busybox tty)"' | tr -d '\r'
0:5
$ echo file >file; kiln copy -q --chown 7:8 u file /srv/file; kiln run u sh -c 'stat -c %u:%g /srv/file; cat /srv/file'
7:8
file
$ stat -c '%u:%g' "$KILN_ROOT"/containers/*/upper/fs/made "$KILN_ROOT"/containers/*/upper/fs/srv/file
33:44
7:8
$ kiln commit -q u made | wc -l; kiln from -q --name plain made
1
plain
$ kiln run plain sh -c 'stat -c "%n %u:%g" /made /d /new/dir /new/dir/here /tmp/mine /srv/file'
/made 33:44
/d 0:0
/new/dir 0:0
/new/dir/here 0:0
/tmp/mine 1000:1000
/srv/file 7:8
$ # What `mount` shows has the ids of the image; a command could not be beside it.
> mount=$(kiln mount u); stat -c %u:%g "$mount/made"; kiln run u true || kiln umount u | wc -l
33:44
1
! Error: cannot run in the mounted container `u`: its commands have ids of their own, and its mount shows those of the image
! hint: unmount it first: kiln umount u
$ kiln run u true; kiln run --userns host u busybox wc -l </proc/self/uid_map
1
$ kiln rm u plain | wc -l
2
"#,
    );
}

#[test]
fn what_is_mounted_for_reading_has_the_owners_it_has_without_a_namespace() {
    let test = "what_is_mounted_for_reading_has_the_owners_it_has_without_a_namespace";
    if !needs(test, &[Need::IdmappedMounts]) {
        return;
    }
    let Some(env) = with_container(test) else { return };
    tell(
        &env,
        r#"
$ kiln from -q --name u --userns-uid-map 0:100000:65536 localhost/base; mkdir d; echo f >d/f; chown 7:8 d/f
u
$ kiln run -v "$PWD/d:/v:O" u sh -c 'stat -c "%n %u:%g" /v /v/f; echo new >/v/new; chown 9 /v/f; stat -c "%n %u:%g" /v/new /v/f'
/v 0:0
/v/f 7:8
/v/new 0:0
/v/f 9:8
$ kiln run --mount type=bind,src=$PWD/d,dst=/m,rw u sh -c 'stat -c "%n %u:%g" /m /m/f; echo more >>/m/f; stat -c %u:%g /m/f'
/m 0:0
/m/f 7:8
7:8
$ kiln run --mount type=bind,src=$PWD/d,dst=/m,ro --mount type=bind,src=$PWD/d/f,dst=/f,rw u stat -c '%n %u:%g' /m/f /f
/m/f 7:8
/f 7:8
$ ls d; stat -c %u:%g d/f; cat d/f
f
7:8
f
$ kiln run c sh -c 'mkdir /made; echo x >/made/x; chown 33:44 /made/x'; kiln commit -q c made | wc -l
1
$ kiln run --mount type=bind,from=made,src=/made,dst=/m,rw u sh -c 'stat -c "%n %u:%g" /m /m/x; touch /m/y; stat -c %u:%g /m/y'
/m 0:0
/m/x 33:44
0:0
$ kiln run --mount type=bind,from=c,src=/made/x,dst=/x --mount type=bind,from=u,src=/etc,dst=/e u stat -c '%n %u:%g' /x /e/passwd
/x 33:44
/e/passwd 0:0
$ kiln --storage-driver vfs run --mount type=bind,from=made,src=/made,dst=/m u stat -c '%n %u:%g' /m/x
/m/x 33:44
$ # A container that is a copy of its own, and stays as it is.
> kiln --storage-driver vfs from -q --name p made; kiln --storage-driver vfs run p sh -c 'echo own >/made/own; chown 5:6 /made/own'
> export STORAGE_DRIVER=vfs; kiln run --mount type=bind,from=p,src=/made,dst=/m u stat -c '%n %u:%g' /m /m/own; kiln run --mount type=bind,from=p,src=/made,dst=/m,rw u touch /m/own /m/new; kiln run p ls /made
p
/m 0:0
/m/own 5:6
own
x
$ kiln run --mount type=cache,from=made,src=/made,dst=/k u stat -c '%n %u:%g' /k/x
/k/x 33:44
$ kiln rm u | wc -l
1
"#,
    );
}

#[test]
fn maps_come_from_flags_of_all_sorts() {
    let test = "maps_come_from_flags_of_all_sorts";
    if !needs(test, &[Need::IdmappedMounts]) {
        return;
    }
    let Some(env) = with_container(test) else { return };
    tell(
        &env,
        r#"
$ kiln --userns-gid-map 0:300000:10,10:400000:5 from -q --name g localhost/base
g
$ kiln run g sh -c 'cat /proc/self/uid_map /proc/self/gid_map | busybox xargs'
0 300000 10 10 400000 5 0 300000 10 10 400000 5
$ kiln --userns-uid-map 0:300000:10 from -q --name own --userns-uid-map 0:500000:10 localhost/base; kiln run own sh -c 'busybox xargs </proc/self/uid_map'
own
0 500000 10
$ kiln run --userns-uid-map 0:600000:10 c sh -c 'busybox xargs </proc/self/uid_map; id -u; busybox id -u; touch /f; chown 20:20 /f'
0 600000 10
0
0
! chown: /f: Invalid argument
[1]
$ kiln run --userns private c sh -c 'busybox xargs </proc/self/uid_map; stat -c %u:%g /etc/passwd'
0 0 4294967295
0:0
$ unshare -U --map-root-user sleep 2 >/dev/null 2>&1 & sleep 0.3; kiln run --userns /proc/$!/ns/user c sh -c 'busybox xargs </proc/self/uid_map; id -u'
0 0 1
0
$ kiln run --userns ns:/etc/passwd c true
! Error: cannot join the user namespace `/etc/passwd`: Invalid argument (os error 22)
! hint: name that of a process that you have started: /proc/PID/ns/user; root may join any
[125]
$ kiln run --userns /proc/self/ns/user c true
! Error: cannot join the user namespace `/proc/self/ns/user`: Invalid argument (os error 22)
! hint: name that of a process that you have started: /proc/PID/ns/user; root may join any
[125]
$ kiln run --userns bogus c true
! Error: cannot use `--userns bogus`: it is no namespace
! hint: use host, private, or the path of one: /proc/PID/ns/user
[125]
$ kiln run --userns auto c true
! Error: cannot use `--userns auto` for one command: ids are chosen for a container, when it is made
! hint: make it so: kiln from --userns auto IMAGE
[125]
$ kiln run --userns host --userns-uid-map 0:1:1 c true
! Error: cannot use `--userns host`: ids are mapped by a user namespace of the container's own
! hint: leave --userns away, or the maps
[125]
$ kiln run --userns /proc/self/ns/user --userns-uid-map 0:1:1 c true
! Error: cannot use `--userns /proc/self/ns/user`: a namespace that exists has maps already
! hint: leave the maps away
[125]
$ kiln from --userns-uid-map 0:100000 localhost/base
! Error: cannot use `--userns-uid-map 0:100000`: it is not three numbers, the last above zero, of ids below 4294967295
! hint: write INSIDE:OUTSIDE:LENGTH, for example `--userns-uid-map 0:100000:65536`
[125]
$ kiln from --userns-uid-map 0:100000:0 localhost/base
! Error: cannot use `--userns-uid-map 0:100000:0`: it is not three numbers, the last above zero, of ids below 4294967295
! hint: write INSIDE:OUTSIDE:LENGTH, for example `--userns-uid-map 0:100000:65536`
[125]
$ kiln from --userns-gid-map 0:1:5,4:9:1 localhost/base
! Error: cannot use `--userns-gid-map 4:9:1`: an id in it is in another range, too
[125]
$ kiln from --userns-uid-map-user nosuch localhost/base
! Error: cannot map the ids of `nosuch`: /etc/subuid has no line for `nosuch`
! hint: as root: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 nosuch` (a range no other user has)
[125]
$ kiln run --runtime runc --userns-uid-map 0:100000:65536 c true
! Error: cannot use the runtime `runc` with mapped ids: it looks for the container's files with the ids inside, and the store is closed to them
! hint: leave --runtime away: Kiln itself makes the user namespace
[125]
$ kiln run --storage-driver vfs --userns-uid-map 0:100000:65536 c stat -c %u:%g /etc/passwd
0:0
$ kiln rm g own c | wc -l
3
"#,
    );
}

#[test]
fn an_ordinary_user_maps_each_id_to_itself() {
    let Some(env) = with_container_for_user("an_ordinary_user_maps_each_id_to_itself") else { return };
    tell(
        &env,
        r#"
$ kiln run --userns private c sh -c 'id -u; touch /f; chown 33:44 /f; stat -c %u:%g /f /etc/passwd'
0
33:44
0:0
$ kiln run --userns-uid-map 0:0:100 --user user c id -u
! Error: cannot become user 1000:1000: Invalid argument (os error 22)
! hint: only ids of /proc/self/uid_map exist here: use a lower one, or get more as root: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER` (a range no other user has)
[125]
$ kiln run --userns-uid-map 0:0:100 c sh -c 'chown 7 /f; busybox xargs </proc/self/uid_map'
0 0 1 1 1 99
$ kiln run --userns-uid-map 0:1:100 c true
! Error: cannot show the files of the container `c` with other owners: Operation not permitted (os error 1)
! hint: boot Linux 5.19 or newer, with the files on ext4, xfs, btrfs or tmpfs; of a file system that the machine has mounted only root can have one
[125]
$ kiln run --userns-uid-map 0:100000:65536 c true
! Error: cannot make a user namespace for commands: Operation not permitted (os error 1)
! hint: map to ids that you have: `cat /proc/self/uid_map`; root has all of them
[125]
$ kiln rm c | wc -l
1
"#,
    );
}

#[test]
fn ids_are_chosen_that_no_other_container_has() {
    let test = "ids_are_chosen_that_no_other_container_has";
    if !needs(test, &[Need::User, Need::IdmappedMounts]) {
        return;
    }
    let Some(env) = with_container(test) else { return };
    env.write(
        "storage.conf",
        "[storage]\n[storage.options]\nroot-auto-userns-user = \"kilntest\"\nauto-userns-min-size = 500\n\
         auto-userns-max-size = 3000\n",
    );
    env.write("c/Dockerfile", "FROM localhost/base\nRUN id -u && touch /made\n");
    tell(
        &env,
        r#"
$ export CONTAINERS_STORAGE_CONF=storage.conf; first=$(grep kilntest /etc/subuid | cut -d: -f2)
> for name in a b; do kiln from -q --name $name --userns auto localhost/base; kiln run $name cat /proc/self/uid_map | busybox awk -v first=$first '{ print $1, $2 - first, $3 }'; done
a
0 0 2001
b
0 2001 2001
$ export CONTAINERS_STORAGE_CONF=storage.conf; first=$(grep kilntest /etc/subgid | cut -d: -f2)
> kiln rm a | wc -l; kiln from -q --name e --userns auto:size=700,uidmapping=7:0:2 localhost/base
> kiln run e cat /proc/self/uid_map /proc/self/gid_map | busybox awk -v first=$first '{ print $1, ($2 < first ? $2 : $2 - first), $3 }'
1
e
0 0 7
9 7 691
7 0 2
0 0 700
$ kiln run e sh -c 'touch /made; stat -c %u:%g /made /bin/busybox'; kiln commit -q e ids >out; kiln diff ids | sort
0:0
0:0
A /made
$ # The ids a build happens to get make no other step.
> export CONTAINERS_STORAGE_CONF=storage.conf; kiln build --userns auto c 2>told >out; kiln from -q --userns auto localhost/base; kiln build --userns auto c 2>>told >out; grep -c 'Using cache' told; kiln build --userns auto:size=600 c 2>>told >out; grep -c 'Using cache' told
base-working-container
1
1
$ export CONTAINERS_STORAGE_CONF=storage.conf; kiln run b sh -c 'echo user:x:5000:5000::/:/bin/sh >>/etc/passwd'; kiln commit -q b large >out; kiln from --userns auto large
! Error: cannot choose ids for the container: its image has ids up to 5000, and 3000 are the most
! hint: ask for as many: --userns auto:size=5001, or set auto-userns-max-size in storage.conf
[125]
$ export CONTAINERS_STORAGE_CONF=storage.conf; kiln from --userns auto:size=200000 localhost/base
! Error: cannot choose 200000 ids for a container: so many are not free of those that /etc/subuid gives
! hint: remove containers that are not needed: kiln rm NAME, or ask for fewer: auto:size=N
[125]
$ kiln from --userns auto localhost/base
! Error: cannot choose ids for a container: /etc/subuid has no line for `containers`
! hint: give it some that nobody has: `echo containers:2147483648:1073741824 | tee -a /etc/subuid /etc/subgid`
[125]
$ for word in auto:size=x auto:size auto:nosuch=1 auto:uidmapping=0:1 autos; do kiln from --userns $word localhost/base || echo $?; done
125
125
125
125
125
! Error: cannot use `--userns auto:size=x`: `x` is no size
! hint: write --userns auto:size=65536, or auto:uidmapping=INSIDE:OUTSIDE:LENGTH,gidmapping=… for ids that must be
! Error: cannot use `--userns auto:size`: `` is no size
! hint: write --userns auto:size=65536, or auto:uidmapping=INSIDE:OUTSIDE:LENGTH,gidmapping=… for ids that must be
! Error: cannot use `--userns auto:nosuch=1`: there is no option `nosuch`
! hint: write --userns auto:size=65536, or auto:uidmapping=INSIDE:OUTSIDE:LENGTH,gidmapping=… for ids that must be
! Error: cannot use `--userns auto:uidmapping=0:1`: `0:1` is no range of ids
! hint: write --userns auto:size=65536, or auto:uidmapping=INSIDE:OUTSIDE:LENGTH,gidmapping=… for ids that must be
! Error: cannot use `--userns autos`: it is no namespace
! hint: use host, private, auto, or the path of one
$ kiln from --userns auto --userns-uid-map 0:1:1 localhost/base
! Error: cannot use `--userns auto`: its ids are chosen, and here are maps
! hint: leave the maps away, or pin ids: auto:uidmapping=…
[125]
$ kiln run --userns auto c true
! Error: cannot use `--userns auto` for one command: ids are chosen for a container, when it is made
! hint: make it so: kiln from --userns auto IMAGE
[125]
"#,
    );
}
