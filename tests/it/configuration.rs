//! Stories of the files and variables of the machine, one by one, and the list of all: each has its effect and a story
//! that shows it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::fake::{Fake, Reply};
use crate::support::images::write_tars;
use crate::support::{Env, Need, needs, tell, with_base, with_container, with_container_for_user};

/// Variables that Buildah reads, less those by which its processes talk to each other (`LOGLEVEL`), and those of
/// programs that Kiln does not start for it (GnuPG's, systemd's).
const VARIABLES: [&str; 32] = [
    "BUILDAH_CPPFLAGS",
    "BUILDAH_FORMAT",
    "BUILDAH_HISTORY",
    "BUILDAH_ISOLATION",
    "BUILDAH_LAYERS",
    "BUILDAH_NOPIVOT",
    "BUILDAH_RUNTIME",
    "BUILD_REGISTRY_SOURCES",
    "CONTAINERS_CONF",
    "CONTAINERS_CONF_OVERRIDE",
    "CONTAINERS_HELPER_BINARY_DIR",
    "CONTAINERS_POLICY_JSON",
    "CONTAINERS_REGISTRIES_CONF",
    "CONTAINERS_STORAGE_CONF",
    "DOCKER_CONFIG",
    "HOME",
    "REGISTRIES_CONFIG_PATH",
    "REGISTRY_AUTH_FILE",
    "SHELL",
    "SOURCE_DATE_EPOCH",
    "SSH_AUTH_SOCK",
    "STORAGE_DRIVER",
    "STORAGE_OPTS",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "_CONTAINERS_USERNS_CONFIGURED",
    "ftp_proxy",
    "http_proxy",
    "no_proxy",
];

/// Keys of the files that are not in what `info` shows of containers.conf.
const KEYS: [&str; 22] = [
    "additionalimagestores",
    "auto-userns-max-size",
    "auto-userns-min-size",
    "blocked",
    "credential-helpers",
    "driver",
    "graphroot",
    "ignore_chown_errors",
    "insecure",
    "location",
    "mirror",
    "mirror-by-digest-only",
    "mount_program",
    "mounts.conf",
    "prefix",
    "pull-from-mirror",
    "root-auto-userns-user",
    "rootless_storage_path",
    "runroot",
    "short-name-mode",
    "unqualified-search-registries",
    "[aliases]",
];

/// The text of all stories and of the tests beside the code, but for the lists above.
fn stories() -> String {
    fn collect(dir: &Path, text: &mut String) {
        for item in std::fs::read_dir(dir).expect("a directory").flatten() {
            let path = item.path();
            if path.is_dir() {
                collect(&path, text);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let read = std::fs::read_to_string(&path).expect("a file of ours");
                // What is after the lists.
                text.push_str(read.split("fn stories()").last().expect("one part at least"));
            }
        }
    }
    let (top, mut text) = (Path::new(env!("CARGO_MANIFEST_DIR")), String::new());
    for dir in ["tests/it", "builder-core/src/name", "builder-core/src/host"] {
        collect(&top.join(dir), &mut text);
    }
    text
}

#[test]
fn each_has_a_story() {
    let env = Env::new();
    let read = env.ok(["info", "--debug", "--format", "{{json (index .debug \"containers.conf\")}}"]);
    let read: serde_json::Value = serde_json::from_str(&read).expect("info prints JSON");
    let tables = read.as_object().expect("tables").values();
    let keys: BTreeSet<&str> =
        tables.flat_map(|table| table.as_object().expect("a table").keys()).map(String::as_str).collect();
    assert!(keys.len() > 40, "{keys:?}");
    let stories = stories();
    let is_told = |name: &str| {
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        stories.match_indices(name).any(|(at, _)| {
            // A line break in a string of ours is a backslash and an `n`.
            let before = stories[..at].strip_suffix("\\n").map_or(stories[..at].chars().last(), |_| None);
            let after = stories[at + name.len()..].chars().next();
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })
    };
    let all = keys.into_iter().chain(VARIABLES).chain(KEYS);
    let missing: Vec<&str> = all.filter(|name| !is_told(name)).collect();
    assert!(missing.is_empty(), "no story has {missing:?}");
}

