//! The question and its answer.

use std::collections::BTreeSet;
use std::fmt;

use boltworks_version::apk::Dependency;

use crate::search::{self, Outcome};
use crate::solution::{self, Solution};
use crate::table::{PackageIx, Table};
use crate::universe::{Options, Place, Universe};
use crate::{refute, triggered, universe, words};

/// No choice of packages satisfies everything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Unsolvable {
    /// The chain from what was asked for to what cannot be had, one step a line.
    pub explanation: String,
    /// What would help, most likely first.
    pub help: Vec<String>,
}

impl fmt::Display for Unsolvable {
    /// The explanation, then a line `help: …` for each advice.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.explanation)?;
        for advice in &self.help {
            write!(f, "\nhelp: {advice}")?;
        }
        Ok(())
    }
}

/// Chooses packages so that every entry of `world` is satisfied and no conflict is met.
///
/// apk-tools' rules hold: of one package one version; who provides a name *with* a version
/// cannot stand beside another package that has or provides that name; who provides it
/// without one can stand beside others that do so too, and satisfies (or, for a conflict,
/// violates) every constraint on it. Of several candidates, in this order: what is there
/// anyway, the package of that name before one that provides it, the higher
/// `provider_priority`, the higher version, the preferred repository, the smaller name.
///
/// The packages of a repository with a tag serve only wishes with that tag (`name@tag`) and
/// what those may need. For such a wish they come before all others, elsewhere after them.
///
/// Packages whose `install_if` is satisfied by what is chosen are added with what they need,
/// until there are no more. They never change what is chosen without them: one that cannot
/// stand beside it is left out, and so is the later one of two that exclude each other, in
/// the order of names and then from the highest version down.
///
/// The search is complete: it fails only if there is no solution, or after a number of
/// steps that no honest repository needs.
pub fn solve(
    universe: &Universe,
    world: &[Dependency],
    options: &Options,
) -> Result<Solution, Unsolvable> {
    Question::new(universe, world, options).solve()
}

/// What is asked of a universe, and the packages that its answer can depend on.
pub struct Question<'u> {
    universe: &'u Universe,
    world: Vec<&'u Dependency>,
    options: &'u Options,
    reach: Vec<Place<'u>>,
}

impl<'u> Question<'u> {
    /// Looks for those packages. Cost: that of the packages within reach.
    pub fn new(universe: &'u Universe, world: &'u [Dependency], options: &'u Options) -> Self {
        let mut world: Vec<&Dependency> = world.iter().collect();
        world.sort_unstable();
        world.dedup();
        Self {
            reach: universe.reach(world.iter().copied(), options),
            universe,
            world,
            options,
        }
    }

    /// Everything that decides the answer, as text; nothing, where only the packages themselves
    /// could say it.
    pub fn text(&self) -> Option<String> {
        universe::question(&self.reach, &self.world, self.options)
    }

    /// The answer, see [`solve()`].
    pub fn solve(self) -> Result<Solution, Unsolvable> {
        let Self {
            universe,
            world,
            options,
            reach,
        } = self;
        let table = Table::of(universe, reach.into_iter(), &world, options);
        match search::search(&table, &world, &BTreeSet::new()) {
            Outcome::Found(taken) => Ok(finished(&table, &world, &taken)),
            Outcome::None => {
                // What is out of reach may be what helps.
                let table = Table::new(universe, &world, options);
                let world = smallest_failing(&table, world);
                let refutation = refute::refute(&table, &world);
                Err(words::unsolvable(&table, &world, refutation.as_ref()))
            }
            Outcome::GaveUp => Err(Unsolvable {
                explanation: format!(
                    "no solution was found in {} steps: the repositories are too entangled",
                    search::MAX_STEPS
                ),
                help: vec!["ask for exact versions of the packages you know you need".to_owned()],
            }),
        }
    }
}

/// Without what was taken in vain, with what comes with others.
fn finished(table: &Table<'_>, world: &[&Dependency], taken: &BTreeSet<PackageIx>) -> Solution {
    let needed = solution::needed(table, world, taken, &BTreeSet::new());
    let needed = triggered::add(table, world, needed);
    solution::describe(table, world, &needed)
}

/// Leaves out of a failing world what it fails without: first the larger, then ever smaller
/// parts, so that a few wishes among many are found in a few searches.
fn smallest_failing<'a>(table: &Table<'_>, world: Vec<&'a Dependency>) -> Vec<&'a Dependency> {
    let mut kept = world;
    let mut size = kept.len().div_ceil(2);
    loop {
        let mut at = 0;
        while at < kept.len() {
            let part = at..(at + size).min(kept.len());
            let mut fewer = kept.clone();
            fewer.drain(part.clone());
            if matches!(
                search::search(table, &fewer, &BTreeSet::new()),
                Outcome::None
            ) {
                kept = fewer;
            } else {
                at = part.end;
            }
        }
        if size <= 1 {
            return kept;
        }
        size = size.div_ceil(2);
    }
}

