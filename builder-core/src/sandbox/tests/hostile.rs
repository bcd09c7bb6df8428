//! Commands that cannot be run, and images that want to be mounted on elsewhere.

use super::*;
use crate::error::Kind;

fn error_of(image: &Image, spec: Spec) -> Error {
    match image.run(spec) {
        Err(error) => error,
        Ok(exit) => panic!("it ran: {exit:?}"),
    }
}

#[test]
fn what_cannot_be_run_says_why() {
    if !can_run("what_cannot_be_run_says_why") {
        return;
    }
    let image = Image::new();
    let file = |name: &str, content: &str, mode: u32| {
        fs::write(image.path().join(name), content).unwrap();
        fs::set_permissions(image.path().join(name), PermissionsExt::from_mode(mode)).unwrap();
    };
    file("plain", "x", 0o644);
    file("bin/lost", "#!/no/such/interpreter\n", 0o755);
    file("bin/text", "no program\n", 0o755);
    file("bin/data", "x", 0o644);
    // The beginning of a program for a processor that nobody has.
    let mut strange = *b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x0f\x27\x01\0\0\0";
    strange[18..20].copy_from_slice(&9999_u16.to_le_bytes());
    fs::write(image.path().join("bin/strange"), strange).unwrap();
    fs::set_permissions(image.path().join("bin/strange"), PermissionsExt::from_mode(0o755)).unwrap();
    let cases = [
        ("strange", Kind::NotStarted, "for another processor, and no emulator is registered"),
        ("/bin/strange", Kind::NotStarted, "for another processor, and no emulator is registered"),
        ("nothere", Kind::NotStarted, "PATH has it"),
        ("/nothere", Kind::NotStarted, "no such file"),
        ("/plain", Kind::NotStarted, "may execute"),
        ("data", Kind::NotStarted, "may execute"),
        ("/bin", Kind::NotStarted, "may execute"),
        ("lost", Kind::NotStarted, "interpreter"),
        ("text", Kind::NotStarted, "neither a program"),
        ("/plain/x", Kind::NotStarted, "no such file"),
        ("", Kind::Invalid, ""),
    ];
    for (command, kind, part) in cases {
        let error = error_of(&image, spec(&[command]));
        assert_eq!(error.kind(), kind, "{command}: {error:?}");
        assert!(format!("{error:?}").contains(part), "{command}: {error:?}");
    }
    let mut lost = spec(&["true"]);
    lost.directory = "/nowhere".into();
    let error = error_of(&image, lost);
    assert!(error.sentence().contains("`/nowhere`") && error.hint_text().is_some(), "{error:?}");
    assert!(error_of(&image, spec(&["a\0b"])).sentence().contains("a\\0b"));
}

#[test]
fn a_link_in_the_place_of_a_kernel_view_is_refused_and_nothing_outside_is_touched() {
    if !can_run("a_link_in_the_place_of_a_kernel_view_is_refused_and_nothing_outside_is_touched") {
        return;
    }
    for name in ["proc", "sys", "dev"] {
        for target in ["/bin", "../../../../../../tmp", "/nowhere", "."] {
            let image = Image::new();
            symlink(target, image.path().join(name)).unwrap();
            let error = error_of(&image, script_spec("true"));
            assert_eq!(error.kind(), Kind::Invalid, "{error:?}");
            assert!(format!("{error:?}").contains("symbolic link"), "{name} -> {target}: {error:?}");
            assert_eq!(fs::read_link(image.path().join(name)).unwrap(), Path::new(target));
        }
        let image = Image::new();
        fs::write(image.path().join(name), "").unwrap();
        assert_eq!(error_of(&image, script_spec("true")).kind(), Kind::Invalid, "{name} as a file");
    }
}

#[test]
fn links_on_the_way_of_a_mount_stay_inside() {
    if !can_run("links_on_the_way_of_a_mount_stay_inside") {
        return;
    }
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("hosts"), "outside").unwrap();
    let hosts = || vec![File::new("/etc/hosts", "generated")];
    // The directory is a link that would lead out, were it not resolved inside.
    let image = Image::new();
    symlink(outside.path(), image.path().join("etc")).unwrap();
    let seen = image.output(|spec| spec.files = hosts(), "cat /etc/hosts");
    assert_eq!(seen, "generated");
    assert_eq!(fs::read_to_string(outside.path().join("hosts")).unwrap(), "outside");
    let first = outside.path().components().nth(1).unwrap();
    assert!(!image.path().join(first).exists(), "what was made for it is gone again");

    // The file is a dangling link, as systemd's resolv.conf is.
    let image = Image::new();
    fs::create_dir(image.path().join("etc")).unwrap();
    symlink("../run/deep/stub", image.path().join("etc/hosts")).unwrap();
    assert_eq!(
        image.output(|spec| spec.files = hosts(), "cat /etc/hosts /run/deep/stub"),
        "generatedgenerated"
    );
    assert!(!image.path().join("run").exists());

    // Loops and files where directories should be are errors.
    let image = Image::new();
    symlink("etc", image.path().join("etc")).unwrap();
    let mut looped = script_spec("true");
    looped.files = hosts();
    error_of(&image, looped);
    let image = Image::new();
    fs::write(image.path().join("etc"), "").unwrap();
    let mut file = script_spec("true");
    file.files = hosts();
    error_of(&image, file);
    let image = Image::new();
    fs::create_dir_all(image.path().join("etc/hosts")).unwrap();
    let mut directory = script_spec("true");
    directory.files = hosts();
    assert_eq!(error_of(&image, directory).kind(), Kind::Invalid);
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_mounted_over_and_not_waited_for() {
    if !can_run("a_pipe_in_the_place_of_a_file_is_mounted_over_and_not_waited_for") {
        return;
    }
    let image = Image::new();
    fs::create_dir(image.path().join("etc")).unwrap();
    let pipe = image.path().join("etc/hosts");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    let files = vec![File::new("/etc/hosts", "generated")];
    assert_eq!(image.output(|spec| spec.files = files, "cat /etc/hosts"), "generated");
}