#[test]
fn a_command_has_a_keyring_of_its_own() {
    let test = "a_command_has_a_keyring_of_its_own";
    let tools = [Need::Program("keyctl"), Need::Program("runc"), Need::File("/usr/lib64")];
    if !needs(test, &[Need::Root]) || !needs(test, &tools) {
        return;
    }
    let Some(env) = with_container(test) else { return };
    env.write("conf", "[containers]\nkeyring = false\n");
    env.write(
        "seen",
        "#!/bin/sh\nexec kiln run $RUNTIME -v /usr:/usr:ro -v /usr/lib64:/lib64:ro -v /usr/lib:/lib:ro c \
         /usr/bin/keyctl show @s\n",
    );
    tell(
        &env,
        r#"
$ chmod +x seen; keyctl session ours ./seen 2>&1 | grep -c 'keyring: ours'
0
[1]
$ export CONTAINERS_CONF=conf; keyctl session ours ./seen 2>&1 | grep -c 'keyring: ours'
1
$ export RUNTIME='--runtime runc'; keyctl session ours ./seen 2>&1 | grep -c 'keyring: ours'
0
[1]
$ export RUNTIME='--runtime runc' CONTAINERS_CONF=conf; keyctl session ours ./seen 2>&1 | grep -c 'keyring: ours'
1
"#,
    );
}

#[test]
fn platforms_have_runtimes_and_machines_namespaces() {
    let test = "platforms_have_runtimes_and_machines_namespaces";
    if !needs(test, &[Need::Root, Need::Program("runc")]) {
        return;
    }
    let Some(env) = with_container(test) else { return };
    let told = env.path("told");
    env.write("mine", format!("#!/bin/sh\necho \"$*\" >>{}\nexec runc \"$@\"\n", told.display()));
    let mine = env.path("mine");
    let arch = env.ok(["inspect", "--format", "{{.OCIv1.Architecture}}", "c"]);
    let platform = format!("linux/{}", arch.trim());
    env.write(
        "conf",
        format!(
            "[engine.platform_to_oci_runtime]\n\"{platform}\" = \"mine\"\n\"wasi/wasm\" = \"nosuch\"\n\
             [engine.runtimes]\nmine = [\"{}\"]\n",
            mine.display()
        ),
    );
    env.write("other", "[engine.platform_to_oci_runtime]\n\"wasi/wasm\" = \"nosuch\"\n");
    env.write("pivot", "[engine]\nno_pivot_root = true\n");
    env.write(
        "space",
        "[containers]\nuserns = \"private\"\npidns = \"host\"\nipcns = \"host\"\ncgroupns = \"host\"\n",
    );
    env.write("kept", "[containers]\nuserns = \"keep-id\"\n");
    env.write("groups", "[engine]\ncgroup_manager = \"systemd\"\n");
    env.write(
        "names",
        "[containers]\ndns_servers = [\"192.0.2.1\"]\ndns_options = [\"ndots:3\"]\ndns_searches = [\"example.com\"]\n\
         env_host = true\nno_hosts = true\napparmor_profile = \"unconfined\"\n",
    );
    tell(
        &env,
        r#"
$ chmod +x mine; export CONTAINERS_CONF=conf; kiln run c echo ran; grep -c -e 'run --bundle' told
ran
1
$ # Who names one gets that one.
> export CONTAINERS_CONF=conf; kiln run --runtime runc c echo ran; wc -l <told
ran
1
$ export CONTAINERS_CONF=conf; printf 'FROM localhost/base\nRUN echo built\n' >Dockerfile; kiln build . 2>&1 | grep '^built'; wc -l <told
built
2
$ CONTAINERS_CONF=other kiln run c echo ran
ran
$ export CONTAINERS_CONF=pivot; rm told; kiln run --runtime ./mine c true; BUILDAH_NOPIVOT=1 CONTAINERS_CONF= kiln run --runtime ./mine c true; CONTAINERS_CONF= kiln run --runtime ./mine c true; grep -c -e --no-pivot told
2
$ for space in user pid ipc cgroup uts; do CONTAINERS_CONF=space kiln run c busybox readlink /proc/self/ns/$space >in; readlink /proc/self/ns/$space | cmp -s - in && echo $space; done
pid
ipc
cgroup
[1]
$ CONTAINERS_CONF=kept kiln run c true
! warning: userns=`keep-id` of containers.conf has no effect here
! hint: --userns has other kinds than host and private
$ CONTAINERS_CONF=groups kiln run c true; CONTAINERS_CONF=groups kiln run --memory 1g c true 2>&1 | head -n 2
warning: cgroup_manager=`systemd` of containers.conf has no effect here
hint: Kiln sets limits itself: --cgroup-manager cgroupfs says so
$ ftp_proxy=http://proxy.example kiln run c sh -c 'echo $ftp_proxy'; ftp_proxy=x kiln run --env ftp_proxy=own c sh -c 'echo $ftp_proxy'
http://proxy.example
own
$ export CONTAINERS_CONF=names OURS=seen; kiln run c sh -c 'cat /etc/resolv.conf; echo $OURS; busybox grep -c containers.internal /etc/hosts'
search example.com
nameserver 192.0.2.1
options ndots:3
seen
! grep: /etc/hosts: No such file or directory
[2]
"#,
    );
}

