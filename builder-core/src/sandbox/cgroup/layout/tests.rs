//! Tests of where control groups are found, on machines of both versions and of both at once.

use std::path::Path;

use super::*;

const HYBRID: &str = "\
24 1 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
25 24 0:23 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
26 24 0:24 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
27 24 0:25 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
28 24 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";

#[test]
fn both_versions_are_found_where_both_are() {
    let own = "4:memory:/docker/abc/x\n3:cpu,cpuacct:/\n2:pids:/\n1:name=systemd:/s\n0::/u\n";
    let layout = Layout::parse(HYBRID, own);
    assert_eq!(layout.single.keys().collect::<Vec<_>>(), ["cpu", "cpuacct", "memory"]);
    assert_eq!(layout.single["memory"].own, Path::new("/sys/fs/cgroup/memory/x"));
    assert_eq!(layout.single["cpu"].own, Path::new("/sys/fs/cgroup/cpu,cpuacct"));
    let unified = layout.unified.unwrap();
    assert_eq!(
        (unified.mount.to_str(), unified.own.to_str()),
        (Some("/sys/fs/cgroup/unified"), Some("/sys/fs/cgroup/unified/u"))
    );
}

#[test]
fn the_one_tree_is_found_alone() {
    let mounts = "30 1 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
    let layout = Layout::parse(mounts, "0::/user.slice/user-1000.slice\n");
    assert!(layout.single.is_empty());
    assert_eq!(layout.unified.unwrap().own, Path::new("/sys/fs/cgroup/user.slice/user-1000.slice"));
}

#[test]
fn nothing_is_found_where_nothing_is() {
    for (mounts, own) in [("", "0::/\n"), (HYBRID, ""), ("garbage\n - \n1 2 3 - cgroup\n", "0::/\nx\n:\n")] {
        assert_eq!(Layout::parse(mounts, own), Layout::default(), "{mounts:?}");
    }
}
