//! Random edits of a container, cut anywhere into steps by commits in between: the last image is the same as without.

use std::fmt::Write;

use crate::support::{Env, Need, images, needs};

/// Numbers that look random and are the same in every run (splitmix64, by Sebastiano Vigna).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }

    /// A directory or a file in one; some are in the base image.
    fn path(&mut self) -> String {
        let directory = ["", "a/", "b/", "a/c/", "etc/", "home/", "tmp/"][self.index(7)];
        let name = ["x", "y", "z", "c", "passwd"][self.index(5)];
        format!("{directory}{name}")
    }

    fn directory(&mut self) -> &'static str {
        ["a", "b", "a/c", "b/c", "etc", "home", "tmp", "root", "bin"][self.index(9)]
    }

    fn index(&mut self, below: u64) -> usize {
        usize::try_from(self.next(below)).expect("a small number")
    }

    /// One edit as a shell line. It may fail, in the cut sequence as in the whole one.
    fn edit(&mut self) -> String {
        let (path, other, directory, number) = (self.path(), self.path(), self.directory(), self.next(1000));
        match self.next(20) {
            // Nobody reads the fifos.
            0..=2 => format!("test -p {path} || echo {number} > {path}"),
            3 => format!("test -p {path} || echo {number} >> {path}"),
            4 => format!("chmod {} {path}", ["600", "644", "4755", "1777", "000"][self.index(5)]),
            5 => format!("chown -h {}:{} {path}", number % 3, number % 7),
            6 => format!("mv -T {path} {other}"),
            7 => format!("mv -T {directory} {}", self.directory()),
            8 => format!("rm -rf {directory}"),
            9 => format!("rm -rf {path}"),
            10..=12 => format!("mkdir -p {directory}"),
            13 => format!("rm -rf {directory}; mkdir {directory}; echo {number} > {directory}/new"),
            14 => format!("ln -sfn {other} {path}"),
            // Swapped in one step: the directory becomes a link to where it went.
            15 => format!("mv -T {directory} moved && ln -s moved {directory}"),
            16 => format!("rm -f {path}; mkfifo {path}"),
            17 => format!("setfattr -n user.number -v {number} {path}"),
            // A linked file is neither written to nor moved with its directory afterwards: an overlay copies up one
            // name only, and `mv` copies what is in a layer below.
            18 => format!(
                "rm -rf links; mkdir links; echo {number} > links/1; ln links/1 links/2; ln links/1 l{number}"
            ),
            _ => format!("chmod {} .", ["755", "750", "711"][self.index(3)]),
        }
    }
}

/// The script that makes container `name`, does the edits and commits; with commits in between where `cuts` says so.
fn script(name: &str, edits: &[(String, bool)], cut: bool) -> String {
    let mut script = format!(
        "set +e; umask 022; kiln from --name {name} base >/dev/null; m=$(kiln mount {name}); cd $m || exit 1\n"
    );
    for (nth, (edit, cut_here)) in edits.iter().enumerate() {
        writeln!(script, "{{ {edit}; }} 2>/dev/null").expect("a string grows");
        if cut && *cut_here {
            // From outside, or the commit would find somebody in there and only copy; some do both.
            let inside = nth % 5 == 4;
            let go = if inside { "" } else { "cd /; " };
            writeln!(
                script,
                "{go}kiln commit -q {name} cut-{name} >/dev/null 2>&1 || exit 2; cd $m || exit 3"
            )
            .expect("a string grows");
        }
    }
    script
        + &format!(
            "cd /; kiln umount {name} >/dev/null; kiln commit -q --timestamp 1000000000 {name} whole-{name}"
        )
}

/// Plays some cases; `play` runs a script and returns what it printed.
fn cases(seeds: std::ops::Range<u64>, play: impl Fn(&str) -> String) {
    for seed in seeds {
        let mut numbers = Numbers(seed);
        let count = 10 + numbers.next(30);
        let edits: Vec<(String, bool)> = (0..count).map(|_| (numbers.edit(), numbers.next(4) == 0)).collect();
        let whole = play(&script(&format!("whole{seed}"), &edits, false));
        let cut = play(&script(&format!("cut{seed}"), &edits, true));
        assert_eq!(whole.len(), 64, "seed {seed}: {whole}");
        assert_eq!(whole, cut, "seed {seed}: {edits:#?}");
    }
}

#[test]
fn edits_cut_anywhere_into_steps_give_one_image() {
    let test = "regression::edits_cut_anywhere_into_steps_give_one_image";
    if !needs(test, &[Need::Root, Need::Busybox, Need::Program("setfattr")]) {
        return;
    }
    let env = Env::new();
    images::write_busybox(&env.path("layout"), "base").expect("a static busybox");
    env.ok(["pull", "-q", "oci:layout:base"]);
    cases(0..16, |script| env.shell(script).expect_ok("a case"));
    assert_eq!(env.ok(["check", "--deep"]), "");
}

#[test]
fn edits_in_rootless_sessions_cut_anywhere_into_steps_give_one_image() {
    let test = "regression::edits_in_rootless_sessions_cut_anywhere_into_steps_give_one_image";
    if !needs(test, &[Need::Busybox, Need::Program("setfattr")]) {
        return;
    }
    let Some(env) = Env::for_user(test) else { return };
    images::write_busybox(&env.path("layout"), "base").expect("a static busybox");
    env.ok(["pull", "-q", "oci:layout:base"]);
    cases(100..105, |script| env.run("kiln", ["unshare", "sh", "-euc", script]));
    assert_eq!(env.ok(["check", "--deep"]), "");
}
