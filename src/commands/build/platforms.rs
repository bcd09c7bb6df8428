//! Which platforms an image is built for, and what it says of them.

use std::collections::BTreeMap;

use builder_core::{
    Builder, ConfigEdit, CopyFrom, Error, Index, Location, Look, Platform, Policy, Result, Silent,
    Surroundings, Wanted, host_architecture, inspect_manifest,
};
use dockerfile_frontend::StageBase;

use super::Args;
use crate::build::{Contexts, Found};
use crate::cli::Context;
use crate::settings;

/// The flags about platforms.
#[derive(Debug, clap::Args)]
pub struct PlatformFlags {
    /// The platform: OS/ARCHITECTURE[/VARIANT] (default: this machine's); of several the images become a list, which
    /// --manifest or --tag names
    #[arg(long, value_name = "PLATFORM", value_delimiter = ',')]
    platform: Vec<String>,
    /// Build for all platforms that every image the file begins with is there for
    #[arg(long, conflicts_with_all = ["platform", "arch", "os", "variant"])]
    pub all_platforms: bool,
    /// The processor of the image, such as arm64 (default: this machine's)
    #[arg(long, value_name = "ARCHITECTURE", conflicts_with = "platform")]
    arch: Option<String>,
    /// The operating system of the image (default: linux)
    #[arg(long, value_name = "OS", conflicts_with = "platform")]
    os: Option<String>,
    /// The variant of the processor, such as v8
    #[arg(long, value_name = "VARIANT", conflicts_with = "platform")]
    variant: Option<String>,
    /// Require a feature of the operating system; with - after it, do not
    #[arg(long, value_name = "FEATURE")]
    os_feature: Vec<String>,
    /// Set the version of the operating system that the image needs
    #[arg(long, value_name = "VERSION")]
    os_version: Option<String>,
}

impl PlatformFlags {
    /// The platforms that are named, this machine's if none is.
    pub fn named(&self) -> Result<Vec<Wanted>> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        match self.platform.as_slice() {
            [] => {
                let arch = given(&self.arch);
                Ok(vec![Wanted { os: given(&self.os), arch, variant: given(&self.variant) }])
            }
            all => all.iter().map(|text| one(text)).collect(),
        }
    }

    /// What the image says of its operating system.
    pub fn edits(&self) -> Vec<ConfigEdit> {
        let version = self.os_version.clone().map(ConfigEdit::OsVersion);
        let features = self.os_feature.iter().map(|text| match text.strip_suffix('-') {
            Some(name) => ConfigEdit::UnsetOsFeature(name.to_owned()),
            None => ConfigEdit::OsFeature(text.clone()),
        });
        version.into_iter().chain(features).collect()
    }
}

fn one(text: &str) -> Result<Wanted> {
    match text {
        "local" => Ok(Wanted::default()),
        "" => Err(Error::invalid("cannot use a platform without a name").hint("--platform linux/arm64")),
        text => Wanted::parse(text),
    }
}

/// The arguments that are always there before the first `FROM`.
pub fn platforms_of(wanted: &Wanted, target: Option<&str>) -> BTreeMap<String, String> {
    let mut platform = BTreeMap::new();
    let here = Wanted::default();
    for (side, wanted) in [("TARGET", wanted), ("BUILD", &here)] {
        let os = wanted.os.as_deref().unwrap_or("linux");
        let arch = wanted.arch.as_deref().unwrap_or(host_architecture());
        let variant = wanted.variant.as_deref().unwrap_or_default();
        let whole = [os, arch, variant].iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>();
        for (part, value) in
            [("PLATFORM", whole.join("/").as_str()), ("OS", os), ("ARCH", arch), ("VARIANT", variant)]
        {
            platform.insert(format!("{side}{part}"), value.to_owned());
        }
    }
    platform.insert("TARGETSTAGE".to_owned(), target.unwrap_or("default").to_owned());
    platform
}

