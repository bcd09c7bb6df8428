//! The walk by hand against the kernel: both must answer alike.

use std::ffi::CString;
use std::os::unix::fs::symlink;

use rustix::fs::OFlags;

use super::*;

/// The tree both ways are asked about.
fn tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join("root").join(path);
    std::fs::create_dir_all(at("a/b/c")).unwrap();
    std::fs::write(dir.path().join("outside"), "outside").unwrap();
    std::fs::write(at("file"), "file").unwrap();
    std::fs::write(at("a/b/inner"), "inner").unwrap();
    for (name, target) in [
        ("abs", "/a/b"),
        ("rel", "a/b"),
        ("up", "../../../../a"),
        ("escape", "../outside"),
        ("a/back", "../file"),
        ("a/b/top", "/"),
        ("dangling", "/nosuch"),
        ("to-dangling", "dangling"),
        ("slash", "a/b/"),
        ("file-slash", "file/"),
        ("loop1", "loop2"),
        ("loop2", "loop1"),
        ("self", "self"),
        ("chain", "abs/top/rel/inner"),
    ] {
        symlink(target, at(name)).unwrap();
    }
    // As many links as are followed, and one more.
    symlink("file", at("link0")).unwrap();
    for nth in 1..=40 {
        symlink(format!("link{}", nth - 1), at(&format!("link{nth}"))).unwrap();
    }
    dir
}

/// The kernel's answer, whatever others on this machine do: where they rename and mount it begins again, and then it
/// either gives up or counts the links that it followed twice.
fn ask(
    root: BorrowedFd<'_>,
    path: &str,
    flags: OFlags,
    mode: Mode,
    resolve: ResolveFlags,
) -> Result<OwnedFd, Errno> {
    let path = CString::new(path).unwrap();
    let mut answers = (0..100).filter_map(|_| by_kernel(root, &path, flags, mode, resolve));
    let is_final = |answer: &Result<OwnedFd, Errno>| !matches!(answer, Err(Errno::LOOP));
    answers.find(is_final).unwrap_or(Err(Errno::LOOP))
}

/// What an open gave: which inode, or which error.
fn answer(opened: Result<OwnedFd, Errno>) -> Result<u64, Errno> {
    opened.map(|fd| rustix::fs::fstat(&fd).unwrap().st_ino)
}

fn paths() -> Vec<String> {
    let mut paths: Vec<String> = [
        "",
        "/",
        ".",
        "..",
        "../..",
        "/..",
        "//",
        "file",
        "/file",
        "./file",
        "a//b",
        "a/./b",
        "a/b/..",
        "a/b/../..",
        "a/b/../../../file",
        "nosuch",
        "nosuch/x",
        "file/x",
        "file/",
        "file/.",
        "file/..",
        "a/",
        "a/b/inner/",
        "abs",
        "abs/",
        "abs/inner",
        "abs/..",
        "abs/../b/inner",
        "rel/inner",
        "up",
        "up/b/inner",
        "escape",
        "a/back",
        "a/b/top/file",
        "a/b/top/..",
        "dangling",
        "dangling/",
        "to-dangling",
        "slash",
        "slash/inner",
        "file-slash",
        "loop1",
        "loop1/x",
        "self",
        "chain",
        "link39",
        "link40",
        "link40/",
        "nosuch/..",
        "file/../a",
    ]
    .map(String::from)
    .to_vec();
    paths.push("x".repeat(255));
    paths.push("x".repeat(256));
    paths.push("a/b/../../".repeat(400) + "file");
    paths.push("./".repeat(2040) + "file");
    paths.push("./".repeat(2100) + "file");
    paths
}

