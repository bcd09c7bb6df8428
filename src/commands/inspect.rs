//! `kiln inspect`.

use builder_core::{
    ContainerDetails, Digest, Draft, Error, Format, ImageConfig, ImageDetails, Kind, Result,
    inspect_container, inspect_image,
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
    /// What NAME is: container or image (default: a container, or an image if no container has that name)
    #[arg(long = "type", short = 't', value_parser = ["container", "image"])]
    kind: Option<String>,
}

impl Args {
    /// Prints the JSON, or the template filled in.
    pub fn run(self, context: &Context) -> Result<Exit> {
        let talk = Talk { quiet: true };
        let builder = context.builder(&talk)?;
        let container = match self.kind.as_deref() {
            Some("image") => None,
            _ => match inspect_container(&builder, &self.name) {
                Ok(found) => Some(found),
                Err(error) if error.kind() == Kind::NotFound && self.kind.is_none() => None,
                Err(error) => return Err(error),
            },
        };
        let shown = match container {
            Some(found) => of_container(&found),
            None => of_image(&inspect_image(&builder, &self.name).map_err(|error| self.unknown(error))?),
        };
        match &self.format {
            Some(format) => ui::result(template::Format::parse(format)?.fill(&for_template(&shown))?),
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

fn of_image(image: &ImageDetails) -> Value {
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
        "History": image.config.history,
    })
}

fn of_container(container: &ContainerDetails) -> Value {
    let Draft { config, annotations, created_by, history_comment } = &container.draft;
    let path = container.mounted.as_ref().map(|mounted| mounted.path.to_string_lossy().into_owned());
    let base = container.base.as_ref().map(|base| String::from_utf8_lossy(&base.to_bytes()).into_owned());
    json!({
        "Type": "buildah 0.0.1",
        "FromImage": if container.info.image == "scratch" { "" } else { &container.info.image },
        "FromImageID": container.info.image_id.map(|id| id.hex()).unwrap_or_default(),
        "FromImageDigest": container.image_digest.map(|digest| digest.to_string()).unwrap_or_default(),
        "Config": base.unwrap_or_default(),
        "Manifest": "",
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
        "History": config.history,
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
    for name in ["Env", "Cmd", "Entrypoint", "OnBuild", "Labels", "Volumes"] {
        fields.entry(name).or_insert(Value::Null);
    }
    fields.insert("Image".into(), image.map(|id| id.to_string()).unwrap_or_default().into());
    json!({
        "created": config.created,
        "author": config.author,
        "comment": config.other.get("comment").cloned().unwrap_or_else(|| "".into()),
        "container_config": fields,
        "config": fields,
        "architecture": config.architecture,
        "variant": config.variant,
        "os": config.os,
        "rootfs": config.rootfs,
        "history": config.history,
    })
}

/// As Go's templates see it: fields by their Go names too, `.OCIv1.Config.Env` for `config.Env`, and none missing.
fn for_template(shown: &Value) -> Value {
    let mut with_names = shown.clone();
    for part in ["OCIv1", "Docker"] {
        add_names(&mut with_names[part], &["Author", "Created", "Architecture", "OS", "Variant"], "".into());
        add_names(&mut with_names[part], &["Comment"], "".into());
        add_names(&mut with_names[part]["RootFS"], &["Type", "DiffIDs"], json!([]));
        let config = &mut with_names[part]["Config"];
        let words = ["User", "WorkingDir", "StopSignal", "Hostname", "Domainname"];
        add_names(config, &words, "".into());
        add_names(config, &["Env", "Cmd", "Entrypoint", "OnBuild", "Shell"], json!([]));
        add_names(config, &["Labels", "Volumes", "ExposedPorts"], json!({}));
        name_history(&mut with_names[part]["History"]);
    }
    name_history(&mut with_names["History"]);
    with_names
}

fn name_history(entries: &mut Value) {
    for entry in entries.as_array_mut().into_iter().flatten() {
        add_names(entry, &["Created", "CreatedBy", "Author", "Comment"], "".into());
        add_names(entry, &["EmptyLayer"], false.into());
    }
}

/// Adds each field of an object under its Go name, and `default` for those of `all` that are not there, as Go's structs
/// have every field. What `json` shows stays as it was.
fn add_names(object: &mut Value, all: &[&str], default: Value) {
    let plain = object.clone();
    let Some(fields) = object.as_object_mut() else { return };
    fields.entry(template::PLAIN).or_insert(plain);
    let named: Vec<(String, Value)> = fields
        .iter()
        .filter(|(name, _)| *name != template::PLAIN)
        .map(|(name, value)| (go_name(name), value.clone()))
        .filter(|(name, _)| !fields.contains_key(name))
        .collect();
    fields.extend(named);
    for name in all {
        fields.entry(*name).or_insert_with(|| default.clone());
    }
}

/// `config` → `Config`, `os.version` → `OSVersion`, `rootfs` → `RootFS`.
fn go_name(name: &str) -> String {
    match name {
        "os" => "OS".into(),
        "os.version" => "OSVersion".into(),
        "os.features" => "OSFeatures".into(),
        "rootfs" => "RootFS".into(),
        "container_config" => "ContainerConfig".into(),
        "diff_ids" => "DiffIDs".into(),
        "created_by" => "CreatedBy".into(),
        "empty_layer" => "EmptyLayer".into(),
        _ => {
            let mut letters = name.chars();
            letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
        }
    }
}
