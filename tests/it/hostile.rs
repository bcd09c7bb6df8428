//! Images that mean harm: whatever is in them, nothing outside the store is touched, nothing hangs, and what is refused
//! is refused in one clear sentence.

use std::path::{Path, PathBuf};

use serde_json::json;
use tar::EntryType;

use crate::support::env::finish;
use crate::support::trees::{Listing, list};
use crate::support::{Env, Need, images, needs};

/// An entry of a tar, with names no sane writer would write.
struct Evil {
    name: Vec<u8>,
    kind: EntryType,
    link: Vec<u8>,
    bytes: Vec<u8>,
}

fn entry(name: impl AsRef<[u8]>, kind: EntryType, link: impl AsRef<[u8]>, bytes: &[u8]) -> Evil {
    Evil { name: name.as_ref().to_vec(), kind, link: link.as_ref().to_vec(), bytes: bytes.to_vec() }
}

fn file(name: impl AsRef<[u8]>) -> Evil {
    entry(name, EntryType::Regular, "", b"evil\n")
}

fn symlink(name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Evil {
    entry(name, EntryType::Symlink, target, b"")
}

/// A tar of these, byte by byte: the crate's own writer refuses such names. Long names get GNU's long headers.
fn tar(entries: &[Evil]) -> Vec<u8> {
    let mut tar = Vec::new();
    for evil in entries {
        for (kind, text) in [(EntryType::GNULongName, &evil.name), (EntryType::GNULongLink, &evil.link)] {
            if text.len() > 100 {
                append(&mut tar, b"././@LongLink", kind, b"", text);
            }
        }
        append(&mut tar, &evil.name, evil.kind, &evil.link, &evil.bytes);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

fn append(tar: &mut Vec<u8>, name: &[u8], kind: EntryType, link: &[u8], bytes: &[u8]) {
    let mut header = tar::Header::new_gnu();
    let cut = |text: &[u8]| text[..text.len().min(100)].to_vec();
    let fields = header.as_gnu_mut().expect("a GNU header");
    fields.name[..cut(name).len()].copy_from_slice(&cut(name));
    fields.linkname[..cut(link).len()].copy_from_slice(&cut(link));
    header.set_entry_type(kind);
    header.set_mode(if kind == EntryType::Directory { 0o777 } else { 0o666 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1);
    header.set_size(bytes.len() as u64);
    header.set_device_major(1).expect("a small number");
    header.set_device_minor(3).expect("a small number");
    header.set_cksum();
    tar.extend_from_slice(header.as_bytes());
    tar.extend_from_slice(bytes);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

/// What must not change: a directory beside the store, and what is in it.
struct Canary {
    path: PathBuf,
    before: Listing,
    mode: u32,
}

impl Canary {
    fn new(env: &Env) -> Self {
        use std::os::unix::fs::PermissionsExt;
        env.write("canary/file", "alive\n");
        env.write("canary/deep/file", "alive\n");
        env.write("canary/passwd", "evil:x:0:0::/:/bin/sh\n");
        let path = env.path("canary");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o711)).expect("a mode of its own");
        Canary { before: list(&path), path, mode: 0o711 }
    }

    #[track_caller]
    fn assert_alive(&self, after: &str) {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(list(&self.path), self.before, "after {after}");
        let mode = std::fs::metadata(&self.path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o7777, self.mode, "after {after}");
    }

    /// Every way to say where it is: absolute, and up from anywhere.
    fn names(&self) -> [String; 3] {
        let path = self.path.display().to_string();
        let up = "../".repeat(30);
        [path.clone(), format!("{up}{}", &path[1..]), format!("a/b/{up}{}", &path[1..])]
    }
}

/// Layers that reach for the canary.
fn attacks(canary: &Canary) -> Vec<(String, Vec<Vec<u8>>)> {
    let mut attacks = Vec::new();
    let mut add = |what: &str, layers: &[&[Evil]]| {
        attacks.push((what.to_owned(), layers.iter().map(|entries| tar(entries)).collect()));
    };
    for at in canary.names() {
        let below = |name: &str| format!("{at}/{name}");
        add("a file", &[&[file(below("new"))]]);
        add("a file over another", &[&[file(below("file"))]]);
        add("a directory's mode", &[&[entry(format!("{at}/"), EntryType::Directory, "", b"")]]);
        add("a whiteout", &[&[file(below(".wh.file"))]]);
        add("an opaque mark", &[&[file(below(".wh..wh..opq"))]]);
        add("a hard link to it", &[&[entry("hard", EntryType::Link, below("file"), b""), file("hard")]]);
        add("a symlink out and a file through it", &[&[symlink("s", &at), file("s/new"), file("s/file")]]);
        add("the same in two layers", &[&[symlink("s", &at)], &[file("s/new"), file("s/file")]]);
        add("a whiteout through a symlink", &[&[symlink("s", &at)], &[file("s/.wh.file")]]);
        add("a whiteout deep through it", &[&[symlink("s", &at)], &[file("s/deep/.wh.file")]]);
        add("an opaque mark through it", &[&[symlink("s", &at)], &[file("s/.wh..wh..opq")]]);
        add("a whiteout in its own layer", &[&[symlink("s", &at), file("s/.wh.file")]]);
        add(
            "a directory over a symlink",
            &[&[symlink("s", &at), entry("s/", EntryType::Directory, "", b"")]],
        );
        add("a device through it", &[&[symlink("s", &at), entry("s/null", EntryType::Char, "", b"")]]);
        add("a pipe through it", &[&[symlink("s", &at), entry("s/pipe", EntryType::Fifo, "", b"")]]);
        add(
            "a link through it",
            &[&[symlink("s", &at), entry("h", EntryType::Link, "s/file", b""), file("h")]],
        );
        add(
            "a link placed through it",
            &[&[file("f"), symlink("s", &at), entry("s/l", EntryType::Link, "f", b"")]],
        );
        add(
            "symlinks in a row",
            &[&[symlink("t", &at), symlink("s", "t"), symlink("s/u", "x"), file("s/new")]],
        );
        add("a file that is a symlink", &[&[symlink("f", below("file")), file("f")]]);
    }
    for name in ["..", "../", "/..", ".", "/", "", "./.", "a/../..", ".wh...", ".wh..", "a/.wh...", ".wh./x"]
    {
        add(&format!("the name {name:?}"), &[&[file("a/b"), file(name)]]);
    }
    add("a name that ends", &[&[file(b"a\0b"), file(b"\0")]]);
    add("a link to nothing", &[&[entry("l", EntryType::Link, "nowhere", b"")]]);
    add("a link to itself", &[&[entry("l", EntryType::Link, "l", b""), symlink("s", "s"), file("s/x")]]);
    // Deep enough to take minutes where each level costs as much as all above it.
    add("deep names", &[&["a/", "b/", "c/", "d/"].map(|part| file(part.repeat(30_000) + "x"))]);
    add("a long name", &[&[file("x".repeat(70_000))]]);
    attacks
}

#[test]
fn layers_that_reach_outside_touch_nothing() {
    if !needs("layers_that_reach_outside_touch_nothing", &[Need::Root]) {
        return;
    }
    let env = Env::new();
    let canary = Canary::new(&env);
    let attacks = attacks(&canary);
    assert!(attacks.len() > 60, "{}", attacks.len());
    let (mut taken, mut refused) = (0, 0);
    for (what, layers) in attacks {
        let layout = env.path("layout");
        images::write_tars(&layout, "evil", &layers, &json!({}));
        let mut command = env.command("timeout");
        let pulled = finish(command.args(["30", "kiln", "pull", "-q", "oci:layout:evil"]));
        canary.assert_alive(&what);
        if pulled.code == 0 {
            taken += 1;
            // What was taken is used as any image is: mounted, copied into, committed, pushed.
            let script = "c=$(kiln from oci:layout:evil); m=$(kiln mount $c); find $m >/dev/null
                kiln copy -q $c canary/file /s/copied || :; kiln copy -q $c canary /s || :; rm -rf $m/s || :
                kiln commit -q $c evil; kiln push -q evil oci:out:x; rm -r out; kiln rm $c; kiln rmi -a -f";
            let used = env.shell(script);
            canary.assert_alive(&what);
            assert_eq!(used.code, 0, "{what}: {used:#?}");
        } else {
            refused += 1;
            assert_eq!(pulled.code, 125, "{what}: {pulled:#?}");
            assert!(pulled.stderr.starts_with("Error: cannot "), "{what}: {pulled:#?}");
            assert!(pulled.stderr.len() < 1000, "{what}: {} bytes said", pulled.stderr.len());
        }
        env.run("rm", ["-rf".as_ref(), layout.as_os_str()]);
    }
    assert!(taken > 0 && refused > 0, "{taken} taken, {refused} refused");
}

/// A store with `localhost/base`, a busybox image, and a container made odd by `script` in its root.
fn odd_container(env: &Env, script: &str) -> String {
    let container = env.ok(["from", "localhost/base"]);
    let root = env.ok(["mount", &container]);
    env.shell(&format!("cd {root}; {script}")).expect_ok(script);
    env.ok(["umount", &container]);
    container
}

fn with_busybox(test: &str) -> Option<Env> {
    if !needs(test, &[Need::Root, Need::Busybox, Need::Program("time")]) {
        return None;
    }
    let env = Env::new();
    images::write_busybox(&env.path("layout"), "localhost/base");
    env.ok(["pull", "-q", "oci:layout:localhost/base"]);
    Some(env)
}

/// The most memory `kiln` took, in KiB; whatever it does is over in 30 seconds.
fn peak(env: &Env, args: &[&str]) -> (i32, String, u64) {
    let peak = env.path("peak");
    let timed = ["--quiet", "-o", &peak.display().to_string(), "-f", "%M", "timeout", "30", "kiln"]
        .map(str::to_owned);
    let args = timed.into_iter().chain(args.iter().map(ToString::to_string));
    let outcome = finish(env.command("time").args(args));
    let text = std::fs::read_to_string(&peak).expect("what time measured");
    (outcome.code, outcome.stderr, text.trim().parse().expect("a number"))
}

#[test]
fn places_we_touch_are_never_followed_outside() {
    let Some(env) = with_busybox("places_we_touch_are_never_followed_outside") else { return };
    let canary = Canary::new(&env);
    let at = canary.path.display().to_string();
    let up = "../".repeat(30) + &at[1..];
    let places = [
        "proc",
        "sys",
        "dev",
        "etc",
        "tmp",
        "run",
        "etc/passwd",
        "etc/group",
        "etc/resolv.conf",
        "etc/hosts",
        "w",
    ];
    let mut scripts = Vec::new();
    for place in places {
        let empty = format!("rm -rf {place}; mkdir -p $(dirname {place})");
        for target in [&at, &up, &format!("{at}/file"), &place.to_owned()] {
            scripts.push(format!("{empty}; ln -s {target} {place}"));
        }
        scripts.push(format!("{empty}; mkfifo {place}"));
        scripts.push(format!("{empty}; mkdir {place}"));
        scripts.push(format!("{empty}; mknod {place} c 1 5"));
        scripts.push(format!("{empty}; truncate -s 8G {place}"));
    }
    let mut worked = 0;
    for script in &scripts {
        let container = odd_container(&env, script);
        let verbs: [&[&str]; 5] = [
            &["run", "--user", "user", &container, "/bin/busybox", "true"],
            &["run", "--network", "none", "--workingdir", "/w", &container, "/bin/busybox", "true"],
            &["run", "-v", &format!("{at}:/w/x:ro"), &container, "/bin/busybox", "true"],
            &["copy", "-q", "--chown", "user:extra", &container, "canary/file", "/w/copied"],
            &["commit", "-q", &container],
        ];
        // To hash eight gigabytes of nothing takes its time.
        let verbs = &verbs[..if script.contains("truncate") { 4 } else { 5 }];
        for verb in verbs {
            let (code, said, memory) = peak(&env, verb);
            canary.assert_alive(&format!("{script}: {verb:?}"));
            assert!(
                code == 0 || [1, 125].contains(&code) && said.starts_with("Error: cannot "),
                "{script}: {verb:?}: {code} {said}"
            );
            assert!(memory < 64 * 1024, "{script}: {verb:?} took {memory} KiB");
            worked += usize::from(code == 0);
        }
        env.ok(["rm", &container]);
        env.ok(["prune"]);
    }
    assert!(worked > scripts.len() * 2, "{worked} of {}", scripts.len() * 5);
}

#[test]
fn odd_links_of_honest_images_work() {
    let Some(env) = with_busybox("odd_links_of_honest_images_work") else { return };
    let script = "mkdir -p real/etc real/bin usr; mv bin real/bin.d; ln -s /real/bin.d bin
        mv etc/* real/etc; rmdir etc; ln -s ../../../../real/etc etc; ln -s /../../real up; ln -s ./up/../tmp/. dots
        rm -f real/etc/resolv.conf; ln -s ../run/somewhere/resolv.conf real/etc/resolv.conf; ln -s real/etc/passwd p";
    let container = odd_container(&env, script);
    let ran = |words: &[&str]| env.ok([&["run", &container, "--"], words].concat());
    assert_eq!(ran(&["/bin/id", "-un"]), "root");
    assert_eq!(ran(&["/up/bin.d/cat", "/etc/passwd"]).lines().count(), 2);
    assert_eq!(env.ok(["run", "--user", "user", "--workingdir", "/dots", &container, "pwd"]), "/tmp");
    env.write("file", "copied");
    env.ok(["copy", "-q", &container, "file", "/up/new/"]);
    assert_eq!(ran(&["cat", "/real/new/file"]), "copied");
    env.ok(["commit", "-q", &container, "odd"]);
    let again = env.ok(["from", "odd"]);
    assert_eq!(env.ok(["run", &again, "cat", "/up/new/file"]), "copied");
    // The links are still what they were.
    let root = env.ok(["mount", &again]);
    assert_eq!(
        std::fs::read_link(Path::new(&root).join("etc")).expect("a link"),
        Path::new("../../../../real/etc")
    );
}

#[test]
fn layouts_that_lie_are_refused() {
    let Some(env) = with_busybox("layouts_that_lie_are_refused") else { return };
    env.ok(["rmi", "base"]);
    let digest = "grep -o '[0-9a-f]\\{64\\}'";
    let find = format!(
        "cd lie; m=$({digest} index.json); M=blobs/sha256/$m; C=blobs/sha256/$({digest} $M | head -n 1)
         L=blobs/sha256/$({digest} $M | tail -n 1)
         again() {{ n=$(sha256sum $M | cut -c1-64); mv $M blobs/sha256/$n; s=$(stat -c %s blobs/sha256/$n)
             sed -i \"s/$m/$n/; s/\\\"size\\\":[0-9]*/\\\"size\\\":$s/\" index.json; }}
         config() {{ n=$(sha256sum $C | cut -c1-64); sed -i \"s/$(basename $C)/$n/\" $M
             mv $C blobs/sha256/$n; again; }}"
    );
    for (what, script) in [
        ("a truncated layer", "truncate -s -100 $L"),
        ("a longer layer", "printf more >>$L"),
        ("a flipped bit in the layer", "printf X | dd of=$L bs=1 seek=1000 conv=notrunc 2>/dev/null"),
        ("no layer", "rm $L"),
        ("a layer that is a pipe", "rm $L; mkfifo $L"),
        ("a layer that is a directory", "rm $L; mkdir $L"),
        ("a flipped bit in the manifest", "sed -i s/schema/schemb/ $M"),
        ("a flipped bit in the config", "sed -i s/PATH/PATZ/ $C"),
        ("a layer of another size", "sed -i 's/\"size\":[0-9]*}]/\"size\":77}]/' $M; again"),
        (
            "a config of other layers",
            "sed -i 's/\"diff_ids\":\\[\"sha256:......../&x/; s/:......../:00000000/3' $C; config",
        ),
        ("a config without layers", "sed -i 's/\"diff_ids\":\\[[^]]*\\]/\"diff_ids\":[]/' $C; config"),
        ("a layer too many", "sed -i 's/\"layers\":\\[\\(.*\\)\\]/\"layers\":[\\1,\\1]/' $M; again"),
        ("a manifest of garbage", "echo garbage >$M; again"),
        ("a manifest of brackets", "head -c 100000 /dev/zero | tr '\\0' '[' >$M; again"),
        ("a manifest of gigabytes", "truncate -s 4G $M"),
        ("an index of gigabytes", "truncate -s 4G index.json"),
        ("an index of brackets", "head -c 1000000 /dev/zero | tr '\\0' '[' >index.json"),
        ("an index that is a pipe", "rm index.json; mkfifo index.json"),
        ("a digest that is a path", "sed -i 's|sha256:[0-9a-f]*|sha256:../../../../etc/passwd|' index.json"),
        ("blobs elsewhere", "mv blobs ../elsewhere; ln -s ../elsewhere blobs"),
    ] {
        env.shell("rm -rf lie elsewhere; cp -r layout lie").expect_ok("a copy");
        env.shell(&format!("{find}; {script}")).expect_ok(what);
        let (code, said, memory) = peak(&env, &["pull", "-q", "oci:lie:localhost/base"]);
        assert_eq!(code, 125, "{what}: {said}");
        assert!(said.starts_with("Error: cannot ") && said.len() < 1000, "{what}: {said}");
        assert!(memory < 64 * 1024, "{what} took {memory} KiB");
        assert_eq!(env.ok(["images", "-q"]), "", "{what}");
        env.ok(["check"]);
    }
}
