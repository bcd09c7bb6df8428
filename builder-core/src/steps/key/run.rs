//! What a command in a container depends on.

use std::collections::BTreeMap;

use crate::builder::Builder;
use crate::error::Result;
use crate::oci::Draft;
use crate::sandbox::Network;
use crate::steps::key::{Definition, mounts, shell_line};
use crate::steps::run::{
    Limit, MountKind, Run, RunConfig, RunSettings, Seccomp, Secret, Security, Uplinks, UserSpace,
};
use crate::steps::sources::Sources;
use crate::store::{StepKind, Work};

/// Takes a run apart, in which the settings of its container and of this machine are laid together. `config` is what
/// it takes from its container, `draft` the container's configuration, `sources` what its mounts are from.
pub(crate) fn define(
    builder: &Builder<'_>,
    work: &Work,
    sources: &Sources,
    run: &Run,
    config: &RunConfig,
    draft: &Draft,
) -> Result<Definition> {
    let Run {
        args,
        env,
        // What a command does must not depend on them.
        proxies: _,
        host_name: _,
        user,
        workdir,
        hostname,
        mounts: asked,
        contextdir,
        // In by their ids, and by their values where that is asked; an agent is in no key, for a run with one never is.
        secrets,
        ssh: _,
        terminal,
        no_pivot,
        shares_keyring,
        runtime,
        runtime_flags,
        hooks_dirs,
        // For a runtime only, and what one runs is not recorded.
        annotations: _,
        helpers: _,
        uplinks,
        settings,
        // Laid below the settings, and the one that holds into `runtime`, already.
        defaults: _,
        runtimes: _,
    } = run;
    // The container's id, its name and that of its image are another each time, and say nothing.
    let RunConfig {
        env: of_image,
        user: usual_user,
        workdir: usual_dir,
        id: _,
        name: _,
        image: _,
        image_id: _,
    } = config;
    let mut words = vec!["run"];
    words.extend(args.iter().map(String::as_str));
    let mut step = Definition::new(StepKind::Run, shell_line(words));
    step.words("argument", args);
    // One for each name, as the command sees them.
    let all = settings.env.iter().chain(of_image).chain(env);
    let effective: BTreeMap<&str, &str> = all.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for (name, value) in effective {
        step.field(format!("variable {name}"), value);
    }
    let workdir = workdir.as_ref().unwrap_or(usual_dir);
    step.field("user", user.as_ref().unwrap_or(usual_user));
    step.field("working directory", workdir);
    step.field("host name", hostname.as_deref().unwrap_or_default());
    step.field("no pivot", no_pivot.to_string());
    if *shares_keyring {
        step.field("keyring", "the caller's");
    }
    step.field("runtime", shell_line(runtime.iter().chain(runtime_flags)));
    step.field("platform", platform(draft));
    step.field("ids", ids(builder));
    if runtime.is_some() {
        step.field("hooks", plain(hooks_dirs));
        step.refuse("an OCI runtime performs it, which prints by itself", Some("leave --runtime away"));
    }
    if *terminal {
        step.refuse("it has a terminal", Some("leave --terminal away"));
    }
    if *uplinks != Uplinks::default()
        && matches!(settings.network, Some(Network::Private { .. } | Network::Slirp { .. }))
    {
        step.field("network programs", plain(uplinks));
    }
    define_settings(builder, work, &mut step, settings)?;
    for volume in &settings.volumes {
        mounts::volume(builder, work, &mut step, volume)?;
    }
    for mount in asked {
        mounts::mount(builder, work, sources, &mut step, mount, contextdir.as_deref())?;
    }
    let seen = |secret: &Secret| {
        asked.iter().any(|mount| matches!(&mount.kind, MountKind::Secret { id, .. } if *id == secret.id))
    };
    for secret in secrets.iter().filter(|secret| secret.keyed && seen(secret)) {
        step.hidden(format!("secret {}", secret.id), &secret.read()?);
    }
    Ok(step)
}

