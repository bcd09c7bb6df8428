//! Real images between Kiln and the tools of the field: what one writes the other opens, to the last attribute.

use std::path::{Path, PathBuf};

use crate::support::trees::{Listing, assert_alike, list};
use crate::support::{Env, Need, images, needs};

/// How a layout is pushed: a name for it, and the image with the flags.
const FORMS: [(&str, &[&str]); 4] = [
    ("gzip", &["debian"]),
    ("zstd", &["--compression-format", "zstd", "debian"]),
    ("plain", &["--disable-compression", "debian"]),
    ("docker", &["in-docker-format"]),
];

/// What a distribution has none of, put into the tree by hand.
const ODDITIES: &str = r#"
mkdir -p $M/odd/empty; cd $M/odd
echo one >one; ln one hard; ln -s one link; ln -s /nowhere/at/all absolute; ln -s ../../../out up
mkfifo -m 640 fifo; mknod char c 1 3; mknod block b 7 200; mknod -m 0 zero c 0 1
touch -d @-5 before; touch -d @1.75 part; touch -h -d @1000000000 link
setfattr -n user.note -v remark one; setcap cap_net_bind_service,cap_net_raw+ep before
chown 1000:2000 fifo; chown -h 12345:54321 link; chmod 7777 empty; chmod 0 zero; : >sparse; truncate -s 3M sparse
long=$(printf 'n%.0s' $(seq 200)); mkdir -p $long/$long; echo deep >$long/$long/$long; ln -s $long/$long/$long to-long
printf name >"$(printf 'not \303\244scii \377 bytes')"; echo x >'new
line'; chown 4000000000:3000000 part
"#;

/// A container with a real Debian and [`ODDITIES`], committed as `localhost/debian`, and what is in it.
fn debian(env: &Env, test: &str) -> Option<Listing> {
    let programs = [Need::Program("setcap"), Need::Program("setfattr")];
    if !needs(test, &[&[Need::Root], &programs[..]].concat()) {
        return None;
    }
    let tar = images::debian_tar(test)?;
    let script = format!(
        "c=$(kiln from scratch); M=$(kiln mount $c)
         tar --xattrs --xattrs-include='*' --numeric-owner -xpf '{}' -C $M
         (:; {ODDITIES})
         kiln config --cmd /bin/sh $c
         kiln commit -q $c debian >/dev/null; kiln commit -q --format docker $c in-docker-format >/dev/null; echo $M",
        tar.display()
    );
    let root = env.shell(&script).expect_ok("the Debian");
    Some(list(Path::new(&root)))
}

/// Pushes `localhost/debian` in a form and gives the layout.
fn push(env: &Env, form: (&str, &[&str])) -> PathBuf {
    let target = format!("oci:{}:latest", form.0);
    env.ok([&["push", "-q"], form.1, &[&target]].concat());
    env.path(form.0)
}

#[test]
fn umoci_unpacks_what_we_push() {
    let test = "umoci_unpacks_what_we_push";
    let env = Env::new();
    if !needs(test, &[Need::Program("umoci")]) {
        return;
    }
    let Some(ours) = debian(&env, test) else { return };
    for form in [FORMS[0], FORMS[2]] {
        let layout = push(&env, form);
        let bundle = env.path(format!("bundle-{}", form.0));
        env.run(
            "umoci",
            ["unpack", "--image", &format!("{}:latest", layout.display()), &bundle.display().to_string()],
        );
        assert_alike(&ours, &list(&bundle.join("rootfs")), 4000);
        env.run("rm", ["-rf".as_ref(), bundle.as_os_str()]);
    }
}

#[test]
fn skopeo_copies_what_we_push_and_we_pull_it_back() {
    let test = "skopeo_copies_what_we_push_and_we_pull_it_back";
    let env = Env::new();
    if !needs(test, &[Need::Program("skopeo")]) {
        return;
    }
    let Some(ours) = debian(&env, test) else { return };
    let id = env.ok(["images", "--no-trunc", "--format", "{{.ID}}", "debian"]);
    for form in FORMS {
        let layout = push(&env, form);
        let at = format!("oci:{}:latest", layout.display());
        let shown = env.run("skopeo", ["inspect", "--format", "{{.Os}} {{len .Layers}}", &at]);
        assert_eq!(shown, "linux 1", "{}", form.0);
        let dir = format!("dir:{}", env.path("dir").display());
        env.run("skopeo", ["--insecure-policy", "copy", "-q", &at, &dir]);
        // Back through skopeo, which compresses anew: into a store of its own.
        let back = format!("oci:{}:back", env.path(format!("back-{}", form.0)).display());
        let words = [
            "--insecure-policy",
            "copy",
            "-q",
            "--dest-compress-format",
            if form.0 == "zstd" { "zstd" } else { "gzip" },
        ];
        env.run("skopeo", [&words[..], &["--format", "oci", &dir, &back]].concat());
        let pulled = env.ok(["pull", "-q", &back]);
        if form.0 != "docker" {
            assert_eq!(format!("sha256:{pulled}"), id, "{}", form.0);
        }
        env.run(
            "rm",
            ["-rf".to_owned(), env.path("dir").display().to_string(), layout.display().to_string()],
        );
    }
    let other = env.path("other");
    let at = format!("oci:{}:back", env.path("back-zstd").display());
    let script = format!("export KILN_ROOT={}; kiln mount $(kiln from -q {at})", other.display());
    let root = env.shell(&script).expect_ok("a container of what skopeo wrote");
    assert_alike(&ours, &list(Path::new(&root)), 4000);
}

