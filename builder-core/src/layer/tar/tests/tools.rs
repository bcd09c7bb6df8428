//! Against trees on disk and the tars of other tools.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::*;
use crate::testing::{not_run, require_root};
use crate::tree::{Apply, Devices, Marks, Options, Root, walk};

/// A tree with something of everything that this user can make.
fn make_tree(path: &Path) {
    let script = r#"
        set -e; umask 022; chmod 751 .; mkdir -p a/b "a/sp ace"; echo one > a/one; ln a/one a/b/two; ln -s ../x a/link
        mkfifo a/pipe; chmod 1777 a/b; chmod 4751 a/one; printf 'x%.0s' $(seq 5000) > a/big
        n=$(printf 'n%.0s' $(seq 180)); mkdir $n; echo long > $n/$n; ln -s $n/$n l; echo ü > ü
        truncate -s 3M sparse; echo data | dd of=sparse bs=1 seek=1500000 conv=notrunc status=none
        head -c 300000 /dev/zero | tr '\0' 'q' > stream; touch -d '1960-01-02 03:04:05 UTC' old
        if [ $(id -u) = 0 ]; then mknod null c 1 3; chown 1000:3000000 a/big; chown -h 5:6 a/link; fi
        find . -depth ! -name old -exec touch -h -d '2020-02-02 02:02:02 UTC' {} +
    "#;
    let done = Command::new("sh").arg("-c").arg(script).current_dir(path).status().expect("sh runs");
    assert!(done.success());
    rustix::fs::setxattr(path.join("a/one"), "user.note", b"n\nn", rustix::fs::XattrFlags::empty())
        .expect("set");
}

fn list(path: &Path) -> Vec<String> {
    let root = Root::open_host(path).expect("it opens");
    walk(&root, Marks::None).map(|entry| show(entry.expect("an entry"))).collect()
}

fn unpack_into(tar: Vec<u8>, path: &Path) {
    let options = Options { marks: Marks::None, devices: Devices::Make, keep_times: true };
    let mut apply = Apply::new(&Root::open_host(path).expect("it opens"), options).expect("begun");
    for entry in read(Cursor::new(tar)) {
        apply.put(entry.expect("an entry")).expect("put");
    }
    apply.finish().expect("finished");
}

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").expect("a scratch directory")
}

/// The lines of both that are not in the other.
fn compare(ours: &[String], theirs: &[String]) {
    let missing: Vec<_> = theirs.iter().filter(|line| !ours.contains(line)).collect();
    let extra: Vec<_> = ours.iter().filter(|line| !theirs.contains(line)).collect();
    assert!(missing.is_empty() && extra.is_empty(), "missing {missing:#?}, extra {extra:#?}");
}

#[test]
fn a_tree_comes_back_from_its_tar_as_it_was() {
    let (from, to) = (scratch(), scratch());
    make_tree(from.path());
    let root = Root::open_host(from.path()).expect("it opens");
    let mut tar = Vec::new();
    write(walk(&root, Marks::None), &Profile::default(), &mut tar).expect("written");
    unpack_into(tar, to.path());
    // The root is unusual, so it came along too.
    compare(&list(to.path()), &list(from.path()));
    let blocks =
        |path: &Path| std::os::unix::fs::MetadataExt::blocks(&fs::metadata(path).expect("it is there"));
    assert!(blocks(&to.path().join("sparse")) < 1000, "a sparse file stays sparse");
}

#[test]
fn gnu_tar_opens_what_is_written() {
    if !require_root("gnu_tar_opens_what_is_written") {
        return;
    }
    let (from, to) = (scratch(), scratch());
    make_tree(from.path());
    let root = Root::open_host(from.path()).expect("it opens");
    let mut tar = Vec::new();
    write(walk(&root, Marks::None), &Profile::default(), &mut tar).expect("written");
    let mut child = Command::new("tar")
        .args(["--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf", "-", "-C"])
        .arg(to.path())
        .stdin(Stdio::piped())
        .spawn()
        .expect("tar runs");
    child.stdin.take().expect("a pipe").write_all(&tar).expect("taken");
    assert!(child.wait().expect("it ends").success());
    compare(&list(to.path()), &list(from.path()));
}

