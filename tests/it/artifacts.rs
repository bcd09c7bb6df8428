//! Stories of artifacts: manifests whose config is no image's. They are shown and moved as they are, and nobody makes
//! an image of them.

use crate::support::{tell, with_base};

/// Writes `dir:NAME` with a config of a media type: `sh artifact NAME TYPE CONFIG`.
const ARTIFACT: &str = r#"mkdir $1; printf %s "$3" >$1/config
id=$(sha256sum <$1/config | cut -c-64); mv $1/config $1/$id
printf 'Directory Transport Version: 1.1\n' >$1/version
blob="\"digest\":\"sha256:$id\",\"size\":${#3}"
start='{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",'
layers='"layers":[{"mediaType":"application/vnd.example.content",%s}]}'
printf "$start\"config\":{\"mediaType\":\"%s\",%s},$layers" "$2" "$blob" "$blob" >$1/manifest.json
"#;

#[test]
fn the_config_of_an_artifact_is_shown_as_it_is() {
    let Some(env) = with_base("the_config_of_an_artifact_is_shown_as_it_is") else { return };
    env.write("artifact", ARTIFACT);
    tell(
        &env,
        r#"
$ ln -s "$KILN" skopeo; sh artifact helm application/vnd.cncf.helm.config.v1+json '{"name":"x"}'
$ sh artifact empty application/vnd.oci.empty.v1+json '{}'; sh artifact text application/vnd.wasm.config.v1+json 'no JSON'
$ for one in helm empty text; do ./skopeo inspect --config --raw dir:$one; echo; done
{"name":"x"}
{}
no JSON
$ ./skopeo inspect --raw dir:helm | cmp - helm/manifest.json
$ ./skopeo inspect --config dir:helm
! Error: cannot describe `dir:helm`: it is an artifact and no image: its config is of the type `application/vnd.cncf.helm.config.v1+json`
! hint: see its manifest with --raw, and its config with --config --raw
[1]
$ ./skopeo inspect dir:text
! Error: cannot describe `dir:text`: it is an artifact and no image: its config is of the type `application/vnd.wasm.config.v1+json`
! hint: see its manifest with --raw, and its config with --config --raw
[1]
"#,
    );
}

#[test]
fn an_artifact_keeps_its_media_types_or_is_not_copied() {
    let Some(env) = with_base("an_artifact_keeps_its_media_types_or_is_not_copied") else { return };
    env.write("artifact", ARTIFACT);
    tell(
        &env,
        r#"
$ ln -s "$KILN" skopeo; sh artifact helm application/vnd.cncf.helm.config.v1+json '{"name":"x"}'
$ ./skopeo copy -q --format oci dir:helm dir:same; cmp helm/manifest.json same/manifest.json
$ ./skopeo copy -q --format v2s2 dir:helm dir:none
! Error: cannot change the media types: the manifest is of an artifact: its config is of the type `application/vnd.cncf.helm.config.v1+json`
! hint: copy it without --format
[1]
$ ./skopeo copy -q dir:helm docker-archive:none.tar
! Error: cannot keep the artifact in `docker-archive:none.tar`: its config is of the type `application/vnd.cncf.helm.config.v1+json`, which is no image's
! hint: copy it elsewhere: kiln image copy SOURCE oci:DIRECTORY:NAME
[1]
$ ls -d none*
! ls: cannot access 'none*': No such file or directory
[2]
"#,
    );
}

#[test]
fn an_index_keeps_its_digest_or_gets_other_media_types() {
    let Some(env) = with_base("an_index_keeps_its_digest_or_gets_other_media_types") else {
        return;
    };
    tell(
        &env,
        r#"
$ ln -s "$KILN" skopeo; kiln push -q --format v2s2 base dir:docker; ./skopeo copy -q --format v2s2 --preserve-digests dir:docker dir:again
$ ./skopeo copy -q --format oci --preserve-digests dir:docker dir:again; cmp docker/manifest.json again/manifest.json
$ kiln manifest create list base >id; kiln manifest push -q --all --format v2s2 list dir:list; ./skopeo inspect --raw dir:list | grep -c docker.distribution.manifest.list
1
$ ./skopeo copy -q --all --format v2s2 --preserve-digests dir:list dir:again; cmp list/manifest.json again/manifest.json
$ ./skopeo copy -q --all --format oci --preserve-digests dir:list dir:none
! Error: cannot keep the digests in `dir:none`: --format asks for other media types than the index has
! hint: copy without --preserve-digests
[1]
"#,
    );
}
