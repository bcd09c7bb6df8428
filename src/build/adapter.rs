//! The front end's verbs, performed by the library.
//!
//! A stage is one cached container, and one that stands on another begins as its fork. With layers the line of each
//! step that may change files closes a layer in the container's log; without, only that of a stage's last step does.
//! The commit at the end makes the layers, so nothing is in the store but the image.

mod copy;
mod run;
mod volumes;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use builder_core::{
    Access, Builder, Commit, Config, ConfigEdit, CopyFrom, Error, Fetch, Fork, Format, From, Host, Kind, Log,
    Policy, Pull, Result, Rm, Run, RunMount, RunSettings, Settings, Shown, StepCache, Times, Wanted,
    inspect_container,
};
use dockerfile_frontend::script::DEFAULT_PATH;
use dockerfile_frontend::verbs::{Base, Begun, Edit, Origin, StageName, Step, Verb, Verbs};

use super::context::cannot;
use super::{Contexts, Rules};
use crate::ui::{BuildTalk, StepTalk};

/// What helps where a file of the context is not there.
const IN_CONTEXT: &str = "paths begin in the context, the directory after all flags: kiln build DIRECTORY";

/// How stages are built.
#[derive(Debug, Clone)]
pub struct Options {
    /// One layer for each step that may change files.
    pub layers: bool,
    /// Steps that were recorded before this time, seconds since the epoch, are performed anew.
    pub anew_before: i64,
    /// The stages all steps of which are performed anew, by name or number.
    pub anew: Vec<String>,
    /// What a stage does not take over of what it stands on.
    pub disinherited: Vec<ConfigEdit>,
    /// Which images may be used.
    pub rules: Rules,
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
    /// A command as the machine and the flags have it: what mounts may ask for, and who runs it.
    pub command: Run,
    /// Whether commands change nothing in volumes.
    pub keeps_volumes: bool,
    /// Mounts of every command.
    pub mounts: Vec<RunMount>,
    /// Whether commands may ask for all privileges.
    pub insecure: bool,
    /// When registries are asked for images.
    pub policy: Policy,
    /// The platform that images are of.
    pub wanted: Wanted,
    /// Whether it is kept how much each step wrote.
    pub sizes: bool,
    /// How images of single steps are made, if they are: as that of the build, but for the container. They have no
    /// name, and are for looking into and for starting from.
    pub step_images: Option<Commit>,
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
    /// Who knows steps that are not known here.
    pub cache: StepCache,
    /// Who is told.
    pub talk: BuildTalk,
    /// The stages that were begun.
    pub made: Mutex<Vec<MadeStage>>,
    /// The commands that failed, each of another stage.
    pub failed: Mutex<Vec<FailedCommand>>,
    /// Containers with the files of contexts, by directory, where commands are to see their names in another order.
    pub shuffled: Mutex<BTreeMap<PathBuf, String>>,
}

/// A stage that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeStage {
    /// Its container, by id.
    pub container: String,
    /// Its place in the file.
    pub index: usize,
    /// What `AS` calls it, or its place in the file.
    pub name: String,
    /// The image it stands on, as it was asked for; or the container of the stage.
    pub base: String,
}

/// A command that failed: where, and how.
#[derive(Debug, Clone)]
pub struct FailedCommand {
    /// The stage's container.
    pub container: String,
    /// Its exit code.
    pub code: u8,
}

/// What became of a step.
struct Done {
    /// How much it wrote, bytes.
    size: u64,
    /// The image of the files and the configuration it left, by id.
    image: Option<String>,
}

impl Verbs for Adapter<'_> {
    type Error = Error;

    fn begin(&self, stage: &StageName, base: &Base) -> Result<Begun> {
        let talk = self.talk.step(stage, 1, &stage.text);
        let begun = self.begin_told(&talk, stage, base);
        match &begun {
            Ok(_) => talk.end(0, None),
            Err(_) => talk.fail(),
        }
        begun
    }

    fn perform(&self, container: &str, step: &Step) -> Result<String> {
        let text = if step.history.is_empty() { "" } else { &step.text };
        let talk = self.talk.step(&step.stage, step.number, text);
        let performed = self.perform_told(&talk, container, step);
        match &performed {
            Ok(done) => talk.end(done.size, done.image.as_deref()),
            Err(_) => talk.fail(),
        }
        performed.map(|_| container.to_owned())
    }

    fn end(&self, stage: &StageName) {
        self.talk.end_stage(stage);
    }
}

