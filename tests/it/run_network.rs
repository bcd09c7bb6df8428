//! Stories of networks that pasta has joined to the host's: an ordinary user's default, and kept for later commands.

use std::os::unix::fs::PermissionsExt;

use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use crate::support::{Env, Need, needs, tell, with_container, with_container_for_user};

const NETWORK: &str = "c busybox readlink /proc/self/ns/net";

/// A function for the shell that kills the keepers of the story, and waits until they have ended.
const KILL: &str = r#"kill_keepers() {
    for pid in $(cat "$KILN_ROOT"/networks/* | grep -o '"pid":[0-9]*' | cut -d: -f2); do
        kill -9 "$pid"
        while ps -o stat= -p "$pid" | grep -qv Z; do sleep 0.05; done
    done
}
"#;

/// Opens the device that pasta works with to everyone, as it is on most machines, for this story.
fn open_tun(env: &Env) {
    let nothing = None::<&str>;
    let dir = env.path("devices");
    std::fs::create_dir(&dir).expect("a directory");
    mount(nothing, &dir, Some("tmpfs"), MsFlags::empty(), nothing).expect("a file system for it");
    let device = dir.join("tun");
    mknod(&device, SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(10, 200)).expect("the device");
    std::fs::set_permissions(&device, PermissionsExt::from_mode(0o666)).expect("open to everyone");
    mount(Some(&device), "/dev/net/tun", nothing, MsFlags::MS_BIND, nothing).expect("it is in its place");
}

/// Has pasta started by a script that tells of it in the file `told`.
fn count_starts(env: &mut Env) {
    let told = env.path("told");
    let pasta = env.write(
        "helpers/pasta",
        format!("#!/bin/sh\necho started >>{}\nexec /usr/bin/pasta \"$@\"\n", told.display()),
    );
    std::fs::set_permissions(pasta, PermissionsExt::from_mode(0o755)).expect("it can be run");
    env.write("told", "");
    env.write("kill", KILL);
    std::fs::set_permissions(&told, PermissionsExt::from_mode(0o666)).expect("open to everyone");
    let conf = env
        .write("conf", format!("[engine]\nhelper_binaries_dir = [\"{}\"]\n", env.path("helpers").display()));
    env.set("CONTAINERS_CONF", conf.display().to_string());
}

/// An ordinary user's container where pasta works.
fn user(test: &str) -> Option<Env> {
    if !needs(test, &[Need::User, Need::Program("pasta"), Need::File("/dev/net/tun")]) {
        return None;
    }
    let mut env = with_container_for_user(test)?;
    open_tun(&env);
    count_starts(&mut env);
    Some(env)
}

#[test]
fn an_ordinary_user_has_a_network_that_is_kept() {
    let Some(env) = user("an_ordinary_user_has_a_network_that_is_kept") else { return };
    tell(
        &env,
        r#"
$ kiln run c busybox ip route | grep -c '^default'; kiln run c busybox readlink /proc/self/ns/net >one; kiln run c busybox readlink /proc/self/ns/net >two; cmp one two; wc -l <told
1
1
$ test "$(cat one)" != "$(readlink /proc/self/ns/net)"; for how in "--network host" "--isolation chroot" "--net host"; do test "$(kiln run $how c busybox readlink /proc/self/ns/net)" = "$(readlink /proc/self/ns/net)" || echo "$how"; done
$ BUILDAH_ISOLATION=chroot kiln run c busybox readlink /proc/self/ns/net | cmp -s - one || kiln run --network private c busybox readlink /proc/self/ns/net | cmp - one; wc -l <told
1
$ kiln info --format '{{.host.keptNetworks}}'; kiln doctor | grep -o '; 1 network is kept for the next command'; ls "$KILN_ROOT/networks" | wc -l
1
; 1 network is kept for the next command
1
$ # Several at a time have each their own, and leave them to as many.
> for n in 1 2 3; do kiln from -q --name c$n oci:layout:localhost/base >/dev/null; kiln run c$n sh -c 'busybox sleep 1; busybox readlink /proc/self/ns/net' & done >nets; wait; sort -u nets | wc -l; wc -l <told
3
3
$ # What another may find changed is not left to it.
> for how in "--cap-add net_admin" "--cap-add all" "--pid host" "--security-opt unmask=ALL" "--network pasta:--mtu,1400"; do kiln run $how c busybox readlink /proc/self/ns/net; done >own; grep -xFf nets own || wc -l <told
8
$ kiln run c busybox readlink /proc/self/ns/net | grep -cxFf nets
1
$ kiln unshare sh -c 'kiln run c busybox readlink /proc/self/ns/net; kiln run c busybox readlink /proc/self/ns/net' | uniq -c | wc -l
1
"#,
    );
}

#[test]
fn a_network_ends_when_nobody_wants_it() {
    let Some(mut env) = user("a_network_ends_when_nobody_wants_it") else { return };
    env.set("KILN_NETWORK_KEEP", "1");
    tell(
        &env,
        r#"
$ keepers() { pgrep -u "$(id -u)" -x kiln-keeper | while read -r pid; do { tr '\0' '\n' <"/proc/$pid/environ"; } 2>/dev/null | grep -qx "KILN_ROOT=$KILN_ROOT" && echo "$pid"; done; }
> gone() { for try in $(seq 200); do test -n "$(keepers)" || test -n "$(ls "$KILN_ROOT/networks")" || return 0; sleep 0.1; done; keepers; ls "$KILN_ROOT/networks"; }
> kiln run c true; keepers | wc -l; gone
1
$ # One that is killed takes pasta with it, and is not waited for.
> export KILN_NETWORK_KEEP=100; kiln run c true; . ./kill; kill_keepers; kiln run c busybox ip route | grep -c default; ls "$KILN_ROOT/networks" | wc -l; wc -l <told
1
1
3
$ # A note that is none, of another boot, or of another process.
> export KILN_NETWORK_KEEP=100; note=$(ls "$KILN_ROOT"/networks/*); sed -E 's/"started":[0-9]+/"started":1/' "$note" >"$KILN_ROOT/networks/a"; sed 's/pid:/pid:x/' "$note" >"$KILN_ROOT/networks/b"; : >"$KILN_ROOT/networks/c"; head -c 30 "$note" >"$KILN_ROOT/networks/d"
> . ./kill; mkdir junk; mv "$KILN_ROOT"/networks/? junk; kill_keepers; mv junk/* "$KILN_ROOT/networks"; kiln run c true; ls "$KILN_ROOT/networks" | wc -l
1
$ export KILN_NETWORK_KEEP=0; kiln run c true; ls "$KILN_ROOT/networks" | wc -l; . ./kill; kill_keepers
1
$ KILN_NETWORK_KEEP=-1 kiln run c true
! Error: cannot use KILN_NETWORK_KEEP=`-1`: invalid digit found in string
! hint: KILN_NETWORK_KEEP is a whole number of seconds; 0 keeps no network
[125]
"#,
    );
}

#[test]
fn a_keeper_holds_no_container() {
    let Some(env) = user("a_keeper_holds_no_container") else { return };
    tell(
        &env,
        r#"
$ kiln unshare --mount c sh -c 'kiln run c sh -c "echo x >/made"; echo y >$c/more; kiln commit -q c one >/dev/null; kiln umount c >/dev/null; kiln run c cat /made /more; kiln rm c >/dev/null && wc -l <told'
x
y
1
$ kiln run missing true 2>&1 | wc -l; ls "$KILN_ROOT/networks" | wc -l
2
1
"#,
    );
}

#[test]
fn without_pasta_the_default_is_the_host() {
    let test = "without_pasta_the_default_is_the_host";
    let Some(env) = with_container_for_user(test) else { return };
    let host = std::fs::read_link("/proc/self/ns/net").expect("a network");
    env.write("empty/file", "");
    // Neither where the device is closed, nor without the program.
    for path in ["/usr/bin:/bin", &env.path("empty").display().to_string()] {
        let ran = env
            .command(env.path("../bin/kiln"))
            .env("PATH", path)
            // One that is kept is as good without the program.
            .env("KILN_NETWORK_KEEP", "0")
            .args(["run"])
            .args(NETWORK.split(' '))
            .output();
        let ran = ran.expect("kiln runs");
        let shown = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
        let open = std::fs::File::options().read(true).write(true).open("/dev/net/tun").is_ok();
        assert!(shown == host.display().to_string() || open && path.contains("/usr"), "{path}: {ran:?}");
        assert!(ran.stderr.is_empty(), "{ran:?}");
    }
}

#[test]
fn roots_private_networks_are_kept_too() {
    let test = "roots_private_networks_are_kept_too";
    if !needs(test, &[Need::Root, Need::Program("pasta"), Need::File("/dev/net/tun")]) {
        return;
    }
    let Some(mut env) = with_container(test) else { return };
    count_starts(&mut env);
    tell(
        &env,
        r#"
$ test "$(kiln run c busybox readlink /proc/self/ns/net)" = "$(readlink /proc/self/ns/net)"; kiln run --network private c true; kiln run --network private c busybox ip route | grep -c default; wc -l <told
1
1
$ kiln run c true; kiln rm c >/dev/null; . ./kill; kill_keepers
"#,
    );
}
