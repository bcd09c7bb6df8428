//! What a bundle's `config.json` says: the OCI runtime specification 1.0.2, of a settled [`Spec`].

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::host::IdRange;
use crate::sandbox::plan::{MASKED, PROTECTED, is_unmasked};
use crate::sandbox::runtime::Runtime;
use crate::sandbox::{Facts, Network, Seccomp, Space, Spec, seccomp};
use crate::sys::spawn;

/// The config of one command. `sources` are the places of mounts and files: where each goes, and where it is.
pub(super) fn config(
    spec: &Spec,
    runtime: &Runtime,
    sources: &[(PathBuf, PathBuf)],
    id: &str,
    facts: &Facts,
) -> Value {
    let root = spec.user.uid == 0;
    let names: Vec<String> = spec.capabilities.iter_names().map(|(name, _)| format!("CAP_{name}")).collect();
    let held = if root { names.clone() } else { Vec::new() };
    let env: Vec<String> = spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut config = json!({
        "ociVersion": "1.0.2",
        "root": { "path": "rootfs" },
        "process": {
            "terminal": spec.terminal,
            "user": { "uid": spec.user.uid, "gid": spec.user.gid },
            "args": spec.args,
            "env": env,
            "cwd": spec.directory,
            "capabilities": {
                "bounding": names, "effective": held, "permitted": held, "inheritable": [], "ambient": [],
            },
            "rlimits": limits(spec),
            "noNewPrivileges": spec.no_new_privileges,
        },
        "mounts": mounts(spec, sources, facts),
        "linux": {
            "namespaces": namespaces(spec),
            "devices": devices(spec),
            "resources": resources(spec),
            "maskedPaths": hidden(spec),
            "readonlyPaths": usual(spec, &PROTECTED),
        },
    });
    // Where groups may not be made, a runtime goes without only if it was not told where to make one.
    if !facts.rootless || !spec.resources.is_empty() {
        let parent = spec.resources.parent.as_deref().unwrap_or_default();
        config["linux"]["cgroupsPath"] = json!(format!("{parent}/{id}"));
    }
    if facts.groups && !spec.keep_groups {
        config["process"]["user"]["additionalGids"] = json!(spec.user.groups);
    }
    if spec.namespaces.uts == Space::Private {
        config["hostname"] = json!(spec.hostname);
    }
    let filter = match &spec.seccomp {
        Seccomp::Default => Some(seccomp::default_rules(spec.capabilities)),
        Seccomp::Profile(profile) => Some(profile.rules(spec.capabilities)),
        Seccomp::Unconfined => None,
    };
    if let Some(filter) = filter {
        config["linux"]["seccomp"] = filter;
    }
    for label in &spec.exec_labels {
        // AppArmor has a word before the profile's name, SELinux has none.
        let value = label.value.to_string_lossy();
        match value.strip_prefix("exec ") {
            Some(profile) => config["process"]["apparmorProfile"] = json!(profile),
            None => config["process"]["selinuxLabel"] = json!(value),
        }
    }
    if !spec.annotations.is_empty() {
        config["annotations"] = json!(spec.annotations);
    }
    if let Some(users) = &spec.users {
        config["linux"]["uidMappings"] = id_map(&users.maps.uids);
        config["linux"]["gidMappings"] = id_map(&users.maps.gids);
    }
    if let Some(hooks) = &runtime.hooks {
        config["hooks"] = hooks.clone();
    }
    config
}

fn id_map(ranges: &[IdRange]) -> Value {
    let mut all = Vec::new();
    for IdRange { inside, outside, length } in ranges {
        all.push(json!({ "containerID": inside, "hostID": outside, "size": length }));
    }
    Value::Array(all)
}

fn limits(spec: &Spec) -> Value {
    let limit = |(resource, (soft, hard)): &(u32, (u64, u64))| {
        let name = spawn::resource_name(*resource).to_ascii_uppercase();
        json!({ "type": format!("RLIMIT_{name}"), "soft": soft, "hard": hard })
    };
    spec.limits.iter().map(limit).collect()
}

