//! Stories of `kiln config`: what an image says of itself is set, removed and refused.

use crate::support::{tell, with_base};

#[test]
fn values_are_set() {
    let Some(env) = with_base("values_are_set") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base
one
$ kiln config --author 'A B <a@b>' --created-by me --comment remark --hostname host --domainname domain one
$ kiln config --env A=b --env 'C=d e' -e EMPTY= --label a=b -l 'c=d=e' --port 80 -p 443/tcp --volume /v -v /w one
$ kiln config --user u:g --workingdir /w --stop-signal SIGINT --arch arm64 --variant v8 --os linux one
$ kiln config --annotation x=y --onbuild 'RUN true' --history-comment why one
$ kiln config --shell '["/bin/bash", "-c"]' --entrypoint '["/x", "y"]' --cmd 'a "b c" d' one
$ kiln inspect --format '{{json .OCIv1}}' one
{"created":"<time>","author":"A B <a@b>","architecture":"arm64","variant":"v8","os":"linux","config":{"Hostname":"host","Domainname":"domain","User":"u:g","ExposedPorts":{"443/tcp":{},"80":{}},"Env":["PATH=/bin","KEPT=yes","A=b","C=d e","EMPTY="],"Entrypoint":["/x","y"],"Cmd":["a","b c","d"],"Volumes":{"/v":{},"/w":{}},"WorkingDir":"/w","OnBuild":["RUN true"],"Labels":{"a":"b","c":"d=e","of":"base"},"StopSignal":"SIGINT","Shell":["/bin/bash","-c"]},"rootfs":{"type":"layers","diff_ids":["sha256:<id-1>"]},"history":[{"created":"<time>","created_by":"written by hand"}],"comment":"remark"}
$ kiln inspect --format '{{json .Docker.config}}' one
{"Hostname":"host","Domainname":"domain","User":"u:g","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"ExposedPorts":{"443/tcp":{},"80":{}},"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":["PATH=/bin","KEPT=yes","A=b","C=d e","EMPTY="],"Cmd":["a","b c","d"],"Image":"sha256:<id-2>","Volumes":{"/v":{},"/w":{}},"WorkingDir":"/w","Entrypoint":["/x","y"],"OnBuild":["RUN true"],"Labels":{"a":"b","c":"d=e","of":"base"},"StopSignal":"SIGINT","Shell":["/bin/bash","-c"]}
$ kiln inspect --format '{{json .ImageAnnotations}} {{.ImageCreatedBy}}' one
{"x":"y"} me
"#,
    );
}

#[test]
fn values_are_removed() {
    let Some(env) = with_base("values_are_removed") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base
one
$ kiln config --env A=1 --env B=2 --label a=1 --label b=2 --port 1 --port 2 --volume /1 --volume /2 --annotation p=1 --annotation q=2 one
$ kiln config --env A- --label a- --port 1- --volume /1- --annotation p- one
$ kiln inspect --format '{{.OCIv1.Config.Env}} {{.OCIv1.Config.Labels}} {{.OCIv1.Config.ExposedPorts}} {{.OCIv1.Config.Volumes}} {{.ImageAnnotations}}' one
[PATH=/bin KEPT=yes B=2] map[b:2 of:base] map[2:{}] map[/2:{}] map[q:2]
$ kiln config --unsetlabel b --unsetannotation q one
$ kiln inspect --format '{{.OCIv1.Config.Labels}} {{.ImageAnnotations}}' one
map[of:base] map[]
$ kiln config --env - --label - --port - --volume - --annotation - --onbuild - one
$ kiln inspect --format '{{.OCIv1.Config.Env}} {{.OCIv1.Config.Labels}} {{.OCIv1.Config.ExposedPorts}} {{.OCIv1.Config.Volumes}} {{.ImageAnnotations}}' one
[] map[] map[] map[] map[]
$ kiln config --entrypoint '' --cmd '' --user '' --workingdir '' one
$ kiln inspect --format '{{json .OCIv1.config}}' one
{}
$ kiln config --env NOSUCH- --label nosuch- --unsetlabel nosuch one
"#,
    );
}

