//! `kiln info`.

use builder_core::{Driver, Result, info};
use serde_json::json;

use crate::cli::Context;
use crate::exit::Exit;
use crate::settings::{mounts_conf, settings};
use crate::ui::{self, Talk, template::Format, text};

/// Show what this machine and the store are, as JSON
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A Go template such as '{{.store.GraphRoot}}'
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Show too which program this is, and what containers.conf and mounts.conf say
    #[arg(long, short)]
    debug: bool,
}

impl Args {
    /// Prints the JSON, or the template filled in.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        let settings = settings(&context.globals, context.host)?;
        let info = info(&context.builder(&talk)?)?;
        let driver = if settings.driver == Some(Driver::Vfs) { "vfs" } else { "overlay" };
        let runtime = context.containers_conf()?.engine.runtime.clone();
        let mut shown = json!({
            "host": {
                "CgroupVersion": info.cgroup_version,
                "Distribution": { "distribution": info.distribution.0, "version": info.distribution.1 },
                "MemFree": info.memory_free,
                "MemTotal": info.memory_total,
                "OCIRuntime": runtime.unwrap_or_else(|| "native".into()),
                "SwapFree": info.swap_free,
                "SwapTotal": info.swap_total,
                "arch": info.architecture,
                "cpus": info.cpus,
                "hostname": info.hostname,
                "keptNetworks": info.kept_networks,
                "kernel": info.kernel,
                "os": "linux",
                "rootless": info.rootless,
                "uptime": text::uptime(info.uptime),
                "variant": "",
            },
            "store": {
                "ContainerStore": { "number": info.containers },
                "GraphDriverName": driver,
                "GraphOptions": context.globals.storage_opt,
                "GraphRoot": info.root,
                "GraphStatus": {},
                "ImageStore": { "number": info.images },
                "RunRoot": settings.run_root.as_ref().unwrap_or(&info.root),
            },
        });
        if self.debug {
            shown["debug"] = json!({
                "kiln version": env!("CARGO_PKG_VERSION"),
                "containers.conf": context.containers_conf()?,
                "mounts.conf": mounts_conf(&context.globals, context.host)?,
            });
        }
        match &self.format {
            Some(format) => ui::result(Format::parse(format)?.fill(&shown)?),
            None => ui::result_json(&shown),
        }
        Ok(Exit::Success)
    }
}
