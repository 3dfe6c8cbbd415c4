//! What holds for every universe, tried on small ones.

use std::collections::BTreeSet;

use boltworks_apk::{Index, IndexEntry};
use boltworks_solver::{Universe, explain, solve};
use boltworks_version::apk::{Dependency, Version};
use proptest::prelude::*;

use super::{entry, options, world};

/// Names that packages have, and that they only provide.
fn name() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "c"]),
        1 => prop::sample::select(vec!["v", "w", "gone"]),
    ]
}

fn dependency() -> impl Strategy<Value = String> {
    let bound = prop::sample::select(vec!["", "", "", "=1", "<2", ">1", "~1"]);
    let sign = prop::sample::select(vec!["", "", "", "!"]);
    (sign, name(), bound).prop_map(|(sign, name, bound)| format!("{sign}{name}{bound}"))
}

fn provide() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "b", "v", "v", "w", "w"]);
    let version = prop::sample::select(vec!["", "", "=1", "=2"]);
    (name, version).prop_map(|(name, version)| format!("{name}{version}"))
}

fn package() -> impl Strategy<Value = String> {
    (
        prop::sample::select(vec!["a", "b", "c", "d"]),
        1..=3_u8,
        prop::collection::vec(dependency(), 0..3),
        prop::collection::vec(provide(), 0..3),
        0..3_u8,
    )
        .prop_map(|(name, version, needs, provides, priority)| {
            format!(
                "{name} {version} needs {} provides {} priority {priority}",
                needs.join(" "),
                provides.join(" ")
            )
        })
}

fn packages() -> impl Strategy<Value = Vec<String>> {
    packages_of(package(), 9)
}

/// Fewer than `most` packages without two of the same name and version.
pub(crate) fn packages_of(
    package: impl Strategy<Value = String>,
    most: usize,
) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(package, 0..most).prop_map(|mut lines| {
        let key = |line: &str| {
            line.split(' ')
                .take(2)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        lines.sort();
        lines.dedup_by_key(|line| key(line));
        lines
    })
}

fn wishes() -> impl Strategy<Value = String> {
    prop::collection::vec(dependency(), 1..4).prop_map(|wishes| wishes.join(" "))
}

fn universe_of(lines: &[String]) -> Universe {
    let index = Index {
        description: String::new(),
        entries: lines.iter().map(|line| entry(line)).collect(),
    };
    let mut universe = Universe::new();
    universe.add_repository("os", &index, 0);
    universe
}

/// Everything a package has or provides under a name.
fn offered<'e>(entry: &'e IndexEntry, name: &str) -> Vec<Option<&'e Version>> {
    let own = (entry.name.as_str() == name).then_some(Some(&entry.version));
    let provided = entry
        .provides
        .iter()
        .filter(|provide| provide.name.as_str() == name);
    own.into_iter()
        .chain(provided.map(|provide| provide.version.as_ref()))
        .collect()
}

fn means(dependency: &Dependency, entry: &IndexEntry) -> bool {
    let offered = offered(entry, dependency.name.as_str());
    offered
        .into_iter()
        .any(|version| dependency.matches(version))
}

/// The rules, said once more and as plainly as possible.
fn is_solution(chosen: &[&IndexEntry], world: &[Dependency]) -> bool {
    let holds = |dependency: &Dependency, by: Option<&IndexEntry>| {
        if dependency.conflict {
            let others = chosen
                .iter()
                .filter(|entry| by.is_none_or(|by| !std::ptr::eq(**entry, by)));
            !others.into_iter().any(|entry| means(dependency, entry))
        } else {
            chosen.iter().any(|entry| means(dependency, entry))
        }
    };
    let names: BTreeSet<&str> = chosen
        .iter()
        .flat_map(|entry| {
            let provided = entry.provides.iter().map(|provide| provide.name.as_str());
            provided.chain([entry.name.as_str()])
        })
        .collect();
    let clash = names.iter().any(|name| {
        let offers = chosen
            .iter()
            .map(|entry| offered(entry, name))
            .filter(|offers| !offers.is_empty());
        let offers: Vec<_> = offers.collect();
        offers.len() > 1 && offers.iter().flatten().any(Option::is_some)
    });
    !clash
        && world.iter().all(|dependency| holds(dependency, None))
        && chosen.iter().all(|entry| {
            entry
                .depends
                .iter()
                .all(|dependency| holds(dependency, Some(entry)))
        })
}

fn brute_force(entries: &[IndexEntry], world: &[Dependency]) -> bool {
    (0..1_u32 << entries.len()).any(|bits| {
        let chosen: Vec<_> = entries
            .iter()
            .enumerate()
            .filter(|(place, _)| bits & (1 << place) != 0)
            .map(|(_, entry)| entry)
            .collect();
        is_solution(&chosen, world)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn it_solves_what_can_be_solved(lines in packages(), wishes in wishes()) {
        let entries: Vec<_> = lines.iter().map(|line| entry(line)).collect();
        let wishes = world(&wishes);
        match solve(&universe_of(&lines), &wishes, &options()) {
            Ok(solution) => {
                let chosen: Vec<_> = solution.packages.iter().map(|chosen| &chosen.entry).collect();
                prop_assert!(is_solution(&chosen, &wishes), "no solution:\n{}", explain(&solution));
                for chosen in &solution.packages {
                    prop_assert!(
                        chosen.because.iter().any(|reason| reason.contains(" needs ")),
                        "in vain:\n{}", explain(&solution)
                    );
                }
            }
            Err(error) => {
                prop_assert!(!brute_force(&entries, &wishes), "there is one:\n{error}");
                prop_assert!(!error.explanation.is_empty() && !error.help.is_empty());
                prop_assert!(!error.explanation.contains("no choice of packages"), "{error}");
            }
        }
    }

    #[test]
    fn the_order_of_things_decides_nothing(
        (lines, shuffled) in packages().prop_flat_map(|lines| (Just(lines.clone()), Just(lines).prop_shuffle())),
        (wishes, turned) in prop::collection::vec(dependency(), 1..4)
            .prop_flat_map(|wishes| (Just(wishes.clone()), Just(wishes).prop_shuffle())),
    ) {
        let answer = |lines: &[String], wishes: &[String]| {
            let solution = solve(&universe_of(lines), &world(&wishes.join(" ")), &options());
            solution.map_or_else(|error| error.to_string(), |solution| explain(&solution))
        };
        prop_assert_eq!(answer(&lines, &wishes), answer(&shuffled, &turned));
    }
}
