//! Steps: conditions decided, `uses` replaced by what they name, folders and variables handed
//! down, needs and sources gathered.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use boltworks_version::apk::Dependency;
use boltworks_yaml::{Place, closest};

use super::package::Fields;
use super::scope::{Part, Scope};
use super::{checkout, fetch, handed};
use crate::library::{PipelineFile, PipelineLibrary};
use crate::parsed::{self, Text};
use crate::resolved::{PipelineUse, SourceRef, Step, guest};
use crate::substitute::{Piece, pieces};
use crate::{Error, Problem};

/// The deepest nesting of steps and of pipelines that use each other.
const MAX_DEPTH: usize = 32;

/// The most steps of one recipe, all pipelines counted.
const MAX_STEPS: usize = 100_000;

/// What to do with a script beside a pipeline.
const OWN_STEP: &str = "give the script a step of its own: `- runs: …` before or after this one";

/// What the steps of a guest need, gathered while they are resolved; each once.
#[derive(Default)]
pub(super) struct Found {
    pub(super) needs: Vec<Dependency>,
    pub(super) sources: Vec<SourceRef>,
    pub(super) used: BTreeMap<String, PipelineUse>,
    needed: BTreeSet<Dependency>,
    known: BTreeSet<String>,
}

impl Found {
    fn add_needs(&mut self, needs: Vec<Dependency>) {
        for need in needs {
            if self.needed.insert(need.clone()) {
                self.needs.push(need);
            }
        }
    }

    fn add_source(&mut self, source: SourceRef) {
        if self.known.insert(source.key.clone()) {
            self.sources.push(source);
        }
    }
}

/// The pipelines `uses` can name, and how many steps there may still be.
pub(super) struct Pipelines<'a> {
    library: &'a PipelineLibrary,
    steps_left: Cell<usize>,
}

/// What a step gets from the steps around it.
#[derive(Clone)]
struct Around {
    directory: String,
    environment: BTreeMap<String, String>,
    /// Names of the pipelines around, outermost first.
    pipelines: Vec<String>,
    depth: usize,
}

impl<'a> Pipelines<'a> {
    pub(super) const fn new(library: &'a PipelineLibrary) -> Self {
        Self {
            library,
            steps_left: Cell::new(MAX_STEPS),
        }
    }

    /// The steps that run, in order; what they need goes into `found`.
    pub(super) fn steps(
        &self,
        steps: &[parsed::Step],
        scope: &Scope<'_>,
        found: &mut Found,
    ) -> Result<Vec<Step>, Error> {
        let around = Around {
            directory: guest::WORKSPACE.to_owned(),
            environment: BTreeMap::new(),
            pipelines: Vec::new(),
            depth: 0,
        };
        Walk {
            pipelines: self,
            found,
        }
        .list(steps, scope, &around)
    }

    fn passes_over(&self, uses: &Text, scope: &Scope<'_>) -> Result<bool, Error> {
        let is_known = |name: String| self.library.get(&name).is_some();
        Ok(self.library.passes_over_unknown && !scope.fill(uses).map(is_known)?)
    }

    fn file(
        &self,
        name: &str,
        uses: &Text,
        scope: &Scope<'_>,
    ) -> Result<&Arc<PipelineFile>, Error> {
        let file = self.library.get(name);
        file.ok_or_else(|| scope.problem(uses, self.library.why_not(name)))
    }

    fn count(&self, step: &parsed::Step, scope: &Scope<'_>, around: &Around) -> Result<(), Error> {
        let too_much =
            |what, limit| scope.problem(first_text(step), Problem::TooMuch { what, limit });
        if around.depth >= MAX_DEPTH {
            return Err(too_much(
                "steps and pipelines are nested too deeply",
                MAX_DEPTH,
            ));
        }
        let Some(left) = self.steps_left.get().checked_sub(1) else {
            return Err(too_much("the recipe has too many steps", MAX_STEPS));
        };
        self.steps_left.set(left);
        Ok(())
    }
}

/// One walk over the steps of a guest.
struct Walk<'w, 'a> {
    pipelines: &'w Pipelines<'a>,
    found: &'w mut Found,
}

