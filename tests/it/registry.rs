//! Stories of registries: images go there and come back, whoever wrote them; configuration and policy have their
//! effect.

use crate::support::registry::{Setup, start, with_registry};
use crate::support::{Need, needs, tell};

/// Tools of the field that read no configuration of the machine's.
const ACCEPT: &str = r#"{"default":[{"type":"insecureAcceptAnything"}]}"#;

#[test]
fn an_image_goes_out_and_comes_back() {
    let Some((env, _registry)) = with_registry("an_image_goes_out_and_comes_back", Setup::default()) else {
        return;
    };
    tell(
        &env,
        r#"
$ kiln push base docker://$R/team/base:1
! Error: cannot talk to `<localhost>`: it does not speak TLS
! hint: if it is meant to speak plain HTTP, allow that with --tls-verify=false
[125]
$ kiln push --tls-verify=false --digestfile digest base docker://$R/team/base:1
! Copying config <short-1>
! Copying blob <short-2>
$ kiln push --tls-verify=false base docker://$R/team/base:1
$ kiln push --tls-verify=false base docker://$R/other/base:1
! Copying config <short-1>
! Copying blob <short-2>
$ test "$(cat digest)" = "$(skopeo inspect --tls-verify=false --format '{{.Digest}}' docker://$R/team/base:1)"
$ kiln push -q --tls-verify=false base docker://$R/named@$(cat digest); kiln image inspect --tls-verify=false --raw docker://$R/named@$(cat digest) | sha256sum | grep -o "$(cut -d: -f2 digest)"
<id-3>
$ kiln push -q --tls-verify=false base docker://$R/team/base@sha256:$(printf %064d 7)
! Error: cannot write the manifest of `<localhost>/team/base@sha256:<id-4>`: its digest is sha256:<id-3>, and not the one in the name
! hint: name a tag, or copy with --preserve-digests what has this digest
[125]
$ kiln push -q --tls-verify=false base docker://$R/other/new@sha256:$(printf %064d 7)
! Error: cannot write the manifest of `<localhost>/other/new@sha256:<id-4>`: its digest is sha256:<id-3>, and not the one in the name
! hint: name a tag, or copy with --preserve-digests what has this digest
[125]
$ kiln image tags --tls-verify=false docker://$R/other/new
! Error: cannot list the tags of `<localhost>/other/new`: the registry does not have it: name unknown: repository name not known to registry
! hint: check the name: HOST/PATH
[125]
$ kiln rmi base >/dev/null; kiln pull --tls-verify=false docker://$R/team/base:1
<id-1>
! Copying config <short-1>
! Copying blob <short-2>
$ kiln rmi $R/team/base:1 >/dev/null; kiln pull -q --tls-verify=false docker://$R/team/base@$(cat digest)
<id-1>
$ kiln from --tls-verify=false $R/other/base:1
base-working-container
$ kiln copy base-working-container digest /new; kiln commit --tls-verify=false -q base-working-container docker://$R/team/new
<id-5>
<id-6>
$ kiln pull -q --tls-verify=false $R/team/new
<id-6>
$ kiln images --format '{{.Name}}:{{.Tag}}'
<localhost>/team/new:latest
<localhost>/team/base:<none>
<localhost>/other/base:1
$ kiln pull --tls-verify=false docker://$R/team/none
! Error: cannot read the manifest of `<localhost>/team/none:latest`: the registry does not have it: manifest unknown
! hint: check the name and the tag: `kiln image tags NAME` lists what there is
[125]
$ kiln pull --tls-verify=false docker://$R/team/base:none
! Error: cannot read the manifest of `<localhost>/team/base:none`: the registry does not have it: manifest unknown
! hint: check the name and the tag: `kiln image tags NAME` lists what there is
[125]
$ kiln push --tls-verify=false nosuch docker://$R/team/x
! Error: cannot find the image `nosuch`: no image in the store has this name or id
! hint: see what there is with `kiln images`
[125]
$ kiln push --tls-verify=false $R/other/base:1 docker://$R/UPPER
! Error: cannot use the image name `<localhost>/UPPER`: an image name has no upper-case letters
! hint: a name is [HOST/]PATH[:TAG], for example localhost/app:1.0
[125]
"#,
    );
}

