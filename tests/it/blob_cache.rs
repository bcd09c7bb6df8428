//! Stories of `--blob-cache`: what is kept there, in the form that Buildah has, and what is taken from there.

use crate::support::{tell, with_base};

#[test]
fn what_is_kept_is_not_fetched_again() {
    let Some(env) = with_base("what_is_kept_is_not_fetched_again") else { return };
    tell(
        &env,
        r#"
$ kiln --root one pull -q --blob-cache blobs oci:layout:localhost/base
<id-1>
$ ls blobs | sed 's/[0-9a-f]\{64\}/HEX/' | sort; stat -c %a blobs/*.config
sha256:HEX
sha256:HEX
sha256:HEX.compressed
sha256:HEX.config
sha256:HEX.decompressed
600
$ # The layer is gone from where the image is: what the directory has will do.
> for blob in layout/blobs/sha256/*; do ! gzip -t $blob 2>/dev/null || rm $blob; done
> kiln --root two from -q --blob-cache blobs --name c oci:layout:localhost/base; ls two/layers | wc -l
c
1
$ kiln --root three pull -q --blob-cache none oci:layout:localhost/base 2>&1 | grep -c 'No such file'; ls none
1
$ # Whatever is in it is digested before it is believed.
> for blob in blobs/*; do ! gzip -t $blob 2>/dev/null || printf 'not this' | dd of="$blob" conv=notrunc status=none; done
> kiln --root four pull -q --blob-cache blobs oci:layout:localhost/base 2>&1 | grep -c 'No such file'
1
$ : >file; kiln pull -q --blob-cache file/x oci:layout:localhost/base
! Error: cannot make the directory `file/x`: Not a directory (os error 20)
! hint: name another one with --blob-cache DIR, or leave it away
[125]
$ kiln --root one check; kiln --root two check; kiln --root two rm c | wc -l
1
"#,
    );
}

#[test]
fn what_is_kept_is_not_compressed_again() {
    let Some(env) = with_base("what_is_kept_is_not_compressed_again") else { return };
    tell(
        &env,
        r#"
$ kiln from -q --name c base; echo new >"$(kiln mount c)/new"; kiln commit -q --timestamp 0 c made | wc -l
c
1
$ # As another tool would have it: a blob that Kiln would not make, and a note of what it is.
> kiln push -q -D made dir:plain; for blob in plain/*; do ! tar -tf $blob new >/dev/null 2>&1 || tar=${blob##*/}; done
> mkdir blobs; gzip -1 -n <plain/$tar >gz; gz=$(sha256sum <gz | cut -c-64); cp gz blobs/sha256:$gz
> printf sha256:$gz >blobs/sha256:$tar.compressed
> kiln push -q --blob-cache blobs made oci:out:x; cmp gz out/blobs/sha256/$gz && echo "taken from there"
taken from there
$ # Another form is made and kept.
> kiln push -q --blob-cache blobs --compression-format zstd made oci:zstd:x
> for blob in zstd/blobs/sha256/*; do ls -d blobs/sha256:${blob##*/}* >/dev/null; done
$ # A commit keeps its layers compressed; where they go plainly, nothing is kept.
> kiln commit -q --timestamp 0 --blob-cache new c again | wc -l; ls new | sed 's/[0-9a-f]\{64\}/HEX/' | sort | uniq -c
1
      3 sha256:HEX
      2 sha256:HEX.compressed
      1 sha256:HEX.config
      2 sha256:HEX.decompressed
$ kiln commit -q --timestamp 0 --blob-cache more c docker-archive:archive.tar:x:y | wc -l; ls more | wc -l
1
0
$ kiln commit -q --timestamp 0 --compression-format gzip --blob-cache more c oci:committed:x | wc -l
> ls new >one; ls more >two; diff one two | grep -c '^[<>]'
1
0
[1]
$ printf 'FROM base\nCOPY Dockerfile /\n' >Dockerfile; kiln build -q --timestamp 0 --blob-cache built -t b . | wc -l
> ls built | sed 's/[0-9a-f]\{64\}/HEX/' | sort | uniq -c
1
      3 sha256:HEX
      2 sha256:HEX.compressed
      1 sha256:HEX.config
      2 sha256:HEX.decompressed
$ kiln push -q --blob-cache built b oci:pushed:x
> for blob in pushed/blobs/sha256/*; do ls -d built/sha256:${blob##*/}* >/dev/null; done
$ kiln rm c | wc -l
1
"#,
    );
}

#[test]
fn what_a_list_names_is_kept() {
    let Some(env) = with_base("what_a_list_names_is_kept") else { return };
    tell(
        &env,
        r#"
$ for arch in arm64 riscv64; do kiln from -q --name $arch base >/dev/null; kiln config --arch $arch $arch; echo $arch >$arch.txt; kiln copy -q $arch $arch.txt / >/dev/null; kiln commit -q --rm --timestamp 0 $arch $arch >/dev/null; done
$ kiln manifest create --all list arm64 riscv64 >/dev/null; kiln push -q --all --blob-cache blobs list oci:out:x
$ # All that was sent is there, and is taken from there.
> for blob in out/blobs/sha256/*; do ls -d blobs/sha256:${blob##*/}* >/dev/null || echo ${blob##*/}; done; ls blobs | sed 's/[0-9a-f]\{64\}/HEX/' | sort | uniq -c
      6 sha256:HEX
      3 sha256:HEX.compressed
      2 sha256:HEX.config
      3 sha256:HEX.decompressed
$ kiln push -q --all --blob-cache blobs list oci:again:x; diff -r out/blobs again/blobs
"#,
    );
}