#[test]
fn large_temporary_files_go_where_they_should() {
    let Some(env) = with_base("large_temporary_files_go_where_they_should") else { return };
    env.write("conf", "[engine]\nimage_copy_tmp_dir = \"/nosuch/conf\"\n");
    env.write("store", "[engine]\nimage_copy_tmp_dir = \"storage\"\n");
    env.write("odd", "[engine]\nimage_copy_tmp_dir = \"somewhere\"\n");
    tell(
        &env,
        r#"
$ kiln push -q base docker-archive:whole.tar:localhost/base; gzip -k whole.tar; kiln rmi base >out
$ TMPDIR=/nosuch/own kiln pull -q docker-archive:whole.tar.gz
! Error: cannot open the archive `whole.tar.gz`: cannot write temporary files in `/nosuch/own`: No such file or directory (os error 2)
! hint: name another directory with TMPDIR=DIR
[125]
$ unset TMPDIR; CONTAINERS_CONF=conf kiln load -i whole.tar.gz
! Error: cannot open the archive `whole.tar.gz`: cannot write temporary files in `/nosuch/conf`: No such file or directory (os error 2)
! hint: name another directory with TMPDIR=DIR
[125]
$ unset TMPDIR; CONTAINERS_CONF=odd kiln images
! Error: cannot use image_copy_tmp_dir=`somewhere`: it is neither an absolute path nor `storage`
! hint: correct it in containers.conf, or name another file with CONTAINERS_CONF=FILE
[125]
$ unset TMPDIR; CONTAINERS_CONF=store kiln load -q -i whole.tar.gz >out; kiln images --format '{{.Name}}'
localhost/base
$ # What TMPDIR says counts more, and where it is needed only.
> CONTAINERS_CONF=conf kiln load -q -i whole.tar.gz >out; TMPDIR=/nosuch/own kiln load -q -i whole.tar >out
$ kiln image --tmpdir /nosuch/flag copy docker-archive:whole.tar.gz containers-storage:again 2>&1 | grep -c /nosuch/flag
1
"#,
    );
}

#[test]
fn directories_of_a_user_are_where_the_environment_says() {
    let test = "directories_of_a_user_are_where_the_environment_says";
    let Some(env) = with_container_for_user(test) else { return };
    env.write("own/containers/containers.conf", "[containers]\nshm_size = \"3m\"\n");
    env.write("own/containers/storage.conf", "[storage]\nrunroot = \"/proc/nosuch/run\"\n");
    env.write("block.conf", "[[registry]]\nlocation = \"registry.example\"\nblocked = true\n");
    tell(
        &env,
        r#"
$ unset KILN_ROOT; XDG_DATA_HOME=$PWD/data kiln info --format '{{.store.GraphRoot}}'; HOME=$PWD/house kiln info --format '{{.store.GraphRoot}}'
<dir>/files/data/kiln
<dir>/files/house/.local/share/kiln
$ XDG_CONFIG_HOME=$PWD/own kiln info --debug --format '{{index .debug "containers.conf" "containers" "shm_size"}}'
! Error: cannot make the directory `/proc/nosuch/run`: No such file or directory (os error 2)
! hint: name another one with --runroot DIR, or leave it away
[125]
$ export XDG_CONFIG_HOME=$PWD/own; kiln --runroot run info --debug --format '{{index .debug "containers.conf" "containers" "shm_size"}} {{.store.RunRoot}}'
3m <dir>/files/run
$ printf '#!/bin/sh\necho "as $(id -u), $_CONTAINERS_USERNS_CONFIGURED"\n' >shell; chmod +x shell; SHELL=$PWD/shell kiln unshare
as 0, done
$ unset CONTAINERS_REGISTRIES_CONF; export REGISTRIES_CONFIG_PATH=block.conf; kiln pull registry.example/x
! Error: cannot use `registry.example/x:latest`: `registry.example` is blocked
! hint: see `blocked` in registries.conf and registries.conf.d
[125]
$ # A short name that was resolved once, as other tools keep it.
> mkdir -p cache/containers; printf '[aliases]\nthing = "registry.example/thing"\n' >cache/containers/short-name-aliases.conf; export XDG_CACHE_HOME=$PWD/cache CONTAINERS_REGISTRIES_CONF=block.conf; kiln pull thing
! Error: cannot use `registry.example/thing:latest`: `registry.example` is blocked
! hint: see `blocked` in registries.conf and registries.conf.d
[125]
"#,
    );
}