fn namespaces(spec: &Spec) -> Value {
    let own = &spec.namespaces;
    let made = [("cgroup", &own.cgroup), ("ipc", &own.ipc), ("pid", &own.pid), ("uts", &own.uts)];
    let made = made.iter().filter(|(_, space)| **space == Space::Private).map(|(name, _)| *name);
    let users = spec.users.iter().map(|_| "user");
    made.chain(["mount"]).chain(users).map(|name| json!({ "type": name })).collect()
}

fn mounts(spec: &Spec, sources: &[(PathBuf, PathBuf)], facts: &Facts) -> Value {
    let mount = |destination: &str, kind: &str, options: &[&str]| {
        let source = kind;
        json!({ "destination": destination, "type": kind, "source": source, "options": options })
    };
    let safe = ["nosuid", "noexec", "nodev"];
    let size = format!("size={}", spec.shm_size);
    let mut pts = vec!["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"];
    if facts.has_gid(5) {
        pts.push("gid=5");
    }
    let mut all = vec![
        mount("/proc", "proc", &safe),
        mount("/dev", "tmpfs", &["nosuid", "noexec", "mode=755", "size=65536k"]),
        mount("/dev/pts", "devpts", &pts),
        mount("/dev/mqueue", "mqueue", &safe),
    ];
    all.push(match spec.namespaces.ipc {
        Space::Host => bind("/dev/shm", "/dev/shm", &["rbind", "nosuid", "noexec", "nodev"]),
        _ => mount("/dev/shm", "tmpfs", &["nosuid", "noexec", "nodev", "mode=1777", &size]),
    });
    // A sysfs may only be made by who owns the network it shows.
    let borrowed =
        spec.users.is_some() || (facts.rootless && matches!(spec.network, Network::Host | Network::Path(_)));
    all.push(match borrowed {
        true => bind("/sys", "/sys", &["rbind", "ro", "nosuid", "noexec", "nodev"]),
        false => mount("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
    });
    // Attributes are set on the source; a bind takes them over.
    all.extend(
        sources.iter().map(|(at, source)| bind(&at.to_string_lossy(), &source.to_string_lossy(), &["rbind"])),
    );
    Value::Array(all)
}

fn bind(at: &str, source: &str, options: &[&str]) -> Value {
    json!({ "destination": at, "type": "bind", "source": source, "options": options })
}

fn devices(spec: &Spec) -> Value {
    let device = |node: &crate::sandbox::DeviceNode| {
        json!({
            "path": node.at, "type": kind(node.block), "major": node.number.0, "minor": node.number.1,
            "fileMode": node.mode, "uid": node.owner.0, "gid": node.owner.1,
        })
    };
    spec.devices.iter().map(device).collect()
}

fn kind(block: bool) -> &'static str {
    if block { "b" } else { "c" }
}

fn resources(spec: &Spec) -> Value {
    let wanted = &spec.resources;
    let mut rules = vec![json!({ "allow": false, "access": "rwm" })];
    rules.extend(spec.devices.iter().map(|node| {
        json!({
            "allow": true, "type": kind(node.block), "major": node.number.0, "minor": node.number.1,
            "access": node.access,
        })
    }));
    let mut all = json!({ "devices": rules });
    let mut set = |table: &str, name: &str, value: Option<Value>| {
        if let Some(value) = value {
            all[table][name] = value;
        }
    };
    set("memory", "limit", wanted.memory.map(Value::from));
    set("memory", "swap", wanted.memory_swap.map(Value::from));
    set("cpu", "shares", wanted.cpu_shares.map(Value::from));
    set("cpu", "quota", wanted.cpu_quota.map(Value::from));
    set("cpu", "period", wanted.cpu_period.map(Value::from));
    set("cpu", "cpus", wanted.cpuset_cpus.clone().map(Value::from));
    set("cpu", "mems", wanted.cpuset_mems.clone().map(Value::from));
    all
}

fn hidden(spec: &Spec) -> Vec<String> {
    usual(spec, &MASKED).into_iter().chain(spec.mask.iter().cloned()).collect()
}

/// Those of the usual places that nobody wants to see.
fn usual(spec: &Spec, places: &[&str]) -> Vec<String> {
    places.iter().filter(|at| !is_unmasked(spec, at)).map(|at| format!("/{at}")).collect()
}

#[cfg(test)]
mod tests;
