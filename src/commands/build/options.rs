//! What the words of `kiln build` mean.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use builder_core::{
    ConfigEdit, Error, Format, Isolation, Result, Run, RunMount, RunSettings, SshAgent, StepCache, Times,
    Wanted,
};
use dockerfile_frontend::Given;

use super::platforms::platforms_of;
use super::stages::{label, place};
use super::{Args, Job};
use crate::args::{parse_bool, proxies, run_defaults, secrets};
use crate::build::{Options, Rules};
use crate::cli::Context;
use crate::commands::{parse_format, version};
use crate::settings::{self, Environment};
use crate::ui::{BuildTalk, Manner, Progress};

impl Args {
    /// The image's format: the flag, the environment, OCI's.
    pub fn format(&self) -> Result<Format> {
        let named = || {
            let text = Environment::text("BUILDAH_FORMAT")?;
            Some(parse_format(&text).map_err(|because| {
                Error::invalid(format!("cannot use BUILDAH_FORMAT=`{text}`")).because(because)
            }))
        };
        self.format.map(Ok).or_else(named).unwrap_or(Ok(Format::Oci))
    }

    /// What the file is given: arguments and platforms.
    pub fn given(&self, wanted: &Wanted) -> Result<Given> {
        let mut platform = platforms_of(wanted, self.target.as_deref());
        if let Some(epoch) = self.times.epoch()? {
            // As BuildKit and Buildah give it to a file that declares it.
            platform.insert(EPOCH.to_owned(), epoch.to_string());
        }
        Ok(Given { arguments: arguments(&self.build_arg_file, &self.build_arg)?, platform })
    }

    /// The value of a build argument that is about the build itself.
    fn about_the_build(&self, name: &str) -> Result<Option<String>> {
        Ok(arguments(&self.build_arg_file, &self.build_arg)?.remove(name))
    }

    /// Takes the date of the image that is given as a build argument, unless a flag says another.
    pub(super) fn take_epoch(&mut self) -> Result<()> {
        if let Some(text) = self.about_the_build(EPOCH)?.filter(|text| !text.is_empty()) {
            let seconds = text.parse().map_err(|_| {
                Error::invalid(format!("cannot use the build argument `{EPOCH}={text}`"))
                    .because("it is no number of seconds since 1970")
                    .hint("--build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)")
            })?;
            self.times.default_epoch(seconds);
        }
        Ok(())
    }

    /// Whether repositories that are contexts keep their `.git`.
    pub(super) fn keeps_git_dir(&self) -> Result<bool> {
        let text = self.about_the_build("BUILDKIT_CONTEXT_KEEP_GIT_DIR")?.filter(|text| !text.is_empty());
        text.map_or(Ok(false), |text| {
            parse_bool(&text).map_err(|because| {
                Error::invalid(format!(
                    "cannot use the build argument `BUILDKIT_CONTEXT_KEEP_GIT_DIR={text}`"
                ))
                .because(because)
            })
        })
    }

    /// How stages are built.
    pub fn options(&self, context: &Context, wanted: Wanted) -> Result<Options> {
        let (times, created) = match self.times.chosen()? {
            (Times::Keep, None) if self.verify => {
                // Both builds have it.
                static BEGUN: OnceLock<i64> = OnceLock::new();
                let begun = *BEGUN.get_or_init(now);
                (Times::Clamp(begun), Some(begun))
            }
            chosen => chosen,
        };
        Ok(Options {
            layers: self.has_layers() && !self.squash,
            // What was performed before has other times.
            anew_before: if self.verify { i64::MAX } else { self.stages.anew_before(now()) },
            anew: self.stages.no_cache_filter.clone(),
            disinherited: self.stages.disinherited(),
            rules: self.source_policy_file.as_deref().map(Rules::read).transpose()?.unwrap_or_default(),
            format: self.format()?,
            times,
            created,
            from: self.from.clone(),
            settings: self.settings_of_commands(context)?,
            command: self.command(context)?,
            keeps_volumes: self.compat_volumes,
            mounts: self.mount.iter().map(|text| text.parse::<RunMount>()).collect::<Result<_>>()?,
            insecure: self.allow.iter().any(|what| what == "security.insecure"),
            policy: self.pull.policy()?,
            wanted,
            sizes: self.summary,
            step_images: None,
        })
    }

    /// The settings of all commands of the build.
    fn settings_of_commands(&self, context: &Context) -> Result<RunSettings> {
        let mut settings = self.run.settings(&context.globals)?;
        if settings.isolation.is_none() {
            let word = Environment::text("BUILDAH_ISOLATION");
            settings.isolation = word.map(|word| word.parse::<Isolation>()).transpose()?;
        }
        Ok(settings)
    }

    /// Whether commands of the build may get networks of their own that are joined to the host's.
    pub(super) fn wants_network(&self, context: &Context) -> Result<bool> {
        let (settings, defaults) = (self.settings_of_commands(context)?, run_defaults::own_network(context)?);
        Ok(Run { settings, defaults, ..Run::default() }.wants_network(context.host))
    }

    /// Whether steps are to be layers: the flag, the environment, what who calls us is used to.
    fn has_layers(&self) -> bool {
        match (self.layers, Environment::text("BUILDAH_LAYERS").as_deref()) {
            (Some(layers), _) => layers,
            (None, Some(text)) => text == "1" || text.eq_ignore_ascii_case("true"),
            (None, None) => !settings::is_buildah(),
        }
    }

