//! Tests of what `--mount` may say.

use super::*;

fn parse(text: &str) -> RunMount {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

fn refused(text: &str, word: &str) {
    let error = text.parse::<RunMount>().expect_err(text);
    let message = format!("{error:?}");
    assert!(message.contains("cannot use the mount") && message.contains(word), "{text}: {message}");
}

#[test]
fn a_bind_is_read_only_unless_told_otherwise() {
    for text in ["type=bind,src=/a,dst=/b", "source=/a,target=/b", "type=bind,source=/a,destination=/b,ro"] {
        let mount = parse(text);
        assert_eq!(mount.kind, MountKind::Bind { from: None, source: "/a".into() }, "{text}");
        assert!(mount.read_only && mount.target == Path::new("/b"), "{text}");
    }
    for text in ["src=/a,dst=/b,rw", "src=/a,dst=/b,readwrite=true", "src=/a,dst=/b,ro=false"] {
        assert!(!parse(text).read_only, "{text}");
    }
    let mount = parse("from=image,dst=b,bind-propagation=rslave,relabel=shared,nosuid,bind-nonrecursive,U");
    assert_eq!(mount.kind, MountKind::Bind { from: Some("image".into()), source: "".into() });
    assert_eq!(mount.options.iter().collect::<Vec<_>>(), ["U", "bind", "nosuid", "rslave", "z"]);
    assert_eq!(parse("src=a,dst=/b,contextdir=/d").contextdir, Some("/d".into()));
    refused("from=x,dst=/b,contextdir=/d", "contradicts");
    refused("type=tmpfs,dst=/b,contextdir=/d", "has no option");
    refused("dst=/b,contextdir=", "empty");
    assert_eq!(parse("\"src=/a,b\",dst=/c").kind, MountKind::Bind { from: None, source: "/a,b".into() });
}

#[test]
fn tmpfs_caches_secrets_and_agents_have_their_options() {
    let mount = parse("type=tmpfs,target=/t,tmpfs-size=2m,tmpfs-mode=700,tmpcopyup");
    assert_eq!(mount.kind, MountKind::Tmpfs { size: Some(2 << 20), mode: 0o700, copy_up: true });
    assert!(!mount.read_only);
    let mount =
        parse("type=cache,target=/c,id=/root/.cache,sharing=locked,uid=5,gid=6,mode=0700,from=x,src=/y");
    let (id, from) = (Some("/root/.cache".to_owned()), Some("x".to_owned()));
    let source = "/y".into();
    assert_eq!(
        mount.kind,
        MountKind::Cache { id, sharing: Sharing::Locked, from, source, mode: 0o700, owner: (5, 6) }
    );
    let secret = |env: Option<&str>, required| MountKind::Secret {
        id: "s".into(),
        env: env.map(str::to_owned),
        required,
        mode: 0o400,
        owner: (0, 0),
    };
    let mount = parse("type=secret,id=s");
    assert_eq!((mount.kind, mount.target.to_str()), (secret(None, false), Some("/run/secrets/s")));
    let mount = parse("type=secret,id=s,env=S,required");
    assert_eq!((mount.kind, mount.target.to_str()), (secret(Some("S"), true), Some("")));
    assert_eq!(parse("type=secret,target=/x/s").kind, secret(None, false));
    let ssh = MountKind::Ssh { id: "default".into(), required: true, mode: 0o600, owner: (0, 0) };
    assert_eq!(parse("type=ssh,required=true").kind, ssh);
}

#[test]
fn nonsense_is_refused_with_the_word() {
    for (text, word) in [
        ("", "no target"),
        ("type=nosuch,target=/x", "`nosuch`"),
        ("type=", "``"),
        ("type=bind", "no target"),
        ("type=bind,src=,dst=/b", "`src`"),
        ("type=bind,src,dst=/b", "`src`"),
        ("type=bind,src=/a,dst=/", "whole container"),
        ("type=bind,src=/a,dst=/b/..", "whole container"),
        ("type=bind,src=/a,dst=/b,bind-propagation=rw,lowerdir=/", "`lowerdir`"),
        ("type=bind,src=/a,dst=/b,bind-propagation=rw", "`rw`"),
        ("type=bind,src=/a,dst=/b,bind-propagation=", "`bind-propagation`"),
        ("type=bind,src=/a,dst=/b,relabel=x", "`x`"),
        ("type=bind,src=/a,dst=/b,ro,rw", "`ro`"),
        ("type=bind,src=/a,dst=/b,shared,private", "contradicts"),
        ("type=bind,src=/a,dst=/b,nosuid=1", "`nosuid`"),
        ("type=bind,src=/a,dst=/b,ro=maybe", "`maybe`"),
        ("type=bind,src=/a,dst=/b,id=x", "`id`"),
        ("type=bind,\"src=/a,dst=/b", "quotation mark"),
        ("type=tmpfs,dst=/b,size=x", "`x`"),
        ("type=tmpfs,dst=/b,size=1m,lowerdir=/", "`lowerdir`"),
        ("type=tmpfs,dst=/b,mode=999", "`999`"),
        ("type=tmpfs,dst=/b,mode=77777", "`77777`"),
        ("type=tmpfs,dst=/b,src=/x", "`src`"),
        ("type=cache,dst=/b,id=../x", "`../x`"),
        ("type=cache,dst=/b,id=a/../../x", "`a/../../x`"),
        ("type=cache,dst=/b,id=", "`id`"),
        ("type=cache,dst=/b,sharing=x", "`x`"),
        ("type=cache,dst=/b,uid=-1", "`-1`"),
        ("type=cache,dst=/b,uid=4294967295", "`4294967295`"),
        ("type=cache,dst=/b,gid=+0", "`+0`"),
        ("type=secret", "no `id`"),
        ("type=secret,id=a/b", "no file name"),
        ("type=ssh,src=/x", "`src`"),
    ] {
        refused(text, word);
    }
    refused(&format!("type=cache,dst=/b,id={}", "x".repeat(100_000)), "too long");
}
