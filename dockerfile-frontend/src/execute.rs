//! Building the stages that are needed, side by side, each by its verbs in order.
//!
//! Stages are begun in the order of the file, and one waits for another only where it takes something of it: so the
//! first that is not finished never waits, and there is always something going on.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::ast::{Body, Dockerfile, Instruction};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::graph::{Graph, StageBase};
use crate::lower::Lowering;
use crate::parser::parse;
use crate::scope::{Given, Global, Scope};
use crate::source::{Source, Span};
use crate::verbs::{Base, Begun, Edit, StageName, Step, Verb, Verbs};
use crate::words::Words;

/// What is built, and how.
#[derive(Debug, Clone, Copy)]
pub struct Build<'b> {
    /// The file.
    pub dockerfile: &'b Dockerfile,
    /// Its text.
    pub source: &'b Source,
    /// Its stages.
    pub graph: &'b Graph,
    /// What the user gives.
    pub given: &'b Given,
    /// How many stages are built at once; 0 for all.
    pub jobs: usize,
    /// Whether stages before the target are built too that it needs nothing of.
    pub all: bool,
}

/// The container that becomes the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Its name.
    pub container: String,
    /// The last step, if there was one.
    pub last: Option<Step>,
}

/// A stage that is done.
struct Done {
    built: Built,
    /// The arguments it declared, which stages on it have too.
    arguments: BTreeMap<String, String>,
}

/// Why a build failed, and where.
#[derive(Debug)]
pub enum Failed<E> {
    /// A verb failed.
    Verb {
        /// The stage; boxed, so that a result stays small.
        stage: Box<StageName>,
        /// The lines of the instruction.
        span: Span,
        /// The instruction in one line.
        text: String,
        /// What the verb says.
        error: E,
    },
    /// An instruction cannot be understood now that its variables are known.
    Words(Vec<Diagnostic>),
}

/// Builds.
///
/// # Errors
/// The first failure; what other stages were doing is finished up to their next step.
pub fn execute<V: Verbs>(build: Build<'_>, verbs: &V) -> Result<Built, Failed<V::Error>> {
    let mut global = Global::new(build.given);
    for instruction in &build.dockerfile.instructions {
        let Body::Arg(arg) = &instruction.body else { break };
        for argument in &arg.arguments {
            // That it can be expanded was seen when the stages were found.
            let _ = global.declare(Words::new(build.dockerfile.directives.escape), argument);
        }
    }
    let target = build.graph.target;
    let needed = if build.all { (0..=target).collect() } else { build.graph.needed() };
    let board = Board { state: Mutex::new(State::default()), changed: Condvar::new() };
    let worker = Worker { build, verbs, global: &global, needed: &needed, board: &board };
    let workers = if build.jobs == 0 { needed.len() } else { build.jobs.min(needed.len()) };
    std::thread::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(|| worker.work());
        }
        worker.work();
    });
    let mut state = board.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    match (state.failed.take(), state.done.remove(&target)) {
        (None, Some(done)) => Ok(done.built),
        (Some(failed), _) => Err(failed),
        (None, None) => unreachable!("a stage is done or failed"),
    }
}

/// What the workers know of each other.
struct State<E> {
    /// How many of the needed stages were begun.
    begun: usize,
    /// Which stages are built besides those, since the triggers of a base take files of them.
    besides: BTreeSet<usize>,
    done: BTreeMap<usize, Done>,
    failed: Option<Failed<E>>,
}

impl<E> Default for State<E> {
    fn default() -> Self {
        State { begun: 0, besides: BTreeSet::new(), done: BTreeMap::new(), failed: None }
    }
}

struct Board<E> {
    state: Mutex<State<E>>,
    changed: Condvar,
}