    /// Who is told what happens to the stages of a file, up to `stages`; `parallel` if they are built side by side.
    pub(super) fn talk(
        &self,
        job: &Job<'_>,
        stages: usize,
        parallel: bool,
        wanted: &Wanted,
    ) -> Result<BuildTalk> {
        Ok(BuildTalk::new(Manner {
            quiet: self.is_quiet(),
            parallel,
            log: self.log_of(wanted).as_deref().map(open_log).transpose()?,
            // What goes to standard output as an archive is not to have anything else in it.
            as_buildah: settings::is_buildah() && !job.to_stdout,
            forgets: self.has_layers(),
            platform: job.several.then(|| wanted.to_string()),
            stages,
        }))
    }

    /// Who knows steps that are not known here.
    pub fn cache(&self) -> Result<StepCache> {
        let places = |texts: &[String]| texts.iter().map(|text| place(text)).collect::<Result<Vec<_>>>();
        let (from, to) = (places(&self.stages.cache_from)?, places(&self.stages.cache_to)?);
        let mut cache = StepCache::new(from, to, self.registry.access()?)?;
        cache.layers = self.layers_elsewhere();
        cache.level = self.compression.level()?;
        Ok(cache)
    }

    /// Whether nothing is told but failures.
    pub fn is_quiet(&self) -> bool {
        self.quiet || Progress::now() == Progress::Quiet
    }

    /// The file that what is told of a platform goes to.
    fn log_of(&self, wanted: &Wanted) -> Option<PathBuf> {
        let path = self.logfile.clone()?;
        if !self.logsplit {
            return Some(path);
        }
        let mut name = path.into_os_string();
        name.push(format!("_{}_{}", wanted.os(), wanted.arch()));
        Some(name.into())
    }

    /// A command of the build without its words.
    fn command(&self, context: &Context) -> Result<Run> {
        let agent = || Environment::get("SSH_AUTH_SOCK").map(PathBuf::from);
        let mut command = Run {
            proxies: proxies(),
            secrets: secrets(&self.secret)?,
            ssh: self.ssh.iter().map(|text| SshAgent::parse(text, agent())).collect::<Result<_>>()?,
            no_pivot: Environment::get("BUILDAH_NOPIVOT").is_some(),
            runtime: self.runtime.clone().or_else(|| Environment::text("BUILDAH_RUNTIME")),
            runtime_flags: self.runtime_flag.clone(),
            ..Run::default()
        };
        run_defaults::fill(&mut command, context)?;
        command.hooks_dirs.extend(self.hooks_dir.iter().cloned());
        Ok(command)
    }

    /// The variables of `--env`.
    fn env_pairs(&self) -> Vec<(String, String)> {
        let pair = |text: &String| match text.split_once('=') {
            Some((name, value)) => Some((name.to_owned(), value.to_owned())),
            None => Environment::text(text).map(|value| (text.clone(), value)),
        };
        self.env.iter().filter_map(pair).collect()
    }

    /// What the image says beyond what its file says.
    pub fn edits(&self) -> Result<Vec<ConfigEdit>> {
        let mut edits = self.platforms.edits();
        for (name, value) in self.env_pairs() {
            edits.push(ConfigEdit::Env(name, value));
        }
        edits.extend(self.unsetenv.iter().cloned().map(ConfigEdit::UnsetEnv));
        if self.identity_label {
            edits.push(ConfigEdit::Label("io.buildah.version".into(), version::BUILDAH.into()));
        }
        edits.extend(self.unsetannotation.iter().cloned().map(ConfigEdit::UnsetAnnotation));
        edits.extend(self.unsetlabel.iter().cloned().map(ConfigEdit::UnsetLabel));
        for text in &self.label {
            edits.push(label(text)?);
        }
        for text in &self.annotation {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            if name.is_empty() {
                return Err(
                    Error::invalid("cannot use an annotation without a name").hint("--annotation NAME=VALUE")
                );
            }
            edits.push(ConfigEdit::Annotation(name.to_owned(), value.to_owned()));
        }
        Ok(edits)
    }
}

/// Seconds since the epoch.
fn now() -> i64 {
    let age = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    age.map_or(0, |age| i64::try_from(age.as_secs()).unwrap_or(i64::MAX))
}

/// The argument that tells a file when the image is dated.
const EPOCH: &str = "SOURCE_DATE_EPOCH";

/// The build arguments of files, and those of flags, which count more.
pub fn arguments(files: &[PathBuf], flags: &[String]) -> Result<BTreeMap<String, String>> {
    let mut arguments = BTreeMap::new();
    for path in files {
        let text =
            std::fs::read_to_string(path).map_err(|cause| crate::build::cannot("read", path, cause))?;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            argument(line, &mut arguments)?;
        }
    }
    for text in flags {
        argument(text, &mut arguments)?;
    }
    Ok(arguments)
}

/// Opens the file that what is told goes to.
fn open_log(path: &Path) -> Result<Arc<File>> {
    let file = File::options().create(true).append(true).open(path);
    file.map(Arc::new).map_err(|cause| crate::build::cannot("write", path, cause))
}

/// Takes `NAME=value`, or `NAME` with its value from our environment; one that is not set here is not given.
fn argument(text: &str, into: &mut BTreeMap<String, String>) -> Result<()> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, Environment::text(text)),
    };
    if name.is_empty() {
        return Err(Error::invalid(format!("cannot use the build argument `{text}`"))
            .because("it has no name")
            .hint("write it as --build-arg NAME=VALUE"));
    }
    into.extend(value.map(|value| (name.to_owned(), value)));
    Ok(())
}
