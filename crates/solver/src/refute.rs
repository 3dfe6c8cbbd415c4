//! Why there is no solution: a proof short enough to be read.
//!
//! What has only one candidate is taken. Then the demand with the fewest candidates left is
//! looked at: if none is left, that is the reason; else each is tried and refuted in turn.
//! A refutation in which the tried candidate plays no part holds without the trial, and
//! replaces it, so that only what matters is told.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_version::apk::Dependency;

use crate::table::{PackageIx, Table};

/// Trials after which no proof is looked for any more.
const MAX_TRIALS: usize = 2_000;
/// Trials inside each other.
const MAX_DEPTH: usize = 60;

/// Something that must be satisfied, and who says so (`None`: the world).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Demand<'t> {
    pub(crate) by: Option<PackageIx>,
    pub(crate) dependency: &'t Dependency,
}

/// A demand that cannot be satisfied.
pub(crate) struct Refutation<'t> {
    /// How the world leads to the demand: first a demand of the world, last the demand itself.
    pub(crate) chain: Vec<Demand<'t>>,
    /// Each package that would satisfy it, and why it cannot be; none where there is none.
    pub(crate) failures: Vec<(PackageIx, Failure<'t>)>,
    /// The trials it rests on.
    rests_on: BTreeSet<PackageIx>,
}

/// Why a candidate is out.
pub(crate) enum Failure<'t> {
    /// What is there already stands against it.
    Blocked(Block<'t>),
    /// With it, something else cannot be satisfied.
    Refuted(Box<Refutation<'t>>),
}

/// What stands against a package.
#[derive(Clone)]
pub(crate) struct Block<'t> {
    /// How the world leads to the package in the way; empty for the world itself.
    pub(crate) chain: Vec<Demand<'t>>,
    /// The package in the way; `None` for the world.
    pub(crate) other: Option<PackageIx>,
    /// In what way.
    pub(crate) way: Way<'t>,
}

/// In what way two packages stand against each other.
#[derive(Clone, Copy)]
pub(crate) enum Way<'t> {
    /// The one in the way declares a conflict.
    Theirs(&'t Dependency),
    /// The candidate declares a conflict.
    Ours(&'t Dependency),
    /// Both have or provide this name.
    Name(&'t str),
}

/// Finds out why the world has no solution; `None` if that takes too long to say.
pub(crate) fn refute<'t>(table: &'t Table<'_>, world: &[&'t Dependency]) -> Option<Refutation<'t>> {
    let mut prover = Prover {
        table,
        world,
        trials: 0,
    };
    let mut state = State::default();
    for &dependency in world.iter().filter(|dependency| !dependency.conflict) {
        state.open.insert(Demand {
            by: None,
            dependency,
        });
    }
    prover.refute(state, 0)
}

/// What is taken so far, each with the demand it was taken for, and what is still demanded.
#[derive(Clone, Default)]
struct State<'t> {
    taken: BTreeMap<PackageIx, Taken<'t>>,
    open: BTreeSet<Demand<'t>>,
    /// Those of the open demands that have several candidates, while others are looked at.
    choices: BTreeSet<Demand<'t>>,
}

/// A demand, its candidates, and what blocks each.
type DeadEnd<'t> = (Demand<'t>, Vec<(PackageIx, Option<Block<'t>>)>);

#[derive(Clone, Copy)]
struct Taken<'t> {
    for_demand: Demand<'t>,
    /// Whether it was one of several candidates.
    on_trial: bool,
}

struct Prover<'t, 'u, 'w> {
    table: &'t Table<'u>,
    world: &'w [&'t Dependency],
    trials: usize,
}

