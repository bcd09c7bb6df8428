//! Stories of `kiln add`: archives, addresses and repositories, through the command line.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::support::{Env, Need, needs};

/// A context with archives in most forms.
const CONTEXT: &str = "
mkdir -p context/d/sub context/e; cd context
echo 1 >d/one; echo 2 >d/sub/two; chmod 751 d/sub; ln -s one d/link; ln d/one d/hard; echo a >a.txt
find . -exec touch -h -d '2001-02-03 04:05:06' {} +
tar --owner=7 --group=8 -cf t.tar d; tar --owner=7 --group=8 -C d -cf dot.tar .
gzip -nk t.tar; bzip2 -k t.tar; xz -k t.tar; zstd -q t.tar
echo text | gzip -n >text.gz; : >empty.tar; head -c 10240 /dev/zero >zeros.tar
touch -d '2001-02-03 04:05:06' *
";

/// What both programs must make of [`CONTEXT`].
const ADDITIONS: &str = "
mkdir -p $M/there $M/real; ln -s real $M/link; touch -h -d '2001-02-03 04:05:06' $M/link
for form in '' .gz .bz2 .xz .zst; do $B add -q $C t.tar$form /form$form; done
$B add -q $C dot.tar /there
$B add -q $C dot.tar /new/below
$B add -q --chown 5:6 $C t.tar /owned/below
$B add -q --chmod 700 $C t.tar /moded
$B add -q $C t.tar a.txt text.gz empty.tar zeros.tar /mixed
$B add -q $C dot.tar /link
$B add -q $C d /directory
$B add -q $C a.txt /renamed
$B add -q $C 't.tar*' /globbed
$B config --workingdir /work $C
$B add -q $C t.tar
cd $M
find . -mindepth 1 -type d -printf '%p %M %U:%G\\n' -o -mindepth 1 -printf '%p %M %U:%G %s %n %l %Ts\\n' | sort
";

#[test]
fn it_adds_as_buildah_does() {
    if !needs("it_adds_as_buildah_does", &[Need::Root, Need::Program("buildah"), Need::Program("zstd")]) {
        return;
    }
    let env = Env::new();
    env.shell(CONTEXT).expect_ok("the context");
    let kiln = format!("cd context; B=kiln; C=$(kiln from scratch); M=$(kiln mount $C); {ADDITIONS}");
    let ours = env.shell(&kiln).expect_ok("kiln's additions");
    let store = env.path("peer");
    let peer = format!("buildah --root {0} --runroot {0}-run --storage-driver overlay", store.display());
    let theirs =
        env.shell(&format!("cd context; B='{peer}'; C=$($B from scratch); M=$($B mount $C); {ADDITIONS}"));
    let theirs = theirs.expect_ok("buildah's additions");
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.lines().count(), theirs.lines().count(), "{ours}\n\n{theirs}");
    assert!(ours.lines().count() > 60, "{ours}");
}

#[test]
fn it_prints_a_digest_and_shows_in_the_history() {
    if !needs("it_prints_a_digest_and_shows_in_the_history", &[Need::Root]) {
        return;
    }
    let env = Env::new();
    env.write("file", "content");
    let container = env.ok(["from", "scratch"]);
    let digest = env.ok(["add", "--add-history", &container, "file", "/"]);
    assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digest}");
    assert_eq!(env.ok(["add", "-q", &container, "file", "/"]), "");
    env.ok(["commit", "-q", &container, "image"]);
    let history = env.ok(["inspect", "--type", "image", "--format", "{{json .History}}", "localhost/image"]);
    assert!(history.contains(&format!("ADD file:{digest}")), "{history}");
}

