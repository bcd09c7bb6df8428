//! Stories of what is done in a registry without the store: tags, deleting, what refers to an image, synchronizing;
//! and of signatures, time limits and policies on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::fake::{Fake, Reply};
use crate::support::registry::{Setup, start, start_again, with_registry};
use crate::support::{Need, needs, tell, with_base};

#[test]
fn tags_come_in_pages_and_go() {
    let Some((mut env, _registry)) = with_registry("tags_come_in_pages_and_go", Setup::default()) else {
        return;
    };
    let paged = Fake::start(|asked| match asked.path.as_str() {
        "/v2/many/tags/list?n=1000" => Reply::new(200, r#"{"name":"many","tags":["a","b"]}"#)
            .header("Link", "</v2/many/tags/list?last=b>; rel=\"next\""),
        "/v2/many/tags/list?last=b" => Reply::new(200, r#"{"name":"many","tags":["c"]}"#)
            .header("Link", "</v2/many/tags/list?last=c>; rel=\"next\""),
        "/v2/many/tags/list?last=c" => Reply::new(200, r#"{"name":"many","tags":null}"#),
        "/v2/round/tags/list?n=1000" => Reply::new(200, r#"{"tags":["a"]}"#)
            .header("Link", "<http://127.0.0.1:1/v2/round/tags/list>; rel=\"next\""),
        _ => Reply::new(404, r#"{"errors":[{"code":"NAME_UNKNOWN"}]}"#),
    });
    env.set("P", &paged.host);
    tell(
        &env,
        r#"
$ kiln image tags --tls-verify=false docker://$P/many | tr -d ' \n'; echo
{"Repository":"<localhost>/many","Tags":["a","b","c"]}
$ kiln image tags --tls-verify=false docker://$P/round
! Error: cannot list the tags of `<localhost>/round`: the next page is on another server
! hint: see whether `<localhost>` is a registry; if it is, tell whoever runs it what it answers
[125]
$ kiln image tags --tls-verify=false docker://$P/none
! Error: cannot list the tags of `<localhost>/none`: the registry does not have it: name unknown
! hint: check the name: HOST/PATH
[125]
$ for tag in 1 2; do kiln push -q --tls-verify=false base docker://$R/team/base:$tag; done; kiln image tags --tls-verify=false docker://$R/team/base | tr -d ' ,' | sort
"1"
"2"
"Repository":"<localhost>/team/base"
"Tags":[
]
{
}
$ kiln image tags --tls-verify=false docker://$R/team/base:1
! Error: cannot list the tags of `docker://<localhost>/team/base:1`: it names one of them
! hint: leave out tag and digest: docker://<localhost>/team/base
[125]
$ kiln image delete --tls-verify=false docker://$R/team/base:2; kiln image inspect --tls-verify=false docker://$R/team/base:1
! Error: cannot read the manifest of `<localhost>/team/base:1`: the registry does not have it: manifest unknown
! hint: check the name and the tag: `kiln image tags NAME` lists what there is
[125]
$ kiln image delete --tls-verify=false docker://$R/team/base:2
! Error: cannot delete `<localhost>/team/base:2`: the registry does not have it
! hint: see what there is: kiln image tags docker://<localhost>/team/base
[125]
$ kiln push -q --tls-verify=false base docker://$R/x; kiln image delete --tls-verify=false docker://$R/x@$(kiln images --digests --format '{{.Digest}}' base)
$ kiln image delete --tls-verify=false docker://$P/none:x
! Error: cannot delete `<localhost>/none:x`: the registry does not have it
! hint: see what there is: kiln image tags docker://<localhost>/none
[125]
"#,
    );
}

#[test]
fn what_refers_to_an_image_is_found() {
    let test = "what_refers_to_an_image_is_found";
    let Some((mut env, _registry)) = with_registry(test, Setup::default()) else { return };
    let subject = env.ok(["images", "--no-trunc", "--format", "{{.Digest}}", "base"]);
    let wanted = format!("/v2/x/referrers/{subject}");
    let list = Fake::start(move |asked| match asked.path.as_str() {
        path if path == wanted => {
            let entry = r#"{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":2,
                "artifactType":"application/x.bill","digest":"#;
            let body = format!(r#"{{"schemaVersion":2,"manifests":[{entry}"sha256:{}"}}]}}"#, "0".repeat(64));
            Reply::new(200, body)
        }
        _ => Reply::new(404, ""),
    });
    env.set("L", &list.host);
    // Debian's registry keeps no such list: a tag stands in for it.
    tell(
        &env,
        r#"
$ D=$(kiln images --digests --format '{{.Digest}}' base); kiln image referrers --tls-verify=false docker://$L/x@$D | grep -c x.bill; kiln image referrers --tls-verify=false --artifact-type other docker://$L/x@$D | grep -c x.bill
1
0
[1]
$ kiln push -q --tls-verify=false base docker://$R/x:1; kiln image referrers --tls-verify=false docker://$R/x:1
{
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.index.v1+json",
    "manifests": []
}
$ echo bill >bill; kiln manifest create list >/dev/null; kiln manifest add --artifact --artifact-type application/x.bill --artifact-annotation of=base --artifact-subject base list bill >/dev/null; kiln manifest push -q --tls-verify=false list docker://$R/x:list
$ kiln image referrers --tls-verify=false docker://$R/x:1 | grep -e artifactType -e '"of"'
                "of": "base"
            "artifactType": "application/x.bill"
$ kiln manifest push -q --tls-verify=false list docker://$R/x:again; kiln image referrers --tls-verify=false --artifact-type application/x.bill docker://$R/x:1 | grep -c digest
1
$ kiln image referrers oci:layout
! Error: cannot list what refers to `oci:layout`: only registries keep such a list
! hint: name an image in a registry: docker://HOST/NAME:TAG
[125]
"#,
    );
}

#[test]
fn registries_and_directories_are_synchronized() {
    let test = "registries_and_directories_are_synchronized";
    let Some((mut env, _registry)) = with_registry(test, Setup::default()) else { return };
    let other = start(&env, "other", Setup::default());
    env.set("M", &other.host);
    tell(
        &env,
        r#"
$ for name in team/base:1.0 team/base:1.1 team/base:2.0 team/base:latest other:x; do kiln push -q --tls-verify=false base docker://$R/$name; done
$ kiln image sync --src-tls-verify=false --src docker --dest dir $R/team/base out 2>&1 | grep Copying.docker | sort
Copying docker://<localhost>/team/base:1.0 to dir:out/base:1.0
Copying docker://<localhost>/team/base:1.1 to dir:out/base:1.1
Copying docker://<localhost>/team/base:2.0 to dir:out/base:2.0
Copying docker://<localhost>/team/base:latest to dir:out/base:latest
$ kiln image sync --dest-tls-verify=false --src dir --dest docker out $M/copy 2>/dev/null; kiln image tags --tls-verify=false docker://$M/copy/base | grep -c '"[12l].*[0-9t]"'
4
$ printf '%s:\n  tls-verify: false\n  images:\n    other: []\n    team/base: [latest]\n  images-by-tag-regex:\n    team/base: ^1[.]\n  images-by-semver:\n    team/base: ">= 2.0, < 3"\n' $R >list.yaml
$ kiln image sync --src-tls-verify=false --src yaml --dest dir --scoped list.yaml all 2>&1 | grep Copying.docker | sort; ls all/$R/team
Copying docker://<localhost>/other:x to dir:all/<localhost>/other:x
Copying docker://<localhost>/team/base:1.0 to dir:all/<localhost>/team/base:1.0
Copying docker://<localhost>/team/base:1.1 to dir:all/<localhost>/team/base:1.1
Copying docker://<localhost>/team/base:2.0 to dir:all/<localhost>/team/base:2.0
Copying docker://<localhost>/team/base:latest to dir:all/<localhost>/team/base:latest
base:1.0
base:1.1
base:2.0
base:latest
$ kiln image sync --dest-tls-verify=false --src yaml --dest docker list.yaml $M/all 2>/dev/null; kiln image tags --tls-verify=false docker://$M/all/base | grep -c '"[12l].*[0-9t]"'
4
$ kiln image sync --src-tls-verify=false --dest-tls-verify=false --append-suffix -m --digestfile digests --src docker --dest docker $R/other:x $M/suffix 2>/dev/null; cat digests
sha256:<id-1> docker://<localhost>/suffix/other:x-m
$ kiln image copy --dry-run oci:layout dir:never; ls never
! Would have copied oci:layout to dir:never
! ls: cannot access 'never': No such file or directory
[2]
$ printf '%s:\n  tls-verify: false\n  images:\n    none: []\n    other: [y, x]\n' $R >list.yaml; kiln image sync --keep-going --src yaml --dest dir list.yaml some 2>&1 | grep -v copying -i; ls some
Error: cannot list the tags of `<localhost>/none`: the registry does not have it: name unknown: repository name not known to registry
hint: check the name: HOST/PATH
Error: cannot read the manifest of `<localhost>/other:y`: the registry does not have it: manifest unknown
hint: check the name and the tag: `kiln image tags NAME` lists what there is
Error: cannot copy 1 of 2 images
hint: mend what is said of each above, and do the same again: what is there is not sent twice
other:x
$ echo 'a: [' >bad.yaml; kiln image sync --src yaml --dest dir bad.yaml none 2>&1 | head -c 45; echo
Error: cannot read the list `bad.yaml`: a: in
$ printf 'h.example:\n  images-by-semver: {a: "about 3"}\n' >bad.yaml; kiln image sync --src yaml --dest dir bad.yaml none
! Error: cannot use the versions `about 3`: `about` is no condition
! hint: write conditions such as >=1.2.0 <2.0.0, ^1.2 or ~1.2.3
[125]
"#,
    );
}

#[test]
fn signatures_come_from_a_server_too() {
    let test = "signatures_come_from_a_server_too";
    if !needs(test, &[Need::Program("gpg")]) {
        return;
    }
    let Some((mut env, registry)) = with_registry(test, Setup::default()) else { return };
    let gnupg = env.path("gnupg").display().to_string();
    env.set("GNUPGHOME", &gnupg);
    let files = env.path("lookaside");
    let lookaside =
        Fake::start(move |asked| match std::fs::read(files.join(asked.path.trim_start_matches('/'))) {
            Ok(bytes) => Reply::new(200, bytes),
            Err(_) => Reply::new(404, ""),
        });
    env.set("S", &lookaside.host);
    let sign = r#"
mkdir -m 700 gnupg; mkdir -p $HOME/.config/containers/registries.d
gpg -q --batch --passphrase '' --quick-gen-key good@kiln.example rsa2048 default never 2>/dev/null
gpg -q --armor --export good@kiln.example >good.asc
kiln push -q --tls-verify=false --digestfile digest base docker://$R/base
kiln push -q --tls-verify=false base docker://$R/unsigned
printf 'docker:\n  %s:\n    lookaside: http://%s\n' $R $S >$HOME/.config/containers/registries.d/r.yaml
hex=$(sed s/sha256:// digest)
mkdir -p lookaside/base@sha256=$hex
printf '{"critical":{"type":"atomic container signature","image":{"docker-manifest-digest":"sha256:%s"},"identity":{"docker-reference":"%s/base:latest"}},"optional":{}}' $hex $R >statement
gpg -q --batch -u good@kiln.example --sign -o lookaside/base@sha256=$hex/signature-1 statement
gpg --with-colons --list-keys | sed -n 's/^fpr:*\([0-9A-F]*\):/\1/p' | head -1 >fingerprint
gpgconf --kill all
"#;
    env.shell(sign).expect_ok("signatures");
    env.write(
        "signed.json",
        format!(
            r#"{{"default":[{{"type":"reject"}}],"transports":{{"docker":{{"{}":
               [{{"type":"signedBy","keyType":"GPGKeys","keyPath":"{}"}}]}}}}}}"#,
            registry.host,
            env.path("good.asc").display()
        ),
    );
    tell(
        &env,
        r#"
$ kiln pull -q --policy always --tls-verify=false --signature-policy signed.json docker://$R/base
<id-1>
$ kiln pull -q --policy always --tls-verify=false --signature-policy signed.json docker://$R/unsigned
! Error: cannot use `docker://<localhost>/unsigned:latest`: the signature policy asks for a signature, and it has none
! hint: see what policy.json asks of it, or name another policy: --signature-policy FILE (as skopeo: --policy FILE)
[125]
$ ln -s "$KILN" skopeo; kiln image inspect --tls-verify=false --raw docker://$R/base >manifest; ./skopeo standalone-verify --public-key-file good.asc manifest $R/base:latest any lookaside/base@*/signature-1 | sed "s/$(cat fingerprint)/<fingerprint>/"
Signature verified using fingerprint <fingerprint>, digest sha256:<id-2>
$ ./skopeo standalone-verify --public-key-file good.asc manifest $R/base $(cat fingerprint) lookaside/base@*/signature-1 | wc -l
1
$ ./skopeo standalone-verify --public-key-file good.asc manifest $R/other any lookaside/base@*/signature-1
! Error: cannot accept the signature of `<localhost>/other`: its signature is for the name `<localhost>/base:latest`
[1]
$ ./skopeo standalone-verify --public-key-file good.asc statement $R/base any lookaside/base@*/signature-1
! Error: cannot accept the signature of `<localhost>/base`: its signature is for another manifest
[1]
$ ./skopeo standalone-verify --public-key-file good.asc manifest $R/base 0123 lookaside/base@*/signature-1 2>&1 | sed "s/$(cat fingerprint)/<fingerprint>/"
Error: cannot accept the signature of `<localhost>/base`: the key that signed has the fingerprint <fingerprint>
$ ./skopeo standalone-verify manifest $R/base any lookaside/base@*/signature-1
! Error: cannot check the signature of `<localhost>/base`: the keys of GnuPG are not read here
! hint: hand the keys in: gpg --export FINGERPRINT >KEYS, then --public-key-file KEYS
[1]
$ ./skopeo standalone-sign manifest $R/base KEY -o signature
! Error: cannot sign a manifest: Kiln signs nothing: it would have to keep keys
! hint: sign it with a tool that keeps the keys: gpg --sign --output SIGNATURE STATEMENT
[1]
"#,
    );
}

#[test]
fn there_is_an_end_to_waiting_and_policies_can_be_left_out() {
    let Some(mut env) = with_base("there_is_an_end_to_waiting_and_policies_can_be_left_out") else { return };
    let slow = Fake::start(|_| {
        std::thread::sleep(std::time::Duration::from_secs(15));
        Reply::new(200, "")
    });
    env.set("F", &slow.host);
    tell(
        &env,
        r#"
$ ln -s "$KILN" skopeo; kiln image --command-timeout 300ms inspect --tls-verify=false docker://$F/x
! Error: cannot finish in 300ms
! hint: give it longer with --command-timeout, or leave that out
[125]
$ ./skopeo --command-timeout 300ms copy --src-tls-verify=false docker://$F/x dir:out; ls out 2>/dev/null
! Error: cannot finish in 300ms
! hint: give it longer with --command-timeout, or leave that out
[1]
$ mkdir -p $HOME/.config/containers; echo '{"default":[{"type":"reject"}]}' >$HOME/.config/containers/policy.json; ./skopeo copy -q oci:layout dir:out
! Error: cannot use `oci:layout`: the signature policy rejects it
! hint: see what policy.json asks of it, or name another policy: --signature-policy FILE (as skopeo: --policy FILE)
[1]
$ ./skopeo inspect --format '{{len .Layers}}' oci:layout; ./skopeo inspect --config --raw oci:layout | sha256sum | cut -c-64
1
<id-1>
$ ./skopeo --insecure-policy copy -q oci:layout dir:out; ls out | wc -l
4
$ echo '{"default":[{"type":"insecureAcceptAnything"}]}' >policy; kiln image --policy policy copy -q oci:layout dir:again; ls again | wc -l
4
"#,
    );
}

#[test]
fn tls_is_never_left_behind() {
    let setup = Setup { tls: true, ..Setup::default() };
    let Some((env, registry)) = with_registry("tls_is_never_left_behind", setup) else { return };
    // The registry says that its uploads are at a plain address.
    let plain = Fake::start(|_| Reply::new(202, "").header("Location", "/up"));
    let leads_astray = format!("http:\n  host: http://{}\n", plain.host);
    let registry = start_again(&env, registry, "registry", |conf| conf.replacen("http:\n", &leads_astray, 1));
    env.shell("mkdir certs; cp ca.crt certs").expect_ok("certificates");
    let target = format!("docker://{}/base", registry.host);
    let said = env.fails(125, ["push", "-q", "--retry", "0", "--cert-dir", "certs", "base", &target]);
    assert!(said.contains("from https to plain http"), "{said}");
    assert_eq!(plain.seen().len(), 0);
}

#[test]
fn tokens_delays_and_lanes_are_as_asked_for() {
    let Some(mut env) = with_base("tokens_delays_and_lanes_are_as_asked_for") else { return };
    // One image of several layers, of which a registry hands out one at a time, or more.
    let script = "for n in 1 2 3 4; do
            c=$(kiln from base); echo $n >f; kiln copy -q $c f /$n; kiln commit -q $c base
        done";
    env.shell(script).expect_ok("layers");
    env.ok(["push", "-q", "base", "dir:image"]);
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (files, count, peak) = (env.path("image"), now.clone(), most.clone());
    let fake = Fake::start(move |asked| {
        if asked.header("authorization") != Some("Bearer horse") {
            return Reply::new(401, "");
        }
        let last = asked.path.rsplit('/').next().unwrap_or_default();
        if asked.path.contains("/manifests/") {
            return Reply::new(200, std::fs::read(files.join("manifest.json")).expect("the manifest"));
        }
        peak.fetch_max(count.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        std::thread::sleep(std::time::Duration::from_millis(50));
        count.fetch_sub(1, Ordering::Relaxed);
        match std::fs::read(files.join(last.trim_start_matches("sha256:"))) {
            Ok(bytes) => Reply::new(200, bytes),
            Err(_) => Reply::new(404, ""),
        }
    });
    env.set("F", &fake.host);
    let copy = ["image", "copy", "-q", "--src-tls-verify=false", "--src-registry-token", "horse"];
    let source = format!("docker://{}/x", fake.host);
    env.ok(copy.iter().chain(&["--image-parallel-copies", "1", source.as_str(), "dir:one"]));
    assert_eq!(most.load(Ordering::Relaxed), 1);
    tell(
        &env,
        r#"
$ kiln image inspect --tls-verify=false --no-tags docker://$F/x
! Error: cannot read the manifest of `<localhost>/x:latest`: the registry wants a login that is good for it
! hint: log in with `kiln login <localhost>`, or hand in --creds USER:PASSWORD
[125]
$ kiln image inspect --tls-verify=false --no-tags --registry-token horse --format '{{len .Layers}}' docker://$F/x
5
$ kiln image inspect --tls-verify=false --registry-token cow --creds a:b docker://$F/x
! Error: cannot use `--registry-token` and `--creds` together
! hint: see `kiln image inspect --help`
[125]
$ kiln image tags --tls-verify=false --retry-times 2 --retry-delay 1ms docker://localhost:1/x 2>&1 | grep -c trying
2
"#,
    );
}
