//! The variables of a recipe: what each is, each defined once, in whatever order they name
//! each other.

use std::collections::BTreeMap;
use std::rc::Rc;

use boltworks_yaml::closest;

use super::triplets::{gnu_triplet, rust_triplet};
use super::{Libc, ResolveOptions, transforms};
use crate::parsed::{Origin, Recipe, Text, VarTransform};
use crate::pattern::Fuel;
use crate::resolved::guest;
use crate::substitute::{self, Budget, FillError, MAX_FILLED};
use crate::{Error, Problem};

/// The longest chain of variables that define each other.
const MAX_CHAIN: usize = 64;

/// A variable's value, or what is wrong with its definition. The error surfaces where the
/// variable is used: an unused one harms nobody.
pub(super) type Value = Result<String, Rc<Wrong>>;

/// What is wrong with a definition. Where that is, and what was meant, is only looked for when
/// somebody is told: a hostile recipe may have very many wrong definitions that nobody uses.
#[derive(Debug)]
pub(super) struct Wrong {
    text: Text,
    token: Option<String>,
    /// Nothing is a name that is not known: the token's.
    problem: Option<Problem>,
}

impl Wrong {
    pub(super) fn new(text: &Text, token: Option<&str>, problem: Option<Problem>) -> Rc<Self> {
        Rc::new(Self {
            text: text.clone(),
            token: token.map(str::to_owned),
            problem,
        })
    }
}

/// Values by name: those of the recipe, and on top those of the package at hand.
#[derive(Debug, Clone)]
pub(super) struct Variables {
    origin: Origin,
    recipe: Rc<BTreeMap<String, Value>>,
    local: BTreeMap<String, String>,
}

impl Variables {
    /// The recipe's variables. A wrong definition is an error where it is used; a wrong
    /// transformation always is.
    pub(super) fn define(
        recipe: &Recipe,
        options: &ResolveOptions<'_>,
        budget: &Budget,
    ) -> Result<Self, Error> {
        let known = constants(recipe, options);
        let mut definer = Definer {
            templates: templates(recipe, options),
            done: known
                .into_iter()
                .map(|(name, value)| (name, Ok(value)))
                .collect(),
            chain: Vec::new(),
            budget,
        };
        let wrong = definer.transform(&recipe.var_transforms).err();
        let names: Vec<String> = definer.templates.keys().cloned().collect();
        for name in names {
            definer.value(&name);
        }
        let variables = Self {
            origin: recipe.origin.clone(),
            recipe: Rc::new(definer.done),
            local: BTreeMap::new(),
        };
        match wrong {
            Some(wrong) => Err(variables.error(&wrong)),
            None => Ok(variables),
        }
    }

    /// The same, where `range` is at this item.
    pub(super) fn at_item(&self, key: &str, value: String) -> Self {
        let mut local = self.local.clone();
        local.insert("range.key".to_owned(), key.to_owned());
        local.insert("range.value".to_owned(), value);
        Self {
            origin: self.origin.clone(),
            recipe: Rc::clone(&self.recipe),
            local,
        }
    }

    /// The same, where `range` is at this item, if there is one.
    pub(super) fn at_any(&self, item: Option<&(&str, String)>) -> Self {
        match item {
            Some((key, value)) => self.at_item(key, value.clone()),
            None => self.clone(),
        }
    }

    /// The same, where the package at hand is `package`: the main one, or one split off.
    pub(super) fn within(&self, package: &str, is_subpackage: bool) -> Self {
        let mut local = self.local.clone();
        let destdir = guest::destdir(package);
        local.insert("context.name".to_owned(), package.to_owned());
        local.insert("targets.contextdir".to_owned(), destdir.clone());
        if is_subpackage {
            local.insert("targets.subpkgdir".to_owned(), destdir);
            local.insert("subpkg.name".to_owned(), package.to_owned());
        }
        Self {
            origin: self.origin.clone(),
            recipe: Rc::clone(&self.recipe),
            local,
        }
    }

    /// Adds `targets.package.NAME`.
    pub(super) fn add_package(&mut self, name: &str) {
        let value = Ok(guest::destdir(name));
        Rc::make_mut(&mut self.recipe).insert(format!("targets.package.{name}"), value);
    }

    pub(super) fn get(&self, name: &str) -> Option<Result<&String, &Rc<Wrong>>> {
        match self.local.get(name) {
            Some(value) => Some(Ok(value)),
            None => self.recipe.get(name).map(Result::as_ref),
        }
    }

    /// What to tell somebody who uses a variable whose definition is wrong.
    pub(super) fn error(&self, wrong: &Wrong) -> Error {
        let Wrong {
            text,
            token,
            problem,
        } = wrong;
        let place = match token {
            Some(token) => self.origin.place_of(text, token),
            None => self.origin.place(text),
        };
        let unknown = || {
            let braces = ['$', '{', '}', ' ', '\t'];
            let name = token.as_deref().unwrap_or_default().trim_matches(braces);
            let suggestion = closest(name, self.names()).map(str::to_owned);
            Problem::UnknownVariable {
                name: name.to_owned(),
                suggestion,
            }
        };
        Error::at(place, problem.clone().unwrap_or_else(unknown))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.recipe
            .keys()
            .chain(self.local.keys())
            .map(String::as_str)
    }
}

