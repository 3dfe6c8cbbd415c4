//! What there is to make, and who needs whom.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

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

/// Who needs whom, and in which order recipes can be made.
#[derive(Debug, Default)]
pub struct Layout {
    /// For each recipe and image the recipes it needs first, as far as names tell: packages that
    /// files turn out to need (`so:`) are known only once they are built.
    pub needs: BTreeMap<Subject, BTreeSet<String>>,
    /// The recipes, each after those it needs; ties by name.
    pub order: Vec<String>,
    /// The recipes that contradict one another, and how: none of them can be made.
    pub faults: BTreeMap<String, String>,
    /// Recipes that need one another, each circle from its smallest name round to it again.
    pub circles: Vec<Vec<String>>,
}

/// Who makes a package, and what that package needs at run time.
struct Maker<'a> {
    recipe: &'a str,
    runtime: &'a [Dependency],
}

impl Catalog {
    /// Lays the recipes out.
    pub fn layout(&self) -> Layout {
        let mut layout = Layout::default();
        let makers = self.makers(&mut layout.faults);
        for (name, item) in &self.recipes {
            let tests = tests(&item.recipe).flat_map(|test| test.packages.iter());
            let wanted = item.recipe.build_packages.iter().chain(tests);
            let mut found = reachable(&makers, wanted);
            found.remove(name.as_str());
            let subject = Subject::recipe(name.clone());
            layout.needs.insert(subject, owned(found));
        }
        for (name, item) in &self.images {
            let found = reachable(&makers, item.image.packages.iter());
            let subject = Subject::image(name.clone());
            layout.needs.insert(subject, owned(found));
        }
        layout.put_in_order(self.recipes.keys().cloned().collect());
        layout
    }

    /// How recipes come to need others for their builds: for each pair the packages, each of which
    /// needs the next, the last one made by the second recipe. As short as it can be; empty, where
    /// it does not need it.
    pub fn chains(&self, pairs: &[(&str, &str)]) -> Vec<Vec<String>> {
        let makers = self.makers(&mut BTreeMap::new());
        let chain = |&(from, to): &(&str, &str)| {
            let from = self.recipes.get(from)?;
            chain(&makers, &from.recipe.build_packages, to)
        };
        pairs
            .iter()
            .map(|pair| chain(pair).unwrap_or_default())
            .collect()
    }

    fn makers<'a>(&'a self, faults: &mut BTreeMap<String, String>) -> BTreeMap<&'a str, Maker<'a>> {
        let mut makers: BTreeMap<&str, Maker<'_>> = BTreeMap::new();
        for (recipe, item) in &self.recipes {
            for (package, Dependencies { runtime, .. }) in packages(&item.recipe) {
                if let Some(other) = makers.insert(package.as_str(), Maker { recipe, runtime }) {
                    let other = other.recipe;
                    let why = format!(
                        "package '{package}' is made by two recipes, '{other}' and '{recipe}'"
                    );
                    faults.insert(other.to_owned(), why.clone());
                    faults.insert(recipe.clone(), why);
                }
            }
        }
        for (recipe, item) in &self.recipes {
            for (_, dependencies) in packages(&item.recipe) {
                let Dependencies {
                    runtime, provides, ..
                } = dependencies;
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
        makers
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

/// Recipes on their way into the order.
struct Queue {
    /// Those that have no place yet.
    waiting: BTreeSet<String>,
    /// Those of them that need nothing that waits.
    ready: BTreeSet<String>,
    /// How many of those that each needs have no place yet.
    unmet: BTreeMap<String, usize>,
    needed_by: BTreeMap<String, Vec<String>>,
}

impl Queue {
    fn new(needs: &BTreeMap<Subject, BTreeSet<String>>, waiting: BTreeSet<String>) -> Self {
        let mut queue = Self {
            ready: BTreeSet::new(),
            unmet: BTreeMap::new(),
            needed_by: BTreeMap::new(),
            waiting,
        };
        for name in &queue.waiting {
            let wanted = needs.get(&Subject::recipe(name.clone()));
            let wanted = wanted.into_iter().flatten();
            let mut unmet = 0;
            for other in wanted.filter(|other| queue.waiting.contains(*other)) {
                unmet += 1;
                let needed_by = queue.needed_by.entry(other.clone());
                needed_by.or_default().push(name.clone());
            }
            if unmet == 0 {
                queue.ready.insert(name.clone());
            }
            queue.unmet.insert(name.clone(), unmet);
        }
        queue
    }

    /// Gives a recipe its place: those that need it wait for one less.
    fn place(&mut self, name: &str) {
        self.waiting.remove(name);
        self.ready.remove(name);
        for after in self.needed_by.get(name).into_iter().flatten() {
            let unmet = self.unmet.entry(after.clone()).or_default();
            *unmet = unmet.saturating_sub(1);
            if *unmet == 0 && self.waiting.contains(after) {
                self.ready.insert(after.clone());
            }
        }
    }
}

impl Layout {
    /// Cost: n log n in recipes and needs.
    fn put_in_order(&mut self, recipes: BTreeSet<String>) {
        let mut queue = Queue::new(&self.needs, recipes);
        while !queue.waiting.is_empty() {
            let next = match queue.ready.pop_first() {
                Some(next) => vec![next],
                None => self.break_circle(&queue.waiting),
            };
            for name in next {
                queue.place(&name);
                self.order.push(name);
            }
        }
    }

    /// A circle among the waiting; none of it can be made.
    fn break_circle(&mut self, waiting: &BTreeSet<String>) -> Vec<String> {
        let mut circle = circle(&self.needs, waiting);
        let why = format!(
            "recipes need one another in a circle: {}",
            circle.join(" needs ")
        );
        self.circles.push(circle.clone());
        circle.pop();
        for name in &circle {
            self.faults
                .entry(name.clone())
                .or_insert_with(|| why.clone());
        }
        circle
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

/// The shortest way from some packages to one that a recipe makes.
fn chain<'a>(
    makers: &BTreeMap<&'a str, Maker<'a>>,
    wanted: &'a [Dependency],
    to: &str,
) -> Option<Vec<String>> {
    let names = |list: &'a [Dependency]| {
        let list = list.iter().filter(|dependency| !dependency.conflict);
        list.map(|dependency| dependency.name.as_str())
    };
    let mut before: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    let mut open: VecDeque<(&str, Option<&str>)> = names(wanted).map(|name| (name, None)).collect();
    while let Some((name, needed_by)) = open.pop_front() {
        if before.contains_key(name) {
            continue;
        }
        before.insert(name, needed_by);
        let Some(maker) = makers.get(name) else {
            continue;
        };
        if maker.recipe == to {
            let mut chain = vec![name.to_owned()];
            let mut here = name;
            while let Some(Some(above)) = before.get(here) {
                chain.push((*above).to_owned());
                here = above;
            }
            chain.reverse();
            return Some(chain);
        }
        open.extend(names(maker.runtime).map(|next| (next, Some(name))));
    }
    None
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