impl Args {
    /// The platforms that are built for.
    pub(super) fn platforms(
        &self,
        context: &Context,
        builder: &Builder<'_>,
        contexts: &Contexts,
        file: &Found,
    ) -> Result<Vec<Wanted>> {
        let platforms = match self.platforms.all_platforms {
            true => self.all_platforms(context, builder, contexts, file)?,
            false => self.platforms.named()?,
        };
        if platforms.len() < 2 {
            return Ok(platforms);
        }
        if self.manifest.is_none() && self.tag.is_empty() && self.output.is_empty() {
            return Err(Error::invalid("cannot build for several platforms at once")
                .because("there is no name for the list of their images")
                .hint("add --manifest NAME or --tag NAME"));
        }
        let one_only = [("--iidfile", self.iidfile.is_some()), ("--iidfile-raw", self.iidfile_raw.is_some())];
        if let Some((flag, _)) = one_only.iter().find(|(_, given)| *given) {
            return Err(Error::invalid(format!("cannot use `{flag}` with several platforms"))
                .because("each of them has an image of its own")
                .hint("leave it away: the ids are printed in order, and --metadata-file tells of the list"));
        }
        Ok(platforms)
    }

    /// The platforms that all images are there for that the file begins with.
    fn all_platforms(
        &self,
        context: &Context,
        builder: &Builder<'_>,
        contexts: &Contexts,
        file: &Found,
    ) -> Result<Vec<Wanted>> {
        let read = self.read(builder, contexts, file, &Wanted::default())?;
        let mut common: Option<Vec<String>> = None;
        for place in read.graph.needed() {
            let StageBase::Image { name, platform: None } = &read.graph.stages[place].base else { continue };
            let CopyFrom::Other(image) = contexts.find(name) else { continue };
            let found = self.platforms_there(context, builder, &image)?;
            common = Some(match common {
                None => found,
                Some(mut common) => {
                    common.retain(|platform| found.contains(platform));
                    common
                }
            });
        }
        match common {
            Some(common) if !common.is_empty() => common.iter().map(|text| Wanted::parse(text)).collect(),
            found => Err(Error::invalid("cannot build for all platforms")
                .because(match found {
                    None => "the file begins with no image that would name them",
                    Some(_) => "there is none that all images are there for",
                })
                .hint("name the platforms: --platform linux/amd64,linux/arm64")),
        }
    }

    /// The platforms that an image is there for, by the list of its name here or in its registry.
    fn platforms_there(&self, context: &Context, builder: &Builder<'_>, image: &str) -> Result<Vec<String>> {
        let scratch = builder.scratch()?;
        let registries = settings::registries(&context.globals);
        let machine = settings::machine(&context.globals, context.host)?;
        let surroundings = Surroundings {
            builder: Some(builder),
            scratch: scratch.path(),
            registries: &registries,
            reporter: &Silent,
            machine: &machine,
        };
        let access = self.registry.access()?;
        let look = |image: Location| Look { image, platform: Wanted::default(), access: access.clone() };
        let listed = |bytes: &[u8]| {
            let index = Index::parse(bytes).ok()?;
            let all = index.manifests.iter().filter_map(|entry| entry.platform.as_ref());
            let known = all.filter(|platform| platform.os != "unknown");
            Some(known.map(name_of).collect::<Vec<_>>()).filter(|all| !all.is_empty())
        };
        let here = Location::parse(image)?;
        let own = inspect_manifest(builder, image, &access).map(|list| list.to_string());
        if let Some(all) = own.ok().and_then(|list| listed(list.as_bytes())) {
            return Ok(all);
        }
        // One that is here may be one of several that its registry has.
        if let Location::Store(name) = &here
            && self.pull.policy()? != Policy::Never
            && let Ok(bytes) = look(Location::Registry(name.clone())).raw(&surroundings)
            && let Some(all) = listed(&bytes)
        {
            return Ok(all);
        }
        let config = look(here).perform(&surroundings)?.config;
        let platform =
            [config.os, config.architecture, config.variant].into_iter().filter(|part| !part.is_empty());
        Ok(vec![platform.collect::<Vec<_>>().join("/")])
    }
}

fn name_of(platform: &Platform) -> String {
    let Platform { os, architecture, variant, .. } = platform;
    let parts = [os.as_str(), architecture, variant].into_iter().filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("/")
}
