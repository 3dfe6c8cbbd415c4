//! From a parsed recipe or image to a resolved one. Pure: texts in, values out.
//!
//! Reading order: [`resolve`] and [`resolve_image`] here; `variables` (what `${{…}}` can name),
//! `transforms` (`var-transforms`), `scope` (filling in, with places), `subpackages` (`range`),
//! `steps` (`if`, `uses`, inheritance) with `handed`, `fetch` and `checkout`, `package` (names, versions,
//! dependencies), `image` with its `accounts`, and `checks`, which are apko's own.

mod accounts;
mod checkout;
mod checks;
mod details;
mod fetch;
mod handed;
mod image;
mod package;
mod scope;
mod steps;
mod subpackages;
mod transforms;
mod triplets;
mod update;
mod variables;

use std::collections::{BTreeMap, BTreeSet};

use boltworks_model::Architecture;
use boltworks_version::apk::{Dependency, DependencyError};

pub use self::checks::check_image;
pub(crate) use self::details::duration;
use self::package::Fields;
pub(crate) use self::package::leaves;
use self::scope::{Part, Scope};
use self::steps::{Found, Pipelines};
use self::subpackages::Kept;
use self::variables::Variables;
use crate::error::Rule;
use crate::parsed::Text;
use crate::substitute::Budget;
use crate::{Error, PipelineLibrary, Problem, parsed, resolved};

/// What is wrong with a name of a variable that is none.
const VARIABLE: Rule = [
    "must not be empty, or have '=' or control characters in it",
    "write `NAME: value`, or take it away",
];

/// The C library that triplets name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Libc {
    /// `gnu`
    #[default]
    Glibc,
    /// `musl`
    Musl,
}

/// What a recipe is resolved for and with.
#[derive(Debug, Clone)]
pub struct ResolveOptions<'a> {
    /// The architecture packages are built for.
    pub arch: Architecture,
    /// The pipelines `uses` can name.
    pub library: &'a PipelineLibrary,
    /// The C library that `${{host.triplet.gnu}}` names.
    pub libc: Libc,
    /// The recipe's `options` that are switched on.
    pub enabled: BTreeSet<String>,
}

impl<'a> ResolveOptions<'a> {
    /// For this architecture, with these pipelines, and nothing unusual.
    pub const fn new(arch: Architecture, library: &'a PipelineLibrary) -> Self {
        Self {
            arch,
            library,
            libc: Libc::Glibc,
            enabled: BTreeSet::new(),
        }
    }
}

/// Understands a recipe.
///
/// Errors name the place in the recipe, or in the pipeline file it uses.
/// [`Error::is_other_architecture`] tells a recipe that is merely not for this architecture.
pub fn resolve(
    recipe: &parsed::Recipe,
    options: &ResolveOptions<'_>,
) -> Result<resolved::Recipe, Error> {
    let budget = Budget::default();
    let variables = Variables::define(recipe, options, &budget)?;
    let resolver = Resolver {
        recipe,
        options,
        budget: &budget,
        pipelines: Pipelines::new(options.library),
    };
    resolver.recipe(variables)
}

/// Understands an image. `PATH` and `SSL_CERT_FILE` get apko's values where it sets none.
pub fn resolve_image(image: &parsed::Image) -> Result<resolved::Image, Error> {
    let plain = |text: &Text| Ok(text.as_str().to_owned());
    check_image(image)?;
    let mut resolved = image::resolve(image, &image.origin, &plain)?;
    for (name, value) in image::DEFAULT_ENVIRONMENT {
        resolved
            .environment
            .entry(name.to_owned())
            .or_insert_with(|| value.to_owned());
    }
    Ok(resolved)
}

struct Resolver<'a> {
    recipe: &'a parsed::Recipe,
    options: &'a ResolveOptions<'a>,
    budget: &'a Budget,
    pipelines: Pipelines<'a>,
}