impl Adapter<'_> {
    fn begin_told(&self, talk: &StepTalk<'_>, stage: &StageName, base: &Base) -> Result<Begun> {
        let builder = self.builder(talk, stage)?;
        let container = self.container(&builder, stage, base)?;
        if *base != Base::Scratch && !self.options.disinherited.is_empty() {
            edit(&builder, &container, self.options.disinherited.clone(), None)?;
        }
        let mut config = inspect_container(&builder, &container)?.draft.config.config;
        if !config.env.iter().any(|entry| entry.starts_with("PATH=")) {
            // As other builders have it: without it hardly a command is found.
            let path = ConfigEdit::Env("PATH".to_owned(), DEFAULT_PATH.to_owned());
            edit(&builder, &container, vec![path], None)?;
            config.env.insert(0, format!("PATH={DEFAULT_PATH}"));
        }
        self.make_volumes(&builder, &container, config.volumes.keys())?;
        let env = config.env.iter().map(|entry| entry.split_once('=').unwrap_or((entry, "")));
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Begun {
            container,
            env,
            workdir: config.working_dir,
            user: config.user,
            shell: config.shell,
            on_build: config.on_build,
        })
    }

    /// Performs a step.
    fn perform_told(&self, talk: &StepTalk<'_>, container: &str, step: &Step) -> Result<Done> {
        let builder = self.builder(talk, &step.stage)?;
        let before = self.size(&builder, container)?;
        self.step(&builder, container, step)?;
        self.cache.send(&builder, container)?;
        let size = self.size(&builder, container)?.saturating_sub(before);
        Ok(Done { size, image: self.image_of(&builder, talk, container, step)? })
    }

    /// Makes the image of a step, where steps have some. The last of the build is the build's; where nothing was done
    /// for that it is known already.
    fn image_of(
        &self,
        builder: &Builder<'_>,
        talk: &StepTalk<'_>,
        container: &str,
        step: &Step,
    ) -> Result<Option<String>> {
        let Some(commit) = &self.options.step_images else { return Ok(None) };
        let is_last = step.last && step.stage.number == step.stage.of;
        if step.history.is_empty() || (is_last && !talk.is_cached()) {
            return Ok(None);
        }
        let edits = if is_last { commit.edits.clone() } else { Vec::new() };
        let commit = Commit { container: container.to_owned(), edits, passing: true, ..commit.clone() };
        Ok(Some(commit.perform(builder)?.id.hex()))
    }

    /// What all steps of a container wrote, bytes; nothing where that is not kept.
    fn size(&self, builder: &Builder<'_>, container: &str) -> Result<u64> {
        if !self.options.sizes {
            return Ok(0);
        }
        let log = Log { container: container.to_owned() };
        Ok(log.perform(builder)?.iter().map(|line| line.size).sum())
    }
}