#[test]
fn the_walk_answers_as_the_kernel_does() {
    let dir = tree();
    let root =
        rustix::fs::open(dir.path().join("root"), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
    let root = root.as_fd();
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    for path in paths() {
        let bytes = path.as_bytes();
        let asked = if path.is_empty() { "." } else { path.as_str() };
        for flags in [
            OFlags::PATH,
            OFlags::PATH | OFlags::NOFOLLOW,
            OFlags::PATH | OFlags::DIRECTORY,
            OFlags::RDONLY,
            OFlags::RDONLY | OFlags::NOFOLLOW,
            OFlags::RDONLY | OFlags::DIRECTORY,
            OFlags::WRONLY,
        ] {
            for (links, more) in
                [(Links::Followed, ResolveFlags::empty()), (Links::Refused, ResolveFlags::NO_SYMLINKS)]
            {
                // No caller asks for a link itself where links are refused; the two differ there.
                if links == Links::Refused && flags.contains(OFlags::NOFOLLOW) {
                    continue;
                }
                let flags = flags | OFlags::CLOEXEC;
                let kernel = ask(root, asked, flags, Mode::empty(), resolve | more);
                let walked = walk::walk(root, &[bytes], flags, Mode::empty(), links);
                let (kernel, walked) = (answer(kernel), answer(walked));
                assert_eq!(walked, kernel, "`{path}` with {flags:?} and links {links:?}");
            }
        }
    }
}

#[test]
fn the_walk_makes_files_where_the_kernel_does() {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    for path in [
        "new",
        "a/new",
        "abs/new",
        "dangling",
        "to-dangling",
        "escape",
        "file",
        "a",
        "nosuch/new",
        "new/",
        "/",
    ] {
        for more in [OFlags::empty(), OFlags::EXCL, OFlags::NOFOLLOW] {
            let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC | more;
            let mode = Mode::from_raw_mode(0o600);
            let outcome = |open: &dyn Fn(BorrowedFd<'_>) -> Result<OwnedFd, Errno>| {
                let dir = tree();
                let root = dir.path().join("root");
                let fd = rustix::fs::open(&root, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
                let made = open(fd.as_fd()).map(drop);
                let there =
                    ["new", "a/new", "a/b/new", "nosuch", "outside"].map(|path| root.join(path).exists());
                (made, there)
            };
            let kernel = outcome(&|root| ask(root, path, flags, mode, resolve));
            let walked = outcome(&|root| walk::walk(root, &[path.as_bytes()], flags, mode, Links::Followed));
            assert_eq!(walked, kernel, "`{path}` with {more:?}");
        }
    }
}

#[test]
fn a_long_path_is_opened_while_the_machine_is_busy_renaming() {
    let dir = tree();
    let root = dir.path().join("root");
    let fd = rustix::fs::open(&root, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
    let path = "a/b/../../".repeat(400) + "file";
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Elsewhere, and nothing that is on the way.
            while !stop.load(Ordering::Relaxed) {
                std::fs::rename(dir.path().join("outside"), dir.path().join("moved")).unwrap();
                std::fs::rename(dir.path().join("moved"), dir.path().join("outside")).unwrap();
            }
        });
        let open = || open(fd.as_fd(), path.as_str(), OFlags::PATH, Mode::empty(), Links::Followed);
        let failed = (0..400).find_map(|_| open().err());
        stop.store(true, Ordering::Relaxed);
        assert_eq!(failed, None);
    });
}

#[test]
fn magic_links_are_refused_and_plain_ones_of_proc_are_not() {
    let proc = rustix::fs::open("/proc", OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
    let file = tempfile::tempfile().unwrap();
    let fd = format!("self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
    for (path, refused) in [
        (fd.as_str(), true),
        ("self/cwd", true),
        ("self/root/etc", true),
        ("self/exe", true),
        ("self/ns/mnt", true),
        ("self/status", false),
        ("mounts", false),
        ("net/dev", false),
    ] {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let opened = walk::walk(proc.as_fd(), &[path.as_bytes()], flags, Mode::empty(), Links::Followed);
        assert_eq!(opened.map(drop), if refused { Err(Errno::LOOP) } else { Ok(()) }, "{path}");
    }
}

#[test]
fn a_tree_in_motion_never_lets_a_walk_out() {
    let dir = tree();
    let root = dir.path().join("root");
    std::fs::create_dir_all(root.join("deep/er/est")).unwrap();
    let secret = std::fs::metadata(dir.path().join("outside")).unwrap();
    let secret = std::os::unix::fs::MetadataExt::ino(&secret);
    let fd = rustix::fs::open(&root, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // A directory on the way moves out of the tree and back.
            while !stop.load(Ordering::Relaxed) {
                std::fs::rename(root.join("deep/er"), dir.path().join("moved")).unwrap();
                std::fs::rename(dir.path().join("moved"), root.join("deep/er")).unwrap();
            }
        });
        let path: &[u8] = b"deep/er/est/../../../outside";
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let open = || walk::walk(fd.as_fd(), &[path], flags, Mode::empty(), Links::Followed);
        let escaped = (0..3000).any(|_| answer(open()) == Ok(secret));
        stop.store(true, Ordering::Relaxed);
        assert!(!escaped);
    });
}

#[test]
fn a_relative_path_begins_where_the_process_is() {
    let mut buffer = [0; walk::MAX_PATH];
    let here = walk::working_directory(&mut buffer).unwrap().to_vec();
    assert_eq!(here, std::env::current_dir().unwrap().as_os_str().as_encoded_bytes());
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let walked = walk::walk(root.as_fd(), &[&here, b"./Cargo.toml"], flags, Mode::empty(), Links::Followed);
    let path = CString::new("./Cargo.toml").unwrap();
    assert_eq!(answer(walked), answer(open_by_no_magic(&path, OFlags::PATH)));
}
