//! The question and its answer.

use std::collections::BTreeSet;
use std::fmt;

use boltworks_version::apk::Dependency;

use crate::search::{self, Outcome};
use crate::solution::{self, Solution};
use crate::table::Table;
use crate::universe::{Options, Universe};
use crate::{refute, triggered, words};

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
    let mut world: Vec<&Dependency> = world.iter().collect();
    world.sort_unstable();
    world.dedup();
    let table = Table::within_reach(universe, &world, options);
    let nothing = BTreeSet::new();
    match search::search(&table, &world, &nothing) {
        Outcome::Found(taken) => {
            let needed = solution::needed(&table, &world, &taken, &nothing);
            let needed = triggered::add(&table, &world, needed);
            Ok(solution::describe(&table, &world, &needed))
        }
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