/// What a mutex has, also after a panic elsewhere.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Adapter<'_> {
    fn builder<'t>(&'t self, talk: &'t StepTalk<'t>, stage: &StageName) -> Result<Builder<'t>> {
        let named = |text: &String| {
            stage.name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(text))
                || *text == stage.index.to_string()
        };
        let anew = self.options.anew.iter().any(named);
        let before = if anew { i64::MAX } else { self.options.anew_before };
        let builder = Builder::open(&self.settings, self.host, talk)?.anew_before(before);
        Ok(self.cache.serve(builder))
    }

    /// Makes the container of a stage.
    fn container(&self, builder: &Builder<'_>, stage: &StageName, base: &Base) -> Result<String> {
        let note = |container: &str, base: &str| {
            let name = stage.name.clone().unwrap_or_else(|| stage.index.to_string());
            let (container, base) = (container.to_owned(), base.to_owned());
            lock(&self.made).push(MadeStage { container, index: stage.index, name, base });
        };
        let mut wanted = self.options.wanted.clone();
        let image = match base {
            Base::Scratch => "scratch".to_owned(),
            Base::Container(container) => {
                let fork = Fork { container: container.clone(), at: None, name: None };
                let made = fork.perform(builder)?;
                note(&made.id, container);
                return Ok(made.id);
            }
            Base::Image { name, platform } => {
                if let Some(platform) = platform {
                    wanted = Wanted::parse(platform)?;
                }
                match (&self.options.from, self.contexts.find(name)) {
                    (Some(other), _) if stage.index == 0 => other.clone(),
                    (_, CopyFrom::Other(image)) => self.options.rules.apply(&image)?,
                    (_, _) => return Err(directory_as_base(name)),
                }
            }
        };
        let from = From {
            image,
            format: self.options.format,
            cached: true,
            run: self.options.settings.clone(),
            access: self.access.clone(),
            pull: self.options.policy,
            platform: wanted,
            ..From::default()
        };
        let made = from.perform(builder)?;
        note(&made.id, &from.image);
        Ok(made.id)
    }

    /// Where `name` says that files come from. An image that is not here is pulled.
    fn named(&self, builder: &Builder<'_>, name: &str) -> Result<CopyFrom> {
        let CopyFrom::Other(image) = self.contexts.find(name) else { return Ok(self.contexts.find(name)) };
        let pull = Pull {
            source: self.options.rules.apply(&image)?,
            access: self.access.clone(),
            policy: self.options.policy,
            platform: self.options.wanted.clone(),
            ..Pull::default()
        };
        Ok(CopyFrom::Other(pull.perform(builder)?.id.hex()))
    }

    /// What one instruction does. Its line of history goes with the last of its verbs.
    fn step(&self, builder: &Builder<'_>, container: &str, step: &Step) -> Result<()> {
        let volumes = step.verbs.iter().flat_map(volumes::declared);
        let made = self.make_volumes(builder, container, volumes)?;
        let closes = if self.options.layers { made || changes_files(step) } else { step.last };
        let shown = |line: Option<String>| match (closes, line.as_deref()) {
            // What a base had done in its stead is no instruction of the file.
            (_, Some("")) => Shown::Nothing,
            (true, _) => Shown::Layer(line),
            (false, _) => Shown::Line(line),
        };
        let line = || Some(step.history.clone());
        let Some((last, before)) = step.verbs.split_last() else {
            return show(builder, container, Vec::new(), &shown(line()));
        };
        for verb in before {
            self.verb(builder, container, verb, &Shown::Nothing)?;
        }
        // A copy knows what it copied.
        let own = if matches!(last, Verb::Copy(_)) { None } else { line() };
        self.verb(builder, container, last, &shown(own))
    }

    fn verb(&self, builder: &Builder<'_>, container: &str, verb: &Verb, shown: &Shown) -> Result<()> {
        match verb {
            Verb::Run(run) => self.run(builder, container, run, shown),
            Verb::Copy(copy) => self.copy(builder, container, copy, shown).map_err(|error| {
                let of_context = copy.origin == Origin::Context && error.kind() == Kind::NotFound;
                if of_context { error.hint(IN_CONTEXT) } else { error }
            }),
            Verb::MakeDirectory { path, owner } => {
                self.make_directory(builder, container, (path, owner), shown)
            }
            Verb::Config(edits) => show(builder, container, edits.iter().map(config_edit).collect(), shown),
        }
    }

    /// Of the commands that failed keeps that of the stage at this place of the file, which is what the build failed
    /// of, and gives its exit code.
    pub fn keep_failed(&self, stage: Option<usize>) -> Option<u8> {
        let made = lock(&self.made);
        let its = made.iter().filter(|made| Some(made.index) == stage).map(|made| &made.container);
        let its: Vec<&String> = its.collect();
        let mut failed = lock(&self.failed);
        failed.retain(|failed| its.contains(&&failed.container));
        failed.first().map(|failed| failed.code)
    }

    /// Removes all containers of the build, but for the one to keep.
    pub fn clean(&self, builder: &Builder<'_>, keep: Option<&str>) {
        let made = lock(&self.made).drain(..).map(|made| made.container).collect::<Vec<_>>();
        for container in made.into_iter().filter(|made| Some(made.as_str()) != keep) {
            // What a killed command holds is swept with it.
            let _ = Rm { container }.perform(builder);
        }
    }
}

/// Edits a container, and says so in the history.
fn show(builder: &Builder<'_>, container: &str, mut edits: Vec<ConfigEdit>, shown: &Shown) -> Result<()> {
    let line = match shown {
        Shown::Line(line) => line.clone(),
        Shown::Layer(line) => {
            edits.extend(line.clone().map(ConfigEdit::CreatedBy));
            None
        }
        Shown::Nothing => None,
    };
    edit(builder, container, edits, line)
}

fn edit(builder: &Builder<'_>, container: &str, edits: Vec<ConfigEdit>, line: Option<String>) -> Result<()> {
    let history = line.into_iter().collect();
    Config { container: container.to_owned(), edits, history }.perform(builder)
}

fn set_mode(path: &Path, mode: u32) -> Result<()> {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(path, mode).map_err(|cause| cannot("set the mode of", path, cause))
}

fn changes_files(step: &Step) -> bool {
    step.verbs.iter().any(|verb| !matches!(verb, Verb::Config(_)))
}

fn directory_as_base(name: &str) -> Error {
    Error::invalid(format!("cannot begin with `{name}`"))
        .because("the build context of that name is a directory and no image")
        .hint(format!("give an image: --build-context {name}=docker-image://IMAGE"))
}

fn config_edit(edit: &Edit) -> ConfigEdit {
    use ConfigEdit as C;
    match edit {
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
    }
}
