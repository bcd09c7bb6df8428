//! One verb in one store: what is there before, what may be there after a cut, and what must hold then.

use std::path::{Path, PathBuf};

use super::trace::{self, End};
use crate::support::env::detach_below;
use crate::support::{Env, images, podman};

/// How many cuts a test run makes per verb; `KILN_POWER_CUT=all` makes all of them.
const CUTS: usize = 20;

/// One verb, and the world it is done in. The scripts run in the story's directory, with `layout` (an image, named
/// `base`) and `tree` (a small directory) in it.
pub struct Story {
    /// Makes the store; run once, the store is copied for each cut.
    pub setup: &'static [&'static str],
    /// What cannot be copied, such as mounts; run before each cut.
    pub before_each: &'static str,
    /// The words after `kiln`.
    pub verb: &'static [&'static str],
    /// Prints what is seen: either as before the verb or as after it.
    pub view: &'static str,
    /// Run once the verb is done; prints the same whether it was cut before or not.
    pub finish: &'static str,
    /// Whether doing the verb when it is done already succeeds as well.
    pub again: bool,
    /// Whether the store is damaged until the verb has run.
    pub damaged: bool,
    /// Whether Podman's storage is beside the store: in it, so that it is copied with it.
    pub shared: bool,
    /// The driver of that.
    pub driver: &'static str,
}

impl Default for Story {
    fn default() -> Self {
        Story {
            setup: &[],
            before_each: "true",
            verb: &[],
            view: "kiln images --no-trunc --format '{{.Name}} {{.Tag}} {{.ID}} {{.Digest}}' | sort
                kiln containers --format '{{.ContainerName}} {{.ImageName}} {{.ImageID}}'
                for c in $(kiln containers --format '{{.ContainerName}}'); do
                    kiln inspect --format '{{.OCIv1}}' $c
                done",
            finish: "true",
            again: false,
            damaged: false,
            shared: false,
            driver: "overlay",
        }
    }
}

/// Plays the story once whole and then once for each cut.
#[expect(clippy::print_stdout, reason = "the number of cuts is what the long run is asked for")]
pub fn play(name: &str, story: &Story) {
    let stage = Stage::new(story);
    stage.reset();
    let old = stage.view();
    let End::Exited { code: 0, writes } = stage.trace(None) else {
        panic!("kiln {:?} fails without a cut: {:#?}", story.verb, stage.env.kiln(story.verb));
    };
    let new = stage.view();
    assert!(writes > 0, "{name} writes nothing");
    let finished = stage.finish();
    stage.empty();
    let cuts = chosen(writes);
    println!("{name}: {} cuts at {writes} writing system calls", cuts.len());
    for cut in cuts {
        stage.reset();
        match stage.trace(Some(cut)) {
            // Threads and waiting make some runs shorter by a call or two.
            End::Exited { code, .. } => assert_eq!(code, 0, "{name}, cut {cut} of {writes}"),
            End::Cut(call) => {
                let at = format!("{name}, cut {cut} of {writes}, before {call}");
                stage.survive(&at, &old, &new);
                assert_eq!(stage.finish(), finished, "{at}: what comes of it");
            }
        }
        stage.empty();
    }
}

/// The cuts of this run: all, or some of them evenly spread, the first and the last among them.
fn chosen(writes: usize) -> Vec<usize> {
    match std::env::var("KILN_POWER_CUT").as_deref() {
        Ok("all") => return (1..=writes).collect(),
        Ok(some) => {
            return some
                .split(',')
                .map(|cut| cut.parse().expect("KILN_POWER_CUT: all, or numbers"))
                .collect();
        }
        Err(_) => {}
    }
    if writes <= CUTS {
        return (1..=writes).collect();
    }
    (0..CUTS).map(|nth| 1 + nth * (writes - 1) / (CUTS - 1)).collect()
}

