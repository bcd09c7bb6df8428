//! `kiln info`.

use builder_core::{Result, info};
use serde_json::json;

use crate::cli::Context;
use crate::exit::Exit;
use crate::settings::mounts_conf;
use crate::ui::{self, Talk, template::Format};

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
        let info = info(&context.builder(&talk)?)?;
        let mut shown = json!({
            "host": {
                "arch": info.architecture,
                "cpus": info.cpus,
                "hostname": info.hostname,
                "kernel": info.kernel,
                "os": "linux",
                "rootless": info.rootless,
                "MemTotal": info.memory_total,
                "MemFree": info.memory_free,
                "SwapTotal": info.swap_total,
                "SwapFree": info.swap_free,
            },
            "store": {
                "GraphRoot": info.root,
                "GraphDriverName": "overlay",
                "ContainerStore": { "number": info.containers },
                "ImageStore": { "number": info.images },
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
            Some(format) => ui::result(Format::parse(format)?.strict().fill(&shown)?),
            None => ui::result_json(&shown),
        }
        Ok(Exit::Success)
    }
}