#[test]
fn buildah_starts_from_what_we_push_and_we_from_what_it_does() {
    let test = "buildah_starts_from_what_we_push_and_we_from_what_it_does";
    let env = Env::new();
    if !needs(test, &[Need::Program("buildah")]) {
        return;
    }
    let Some(ours) = debian(&env, test) else { return };
    push(&env, FORMS[1]);
    let at = env.path("peer").display().to_string();
    let script = format!(
        "b='buildah --root {at} --runroot {at}-run --storage-driver overlay'
         c=$($b from -q oci:{}:latest 2>/dev/null); echo peer >$($b mount $c)/from-peer; $b mount $c
         $b commit -q $c oci:{}:theirs >/dev/null",
        FORMS[1].0, "theirs"
    );
    let root = env.shell(&script).expect_ok("buildah's container");
    let theirs = list(Path::new(root.lines().next().expect("where it is mounted")));
    let mut expected = ours;
    let added = theirs[Path::new("from-peer")].clone();
    expected.insert("from-peer".into(), added);
    // Its storage knows no time before 1970.
    let mut there = expected.clone();
    let before = there.get_mut(Path::new("odd/before")).expect("an oddity");
    *before = before.replace(" -5 ", " 0 ");
    assert_alike(&there, &theirs, 4000);
    let container = env.ok(["from", "-q", &format!("oci:{}:theirs", env.path("theirs").display())]);
    assert_alike(&expected, &list(Path::new(&env.ok(["mount", &container]))), 4000);
}

#[test]
fn podman_and_runc_run_what_we_push() {
    let test = "podman_and_runc_run_what_we_push";
    let env = Env::new();
    let programs = [Need::Program("podman"), Need::Program("runc"), Need::Program("umoci")];
    if !needs(test, &programs) || debian(&env, test).is_none() {
        return;
    }
    // Podman takes no runroot of more than 50 characters.
    let short = tempfile::Builder::new().prefix("kiln-p").tempdir_in("/dev/shm").expect("a short directory");
    let runroot = short.path().display().to_string();
    let words = ["/usr/bin/dpkg-query", "-W", "-f", "${Status}", "dpkg"];
    for form in [FORMS[0], FORMS[1]] {
        push(&env, form);
        let at = env.path("podman").display().to_string();
        let podman = [
            "--root",
            &at,
            "--runroot",
            &runroot,
            "--storage-driver",
            "overlay",
            "--cgroup-manager",
            "cgroupfs",
            "--runtime",
            "runc",
        ];
        let id =
            env.run("podman", [&podman[..], &["pull", "-q", &format!("oci:{}:latest", form.0)]].concat());
        let run = [
            "run",
            "--rm",
            "--network",
            "host",
            "--security-opt",
            "seccomp=unconfined",
            "--ulimit",
            "nofile=1024:1024",
            "--ulimit",
            "nproc=4096:4096",
        ];
        let said = env.run("podman", [&podman[..], &run, &[&id], &words].concat());
        assert_eq!(said, "install ok installed", "{}", form.0);
        env.run("podman", [&podman[..], &["rmi", "-f", &id]].concat());
    }
    let bundle = env.path("bundle").display().to_string();
    env.run("umoci", ["unpack", "--image", &format!("{}:latest", env.path("gzip").display()), &bundle]);
    let edit = r#"import json, sys
c = json.load(open('config.json'))
c['process'].update(terminal=False, args=sys.argv[1:])
c['linux'].pop('seccomp', None)
c['linux']['namespaces'] = [n for n in c['linux']['namespaces'] if n['type'] != 'network']
json.dump(c, open('config.json', 'w'))"#;
    let script = format!(
        "cd {bundle}; python3 -c \"$EDIT\" {}; runc --root {bundle}-state run kiln-it-$$",
        words.map(|w| format!("'{w}'")).join(" ")
    );
    let mut command = env.command("/bin/sh");
    let outcome = crate::support::env::finish(command.args(["-euc", &script]).env("EDIT", edit));
    assert_eq!(outcome.expect_ok("runc"), "install ok installed");
}

#[test]
fn an_installed_tree_of_packages_is_kept() {
    let test = "an_installed_tree_of_packages_is_kept";
    let programs = [
        Need::Program("dnf"),
        Need::Program("rpmbuild"),
        Need::Program("createrepo_c"),
        Need::Program("umoci"),
    ];
    if !needs(test, &[&[Need::Root], &programs[..]].concat()) {
        return;
    }
    let env = Env::new();
    let repository = env.path("repository");
    images::write_rpm_repository(&env, &repository);
    let script = format!(
        "M=$(kiln mount $(kiln from scratch))
         dnf --installroot $M --repofrompath here,file://{} --repo here --releasever 1 --nogpgcheck \\
             -y install kiln-hello >&2
         kiln commit -q working-container packages >/dev/null; kiln push -q packages oci:out:latest; echo $M",
        repository.display()
    );
    let root = env.shell(&script).expect_ok("dnf");
    let ours = list(Path::new(&root));
    let bundle = env.path("bundle");
    env.run("umoci", ["unpack", "--image", "out:latest", &bundle.display().to_string()]);
    assert_alike(&ours, &list(&bundle.join("rootfs")), 30);
    let container =
        env.shell("KILN_ROOT=$PWD/other; export KILN_ROOT; kiln mount $(kiln from -q oci:out:latest)");
    assert_alike(&ours, &list(Path::new(&container.expect_ok("kiln"))), 30);
    let set = &ours[Path::new("var/lib/kiln-files/setuid")];
    assert!(set.starts_with("104755 0:0 "), "{set}");
}
