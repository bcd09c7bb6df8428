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

#[test]
fn what_a_power_cut_took_half_of_is_not_taken_for_whole() {
    // What was unpacked went first, and what lay on it could not be checked any more.
    let Some(env) = with_base("what_a_power_cut_took_half_of_is_not_taken_for_whole") else { return };
    tell(
        &env,
        r#"
$ for n in 1 2 3 4; do c=$(kiln from base); echo $n >$n; kiln copy -q $c $n /file; kiln commit -q $c made:$n >/dev/null; done
$ kiln rm -a >/dev/null; ls "$KILN_ROOT"/layers | wc -l
5
$ for file in "$KILN_ROOT"/layers/*/fs/file; do if grep -q '[12]' $file; then : >$file; fi; done; rm -f "$KILN_ROOT"/unsynced/*
$ for tree in "$KILN_ROOT"/layers/*; do echo before >"$KILN_ROOT/unsynced/${tree##*/}"; done
$ touch -d 2000-01-01 "$KILN_ROOT"/unsynced/*; kiln images -q | wc -l; ls "$KILN_ROOT"/unsynced; ls "$KILN_ROOT"/layers | wc -l
5
2
$ for n in 1 2 3 4; do c=$(kiln from made:$n) && m=$(kiln mount $c) && cat $m/file || true; done 2>&1 | cut -c-21
Error: cannot open th
hint: the layer is ne
Error: cannot open th
hint: the layer is ne
3
4
$ kiln rm -a >/dev/null; kiln check --repair | cut -c-19; kiln images -q | wc -l
repaired: the image
repaired: the image
3
"#,
    );
}
