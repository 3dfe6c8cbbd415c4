//! Who needs whom, of names alone: which packages recipes make, and what these and their builds ask
//! for. Thousands of recipes are laid out in a few hundredths of a second.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use boltworks_recipe::resolved::{Dependencies, Recipe};
use boltworks_version::apk::Dependency;

/// What of a recipe decides the order: names, as they are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline<'a> {
    /// The recipe's name.
    pub name: &'a str,
    /// What its build asks for.
    pub build: Vec<&'a str>,
    /// What its tests ask for.
    pub tests: Vec<&'a str>,
    /// What it makes.
    pub packages: Vec<Offer<'a>>,
}

/// A package of a recipe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it asks for when it is installed.
    pub runtime: Vec<&'a str>,
    /// What else it is found as.
    pub provides: Vec<&'a str>,
}

impl<'a> Outline<'a> {
    /// That of a recipe.
    pub fn of(recipe: &'a Recipe) -> Self {
        let offer = |name: &'a str, dependencies: &'a Dependencies| Offer {
            name,
            runtime: wanted(&dependencies.runtime).collect(),
            provides: wanted(&dependencies.provides).collect(),
        };
        let package = &recipe.package;
        let main = offer(package.name.as_str(), &package.dependencies);
        let split = recipe.subpackages.iter();
        let split = split.map(|package| offer(package.name.as_str(), &package.dependencies));
        let tests = recipe.tests().flat_map(|test| wanted(&test.packages));
        Self {
            name: package.name.as_str(),
            build: wanted(&recipe.build_packages).collect(),
            tests: tests.collect(),
            packages: std::iter::once(main).chain(split).collect(),
        }
    }
}

/// The names that are asked for.
pub(crate) fn wanted(list: &[Dependency]) -> impl Iterator<Item = &str> {
    let list = list.iter().filter(|dependency| !dependency.conflict);
    list.map(|dependency| dependency.name.as_str())
}

/// A recipe by its place in the list of outlines; places after these are of recipes that are not
/// understood.
pub type Place = usize;

/// The order of recipes.
#[derive(Debug, Default)]
pub struct Order {
    /// The recipes, each after those it needs; ties by place.
    pub places: Vec<Place>,
    /// Recipes that need one another, each circle from its smallest place round to it again.
    pub circles: Vec<Vec<Place>>,
}

/// Who makes a name, and what that package needs at run time.
#[derive(Debug, Clone)]
struct Maker {
    recipe: Place,
    runtime: Arc<[u32]>,
}

/// Who makes what, of recipes sorted by name.
#[derive(Debug, Default)]
pub struct Makers<'a> {
    /// Names of recipes by their places.
    recipes: Vec<&'a str>,
    /// All names, and their numbers.
    names: Vec<&'a str>,
    numbers: HashMap<&'a str, u32>,
    /// By number of the name.
    by_name: Vec<Option<Maker>>,
    /// Recipes that make the same package, and how.
    pub faults: BTreeMap<String, String>,
}

impl<'a> Makers<'a> {
    /// Who makes what. What a recipe that is not understood offers is the package of its own name,
    /// if nobody else does.
    pub fn new(outlines: &[Outline<'a>], unread: impl Iterator<Item = &'a str>) -> Self {
        let mut makers = Self::default();
        let mut provided: Vec<(&'a str, Maker)> = Vec::new();
        for (recipe, outline) in outlines.iter().enumerate() {
            makers.recipes.push(outline.name);
            for package in &outline.packages {
                let runtime = package.runtime.iter().map(|name| makers.number(name));
                let runtime = runtime.collect::<Vec<u32>>().into();
                let maker = Maker { recipe, runtime };
                let provides = package.provides.iter();
                provided.extend(provides.map(|name| (*name, maker.clone())));
                makers.put(package.name, maker);
            }
        }
        let nothing: Arc<[u32]> = Arc::from([]);
        for name in unread {
            let maker = Maker {
                recipe: makers.recipes.len(),
                runtime: nothing.clone(),
            };
            makers.recipes.push(name);
            provided.push((name, maker));
        }
        for (name, maker) in provided {
            let number = makers.number(name) as usize;
            if let Some(place) = makers.by_name.get_mut(number) {
                place.get_or_insert(maker);
            }
        }
        makers
    }

    fn put(&mut self, package: &'a str, maker: Maker) {
        let recipe = maker.recipe;
        let number = self.number(package) as usize;
        let place = self.by_name.get_mut(number);
        let Some(other) = place.and_then(|place| place.replace(maker)) else {
            return;
        };
        let (other, recipe) = (self.name(other.recipe), self.name(recipe));
        let why = format!("package '{package}' is made by two recipes, '{other}' and '{recipe}'");
        self.faults.insert(other.to_owned(), why.clone());
        self.faults.insert(recipe.to_owned(), why);
    }

    /// The number of a name; a new one, where it has none.
    fn number(&mut self, name: &'a str) -> u32 {
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(name).or_insert(next);
        if number == next {
            self.names.push(name);
            self.by_name.push(None);
        }
        number
    }

    fn maker(&self, number: u32) -> Option<&Maker> {
        self.by_name.get(number as usize)?.as_ref()
    }

    /// The name of the recipe at a place.
    pub fn name(&self, place: Place) -> &'a str {
        self.recipes.get(place).copied().unwrap_or_default()
    }

    /// The recipes behind each list of packages and behind all that those need at run time.
    pub fn behind<'w, L>(&self, lists: impl Iterator<Item = L>) -> Vec<BTreeSet<Place>>
    where
        L: Iterator<Item = &'w str>,
    {
        // In which search each name was seen last.
        let mut seen = vec![0_usize; self.names.len()];
        let mut open: Vec<u32> = Vec::new();
        let mut search = |(round, list): (usize, L)| {
            let mut found = BTreeSet::new();
            open.extend(list.filter_map(|name| self.numbers.get(name)));
            while let Some(number) = open.pop() {
                match seen.get_mut(number as usize) {
                    Some(last) if *last != round + 1 => *last = round + 1,
                    _ => continue,
                }
                if let Some(maker) = self.maker(number) {
                    found.insert(maker.recipe);
                    open.extend(maker.runtime.iter());
                }
            }
            found
        };
        lists.enumerate().map(&mut search).collect()
    }

    /// The packages through which a list comes to need a recipe, each of which needs the next: as
    /// few as can be. Nothing, where it does not need it.
    pub fn chain<'w>(&self, list: impl Iterator<Item = &'w str>, to: Place) -> Option<Vec<String>> {
        let mut before: BTreeMap<u32, Option<u32>> = BTreeMap::new();
        let first = list.filter_map(|name| self.numbers.get(name));
        let mut open: VecDeque<(u32, Option<u32>)> = first.map(|number| (*number, None)).collect();
        while let Some((number, needed_by)) = open.pop_front() {
            if before.contains_key(&number) {
                continue;
            }
            before.insert(number, needed_by);
            let Some(maker) = self.maker(number) else {
                continue;
            };
            if maker.recipe == to {
                let mut chain = vec![number];
                let mut here = number;
                while let Some(Some(above)) = before.get(&here) {
                    chain.push(*above);
                    here = *above;
                }
                let name = |number: u32| self.names.get(number as usize).copied();
                let names = chain.into_iter().rev().filter_map(name);
                return Some(names.map(str::to_owned).collect());
            }
            open.extend(maker.runtime.iter().map(|next| (*next, Some(number))));
        }
        None
    }
}

