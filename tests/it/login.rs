//! Stories of `kiln login`: credentials are tried and kept, or refused.

use crate::support::registry::{Setup, with_registry};
use crate::support::tell;

const PASSWORD: Setup = Setup { tls: false, client: false, password: true };

#[test]
fn one_logs_in_and_is_known() {
    let Some((env, _registry)) = with_registry("one_logs_in_and_is_known", PASSWORD) else { return };
    tell(
        &env,
        r#"
$ kiln push -q --tls-verify=false base docker://$R/team/base
! Error: cannot find `<localhost>/team/base:latest`: the registry wants a login that is good for it
! hint: log in with `kiln login <localhost>`, or hand in --creds USER:PASSWORD
[125]
$ kiln login --tls-verify=false -u user -p secret $R
Login Succeeded!
$ stat -c %a run/containers/auth.json
600
$ kiln login --get-login $R
user
$ kiln push -q --tls-verify=false base docker://$R/team/base
$ kiln login --tls-verify=false $R
Authenticating with existing credentials for <localhost>
Existing credentials are valid. Already logged in to <localhost>
$ printf 'secret\n' | kiln login -v --tls-verify=false -u user --password-stdin $R
Used:  <dir>/files/run/containers/auth.json
Login Succeeded!
$ kiln login --tls-verify=false -u user -p secret --authfile mine.json http://$R/team/
Login Succeeded!
$ sed "s/$R/HOST/" mine.json
{
  "auths": {
    "HOST/team": {
      "auth": "dXNlcjpzZWNyZXQ="
    }
  }
}<no line end>
$ kiln pull -q --tls-verify=false --authfile mine.json docker://$R/team/base
<id-1>
$ kiln pull -q --tls-verify=false --authfile mine.json docker://$R/other/base
! Error: cannot read the manifest of `<localhost>/other/base:latest`: the registry wants a login that is good for it: unauthorized: authentication required
! hint: log in with `kiln login <localhost>`, or hand in --creds USER:PASSWORD
[125]
$ kiln login --tls-verify=false -u user -p secret --compat-auth-file compat.json $R && test -s compat.json
Login Succeeded!
$ REGISTRY_AUTH_FILE=compat.json kiln login --get-login $R
user
$ DOCKER_CONFIG=/nowhere REGISTRY_AUTH_FILE=/nowhere/x kiln login --get-login $R
! Error: cannot find a login for `<localhost>`: not logged in
! hint: log in with `kiln login <localhost>`
[125]
$ skopeo inspect --authfile mine.json --tls-verify=false --format '{{.RepoTags}}' docker://$R/team/base
[latest]
$ skopeo login --authfile theirs.json --tls-verify=false -u user -p secret $R >/dev/null; kiln login --authfile theirs.json --get-login $R
user
"#,
    );
}

