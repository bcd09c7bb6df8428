//! The stages of a file, what each needs of the others, and which of them have to be built.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use crate::ast::{Body, Dockerfile, From, Instruction, MountText};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::scope::{Given, Global};
use crate::source::{Source, Span};
use crate::words::Words;

/// What a stage stands on, as far as the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StageBase {
    /// Nothing.
    Scratch,
    /// An earlier stage, by its place.
    Stage(usize),
    /// An image or a named build context.
    Image {
        /// By name.
        name: String,
        /// `--platform`
        platform: Option<String>,
    },
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// What `AS` calls it.
    pub name: Option<String>,
    /// What it is built on.
    pub base: StageBase,
    /// Where its `FROM` is.
    pub span: Span,
    /// Its instructions in the file, without the `FROM`.
    pub instructions: Range<usize>,
    /// The stages it cannot be finished without, by their places.
    pub needs: BTreeSet<usize>,
    /// What its references name that are stages: the text as written, and the place.
    pub references: BTreeMap<String, usize>,
}

/// All stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// In the order of the file.
    pub stages: Vec<Stage>,
    /// The one that becomes the image.
    pub target: usize,
    /// What is hardly meant.
    pub warnings: Vec<Diagnostic>,
}

impl Graph {
    /// Finds the stages of a file that was parsed without errors.
    ///
    /// # Errors
    /// All that is wrong with references between stages.
    pub fn new(
        dockerfile: &Dockerfile,
        source: &Source,
        given: &Given,
        target: Option<&str>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut faults = Diagnostics::new(source);
        let mut finder = Finder {
            faults: &mut faults,
            stages: Vec::new(),
            places: HashMap::new(),
            escape: dockerfile.directives.escape,
        };
        let mut global = Global::new(given);
        let all = &dockerfile.instructions;
        for (place, instruction) in all.iter().enumerate() {
            match &instruction.body {
                Body::From(from) => finder.begin(from, instruction.span, place, &global),
                Body::Arg(arg) if finder.stages.is_empty() => {
                    for argument in &arg.arguments {
                        if let Err(error) = global.declare(Words::new(finder.escape), argument) {
                            finder.faults.error(instruction.span, None, error.to_string());
                        }
                    }
                }
                _ => {
                    if let Some(stage) = finder.stages.last_mut() {
                        stage.instructions.end = place + 1;
                    }
                }
            }
        }
        finder.find_references(all);
        let stages = finder.stages;
        let target = find_target(&stages, target, source, &mut faults);
        let found = faults.into_found();
        let wrong = found.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        match target.filter(|_| !wrong) {
            Some(target) => Ok(Graph { stages, target, warnings: found }),
            None => Err(found),
        }
    }

    /// The stage before `place` that `text` names, by name or number.
    pub(crate) fn earlier(&self, text: &str, place: usize) -> Option<usize> {
        let named = |stage: &Stage| stage.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(text));
        let by_name = || self.stages[..place].iter().rposition(named);
        text.parse().ok().filter(|number| *number < place).or_else(by_name)
    }

    /// The places of the stages that have to be built, in the order of the file.
    #[must_use]
    pub fn needed(&self) -> Vec<usize> {
        let mut needed = BTreeSet::from([self.target]);
        for place in (0..=self.target).rev() {
            if needed.contains(&place) {
                needed.extend(self.stages[place].needs.iter().copied());
            }
        }
        needed.into_iter().collect()
    }
}

/// Looks through the file.
struct Finder<'f, 's> {
    faults: &'f mut Diagnostics<'s>,
    stages: Vec<Stage>,
    /// Where the stages of each name are, in rising order.
    places: HashMap<String, Vec<usize>>,
    escape: char,
}

/// As many stages before a name that is none are looked at for one that was meant.
const MAX_NEAR: usize = 200;

