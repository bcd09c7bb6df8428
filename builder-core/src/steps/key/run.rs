//! What a command in a container depends on.

use crate::builder::Builder;
use crate::error::Result;
use crate::oci::Draft;
use crate::steps::key::{Definition, files, shell_line};
use crate::steps::run::{Limit, Run, RunConfig, Volume};
use crate::store::StepKind;

/// Takes a run apart. `config` is what it takes from its container, `draft` the container's configuration.
pub(crate) fn define(
    builder: &Builder<'_>,
    run: &Run,
    config: &RunConfig,
    draft: &Draft,
) -> Result<Definition> {
    let Run {
        args,
        env,
        user,
        workdir,
        hostname,
        volumes,
        network,
        terminal,
        cap_add,
        cap_drop,
        limits,
        no_hosts,
        no_new_privileges,
        seccomp_unconfined,
        shm_size,
    } = run;
    // The container's id, its name and that of its image are another each time, and say nothing.
    let RunConfig {
        env: image_env,
        user: image_user,
        workdir: image_workdir,
        id: _,
        name: _,
        image: _,
        image_id: _,
    } = config;
    let mut words = vec!["run"];
    words.extend(args.iter().map(String::as_str));
    let mut step = Definition::new(StepKind::Run, shell_line(words));
    step.words("argument", args);
    for (name, value) in effective(image_env, env) {
        step.field(format!("variable {name}"), value);
    }
    step.field("user", user.as_ref().unwrap_or(image_user));
    step.field("working directory", workdir.as_ref().unwrap_or(image_workdir));
    step.field("host name", hostname.as_deref().unwrap_or_default());
    step.field("network", format!("{network:?}"));
    step.field("added capabilities", sorted(cap_add));
    step.field("dropped capabilities", sorted(cap_drop));
    for Limit { name, soft, hard } in limits {
        step.field(format!("limit {name}"), format!("{soft} {hard}"));
    }
    step.field("own /etc/hosts", no_hosts.to_string());
    step.field("no new privileges", no_new_privileges.to_string());
    step.field("unconfined system calls", seccomp_unconfined.to_string());
    step.field("size of /dev/shm", shm_size.map(|size| size.to_string()).unwrap_or_default());
    step.field("platform", platform(draft));
    step.field("ids", ids(builder));
    if *terminal {
        step.refuse("it has a terminal", Some("leave --terminal away"));
    }
    for volume in volumes {
        mount(&mut step, volume)?;
    }
    Ok(step)
}

/// A mount, by where it goes and what is in it; where it is on the host says nothing.
fn mount(step: &mut Definition, volume: &Volume) -> Result<()> {
    let target = volume.target.display();
    step.field(format!("options of mount {target}"), volume.options().collect::<Vec<_>>().join(","));
    if volume.options().any(|option| option == "U") {
        step.refuse(format!("it gives the files of mount {target} to a user"), None);
    } else if volume.options().any(|option| option == "ro" || option == "O") {
        step.files(format!("mount {target}"), files::of_host(&volume.source)?);
    } else {
        let hint = "mount it read-only, or so that changes are dropped: add :ro or :O";
        step.refuse(format!("it has the writable mount {target}"), Some(hint));
    }
    Ok(())
}

/// The variables as the command sees them, one for each name.
fn effective<'a>(
    image: &'a [(String, String)],
    own: &'a [(String, String)],
) -> std::collections::BTreeMap<&'a str, &'a str> {
    image.iter().chain(own).map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn sorted(names: &[String]) -> String {
    let mut names: Vec<String> = names.iter().map(|name| name.to_ascii_uppercase()).collect();
    names.sort();
    names.dedup();
    names.join(" ")
}

/// What the image is for; a program may be another on each.
pub(super) fn platform(draft: &Draft) -> String {
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
