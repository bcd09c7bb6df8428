//! Files of many shapes, built by Kiln, by Buildah and by Podman: the same config and the same files, times apart.

use std::path::Path;

use crate::support::{Env, Need, images, needs};

/// What all files of the corpus are built on.
pub const CONTEXT: &str = "
mkdir -p context/app/lib context/logs in; cd context
echo main >app/main.txt; echo util >app/lib/util.txt; echo x >'app/with space.txt'; ln -s main.txt app/link.txt
printf '#!/bin/sh\\necho run\\n' >app/run.sh; chmod 755 app/run.sh
echo secret >left-out; echo x >logs/a.log; echo keep >logs/keep.log
echo in >../in/inside; tar -cf files.tar -C ../in inside; gzip -nk files.tar
printf '# comment\\nleft-out\\n**/*.log\\n!logs/keep.log\\n' >.dockerignore
";

/// What Buildah leaves of its mounts, which an image has nothing to do with.
const SHOW: &str =
    "find . -mindepth 1 -type d -printf '%p %M %U:%G\\n' -o -mindepth 1 -printf '%p %M %U:%G %s %n %l\\n' |
    grep -vE '^\\./(dev|proc|sys|run|etc/hosts|etc/hostname|etc/resolv.conf) ' | sort
find . -type f -size -20k -exec sha256sum {} + | grep -vE ' \\./etc/(hosts|hostname|resolv.conf)$' | sort";

/// Files of which Podman 4.3, which commits every step, makes something else than Buildah and Docker do: it takes away
/// a CMD before ENTRYPOINT, and makes no directory for a WORKDIR in which nothing is run.
const NOT_PODMANS: [&str; 3] = ["entrypoint_keeps_cmd", "workdir_env", "workdir_relative"];

/// Builds the files called `names` with all and compares.
fn compare(test: &str, names: &[&str]) {
    if !needs(test, &[Need::Root, Need::Busybox, Need::Program("buildah")]) {
        return;
    }
    let env = Env::new();
    env.shell(CONTEXT).expect_ok("the context");
    images::write_busybox(&env.path("layout"), "localhost/base").expect("a busybox");
    env.ok(["pull", "-q", "oci:layout:localhost/base"]);
    // Podman takes no directory of more than 50 characters for what need not survive a reboot.
    let (store, run) = (env.path("peer"), env.path("r"));
    let storage = format!("--root {} --runroot {} --storage-driver overlay", store.display(), run.display());
    let peer = format!("buildah {storage}");
    // It shares Buildah's storage, by which its images are looked into.
    let podman = format!("podman {storage}");
    let has_podman = needs(test, &[Need::Program("podman")]);
    let pull = format!("{peer} tag $({peer} pull -q oci:layout:localhost/base) localhost/base:latest");
    env.shell(&pull).expect_ok("buildah has the base");
    for name in names {
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/build/corpus/{name}.dockerfile"));
        let build = |builder: &str, program: &str, flags: &str| {
            let words = format!("{builder} build -q {flags} -t {name} -f {} context", file.display());
            env.shell(&words).expect_ok(name);
            let show = format!(
                "{program} inspect --type image {name}; C=$({program} from --pull-never {name}); \
                 cd $({program} mount $C); {SHOW}"
            );
            env.shell(&show.replace(" --pull-never", "")).expect_ok(name)
        };
        let ours = parts(&build("kiln", "kiln", "--timestamp 0"));
        assert!(!ours.1.is_empty(), "{name} has files");
        let flags = "--isolation chroot --format docker --timestamp 0";
        let podman = Some(&podman).filter(|_| has_podman && !NOT_PODMANS.contains(name));
        for builder in [Some(&peer), podman].into_iter().flatten() {
            let theirs = parts(&build(builder, &peer, flags));
            assert_eq!(ours.0, theirs.0, "the config of {name} by {builder}");
            for (ours, theirs) in ours.1.iter().zip(&theirs.1) {
                assert_eq!(ours, theirs, "{name} by {builder}");
            }
            assert_eq!(ours.1.len(), theirs.1.len(), "{name}: {:#?}\n{:#?}", ours.1, theirs.1);
        }
    }
}

