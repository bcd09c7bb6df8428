//! Stories of `build --compat-volumes`: commands change nothing in volumes.

use super::with_busybox;

const FILE: &str = "FROM localhost/base\n\
    RUN mkdir -p /vol/sub; echo a >/vol/sub/a; chmod 711 /vol/sub\n\
    VOLUME /vol/sub\n\
    VOLUME [\"/made/here\"]\n\
    RUN echo b >/vol/sub/b; rm /vol/sub/a; chmod 700 /vol/sub; touch /made/here/x; ls /vol/sub\n\
    RUN touch /vol/c /vol/sub/d; ls /vol/sub\n\
    VOLUME /vol\n\
    COPY Dockerfile /vol/sub/copied\n\
    RUN ls /vol/sub; rm -r /vol/sub/copied /vol/c; touch /vol/e\n\
    RUN --mount=type=tmpfs,target=/vol ls /vol >/others; touch /vol/f\n";

#[test]
fn volumes_are_changed_by_copies_only() {
    let Some(env) = with_busybox("volumes_are_changed_by_copies_only") else { return };
    env.write("c/Dockerfile", FILE);
    let told = env.shell("kiln build --compat-volumes -t first c 2>&1 >id; cat id").expect_ok("a build");
    assert!(told.contains("ls /vol/sub\nb\nSTEP") && told.contains("ls /vol/sub\na\nd\nSTEP"), "{told}");
    let show = |image: &str| {
        let show = format!(
            "m=$(kiln mount $(kiln from {image})); cd $m; find made vol | sort; stat -c %a vol/sub; cat others"
        );
        env.shell(&show).expect_ok(image)
    };
    assert_eq!(show("first"), "made\nmade/here\nvol\nvol/c\nvol/sub\nvol/sub/a\nvol/sub/copied\n711\nsub");
    // The same from the cache; and without the flag it is another image.
    let again = env.shell("kiln build --compat-volumes c 2>&1").expect_ok("again");
    assert!(
        again.contains("--> Using cache") && again.ends_with(told.lines().last().expect("an id")),
        "{again}"
    );
    env.ok(["build", "-q", "--compat-volumes=false", "-t", "kept", "c"]);
    assert_eq!(show("kept"), "vol\nvol/e\nvol/sub\nvol/sub/b\nvol/sub/d\n700");
    // Volumes of a base count, and cannot be removed.
    let file =
        "printf 'FROM first\\nRUN touch /vol/more; rm -rf /vol\\n' | kiln build --compat-volumes -f - c 2>&1";
    let outcome = env.shell(file);
    assert!(outcome.code == 1 && outcome.stdout.contains("Device or resource busy"), "{outcome:?}");
    let file =
        "printf 'FROM first\\nRUN touch /vol/more\\n' | kiln build -q --compat-volumes -t second -f - c";
    env.shell(file).expect_ok("on a base with volumes");
    assert_eq!(show("second"), show("first"));
}
