//! Stories of `kiln completion`: what shells complete.

use crate::support::{tell, with_base};

#[test]
fn shells_complete_verbs_flags_and_names() {
    let Some(env) = with_base("shells_complete_verbs_flags_and_names") else { return };
    let script = r#". ./kiln.bash
COMP_WORDS=(kiln "$@") COMP_CWORD=$#
_kiln_names kiln "${@: -1}" "${@: -2:1}"
echo "${COMPREPLY[@]}"
"#;
    env.write("complete", script);
    tell(
        &env,
        r#"
$ kiln from --name web base; kiln completion bash >kiln.bash; bash complete renam
web
rename
$ bash complete config --healthcheck-r; bash complete config w; bash complete rmi loc; bash complete inspect loc
--healthcheck-retries
web
localhost/base
localhost/base
$ kiln completion zsh | head -n 1; kiln completion fish | grep -c 'Give an image more names'
#compdef kiln
1
$ kiln completion tcsh
! Error: cannot use `tcsh`: it may be bash or elvish or fish or powershell or zsh
! hint: did you mean `zsh`? see `kiln completion --help`
[125]
$ kiln completion
! Error: cannot do `kiln completion`: <SHELL> is missing
! hint: it is used so: kiln completion <SHELL>
[125]
"#,
    );
}