impl<'t> Prover<'t, '_, '_> {
    fn refute(&mut self, mut state: State<'t>, depth: usize) -> Option<Refutation<'t>> {
        let (demand, candidates) = match self.take_forced(&mut state) {
            Some(dead_end) => dead_end,
            None => self.tightest(&state)?,
        };
        let mut rests_on = BTreeSet::new();
        state.trials_behind(demand.by, &mut rests_on);
        let mut failures = Vec::new();
        for (package, block) in candidates {
            let failure = if let Some(block) = block {
                state.trials_behind(block.other, &mut rests_on);
                Failure::Blocked(block)
            } else {
                self.trials += 1;
                if self.trials > MAX_TRIALS || depth >= MAX_DEPTH {
                    return None;
                }
                let mut trial = state.clone();
                self.take(&mut trial, package, demand, true);
                let mut refutation = self.refute(trial, depth + 1)?;
                if !refutation.rests_on.remove(&package) {
                    return Some(refutation);
                }
                rests_on.extend(refutation.rests_on.iter().copied());
                Failure::Refuted(Box::new(refutation))
            };
            failures.push((package, failure));
        }
        Some(Refutation {
            chain: state.chain_to(demand),
            failures,
            rests_on,
        })
    }

    /// Takes everything that has no alternative; the demand for which there is nothing, or
    /// only something that is blocked, ends it. What remains open has several candidates.
    fn take_forced(&self, state: &mut State<'t>) -> Option<DeadEnd<'t>> {
        let mut fresh = std::mem::take(&mut state.open);
        while let Some(demand) = fresh.pop_first() {
            let packages = self.packages(demand);
            if packages
                .iter()
                .any(|package| state.taken.contains_key(package))
            {
                continue;
            }
            match packages[..] {
                [] => return Some((demand, Vec::new())),
                [only] => {
                    if let Some(block) = self.block(state, only) {
                        return Some((demand, vec![(only, Some(block))]));
                    }
                    self.take(state, only, demand, false);
                    fresh.append(&mut state.open);
                    fresh.append(&mut state.choices);
                }
                _ => {
                    state.choices.insert(demand);
                }
            }
        }
        state.open = std::mem::take(&mut state.choices);
        None
    }

    /// The open demand with the fewest candidates that nothing blocks.
    fn tightest(&self, state: &State<'t>) -> Option<DeadEnd<'t>> {
        let dead_ends = state.open.iter().map(|&demand| {
            let blocked = |package| (package, self.block(state, package));
            (
                demand,
                self.packages(demand)
                    .into_iter()
                    .map(blocked)
                    .collect::<Vec<_>>(),
            )
        });
        dead_ends.min_by_key(|(_, candidates)| {
            candidates
                .iter()
                .filter(|(_, block)| block.is_none())
                .count()
        })
    }

    fn packages(&self, demand: Demand<'t>) -> Vec<PackageIx> {
        let candidates = self.table.candidates(demand.dependency);
        candidates.map(|provider| provider.package).collect()
    }

    fn take(&self, state: &mut State<'t>, package: PackageIx, demand: Demand<'t>, on_trial: bool) {
        let taken = Taken {
            for_demand: demand,
            on_trial,
        };
        state.taken.insert(package, taken);
        state.open.remove(&demand);
        let table: &'t Table<'_> = self.table;
        let depends = table.packages[package].entry.depends.iter();
        let demands = depends.filter(|dependency| !dependency.conflict);
        state.open.extend(demands.map(|dependency| Demand {
            by: Some(package),
            dependency,
        }));
    }

    /// What stands against a package: the world, itself apart, or something taken.
    fn block(&self, state: &State<'t>, package: PackageIx) -> Option<Block<'t>> {
        let table: &'t Table<'_> = self.table;
        let conflicts = |by: PackageIx| {
            table.packages[by]
                .entry
                .depends
                .iter()
                .filter(|d| d.conflict)
        };
        let against = |dependency: &&Dependency| table.offers(package, dependency);
        let mut wishes = self.world.iter().copied().filter(|d| d.conflict);
        if let Some(dependency) = wishes.find(against) {
            return Some(Block {
                chain: Vec::new(),
                other: None,
                way: Way::Theirs(dependency),
            });
        }
        state.taken.iter().find_map(|(&other, taken)| {
            let way = conflicts(other)
                .find(against)
                .map(Way::Theirs)
                .or_else(|| {
                    conflicts(package)
                        .find(|d| table.offers(other, d))
                        .map(Way::Ours)
                })
                .or_else(|| table.clash(package, other).map(Way::Name))?;
            Some(Block {
                chain: state.chain_to(taken.for_demand),
                other: Some(other),
                way,
            })
        })
    }
}

impl<'t> State<'t> {
    /// How the world leads to a demand.
    fn chain_to(&self, demand: Demand<'t>) -> Vec<Demand<'t>> {
        let mut chain = vec![demand];
        let mut by = demand.by;
        while let Some(taken) = by.and_then(|package| self.taken.get(&package)) {
            chain.push(taken.for_demand);
            by = taken.for_demand.by;
        }
        chain.reverse();
        chain
    }

    /// Collects the trials that led to a package.
    fn trials_behind(&self, mut package: Option<PackageIx>, into: &mut BTreeSet<PackageIx>) {
        while let Some((this, taken)) = package.and_then(|p| Some((p, self.taken.get(&p)?))) {
            if taken.on_trial {
                into.insert(this);
            }
            package = taken.for_demand.by;
        }
    }
}
