//! The front end's verbs, performed by the library.
//!
//! With layers every step that may change files is committed, and the next one begins on that image; without, all steps
//! of a stage are on one container, which becomes one layer. The history says the same either way.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use builder_core::{
    Access, Builder, Commit, Config, ConfigEdit, Copy, CopyFrom, Error, Fetch, Format, From, Host, Kind,
    Network, Policy, Result, Rm, Run, RunMount, RunSettings, Secret, Settings, SshAgent, Times, Unpack,
    Wanted, inspect_container,
};
use dockerfile_frontend::ast::{NetworkMode, Security};
use dockerfile_frontend::script::DEFAULT_PATH;
use dockerfile_frontend::verbs::{self, Base, Begun, Edit, Origin, StageName, Step, Verb, Verbs};

use super::Contexts;
use super::context::cannot;
use crate::args::proxies;
use crate::ui::StageTalk;

/// How stages are built.
#[derive(Debug, Clone)]
pub struct Options {
    /// One layer for each step that may change files.
    pub layers: bool,
    /// Take what was done before from the cache.
    pub cached: bool,
    /// The format of images.
    pub format: Format,
    /// The times of files in layers.
    pub times: Times,
    /// When images say they were made.
    pub created: Option<i64>,
    /// In place of the image of the first `FROM`.
    pub from: Option<String>,
    /// How commands run.
    pub settings: RunSettings,
    /// What mounts may ask for.
    pub secrets: Vec<Secret>,
    /// What mounts may ask for.
    pub ssh: Vec<SshAgent>,
    /// The OCI runtime that runs commands.
    pub runtime: Option<String>,
    /// Options for that runtime.
    pub runtime_flags: Vec<String>,
    /// When registries are asked for images.
    pub policy: Policy,
    /// The platform that images are of.
    pub wanted: Wanted,
    /// Show what is done only where it fails.
    pub quiet: bool,
    /// Where what is told goes, in place of stderr.
    pub logfile: Option<Arc<File>>,
    /// Whether stages are built side by side, so that what they print must be kept apart.
    pub parallel: bool,
}

/// Performs the verbs of a build.
pub struct Adapter<'a> {
    pub settings: Settings,
    pub host: Host,
    pub options: Options,
    pub contexts: &'a Contexts,
    pub ignore: Vec<String>,
    pub fetch: Fetch,
    /// How registries are reached.
    pub access: Access,
    /// The containers made so far: all but the last are gone at the end.
    pub made: Mutex<Vec<String>>,
    /// The exit code of the command that failed, if one did.
    pub exit: Mutex<Option<u8>>,
}

impl Verbs for Adapter<'_> {
    type Error = Error;

    fn begin(&self, stage: &StageName, base: &Base) -> Result<Begun> {
        let talk = self.talk(stage);
        talk.step(1, &stage.text);
        let builder = self.builder(&talk)?;
        let mut wanted = self.options.wanted.clone();
        let image = match base {
            Base::Scratch => "scratch".to_owned(),
            Base::Container(container) => {
                wanted = Wanted::default();
                self.commit(&builder, container, None)?
            }
            Base::Image { name, platform } => {
                if let Some(platform) = platform {
                    wanted = Wanted::parse(platform)?;
                }
                match (&self.options.from, self.contexts.find(name)) {
                    (Some(other), _) if stage.index == 0 => other.clone(),
                    (_, CopyFrom::Other(image)) => image,
                    (_, _) => return Err(directory_as_base(name)),
                }
            }
        };
        let container = self.container(&builder, image, wanted.clone())?;
        if *base == Base::Scratch {
            edit(&builder, &container, platform_edits(&wanted), None)?;
        }
        let details = inspect_container(&builder, &container)?;
        let mut config = details.draft.config.config;
        if !config.env.iter().any(|entry| entry.starts_with("PATH=")) {
            // As other builders have it: without it hardly a command is found.
            let path = ConfigEdit::Env("PATH".to_owned(), DEFAULT_PATH.to_owned());
            edit(&builder, &container, vec![path], None)?;
            config.env.insert(0, format!("PATH={DEFAULT_PATH}"));
        }
        let env = config.env.iter().map(|entry| entry.split_once('=').unwrap_or((entry, "")));
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        talk.end();
        Ok(Begun {
            container,
            env,
            workdir: config.working_dir,
            shell: config.shell,
            on_build: config.on_build,
        })
    }

    fn perform(&self, container: &str, step: &Step) -> Result<String> {
        let talk = self.talk(&step.stage);
        if !step.history.is_empty() {
            talk.step(step.number, &step.text);
        }
        let builder = self.builder(&talk)?;
        let performed = self.step(&builder, container, step);
        if performed.is_err() {
            talk.fail();
        }
        talk.end();
        performed
    }
}