impl Walk<'_, '_> {
    fn list(
        &mut self,
        steps: &[parsed::Step],
        scope: &Scope<'_>,
        around: &Around,
    ) -> Result<Vec<Step>, Error> {
        let mut kept = Vec::new();
        for step in steps {
            let is_own = !step.inputs.is_empty() && used(step).is_none();
            let own = is_own.then(|| with_inputs(step, scope)).transpose()?;
            kept.extend(self.step(step, own.as_ref().unwrap_or(scope), around)?);
        }
        Ok(kept)
    }

    fn step(
        &mut self,
        step: &parsed::Step,
        scope: &Scope<'_>,
        around: &Around,
    ) -> Result<Option<Step>, Error> {
        check_shape(step, scope)?;
        if !scope.holds(step.condition.as_ref())? {
            return Ok(None);
        }
        self.pipelines.count(step, scope, around)?;
        let fields = Fields(scope);
        let mut inner = around.clone();
        inner.depth += 1;
        if let Some(directory) = &step.working_directory {
            inner.directory = directory_of(&fields.one_line("working directory", directory)?);
        }
        inner
            .environment
            .extend(fields.environment(&step.environment)?);
        handed::verify_variables(scope, &step.environment, &inner.environment)?;
        let kept = inner
            .environment
            .iter()
            .map(|(name, value)| name.len() + value.len());
        let kept = kept.sum::<usize>() + inner.directory.len();
        scope.take(first_text(step), kept)?;
        self.found
            .add_needs(fields.dependencies(&step.needs.packages)?);

        let (name, label) = (
            fields.known(step.name.as_ref())?,
            fields.known(step.label.as_ref())?,
        );
        let mut resolved = match used(step) {
            Some(uses)
                if step.pipeline.is_empty() && !self.pipelines.passes_over(uses, scope)? =>
            {
                let followed = self.follow(step, uses, scope, &inner);
                followed.map_err(|error| error.used_at(scope.origin.place(uses)))?
            }
            _ => Step {
                runs: fields.script(step.runs.as_ref())?,
                pipeline: self.list(&step.pipeline, scope, &inner)?,
                working_directory: inner.directory,
                environment: inner.environment,
                ..Step::default()
            },
        };
        // melange fills in no name in a pipeline's file, and none from it.
        resolved.written_name = match &step.name {
            Some(written) if scope.part == Part::Pipeline => Some(written.as_str().to_owned()),
            _ => name.clone(),
        };
        resolved.required_steps = step.assertions.required_steps.value;
        resolved.name = name.or(resolved.name);
        resolved.label = label.or(resolved.label);
        check_assertions(step, &resolved, scope)?;
        Ok(Some(resolved))
    }

    /// What `uses` names, as a step.
    fn follow(
        &mut self,
        step: &parsed::Step,
        uses: &Text,
        scope: &Scope<'_>,
        around: &Around,
    ) -> Result<Step, Error> {
        let name = scope.fill(uses)?;
        if around.pipelines.contains(&name) {
            let chain = format!("{} → {name}", around.pipelines.join(" → "));
            return Err(scope.problem(uses, Problem::PipelineCycle { chain }));
        }
        let file = self.pipelines.file(&name, uses, scope)?;
        let document = file.document()?;
        let mut inner_scope = Scope {
            variables: scope.variables,
            inputs: BTreeMap::new(),
            origin: document.origin.clone(),
            budget: scope.budget,
            part: Part::Pipeline,
        };
        let use_ = Use {
            step,
            uses,
            name: &name,
        };
        let inputs = use_.inputs(&document.step, scope, &inner_scope)?;
        // melange prints no default of a step that stands outermost and gives nothing.
        let with = if step.with.is_empty() && around.depth == 1 {
            BTreeMap::new()
        } else {
            document.not_the_default(&inputs)
        };
        // A pipeline sees what the one that uses it was given.
        inner_scope.inputs.clone_from(&scope.inputs);
        inner_scope.inputs.extend(inputs);
        let mut fetched = None;
        if name == fetch::NAME && file.is_builtin() {
            let fetch = fetch::fetch(step, uses, &inner_scope.inputs, scope)?;
            inner_scope
                .inputs
                .insert(fetch::ARCHIVE.to_owned(), fetch.guest_path());
            self.found.add_source(SourceRef {
                written: scope.written(step.with.get("uri").unwrap_or(uses)),
                ..SourceRef::from(&fetch)
            });
            fetched = Some(fetch);
        }
        let mut checked_out = None;
        if name == checkout::NAME && file.is_builtin() {
            let (source, handed) = checkout::checkout(step, uses, &inner_scope.inputs, scope);
            inner_scope.inputs.extend(handed);
            self.found.add_source(source.clone());
            checked_out = Some(source);
        }
        self.found
            .used
            .entry(name.clone())
            .or_insert_with(|| PipelineUse {
                name: name.clone(),
                builtin: file.is_builtin(),
                text: file.text.clone(),
            });
        let mut inner = around.clone();
        inner.pipelines.push(name.clone());
        // The file itself is a step: its folder, variables and condition hold within it.
        let mut inside = self
            .step(&document.step, &inner_scope, &inner)?
            .unwrap_or_else(|| Step {
                working_directory: around.directory.clone(),
                environment: around.environment.clone(),
                ..Step::default()
            });
        if let Some(runs) = Fields(scope).script(step.runs.as_ref())? {
            if inside.runs.is_some() {
                let rule = ["has a script, as the step has: which is meant?", OWN_STEP];
                let problem = Problem::value("the pipeline", &name, rule);
                return Err(scope.problem(uses, problem));
            }
            inside.runs = Some(runs);
        }
        Ok(Step {
            uses: Some(name),
            with,
            // A pipeline's file may itself be a use of another.
            fetch: fetched.or(inside.fetch.take()),
            checkout: checked_out.or(inside.checkout.take()),
            ..inside
        })
    }
}

