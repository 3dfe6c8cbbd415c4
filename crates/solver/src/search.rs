//! The SAT solver's view of a table.
//!
//! Each package is a variable, and so is each name it provides; a package and its provided
//! names imply each other. The variables of one name stand in one of two groups:
//!
//! | group | who | how many at once |
//! |---|---|---|
//! | single | the packages of that name, and whoever provides it with a version | one |
//! | open | everybody who has or provides it; only for names somebody provides without a version | any number |
//!
//! A dependency asks the open group where there is one, else the single group. Who provides
//! a name without a version forbids its whole single group.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use boltworks_version::apk::Dependency;
use resolvo::{
    Candidates, Condition, ConditionId, ConditionalRequirement, Dependencies, DependencyProvider,
    HintDependenciesAvailable, Interner, KnownDependencies, NameId, Problem, Requirement,
    SolvableId, Solver, SolverCache, StringId, UnsolvableOrCancelled, VersionSetId,
    VersionSetUnionId,
};

use crate::table::{NameIx, PackageIx, Table};

/// Rounds of the search after which it is given up; real repositories need a few thousand.
pub(crate) const MAX_STEPS: u64 = 1_000_000;

/// What the search found.
pub(crate) enum Outcome {
    /// A set of packages that satisfies everything, perhaps with some that nobody needs.
    Found(BTreeSet<PackageIx>),
    /// There is none.
    None,
    /// It took more than [`MAX_STEPS`].
    GaveUp,
}

/// Looks for packages that satisfy all of `world`, and all of `fixed` among them.
pub(crate) fn search(
    table: &Table<'_>,
    world: &[&Dependency],
    fixed: &BTreeSet<PackageIx>,
) -> Outcome {
    let view = View::new(table);
    let mut known = KnownDependencies::default();
    for &dependency in world {
        view.demand(dependency, None, &mut known);
    }
    for &package in fixed {
        known.requirements.push(require(view.only(id(package))));
    }
    let problem = Problem::new()
        .requirements(known.requirements)
        .constraints(known.constrains);
    let mut solver = Solver::new(view);
    match solver.solve(problem) {
        Ok(solvables) => {
            let variables = &solver.provider().variables;
            Outcome::Found(
                solvables
                    .into_iter()
                    .map(|solvable| variables[index(solvable)].package)
                    .collect(),
            )
        }
        Err(UnsolvableOrCancelled::Unsolvable(_)) => Outcome::None,
        Err(UnsolvableOrCancelled::Cancelled(_)) => Outcome::GaveUp,
    }
}

/// A group of variables: `2 * name` is the single group, `2 * name + 1` the open one.
type GroupIx = usize;

#[derive(Clone, Copy)]
struct Variable {
    package: PackageIx,
    group: GroupIx,
    /// How good it is in its group: 0 is best.
    rank: usize,
}