impl Adapter<'_> {
    fn talk(&self, stage: &StageName) -> StageTalk {
        let Options { quiet, parallel, logfile, .. } = &self.options;
        let hold = (*quiet, *parallel);
        StageTalk::new((stage.number, stage.of, stage.steps), hold, logfile.clone())
    }

    fn builder<'t>(&self, talk: &'t StageTalk) -> Result<Builder<'t>> {
        Builder::open(&self.settings, self.host, talk)
    }

    fn container(&self, builder: &Builder<'_>, image: String, platform: Wanted) -> Result<String> {
        let from = From {
            image,
            format: self.options.format,
            cached: self.options.cached,
            run: self.options.settings.clone(),
            access: self.access.clone(),
            pull: self.options.policy,
            platform,
            ..From::default()
        };
        let made = from.perform(builder)?;
        self.made.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(made.id.clone());
        Ok(made.id)
    }

    /// Commits without a name; `line` is what made the layer.
    fn commit(&self, builder: &Builder<'_>, container: &str, line: Option<String>) -> Result<String> {
        if let Some(line) = line {
            edit(builder, container, vec![ConfigEdit::CreatedBy(line)], None)?;
        }
        let commit = Commit {
            container: container.to_owned(),
            times: self.options.times,
            created: self.options.created,
            omit_empty: self.options.layers,
            ..Commit::default()
        };
        Ok(commit.perform(builder)?.id.hex())
    }

    fn step(&self, builder: &Builder<'_>, container: &str, step: &Step) -> Result<String> {
        let layer = self.options.layers && changes_files(step);
        let last = step.number == step.stage.steps;
        // What becomes the layer's own line is not one more line.
        let own = layer || (last && !self.options.layers);
        let mut line = step.history.clone();
        for verb in &step.verbs {
            let said = match verb {
                Verb::Run(run) => self.run(builder, container, run).map(|()| None)?,
                Verb::Copy(copy) => self.copy(builder, container, copy)?,
                Verb::MakeDirectory(path) => self.make_directory(builder, container, path).map(|()| None)?,
                Verb::Config(edits) => {
                    let edits = edits.iter().filter_map(config_edit).collect();
                    edit(builder, container, edits, None).map(|()| None)?
                }
            };
            if let Some(said) = said {
                line = said;
            }
        }
        if !own {
            if !line.is_empty() {
                edit(builder, container, Vec::new(), Some(line))?;
            }
            return Ok(container.to_owned());
        }
        if !layer {
            edit(builder, container, vec![ConfigEdit::CreatedBy(line)], None)?;
            return Ok(container.to_owned());
        }
        let image = self.commit(builder, container, Some(line))?;
        // Files of a stage are taken from its last container; those before are not needed any more.
        Rm { container: container.to_owned() }.perform(builder)?;
        self.container(builder, image, Wanted::default())
    }

    fn run(&self, builder: &Builder<'_>, container: &str, run: &verbs::Run) -> Result<()> {
        let unsupported = |what: String, hint: &str| {
            Error::new(Kind::Unsupported, what).because("this version cannot").hint(hint.to_owned())
        };
        if let Some((name, _)) = run.devices.iter().find(|(_, required)| *required) {
            return Err(unsupported(format!("cannot use the device `{name}`"), "leave out --device"));
        }
        if run.security == Some(Security::Insecure) {
            return Err(unsupported(
                "cannot run with --security=insecure".to_owned(),
                "allow what it needs: kiln build --cap-add CAPABILITY",
            ));
        }
        let (mounts, contextdir) = self.mounts(&run.mounts)?;
        let network = match run.network {
            Some(NetworkMode::None) => Some(Network::None),
            Some(NetworkMode::Host) => Some(Network::Host),
            _ => None,
        };
        let mut settings = RunSettings { network, ..RunSettings::default() };
        let mut args = run.args.clone();
        let scratch = run.script.as_ref().map(|_| builder.scratch()).transpose()?;
        if let (Some(script), Some(scratch)) = (&run.script, &scratch) {
            let path = scratch.path().join("script");
            write_script(&path, script)?;
            settings.volumes.push(format!("{}:{SCRIPT}:ro", path.display()).parse()?);
            args = vec![SCRIPT.to_owned()];
        }
        let command = Run {
            args: args.clone(),
            env: run.env.clone(),
            proxies: proxies(),
            mounts,
            contextdir,
            secrets: self.options.secrets.clone(),
            ssh: self.options.ssh.clone(),
            runtime: self.options.runtime.clone(),
            runtime_flags: self.options.runtime_flags.clone(),
            settings,
            ..Run::default()
        };
        let exit = command.perform_in(builder, container, false)?;
        match exit.code() {
            0 => Ok(()),
            code => {
                self.exit.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(code);
                Err(Error::new(Kind::Io, format!("cannot run `{}`", shown(&args)))
                    .because(format!("it ends with exit code {code}")))
            }
        }
    }

    /// The mounts of a command, and the directory that those of a build context are in.
    fn mounts(&self, mounts: &[(String, Origin)]) -> Result<(Vec<RunMount>, Option<PathBuf>)> {
        let (mut found, mut directory) = (Vec::new(), None);
        for (text, origin) in mounts {
            let from = match origin {
                Origin::Context => CopyFrom::Context(self.contexts.main.clone()),
                Origin::Container(container) => CopyFrom::Other(container.clone()),
                Origin::Named(name) => self.contexts.find(name),
            };
            let text = match from {
                CopyFrom::Other(name) => format!("{text},from={name}"),
                CopyFrom::Context(dir) | CopyFrom::Host(dir) => {
                    let is_bind = !text.contains("type=") || text.contains("type=bind");
                    let dir = std::path::absolute(&dir).map_err(|cause| cannot("find", &dir, cause))?;
                    if is_bind && directory.replace(dir.clone()).is_some_and(|other| other != dir) {
                        return Err(Error::new(Kind::Unsupported, format!("cannot use the mount `{text}`"))
                            .because("one command takes files of two build contexts")
                            .hint("copy those of one into a stage, and mount them from there"));
                    }
                    text.clone()
                }
            };
            found.push(text.parse::<RunMount>()?);
        }
        Ok((found, directory))
    }

    /// Copies, and gives the line for the history.
    fn copy(&self, builder: &Builder<'_>, container: &str, copy: &verbs::Copy) -> Result<Option<String>> {
        let unpack = match (copy.add, copy.unpack) {
            (false, _) | (true, Some(false)) => Unpack::Nothing,
            (true, None) => Unpack::Files,
            (true, Some(true)) => Unpack::All,
        };
        let value = Copy {
            sources: copy.sources.clone(),
            destination: copy.destination.clone(),
            chown: copy.chown.clone(),
            chmod: copy.chmod.clone(),
            excludes: copy.exclude.clone(),
            parents: copy.parents,
            unpack,
            link: copy.link,
            checksum: copy.checksum.clone(),
            keep_git_dir: copy.keep_git_dir,
            fetch: self.fetch.clone(),
            ..Copy::default()
        };
        let mut line = None;
        if !copy.inline.is_empty() {
            let scratch = builder.scratch()?;
            for (name, text) in &copy.inline {
                write_inline(scratch.path(), name, text)?;
            }
            let sources = copy.inline.keys().cloned().collect();
            let inline = Copy { sources, unpack: Unpack::Nothing, literal: true, ..value.clone() };
            let from = CopyFrom::Context(scratch.path().join("inline"));
            line = Some(perform_copy(builder, container, &inline, &from)?);
        }
        if !copy.sources.is_empty() {
            let from = match &copy.origin {
                Origin::Context => CopyFrom::Context(self.contexts.main.clone()),
                Origin::Container(container) => CopyFrom::Other(container.clone()),
                Origin::Named(name) => self.contexts.find(name),
            };
            let ignore = if copy.origin == Origin::Context { self.ignore.clone() } else { Vec::new() };
            let keep_owners = matches!(from, CopyFrom::Other(_));
            let files = Copy { ignore, keep_owners, ..value };
            line = Some(perform_copy(builder, container, &files, &from)?);
        }
        Ok(line)
    }

    fn make_directory(&self, builder: &Builder<'_>, container: &str, path: &str) -> Result<()> {
        let scratch = builder.scratch()?;
        let empty = scratch.path().join("empty");
        std::fs::create_dir(&empty).map_err(|cause| cannot("make", &empty, cause))?;
        let copy = Copy {
            sources: vec![".".to_owned()],
            destination: format!("{path}/"),
            chmod: Some("755".to_owned()),
            // The directory itself would be as old as this build.
            timestamp: Some(self.options.created.unwrap_or(0)),
            ..Copy::default()
        };
        copy.perform_in(builder, container, &CopyFrom::Context(empty), true, false).map(drop)
    }

    /// Removes all containers of the build.
    pub fn clean(&self, builder: &Builder<'_>) {
        let mut made = self.made.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for container in made.drain(..) {
            // Those that were followed by another are gone already.
            let _ = Rm { container }.perform(builder);
        }
    }
}

