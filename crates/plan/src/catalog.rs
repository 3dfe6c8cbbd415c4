//! What there is to make, and who needs whom.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_model::PackageName;
use boltworks_recipe::resolved::{Dependencies, Image, Recipe, Test};
use boltworks_version::apk::Dependency;

use crate::{ActionKind, Pin, Subject};

/// One recipe of the factory, resolved.
#[derive(Debug, Clone)]
pub struct RecipeItem {
    /// The recipe.
    pub recipe: Recipe,
    /// Its sources: the name steps use, the digest that will be fetched.
    pub sources: Vec<Pin>,
    /// Files beside it.
    pub files: Vec<Pin>,
}

/// One image of the factory, resolved.
#[derive(Debug, Clone)]
pub struct ImageItem {
    /// The image file's name, without its ending.
    pub name: String,
    /// The image.
    pub image: Image,
}

/// Everything the factory can make.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Recipes by package name.
    pub recipes: BTreeMap<String, RecipeItem>,
    /// Images by name.
    pub images: BTreeMap<String, ImageItem>,
    /// Recipes and images whose files are not understood, and why: none of them can be made, and
    /// what such a recipe offers beside the package of its own name is not known.
    pub unread: BTreeMap<Subject, String>,
}

/// Why there is no order in which everything can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    clippy::error_impl_error,
    reason = "one `Error` per room is the house's convention"
)]
pub enum Error {
    /// Recipes need one another in a circle.
    #[error("recipes need one another in a circle: {}", .0.join(" needs "))]
    Cycle(Vec<String>),
    /// Two recipes make a package of the same name.
    #[error("package '{package}' is made by two recipes, '{first}' and '{second}'")]
    Duplicate {
        /// The package.
        package: String,
        /// One recipe.
        first: String,
        /// The other.
        second: String,
    },
}

/// Who makes a package, and what that package needs at run time.
struct Maker<'a> {
    recipe: &'a str,
    runtime: &'a [Dependency],
}

impl Catalog {
    /// For each recipe and image the recipes it needs first, as far as names tell: packages that
    /// files turn out to need (`so:`) are known only once they are built.
    pub(crate) fn needs(&self) -> Result<BTreeMap<Subject, BTreeSet<String>>, Error> {
        let makers = self.makers()?;
        let mut needs = BTreeMap::new();
        for (name, item) in &self.recipes {
            let tests = tests(&item.recipe).flat_map(|test| test.packages.iter());
            let wanted = item.recipe.build_packages.iter().chain(tests);
            let mut found = reachable(&makers, wanted);
            found.remove(name.as_str());
            needs.insert(Subject::recipe(name.clone()), owned(found));
        }
        for (name, item) in &self.images {
            let found = reachable(&makers, item.image.packages.iter());
            needs.insert(Subject::image(name.clone()), owned(found));
        }
        Ok(needs)
    }

    /// The recipes in an order in which each comes after those it needs; ties by name.
    pub(crate) fn build_order(
        needs: &BTreeMap<Subject, BTreeSet<String>>,
        recipes: impl Iterator<Item = String>,
    ) -> Result<Vec<String>, Error> {
        let mut waiting: BTreeSet<String> = recipes.collect();
        let mut order = Vec::with_capacity(waiting.len());
        while !waiting.is_empty() {
            let is_ready = |name: &&String| {
                let wanted = needs.get(&Subject::recipe((*name).clone()));
                wanted.is_none_or(|wanted| wanted.is_disjoint(&waiting))
            };
            let Some(next) = waiting.iter().find(is_ready).cloned() else {
                return Err(Error::Cycle(circle(needs, &waiting)));
            };
            waiting.remove(&next);
            order.push(next);
        }
        Ok(order)
    }

    fn makers(&self) -> Result<BTreeMap<&str, Maker<'_>>, Error> {
        let mut makers: BTreeMap<&str, Maker<'_>> = BTreeMap::new();
        for (recipe, item) in &self.recipes {
            for (package, Dependencies { runtime, .. }) in packages(&item.recipe) {
                if let Some(other) = makers.insert(package.as_str(), Maker { recipe, runtime }) {
                    return Err(Error::Duplicate {
                        package: package.to_string(),
                        first: other.recipe.to_owned(),
                        second: recipe.clone(),
                    });
                }
            }
        }
        for (recipe, item) in &self.recipes {
            for (
                _,
                Dependencies {
                    runtime, provides, ..
                },
            ) in packages(&item.recipe)
            {
                for provide in provides {
                    makers
                        .entry(provide.name.as_str())
                        .or_insert(Maker { recipe, runtime });
                }
            }
        }
        for subject in self.unread_of(ActionKind::Recipe) {
            let maker = Maker {
                recipe: &subject.name,
                runtime: &[],
            };
            makers.entry(&subject.name).or_insert(maker);
        }
        Ok(makers)
    }

    /// The recipes or the images that are not understood.
    pub(crate) fn unread_of(&self, kind: ActionKind) -> impl Iterator<Item = &Subject> {
        let all = self.unread.keys();
        all.filter(move |subject| subject.kind == kind)
    }

    /// The names of all recipes, understood or not.
    pub fn recipe_names(&self) -> BTreeSet<&str> {
        let unread = self.unread_of(ActionKind::Recipe);
        let names = unread.map(|subject| subject.name.as_str());
        names
            .chain(self.recipes.keys().map(String::as_str))
            .collect()
    }
}

/// Every package of a recipe with what it needs and offers.
fn packages(recipe: &Recipe) -> impl Iterator<Item = (&PackageName, &Dependencies)> {
    let main = (&recipe.package.name, &recipe.package.dependencies);
    let split = recipe
        .subpackages
        .iter()
        .map(|sub| (&sub.name, &sub.dependencies));
    std::iter::once(main).chain(split)
}

/// Every test of a recipe.
fn tests(recipe: &Recipe) -> impl Iterator<Item = &Test> {
    recipe.test.iter().chain(
        recipe
            .subpackages
            .iter()
            .filter_map(|sub| sub.test.as_ref()),
    )
}

fn owned(names: BTreeSet<&str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// The recipes behind some packages and behind all that those need at run time.
fn reachable<'a>(
    makers: &BTreeMap<&'a str, Maker<'a>>,
    wanted: impl Iterator<Item = &'a Dependency>,
) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open: Vec<&Dependency> = wanted.collect();
    while let Some(dependency) = open.pop() {
        let name = dependency.name.as_str();
        if dependency.conflict || !seen.insert(name) {
            continue;
        }
        if let Some(maker) = makers.get(name) {
            found.insert(maker.recipe);
            open.extend(maker.runtime);
        }
    }
    found
}

/// A circle among the waiting, from its smallest name round to it again.
fn circle(needs: &BTreeMap<Subject, BTreeSet<String>>, waiting: &BTreeSet<String>) -> Vec<String> {
    let mut path: Vec<String> = Vec::new();
    let mut here = waiting.iter().next().cloned();
    while let Some(name) = here {
        if let Some(start) = path.iter().position(|seen| *seen == name) {
            let mut circle = path.split_off(start);
            let smallest = circle.iter().enumerate().min_by_key(|(_, name)| *name);
            let turn = smallest.map_or(0, |(index, _)| index);
            circle.rotate_left(turn);
            circle.extend(circle.first().cloned());
            return circle;
        }
        let wanted = needs.get(&Subject::recipe(name.clone()));
        here =
            wanted.and_then(|wanted| wanted.iter().find(|next| waiting.contains(*next)).cloned());
        path.push(name);
    }
    path
}