/// A part of a group, as requirements and constraints name it.
#[derive(Clone)]
enum Part<'t> {
    /// This variable.
    Only(SolvableId),
    /// Nothing.
    Empty,
    /// Whoever satisfies the dependency.
    Meant(&'t Dependency),
    /// Everybody but whom the conflict means; the package that declares it is not meant.
    NotMeant(&'t Dependency, Option<PackageIx>),
}

/// What makes two parts of a group the same.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key<'t> {
    Only(usize),
    Empty(GroupIx),
    Meant(&'t Dependency),
    NotMeant(&'t Dependency, Option<PackageIx>),
}

#[derive(Default)]
struct Parts<'t> {
    list: Vec<(GroupIx, Part<'t>)>,
    index: BTreeMap<Key<'t>, VersionSetId>,
}

struct View<'t, 'u> {
    table: &'t Table<'u>,
    variables: Vec<Variable>,
    /// The variables of each group, best first.
    groups: Vec<Vec<SolvableId>>,
    /// Which names have an open group.
    open: Vec<bool>,
    /// The variables of each package beside its first.
    aliases: Vec<Vec<SolvableId>>,
    parts: RefCell<Parts<'t>>,
    steps: Cell<u64>,
}

fn id(index: usize) -> SolvableId {
    resolvo::DenseIndex::from_index(index)
}

fn index(solvable: SolvableId) -> usize {
    resolvo::DenseIndex::to_index(solvable)
}

fn group_id(group: GroupIx) -> NameId {
    resolvo::DenseIndex::from_index(group)
}

fn group_index(name: NameId) -> GroupIx {
    resolvo::DenseIndex::to_index(name)
}

impl<'t, 'u> View<'t, 'u> {
    fn new(table: &'t Table<'u>) -> Self {
        let (packages, names) = (table.packages.len(), table.names.len());
        // A package's own variable has the package's number.
        let unplaced = Variable {
            package: 0,
            group: 0,
            rank: 0,
        };
        let mut view = Self {
            table,
            variables: vec![unplaced; packages],
            // The last group is nobody's: where names go that nobody provides.
            groups: vec![Vec::new(); 2 * names + 1],
            open: Vec::with_capacity(names),
            aliases: vec![Vec::new(); packages],
            parts: RefCell::default(),
            steps: Cell::new(0),
        };
        for name in 0..names {
            view.place(name);
        }
        view
    }

    /// Makes the variables of one name.
    fn place(&mut self, name: NameIx) {
        let table = self.table;
        let providers = &table.names[name].providers;
        let is_open = providers.iter().any(|provider| !provider.is_exclusive());
        self.open.push(is_open);
        for (rank, provider) in providers.iter().enumerate() {
            let package = provider.package;
            let single = Variable {
                package,
                group: 2 * name,
                rank,
            };
            if provider.real {
                self.variables[package] = single;
                self.groups[single.group].push(id(package));
            } else if provider.is_exclusive() {
                self.add(single);
            }
            if is_open {
                self.add(Variable {
                    group: 2 * name + 1,
                    ..single
                });
            }
        }
    }

    fn add(&mut self, variable: Variable) {
        let solvable = id(self.variables.len());
        self.groups[variable.group].push(solvable);
        self.aliases[variable.package].push(solvable);
        self.variables.push(variable);
    }

    fn part(&self, key: Key<'t>, group: GroupIx, part: Part<'t>) -> VersionSetId {
        let mut parts = self.parts.borrow_mut();
        if let Some(&known) = parts.index.get(&key) {
            return known;
        }
        let set = resolvo::DenseIndex::from_index(parts.list.len());
        parts.list.push((group, part));
        parts.index.insert(key, set);
        set
    }

    fn only(&self, solvable: SolvableId) -> VersionSetId {
        let group = self.variables[index(solvable)].group;
        self.part(Key::Only(index(solvable)), group, Part::Only(solvable))
    }

    /// The group that a dependency on a name asks.
    fn group_of(&self, dependency: &Dependency) -> Option<GroupIx> {
        let name = self.table.name(dependency.name.as_str())?;
        Some(2 * name + usize::from(self.open[name]))
    }

    /// Adds what one dependency of `by` (`None`: the world) asks for or forbids.
    fn demand(
        &self,
        dependency: &'t Dependency,
        by: Option<PackageIx>,
        known: &mut KnownDependencies,
    ) {
        let group = self.group_of(dependency);
        if dependency.conflict {
            if let Some(group) = group {
                let key = Key::NotMeant(dependency, by);
                let part = Part::NotMeant(dependency, by);
                known.constrains.push(self.part(key, group, part));
            }
            return;
        }
        let nobody = self.groups.len() - 1;
        let group = group.unwrap_or(nobody);
        let part = self.part(Key::Meant(dependency), group, Part::Meant(dependency));
        known.requirements.push(require(part));
    }

    fn contains(&self, part: &Part<'t>, solvable: SolvableId) -> bool {
        let Variable {
            package,
            group,
            rank,
        } = self.variables[index(solvable)];
        let provider = &self.table.names[group / 2].providers[rank];
        match *part {
            Part::Only(only) => only == solvable,
            Part::Empty => false,
            Part::Meant(dependency) => {
                self.table.knows_tag(dependency) && provider.is_meant_by(dependency)
            }
            Part::NotMeant(dependency, by) => {
                by == Some(package) || !provider.is_meant_by(dependency)
            }
        }
    }
}

fn require(part: VersionSetId) -> ConditionalRequirement {
    ConditionalRequirement {
        condition: None,
        requirement: Requirement::Single(part),
    }
}

impl Interner for View<'_, '_> {
    type NameId = NameId;
    type SolvableId = SolvableId;

    fn display_solvable(&self, solvable: SolvableId) -> impl Display + '_ {
        &self.table.packages[self.variables[index(solvable)].package]
    }

    fn display_name(&self, name: NameId) -> impl Display + '_ {
        self.table
            .names
            .get(group_index(name) / 2)
            .map_or("nobody", |name| name.text)
    }

    fn display_version_set(&self, set: VersionSetId) -> impl Display + '_ {
        set.0
    }

    fn display_string(&self, string: StringId) -> impl Display + '_ {
        string.0
    }

    fn version_set_name(&self, set: VersionSetId) -> NameId {
        let parts = self.parts.borrow();
        let set: usize = resolvo::DenseIndex::to_index(set);
        let nobody = self.groups.len() - 1;
        group_id(parts.list.get(set).map_or(nobody, |&(group, _)| group))
    }

    fn solvable_name(&self, solvable: SolvableId) -> NameId {
        group_id(self.variables[index(solvable)].group)
    }

    fn version_sets_in_union(&self, _: VersionSetUnionId) -> impl Iterator<Item = VersionSetId> {
        std::iter::empty()
    }

    fn resolve_condition(&self, condition: ConditionId) -> Condition {
        // No requirement here has a condition, so none is ever asked for.
        Condition::Requirement(VersionSetId(condition.as_u32()))
    }
}