/// Where a script of a heredoc is mounted.
const SCRIPT: &str = "/dev/pipes/script";

fn perform_copy(builder: &Builder<'_>, container: &str, copy: &Copy, from: &CopyFrom) -> Result<String> {
    let done = copy.perform_in(builder, container, from, true, false)?;
    Ok(copy.history(&done))
}

fn write_inline(scratch: &Path, name: &str, text: &str) -> Result<()> {
    let dir = scratch.join("inline");
    let path: PathBuf = dir.join(name);
    if name.contains('/') || matches!(name, "." | "..") {
        return Err(Error::invalid(format!("cannot make a file called `{name}`"))
            .because("it is no name of a file")
            .hint("give the heredoc another name"));
    }
    std::fs::create_dir_all(&dir).map_err(|cause| cannot("make", &dir, cause))?;
    std::fs::write(&path, text).map_err(|cause| cannot("write", &path, cause))?;
    set_mode(&path, 0o644)
}

fn write_script(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|cause| cannot("write", path, cause))?;
    set_mode(path, 0o755)
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(path, mode).map_err(|cause| cannot("set the mode of", path, cause))
}

fn edit(builder: &Builder<'_>, container: &str, edits: Vec<ConfigEdit>, line: Option<String>) -> Result<()> {
    let history = line.into_iter().collect();
    Config { container: container.to_owned(), edits, history }.perform(builder)
}

