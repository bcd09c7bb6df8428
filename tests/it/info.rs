//! Stories of `kiln info`: the machine and the store.

use crate::support::{tell, with_base};

#[test]
fn the_machine_and_the_store_are_shown() {
    let Some(env) = with_base("the_machine_and_the_store_are_shown") else { return };
    tell(
        &env,
        r#"
$ kiln info --format '{{.store.GraphRoot}} {{.store.GraphDriverName}} {{.store.ImageStore.number}} {{.store.ContainerStore.number}}'
<dir>/store overlay 1 0
$ kiln from base
base-working-container
$ kiln info --format '{{.store.ImageStore.number}} {{.store.ContainerStore.number}} {{.host.os}} {{.host.rootless}}'
1 1 linux false
$ kiln info | sed 's/: [^{]*$/:/'
{
    "host": {
        "CgroupVersion":
        "Distribution": {
            "distribution":
            "version":
        },
        "MemFree":
        "MemTotal":
        "OCIRuntime":
        "SwapFree":
        "SwapTotal":
        "arch":
        "cpus":
        "hostname":
        "keptNetworks":
        "kernel":
        "os":
        "rootless":
        "uptime":
        "variant":
    },
    "store": {
        "ContainerStore": {
            "number":
        },
        "GraphDriverName":
        "GraphOptions":
        "GraphRoot":
        "GraphStatus": {},
        "ImageStore": {
            "number":
        },
        "RunRoot":
    }
}
$ kiln --root other info --format '{{.store.GraphRoot}} {{.store.ImageStore.number}}'
<dir>/files/other 0
$ kiln info --root other --format '{{.store.GraphRoot}}'
<dir>/files/other
$ kiln info --format '{{.Nosuch}}'
<no value>
$ kiln info --nosuch
! Error: cannot understand `--nosuch`: `kiln info` has no such flag
! hint: see `kiln info --help`
[125]
$ kiln info extra
! Error: cannot understand `extra`: `kiln info` takes no further word
! hint: see `kiln info --help`
[125]
"#,
    );
}