#[cfg(test)]
mod tests {
    use boltworks_apk::{Control, Index, IndexEntry};
    use boltworks_model::{Architecture, Sha1};
    use proptest::prelude::*;

    use super::*;
    use crate::explain;

    fn dependency() -> impl Strategy<Value = String> {
        let names = vec!["a", "b", "c", "d", "e", "f", "g", "v", "w", "gone"];
        let bounds = vec!["", "", "", "", "=1", "<2", ">1"];
        let signs = vec!["", "", "", "", "!"];
        let part = prop::sample::select::<&str>;
        (part(signs), part(names), part(bounds))
            .prop_map(|(sign, name, bound)| format!("{sign}{name}{bound}"))
    }

    fn package() -> impl Strategy<Value = IndexEntry> {
        let names = prop::sample::select(vec!["a", "b", "c", "d", "e", "f", "g"]);
        let provided = prop::sample::select(vec!["v", "v=1", "v=2", "w", "w=1", "a=1", "b"]);
        let with = prop_oneof![
            3 => Just(Vec::new()),
            1 => prop::collection::vec(dependency(), 1..3),
        ];
        let arch = prop::sample::select(vec!["x86_64", "x86_64", "x86_64", "noarch", "aarch64"]);
        (
            (names, 1..4_u8, arch, 0..3_u32),
            prop::collection::vec(dependency(), 0..3),
            prop::collection::vec(provided, 0..3),
            with,
        )
            .prop_map(|((name, version, arch, priority), needs, provides, with)| {
                let version = version.to_string().parse().unwrap();
                let mut control = Control::new(name.parse().unwrap(), version, arch);
                let read =
                    |texts: Vec<String>| texts.iter().map(|one| one.parse().unwrap()).collect();
                control.depends = read(needs);
                control.install_if = read(with);
                control.provides = provides.iter().map(|one| one.parse().unwrap()).collect();
                control.provider_priority = Some(priority);
                IndexEntry::from_control(&control, Sha1::new([0; 20]), 0)
            })
    }

    fn repository() -> impl Strategy<Value = Index> {
        prop::collection::vec(package(), 0..9).prop_map(|mut entries| {
            entries.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
            entries.dedup_by(|a, b| (&a.name, &a.version) == (&b.name, &b.version));
            Index::new("", entries)
        })
    }

    fn wish() -> impl Strategy<Value = String> {
        let tags = prop::sample::select(vec!["", "", "", "@edge"]);
        (dependency(), tags).prop_map(|(wish, tag)| {
            let at = wish.find(['=', '<', '>']).unwrap_or(wish.len());
            let (name, bound) = wish.split_at(at);
            let tag = if wish.starts_with('!') { "" } else { tag };
            format!("{name}{tag}{bound}")
        })
    }

    fn answer(table: &Table<'_>, world: &[&Dependency]) -> Option<Solution> {
        match search::search(table, world, &BTreeSet::new()) {
            Outcome::Found(taken) => Some(finished(table, world, &taken)),
            Outcome::None => None,
            Outcome::GaveUp => panic!("so few packages cannot be that entangled"),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]

        #[test]
        fn what_is_out_of_reach_changes_no_choice(
            indexes in prop::array::uniform3(repository()),
            wishes in prop::collection::vec(wish(), 1..4),
            is_tagged in any::<bool>(),
        ) {
            let mut universe = Universe::new();
            for (name, (preference, index)) in ["os", "new", "denied"].into_iter().zip((0..).zip(&indexes)) {
                universe.add_repository(name, index, -preference);
            }
            if is_tagged {
                universe.tag_repository("new", "edge");
            }
            let options = Options::new(Architecture::X86_64).without("denied");
            let world: Vec<Dependency> = wishes.iter().map(|wish| wish.parse().unwrap()).collect();
            let mut world: Vec<&Dependency> = world.iter().collect();
            world.sort_unstable();
            world.dedup();
            let reach = universe.reach(world.iter().copied(), &options).into_iter();
            let within = answer(&Table::of(&universe, reach, &world, &options), &world);
            let whole = answer(&Table::new(&universe, &world, &options), &world);
            prop_assert_eq!(within.as_ref().map(explain), whole.as_ref().map(explain));
            prop_assert_eq!(format!("{within:?}"), format!("{whole:?}"));
        }
    }
}