impl DependencyProvider for View<'_, '_> {
    async fn filter_candidates(
        &self,
        candidates: &[SolvableId],
        set: VersionSetId,
        inverse: bool,
    ) -> Vec<SolvableId> {
        let set: usize = resolvo::DenseIndex::to_index(set);
        let part = self
            .parts
            .borrow()
            .list
            .get(set)
            .map(|(_, part)| part.clone());
        let part = part.unwrap_or(Part::Empty);
        candidates
            .iter()
            .copied()
            .filter(|&solvable| self.contains(&part, solvable) != inverse)
            .collect()
    }

    async fn get_candidates(&self, name: NameId) -> Option<Candidates> {
        let group = group_index(name);
        let candidates = self.groups.get(group)?.clone();
        // Without a choice there is nothing to try: what follows is known at once, so that
        // real choices are made knowing it.
        let hint_dependencies_available = if candidates.len() == 1 {
            HintDependenciesAvailable::All
        } else {
            HintDependenciesAvailable::None
        };
        Some(Candidates {
            candidates,
            hint_dependencies_available,
            allow_multiple: group % 2 == 1,
            ..Candidates::default()
        })
    }

    async fn sort_candidates(&self, _: &SolverCache<Self>, solvables: &mut [SolvableId]) {
        solvables.sort_by_key(|&solvable| self.variables[index(solvable)].rank);
    }

    async fn get_dependencies(&self, solvable: SolvableId) -> Dependencies {
        let mut known = KnownDependencies::default();
        let package = self.variables[index(solvable)].package;
        if index(solvable) != package {
            known.requirements.push(require(self.only(id(package))));
            return Dependencies::Known(known);
        }
        for &alias in &self.aliases[package] {
            known.requirements.push(require(self.only(alias)));
        }
        let row = &self.table.packages[package];
        for &(name, place) in &row.offers {
            let provider = &self.table.names[name].providers[place];
            let single = 2 * name;
            if !provider.is_exclusive() && !self.groups[single].is_empty() {
                known
                    .constrains
                    .push(self.part(Key::Empty(single), single, Part::Empty));
            }
        }
        for dependency in &row.entry.depends {
            self.demand(dependency, Some(package), &mut known);
        }
        Dependencies::Known(known)
    }

    fn should_cancel_with_value(&self) -> Option<Box<dyn Any>> {
        let steps = self.steps.get() + 1;
        self.steps.set(steps);
        (steps > MAX_STEPS).then(|| Box::new(()) as Box<dyn Any>)
    }
}