#[test]
fn what_gnu_tar_writes_in_any_form_is_read() {
    if !require_root("what_gnu_tar_writes_in_any_form_is_read") {
        return;
    }
    let forms: [&[&str]; 8] = [
        &["--format=gnu"],
        &["--format=gnu", "-S"],
        &["--format=oldgnu", "-S"],
        &["--format=posix", "--xattrs"],
        &["--format=posix", "-S", "--sparse-version=0.0", "--xattrs"],
        &["--format=posix", "-S", "--sparse-version=0.1", "--xattrs"],
        &["--format=posix", "-S", "--sparse-version=1.0", "--xattrs"],
        &["--format=posix", "--pax-option=globexthdr.name=g,comment=hello", "--xattrs"],
    ];
    for form in forms {
        let (from, to) = (scratch(), scratch());
        make_tree(from.path());
        let out = Command::new("tar").args(form).args(["-cf", "-", "."]).current_dir(from.path()).output();
        let out = out.expect("tar runs");
        assert!(out.status.success(), "{form:?}: {}", String::from_utf8_lossy(&out.stderr));
        unpack_into(out.stdout, to.path());
        let with_attributes = form.contains(&"--xattrs");
        let expected: Vec<String> = list(from.path())
            .into_iter()
            .map(|line| if with_attributes { line } else { line.replace(&format!("{:?}", note()), "{}") })
            .collect();
        compare(&list(to.path()), &expected);
    }
}

fn note() -> crate::tree::Xattrs {
    [(b"user.note".to_vec(), b"n\nn".to_vec())].into()
}

#[test]
fn what_pythons_tarfile_writes_is_read_and_the_other_way_round() {
    let script = r#"
import io, sys, tarfile
out = io.BytesIO()
for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT):
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        info = tarfile.TarInfo("p/" + "x" * 90 if form == tarfile.USTAR_FORMAT else "p/" + "x" * 300)
        info.size, info.mode, info.mtime = 5, 0o640, 1234567890
        if form != tarfile.USTAR_FORMAT:
            info.uid, info.gid = 4000000000, 3000000
        tar.addfile(info, io.BytesIO(b"hello"))
    data = out.getvalue()
    sys.stdout.buffer.write(len(data).to_bytes(8, "big") + data)
    out = io.BytesIO()
"#;
    let Ok(out) = Command::new("python3").args(["-c", script]).output() else {
        return not_run("what_pythons_tarfile_writes_is_read_and_the_other_way_round", "needs python3");
    };
    let mut rest = out.stdout.as_slice();
    for _ in 0..3 {
        let (length, data) = rest.split_at(8);
        let length = u64::from_be_bytes(length.try_into().expect("eight bytes")) as usize;
        let read = shown(data[..length].to_vec()).expect("read");
        assert_eq!(read.len(), 1);
        let ids = if read[0].len() > 300 { "4000000000:3000000" } else { "0:0" };
        assert!(read[0].contains(&format!("x 640 {ids} 1234567890.0 {{}} file 5")), "{read:?}");
        rest = &data[length..];
    }
    let script = r#"
import sys, tarfile
for m in tarfile.open(fileobj=sys.stdin.buffer, mode="r|"):
    print(m.name, oct(m.mode), m.uid, m.gid, m.mtime, m.size, m.type.decode(), m.linkname, sep=" ")
"#;
    let mut child = Command::new("python3")
        .args(["-X", "utf8", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs");
    child.stdin.take().expect("a pipe").write_all(&written(sampler())).expect("taken");
    let out = child.wait_with_output().expect("it ends");
    assert!(out.status.success());
    let text = String::from_utf8(out.stdout).expect("text");
    for line in [
        "bin 0o644 10 20 1000 0 5 ",
        "bin/ping 0o4755 10 20 1000 3 0 ",
        "bin/pong 0o644 10 20 1000 0 1 bin/ping",
        "dev/.wh..wh..opq 0o0 0 0 0 0 0 ",
        "far 0o644 3000000000 2097152 -86400.0 0 0 ",
        ".wh.gone 0o0 0 0 0 0 0 ",
        "late 0o644 10 20 8589934592.0 0 0 ",
    ] {
        assert!(text.lines().any(|found| found.trim_end() == line.trim_end()), "{line} is not in {text}");
    }
    assert!(text.contains(&format!("ü{} 0o644", "long".repeat(60))));
}
