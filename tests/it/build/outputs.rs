//! Stories of where an image goes besides the store, of its platforms and of what it says it is.

use super::with_busybox;
use crate::support::registry::{Setup, with_registry};

#[test]
fn files_and_archives_are_written() {
    let Some(env) = with_busybox("files_and_archives_are_written") else { return };
    env.write("c/f", "f\n");
    env.write("c/Dockerfile", "FROM scratch\nCOPY --chown=5:6 --chmod=640 f /d/f\n");
    env.write("out/stays", "");
    env.ok(["build", "-q", "-o", "out", "--timestamp", "1000000000", "c"]);
    let listed = env.shell("cd out; stat -c '%n %a %u:%g %Y' d/f; ls").expect_ok("the files");
    assert_eq!(listed, "d/f 640 5:6 1000000000\nd\nstays");
    let to_stdout = "kiln build -o - c 2>err | tar -tf -; grep -c '^[0-9a-f]\\{64\\}$' err";
    assert_eq!(env.shell(to_stdout).expect_ok("a tar"), "d/\nd/f\n1");
    env.ok(["build", "-q", "-o", "type=tar,dest=f.tar", "-o", "type=local,dest=more/deep", "c"]);
    assert_eq!(env.shell("tar -tf f.tar; ls more/deep/d").expect_ok("both"), "d/\nd/f\nf");
    env.ok(["build", "-q", "-t", "named", "-o", "type=oci,dest=o.tar,name=x", "c"]);
    env.ok(["build", "-q", "-t", "named", "-o", "type=docker,dest=d.tar", "c"]);
    env.ok(["build", "-q", "-o", "type=oci,dest=zs,tar=false,name=x,compression=zstd", "c"]);
    env.ok(["build", "-q", "-t", "oci:gz:x", "--compression-format", "gzip", "c"]);
    env.ok(["build", "-q", "-t", "oci:plain:x", "-D", "c"]);
    env.ok(["build", "-q", "-t", "first", "-t", "oci-archive:second.tar:y", "c"]);
    let kind =
        |layout: &str| env.shell(&format!("grep -rhao 'layer.v1.tar[+a-z]*' {layout}/blobs | sort -u"));
    assert_eq!(kind("zs").expect_ok("zstd"), "layer.v1.tar+zstd");
    assert_eq!(kind("gz").expect_ok("gzip"), "layer.v1.tar+gzip");
    assert_eq!(kind("plain").expect_ok("plain"), "layer.v1.tar");
    for place in ["oci-archive:o.tar:x", "docker-archive:d.tar", "oci:zs:x", "oci-archive:second.tar:y"] {
        env.ok(["pull", "-q", place]);
    }
    env.ok(["build", "-q", "-o", "type=image,\"name=one,two:2\"", "c"]);
    env.ok(["images", "two:2"]);
    env.shell("kiln build -q -o type=docker,dest=- c 2>/dev/null | tar -tf - manifest.json")
        .expect_ok("a stream");
    for (output, words) in [
        ("type=nothing,dest=x", "is none of local, tar, oci, docker, image and registry"),
        ("type=local", "needs a place"),
        ("type=tar,dest=out", "it is a directory"),
        ("type=registry", "it has no name that says where to"),
        ("c/f", "cannot make `c/f`"),
    ] {
        let error = env.fails(125, ["build", "-q", "-o", output, "c"]);
        assert!(error.contains(words), "{output}: {error}");
    }
}

#[test]
fn an_image_is_pushed() {
    let Some((env, _registry)) = with_registry("an_image_is_pushed", Setup::default()) else { return };
    env.write("c/Dockerfile", "FROM scratch\nLABEL a=b\n");
    env.shell(
        "set -e; kiln build -q --tls-verify=false --push -t $R/pushed:1 c
        kiln build -q --tls-verify=false -o type=registry,name=$R/other:2 c
        kiln build -q --tls-verify=false -o type=image,name=$R/third,push=true c
        for name in pushed:1 other:2 third; do kiln pull -q --tls-verify=false --policy always $R/$name; done",
    )
    .expect_ok("pushes");
}

