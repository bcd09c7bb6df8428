//! The same words for Kiln, called by the name `buildah`, and for Buildah itself: same exit codes, same outputs.

use crate::support::needs::static_busybox;
use crate::support::redact::redact;
use crate::support::{Env, Need, needs};

/// Commands whose stdout is the same but for ids, times and the width of columns; and their exit codes.
const SAME: &str = r#"
buildah from scratch
buildah from scratch
buildah rm working-container-1 >/dev/null; buildah from scratch
buildah from --name mine scratch
buildah from --name mine scratch
buildah config --env A=b --cmd /x --label l=m working-container
buildah commit -q working-container base
buildah from localhost/base
buildah from base
buildah from base:latest
buildah from localhost/base:other
buildah from --nosuch base
buildah from
buildah containers -q | wc -l
buildah containers -q | head -n 1 | wc -c
buildah containers --noheading | grep -c '^[0-9a-f]\{12\} '
buildah containers --json | grep -c '"containername": "base-working-container"'
buildah containers --format 'table {{.ContainerName}}' | sort
buildah containers --format '{{.Nosuch}}'
buildah containers | head -n 1
buildah images
buildah images -n
buildah images -q
buildah images --no-trunc
buildah images -q --no-trunc
buildah images base
buildah images nosuch
buildah tag base second
buildah images | sort
buildah mount nosuch
buildah mount
test "$(buildah mount mine)" = "$(buildah inspect --format '{{.MountPoint}}' mine)"
buildah mount | cut -d' ' -f1
buildah mount mine base-working-container | cut -d' ' -f1
buildah umount mine
buildah umount mine
buildah umount nosuch
buildah umount
buildah umount -a
buildah umount -a
buildah rename mine other
buildah rename other working-container
buildah rename nosuch x
buildah rename other other
buildah rename other
buildah config --env A- other; buildah inspect --format '{{.OCIv1.Config.Env}}' other
buildah config --env B=c --env - other; buildah inspect --format '{{.OCIv1.Config.Env}}' other
buildah config --env B=c --env C=d other; buildah config --env B- other; buildah inspect --format '{{.OCIv1.Config.Env}}' other
buildah config --entrypoint '["/x"]' other; buildah inspect --format '{{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.Cmd}}' other
buildah config --entrypoint '/x y' other; buildah inspect --format '{{.OCIv1.Config.Entrypoint}}' other
buildah config --entrypoint '["broken' other; buildah inspect --format '{{.OCIv1.Config.Entrypoint}}' other
buildah config --entrypoint '' other; buildah inspect --format '{{.OCIv1.Config.Entrypoint}}' other
buildah config --cmd 'a "b c" d' other; buildah inspect --format '{{.OCIv1.Config.Cmd}}' other
buildah config --cmd '' other; buildah inspect --format '{{.OCIv1.Config.Cmd}}' other
buildah config --volume /v --user u --workingdir /w other; buildah inspect --format '{{.OCIv1.Config.User}} {{.OCIv1.Config.WorkingDir}}' other
buildah config nosuch
buildah config
buildah inspect nosuch
buildah inspect --type image nosuch
buildah inspect --type container base
buildah inspect --format '{{.FromImage}} {{.FromImageID}} {{.Container}} {{.Type}} {{.MountPoint}}' base-working-container
buildah inspect --format '{{range .OCIv1.History}}{{.CreatedBy}}|{{.Comment}}|{{.EmptyLayer}}{{end}}' base
buildah tag nosuch x
buildah tag base Upper
buildah tag base
buildah rmi second
buildah rmi base
buildah rmi nosuch
buildah rm nosuch
buildah rm other
buildah rm
buildah rm -a | wc -l
buildah rm -a
buildah rmi -a
buildah rmi -a
buildah rmi
buildah images
buildah nosuch
buildah from scratch
buildah commit --iidfile iid working-container x; cat iid; echo
buildah commit nosuch y
buildah commit working-container Upper
buildah commit --format zip working-container y
buildah commit -q --rm --timestamp 0 working-container x
buildah containers -q
buildah rmi -a >/dev/null; cp "$BUSYBOX" sh; c=$(buildah from scratch); buildah copy -q $c sh /bin/sh; buildah commit -q --rm $c sh | wc -l
printf 'FROM scratch\nCOPY sh /f\nENV a=b\n' >F; buildah bud --timestamp 0 -f F -t built -t other . | sed 's/^--> .*/-->/'
buildah bud --timestamp 0 -q -f F . | wc -c
buildah bud --timestamp 0 --quiet -f F -t built .
buildah bud --timestamp 0 --iidfile iid -f F . | sed 's/^--> .*/-->/'; wc -c <iid
printf 'FROM scratch AS a\nCOPY sh /a\nFROM scratch\nCOPY --from=a /a /b\nFROM scratch AS c\nCOPY sh /g\nFROM scratch\nCOPY --from=c /g /h\n' >G; buildah bud --timestamp 0 -f G . | sed 's/^--> .*/-->/'
buildah bud --timestamp 0 -f G --target c . | sed 's/^--> .*/-->/'
buildah bud --timestamp 0 -f G --logfile log .; sed 's/^--> .*/-->/' log | grep -v '^Getting\|^Copying\|^Writing\|^Storing'
printf 'FROM localhost/sh\nRUN echo out; echo err >&2\nRUN ["/bin/sh", "-c", "echo again"]\n' >H; buildah bud --timestamp 0 --isolation chroot -f H . | sed 's/^--> .*/-->/'
buildah bud --timestamp 0 -q --isolation chroot -f H . 2>&1
printf 'FROM localhost/sh\nCOPY sh /bin/busybox\nRUN busybox mkdir /d; echo one >/d/a; busybox ln /d/a /b\nRUN echo two >>/b; busybox cat /d/a\nRUN busybox ln /b /c; busybox rm /d/a; echo three >>/c; busybox cat /b; busybox stat -c %%h /b /c\nRUN busybox mv /d /e; busybox ln -s e /d; echo four >>/b; busybox cat /c\n' >L; PATH=$PATH:/bin buildah bud --timestamp 0 --isolation chroot -t linked -f L . | sed 's/^--> .*/-->/'
c=$(buildah from linked); m=$(buildah mount $c); stat -c '%n %h %s' $m/b $m/c | sed 's,.*/,,'; cat $m/b; buildah rm $c >/dev/null
printf 'FROM localhost/sh\nRUN echo why; exit 7\n' >I; buildah bud --timestamp 0 --isolation chroot -f I .
buildah bud --timestamp 0 --isolation chroot -q -f I .
buildah bud --timestamp 0 --isolation chroot -f I . 2>&1 | grep -c '^Error: building at STEP "RUN echo why; exit 7": .*exit status 7$'
printf 'FROM localhost/sh\nRUN ["nosuch"]\n' >M; buildah bud --isolation chroot -q -f M .
printf 'FROM localhost/sh\nRUN ["/bin"]\n' >M; buildah bud --isolation chroot -q -f M .
printf 'FROM localhost/sh\nRUN nosuch\n' >M; buildah bud --isolation chroot -q -f M .
printf 'FROM localhost/sh\nRUN --nosuch x\n' >M; buildah bud -q -f M .
printf 'FROM localhost/sh\nRUN --mount=type=nosuch x\n' >M; buildah bud --isolation chroot -q -f M .
printf 'FROM localhost/sh\nRUN --mount=type=secret,id=x,required=true x\n' >M; buildah bud --isolation chroot -q -f M .
printf 'FROM localhost/sh\nUSER nosuch\nRUN true\n' >M; buildah bud --isolation chroot -q -f M .
printf 'NOSUCH\n' >M; buildah bud -q -f M .
printf 'RUN x\n' >M; buildah bud -q -f M .
printf '' >M; buildah bud -q -f M .
printf 'FROM\n' >M; buildah bud -q -f M .
printf 'FROM localhost/nosuch\n' >M; buildah bud -q --pull-never -f M .
printf 'FROM scratch\n' >M; buildah bud -q --target nosuch -f M .
printf 'FROM scratch\nLABEL a=b\n' >M; buildah bud -q -t '' -f M . | wc -c
buildah bud -q -t Upper -f M .
buildah bud -q --authfile nosuch -f M .
buildah bud -q --secret id=x,src=nosuch -f M .
buildah bud -q --format nosuch -f M .
buildah bud -q --isolation nosuch -f M .
printf 'FROM localhost/sh\nRUN echo x\n' >N; buildah bud -q --isolation chroot --ulimit nosuch -f N .
buildah bud -q --isolation chroot --add-host nosuch -f N .
buildah bud -q --isolation chroot --volume nosuch -f N .
buildah bud -q --isolation chroot --memory nosuch -f N .
buildah bud -q --layers=nosuch -f M .
buildah bud -q --jobs nosuch -f M .
buildah bud -q --ignorefile nosuch -f M .
buildah bud -q -f M . more
buildah pull --authfile nosuch localhost:1/x
printf 'FROM localhost/sh AS one\nRUN echo hi >/hi\nENV a=b\nFROM one\nRUN echo more >/more\nLABEL l=m\n' >M; buildah bud --layers --isolation chroot -t stepped -f M . | sed 's/^--> [0-9a-f].*/-->/; s/cache .*/cache/; s/^\(.*\) FROM .*/\1/'
buildah bud --layers --isolation chroot -t stepped -f M . | sed 's/^--> [0-9a-f].*/-->/; s/cache .*/cache/; s/^\(.*\) FROM .*/\1/'
buildah images -a -f intermediate=true -q | wc -l
buildah rmi stepped | wc -l
printf 'FROM scratch\nCOPY nosuch /\n' >J; buildah bud --timestamp 0 -f J .
buildah bud --timestamp 0 -f J . 2>&1 | grep -c '^Error: building at STEP "COPY nosuch /": '
buildah bud --timestamp 0 -f nosuch .
buildah bud nosuch
buildah containers -q
"#;

