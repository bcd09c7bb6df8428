//! Stories of `kiln logout`: credentials are forgotten.

use crate::support::registry::{Setup, with_registry};
use crate::support::tell_as_buildah;

#[test]
fn one_logs_out() {
    let setup = Setup { password: true, ..Setup::default() };
    let Some((env, _registry)) = with_registry("one_logs_out", setup) else { return };
    tell_as_buildah(
        &env,
        r#"
$ buildah login --tls-verify=false -u user -p secret $R
Login Succeeded!
$ buildah logout $R
Removed login credentials for <localhost>
$ buildah logout $R
! Error: cannot log out of `<localhost>`: there are no credentials for it
! hint: log in with `kiln login <localhost>`
[125]
$ buildah login --get-login $R
! Error: cannot find a login for `<localhost>`: not logged in
! hint: log in with `kiln login <localhost>`
[125]
$ buildah login --tls-verify=false -u user -p secret $R/one; buildah login --tls-verify=false -u user -p secret $R/two
Login Succeeded!
Login Succeeded!
$ buildah logout $R
! Error: cannot log out of `<localhost>`: there are no credentials for it
! hint: log in with `kiln login <localhost>`
[125]
$ buildah logout $R/one
Removed login credentials for <localhost>/one
$ buildah login --get-login $R/two
user
$ buildah logout --all
Removed login credentials for all registries
$ buildah login --get-login $R/two
! Error: cannot find a login for `<localhost>/two`: not logged in
! hint: log in with `kiln login <localhost>/two`
[125]
$ buildah logout --all
Removed login credentials for all registries
$ buildah logout 2>&1 | head -2
Error: cannot do `buildah logout`: <REGISTRY> is missing
hint: it is used so: buildah logout <REGISTRY>
$ buildah logout --all $R 2>&1 | head -1
Error: cannot use `--all` and `[REGISTRY]` together
$ buildah logout --authfile none.json $R; ls none.json
! Error: cannot log out of `<localhost>`: there are no credentials for it
! hint: log in with `kiln login <localhost>`
[125]
"#,
    );
}