/// What a step sees that declares inputs itself, as a pipeline's file does: their defaults.
fn with_inputs<'s>(step: &parsed::Step, scope: &Scope<'s>) -> Result<Scope<'s>, Error> {
    let here = Use {
        step,
        uses: first_text(step),
        name: step.name.as_deref().map_or("this step", |name| name),
    };
    let mut inner = scope.clone();
    // What it is given beside is refused for itself, since it uses nothing.
    if step.with.is_empty() {
        inner.inputs.extend(here.inputs(step, scope, scope)?);
    }
    Ok(inner)
}

/// What a step uses; blank is nothing.
fn used(step: &parsed::Step) -> Option<&Text> {
    step.uses.as_ref().filter(|uses| !uses.is_empty())
}

/// A text that shows where the step is.
fn first_text(step: &parsed::Step) -> &Text {
    static NOWHERE: Text = Text::NOWHERE;
    [&step.uses, &step.name, &step.runs]
        .into_iter()
        .flatten()
        .next()
        .unwrap_or(&NOWHERE)
}

/// Other than so many steps may have run as a pipeline asserts: conditions decide.
fn check_assertions(step: &parsed::Step, resolved: &Step, scope: &Scope<'_>) -> Result<(), Error> {
    // A pipeline that is one script is a step too.
    let script = usize::from(resolved.uses.is_some() && resolved.runs.is_some());
    let run = resolved.pipeline.len() + script;
    let required = step.assertions.required_steps;
    if required.value == 0 || run == required.value as usize {
        return Ok(());
    }
    let origin = &scope.origin;
    let place = Place::new(origin.file(), origin.text(), required.line, required.column);
    Err(Error::at(
        place,
        Problem::RequiredSteps {
            run,
            required: required.value,
        },
    ))
}