struct Stage<'a> {
    env: Env,
    story: &'a Story,
    /// The store as the setup left it.
    kept: PathBuf,
}

impl<'a> Stage<'a> {
    fn new(story: &'a Story) -> Self {
        let mut env = Env::new();
        if story.shared {
            podman::share_with(&mut env, story.driver);
        }
        images::write_busybox(&env.path("layout"), "base").expect("a static busybox");
        env.shell(
            "mkdir -p tree/sub; echo a > tree/a; ln tree/a tree/b; ln -s a tree/c; echo x > tree/sub/x
            chmod 4755 tree/sub/x; setfattr -n user.k -v v tree/a; find tree -exec touch -hd @900000000 {} +",
        )
        .expect_ok("the tree to copy");
        for script in story.setup {
            env.shell(script).expect_ok("the setup");
        }
        let kept = env.path("kept");
        if env.store().exists() {
            env.run("cp", ["-a".as_ref(), env.store().as_os_str(), kept.as_os_str()]);
        }
        Stage { env, story, kept }
    }

    /// The state before the verb.
    fn reset(&self) {
        let store = self.env.store();
        detach_below(&store);
        if store.exists() {
            std::fs::remove_dir_all(&store).expect("the store goes");
        }
        if self.kept.exists() {
            self.env.run("cp", ["-a".as_ref(), self.kept.as_os_str(), store.as_os_str()]);
        }
        self.env.shell(self.story.before_each).expect_ok("before each");
    }

    fn trace(&self, cut: Option<usize>) -> End {
        let mut command = self.env.command(self.env.path("../bin/kiln"));
        trace::run(command.args(self.story.verb), cut)
    }

    fn view(&self) -> String {
        self.env.shell(self.story.view).expect_ok("the view")
    }

    fn finish(&self) -> String {
        self.env.shell(self.story.finish).expect_ok("the end")
    }

    /// What must hold after a cut.
    fn survive(&self, at: &str, old: &str, new: &str) {
        if !self.story.damaged {
            self.clean(at);
        }
        let seen = self.view();
        assert!(
            seen == old || seen == new,
            "{at}: a mixture is seen:\n{seen}\nbefore:\n{old}\nafter:\n{new}"
        );
        if seen == old || self.story.again {
            let again = self.env.kiln(self.story.verb);
            assert_eq!(again.code, 0, "{at}: doing it again: {again:#?}");
            assert_eq!(self.view(), new, "{at}: done again");
        }
        self.clean(at);
    }

    fn clean(&self, at: &str) {
        let check = self.env.kiln(["check", "--deep"]);
        assert_eq!((check.code, check.stdout.as_str(), check.stderr.as_str()), (0, "", ""), "{at}: check");
    }

    /// Removes everything and sees that nothing is left.
    fn empty(&self) {
        self.env.shell("kiln rm -a; kiln rmi -a; kiln prune --all").expect_ok("the removal of everything");
        for below in ["layers", "containers", "tmp", "trash", "images/blobs/sha256"] {
            assert_eq!(names(&self.env.store().join(below)), [] as [String; 0], "what is left in {below}");
        }
        if self.story.shared {
            self.env.shell("podman rmi -a -f").expect_ok("the removal of the rest");
            let left = self.env.shell(&format!(
                "cd $SHARED; ls -A {0} | grep -vx 'l\\|dir\\|.has-mount-program'; ls -A {0}/l {0}/dir 2>/dev/null |
                    grep -v '^{0}/.*:$'
                ls -A {0}-layers {0}-images {0}-containers | grep -v ':$\\|^$\\|\\.json$\\|\\.lock$'; true",
                self.story.driver
            ));
            assert_eq!(left.stdout, "", "what is left in Podman's storage");
        }
    }
}

fn names(dir: &Path) -> Vec<String> {
    let items = std::fs::read_dir(dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    items.map(|item| item.expect("a name").file_name().to_string_lossy().into_owned()).collect()
}