impl Finder<'_, '_> {
    fn begin(&mut self, from: &From, span: Span, place: usize, global: &Global<'_>) {
        let words = Words::new(self.escape);
        let mut expand = |text: &str| match words.expand(text, global.variables()) {
            Ok(expansion) => expansion.text,
            Err(error) => {
                self.faults.error(span, Some(text), error.to_string());
                String::new()
            }
        };
        let image = expand(&from.image);
        let platform = from.platform.as_deref().map(&mut expand).filter(|text| !text.is_empty());
        if image.is_empty() {
            self.faults
                .error(span, Some(&from.image), format!("`{}` names no image: it is empty", from.image))
                .hint("give the argument a default before the first `FROM`, or a value with --build-arg");
        }
        let here = self.stages.len();
        let earlier = self.places.get(&image.to_lowercase()).and_then(|places| places.last().copied());
        if let Some(name) = &from.name {
            self.places.entry(name.clone()).or_default().push(here);
        }
        let base = match earlier {
            Some(stage) => StageBase::Stage(stage),
            None if image == "scratch" => StageBase::Scratch,
            None => StageBase::Image { name: image, platform },
        };
        let needs = earlier.into_iter().collect();
        let instructions = place + 1..place + 1;
        let name = from.name.clone();
        self.stages.push(Stage { name, base, span, instructions, needs, references: BTreeMap::new() });
    }

    fn find_references(&mut self, all: &[Instruction]) {
        for place in 0..self.stages.len() {
            for instruction in &all[self.stages[place].instructions.clone()] {
                for text in references(&instruction.body) {
                    self.refer(place, instruction.span, text);
                }
            }
        }
    }

    /// Notes that the stage at `place` takes files of what `text` names, if that is a stage.
    fn refer(&mut self, place: usize, span: Span, text: &str) {
        // Of several with one name the nearest one before counts, as for FROM; that is told of by a check.
        let by_name = || {
            let places = self.places.get(&text.to_lowercase())?;
            let before = places.partition_point(|known| *known < place);
            places.get(before.saturating_sub(1)).copied()
        };
        let found = text.parse::<usize>().ok().or_else(by_name);
        let Some(found) = found else {
            self.hint_at_misspelling(place, span, text);
            return;
        };
        if found >= place {
            let what = match found {
                _ if found >= self.stages.len() => format!("there is no stage {found}"),
                _ if found == place => format!("the stage `{text}` takes files of itself"),
                _ => format!("the stage `{text}` comes later"),
            };
            self.faults.error(span, Some(text), what).expected("a stage that comes before this one");
            return;
        }
        self.stages[place].needs.insert(found);
        self.stages[place].references.insert(text.to_owned(), found);
    }

    /// A name without a dot or slash that is nearly a stage's is hardly an image.
    fn hint_at_misspelling(&mut self, place: usize, span: Span, text: &str) {
        let near = &self.stages[place.saturating_sub(MAX_NEAR)..place];
        let names: Vec<String> = near.iter().filter_map(|stage| stage.name.clone()).collect();
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        if !text.contains(['/', '.', ':', '$'])
            && let Some(near) = crate::diagnostic::nearest(text, &known)
        {
            self.faults
                .warning(span, Some(text), format!("there is no stage `{text}`, so it is an image"))
                .hint(format!("did you mean `{near}`?"));
        }
    }
}

/// What an instruction takes files of, as written.
pub(crate) fn references(body: &Body) -> Vec<&str> {
    match body {
        Body::Copy(copy) => copy.from.as_deref().into_iter().collect(),
        Body::Run(run) => run.mounts.iter().filter_map(mount_from).collect(),
        _ => Vec::new(),
    }
}

/// `from` of a mount.
pub(crate) fn mount_from(mount: &MountText) -> Option<&str> {
    let from = mount.options.iter().find(|option| option.name == "from")?;
    from.value.as_deref().filter(|value| !value.is_empty())
}

/// The stage that becomes the image: the one named, or the last.
fn find_target(
    stages: &[Stage],
    target: Option<&str>,
    source: &Source,
    faults: &mut Diagnostics,
) -> Option<usize> {
    let Some(target) = target else { return stages.len().checked_sub(1) };
    let named = |stage: &Stage| stage.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(target));
    let found = stages.iter().rposition(named);
    let numbered = || target.parse::<usize>().ok().filter(|number| *number < stages.len());
    let found = found.or_else(numbered);
    if found.is_none() {
        let names: Vec<&str> = stages.iter().filter_map(|stage| stage.name.as_deref()).collect();
        let span = Span::line(source.lines().max(1));
        faults
            .error(span, None, format!("there is no stage `{target}`"))
            .nearest(target, &names, |near| format!("--target {near}"));
    }
    found
}