#[test]
fn an_image_says_what_it_is_for() {
    let Some(env) = with_busybox("an_image_says_what_it_is_for") else { return };
    env.write("c/Dockerfile", "FROM scratch\nARG TARGETPLATFORM\nLABEL for=$TARGETPLATFORM\n");
    env.ok([
        "build",
        "-q",
        "-t",
        "image",
        "--os",
        "windows",
        "--arch",
        "arm",
        "--variant",
        "v6",
        "--os-version",
        "10.0",
        "--os-feature",
        "win32k",
        "c",
    ]);
    let format = "{{.OCIv1.OS}} {{.OCIv1.Architecture}} {{.OCIv1.Variant}} {{.OCIv1.Config.Labels}}";
    let shown = env.ok(["inspect", "--type", "image", "--format", format, "image"]);
    assert_eq!(shown, "windows arm v6 map[for:windows/arm/v6]");
    let config = env.shell("kiln push -q image oci:l:x; cat l/blobs/sha256/*").expect_ok("the config");
    assert!(
        config.contains(r#""os.version":"10.0""#) && config.contains(r#""os.features":["win32k"]"#),
        "{config}"
    );
    let error = env.fails(125, ["build", "--platform", "linux/arm64", "--arch", "arm64", "c"]);
    assert!(error.contains("--platform"), "{error}");
    // Several platforms under one name; then all that a list has.
    env.ok(["build", "-q", "--platform", "linux/amd64,linux/arm64", "-t", "list", "c"]);
    env.ok(["build", "-q", "--platform", "linux/amd64,linux/arm64", "-t", "list", "c"]);
    let list: serde_json::Value =
        serde_json::from_str(&env.ok(["manifest", "inspect", "list"])).expect("an index");
    assert_eq!(list["manifests"].as_array().map(Vec::len), Some(2), "{list}");
    env.write("on/Dockerfile", "FROM localhost/list\nLABEL on=top\n");
    let ids = env.ok(["build", "-q", "--all-platforms", "--manifest", "tops", "on"]);
    assert_eq!(ids.lines().count(), 2, "{ids}");
    env.ok(["build", "-q", "--platform", "linux/amd64,linux/arm64", "-o", "files", "c"]);
    assert!(env.path("files/linux_arm64").is_dir());
    let error = env.fails(125, ["build", "--all-platforms", "-t", "x", "c"]);
    assert!(error.contains("begins with no image"), "{error}");
    env.shell("kiln build -q --platform linux/amd64,linux/arm64 -t list --manifest more --metadata-file m c")
        .expect_ok("a list that is told of");
    let meta = std::fs::read_to_string(env.path("m")).expect("metadata");
    let meta: serde_json::Value = serde_json::from_str(&meta).expect("an object");
    assert_eq!(meta["image.name"], "localhost/more:latest,localhost/list:latest");
    let index = meta["containerimage.descriptor"]["mediaType"].as_str().expect("a media type");
    assert!(index.contains("index") && meta["containerimage.config.digest"].is_null(), "{meta}");
    let error = env.fails(125, ["build", "--metadata-file", "nowhere/m", "c"]);
    assert!(error.contains("cannot write `nowhere/m`"), "{error}");
    let error = env.fails(125, ["build", "--annotation", "=x", "c"]);
    assert!(error.contains("cannot use an annotation without a name"), "{error}");
    let error =
        env.fails(125, ["build", "--platform", "linux/amd64,linux/arm64", "-t", "x", "--iidfile", "i", "c"]);
    assert!(error.contains("cannot use `--iidfile` with several platforms"), "{error}");
}

#[test]
fn ids_and_dates() {
    let Some(env) = with_busybox("ids_and_dates") else { return };
    env.write("c/Dockerfile", "FROM scratch\nARG SOURCE_DATE_EPOCH\nLABEL at=$SOURCE_DATE_EPOCH\nCOPY f /\n");
    env.write("c/f", "f\n");
    assert_eq!(env.ok(["build", "-q", "--iidfile", "id", "c"]), "");
    let created = |flags: &[&str]| {
        env.ok([&["build", "-q", "-t", "dated"], flags, &["c"]].concat());
        env.ok([
            "inspect",
            "--type",
            "image",
            "--format",
            "{{.OCIv1.Created}} {{.OCIv1.Config.Labels}}",
            "dated",
        ])
    };
    assert!(created(&["--omit-timestamp"]).starts_with("1970-01-01"));
    env.shell("touch -d @1000000000 reference").expect_ok("a file");
    assert!(created(&["--reference-time", "reference"]).starts_with("2001-09-09"));
    let dated = created(&["--source-date-epoch", "1000000000"]);
    assert!(dated.starts_with("2001-09-09") && dated.ends_with("map[at:1000000000]"), "{dated}");
}
