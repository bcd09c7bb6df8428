//! Stories of `kiln copy`: what Buildah's does, through the command line, as root and as an ordinary user.

use crate::support::{Env, Need, needs};

/// A context with most of what a tree can hold; in whole seconds, since Buildah rounds where Kiln keeps the time.
const CONTEXT: &str = "
mkdir -p context/d/sub context/e
cd context
echo 1 >d/one; echo 2 >d/sub/two; echo 3 >e/three; echo a >a.txt; echo b >b.txt
ln -s one d/link; ln -s d dirlink; ln -s d/one filelink; ln d/one d/hard
chmod 4755 d/sub/two; chmod 1777 d/sub; chmod 2750 e
mkfifo d/pipe
find . -exec touch -h -d '2001-02-03 04:05:06' {} +
";

/// What both programs must make of [`CONTEXT`]; `$B` is the program, `$C` the container, `$M` where it is mounted.
const COPIES: &str = "
mkdir -p $M/real $M/etc $M/x/old
echo 'web:x:33:34::/:/bin/sh' >$M/etc/passwd
echo 'web:x:34:' >$M/etc/group
ln -s /real $M/to-real; ln -s ../../out $M/to-out; touch $M/x/old/kept
touch -h -d '2001-02-03 04:05:06' $M/etc/passwd $M/etc/group $M/to-real $M/to-out $M/x/old/kept
$B copy -q $C d /dst
$B copy -q $C d/. e /several/
$B copy -q $C a.txt /renamed
$B copy -q $C a.txt b.txt /two
$B copy -q $C '*.txt' /globbed/
$B copy -q $C d/one /made/up/file
$B copy -q --chown 5:6 $C d /owned/below
$B copy -q --chown web $C a.txt /web
$B copy -q --chown 7 $C a.txt /seven
$B copy -q --chmod 700 $C d/one /mode
$B copy -q $C dirlink /through-link
$B copy -q $C filelink /links/
$B copy -q $C a.txt /to-real
$B copy -q $C a.txt /to-real/q
$B copy -q $C d /to-out
$B copy -q $C d /x
$B config --workingdir /w/x $C
$B copy -q $C a.txt
$B copy -q $C a.txt relative
$B copy -q $C a.txt down/
$B copy -q $C ../context/b.txt \"$PWD/a.txt\" /absolute
cd $M
find . -mindepth 1 -type d -printf '%p %M %U:%G\\n' -o -mindepth 1 -printf '%p %M %U:%G %s %n %l %Ts\\n' | sort
";

#[test]
fn it_copies_as_buildah_does() {
    if !needs("it_copies_as_buildah_does", &[Need::Root, Need::Program("buildah")]) {
        return;
    }
    let env = Env::new();
    env.shell(CONTEXT).expect_ok("the context");
    let kiln = format!("cd context; B=kiln; C=$(kiln from scratch); M=$(kiln mount $C); {COPIES}");
    let ours = env.shell(&kiln).expect_ok("kiln's copies");
    let store = env.path("peer");
    let peer = format!("buildah --root {0} --runroot {0}-run --storage-driver overlay", store.display());
    let theirs =
        env.shell(&format!("cd context; B='{peer}'; C=$($B from scratch); M=$($B mount $C); {COPIES}"));
    let theirs = theirs.expect_ok("buildah's copies");
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.lines().count(), theirs.lines().count(), "{ours}\n\n{theirs}");
    assert!(ours.lines().count() > 40, "{ours}");
}

#[test]
fn an_ordinary_user_copies_and_gives_away() {
    let test = "an_ordinary_user_copies_and_gives_away";
    let Some(env) = Env::for_user(test) else { return };
    env.shell(CONTEXT).expect_ok("the context");
    let container = env.ok(["from", "scratch"]);
    env.ok(["copy", "-q", "--chown", "5:6", &container, "context/d", "/dst"]);
    env.ok(["copy", "-q", &container, "context/a.txt", "/"]);
    let list = format!("m=$(kiln mount {container}); cd $m; stat -c '%n %u:%g %a' a.txt dst/one dst/sub");
    let listed = env.ok(["unshare", "sh", "-c", &list]);
    assert_eq!(listed, "a.txt 0:0 644\ndst/one 5:6 644\ndst/sub 5:6 1777");
}

#[test]
fn it_prints_a_digest_of_the_content_unless_quiet() {
    if !needs("it_prints_a_digest_of_the_content_unless_quiet", &[Need::Root]) {
        return;
    }
    let env = Env::new();
    env.shell(CONTEXT).expect_ok("the context");
    let container = env.ok(["from", "scratch"]);
    let digest = env.ok(["copy", &container, "context/d", "/a"]);
    assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digest}");
    env.shell("touch context/d/one").expect_ok("a new time");
    assert_eq!(env.ok(["copy", &container, "context/d", "/b"]), digest);
    env.shell("echo 2 >context/d/one").expect_ok("new content");
    assert_ne!(env.ok(["copy", &container, "context/d", "/b"]), digest);
    assert_eq!(env.ok(["copy", "-q", &container, "context/d", "/b"]), "");
}