#[test]
fn the_old_root_cannot_be_reached() {
    if !can_run("the_old_root_cannot_be_reached") {
        return;
    }
    let image = Image::new();
    let marker = tempfile::tempdir().unwrap();
    fs::write(marker.path().join("marker"), "").unwrap();
    let path = marker.path().join("marker").display().to_string();
    let look = format!(
        "test ! -e /proc/1/root{path} && test ! -e /proc/self/cwd/../../..{path} && cd / && test ! -e ../..{path} && \
        mkdir /pit && busybox chroot /pit /bin/true 2>&1; cat /proc/self/mountinfo | wc -l; ls /proc/1/fd"
    );
    let seen = image.output(|_| (), &look);
    // All mounts are the container's: no line of the host's is left.
    let mounts: usize = seen.lines().find_map(|line| line.parse().ok()).unwrap();
    assert!(mounts < 32, "{seen}");
}

#[test]
fn our_open_files_are_no_way_out() {
    if !can_run("our_open_files_are_no_way_out") {
        return;
    }
    let image = Image::new();
    // A directory of the host that a careless caller left open for everyone.
    let leak = fs::File::open("/bin").unwrap();
    rustix::io::fcntl_setfd(&leak, rustix::io::FdFlags::empty()).unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&leak);
    for path in [
        format!("/proc/self/fd/{fd}"),
        format!("/link/{fd}"),
        "/proc/self/fd/3".into(),
        "/proc/1/root".into(),
    ] {
        let _ = symlink("/proc/self/fd", image.path().join("link"));
        let mut inside = script_spec("true");
        inside.directory.clone_from(&path);
        error_of(&image, inside);
        let error = error_of(&image, spec(&[&format!("{path}/busybox"), "true"]));
        assert!(matches!(error.kind(), Kind::NotStarted), "{path}: {error:?}");
    }
    // Also as the interpreter of a script.
    for interpreter in [format!("/proc/self/fd/{fd}/busybox"), "/proc/self/exe".into(), "/bin/second".into()]
    {
        let script = |name: &str, line: &str| {
            let path = image.path().join("bin").join(name);
            fs::write(&path, format!("#! {line} true\n")).unwrap();
            fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        };
        script("script", &interpreter);
        script("second", "/bin/link");
        let _ = symlink("../proc/self/exe", image.path().join("bin/link"));
        let error = error_of(&image, spec(&["script"]));
        assert!(matches!(error.kind(), Kind::NotStarted), "{interpreter}: {error:?}");
    }
    // And as the loader of a program: busybox has none, so a header of no use becomes one.
    let mut program = fs::read(BUSYBOX).unwrap();
    let (table, count) = (u64::from_le_bytes(program[32..40].try_into().unwrap()), program[56]);
    let last = table as usize + 56 * (usize::from(count) - 1);
    let name = b"/proc/self/exe\0";
    let end = program.len() as u64;
    program[last..last + 4].copy_from_slice(&3_u32.to_le_bytes());
    program[last + 8..last + 16].copy_from_slice(&end.to_le_bytes());
    program[last + 32..last + 40].copy_from_slice(&(name.len() as u64).to_le_bytes());
    program.extend_from_slice(name);
    fs::write(image.path().join("bin/loaded"), program).unwrap();
    fs::set_permissions(image.path().join("bin/loaded"), PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(error_of(&image, spec(&["loaded"])).kind(), Kind::NotStarted);
}

#[test]
fn scripts_and_their_interpreters_run() {
    if !can_run("scripts_and_their_interpreters_run") {
        return;
    }
    let image = Image::new();
    for (name, line) in
        [("one", "#!/bin/sh\nexit 5\n"), ("two", "#! \t/bin/sh -e\nexit 5\n"), ("three", "#!/bin/one\n")]
    {
        let path = image.path().join("bin").join(name);
        fs::write(&path, line).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(image.run(spec(&[name])).unwrap(), Exit::Code(5), "{name}");
    }
}
