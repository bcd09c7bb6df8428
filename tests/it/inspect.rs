//! Stories of `kiln inspect`: all that is known, with Buildah's field names.

use crate::support::{tell, with_base};

/// A container with a base and one without.
const CONTAINER: &str = r#"
$ kiln from --name one base
one
$ kiln config --annotation x=y --env A=b one
$ kiln inspect one
{
    "Type": "buildah 0.0.1",
    "FromImage": "localhost/base:latest",
    "FromImageID": "<id-1>",
    "FromImageDigest": "sha256:<id-2>",
    "Config": "{\"created\":\"<time>\",\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":[\"PATH=/bin\",\"KEPT=yes\"],\"Cmd\":[\"/bin/sh\"],\"Labels\":{\"of\":\"base\"}},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:<id-3>\"]},\"history\":[{\"created\":\"<time>\",\"created_by\":\"written by hand\"}]}",
    "Manifest": "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"sha256:<id-1>\",\"size\":345},\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"sha256:<id-4>\",\"size\":211}]}",
    "Container": "one",
    "ContainerID": "<id-5>",
    "MountPoint": "",
    "ProcessLabel": "",
    "MountLabel": "",
    "ImageAnnotations": {
        "x": "y"
    },
    "ImageCreatedBy": "",
    "ImageHistoryComment": "",
    "Format": "oci",
    "OCIv1": {
        "created": "<time>",
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Env": [
                "PATH=/bin",
                "KEPT=yes",
                "A=b"
            ],
            "Cmd": [
                "/bin/sh"
            ],
            "Labels": {
                "of": "base"
            }
        },
        "rootfs": {
            "type": "layers",
            "diff_ids": [
                "sha256:<id-3>"
            ]
        },
        "history": [
            {
                "created": "<time>",
                "created_by": "written by hand"
            }
        ]
    },
    "Docker": {
        "comment": "",
        "created": "<time>",
        "container_config": {
            "Hostname": "",
            "Domainname": "",
            "User": "",
            "AttachStdin": false,
            "AttachStdout": false,
            "AttachStderr": false,
            "Tty": false,
            "OpenStdin": false,
            "StdinOnce": false,
            "Env": [
                "PATH=/bin",
                "KEPT=yes",
                "A=b"
            ],
            "Cmd": [
                "/bin/sh"
            ],
            "Image": "sha256:<id-1>",
            "Volumes": null,
            "WorkingDir": "",
            "Entrypoint": null,
            "OnBuild": null,
            "Labels": {
                "of": "base"
            },
            "StopSignal": ""
        },
        "author": "",
        "config": {
            "Hostname": "",
            "Domainname": "",
            "User": "",
            "AttachStdin": false,
            "AttachStdout": false,
            "AttachStderr": false,
            "Tty": false,
            "OpenStdin": false,
            "StdinOnce": false,
            "Env": [
                "PATH=/bin",
                "KEPT=yes",
                "A=b"
            ],
            "Cmd": [
                "/bin/sh"
            ],
            "Image": "sha256:<id-1>",
            "Volumes": null,
            "WorkingDir": "",
            "Entrypoint": null,
            "OnBuild": null,
            "Labels": {
                "of": "base"
            },
            "StopSignal": ""
        },
        "architecture": "amd64",
        "variant": "",
        "os": "linux",
        "rootfs": {
            "type": "layers",
            "diff_ids": [
                "sha256:<id-3>"
            ]
        },
        "history": [
            {
                "created": "<time>",
                "created_by": "written by hand"
            }
        ]
    },
    "DefaultMountsFilePath": "",
    "Isolation": "oci",
    "NamespaceOptions": [
        {
            "Name": "cgroup",
            "Host": false,
            "Path": ""
        },
        {
            "Name": "ipc",
            "Host": false,
            "Path": ""
        },
        {
            "Name": "mount",
            "Host": false,
            "Path": ""
        },
        {
            "Name": "network",
            "Host": true,
            "Path": ""
        },
        {
            "Name": "pid",
            "Host": false,
            "Path": ""
        },
        {
            "Name": "user",
            "Host": true,
            "Path": ""
        },
        {
            "Name": "uts",
            "Host": false,
            "Path": ""
        }
    ],
    "Capabilities": [
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_FOWNER",
        "CAP_FSETID",
        "CAP_KILL",
        "CAP_NET_BIND_SERVICE",
        "CAP_SETFCAP",
        "CAP_SETGID",
        "CAP_SETPCAP",
        "CAP_SETUID",
        "CAP_SYS_CHROOT"
    ],
    "ConfigureNetwork": "NetworkDefault",
    "CNIPluginPath": "",
    "CNIConfigDir": "",
    "IDMappingOptions": {
        "HostUIDMapping": true,
        "HostGIDMapping": true,
        "UIDMap": [],
        "GIDMap": [],
        "AutoUserNs": false,
        "AutoUserNsOpts": {
            "Size": 0,
            "InitialSize": 0,
            "PasswdFile": "",
            "GroupFile": "",
            "AdditionalUIDMappings": null,
            "AdditionalGIDMappings": null
        }
    },
    "History": [
        {
            "created": "<time>",
            "created_by": "written by hand"
        }
    ],
    "Devices": []
}
$ kiln inspect --format '{{.FromImage}} {{.Container}} {{.OCIv1.Config.Env}} {{.OCIv1.OS}} {{.Docker.Config.Cmd}}' one
localhost/base:latest one [PATH=/bin KEPT=yes A=b] linux [/bin/sh]
$ kiln inspect --type container --format '{{.ContainerID}} {{.FromImageID}} {{.FromImageDigest}}' one
<id-5> <id-1> sha256:<id-2>
$ kiln inspect --format '{{.MountPoint}}' one