#[test]
fn other_tools_read_what_we_push_and_we_read_what_they_push() {
    let test = "other_tools_read_what_we_push_and_we_read_what_they_push";
    let tools = [Need::Program("skopeo"), Need::Program("podman"), Need::Program("buildah")];
    if !needs(test, &tools) {
        return;
    }
    let Some((env, _registry)) = with_registry(test, Setup::default()) else { return };
    env.write("policy.json", ACCEPT);
    let script = r#"
C=$(cat digest)
T="--tls-verify=false"
# Podman takes no runroot of more than 50 characters.
short=$(mktemp -d /dev/shm/kiln-p.XXXXXX); trap 'rm -rf $short' EXIT
theirs="--root $PWD/theirs --runroot $short --storage-driver vfs"
skopeo --policy policy.json copy -q --src-tls-verify=false docker://$R/ours oci:skopeo:x
test "$(skopeo inspect --format '{{.Digest}}' oci:skopeo:x)" = "$C"
buildah $theirs pull -q $T --signature-policy policy.json $R/ours >id
test "$(cat id)" = "$(kiln images -q --no-trunc base | sed s/sha256://)"
skopeo --policy policy.json copy -q --dest-tls-verify=false oci:skopeo:x docker://$R/skopeo
skopeo --policy policy.json copy -q --format v2s2 --dest-tls-verify=false oci:skopeo:x docker://$R/docker
buildah $theirs push -q $T --signature-policy policy.json $R/ours docker://$R/buildah
podman $theirs push -q $T --signature-policy policy.json $R/ours docker://$R/podman
kiln rmi base >/dev/null
for name in skopeo docker buildah podman; do
    id=$(kiln pull -q $T docker://$R/$name)
    test "$id" = "$(skopeo inspect --tls-verify=false --raw docker://$R/$name | sed -n 's/.*"config":{[^}]*sha256:\([0-9a-f]*\).*/\1/p' | head -1)" ||
        skopeo inspect --tls-verify=false --raw docker://$R/$name | tr -d ' \n' | grep -q "\"config\":{[^}]*$id"
    cat $(kiln mount $(kiln from $T $R/$name))/etc/hello.conf
done
"#;
    env.ok([
        "push",
        "-q",
        "--tls-verify=false",
        "--digestfile",
        "digest",
        "base",
        &format!("docker://{}/ours", _registry.host),
    ]);
    let told = env.shell(script).expect_ok("the tools agree");
    assert_eq!(told, "hello\nhello\nhello\nhello");
}

#[test]
fn certificates_are_checked() {
    let setup = Setup { tls: true, ..Setup::default() };
    let Some((env, _registry)) = with_registry("certificates_are_checked", setup) else { return };
    tell(
        &env,
        r#"
$ kiln push base docker://$R/base
! Error: cannot talk to `<localhost>`: its certificate is not accepted: no authority that is trusted here has signed it
! hint: hand in the authority's certificate with --cert-dir DIR (a file DIR/ca.crt), or do not check it with --tls-verify=false
[125]
$ kiln push -q --tls-verify=false base docker://$R/base
$ kiln push -q --cert-dir nowhere --tls-verify=false base docker://$R/base
! warning: the directory of certificates `nowhere` is not there
$ mkdir certs empty; cp ca.crt certs; kiln push -q --cert-dir certs base docker://$R/base
$ kiln push -q --cert-dir empty base docker://$R/base
! Error: cannot talk to `<localhost>`: its certificate is not accepted: no authority that is trusted here has signed it
! hint: hand in the authority's certificate with --cert-dir DIR (a file DIR/ca.crt), or do not check it with --tls-verify=false
[125]
$ mkdir -p $HOME/.config/containers/certs.d/$R; cp ca.crt $HOME/.config/containers/certs.d/$R; kiln pull -q --policy always docker://$R/base
<id-1>
$ rm -r $HOME/.config; SSL_CERT_FILE=ca.crt kiln pull -q --policy always docker://$R/base
<id-1>
$ kiln pull -q --policy always --cert-dir certs docker://$(echo $R | sed s/localhost/127.0.0.1/)/base
! Error: cannot talk to `<127.0.0.1>`: its certificate is not accepted: it is for another host name
! hint: hand in the authority's certificate with --cert-dir DIR (a file DIR/ca.crt), or do not check it with --tls-verify=false
[125]
$ cp client.crt certs/a.cert; kiln pull -q --policy always --cert-dir certs docker://$R/base
! Error: cannot talk to `<localhost>`: cannot use the certificate `certs/a.cert`: there is no `certs/a.key` beside it
! hint: put the client's key there; the certificate of an authority ends in .crt
[125]
$ cp self.key certs/a.key; kiln pull -q --policy always --cert-dir certs docker://$R/base
! Error: cannot talk to `<localhost>`: cannot use the client certificate: keys may not be consistent: KeyMismatch
! hint: see that NAME.cert and NAME.key belong together
[125]
$ rm certs/a.*; echo none >certs/b.crt; (cat ca.crt; echo -----BEGIN CERTIFICATE-----) >certs/c.crt; kiln pull -q --policy always --cert-dir certs docker://$R/base
<id-1>
! warning: the certificate `certs/b.crt` is passed over: there is none in PEM form in it
$ rm certs/c*.crt; kiln push -q --cert-dir certs base docker://$R/base
! warning: the certificate `certs/b.crt` is passed over: there is none in PEM form in it
! Error: cannot talk to `<localhost>`: its certificate is not accepted: no authority that is trusted here has signed it
! hint: hand in the authority's certificate with --cert-dir DIR (a file DIR/ca.crt), or do not check it with --tls-verify=false
[125]
$ ln -s "$KILN" skopeo; mkdir bundles; cp ca.crt bundles; SSL_CERT_FILE=ca.crt ./skopeo inspect --raw docker://$R/base | wc -l; SSL_CERT_DIR=none:bundles ./skopeo inspect --raw docker://$R/base | wc -l
0
0
"#,
    );
}

#[test]
fn a_client_certificate_is_shown_and_a_pinned_one_is_trusted() {
    let test = "a_client_certificate_is_shown_and_a_pinned_one_is_trusted";
    let Some((env, first)) = with_registry(test, Setup { tls: true, client: true, password: false }) else {
        return;
    };
    tell(
        &env,
        r#"
$ mkdir certs; cp ca.crt certs; kiln push -q --retry 0 --cert-dir certs base docker://$R/base 2>&1 | sed 's/(.*//'
Error: cannot talk to `<localhost>`: it ended the TLS handshake 
hint: if it wants a client certificate, put NAME.cert and NAME.key into the directory of --cert-dir
$ cp client.crt certs/c.cert; cp client.key certs/c.key; kiln push -q --cert-dir certs base docker://$R/base
$ cp self.crt server.crt; cp self.key server.key
"#,
    );
    drop(first);
    // The certificate that signed itself is marked as an authority, as openssl makes them.
    let second = start(&env, "second", Setup { tls: true, ..Setup::default() });
    let target = format!("docker://{}/base", second.host);
    let refused = env.fails(125, ["push", "-q", "--cert-dir", "certs", "base", &target]);
    assert!(refused.contains("not accepted: it is an authority's"), "{refused}");
    env.shell("mkdir pinned; cp self.crt pinned/self.crt").expect_ok("the certificate is pinned");
    env.ok(["push", "-q", "--cert-dir", "pinned", "base", &target]);
    let elsewhere = target.replace("localhost", "127.0.0.1");
    env.fails(125, ["push", "-q", "--cert-dir", "pinned", "base", &elsewhere]);
}

/// What is asked for under a name of registries.conf, and where it is found.
const ELSEWHERE: &str = r#"
$ kiln push -q base docker://$R/team/base; kiln push -q --tls-verify=true base docker://$R/team/base
! Error: cannot talk to `<localhost>`: it does not speak TLS
! hint: if it is meant to speak plain HTTP, allow that with --tls-verify=false
[125]
$ kiln rmi base >/dev/null; kiln from alias.example/deep/base
base-working-container
! Copying config <short-1>
! Copying blob <short-2>
$ kiln from short; kiln from base; kiln pull -q base
base-working-container-1
base-working-container-2
<id-1>
$ kiln images --format '{{.Name}}:{{.Tag}}'
alias.example/deep/base:latest
$ kiln pull --policy always search.example/base
<id-1>
$ kiln push -q --tls-verify=false search.example/base docker://$M/copy/base; kiln rmi -f -a >/dev/null; kiln pull --policy always search.example/base
<id-1>
! Copying config <short-1>
! Copying blob <short-2>
$ kiln pull blocked.example/x
! Error: cannot use `blocked.example/x:latest`: `blocked.example` is blocked
! hint: see `blocked` in registries.conf and registries.conf.d
[125]
$ kiln push search.example/base docker://blocked.example/x
! Error: cannot use `blocked.example/x:latest`: `blocked.example` is blocked
! hint: see `blocked` in registries.conf and registries.conf.d
[125]
$ BUILD_REGISTRY_SOURCES='{"blockedRegistries": ["alias.example"]}' kiln pull --policy always docker://alias.example/deep/base
! Error: cannot use `alias.example/deep/base:latest`: access to `alias.example` is not allowed
! hint: see BUILD_REGISTRY_SOURCES in the environment
[125]
$ BUILD_REGISTRY_SOURCES='{"allowedRegistries": ["alias.example"]}' kiln pull --policy always docker://search.example/base
! Error: cannot use `search.example/base:latest`: access to `search.example` is not allowed
! hint: see BUILD_REGISTRY_SOURCES in the environment
[125]
$ CONTAINERS_REGISTRIES_CONF= kiln pull nosuch
! Error: cannot resolve the short name `nosuch`: there is no alias for it, and no registry to search in
! hint: write the whole name, HOST/nosuch, or set unqualified-search-registries in registries.conf
[125]
$ echo 'unqualified-search-registries = ["a.example", "b.example"]' >two; echo 'short-name-mode = "enforcing"' >>two
$ kiln --registries-conf two pull nosuch
! Error: cannot resolve the short name `nosuch`: it may be on a.example, b.example, short-name-mode is enforcing, and there is no terminal to ask on
! hint: write the whole name: a.example/nosuch
[125]
$ echo 'unqualified = [' >bad; kiln --registries-conf bad pull nosuch
! Error: cannot use `bad`: line 1: unclosed array, expected `]`
! hint: correct it as containers-registries.conf(5) says, or name another: --registries-conf FILE
[125]
"#;

#[test]
fn registries_conf_leads_to_other_places() {
    let test = "registries_conf_leads_to_other_places";
    let Some((mut env, registry)) = with_registry(test, Setup::default()) else { return };
    let mirror = start(&env, "mirror", Setup::default());
    env.set("M", &mirror.host);
    let host = &registry.host;
    let conf = format!(
        r#"
unqualified-search-registries = ["search.example"]
[[registry]]
location = "{host}"
insecure = true
[[registry]]
prefix = "alias.example/deep"
location = "{host}/team"
insecure = true
[[registry]]
prefix = "search.example"
location = "{host}/team"
insecure = true
[[registry.mirror]]
location = "{mirror}/copy"
insecure = true
[[registry]]
location = "blocked.example"
blocked = true
[aliases]
short = "alias.example/deep/base"
"#,
        mirror = mirror.host
    );
    env.write("conf", conf);
    let path = env.path("conf").display().to_string();
    env.set("CONTAINERS_REGISTRIES_CONF", &path);
    tell(&env, ELSEWHERE);
}

/// Images with and without signatures, under policies of all kinds.
const SIGNED: &str = r#"
$ kiln rmi base >/dev/null; kiln pull -q --policy always --tls-verify=false --signature-policy signed.json docker://$R/base
<id-1>
$ kiln pull -q --policy always --tls-verify=false --signature-policy signed.json docker://$R/base@$(cat digest)
<id-1>
$ kiln pull -q --policy always --tls-verify=false --signature-policy signed.json docker://$R/unsigned
! Error: cannot use `docker://<localhost>/unsigned:latest`: the signature policy asks for a signature, and it has none
! hint: see what policy.json asks of it, or name another policy: --signature-policy FILE (as skopeo: --policy FILE)
[125]
$ kiln pull -q --policy always --tls-verify=false --signature-policy signed.json docker://$R/moved
! Error: cannot use `docker://<localhost>/moved:latest`: its signature is for the name `<localhost>/base:latest`
! hint: see what policy.json asks of it, or name another policy: --signature-policy FILE (as skopeo: --policy FILE)
[125]
$ kiln pull -q --policy always --tls-verify=false --signature-policy any.json docker://$R/moved
<id-1>
$ kiln pull -q --policy always --tls-verify=false --signature-policy by-other.json docker://$R/base
! Error: cannot use `docker://<localhost>/base:latest`: its signature is by none of the keys that the policy names
! hint: see what policy.json asks of it, or name another policy: --signature-policy FILE (as skopeo: --policy FILE)
[125]
$ kiln pull -q --policy always --tls-verify=false --signature-policy by-expired.json docker://$R/expired
! Error: cannot use `docker://<localhost>/expired:latest`: the key that has made its signature has expired
! hint: see what policy.json asks of it, or name another policy: --signature-policy FILE (as skopeo: --policy FILE)
[125]
$ kiln pull -q --policy always --tls-verify=false --signature-policy by-revoked.json docker://$R/revoked
! Error: cannot use `docker://<localhost>/revoked:latest`: the key that has made its signature was revoked
! hint: see what policy.json asks of it, or name another policy: --signature-policy FILE (as skopeo: --policy FILE)
[125]
$ kiln pull -q --policy always --tls-verify=false --signature-policy sigstore.json docker://$R/base
! Error: cannot use `docker://<localhost>/base:latest`: the signature policy asks for `sigstoreSigned`, which is not supported
! hint: ask for `signedBy` in policy.json, or name another policy: --signature-policy FILE (as skopeo: --policy FILE)
[125]
$ sed 's/"sigstoreSigned"/"signedBaseLayer","baseLayerIdentity":{"type":"matchExact"}/; s/,"keyPath":"[^"]*"//' sigstore.json >base.json; kiln pull -q --signature-policy base.json oci:layout:localhost/base
! Error: cannot use `oci:layout:localhost/base`: the signature policy asks for `signedBaseLayer`, which is not supported
! hint: ask for `signedBy` in policy.json, or name another policy: --signature-policy FILE (as skopeo: --policy FILE)
[125]
$ kiln pull -q --policy always --tls-verify=false --signature-policy reject.json docker://$R/base
! Error: cannot use `docker://<localhost>/base:latest`: the signature policy rejects it
! hint: see what policy.json asks of it, or name another policy: --signature-policy FILE (as skopeo: --policy FILE)
[125]
$ kiln pull -q --signature-policy reject.json oci:layout:localhost/base
! Error: cannot use `oci:layout:localhost/base`: the signature policy rejects it
! hint: see what policy.json asks of it, or name another policy: --signature-policy FILE (as skopeo: --policy FILE)
[125]
$ kiln pull -q --policy always --tls-verify=false --signature-policy none.json docker://$R/base
! Error: cannot read the signature policy `none.json`: No such file or directory (os error 2)
[125]
$ kiln pull -q --policy always --tls-verify=false --signature-policy accept.json docker://$R/base
<id-1>
$ cp reject.json $HOME/.config/containers/policy.json; kiln pull -q --policy always --tls-verify=false docker://$R/base
! Error: cannot use `docker://<localhost>/base:latest`: the signature policy rejects it
! hint: see what policy.json asks of it, or name another policy: --signature-policy FILE (as skopeo: --policy FILE)
[125]
$ CONTAINERS_POLICY_JSON=accept.json kiln pull -q --policy always --tls-verify=false docker://$R/base
<id-1>
$ for file in lookaside/base@*/signature-1; do printf x | dd of=$file bs=1 seek=200 conv=notrunc 2>/dev/null; done
$ kiln pull -q --policy always --tls-verify=false --signature-policy signed.json docker://$R/base 2>&1 | sed 's/: its.*/: …/; s/: what was.*/: …/'
Error: cannot use `docker://<localhost>/base:latest`: …
hint: see what policy.json asks of it, or name another policy: --signature-policy FILE (as skopeo: --policy FILE)
"#;

#[test]
fn the_policy_decides_what_comes_in() {
    let test = "the_policy_decides_what_comes_in";
    if !needs(test, &[Need::Program("gpg")]) {
        return;
    }
    let Some((mut env, registry)) = with_registry(test, Setup::default()) else { return };
    let gnupg = env.path("gnupg").display().to_string();
    env.set("GNUPGHOME", &gnupg);
    let sign = r#"
mkdir -m 700 gnupg; mkdir -p $HOME/.config/containers/registries.d lookaside
for name in good other; do gpg -q --batch --passphrase '' --quick-gen-key $name@kiln.example rsa2048 default never 2>/dev/null; done
gpg -q --armor --export good@kiln.example >good.asc; gpg -q --export other@kiln.example >other.gpg
kiln push -q --tls-verify=false --digestfile digest base docker://$R/base
kiln push -q --tls-verify=false base docker://$R/unsigned
kiln push -q --tls-verify=false base docker://$R/moved
printf 'docker:\n  %s:\n    lookaside: file://%s/lookaside\n' $R $PWD >$HOME/.config/containers/registries.d/r.yaml
hex=$(sed s/sha256:// digest)
mkdir lookaside/base@sha256=$hex lookaside/moved@sha256=$hex
printf '{"critical":{"type":"atomic container signature","image":{"docker-manifest-digest":"sha256:%s"},"identity":{"docker-reference":"%s/base:latest"}},"optional":{}}' $hex $R >statement
gpg -q --batch -u good@kiln.example --sign -o lookaside/base@sha256=$hex/signature-1 statement
cp lookaside/base@sha256=$hex/signature-1 lookaside/moved@sha256=$hex/
old='gpg -q --batch --faked-system-time 20200101T000000'
for name in expired revoked; do
$old --passphrase '' --quick-gen-key $name@kiln.example rsa2048 default $([ $name = expired ] && echo 1y || echo never) 2>/dev/null
mkdir lookaside/$name@sha256=$hex; $old -u $name@kiln.example --sign -o lookaside/$name@sha256=$hex/signature-1 statement
kiln push -q --tls-verify=false base docker://$R/$name
done
fingerprint=$(gpg --with-colons -k revoked@kiln.example | sed -n '/^fpr/{s/fpr:*//;s/://p;q}')
sed 's/^:---/---/' gnupg/openpgp-revocs.d/$fingerprint.rev | gpg -q --batch --import 2>/dev/null
for name in expired revoked; do gpg -q --export $name@kiln.example >$name.gpg; done
gpgconf --kill all
"#;
    env.shell(sign).expect_ok("signatures");
    let policy = |key: &str, more: &str| {
        format!(
            r#"{{"default":[{{"type":"reject"}}],"transports":{{"docker":{{"{}":
               [{{"type":"signedBy","keyType":"GPGKeys","keyPath":"{}"{more}}}]}}}}}}"#,
            registry.host,
            env.path(key).display()
        )
    };
    env.write("signed.json", policy("good.asc", ""));
    for name in ["other", "expired", "revoked"] {
        env.write(format!("by-{name}.json"), policy(&format!("{name}.gpg"), ""));
    }
    env.write(
        "any.json",
        policy("good.asc", r#","signedIdentity":{"type":"exactRepository","dockerRepository":"REPO"}"#)
            .replace("REPO", &format!("{}/base", registry.host)),
    );
    env.write("sigstore.json", r#"{"default":[{"type":"sigstoreSigned","keyPath":"/k"}]}"#);
    env.write("reject.json", r#"{"default":[{"type":"reject"}]}"#);
    env.write("accept.json", ACCEPT);
    tell(&env, SIGNED);
}