#[test]
fn a_context_directory_bounds_the_sources_and_has_an_ignore_file() {
    if !needs("a_context_directory_bounds_the_sources_and_has_an_ignore_file", &[Need::Root]) {
        return;
    }
    let env = Env::new();
    env.shell(CONTEXT).expect_ok("the context");
    env.write("secret", "secret");
    env.write("context/.containerignore", "# not the rest\n*\n!d\nd/pipe\n");
    let container = env.ok(["from", "scratch"]);
    env.ok(["copy", "-q", "--contextdir", "context", &container, ".", "/all"]);
    env.ok(["copy", "-q", "--contextdir", "context", &container, "/d/sub", "/sub"]);
    let error = env.fails(125, ["copy", "--contextdir", "context", &container, "../secret", "/x"]);
    assert!(error.contains("cannot copy `../secret`"), "{error}");
    let root = env.ok(["mount", &container]);
    let listed = env.run("sh", ["-c", &format!("cd {root}; find . -type f | sort")]);
    assert_eq!(listed, "./all/d/hard\n./all/d/one\n./all/d/sub/two\n./sub/two");
}

#[test]
fn files_of_containers_and_images_keep_their_owner() {
    if !needs("files_of_containers_and_images_keep_their_owner", &[Need::Root]) {
        return;
    }
    let env = Env::new();
    env.write("file", "content");
    let source = env.ok(["from", "scratch"]);
    env.ok(["copy", "-q", "--chown", "5:6", &source, "file", "/dir/file"]);
    env.ok(["commit", "-q", &source, "owned"]);
    let container = env.ok(["from", "scratch"]);
    env.ok(["copy", "-q", "--from", &source, &container, "/dir/file", "/of-container"]);
    env.ok(["copy", "-q", "--from", "localhost/owned", &container, "dir", "/of-image"]);
    env.ok(["copy", "-q", "--from", "localhost/owned", "--chown", "9", &container, "dir/file", "/given"]);
    let root = env.ok(["mount", &container]);
    let owners = format!("cd {root}; stat -c '%n %u:%g' of-container of-image/file given");
    assert_eq!(env.run("sh", ["-c", &owners]), "of-container 5:6\nof-image/file 5:6\ngiven 9:9");
}

#[test]
fn the_store_is_not_copied_into_itself() {
    if !needs("the_store_is_not_copied_into_itself", &[Need::Root]) {
        return;
    }
    let env = Env::new();
    env.write("file", "content");
    let container = env.ok(["from", "scratch"]);
    // The directory above the story's files holds the store.
    env.ok(["copy", "-q", &container, "..", "/all"]);
    let root = env.ok(["mount", &container]);
    assert_eq!(
        env.run("sh", ["-c", &format!("cd {root}/all; ls -d files/file store || true")]),
        "files/file"
    );
}

/// A directory that becomes a new one is put into the upper itself where nobody has the container mounted.
#[test]
fn a_new_directory_is_the_same_in_a_container_that_is_mounted_and_in_one_that_is_not() {
    const TEST: &str = "a_new_directory_is_the_same_in_a_container_that_is_mounted_and_in_one_that_is_not";
    if !needs(TEST, &[Need::Root]) {
        return;
    }
    let env = Env::new();
    env.shell(CONTEXT).expect_ok("the context");
    let base = "
kiln from --name b scratch >/dev/null; M=$(kiln mount b)
mkdir -p $M/usr/share/old $M/data/d/sub; echo x >$M/data/hidden; ln -s usr/share $M/share; ln -s /data $M/usr/to-data
kiln commit -q --rm b base >/dev/null; mkdir special; mknod special/gone c 0 0";
    env.shell(base).expect_ok("the base");
    let copied = |mounted: &str| {
        let script = format!(
            "
kiln from --name c base >/dev/null; M=$(kiln mount c)
rm -rf $M/data
{mounted}
cd context
kiln copy -q c d /data
kiln copy -q c d/sub /share/new/below
kiln copy -q --chown 5:6 --chmod u=rwX,go= c d /made/up/
kiln copy -q c e /usr/to-data/e
kiln copy -q c . /all
cd ..
kiln copy -q c special /special 2>/dev/null || echo copying a mark: $?
M=$(kiln mount c); test ! -e $M/data/hidden; rmdir $M/special
find $M -printf '%P %M %U:%G %n %l %TY\\n' | sort
touch -d @0 $M $M/usr $M/usr/share
kiln commit -q --rm --timestamp 0 c result"
        );
        env.shell(&script).expect_ok("the copies")
    };
    let through = copied(":");
    let direct = copied("kiln umount c >/dev/null");
    assert_eq!(through, direct);
    assert!(through.contains("copying a mark: 125\n"), "{through}");
}