/// What is known without looking at any template.
fn constants(recipe: &Recipe, options: &ResolveOptions<'_>) -> BTreeMap<String, String> {
    let arch = options.arch;
    let (gnu, musl) = (
        gnu_triplet(arch, Libc::Glibc),
        gnu_triplet(arch, Libc::Musl),
    );
    let (rust_gnu, rust_musl) = (
        rust_triplet(arch, Libc::Glibc),
        rust_triplet(arch, Libc::Musl),
    );
    let (host, rust_host) = match options.libc {
        Libc::Glibc => (&gnu, &rust_gnu),
        Libc::Musl => (&musl, &rust_musl),
    };
    let mut known: BTreeMap<String, String> = [
        ("build.arch", arch.apk()),
        ("build.goarch", arch.go()),
        ("host.triplet.gnu", host),
        ("host.triplet.rust", rust_host),
        ("cross.triplet.gnu.glibc", &gnu),
        ("cross.triplet.gnu.musl", &musl),
        ("cross.triplet.rust.glibc", &rust_gnu),
        ("cross.triplet.rust.musl", &rust_musl),
        ("package.srcdir", guest::WORKSPACE),
        ("targets.outdir", guest::OUT),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    known.insert(
        "package.epoch".to_owned(),
        recipe.package.epoch.value.to_string(),
    );
    for option in recipe.options.keys() {
        let is_enabled = options.enabled.contains(option);
        known.insert(format!("options.{option}.enabled"), is_enabled.to_string());
    }
    known
}

/// A variable's definition, and whether it may keep what is not known.
struct Template {
    text: Text,
    keeps_unknown: bool,
}

fn templates(recipe: &Recipe, options: &ResolveOptions<'_>) -> BTreeMap<String, Template> {
    let package = &recipe.package;
    let strict = |text: Text| Template {
        text,
        keeps_unknown: false,
    };
    let mut templates: BTreeMap<String, Template> = BTreeMap::new();
    let mut add = |name: &str, template: Template| templates.insert(name.to_owned(), template);
    add("package.name", strict(package.name.clone()));
    add("package.version", strict(package.version.clone()));
    add(
        "package.full-version",
        strict(Text::unplaced("${{package.version}}-r${{package.epoch}}")),
    );
    add(
        "targets.destdir",
        strict(Text::unplaced(guest::destdir("${{package.name}}"))),
    );
    let description = package.description.clone().unwrap_or_default();
    add(
        "package.description",
        Template {
            text: description,
            keeps_unknown: true,
        },
    );
    for (name, text) in &recipe.vars {
        add(&format!("vars.{name}"), strict(text.clone()));
    }
    for option in options
        .enabled
        .iter()
        .filter_map(|name| recipe.options.get(name))
    {
        for (name, text) in &option.vars {
            add(&format!("vars.{name}"), strict(text.clone()));
        }
    }
    templates
}

struct Definer<'a> {
    templates: BTreeMap<String, Template>,
    done: BTreeMap<String, Value>,
    chain: Vec<String>,
    budget: &'a Budget,
}

impl Definer<'_> {
    /// Makes the variables of `var-transforms`, in order. Each may name those before it, and all
    /// else sees the last of a name.
    fn transform(&mut self, all: &[VarTransform]) -> Result<(), Rc<Wrong>> {
        let fuel = Fuel::default();
        for transform in all {
            let from = self.fill(&transform.from, false)?;
            let made = transforms::apply(transform, &from, &fuel)?;
            // What comes out may name variables that the program knows: `${{host.triplet.gnu}}`.
            let made = self.fill(&transform.replace.with(made), false)?;
            self.done
                .insert(format!("vars.{}", &*transform.to), Ok(made));
        }
        Ok(())
    }

    fn value(&mut self, name: &str) -> Option<Value> {
        if let Some(value) = self.done.get(name) {
            return Some(value.clone());
        }
        let template = self.templates.get(name)?;
        let (text, keeps_unknown) = (template.text.clone(), template.keeps_unknown);
        let value = if let Some(problem) = self.problem_with_chain(name) {
            Err(Wrong::new(&text, None, Some(problem)))
        } else {
            self.chain.push(name.to_owned());
            let value = self.fill(&text, keeps_unknown);
            self.chain.pop();
            value
        };
        self.done.insert(name.to_owned(), value.clone());
        Some(value)
    }

    fn problem_with_chain(&self, name: &str) -> Option<Problem> {
        if let Some(start) = self.chain.iter().position(|above| above == name) {
            let circle = self.chain.get(start..).unwrap_or_default().join(" → ");
            return Some(Problem::VariableCycle {
                chain: format!("{circle} → {name}"),
            });
        }
        let what = "the variables define each other in too long a chain";
        (self.chain.len() >= MAX_CHAIN).then_some(Problem::TooMuch {
            what,
            limit: MAX_CHAIN,
        })
    }

    fn fill(&mut self, text: &Text, keeps_unknown: bool) -> Value {
        let budget = self.budget;
        let filled = if keeps_unknown {
            substitute::fill_known(text, budget, |name| self.value(name).and_then(Result::ok))
        } else {
            // No value at all is a name that is unknown right here.
            substitute::fill(text, budget, |name| match self.value(name) {
                Some(value) => value.map_err(Some),
                None => Err(None),
            })
        };
        filled.map_err(|error| match error {
            FillError::Variable {
                error: Some(wrong), ..
            } => wrong,
            FillError::Variable { token, error: None } => Wrong::new(text, Some(token), None),
            FillError::Malformed(token) => {
                let cut = boltworks_model::visible_start(token, 80);
                Wrong::new(text, Some(token), Some(Problem::BadVariable { text: cut }))
            }
            FillError::TooMuch => {
                let what = "the variables grow too long when they are filled in, in bytes";
                Wrong::new(
                    text,
                    None,
                    Some(Problem::TooMuch {
                        what,
                        limit: MAX_FILLED,
                    }),
                )
            }
        })
    }
}