/// The config, less what Buildah says of itself and what is empty, and the lines that follow it.
fn parts(shown: &str) -> (serde_json::Value, Vec<String>) {
    let end = shown.find("\n}\n").expect("an object is shown") + 3;
    let all: serde_json::Value = serde_json::from_str(&shown[..end]).expect("JSON");
    let mut config = all["Docker"]["config"].as_object().expect("a config").clone();
    for name in ["Image", "Hostname", "ArgsEscaped"] {
        config.remove(name);
    }
    if let Some(labels) = config.get_mut("Labels").and_then(serde_json::Value::as_object_mut) {
        labels.remove("io.buildah.version");
    }
    config.retain(|_, value| match value {
        serde_json::Value::Null | serde_json::Value::Bool(false) => false,
        serde_json::Value::String(text) => !text.is_empty(),
        serde_json::Value::Array(items) => !items.is_empty(),
        serde_json::Value::Object(fields) => !fields.is_empty(),
        _ => true,
    });
    // A variable that is set again has a new place with Buildah, and its old one with Docker and here.
    if let Some(env) = config.get_mut("Env").and_then(serde_json::Value::as_array_mut) {
        env.sort_by(|one, other| one.as_str().cmp(&other.as_str()));
    }
    config.sort_keys();
    (config.into(), shown[end..].lines().map(str::to_owned).collect())
}

#[test]
fn commands_are_as_buildahs() {
    compare("commands_are_as_buildahs", &["plain", "shell_forms", "comments_and_blanks"]);
}

#[test]
fn shells_are_as_buildahs() {
    compare("shells_are_as_buildahs", &["user_and_shell", "escape", "pipefail"]);
}

#[test]
fn variables_are_as_buildahs() {
    compare("variables_are_as_buildahs", &["env_and_arg", "expansions"]);
}

#[test]
fn arguments_are_as_buildahs() {
    compare("arguments_are_as_buildahs", &["args_in_from", "workdir_relative", "arg_chain"]);
}

#[test]
fn stages_are_as_buildahs() {
    compare("stages_are_as_buildahs", &["multi_stage", "stage_of_stage", "lower_case"]);
}

#[test]
fn copies_are_as_buildahs() {
    compare("copies_are_as_buildahs", &["copies", "adds", "ignore"]);
}

#[test]
fn copies_of_links_are_as_buildahs() {
    compare("copies_of_links_are_as_buildahs", &["copy_symlinks", "scratch_only", "through_links"]);
}

#[test]
fn configs_are_as_buildahs() {
    compare("configs_are_as_buildahs", &["entrypoint_resets_cmd", "entrypoint_keeps_cmd", "healthcheck"]);
}

#[test]
fn healthchecks_are_as_buildahs() {
    compare("healthchecks_are_as_buildahs", &["healthcheck_none", "healthcheck_shell", "maintainer"]);
}

#[test]
fn files_are_as_buildahs() {
    compare("files_are_as_buildahs", &["removed_files", "modes"]);
}

#[test]
fn builds_of_programs_are_as_buildahs() {
    compare("builds_of_programs_are_as_buildahs", &["go", "rust"]);
}

#[test]
fn builds_of_scripts_are_as_buildahs() {
    compare("builds_of_scripts_are_as_buildahs", &["node", "python"]);
}

#[test]
fn builds_of_services_are_as_buildahs() {
    compare("builds_of_services_are_as_buildahs", &["java", "ruby"]);
}

#[test]
fn packages_are_as_buildahs() {
    compare("packages_are_as_buildahs", &["apt", "apk"]);
}

#[test]
fn more_packages_are_as_buildahs() {
    compare("more_packages_are_as_buildahs", &["dnf", "many_steps"]);
}

#[test]
fn words_and_lines_are_as_buildahs() {
    compare("words_and_lines_are_as_buildahs", &["env_forms", "labels", "crlf"]);
}

#[test]
fn lines_and_platforms_are_as_buildahs() {
    compare("lines_and_platforms_are_as_buildahs", &["workdir_env", "dash_lines", "cross"]);
}