/// The settings, but for variables and volumes, which go in with the others of their sort.
fn define_settings(
    builder: &Builder<'_>,
    work: &Work,
    step: &mut Definition,
    settings: &RunSettings,
) -> Result<()> {
    let RunSettings {
        add_hosts,
        capabilities,
        cap_add,
        cap_drop,
        devices,
        // What is found there is for devices, and a run with one is not recorded.
        cdi_dirs: _,
        dns,
        env: _,
        groups,
        hosts_base,
        // What it lets through is in no key.
        http_proxy: _,
        isolation,
        limits,
        resources,
        namespaces,
        network,
        no_hosts,
        no_hostname,
        security,
        shm_size,
        sysctls,
        umask,
        users,
        volumes: _,
    } = settings;
    let Security { seccomp, no_new_privileges, mask, unmask, label, apparmor } = security;
    step.field("hosts", plain(add_hosts));
    step.field("hosts before", plain(hosts_base));
    step.field("usual capabilities", plain(&capabilities.as_deref().map(sorted)));
    step.field("added capabilities", sorted(cap_add));
    step.field("dropped capabilities", sorted(cap_drop));
    step.field("dns", plain(dns));
    step.field("groups", groups.join(" "));
    step.field("isolation", plain(isolation));
    // The last one of a name counts.
    let limits: BTreeMap<&str, String> =
        limits.iter().map(|Limit { name, soft, hard }| (name.as_str(), format!("{soft} {hard}"))).collect();
    for (name, limit) in limits {
        step.field(format!("limit {name}"), limit);
    }
    step.field("resources", plain(resources));
    step.field("namespaces", plain(namespaces));
    step.field("network", plain(network));
    step.field("own /etc/hosts", no_hosts.to_string());
    step.field("own /etc/hostname", no_hostname.to_string());
    step.field("no new privileges", no_new_privileges.to_string());
    match seccomp {
        Some(Seccomp::Profile(path)) => mounts::host_file(builder, work, step, "system calls", path)?,
        Some(Seccomp::Unconfined) => step.field("system calls", "all"),
        None => step.field("system calls", "usual"),
    }
    step.field("masked paths", mask.join(" "));
    step.field("unmasked paths", unmask.join(" "));
    step.field("labels", label.join(" "));
    step.field("AppArmor", apparmor.as_deref().unwrap_or_default());
    step.field("size of /dev/shm", shm_size.map(|size| size.to_string()).unwrap_or_default());
    step.field("kernel settings", plain(sysctls));
    step.field("umask", plain(umask));
    step.field("user namespace", plain(&users.as_ref().map(UserSpace::seen)));
    if let Some(device) = devices.first() {
        step.refuse(format!("it has the device {}", device.target.display()), None);
    }
    Ok(())
}

/// A plain value in the one form that its parts have.
fn plain(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("plain data")
}

fn sorted(names: &[String]) -> String {
    let mut names: Vec<String> = names.iter().map(|name| name.to_ascii_uppercase()).collect();
    names.sort();
    names.dedup();
    names.join(" ")
}

/// What the image is for; a program may be another on each.
fn platform(draft: &Draft) -> String {
    let config = &draft.config;
    [&config.os, &config.architecture, &config.variant].map(String::as_str).join("/")
}

/// Which ids there are, not whose they are outside.
pub(super) fn ids(builder: &Builder<'_>) -> String {
    if !builder.host.is_rootless() {
        return "all".to_owned();
    }
    let map = |path| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let lines = text.lines().map(|line| {
            let mut words = line.split_ascii_whitespace();
            format!("{}+{}", words.next().unwrap_or_default(), words.nth(1).unwrap_or_default())
        });
        lines.collect::<Vec<_>>().join(" ")
    };
    format!("{} / {}", map("/proc/self/uid_map"), map("/proc/self/gid_map"))
}