impl<E> Board<E> {
    fn lock(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `take` finds in a stage, once that is done; none if something failed.
    fn wait<T>(&self, stage: usize, take: impl Fn(&Done) -> T) -> Option<T> {
        let mut state = self.lock();
        loop {
            if state.failed.is_some() {
                return None;
            }
            if let Some(done) = state.done.get(&stage) {
                return Some(take(done));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

struct Worker<'w, V: Verbs> {
    build: Build<'w>,
    verbs: &'w V,
    global: &'w Global<'w>,
    needed: &'w [usize],
    board: &'w Board<V::Error>,
}

impl<V: Verbs> Worker<'_, V> {
    /// Builds stage after stage until none is left.
    fn work(&self) {
        loop {
            let number = {
                let mut state = self.board.lock();
                if state.failed.is_some() || state.begun == self.needed.len() {
                    return;
                }
                state.begun += 1;
                state.begun
            };
            let outcome = self.stage(self.needed[number - 1], number);
            let mut state = self.board.lock();
            match outcome {
                Ok(Some(done)) => drop(state.done.insert(self.needed[number - 1], done)),
                // Something else failed meanwhile.
                Ok(None) => {}
                Err(failed) => drop(state.failed.get_or_insert(failed)),
            }
            self.board.changed.notify_all();
        }
    }

    /// What `take` finds in the stage at `place`, once that is built; nothing if something failed. One that no file
    /// needs, only a base's trigger, is built here and now.
    fn wait<T>(&self, place: usize, take: impl Fn(&Done) -> T) -> Result<Option<T>, Failed<V::Error>> {
        let number = {
            let mut state = self.board.lock();
            let is_new = self.needed.binary_search(&place).is_err() && state.besides.insert(place);
            is_new.then(|| self.needed.len() + state.besides.len())
        };
        if let Some(number) = number {
            let Some(done) = self.stage(place, number)? else { return Ok(None) };
            self.board.lock().done.insert(place, done);
            self.board.changed.notify_all();
        }
        Ok(self.board.wait(place, take))
    }

    /// Builds the stage at `place`, which is the one of this number; nothing if another failed meanwhile.
    fn stage(&self, place: usize, number: usize) -> Result<Option<Done>, Failed<V::Error>> {
        let Build { dockerfile, source, graph, .. } = self.build;
        let stage = &graph.stages[place];
        let escape = dockerfile.directives.escape;
        let instructions = &dockerfile.instructions[stage.instructions.clone()];
        let text = crate::lower::one_line(source, stage.span, escape);
        let name = StageName {
            index: place,
            name: stage.name.clone(),
            number,
            of: self.needed.len().max(number),
            steps: instructions.len() + 1,
            text: text.clone(),
        };
        let mut arguments = BTreeMap::new();
        let base = match &stage.base {
            StageBase::Scratch => Base::Scratch,
            StageBase::Image { name, platform } => {
                Base::Image { name: name.clone(), platform: platform.clone() }
            }
            StageBase::Stage(earlier) => {
                let found = |done: &Done| (done.built.container.clone(), done.arguments.clone());
                let Some(found) = self.wait(*earlier, found)? else { return Ok(None) };
                arguments = found.1;
                Base::Container(found.0)
            }
        };
        let failed = |error| Failed::Verb {
            stage: Box::new(name.clone()),
            span: stage.span,
            text: text.clone(),
            error,
        };
        let begun = self.verbs.begin(&name, &base).map_err(failed)?;
        let Begun { container, env, workdir, user, shell, on_build } = begun;
        let lowering = Lowering {
            scope: Scope::new(self.global, env).on_stage(arguments),
            shell,
            workdir,
            user,
            cmd_set: false,
            escape,
            containers: BTreeMap::new(),
        };
        let mut running =
            Running { worker: self, name: &name, place, lowering, container, last: None, number: 1 };
        if !running.triggers(&on_build, stage.span, instructions.is_empty())? {
            return Ok(None);
        }
        for (place, instruction) in instructions.iter().enumerate() {
            if !running.step(instruction, source, place + 1 == instructions.len())? {
                return Ok(None);
            }
        }
        self.verbs.end(&name);
        let built = Built { container: running.container, last: running.last };
        Ok(Some(Done { built, arguments: running.lowering.scope.into_arguments() }))
    }
}

/// A stage that is being built.
struct Running<'r, V: Verbs> {
    worker: &'r Worker<'r, V>,
    name: &'r StageName,
    place: usize,
    lowering: Lowering<'r>,
    container: String,
    last: Option<Step>,
    number: usize,
}

impl<V: Verbs> Running<'_, V> {
    /// Performs one instruction; `false` if another stage failed meanwhile.
    fn step(
        &mut self,
        instruction: &Instruction,
        source: &Source,
        last: bool,
    ) -> Result<bool, Failed<V::Error>> {
        self.number += 1;
        for text in crate::graph::references(&instruction.body) {
            let graph = self.worker.build.graph;
            let known = graph.stages[self.place].references.get(text).copied();
            // What a trigger names is not known before the base is.
            if let Some(stage) = known.or_else(|| graph.earlier(text, self.place)) {
                let found = |done: &Done| done.built.container.clone();
                let Some(container) = self.worker.wait(stage, found)? else { return Ok(false) };
                self.lowering.containers.insert(text.to_owned(), container);
            }
        }
        if self.worker.board.lock().failed.is_some() {
            return Ok(false);
        }
        let step =
            self.lowering.step(instruction, source, self.name, (self.number, last)).map_err(|error| {
                let mut faults = Diagnostics::new(source);
                faults.error(instruction.span, None, error.to_string());
                Failed::Words(faults.into_found())
            })?;
        self.perform(step)?;
        Ok(true)
    }

    fn perform(&mut self, step: Step) -> Result<(), Failed<V::Error>> {
        let container = self.worker.verbs.perform(&self.container, &step);
        self.container = container.map_err(|error| Failed::Verb {
            stage: Box::new(step.stage.clone()),
            span: step.span,
            text: step.text.clone(),
            error,
        })?;
        self.last = Some(step);
        Ok(())
    }

    /// Performs what the base has for builds on it, and takes that away; `alone` if the stage has nothing else.
    fn triggers(&mut self, lines: &[String], span: Span, alone: bool) -> Result<bool, Failed<V::Error>> {
        if lines.is_empty() {
            return Ok(true);
        }
        let clear = Step {
            stage: self.name.clone(),
            number: 1,
            last: false,
            span,
            text: "ONBUILD".to_owned(),
            verbs: vec![Verb::Config(vec![Edit::ClearOnBuild])],
            history: String::new(),
        };
        self.perform(clear)?;
        for (place, line) in lines.iter().enumerate() {
            // A stage around it, since the parser reads whole files.
            let text = format!("FROM scratch\n{line}\n");
            let source =
                Source::new("ONBUILD", text.as_bytes()).map_err(|fault| Failed::Words(vec![fault]))?;
            let parsed = parse(&source);
            if parsed.has_errors() {
                return Err(Failed::Words(parsed.diagnostics));
            }
            for instruction in &parsed.dockerfile.instructions[1..] {
                if !self.step(instruction, &source, alone && place + 1 == lines.len())? {
                    return Ok(false);
                }
            }
        }
        self.number = 1;
        Ok(true)
    }
}