/// A step either uses a pipeline, or has a script or steps of its own. With both `uses` and
/// steps, as in a compiled recipe, the steps are what `uses` became.
fn check_shape(step: &parsed::Step, scope: &Scope<'_>) -> Result<(), Error> {
    let bad = |text: &Text, what, rule| Err(scope.problem(text, Problem::value(what, text, rule)));
    let runs = step.runs.as_ref().filter(|runs| !runs.is_empty());
    if scope.part == Part::Test {
        // melange does not look at the form of tests, and public recipes have both: a script
        // runs before what is used, and inputs of nothing are nothing.
        return Ok(());
    }
    match (used(step), runs) {
        (Some(uses), Some(_)) => {
            let rule = ["cannot have runs too", OWN_STEP];
            bad(uses, "a step with uses", rule)
        }
        (None, _) => match step.with.values().next() {
            Some(value) => {
                let rule = [
                    "is given, but the step uses no pipeline",
                    "add `uses: …` to the step, or take `with` away",
                ];
                bad(value, "an input", rule)
            }
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// One `uses`.
struct Use<'a> {
    step: &'a parsed::Step,
    uses: &'a Text,
    name: &'a str,
}

impl Use<'_> {
    /// The inputs a pipeline sees: what is given, filled in where it is given, else the
    /// pipeline's own default, filled in without inputs.
    fn inputs(
        &self,
        pipeline: &parsed::Step,
        given_in: &Scope<'_>,
        declared_in: &Scope<'_>,
    ) -> Result<BTreeMap<String, String>, Error> {
        for (given, value) in &self.step.with {
            if !pipeline.inputs.contains_key(given) {
                let known = pipeline.inputs.keys().map(String::as_str);
                let problem = Problem::UnknownInput {
                    pipeline: self.name.to_owned(),
                    name: boltworks_model::visible_start(given, 160),
                    suggestion: closest(given, known).map(str::to_owned),
                };
                return Err(Error::at(
                    given_in.origin.place_of_key(given, value),
                    problem,
                ));
            }
        }
        let mut inputs = BTreeMap::new();
        for (input, declared) in &pipeline.inputs {
            let given = self.step.with.get(input);
            let value = match given {
                Some(text) => Some(given_in.fill(text)?).filter(|value| {
                    // Nothing given is as not given, but a value that becomes nothing inside.
                    !value.is_empty() || !is_first_stage(text)
                }),
                None => None,
            };
            let value = match (value, &declared.default) {
                (Some(value), _) => value,
                (None, Some(default)) => declared_in.fill(default)?,
                (None, None) => String::new(),
            };
            if declared.required
                && value.is_empty()
                && given.is_none_or(|text| is_first_stage(text))
            {
                let (pipeline, name) = (self.name.to_owned(), input.clone());
                let problem = Problem::MissingInput { pipeline, name };
                return Err(given_in.problem(self.uses, problem));
            }
            self.check(input, &value, given_in)?;
            given_in.take(self.uses, input.len())?;
            inputs.insert(input.clone(), value);
        }
        Ok(inputs)
    }

    /// Digests look like digests, whatever pipeline takes them.
    fn check(&self, input: &str, value: &str, scope: &Scope<'_>) -> Result<(), Error> {
        let (digits, rule): (&[usize], _) = match input {
            "expected-sha256" => (&[64], "is not 64 hexadecimal digits"),
            "expected-sha512" => (&[128], "is not 128 hexadecimal digits"),
            "expected-commit" => (&[40, 64], "is not 40 hexadecimal digits"),
            _ => return Ok(()),
        };
        let value = value.trim();
        let is_digest =
            digits.contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_hexdigit());
        if value.is_empty() || is_digest {
            return Ok(());
        }
        let problem = Problem::BadInput {
            pipeline: self.name.to_owned(),
            name: input.to_owned(),
            rule: rule.to_owned(),
        };
        let at = self.step.with.get(input).unwrap_or(self.uses);
        Err(scope.problem(at, problem))
    }
}

/// Whether melange fills this text in when it reads the recipe, all of it: then a value that is
/// empty is the same as none.
fn is_first_stage(text: &str) -> bool {
    pieces(text).all(|piece| match piece {
        Piece::Variable { name, .. } => ["package.", "vars.", "range."]
            .iter()
            .any(|group| name.starts_with(group)),
        Piece::Literal(_) => true,
        Piece::Malformed(_) => false,
    })
}

/// An absolute folder: beneath the workspace unless it is one already.
fn directory_of(text: &str) -> String {
    let mut path = if text.starts_with('/') {
        String::new()
    } else {
        guest::WORKSPACE.to_owned()
    };
    for part in text.split('/').filter(|part| !matches!(*part, "" | ".")) {
        path.push('/');
        path += part;
    }
    if path.is_empty() {
        "/".to_owned()
    } else {
        path
    }
}

#[cfg(test)]
mod tests {
    use super::directory_of;

    #[test]
    fn folders_are_beneath_the_workspace() {
        let check = |text: &str, expected: &str| assert_eq!(directory_of(text), expected, "{text}");
        check("src", "/home/build/src");
        check("./a//b/", "/home/build/a/b");
        check(".", "/home/build");
        check("/tmp/x/", "/tmp/x");
        check("/", "/");
        check("../x", "/home/build/../x");
    }
}