/// Puts recipes in order. `needs` has those that each needs first; other places do not count.
///
/// Cost: n log n in recipes and needs, and for each circle as much again as the way to it is long.
pub fn order(needs: &[BTreeSet<Place>]) -> Order {
    let mut order = Order::default();
    let mut queue = Queue::new(needs);
    while !queue.waiting.is_empty() {
        let next = queue.ready.pop_first().map(|next| vec![next]);
        let next = next.unwrap_or_else(|| {
            let mut circle = circle(needs, &queue.waiting);
            order.circles.push(circle.clone());
            circle.pop();
            circle
        });
        for place in next {
            queue.place(place);
            order.places.push(place);
        }
    }
    order
}

/// Recipes on their way into the order.
struct Queue {
    /// Those that have no place yet.
    waiting: BTreeSet<Place>,
    /// Those of them that need nothing that waits.
    ready: BTreeSet<Place>,
    /// How many of those that each needs have no place yet.
    unmet: Vec<usize>,
    needed_by: Vec<Vec<Place>>,
}

impl Queue {
    fn new(needs: &[BTreeSet<Place>]) -> Self {
        let mut queue = Self {
            waiting: (0..needs.len()).collect(),
            ready: BTreeSet::new(),
            unmet: Vec::with_capacity(needs.len()),
            needed_by: vec![Vec::new(); needs.len()],
        };
        for (place, wanted) in needs.iter().enumerate() {
            let mut unmet = 0;
            for other in wanted {
                if let Some(needed_by) = queue.needed_by.get_mut(*other) {
                    unmet += 1;
                    needed_by.push(place);
                }
            }
            if unmet == 0 {
                queue.ready.insert(place);
            }
            queue.unmet.push(unmet);
        }
        queue
    }

    /// Gives a recipe its place: those that need it wait for one less.
    fn place(&mut self, place: Place) {
        self.waiting.remove(&place);
        self.ready.remove(&place);
        for after in self.needed_by.get(place).into_iter().flatten() {
            let Some(unmet) = self.unmet.get_mut(*after) else {
                continue;
            };
            *unmet = unmet.saturating_sub(1);
            if *unmet == 0 && self.waiting.contains(after) {
                self.ready.insert(*after);
            }
        }
    }
}

/// A circle among the waiting, from its smallest place round to it again.
fn circle(needs: &[BTreeSet<Place>], waiting: &BTreeSet<Place>) -> Vec<Place> {
    let mut path: Vec<Place> = Vec::new();
    let mut seen: BTreeMap<Place, usize> = BTreeMap::new();
    let mut here = waiting.first().copied();
    while let Some(place) = here {
        if let Some(start) = seen.insert(place, path.len()) {
            let mut circle = path.split_off(start);
            let smallest = circle.iter().enumerate().min_by_key(|(_, place)| **place);
            let turn = smallest.map_or(0, |(index, _)| index);
            circle.rotate_left(turn);
            circle.extend(circle.first().copied());
            return circle;
        }
        let wanted = needs.get(place);
        here = wanted.and_then(|wanted| wanted.iter().find(|next| waiting.contains(next)).copied());
        path.push(place);
    }
    path
}
