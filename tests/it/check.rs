//! Stories of `kiln check`: a whole store is silent, damage is found and mended.

use crate::support::{tell, with_base};

#[test]
fn a_whole_store_is_silent() {
    let Some(env) = with_base("a_whole_store_is_silent") else { return };
    tell(
        &env,
        r#"
$ kiln check
$ kiln from --name one base
one
$ echo x >"$(kiln mount one)/x"
$ kiln commit -q --timestamp 0 one made >/dev/null
$ kiln check
$ kiln check --deep
$ kiln check --repair
$ kiln check --nosuch
! Error: cannot understand `--nosuch`: `kiln check` has no such flag
! hint: see `kiln check --help`
[125]
$ kiln check extra
! Error: cannot understand `extra`: `kiln check` takes no further word
! hint: see `kiln check --help`
[125]
"#,
    );
}

#[test]
fn damage_is_found_and_mended() {
    let Some(env) = with_base("damage_is_found_and_mended") else { return };
    tell(
        &env,
        r#"
$ blob=$(ls -S "$KILN_ROOT"/images/blobs/sha256/* | tail -n 1); printf X | dd of="$blob" bs=1 conv=notrunc 2>/dev/null
$ kiln check
$ kiln check --deep
damaged: the blob `sha256:<id-1>` has the content of sha256:<id-2>
! hint: mend the store with `kiln check --repair`
[1]
$ kiln check --deep --repair
repaired: the blob `sha256:<id-1>` has the content of sha256:<id-2>, removed
$ kiln check --deep
$ kiln push -q base oci:out:x
! Error: cannot write the layer `sha256:<id-3>`: its blob is gone, and its tree was unpacked from a tar that only its maker can write
! hint: pull the image again
[125]
$ kiln images
REPOSITORY      TAG     IMAGE ID      CREATED       SIZE
localhost/base  latest  <short-4>  <age>  211 B
$ kiln pull -q oci:layout:localhost/base
<id-4>
$ kiln push -q base oci:out:x
$ kiln check --deep
"#,
    );
}
