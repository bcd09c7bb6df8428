//! Digests, configs and edits: what is kept, what is refused, what comes out in which order.

use super::*;

#[test]
fn digest_takes_only_its_one_form() {
    let digest = Digest::of(b"");
    assert_eq!(digest.to_string(), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
    let bad = [
        "",
        "sha256:",
        "sha256:../../../../etc/passwd",
        "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8555",
        "sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ];
    for text in bad {
        assert!(text.parse::<Digest>().is_err(), "{text} was taken");
    }
}

#[test]
fn config_keeps_what_it_does_not_know_and_dockers_fields() {
    let text = [
        r#"{"architecture":"amd64","os":"linux","config":{"Env":["A=1"],"Cmd":["x"],"Healthcheck":"#,
        r#"{"Test":["CMD","y"],"Interval":30},"OnBuild":["RUN z"],"Shell":["/bin/ash"],"MacAddress":"m"},"#,
        r#""rootfs":{"type":"layers","diff_ids":[]},"container_config":{"a":[1,2]}}"#,
    ]
    .concat();
    let config: ImageConfig = serde_json::from_str(&text).unwrap();
    assert_eq!(String::from_utf8(config.to_bytes()).unwrap(), text);
}

#[test]
fn config_takes_nulls() {
    let text = [
        r#"{"architecture":"amd64","os":"linux","config":{"Env":null,"Labels":null,"Volumes":null,"#,
        r#""OnBuild":null},"rootfs":{"type":"layers","diff_ids":null},"history":null}"#,
    ]
    .concat();
    let config: ImageConfig = serde_json::from_str(&text).unwrap();
    assert!(config.config.env.is_empty() && config.history.is_empty());
}

#[test]
fn a_manifest_that_is_also_an_index_is_refused() {
    let digest = Digest::of(b"");
    let both = format!(
        r#"{{"schemaVersion":2,"config":{{"mediaType":"a","digest":"{digest}","size":0}},"layers":[],"manifests":[]}}"#
    );
    assert!(Manifest::parse(both.as_bytes()).is_err());
    assert!(Index::parse(both.as_bytes()).is_err());
    // As Podman writes a list that has nothing in it yet.
    assert_eq!(Index::parse(br#"{"schemaVersion":2,"manifests":null}"#).unwrap().manifests, []);
    assert!(Index::parse(br#"{"schemaVersion":2}"#).is_err());
}

#[test]
fn set_env_keeps_the_place_and_leaves_one() {
    let mut draft = Draft::default();
    draft.config.config.env = vec!["A=1".into(), "B=2".into(), "A=3".into()];
    draft.apply(&ConfigEdit::Env("A".into(), "x=y".into()));
    assert_eq!(draft.config.config.env, ["A=x=y", "B=2"]);
    draft.apply(&ConfigEdit::Env("C".into(), String::new()));
    draft.apply(&ConfigEdit::UnsetEnv("B".into()));
    assert_eq!(draft.config.config.env, ["A=x=y", "C="]);
}
