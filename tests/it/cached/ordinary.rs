//! Cached containers of an ordinary user: every verb that goes back in their steps.

use crate::support::{Env, Need, images, needs, tell};

#[test]
fn an_ordinary_user_goes_back_and_forth() {
    let test = "cached::ordinary::an_ordinary_user_goes_back_and_forth";
    if !needs(test, &[Need::User, Need::Busybox]) {
        return;
    }
    let Some(env) = Env::for_user(test) else { return };
    images::write_busybox(&env.path("layout"), "base").expect("a static busybox");
    env.ok(["pull", "-q", "oci:layout:base"]);
    tell(
        &env,
        r#"
$ kiln from --cached --name c base
c
$ kiln run c -- sh -c 'echo one >/one; chown 7:8 /one' 2>&1 | cut -c 1-4
ran 
$ kiln config --env A=b c 2>/dev/null; kiln run c -- sh -c 'echo two >/two; rm /one; exit 5' 2>/dev/null
[5]
$ kiln log --format '{{.Number}} {{.Kind}} {{.Cached}} {{.Size}}' c
1 run false 4 B
2 config false 0 B
3 run false 4 B
$ kiln shell --failed c -- sh -c 'ls /one /two; echo $A' 2>&1
ls: /one: No such file or directory
/two
b
$ kiln diff --at 1 c
A /one
$ kiln diff c
A /two
$ kiln undo c
run sh -c 'echo two >/two; rm /one; exit 5'
$ kiln fork --at 1 --name other c
other
$ kiln shell --at 1 c -- sh -c 'stat -c "%u:%g %n" /one; echo $A'
7:8 /one

$ kiln run other -- cat /one 2>/dev/null
one
$ kiln why c 1 | head -n 1
step 1: run sh -c 'echo one >/one; chown 7:8 /one'
$ kiln from --cached --name again base
again
$ kiln run again -- sh -c 'echo one >/one; chown 7:8 /one' 2>&1
cached
$ kiln unshare sh -c 'echo by hand >"$(kiln mount again)/hand"'; kiln config --label a=b again 2>/dev/null; kiln log --format '{{.Kind}} {{.Cached}}' again
run true
hand false
config false
$ kiln commit -q --layers --timestamp 0 again made >/dev/null; kiln inspect --format '{{len .OCIv1.rootfs.diff_ids}}' made
3
$ kiln du --format json | grep -c total; kiln rm --all | wc -l; kiln prune --max-size 100m 2>&1 | tail -n 1 | cut -d ' ' -f 1
1
3
removed
$ kiln prune --all >/dev/null 2>&1; kiln rmi --all --force >/dev/null; kiln prune --max-size 1m 2>/dev/null; ls -A "$KILN_ROOT/cache/steps" "$KILN_ROOT/layers" "$KILN_ROOT/tmp" | grep -c '[0-9a-f]\{12\}'
0
[1]
"#,
    );
}