#[test]
fn entrypoints_and_commands_are_parsed() {
    let Some(env) = with_base("entrypoints_and_commands_are_parsed") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base
one
$ kiln config --entrypoint '["/x"]' one; kiln inspect --format '{{json .OCIv1.Config.Entrypoint}} {{json .OCIv1.Config.Cmd}}' one
["/x"] ["/bin/sh"]
! warning: the command ["/bin/sh"] becomes arguments of the new entrypoint
! hint: to remove it: kiln config --cmd '' one
$ kiln config --entrypoint '/x y' one; kiln inspect --format '{{json .OCIv1.Config.Entrypoint}}' one
["/bin/sh","-c","/x y"]
! warning: the command ["/bin/sh"] becomes arguments of the new entrypoint
! hint: to remove it: kiln config --cmd '' one
$ kiln config --entrypoint '[]' one; kiln inspect --format '{{json .OCIv1.Config.Entrypoint}}' one
[]
! warning: the command ["/bin/sh"] becomes arguments of the new entrypoint
! hint: to remove it: kiln config --cmd '' one
$ kiln config --entrypoint '["broken' one; kiln inspect --format '{{json .OCIv1.Config.Entrypoint}}' one
["/bin/sh","-c","[\"broken"]
! warning: the command ["/bin/sh"] becomes arguments of the new entrypoint
! hint: to remove it: kiln config --cmd '' one
$ kiln config --cmd '["a", "b c"]' one; kiln inspect --format '{{json .OCIv1.Config.Cmd}}' one
["a","b c"]
$ kiln config --cmd "a 'b c' \"d e\" f\\ g" one; kiln inspect --format '{{json .OCIv1.Config.Cmd}}' one
["a","b c","d e","f g"]
$ kiln config --cmd '[]' one; kiln inspect --format '{{json .OCIv1.Config.Cmd}}' one
[]
$ kiln config --cmd 'not "closed' one
! Error: cannot split `not "closed` into words: a quote in it is not closed
! hint: give --cmd a JSON list: --cmd '["word", "word"]'
[125]
$ kiln config --shell 'not "closed' one
! Error: cannot split `not "closed` into words: a quote in it is not closed
! hint: give --shell a JSON list: --shell '["word", "word"]'
[125]
"#,
    );
}

#[test]
fn what_cannot_be_set() {
    let Some(env) = with_base("what_cannot_be_set") else { return };
    tell(
        &env,
        r#"
$ kiln config
! Error: cannot do `kiln config`: <CONTAINER> is missing
! hint: it is used so: kiln config <CONTAINER>
[125]
$ kiln config --env A=b
! Error: cannot do `kiln config`: <CONTAINER> is missing
! hint: it is used so: kiln config --env <NAME=VALUE> <CONTAINER>
[125]
$ kiln from --name one base
one
$ kiln config nosuch
! Error: cannot find the container `nosuch`: no container in the store has this name or id
! hint: see what there is with `kiln containers`
[125]
$ kiln config --env A=b nosuch
! Error: cannot find the container `nosuch`: no container in the store has this name or id
! hint: see what there is with `kiln containers`
[125]
$ kiln config --nosuch one
! Error: cannot understand `--nosuch`: `kiln config` has no such flag
! hint: did you mean `--os`? see `kiln config --help`
[125]
$ kiln config --env =x one
! Error: cannot set `=x`: there is no name before `=`
! hint: give NAME=VALUE
[125]
$ kiln config --env NOT_SET_HERE one
! Error: cannot set the variable `NOT_SET_HERE`: it is not set here, so there is no value to take
! hint: give a value: --env NOT_SET_HERE=VALUE, or remove it: --env NOT_SET_HERE-
[125]
$ kiln config --label =x one
! Error: cannot set `=x`: there is no name before `=`
! hint: give NAME=VALUE
[125]
$ kiln config --port 99999999 one
$ kiln config --port a one
$ kiln config one
$ kiln inspect --format '{{json .OCIv1.config}}' one
{"ExposedPorts":{"99999999":{},"a":{}},"Env":["PATH=/bin","KEPT=yes"],"Cmd":["/bin/sh"],"Labels":{"of":"base"}}
"#,
    );
}

#[test]
fn edits_show_in_history_when_asked() {
    let Some(env) = with_base("edits_show_in_history_when_asked") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base
one
$ kiln config --env A=b one
$ kiln config --add-history --env C=d --user u one
$ BUILDAH_HISTORY=true kiln config --cmd /x one
$ kiln config --created-by 'a script' --history-comment why one
$ kiln commit -q one made >/dev/null
$ kiln inspect --format '{{range .OCIv1.History}}{{.CreatedBy}}|{{.Comment}}|{{.EmptyLayer}}{{println}}{{end}}' made
written by hand||false
/bin/sh -c #(nop) USER u||true
/bin/sh -c #(nop) ENV C=d||true
/bin/sh -c #(nop) CMD /x||true
a script|why|false

"#,
    );
}

