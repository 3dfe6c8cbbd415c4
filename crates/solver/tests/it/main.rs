//! The solver from outside: rules, failures in words, properties, speed.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

mod apko;
mod failures;
mod properties;
mod reach;
mod rules;
mod size;
mod tags;
mod triggered;

use boltworks_apk::{Control, Index, IndexEntry};
use boltworks_model::{Architecture, Sha1};
use boltworks_solver::{Options, Solution, Universe, Unsolvable, solve};
use boltworks_version::apk::Dependency;

/// Reads a package: `name version [needs …] [provides …] [if …] [priority n] [arch a]
/// [origin o]`.
fn entry(line: &str) -> IndexEntry {
    let mut words = line.split_whitespace();
    let mut next = || words.next().unwrap_or_else(|| panic!("{line}"));
    let (name, version) = (next().parse().unwrap(), next().parse().unwrap());
    let mut control = Control::new(name, version, "x86_64");
    let mut field = "";
    for word in words {
        match (field, word) {
            (_, "needs" | "provides" | "if" | "priority" | "arch" | "origin") => field = word,
            ("needs", word) => control.depends.push(word.parse().unwrap()),
            ("provides", word) => control.provides.push(word.parse().unwrap()),
            ("if", word) => control.install_if.push(word.parse().unwrap()),
            ("origin", word) => word.clone_into(&mut control.origin),
            ("priority", word) => control.provider_priority = Some(word.parse().unwrap()),
            ("arch", word) => word.clone_into(&mut control.arch),
            _ => panic!("{line}"),
        }
    }
    IndexEntry::from_control(&control, Sha1::new([0; 20]), 0)
}

fn index(lines: &str) -> Index {
    let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
    Index {
        description: String::new(),
        entries: lines.map(entry).collect(),
    }
}

/// Reads repositories, the most preferred first; `edge@testing` is one with a tag.
fn universe(repositories: &[(&str, &str)]) -> Universe {
    let mut universe = Universe::new();
    for (preference, (name, lines)) in (0..).zip(repositories) {
        universe.add_repository(name, &index(lines), -preference);
        if let Some((_, tag)) = name.split_once('@') {
            universe.tag_repository(name, tag);
        }
    }
    universe
}

fn world(text: &str) -> Vec<Dependency> {
    text.split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect()
}

fn options() -> Options {
    Options::new(Architecture::X86_64)
}

fn solved(repositories: &[(&str, &str)], wishes: &str) -> Result<Solution, Unsolvable> {
    solve(&universe(repositories), &world(wishes), &options())
}

/// `a-1 b-2`, in install order.
fn shown(solution: &Solution) -> String {
    let name = |chosen: &boltworks_solver::Chosen| {
        format!("{}-{}", chosen.entry.name, chosen.entry.version)
    };
    solution
        .packages
        .iter()
        .map(name)
        .collect::<Vec<_>>()
        .join(" ")
}

fn check(packages: &str, wishes: &str, expected: &str) {
    match solved(&[("os", packages)], wishes) {
        Ok(solution) => assert_eq!(shown(&solution), expected, "{wishes} of\n{packages}"),
        Err(error) => panic!("{wishes} of\n{packages}\n{error}"),
    }
}

fn check_fails(packages: &str, wishes: &str) -> String {
    match solved(&[("os", packages)], wishes) {
        Ok(solution) => panic!("{wishes} of\n{packages}\n{}", shown(&solution)),
        Err(error) => error.to_string(),
    }
}