impl Resolver<'_> {
    fn scope<'s>(&'s self, variables: &'s Variables) -> Scope<'s> {
        Scope {
            variables,
            inputs: BTreeMap::new(),
            origin: self.recipe.origin.clone(),
            budget: self.budget,
            part: Part::Build,
        }
    }

    fn recipe(&self, mut variables: Variables) -> Result<resolved::Recipe, Error> {
        let parsed = self.recipe;
        let name = Fields(&self.scope(&variables)).own_name(&parsed.package.name)?;
        let target_architecture = self.architectures(&variables)?;
        variables.add_package(name.as_str());
        let kept = self.kept_subpackages(&mut variables, name.as_str())?;

        let main = variables.within(name.as_str(), false);
        let scope = self.scope(&main);
        let package = package::package(&scope, &parsed.package, name, target_architecture)?;
        let environment = self.environment(&scope)?;

        let mut found = Found::default();
        let pipeline = self.pipelines.steps(&parsed.pipeline, &scope, &mut found)?;
        let test = parsed.test.as_ref();
        let test = test.map(|test| self.test(test, &scope, &under_test(&package.name, &package)));
        let mut subpackages = Vec::new();
        for Kept { name, parsed, item } in kept {
            let local = match item {
                Some((key, value)) => variables.at_item(key, value).within(&name, true),
                None => variables.within(&name, true),
            };
            let scope = self.scope(&local);
            let subpackage = parsed;
            let mut resolved = package::subpackage(&scope, subpackage, &package)?;
            resolved.pipeline = self
                .pipelines
                .steps(&subpackage.pipeline, &scope, &mut found)?;
            if let Some(test) = &subpackage.test {
                let subject = under_test(&resolved.name, &package);
                resolved.test = Some(self.test(test, &scope, &subject)?);
            }
            subpackages.push(resolved);
        }
        let capabilities = |list: &[Text]| Fields(&scope).capabilities(list);
        Ok(resolved::Recipe {
            architecture: self.options.arch,
            build_packages: unique(environment.packages.iter().chain(&found.needs)),
            capabilities_add: capabilities(&parsed.capabilities.add)?,
            capabilities_drop: capabilities(&parsed.capabilities.drop)?,
            package,
            environment,
            pipeline,
            subpackages,
            test: test.transpose()?,
            sources: found.sources,
            pipelines_used: found.used.into_values().collect(),
            update: update::update(&scope, &parsed.update)?,
            vars: written_vars(parsed, &variables),
            var_transforms: parsed.var_transforms.iter().map(var_transform).collect(),
            options: parsed
                .options
                .iter()
                .map(|(name, option)| (name.clone(), build_option(option)))
                .collect(),
        })
    }

    fn architectures(&self, variables: &Variables) -> Result<Vec<Architecture>, Error> {
        let scope = self.scope(variables);
        let written = &self.recipe.package.target_architecture;
        let targets = image::architectures(written, &scope.origin, &|text| scope.fill(text))?;
        match written.first() {
            Some(first) if !targets.contains(&self.options.arch) => {
                let known: Vec<_> = targets.iter().map(|arch| arch.apk()).collect();
                let asked = self.options.arch;
                let problem = Problem::OtherArchitecture {
                    asked,
                    known: known.join(", "),
                };
                Err(scope.problem(first, problem))
            }
            _ => Ok(targets),
        }
    }

    /// The build environment, with what the enabled options change.
    fn environment(&self, scope: &Scope<'_>) -> Result<resolved::Image, Error> {
        let mut environment = self.recipe.environment.clone();
        let packages = &mut environment.contents.packages;
        for option in self
            .options
            .enabled
            .iter()
            .filter_map(|name| self.recipe.options.get(name))
        {
            let change = &option.environment.contents.packages;
            let removed: BTreeSet<&Text> = change.remove.iter().collect();
            packages.retain(|package| !removed.contains(package));
            packages.extend(change.add.iter().cloned());
        }
        guest_environment(&environment, scope)
    }

    fn test(
        &self,
        test: &parsed::Test,
        scope: &Scope<'_>,
        subject: &Dependency,
    ) -> Result<resolved::Test, Error> {
        let environment = guest_environment(&test.environment, scope)?;
        let mut found = Found::default();
        let scope = Scope {
            part: Part::Test,
            ..scope.clone()
        };
        let pipeline = self.pipelines.steps(&test.pipeline, &scope, &mut found)?;
        let wanted = [subject]
            .into_iter()
            .chain(&environment.packages)
            .chain(&found.needs);
        Ok(resolved::Test {
            packages: unique(wanted),
            environment,
            pipeline,
            sources: found.sources,
            pipelines_used: found.used.into_values().collect(),
        })
    }
}

/// Understands what a guest is made of.
fn guest_environment(parsed: &parsed::Image, scope: &Scope<'_>) -> Result<resolved::Image, Error> {
    let resolved = image::resolve(parsed, &scope.origin, &|text| scope.fill(text))?;
    handed::verify_variables(scope, &parsed.environment, &resolved.environment)?;
    Ok(resolved)
}

/// The recipe's variables, those of the options that are on among them.
fn written_vars(parsed: &parsed::Recipe, variables: &Variables) -> BTreeMap<String, String> {
    let transformed: BTreeSet<&str> = parsed.var_transforms.iter().map(|made| &*made.to).collect();
    let value = |name: &String, text: &Text| match variables.get(&format!("vars.{name}")) {
        Some(Ok(value)) if !transformed.contains(name.as_str()) => value.clone(),
        _ => text.as_str().to_owned(),
    };
    let vars = parsed.vars.iter();
    vars.map(|(name, text)| (name.clone(), value(name, text)))
        .collect()
}

fn var_transform(parsed: &parsed::VarTransform) -> resolved::VarTransform {
    resolved::VarTransform {
        from: parsed.from.as_str().to_owned(),
        pattern: parsed.pattern.as_str().to_owned(),
        replace: parsed.replace.as_str().to_owned(),
        to: parsed.to.as_str().to_owned(),
    }
}

fn build_option(parsed: &parsed::BuildOption) -> resolved::BuildOption {
    let texts = |list: &[Text]| list.iter().map(|text| text.as_str().to_owned()).collect();
    let vars = parsed.vars.iter();
    resolved::BuildOption {
        vars: vars
            .map(|(name, text)| (name.clone(), text.as_str().to_owned()))
            .collect(),
        packages_add: texts(&parsed.environment.contents.packages.add),
        packages_remove: texts(&parsed.environment.contents.packages.remove),
    }
}

fn under_test(name: &boltworks_model::PackageName, package: &resolved::Package) -> Dependency {
    Dependency::exactly(name.clone(), package.full_version.clone())
}

/// Reads a dependency. apk reads `a==1` as `a=1`, and some recipes have it.
pub(super) fn parse_dependency(text: &str) -> Result<Dependency, DependencyError> {
    match text.split_once("==") {
        Some((name, version)) if !name.contains(['<', '>', '~', '=', '!']) => {
            format!("{name}={version}").parse()
        }
        _ => text.parse(),
    }
}

/// Each once, where it stands first.
pub(super) fn unique<'a>(all: impl Iterator<Item = &'a Dependency>) -> Vec<Dependency> {
    let mut seen = BTreeSet::new();
    all.filter(|dependency| seen.insert(*dependency))
        .cloned()
        .collect()
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod language;
#[cfg(test)]
mod mistakes;
#[cfg(test)]
mod tests;