#[test]
fn hostile_archives_and_bad_words_are_refused() {
    if !needs("hostile_archives_and_bad_words_are_refused", &[Need::Root]) {
        return;
    }
    let env = Env::new();
    env.shell(
        "echo x >f; tar -cPf up.tar ../files/f --transform 's,^,../../../,'; head -c 700 up.tar >cut.tar",
    )
    .expect_ok("archives");
    let container = env.ok(["from", "scratch"]);
    env.ok(["add", "-q", &container, "up.tar", "/in"]);
    let root = env.ok(["mount", &container]);
    assert_eq!(env.run("sh", ["-c", &format!("cd {root}; find in -type f")]), "in/files/f");
    let refused = [
        (&["cut.tar", "/x"][..], "cannot unpack `"),
        (&["nothing", "/x"], "cannot copy `nothing`"),
        (&["up.tar", "/in/files/f"], "cannot copy to `/in/files/f`"),
        (&["--chmod", "9", "f", "/x"], "9"),
        (&["--chown", "nobody-here", "f", "/x"], "nobody-here"),
        (&["--checksum", "sha256:00", "f", "/x"], "cannot check `sha256:00`"),
        (&["--timestamp", "soon", "f", "/x"], "soon"),
        (&["--retry-delay", "2", "f", "/x"], "2"),
        (&["https://-oProxyCommand=x/r.git", "/x"], "cannot use the repository"),
        (&["git@host.example:r#--upload-pack=id", "/x"], "is no reference"),
    ];
    for (args, words) in refused {
        let at = args.len() - 2;
        let args = [&["add"], &args[..at], &[&container], &args[at..]].concat();
        let error = env.fails(125, args.iter());
        assert!(error.contains(words), "{args:?}: {error}");
    }
}

/// Answers every request on a connection of its own by what `answer` writes, until the test ends.
fn serve(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(mut stream), answer) = (stream, answer.clone()) else { return };
            std::thread::spawn(move || {
                let mut head = String::new();
                let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
                while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap_or(0) > 0 {}
                answer(&head, &mut stream);
            });
        }
    });
    address
}

fn respond(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) {
    let head =
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

#[test]
fn addresses_are_fetched() {
    if !needs("addresses_are_fetched", &[Need::Root]) {
        return;
    }
    let env = Env::new();
    env.shell("echo in >inside; tar -cf t.tar inside").expect_ok("an archive");
    let tar = std::fs::read(env.path("t.tar")).expect("the archive");
    let failures = Arc::new(Mutex::new(2));
    let address = serve(move |head, stream| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        match path {
            "/d/file.txt?x=1" => {
                respond(stream, "200 OK", "Last-Modified: Sat, 03 Feb 2001 04:05:06 GMT\r\n", b"content\n");
            }
            "/t.tar" => respond(stream, "200 OK", "", &tar),
            "/moved" => respond(stream, "302 Found", "Location: /d/file.txt?x=1\r\n", b""),
            "/busy" => {
                let mut left = failures.lock().expect("one at a time");
                *left -= 1;
                let status = if *left >= 0 { "503 Service Unavailable" } else { "200 OK" };
                respond(stream, status, "", b"at last");
            }
            _ => respond(stream, "404 Not Found", "", b"no"),
        }
    });
    let container = env.ok(["from", "scratch"]);
    let at = |path: &str| format!("{address}{path}");
    env.ok(["add", "-q", &container, &at("/d/file.txt?x=1"), "/dir/"]);
    env.ok(["copy", "-q", "--chown", "5:6", "--chmod", "644", &container, &at("/moved"), "/named"]);
    env.ok(["add", "-q", &container, &at("/t.tar"), "/"]);
    env.ok(["add", "-q", "--unpack", &container, &at("/t.tar"), "/unpacked"]);
    env.ok(["add", "-q", "--retry", "2", "--retry-delay", "1ms", &container, &at("/busy"), "/busy"]);
    let sum = "sha256:434728a410a78f56fc1b5899c3593436e61ab0c731e9072d95e96db290205e53";
    env.ok(["add", "-q", "--checksum", sum, &container, &at("/d/file.txt?x=1"), "/checked"]);
    let root = env.ok(["mount", &container]);
    let list = "cd $0; stat -c '%n %a %u:%g %s %Y' dir/file.txt named t.tar unpacked/inside busy checked";
    let listed = env.run("sh", ["-c", list, &root]);
    let mut lines = listed.lines();
    assert_eq!(lines.next(), Some("dir/file.txt 600 0:0 8 981173106"));
    assert_eq!(lines.next(), Some("named 644 5:6 8 981173106"));
    assert_eq!(lines.next(), Some("t.tar 600 0:0 10240 0"));
    assert!(lines.next().is_some_and(|line| line.starts_with("unpacked/inside 644 0:0 3 ")), "{listed}");
    assert_eq!(lines.next(), Some("busy 600 0:0 7 0"));
    let wrong = sum.replace('4', "5");
    let error = env.fails(125, ["add", "--checksum", &wrong, &container, &at("/d/file.txt?x=1"), "/no"]);
    assert!(error.contains("has the digest sha256:4347") && error.contains("hint:"), "{error}");
    let error = env.fails(125, ["add", "--retry", "0", &container, &at("/nothing"), "/no"]);
    assert!(error.contains("the server answers 404"), "{error}");
    assert!(!std::path::Path::new(&root).join("no").exists());
}

