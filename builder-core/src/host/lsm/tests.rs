//! What made-up machines have, and which labels follow.

use super::*;

const POLICY: &str = r#"process = "system_u:system_r:container_t:s0"
content = "system_u:object_r:virt_var_lib_t:s0"
file = "system_u:object_r:container_file_t:s0"
ro_file="system_u:object_r:container_ro_file_t:s0"
"#;

/// A machine with these files.
fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    root
}

fn fedora() -> Modules {
    let root = machine(&[
        ("sys/fs/selinux/mls", "1"),
        ("etc/selinux/config", "# comment\nSELINUX=enforcing\nSELINUXTYPE=targeted\n"),
        ("etc/selinux/targeted/contexts/lxc_contexts", POLICY),
    ]);
    Modules::look_in(root.path())
}

fn labels(words: &[&str]) -> Labels {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    fedora().labels("00000c01aaaa", &words).expect("SELinux is active")
}

#[test]
fn a_machine_without_modules_has_none() {
    assert_eq!(Modules::look_in(machine(&[]).path()), Modules::default());
    // A policy that is installed and not loaded.
    let root = machine(&[("etc/selinux/targeted/contexts/lxc_contexts", POLICY)]);
    assert_eq!(Modules::look_in(root.path()).labels("0", &[]), None);
    let root = machine(&[("sys/module/apparmor/parameters/enabled", "N\n")]);
    assert_eq!(Modules::look_in(root.path()).apparmor, None);
}

#[test]
fn apparmor_has_a_file_of_its_own_on_newer_kernels() {
    let enabled = ("sys/module/apparmor/parameters/enabled", "Y\n");
    assert_eq!(Modules::look_in(machine(&[enabled]).path()).apparmor, Some("/proc/thread-self/attr/exec"));
    let root = machine(&[enabled, ("proc/self/attr/apparmor/exec", "")]);
    assert_eq!(Modules::look_in(root.path()).apparmor, Some("/proc/thread-self/attr/apparmor/exec"));
}

#[test]
fn a_container_has_two_categories_of_its_own() {
    let own = labels(&[]);
    assert_eq!(own.process.as_deref(), Some("system_u:system_r:container_t:s0:c1,c4"));
    assert_eq!(own.private, "system_u:object_r:container_file_t:s0:c1,c4");
    assert_eq!(own.shared, "system_u:object_r:container_file_t:s0");
}

#[test]
fn words_change_parts_of_the_labels() {
    assert_eq!(labels(&["disable"]).process, None);
    assert_eq!(labels(&["disable"]).private, "system_u:object_r:container_file_t:s0:c1,c4");
    let own = labels(&["type:my_t", "filetype:my_file_t", "level:s0:c5,c6", "user:u", "role:r"]);
    assert_eq!(own.process.as_deref(), Some("u:r:my_t:s0:c5,c6"));
    assert_eq!(own.private, "u:object_r:my_file_t:s0:c5,c6");
    assert_eq!(own.shared, "u:object_r:my_file_t:s0");
}

#[test]
fn the_policy_for_containers_comes_first_and_one_without_levels_has_none() {
    let root = machine(&[
        ("sys/fs/selinux/mls", "0\n"),
        ("usr/share/containers/selinux/contexts", "process=\"a:b:c\"\nfile=\"a:object_r:d\"\n"),
        ("etc/selinux/targeted/contexts/lxc_contexts", POLICY),
    ]);
    let own = Modules::look_in(root.path()).labels("0123456789ab", &[]).expect("SELinux is active");
    assert_eq!((own.process.as_deref(), own.private.as_str()), (Some("a:b:c"), "a:object_r:d"));
}

#[test]
fn a_policy_that_says_nothing_or_nonsense_labels_nothing() {
    for policy in ["", "process = \"\"\nfile = \"x\"\n", "process = \"a:b\"\nfile = \"a:b:c\"\n", "\0\0"] {
        let root = machine(&[
            ("sys/fs/selinux/mls", "1"),
            ("etc/selinux/config", "SELINUXTYPE=../../../x\n"),
            ("etc/selinux/x/contexts/lxc_contexts", policy),
        ]);
        assert_eq!(Modules::look_in(root.path()).labels("0", &[]), None, "{policy:?}");
    }
}

#[test]
fn categories_are_two_different_ones_in_order_for_any_id() {
    for id in ["00000000", "ffffffff", "00000400", "000003ff", "", "not hexadecimal", "fffffc00"] {
        let pair = categories(id);
        let (low, high) = pair.split_once(',').unwrap();
        let number = |text: &str| text.strip_prefix('c').unwrap().parse::<u32>().unwrap();
        assert!(number(low) < number(high) && number(high) < CATEGORIES, "{id}: {pair}");
    }
}

#[test]
fn the_directories_of_the_system_keep_their_labels() {
    for path in ["/", "/usr", "/etc", "/home", "/tmp"] {
        assert!(refuse_relabeling(Path::new(path)).is_err(), "{path}");
    }
    for path in ["/home/me", "/srv/data", "/tmp/x"] {
        assert!(refuse_relabeling(Path::new(path)).is_ok(), "{path}");
    }
}