#[test]
fn what_is_no_login() {
    let Some((env, _registry)) = with_registry("what_is_no_login", PASSWORD) else { return };
    tell(
        &env,
        r#"
$ kiln login --tls-verify=false -u user -p wrong $R
! Error: cannot log in to `<localhost>`: invalid username/password
! hint: try again with another one: kiln login -u USER <localhost>
[125]
$ kiln login -u user -p secret $R
! Error: cannot talk to `<localhost>`: it does not speak TLS
! hint: if it is meant to speak plain HTTP, allow that with --tls-verify=false
[125]
$ kiln login --get-login $R
! Error: cannot find a login for `<localhost>`: not logged in
! hint: log in with `kiln login <localhost>`
[125]
$ kiln login --tls-verify=false $R
! Error: cannot ask for `username`: there is no terminal
! hint: hand it in: -u NAME --password-stdin <FILE
[125]
$ kiln login --tls-verify=false -u user $R
! Error: cannot ask for `password`: there is no terminal
! hint: hand it in: -u NAME --password-stdin <FILE
[125]
$ kiln login --tls-verify=false --password-stdin $R </dev/null
! Error: cannot log in to `<localhost>`: there is a password without a user name
! hint: name the user as well: -u NAME --password-stdin
[125]
$ kiln login --tls-verify=false -p a --password-stdin $R </dev/null 2>&1 | head -1
Error: cannot use `--password` and `--password-stdin` together
$ kiln login --tls-verify=false -u user: -p a $R
! Error: cannot log in to `<localhost>`: a user name is not empty and has no colon
! hint: name the user: -u NAME
[125]
$ kiln login -u user -p secret not/a/host
! Error: cannot use the registry `not/a/host`: it is no host name with a dot, a port, or `localhost`
! hint: write HOST[:PORT], such as registry.example or localhost:5000
[125]
$ kiln login -u user -p secret ../../etc/passwd
! Error: cannot use the registry `../../etc/passwd`: it is no host name with a dot, a port, or `localhost`
! hint: write HOST[:PORT], such as registry.example or localhost:5000
[125]
$ kiln login -u user -p secret https://user:PASSWORD@localhost:1
! Error: cannot use the registry `…@localhost:1`: it has a user name or a password in it
! hint: log in with `kiln login -u NAME --password-stdin localhost:1`
[125]
$ kiln login --get-login user:PASS/WORD@localhost:1
! Error: cannot use the registry `…@localhost:1`: it has a user name or a password in it
! hint: log in with `kiln login -u NAME --password-stdin localhost:1`
[125]
$ kiln logout http://user:PASSWORD@localhost:1
! Error: cannot use the registry `…@localhost:1`: it has a user name or a password in it
! hint: log in with `kiln login -u NAME --password-stdin localhost:1`
[125]
$ kiln login 2>&1 | head -2
Error: cannot do `kiln login`: <REGISTRY> is missing
hint: it is used so: kiln login <REGISTRY>
$ kiln login --tls-verify=maybe -u user -p secret $R 2>&1 | head -1
Error: cannot use `--tls-verify=maybe`: write true or false
$ kiln login -u user -p secret localhost:1
! Error: cannot talk to `localhost:1`: Connection refused (os error 111)
! hint: see whether a registry runs at `localhost:1`
[125]
$ echo '{"auths": [' >bad.json; kiln login --tls-verify=false --authfile bad.json -u user -p secret $R
! Error: cannot read the credentials in `bad.json`: it is no JSON (line 2, column 0)
! hint: correct the file, or remove it and log in again: kiln login HOST
[125]
$ echo '{"credHelpers": {"'$R'": "none-such"}}' >help.json; kiln push --tls-verify=false --authfile help.json base docker://$R/x
! Error: cannot use the credential helper `docker-credential-none-such`: No such file or directory (os error 2)
! hint: install it, or take it out of credHelpers and credsStore in auth.json or config.json
[125]
$ kiln login --tls-verify=false --authfile help.json -u user -p secret $R
! Error: cannot use the credential helper `docker-credential-none-such`: No such file or directory (os error 2)
! hint: install it, or take it out of credHelpers and credsStore in auth.json or config.json
[125]
$ ls run
"#,
    );
}

#[test]
fn a_credential_helper_keeps_the_secret() {
    let Some((env, _registry)) = with_registry("a_credential_helper_keeps_the_secret", PASSWORD) else {
        return;
    };
    tell(
        &env,
        r#"
$ cat >../bin/docker-credential-drawer <<'END'
> #!/bin/sh
> case $1 in
> store) cat >drawer ;;
> get) read -r host; test -e drawer || { echo credentials not found in native keychain; exit 1; }; cat drawer ;;
> erase) rm drawer ;;
> esac
> END
> chmod 755 ../bin/docker-credential-drawer
$ echo '{"credHelpers": {"'$R'": "drawer"}}' >help.json
$ kiln login -v --tls-verify=false --authfile help.json -u user -p secret $R
Used:  drawer
Login Succeeded!
$ grep -c secret drawer; grep -c auths help.json
1
0
[1]
$ kiln push -q --tls-verify=false --authfile help.json base docker://$R/x
$ kiln login --authfile help.json --get-login $R
user
$ kiln logout --authfile help.json $R
Removed login credentials for <localhost>
$ kiln push -q --tls-verify=false --authfile help.json base docker://$R/x
! Error: cannot find `<localhost>/x:latest`: the registry wants a login that is good for it
! hint: log in with `kiln login <localhost>`, or hand in --creds USER:PASSWORD
[125]
"#,
    );
}