$ test "$(kiln mount one)" = "$(kiln inspect --format '{{.MountPoint}}' one)"
$ kiln from --name empty scratch
empty
$ kiln inspect empty | sed '/"Docker"/,$d'
{
    "Type": "buildah 0.0.1",
    "FromImage": "",
    "FromImageID": "",
    "FromImageDigest": "",
    "Config": "",
    "Manifest": "",
    "Container": "empty",
    "ContainerID": "<id-6>",
    "MountPoint": "",
    "ProcessLabel": "",
    "MountLabel": "",
    "ImageAnnotations": {},
    "ImageCreatedBy": "",
    "ImageHistoryComment": "",
    "Format": "oci",
    "OCIv1": {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {
            "type": "layers",
            "diff_ids": []
        }
    },
$ kiln inspect --format '{{(index .NamespaceOptions 0).Name}} {{.IDMappingOptions.HostUIDMapping}} {{len .Capabilities}} {{.Isolation}} {{.Devices}} {{.DefaultMountsFilePath}}' one
cgroup true 11 oci [] 
"#;

#[test]
fn a_container_is_shown() {
    let Some(env) = with_base("a_container_is_shown") else { return };
    tell(&env, CONTAINER);
}

/// An image, whole and in parts.
const IMAGE: &str = r#"
$ kiln inspect base | sed '/"DefaultMountsFilePath"/,$d'
{
    "Type": "buildah 0.0.1",
    "FromImage": "localhost/base:latest",
    "FromImageID": "<id-1>",
    "FromImageDigest": "sha256:<id-2>",
    "Config": "{\"created\":\"<time>\",\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":[\"PATH=/bin\",\"KEPT=yes\"],\"Cmd\":[\"/bin/sh\"],\"Labels\":{\"of\":\"base\"}},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:<id-3>\"]},\"history\":[{\"created\":\"<time>\",\"created_by\":\"written by hand\"}]}",
    "Manifest": "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"sha256:<id-1>\",\"size\":345},\"layers\":[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"sha256:<id-4>\",\"size\":211}]}",
    "Container": "",
    "ContainerID": "",
    "MountPoint": "",
    "ProcessLabel": "",
    "MountLabel": "",
    "ImageAnnotations": {},
    "ImageCreatedBy": "",
    "OCIv1": {
        "created": "<time>",
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "Env": [
                "PATH=/bin",
                "KEPT=yes"
            ],
            "Cmd": [
                "/bin/sh"
            ],
            "Labels": {
                "of": "base"
            }
        },
        "rootfs": {
            "type": "layers",
            "diff_ids": [
                "sha256:<id-3>"
            ]
        },
        "history": [
            {
                "created": "<time>",
                "created_by": "written by hand"
            }
        ]
    },
    "Docker": {
        "comment": "",
        "created": "<time>",
        "container_config": {
            "Hostname": "",
            "Domainname": "",
            "User": "",
            "AttachStdin": false,
            "AttachStdout": false,
            "AttachStderr": false,
            "Tty": false,
            "OpenStdin": false,
            "StdinOnce": false,
            "Env": [
                "PATH=/bin",
                "KEPT=yes"
            ],
            "Cmd": [
                "/bin/sh"
            ],
            "Image": "",
            "Volumes": null,
            "WorkingDir": "",
            "Entrypoint": null,
            "OnBuild": null,
            "Labels": {
                "of": "base"
            },
            "StopSignal": ""
        },
        "author": "",
        "config": {
            "Hostname": "",
            "Domainname": "",
            "User": "",
            "AttachStdin": false,
            "AttachStdout": false,
            "AttachStderr": false,
            "Tty": false,
            "OpenStdin": false,
            "StdinOnce": false,
            "Env": [
                "PATH=/bin",
                "KEPT=yes"
            ],
            "Cmd": [
                "/bin/sh"
            ],
            "Image": "",
            "Volumes": null,
            "WorkingDir": "",
            "Entrypoint": null,
            "OnBuild": null,
            "Labels": {
                "of": "base"
            },
            "StopSignal": ""
        },
        "architecture": "amd64",
        "variant": "",
        "os": "linux",
        "rootfs": {
            "type": "layers",
            "diff_ids": [
                "sha256:<id-3>"
            ]
        },
        "history": [
            {
                "created": "<time>",
                "created_by": "written by hand"
            }
        ]
    },
$ kiln inspect --type image --format '{{.FromImageID}}' base
<id-1>
$ kiln inspect --format '{{index .OCIv1.Config.Labels "of"}} {{range .OCIv1.Config.Env}}<{{.}}>{{end}}' base
base <PATH=/bin><KEPT=yes>
$ kiln inspect --format '{{.OCIv1.RootFS.DiffIDs}} {{len .Docker.RootFS.DiffIDs}} {{range .History}}{{.CreatedBy}}{{end}}' base
[sha256:<id-3>] 1 written by hand
$ kiln inspect --format '{{json .OCIv1.config.Labels}}' "$(kiln images -q)"
{"of":"base"}
"#;

#[test]
fn an_image_is_shown() {
    let Some(env) = with_base("an_image_is_shown") else { return };
    tell(&env, IMAGE);
}

#[test]
fn what_cannot_be_shown() {
    let Some(env) = with_base("what_cannot_be_shown") else { return };
    tell(
        &env,
        r#"
$ kiln inspect
! Error: cannot do `kiln inspect`: <NAME> is missing
! hint: it is used so: kiln inspect <NAME>
[125]
$ kiln inspect nosuch
! Error: cannot find a container or image `nosuch`
! hint: see what there is with `kiln containers` and `kiln images`
[125]
$ kiln inspect --type image nosuch
! Error: cannot find the image `nosuch`: no image in the store has this name or id
! hint: see what there is with `kiln images`
[125]
$ kiln inspect --type container nosuch
! Error: cannot find the container `nosuch`: no container in the store has this name or id
! hint: see what there is with `kiln containers`
[125]
$ kiln inspect --type container base
! Error: cannot find the container `base`: no container in the store has this name or id
! hint: see what there is with `kiln containers`
[125]
$ kiln inspect --type other base
! Error: cannot use `--type=other`: it may be container or image or manifest
! hint: see `kiln inspect --help`
[125]
$ kiln inspect --format '{{' base
! Error: cannot use the format `{{`: template: format:1:3: unclosed action
! hint: a format is a Go template such as '{{.ID}} {{.Name}}', or json
[125]
$ kiln inspect --format '{{.OCIv1.Config.Nosuch}}' base
! Error: cannot fill in the format `{{.OCIv1.Config.Nosuch}}`: map has no entry for key: Nosuch
! hint: see all fields with --format json
[125]
$ kiln inspect --format '{{.OCIv1.Config.Labels.nosuch}}|{{.Docker.Config.Healthcheck}}|{{.OCIv1.Config.User}}|{{.Docker.Parent}}' base
<no value>|<nil>||
$ kiln inspect --format '{{.Nosuch}}' base
! Error: cannot fill in the format `{{.Nosuch}}`: map has no entry for key: Nosuch
! hint: see all fields with --format json
[125]
$ kiln inspect base base
! Error: cannot understand `base`: `kiln inspect` takes no further word
! hint: see `kiln inspect --help`
[125]
"#,
    );
}

#[test]
fn templates_show_structs_as_go_does() {
    let Some(env) = with_base("templates_show_structs_as_go_does") else { return };
    tell(
        &env,
        r#"
$ kiln from -q --name c base; kiln config --author 'Ann B' --env A=1 --port 80/tcp --volume /data --healthcheck 'CMD true' --healthcheck-interval 90s --healthcheck-retries 3 c; kiln commit -q --format docker --timestamp 1000000000 c made | wc -l
c
1
$ kiln inspect --format '{{.OCIv1.Created}}, {{.Docker.Config.Healthcheck}}, {{.Docker.Config.Healthcheck.Interval}}, {{.Docker.Size}}' made
<time>, {[CMD true] 1m30s 30s 0s 3}, 1m30s, 0
$ kiln inspect --format '{{.OCIv1.Config}} {{.OCIv1.RootFS.Type}} {{.OCIv1.Config.Volumes}} {{.IDMappingOptions}}' made
{ map[80/tcp:{}] [PATH=/bin KEPT=yes A=1] [] [/bin/sh] map[/data:{}]  map[of:base]  false} layers map[/data:{}] {true true [] [] false {0 0   [] []}}
$ kiln inspect --format '{{range .OCIv1.History}}{{.}};{{end}} {{with .OCIv1.Config}}{{.ExposedPorts}}{{end}}' made
{<time> written by hand   false};{<time> /bin/sh Ann B FROM localhost/base:latest false}; map[80/tcp:{}]
$ kiln inspect --format '{{$e := .OCIv1.Config.Env}}{{printf "%s|%v|%5d%%" $e .OCIv1.Config.ExposedPorts (len $e) -}} {{/* no more */}}{{- "}}" }} {{if .OCIv1.Config.Cmd}}{{index .OCIv1.Config.Cmd 0}}{{else}}none{{end}}' made
[PATH=/bin KEPT=yes A=1]|map[80/tcp:{}]|    3%}} /bin/sh
$ # What is shown so is the same to all that takes it apart.
> kiln inspect --format '{{json .Docker.Config.Healthcheck}} {{json .OCIv1.Created}} {{join .OCIv1.Config.Env ","}}' made
{"Test":["CMD","true"],"Interval":90000000000,"Timeout":30000000000,"Retries":3} "<time>" PATH=/bin,KEPT=yes,A=1
$ kiln inspect --format '{{.}}' made | cut -c1-40; kiln inspect --format '{{range .NamespaceOptions}}{{.}}{{end}}' c
{buildah 0.0.1 localhost/made:latest d0c
{cgroup false }{ipc false }{mount false }{network true }{pid false }{user true }{uts false }
$ kiln inspect --format '{{.OCIv1.Config.Env' made
! Error: cannot use the format `{{.OCIv1.Config.Env`: template: format:1:20: unclosed action
! hint: a format is a Go template such as '{{.ID}} {{.Name}}', or json
[125]
"#,
    );
}