/// `git daemon` on a port of its own; ends with the test.
pub struct Daemon {
    child: Child,
    pub address: String,
}

impl Daemon {
    /// Serves the repositories below `base`.
    pub fn start(base: &std::path::Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let child = Command::new("git")
            .args(["daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1"])
            .arg(format!("--port={port}"))
            .arg(format!("--base-path={}", base.display()))
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "safe.directory")
            .env("GIT_CONFIG_VALUE_0", "*")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("git daemon starts");
        for _ in 0..1000 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Daemon { child, address: format!("git://127.0.0.1:{port}") }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // The daemon itself is git's child: both are one group only if git made it so; ask each by its id.
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(child), nix::sys::signal::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn repositories_are_fetched() {
    if !needs("repositories_are_fetched", &[Need::Root, Need::Program("git")]) {
        return;
    }
    let env = Env::new();
    env.shell(
        "export GIT_AUTHOR_DATE='2001-02-03T04:05:06Z' GIT_COMMITTER_DATE='2001-02-03T04:05:06Z'
        export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a
        git init -q -b main repo; cd repo; mkdir sub
        echo one >file; echo two >sub/two; ln -s / out; chmod 755 sub/two
        git add .; git commit -qm one; git tag v1
        echo changed >file; git commit -qam two; git rev-parse HEAD v1 >../ids
        git config uploadpack.allowAnySHA1InWant true",
    )
    .expect_ok("a repository");
    let ids = std::fs::read_to_string(env.path("ids")).expect("ids");
    let (newest, oldest) = ids.trim().split_once('\n').expect("two ids");
    let daemon = Daemon::start(&env.path(""));
    let at = |rest: &str| format!("{}/repo{rest}", daemon.address);
    let container = env.ok(["from", "scratch"]);
    env.ok(["add", "-q", &container, &at(""), "/newest"]);
    env.ok(["add", "-q", &container, &at("#v1"), "/tag"]);
    env.ok(["add", "-q", &container, &at(&format!("#{}", &oldest[..10])), "/short"]);
    env.ok(["add", "-q", "--checksum", newest, &container, &at("#main:sub"), "/sub"]);
    env.ok(["add", "-q", &container, &at("?tag=v1&subdir=sub"), "/query"]);
    env.ok(["copy", "-q", "--keep-git-dir", &container, &at(""), "/kept"]);
    let root = env.ok(["mount", &container]);
    let show = "cd $0; cat newest/file tag/file short/file sub/two query/two; readlink newest/out;
        stat -c '%a %Y' sub/two newest/file; ls -d */.git; ls sub";
    assert_eq!(
        env.run("sh", ["-c", show, &root]),
        "changed\none\none\ntwo\ntwo\n/\n755 981173106\n644 981173106\nkept/.git\ntwo"
    );
    for (rest, words) in [
        ("#nothing", "cannot run `git fetch`"),
        ("#main:out", "is no directory of the repository"),
        ("#main:../x", "`..` leads out"),
        ("?nothing=1", "`nothing` means nothing"),
    ] {
        let error = env.fails(125, ["add", "--retry", "0", &container, &at(rest), "/no"]);
        assert!(error.contains(words), "{rest}: {error}");
    }
    let error = env.fails(125, ["add", "--checksum", oldest, &container, &at(""), "/no"]);
    assert!(error.contains("it is at commit"), "{error}");
    // A path is a path, whatever it looks like to git.
    let error = env.fails(125, ["add", &container, &format!("file://{}", env.path("repo").display()), "/no"]);
    assert!(error.contains("cannot copy `file://"), "{error}");
}