#[test]
fn further_configs_are_as_buildahs() {
    compare("further_configs_are_as_buildahs", &["expose_forms", "shell_exec", "empty_commands"]);
}

#[test]
fn copies_of_stages_are_as_buildahs() {
    compare("copies_of_stages_are_as_buildahs", &["copy_from_image", "numbered_stages"]);
}

#[test]
fn owners_are_as_buildahs() {
    compare("owners_are_as_buildahs", &["chown_names", "ignored_parts"]);
}

#[test]
fn changed_files_are_as_buildahs() {
    compare("changed_files_are_as_buildahs", &["opaque", "hardlinks", "user_home"]);
}

#[test]
fn servers_are_as_buildahs() {
    compare("servers_are_as_buildahs", &["static_site", "database"]);
}

#[test]
fn users_of_images_are_as_buildahs() {
    compare("users_of_images_are_as_buildahs", &["distroless", "user_args"]);
}

#[test]
fn triggers_are_as_buildahs() {
    compare("triggers_are_as_buildahs", &["onbuild_base"]);
}

#[test]
fn tidied_files_are_as_buildahs() {
    compare("tidied_files_are_as_buildahs", &["cleanup", "makefile_tabs"]);
}

/// The shapes that Debian's Buildah does not know.
const NEWER: [&str; 8] = [
    "args_of_stages",
    "cache_mounts",
    "heredocs",
    "matrix",
    "modern_copies",
    "mounts",
    "onbuild_from",
    "parents",
];

#[test]
fn newer_shapes_have_what_the_reference_says() {
    if !needs("newer_shapes_have_what_the_reference_says", &[Need::Root, Need::Busybox]) {
        return;
    }
    let env = Env::new();
    env.shell(CONTEXT).expect_ok("the context");
    images::write_busybox(&env.path("layout"), "localhost/base").expect("a busybox");
    env.ok(["pull", "-q", "oci:layout:localhost/base"]);
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/build/corpus");
    for (name, show, expected) in [
        (
            "args_of_stages",
            "cat one two beside other",
            "everywhere of-one empty env\neverywhere of-one empty env\nnone none\nnone",
        ),
        ("cache_mounts", "cat installed out from-tmp", "package\nmain\npackage\n1000:1000 750\nscratch"),
        ("matrix", "cat common variant others/*", "common\ntwo\nchosen\none\ntwo\nchosen"),
        ("onbuild_from", "cat used copied by-number srv/program", "program\nprogram\nprogram\nprogram"),
        (
            "parents",
            "find . -type f -printf '%P %m %U:%G\\n' | sort",
            "excluded/app/main.txt 644 7:8\nexcluded/app/run.sh 755 7:8\nexcluded/app/with space.txt 644 7:8\n\
             moded/app/run.sh 755 0:0\npivot/keep/deep/lib/util.txt 644 0:0\n\
             plain/app/link.txt 644 0:0\nplain/app/main.txt 644 0:0\n\
             plain/app/with space.txt 644 0:0\nplain/lib/util.txt 644 0:0",
        ),
    ] {
        let file = corpus.join(format!("{name}.dockerfile"));
        let build = format!("kiln build -q -t {name} -f {} context", file.display());
        env.shell(&build).expect_ok(name);
        let shown = env.shell(&format!("cd $(kiln mount $(kiln from {name})) && {show} 2>/dev/null"));
        assert_eq!(shown.stdout.trim_end(), expected.trim_end(), "{name}");
    }
}

/// All files, by name.
pub fn names() -> Vec<String> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/build/corpus");
    let files = std::fs::read_dir(dir).expect("the corpus");
    let names = files.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.map(|name| name.trim_end_matches(".dockerfile").to_owned()).collect();
    names.sort();
    names
}

#[test]
fn every_file_is_compared() {
    let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file!()));
    let source = source.expect("this file");
    let names = names();
    assert!(names.len() >= 60, "{names:?}");
    for name in names {
        assert!(source.contains(&format!("\"{name}\"")), "{name} is in no list");
    }
    assert!(NEWER.len() < 10, "the shapes are those that both know");
}