#[test]
fn keys_that_are_for_other_stores_are_told() {
    let env = Env::new();
    env.write(
        "named.conf",
        "[storage]\ndriver = \"overlay\"\ntransient_store = true\nimagestore = \"\"\n\
         [storage.options]\npull_options = {}\n\
         [storage.options.overlay]\nmountopt = \"nodev\"\nsize = \"10G\"\nskip_mount_home = \"false\"\n",
    );
    let other = env.path("other");
    env.ok(["--root".as_ref(), other.as_os_str(), "from".as_ref(), "-q".as_ref(), "scratch".as_ref()]);
    env.ok([
        "--root".as_ref(),
        other.as_os_str(),
        "commit".as_ref(),
        "-q".as_ref(),
        "working-container".as_ref(),
        "lent".as_ref(),
    ]);
    let lent = format!("[storage]\n[storage.options]\nadditionalimagestores = [\"{}\"]\n", other.display());
    env.write("lent.conf", lent);
    env.write("run.conf", format!("[storage]\nrunroot = \"{}\"\n", env.path("run").display()));
    tell(
        &env,
        r#"
$ CONTAINERS_STORAGE_CONF=named.conf kiln images -q
! warning: keys of storage.conf have no effect here: transient_store, options.overlay.mountopt, options.overlay.size
! hint: Kiln's store has a form of its own; for its options see kiln --help
$ CONTAINERS_STORAGE_CONF=run.conf kiln info --format '{{.store.RunRoot}}'; stat -c %a run
<dir>/files/run
700
$ CONTAINERS_STORAGE_CONF=lent.conf kiln images --format '{{.Name}}'; kiln images -q
localhost/lent
$ CONTAINERS_STORAGE_CONF=run.conf kiln --runroot aside info --format '{{.store.RunRoot}}'
<dir>/files/aside
"#,
    );
}

#[test]
fn helpers_are_where_the_environment_says() {
    let test = "helpers_are_where_the_environment_says";
    if !needs(test, &[Need::Program("pasta"), Need::File("/dev/net/tun")]) {
        return;
    }
    let Some(env) = with_container(test) else { return };
    env.write("helpers/pasta", "#!/bin/sh\necho started >&2\nexec /usr/bin/pasta \"$@\"\n");
    env.write("fails/pasta", "#!/bin/sh\nexit 1\n");
    env.write("conf", format!("[engine]\nhelper_binaries_dir = [\"{}\"]\n", env.path("fails").display()));
    tell(
        &env,
        r#"
$ chmod +x */pasta; export CONTAINERS_CONF=conf CONTAINERS_HELPER_BINARY_DIR=$PWD/helpers; kiln run --network private c busybox ip -o link show lo | grep -c UP
1
"#,
    );
}

#[test]
fn files_and_variables_of_registries() {
    let env = Env::new();
    env.write("helpers.conf", "credential-helpers = [\"drawer\"]\n");
    let answer = "#!/bin/sh\nread -r host; echo '{\"ServerURL\":\"'$host'\",\"Username\":\"kept\",\"Secret\":\"x\"}'\n";
    env.write("helper", answer);
    tell(
        &env,
        r#"
$ chmod +x helper; mv helper ../bin/docker-credential-drawer; CONTAINERS_REGISTRIES_CONF=helpers.conf kiln login --get-login registry.example
kept
"#,
    );
}

#[test]
fn as_many_layers_move_at_once_as_the_machine_says() {
    let env = Env::new();
    let tar = |name: &str| {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, std::io::empty()).expect("an entry");
        tar.into_inner().expect("a tar")
    };
    let tars: Vec<Vec<u8>> = ["a", "b", "c", "d", "e"].into_iter().map(tar).collect();
    let layout = env.path("layout");
    write_tars(&layout, "made", &tars, &serde_json::json!({}));
    let index = std::fs::read_to_string(layout.join("index.json")).expect("the index");
    let index: serde_json::Value = serde_json::from_str(&index).expect("JSON");
    let manifest = index["manifests"][0]["digest"].as_str().expect("a digest").to_owned();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counts, seen) = (now, most.clone());
    let server = Fake::start(move |asked| {
        let name = asked.path.rsplit('/').next().unwrap_or_default();
        let digest = if asked.path.contains("/manifests/") { manifest.as_str() } else { name };
        let Some(hex) = digest.strip_prefix("sha256:") else { return Reply::new(200, "") };
        let body = std::fs::read(layout.join("blobs/sha256").join(hex)).expect("a blob");
        if asked.path.contains("/blobs/") {
            let at_once = 1 + counts.fetch_add(1, Ordering::SeqCst);
            seen.fetch_max(at_once, Ordering::SeqCst);
            // Long enough that another would come meanwhile.
            std::thread::sleep(Duration::from_millis(100));
            counts.fetch_sub(1, Ordering::SeqCst);
        }
        Reply::new(200, body).header("Content-Type", "application/vnd.oci.image.manifest.v1+json")
    });
    env.write("conf", "[engine]\nimage_parallel_copies = 1\n");
    let image = format!("docker://{}/made", server.host);
    let told = env.shell(&format!("CONTAINERS_CONF=conf kiln pull -q --tls-verify=false {image}"));
    told.expect_ok("the pull");
    assert_eq!(most.load(Ordering::SeqCst), 1);
}
