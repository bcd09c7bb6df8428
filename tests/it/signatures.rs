//! Stories of simple-signing signatures on their way: they go along with an image, or it is said that they cannot.
//! Whether they are good is the policy's part: here they are any bytes.

use crate::support::registry::{Setup, with_registry};
use crate::support::tell;

#[test]
fn signatures_go_along_or_it_is_said_that_they_cannot() {
    let test = "signatures_go_along_or_it_is_said_that_they_cannot";
    let Some((env, _registry)) = with_registry(test, Setup::default()) else { return };
    tell(
        &env,
        r#"
$ ln -s "$KILN" skopeo; mkdir -p $HOME/.config/containers/registries.d
$ printf 'docker:\n  %s:\n    sigstore: file://%s/lookaside\n' $R $PWD >$HOME/.config/containers/registries.d/r.yaml
$ kiln push -q --tls-verify=false --digestfile digest base docker://$R/base
$ name=base@$(sed s/:/=/ digest); mkdir -p lookaside/$name; for n in 1 2; do echo good $n >lookaside/$name/signature-$n; done
$ ./skopeo copy -q --src-tls-verify=false docker://$R/base dir:signed; cat signed/signature-*
good 1
good 2
$ ./skopeo copy -q --src-tls-verify=false --remove-signatures docker://$R/base dir:bare; ls bare | grep -c signature
0
[1]
$ ./skopeo copy -q --src-tls-verify=false docker://$R/base oci:none; ls none 2>/dev/null
! Error: cannot keep the image's signatures in `oci:none`: it has no place for them
! hint: leave them behind with --remove-signatures
[1]
$ ./skopeo copy -q dir:signed docker-archive:none.tar
! Error: cannot keep the image's signatures in `docker-archive:none.tar`: it has no place for them
! hint: leave them behind with --remove-signatures
[1]
$ ./skopeo copy -q --remove-signatures dir:signed oci:bare-too
$ ./skopeo copy -q --dest-compress-format zstd dir:signed dir:none
! Error: cannot keep the image's signatures: its manifest changes on the way
! hint: leave them behind with --remove-signatures
[1]
$ ./skopeo copy -q --dest-tls-verify=false dir:signed docker://$R/copied; cat lookaside/copied@*/signature-2
good 2
$ kiln pull -q dir:signed; kiln pull -q --policy always --tls-verify=false docker://$R/base
<id-1>
<id-1>
$ kiln push -q --format v2s2 base dir:plain; echo good >plain/signature-1; ./skopeo copy -q --dest-tls-verify=false dir:plain docker://$R/plain; ./skopeo copy -q --src-tls-verify=false docker://$R/plain dir:again; diff -r plain again
$ printf 'docker:\n  %s:\n    sigstore: ftp://h.example\n' $R >$HOME/.config/containers/registries.d/r.yaml; ./skopeo copy -q --src-tls-verify=false docker://$R/base dir:none 2>&1 | sed 's/base@.*$/…/'
Error: cannot read the signatures of `<localhost>/base:latest`: they are said to be at `ftp://h.example/…
hint: the places in registries.d are file:// and https:// addresses
"#,
    );
}