#[test]
fn health_checks_are_set_part_by_part() {
    let Some(env) = with_base("health_checks_are_set_part_by_part") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base
one
$ kiln config --healthcheck 'CMD curl "a b"' --healthcheck-interval 5s --healthcheck-timeout 1m30s --healthcheck-start-period 500ms --healthcheck-start-interval 1s --healthcheck-retries 4 one
$ kiln inspect --format '{{json .OCIv1.Config.Healthcheck}}' one
{"Test":["CMD","curl","a b"],"Interval":5000000000,"Timeout":90000000000,"StartPeriod":500000000,"StartInterval":1000000000,"Retries":4}
$ kiln config --healthcheck 'CMD-SHELL curl x || exit 1' one; kiln inspect --format '{{json .OCIv1.Config.Healthcheck}}' one
{"Test":["CMD-SHELL","curl x || exit 1"],"Interval":5000000000,"Timeout":90000000000,"StartPeriod":500000000,"StartInterval":1000000000,"Retries":4}
$ kiln config --healthcheck '' one; kiln inspect --format '{{json .OCIv1.Config.Healthcheck}}' one
null
$ kiln config --healthcheck-retries 2 one; kiln inspect --format '{{json .OCIv1.Config.Healthcheck}}' one
{"Test":["NONE"],"Interval":30000000000,"Timeout":30000000000,"Retries":2}
$ kiln config --healthcheck curl one
! Error: cannot use the health check `curl`: it begins with CMD, CMD-SHELL or NONE
! hint: --healthcheck 'CMD-SHELL curl -f http://localhost/ || exit 1'
[125]
$ kiln config --healthcheck-interval 5 one
! Error: cannot use `--healthcheck-interval=5`: a duration is a number and a unit: 500ms, 2s, 1m30s
! hint: see `kiln config --help`
[125]
$ kiln config --healthcheck-retries many one
! Error: cannot use `--healthcheck-retries=many`: invalid digit found in string
! hint: see `kiln config --help`
[125]
"#,
    );
}

#[test]
fn lists_and_variables_are_read_as_buildah_does() {
    let Some(env) = with_base("lists_and_variables_are_read_as_buildah_does") else { return };
    tell(
        &env,
        r#"
$ kiln from --name one base
one
$ kiln config --port 80,443 --volume /a,/b --onbuild 'RUN a,RUN b' --env A=1,2 --label a=1,b=2 one
$ kiln inspect --format '{{json .OCIv1.Config}}' one
{"ExposedPorts":{"443":{},"80":{}},"Env":["PATH=/bin","KEPT=yes","A=1,2"],"Cmd":["/bin/sh"],"Volumes":{"/a":{},"/b":{}},"OnBuild":["RUN a","RUN b"],"Labels":{"a":"1,b=2","of":"base"}}
$ kiln config --unsetlabel a,of --env 'PATH=$PATH:/more' --env 'B=${A}x$NOSUCH$' one
$ kiln inspect --format '{{json .OCIv1.Config.Env}} {{json .OCIv1.Config.Labels}}' one
["PATH=/bin:/more","KEPT=yes","A=1,2","B=1,2xNOSUCH$"] {}
$ kiln config --port '"80' one
! Error: cannot use `--port="80`: a quote in it is not closed, or stands in the middle of an item
! hint: write an item with a comma as --port '"a,b"'
[125]
$ kiln config --env =x one
! Error: cannot set `=x`: there is no name before `=`
! hint: give NAME=VALUE
[125]
$ kiln config --add-history --user u --volume /v,/w --port 1,2 --label x=y --healthcheck NONE one
$ kiln commit -q one made >made; kiln inspect --format '{{range .OCIv1.History}}{{.CreatedBy}}|{{end}}' made
written by hand|/bin/sh -c #(nop) USER u|/bin/sh -c #(nop) EXPOSE 1 2|/bin/sh -c #(nop) VOLUME /v|/bin/sh -c #(nop) VOLUME /w|/bin/sh -c #(nop) HEALTHCHECK NONE|/bin/sh -c #(nop) LABEL x=y|/bin/sh|
"#,
    );
}
