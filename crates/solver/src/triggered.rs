//! `install_if`: packages that come with others.

use std::collections::BTreeSet;

use boltworks_version::apk::Dependency;

use crate::search::{self, Outcome};
use crate::solution;
use crate::table::{PackageIx, Table};

/// Adds the packages whose `install_if` is satisfied, and what they need, until there are no
/// more. What is chosen stays; what cannot stand beside it is left out.
pub(crate) fn add(
    table: &Table<'_>,
    world: &[&Dependency],
    mut chosen: BTreeSet<PackageIx>,
) -> BTreeSet<PackageIx> {
    let mut waiting = table.triggered.clone();
    loop {
        let (ready, others): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .filter(|package| !chosen.contains(package))
            .partition(|&package| is_ready(table, package, &chosen));
        if ready.is_empty() {
            return chosen;
        }
        waiting = others;
        // What is chosen only grows, so that what does not fit now never will.
        if let Some(more) = with(table, world, &chosen, &ready) {
            chosen = more;
            continue;
        }
        for package in ready {
            if let Some(more) = with(table, world, &chosen, &[package]) {
                chosen = more;
            }
        }
    }
}

/// Whether everything that the package waits for is there, and nothing that it shuns.
fn is_ready(table: &Table<'_>, package: PackageIx, chosen: &BTreeSet<PackageIx>) -> bool {
    let mut conditions = table.packages[package].entry.install_if.iter();
    conditions.all(|condition| {
        let mut meant = table
            .providers(condition)
            .iter()
            .filter(|provider| provider.is_meant_by(condition));
        meant.any(|provider| chosen.contains(&provider.package)) != condition.conflict
    })
}

/// What is chosen with some packages more; `None` where they do not fit.
fn with(
    table: &Table<'_>,
    world: &[&Dependency],
    chosen: &BTreeSet<PackageIx>,
    more: &[PackageIx],
) -> Option<BTreeSet<PackageIx>> {
    let mut others = more
        .iter()
        .flat_map(|&one| chosen.iter().map(move |&other| (one, other)));
    if others.any(|(one, other)| table.clash(one, other).is_some()) {
        return None;
    }
    let mut fixed = chosen.clone();
    fixed.extend(more);
    match search::search(table, world, &fixed) {
        Outcome::Found(taken) => Some(solution::needed(table, world, &taken, &fixed)),
        Outcome::None | Outcome::GaveUp => None,
    }
}
