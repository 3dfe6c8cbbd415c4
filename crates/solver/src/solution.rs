//! What was chosen: without what nobody needs, in install order, each with its reasons.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_apk::IndexEntry;
use boltworks_version::apk::Dependency;

use crate::table::{PackageIx, Provider, Table};

/// Packages that satisfy the world together.
#[derive(Debug, Clone, Default)]
pub struct Solution {
    /// The packages in install order: what a package depends on comes before it, except
    /// around a circle; otherwise by name.
    pub packages: Vec<Chosen>,
}

/// One chosen package.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The repository it comes from.
    pub repository: String,
    /// The package.
    pub entry: IndexEntry,
    /// Why it was chosen: who needs it (`world needs web`, `web-1.4-r0 needs so:libz.so.1`),
    /// then what it was preferred to.
    pub because: Vec<String>,
}

/// Writes a solution down, one package a line and its reasons beneath.
pub fn explain(solution: &Solution) -> String {
    let mut lines = Vec::new();
    for Chosen {
        repository,
        entry,
        because,
    } in &solution.packages
    {
        lines.push(format!("{}-{} ({repository})\n", entry.name, entry.version));
        lines.extend(because.iter().map(|reason| format!("  {reason}\n")));
    }
    lines.concat()
}

/// Makes the solution of what is needed.
pub(crate) fn describe(
    table: &Table<'_>,
    world: &[&Dependency],
    needed: &BTreeSet<PackageIx>,
) -> Solution {
    let mut reasons = reasons(table, world, needed);
    let packages = install_order(table, needed)
        .into_iter()
        .map(|package| {
            let row = &table.packages[package];
            Chosen {
                repository: row.repository.to_owned(),
                entry: row.entry.clone(),
                because: reasons.remove(&package).unwrap_or_default(),
            }
        })
        .collect();
    Solution { packages }
}

fn demands<'t>(table: &'t Table<'_>, package: PackageIx) -> impl Iterator<Item = &'t Dependency> {
    let depends = &table.packages[package].entry.depends;
    depends.iter().filter(|dependency| !dependency.conflict)
}

/// The part of `taken` that is needed: first what has no alternative in it, then, for what
/// is still open, the best. Fewer packages meet fewer conflicts, so the part is a solution too.
/// Of `fixed` all are needed.
pub(crate) fn needed(
    table: &Table<'_>,
    world: &[&Dependency],
    taken: &BTreeSet<PackageIx>,
    fixed: &BTreeSet<PackageIx>,
) -> BTreeSet<PackageIx> {
    let mut needed = fixed.clone();
    let mut fresh: Vec<&Dependency> = world.iter().copied().filter(|d| !d.conflict).collect();
    fresh.extend(fixed.iter().flat_map(|&package| demands(table, package)));
    let mut open: Vec<(&Dependency, Vec<PackageIx>)> = Vec::new();
    loop {
        while let Some(dependency) = fresh.pop() {
            let fitting = table
                .candidates(dependency)
                .map(|provider| provider.package);
            let choices: Vec<_> = fitting.filter(|package| taken.contains(package)).collect();
            if let [only] = choices[..] {
                if needed.insert(only) {
                    fresh.extend(demands(table, only));
                }
            } else {
                open.push((dependency, choices));
            }
        }
        open.retain(|(_, choices)| !choices.iter().any(|package| needed.contains(package)));
        open.sort_by(|a, b| a.0.cmp(b.0));
        let Some(&best) = open.first().and_then(|(_, choices)| choices.first()) else {
            return needed;
        };
        needed.insert(best);
        fresh.extend(demands(table, best));
    }
}

/// Depth first from each package, by name; a package comes after what it depends on.
fn install_order(table: &Table<'_>, needed: &BTreeSet<PackageIx>) -> Vec<PackageIx> {
    let children = |package: PackageIx| {
        let providers = demands(table, package).flat_map(|dependency| table.candidates(dependency));
        let fitting = providers.map(|provider| provider.package);
        fitting
            .filter(|package| needed.contains(package))
            .collect::<BTreeSet<_>>()
    };
    let mut order = Vec::with_capacity(needed.len());
    let mut seen = BTreeSet::new();
    for &root in needed {
        if !seen.insert(root) {
            continue;
        }
        let mut path = vec![(root, children(root))];
        while let Some((package, waiting)) = path.last_mut() {
            match waiting.pop_first() {
                Some(child) if seen.insert(child) => path.push((child, children(child))),
                Some(_) => {}
                None => {
                    order.push(*package);
                    path.pop();
                }
            }
        }
    }
    order
}

/// For each needed package who needs it, the world first, and then what it was preferred to.
fn reasons(
    table: &Table<'_>,
    world: &[&Dependency],
    needed: &BTreeSet<PackageIx>,
) -> BTreeMap<PackageIx, Vec<String>> {
    let mut wanted: BTreeMap<PackageIx, Vec<String>> = BTreeMap::new();
    let mut preferred_to: BTreeMap<PackageIx, BTreeMap<PackageIx, String>> = BTreeMap::new();
    let wishes = world.iter().filter(|wish| !wish.conflict);
    let wishes = wishes.map(|&dependency| (None, dependency));
    let needs = needed
        .iter()
        .flat_map(|&by| demands(table, by).map(move |dependency| (Some(by), dependency)));
    for (by, dependency) in wishes.chain(needs) {
        let mut candidates = table.candidates(dependency);
        let mut chosen: Vec<&Provider<'_>> = Vec::new();
        let mut rival = None;
        for candidate in candidates.by_ref() {
            if needed.contains(&candidate.package) {
                chosen.push(candidate);
            } else if rival.is_none() && !chosen.is_empty() {
                rival = Some(candidate);
            }
        }
        let asker = by.map_or("world".to_owned(), |by| table.packages[by].to_string());
        for provider in chosen
            .iter()
            .filter(|provider| Some(provider.package) != by)
        {
            let reasons = wanted.entry(provider.package).or_default();
            reasons.push(format!("{asker} needs {dependency}"));
        }
        if let (Some(first), Some(rival)) = (chosen.first(), rival) {
            let rivals = preferred_to.entry(first.package).or_default();
            rivals
                .entry(rival.package)
                .or_insert_with(|| preferred(table, first, rival));
        }
    }
    for &package in table
        .triggered
        .iter()
        .filter(|package| needed.contains(package))
    {
        let conditions = table.packages[package].entry.install_if.iter();
        let conditions: Vec<_> = conditions.map(ToString::to_string).collect();
        let reasons = wanted.entry(package).or_default();
        if reasons.is_empty() {
            reasons.push(format!("comes with {}", conditions.join(" ")));
        }
    }
    for (package, rivals) in preferred_to {
        wanted
            .entry(package)
            .or_default()
            .extend(rivals.into_values());
    }
    wanted
}

fn preferred(table: &Table<'_>, provider: &Provider<'_>, rival: &Provider<'_>) -> String {
    let row = &table.packages[rival.package];
    let why = table.why_better(provider, rival);
    format!("preferred to {row} ({}), {why}", row.repository)
}
