//! `kiln inspect`. Under which names templates see what is shown is in `names`.

pub(super) mod names;

use builder_core::{
    Access, ContainerDetails, Digest, Draft, Error, Format, ImageConfig, ImageDetails, Kind, Result,
    inspect_container, inspect_image, inspect_manifest,
};
use serde_json::{Value, json};

use crate::cli::Context;
use crate::exit::Exit;
use crate::ui::{self, Talk, template};

/// Show all that is known of a container or an image, as JSON with Buildah's field names
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The container or image, by name or id
    name: String,
    /// A Go template such as '{{.OCIv1.Config.Env}}'
    #[arg(long, short, value_name = "TEMPLATE")]
    format: Option<String>,
    /// What NAME is: container, image or manifest, that is a list of images (default: a container, or an image if no
    /// container has that name)
    #[arg(long = "type", short = 't', value_name = "TYPE", value_parser = ["container", "image", "manifest"])]
    kind: Option<String>,
}

impl Args {
    /// Prints the JSON, or the template filled in.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        let builder = context.builder(&talk)?;
        if self.kind.as_deref() == Some("manifest") {
            let list = inspect_manifest(&builder, &self.name, &Access::default())?;
            match &self.format {
                Some(format) => ui::result(template::Format::parse(format)?.strict().fill(&list)?),
                None => ui::result_json(&list),
            }
            return Ok(Exit::Success);
        }
        let isolation = if context.host.is_rootless() { "rootless" } else { "oci" };
        let container = match self.kind.as_deref() {
            Some("image") => None,
            _ => match inspect_container(&builder, &self.name) {
                Ok(found) => Some(found),
                Err(error) if error.kind() == Kind::NotFound && self.kind.is_none() => None,
                Err(error) => return Err(error),
            },
        };
        let shown = match container {
            Some(found) => of_container(&found, isolation),
            None => of_image(
                &inspect_image(&builder, &self.name).map_err(|error| self.unknown(error))?,
                isolation,
            ),
        };
        match &self.format {
            Some(format) => {
                ui::result(template::Format::parse(format)?.strict().fill(&names::for_template(&shown))?);
            }
            None => ui::result_json(&shown),
        }
        Ok(Exit::Success)
    }

    fn unknown(&self, error: Error) -> Error {
        if self.kind.is_some() || error.kind() != Kind::NotFound {
            return error;
        }
        Error::new(Kind::NotFound, format!("cannot find a container or image `{}`", self.name))
            .hint("see what there is with `kiln containers` and `kiln images`")
    }
}

fn of_image(image: &ImageDetails, isolation: &str) -> Value {
    let name = image.info.names.first().cloned().unwrap_or_default();
    json!({
        "Type": "buildah 0.0.1",
        "FromImage": name,
        "FromImageID": image.info.id.hex(),
        "FromImageDigest": image.info.digest,
        "Config": String::from_utf8_lossy(&image.config_bytes),
        "Manifest": String::from_utf8_lossy(&image.manifest_bytes),
        "Container": "",
        "ContainerID": "",
        "MountPoint": "",
        "ProcessLabel": "",
        "MountLabel": "",
        "ImageAnnotations": image.manifest.annotations,
        "ImageCreatedBy": "",
        "OCIv1": image.config,
        "Docker": docker(&image.config, None),
        "DefaultMountsFilePath": "",
        "Isolation": isolation,
        "NamespaceOptions": namespaces(),
        "Capabilities": null,
        "ConfigureNetwork": "NetworkDefault",
        "CNIPluginPath": "",
        "CNIConfigDir": "",
        "IDMappingOptions": id_mapping(),
        "History": image.config.history,
        "Devices": null,
    })
}

fn of_container(container: &ContainerDetails, isolation: &str) -> Value {
    let Draft { config, annotations, created_by, history_comment } = &container.draft;
    let path = container.mounted.as_ref().map(|mounted| mounted.path.to_string_lossy().into_owned());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (config_text, manifest_text) = match &container.base {
        Some((manifest, config)) => (text(config), text(manifest)),
        None => Default::default(),
    };
    json!({
        "Type": "buildah 0.0.1",
        "FromImage": if container.info.image == "scratch" { "" } else { &container.info.image },
        "FromImageID": container.info.image_id.map(|id| id.hex()).unwrap_or_default(),
        "FromImageDigest": container.image_digest.map(|digest| digest.to_string()).unwrap_or_default(),
        "Config": config_text,
        "Manifest": manifest_text,
        "Container": container.info.name,
        "ContainerID": container.info.id,
        "MountPoint": path.unwrap_or_default(),
        "ProcessLabel": "",
        "MountLabel": "",
        "ImageAnnotations": annotations,
        "ImageCreatedBy": created_by.clone().unwrap_or_default(),
        "ImageHistoryComment": history_comment,
        "Format": match container.format { Format::Oci => "oci", Format::Docker => "docker" },
        "OCIv1": config,
        "Docker": docker(config, container.info.image_id),
        "DefaultMountsFilePath": "",
        "Isolation": isolation,
        "NamespaceOptions": namespaces(),
        "Capabilities": builder_core::default_capabilities(),
        "ConfigureNetwork": "NetworkDefault",
        "CNIPluginPath": "",
        "CNIConfigDir": "",
        "IDMappingOptions": id_mapping(),
        "History": config.history,
        "Devices": [],
    })
}

/// Which namespaces a command gets of its own, unless it is told otherwise.
fn namespaces() -> Value {
    let host = |name: &str| matches!(name, "network" | "user");
    let names = ["cgroup", "ipc", "mount", "network", "pid", "user", "uts"];
    names.iter().map(|name| json!({ "Name": name, "Host": host(name), "Path": "" })).collect()
}

/// Containers have the ids of whoever runs them.
fn id_mapping() -> Value {
    json!({
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
            "AdditionalGIDMappings": null,
        },
    })
}

/// The config as Docker has it: the same fields, with the empty ones that its users look for.
fn docker(config: &ImageConfig, image: Option<Digest>) -> Value {
    let run = &config.config;
    let mut part = serde_json::to_value(run).expect("a config becomes JSON");
    let fields = part.as_object_mut().expect("a struct becomes an object");
    for name in ["Hostname", "Domainname", "User", "WorkingDir", "StopSignal"] {
        fields.entry(name).or_insert_with(|| "".into());
    }
    for name in ["AttachStdin", "AttachStdout", "AttachStderr", "Tty", "OpenStdin", "StdinOnce"] {
        fields.entry(name).or_insert_with(|| false.into());
    }
    for name in ["Env", "Cmd", "Entrypoint", "OnBuild", "Labels", "Volumes"] {
        fields.entry(name).or_insert(Value::Null);
    }
    fields.insert("Image".into(), image.map(|id| id.to_string()).unwrap_or_default().into());
    names::in_dockers_order(fields);
    json!({
        "comment": config.other.get("comment").cloned().unwrap_or_else(|| "".into()),
        "created": config.created,
        "container_config": fields,
        "author": config.author,
        "config": fields,
        "architecture": config.architecture,
        "variant": config.variant,
        "os": config.os,
        "rootfs": config.rootfs,
        "history": config.history,
    })
}