fn changes_files(step: &Step) -> bool {
    step.verbs.iter().any(|verb| !matches!(verb, Verb::Config(_)))
}

/// The command as messages show it.
fn shown(args: &[String]) -> String {
    let line = match args {
        [_, flag, line] if flag == "-c" => line.clone(),
        args => args.join(" "),
    };
    let first = line.lines().next().unwrap_or_default();
    first.chars().take(200).collect()
}

/// What an image from nothing says of a platform that is not this machine's.
fn platform_edits(wanted: &Wanted) -> Vec<ConfigEdit> {
    let Wanted { os, arch, variant } = wanted.clone();
    let edits =
        [os.map(ConfigEdit::Os), arch.map(ConfigEdit::Architecture), variant.map(ConfigEdit::Variant)];
    edits.into_iter().flatten().collect()
}

fn directory_as_base(name: &str) -> Error {
    Error::invalid(format!("cannot begin with `{name}`"))
        .because("the build context of that name is a directory and no image")
        .hint(format!("give an image: --build-context {name}=docker-image://IMAGE"))
}

fn config_edit(edit: &Edit) -> Option<ConfigEdit> {
    use ConfigEdit as C;
    Some(match edit {
        Edit::Env(name, value) => C::Env(name.clone(), value.clone()),
        Edit::Label(name, value) => C::Label(name.clone(), value.clone()),
        Edit::Cmd(words) => C::Cmd(words.clone()),
        Edit::Entrypoint(words) => C::Entrypoint(words.clone()),
        Edit::Port(port) => C::Port(port.clone()),
        Edit::Volume(path) => C::Volume(path.clone()),
        Edit::User(user) => C::User(user.clone()),
        Edit::Workdir(path) => C::WorkingDir(path.clone()),
        Edit::StopSignal(signal) => C::StopSignal(signal.clone()),
        Edit::Shell(words) => C::Shell(words.clone()),
        Edit::OnBuild(text) => C::OnBuild(text.clone()),
        Edit::ClearOnBuild => C::ClearOnBuild,
        Edit::Author(author) => C::Author(author.clone()),
        Edit::Healthcheck(check) => {
            let time = |nanoseconds: u64| i64::try_from(nanoseconds).unwrap_or(i64::MAX);
            C::Healthcheck(Some(builder_core::Healthcheck {
                test: check.test.clone(),
                interval: time(check.interval),
                timeout: time(check.timeout),
                start_period: time(check.start_period),
                start_interval: time(check.start_interval),
                retries: i64::from(check.retries),
            }))
        }
    })
}