#[test]
fn kiln_answers_as_buildah_does() {
    let test = "kiln_answers_as_buildah_does";
    if !needs(test, &[Need::Root, Need::Program("buildah")]) {
        return;
    }
    let Some(busybox) = static_busybox().filter(|_| needs(test, &[Need::Busybox])) else { return };
    let mut env = Env::new();
    env.set("BUSYBOX", busybox.display().to_string());
    env.write("ours/.keep", "");
    let ours = told(&env, "cd ours", &|script| env.shell_as_buildah(script));
    // The same again by Buildah, with a store of its own.
    let at = env.path("peer").display().to_string();
    let peer = format!(
        "#!/bin/sh\nexec /usr/bin/buildah --root {at} --runroot {at}-run --storage-driver overlay \"$@\"\n"
    );
    let script = env.write("theirs/buildah", peer);
    env.run("chmod", ["755".as_ref(), script.as_os_str()]);
    let theirs = told(&env, "cd theirs; PATH=$PWD:$PATH", &|script| env.shell(script));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
    assert!(ours.len() > 70, "{ours:#?}");
}

/// Each command with its exit code and stdout; a run of spaces is one.
fn told(env: &Env, before: &str, run: &dyn Fn(&str) -> crate::support::env::Outcome) -> Vec<String> {
    let commands = SAME.trim().lines();
    let mut told = String::new();
    for command in commands {
        let outcome = run(&format!("set +e; {before}; {command}"));
        // Buildah ends the output of a template without a line end.
        let out: Vec<String> = outcome
            .stdout
            .trim_end()
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        told.push_str(&format!("\0{command}\n{}\n{}", outcome.code, out.join("\n")));
    }
    // Kiln's images of nothing are smaller, and it names no version of itself in labels.
    let sizes = regex::Regex::new(r"(?-u)\d[\d.]* (B|[kKMG]B)").expect("the pattern compiles");
    let told = sizes.replace_all(&told, "<size>");
    let told = redact(&told, env.path("").parent().expect("a directory"));
    told.split('\0').map(str::to_owned).collect()
}
