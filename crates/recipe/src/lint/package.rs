//! What packages say of themselves, and what their environments hold.

use std::collections::BTreeMap;

use boltworks_yaml::closest;

use super::fix::Fix;
use super::{MOST, Spot, Subject};
use crate::parsed::{Checks, Copyright, PackageOptions, Text};

/// The package is not called like its file. What comes out of a pipe has none.
pub(super) fn file_name(subject: &Subject<'_>) -> Vec<Spot> {
    let recipe = subject.recipe;
    let name = &recipe.package.name;
    let file = recipe.origin.file();
    let is_passing = ["/dev/", "/proc/"]
        .iter()
        .any(|above| file.starts_with(above));
    let file = file.rsplit('/').next().unwrap_or(file);
    let stem = file.strip_suffix(".yaml").unwrap_or(file);
    let is_same = is_passing || name.contains("${{") || name.as_str() == stem;
    let what = || format!("the file is called {file}, and the package '{}'", &**name);
    (!is_same)
        .then(|| subject.spot(name, what()))
        .into_iter()
        .collect()
}

/// There is no epoch.
pub(super) fn epoch(subject: &Subject<'_>) -> Vec<Spot> {
    let package = &subject.recipe.package;
    // One that was read has a place.
    let is_there = package.epoch.line > 0;
    (!is_there)
        .then(|| subject.spot(&package.version, "the package has no epoch"))
        .into_iter()
        .collect()
}

/// A package says nothing of itself.
pub(super) fn description(subject: &Subject<'_>) -> Vec<Spot> {
    let recipe = subject.recipe;
    let main = (&recipe.package.name, recipe.package.description.as_ref());
    let split = recipe.subpackages.iter();
    let split = split.map(|package| (&package.name, package.description.as_ref()));
    let is_blank = |text: Option<&Text>| text.is_none_or(|text| text.trim().is_empty());
    let blank = std::iter::once(main)
        .chain(split)
        .filter(|(_, text)| is_blank(*text));
    let spot = |(name, _): (&Text, _)| {
        let what = format!("the package '{}' has no description", &**name);
        subject.spot(name, what)
    };
    blank.map(spot).take(MOST).collect()
}

/// Nobody says under which licence a package is, or not as it is understood everywhere.
pub(super) fn licence(subject: &Subject<'_>) -> Vec<Spot> {
    let recipe = subject.recipe;
    let package = &recipe.package;
    let own = [("the package", &package.name, &package.copyright)];
    let split = recipe.subpackages.iter();
    let split = split.map(|package| ("", &package.name, &package.copyright));
    let mut spots = Vec::new();
    for (what, name, copyright) in own.into_iter().chain(split) {
        if copyright.is_empty() && !what.is_empty() {
            spots.push(subject.spot(name, format!("{what} has no `copyright`")));
        }
        if spots.len() >= MOST {
            break;
        }
        spots.extend(
            copyright
                .iter()
                .filter_map(|one| license(subject, name, one)),
        );
    }
    spots
}

fn license(subject: &Subject<'_>, name: &Text, copyright: &Copyright) -> Option<Spot> {
    let license = &copyright.license;
    if license.contains("${{") {
        return None;
    }
    if license.trim().is_empty() {
        // Where nothing is written there is no place.
        let at = if license.line() > 0 { license } else { name };
        return Some(subject.spot(at, "an entry of `copyright` has no `license`"));
    }
    let wrong = (subject.known.licence)(license)?;
    Some(subject.spot(license, wrong))
}

/// Parts of the dependency analysis are switched off.
pub(super) fn options(subject: &Subject<'_>) -> Vec<Spot> {
    let recipe = subject.recipe;
    let main = (&recipe.package.name, &recipe.package.options);
    let split = recipe.subpackages.iter();
    let split = split.map(|package| (&package.name, &package.options));
    let spots = std::iter::once(main).chain(split);
    spots
        .filter_map(|(name, options)| Some((name, options.as_ref()?)))
        .flat_map(|(name, options)| switched_off(subject, name, options))
        .take(MOST)
        .collect()
}

fn switched_off(subject: &Subject<'_>, name: &Text, options: &PackageOptions) -> Vec<Spot> {
    let all = [
        (options.no_depends, "no-depends", "what its files need"),
        (options.no_provides, "no-provides", "what its files offer"),
        (options.no_commands, "no-commands", "the commands it brings"),
    ];
    let set = all.into_iter().filter(|(is_set, ..)| *is_set);
    set.map(|(_, option, what)| {
        let what = format!("`{option}` of '{}': {what} is not looked for", &**name);
        subject.spot(name, what)
    })
    .collect()
}

/// `checks.disabled` lists what is no linter.
pub(super) fn checks(subject: &Subject<'_>) -> Vec<Spot> {
    let recipe = subject.recipe;
    let split = recipe.subpackages.iter().map(|package| &package.checks);
    let all = std::iter::once(&recipe.package.checks).chain(split);
    let listed = all.flat_map(|Checks { disabled }| disabled);
    let linters = &subject.known.linters;
    let unknown = listed.filter(|name| !linters.contains(name.as_str()) && !name.contains("${{"));
    unknown
        .map(|name| {
            let spot = subject.spot(name, format!("there is no linter '{}'", &**name));
            match closest(name, linters.iter().copied()) {
                Some(near) => spot.instead(near),
                None => spot,
            }
        })
        .take(MOST)
        .collect()
}

/// The recipe says where packages come from, or whom to trust.
pub(super) fn repositories(subject: &Subject<'_>) -> Vec<Spot> {
    let environments = subject.environments().into_iter();
    let named = environments.flat_map(|environment| {
        let contents = &environment.contents;
        let repositories = [
            &contents.repositories,
            &contents.build_repositories,
            &contents.runtime_repositories,
        ];
        let repositories = repositories.into_iter().flatten();
        let repositories = repositories.map(|at| (at, "a repository"));
        repositories.chain(contents.keyring.iter().map(|at| (at, "a key")))
    });
    named
        .map(|(at, what)| subject.spot(at, format!("the recipe names {what} of its own")))
        .take(MOST)
        .collect()
}

/// Lists in which everything counts once, with what they are.
fn lists<'a>(subject: &'a Subject<'_>) -> Vec<(&'static str, &'a [Text])> {
    let recipe = subject.recipe;
    let environments = subject.environments().into_iter();
    let mut lists: Vec<(&'static str, &[Text])> = environments
        .map(|environment| ("packages", environment.contents.packages.as_slice()))
        .collect();
    let split = recipe.subpackages.iter();
    let split = split.map(|package| &package.dependencies);
    for dependencies in std::iter::once(&recipe.package.dependencies).chain(split) {
        lists.push(("runtime", dependencies.runtime.as_slice()));
        lists.push(("provides", dependencies.provides.as_slice()));
        lists.push(("replaces", dependencies.replaces.as_slice()));
    }
    lists
}

/// Something is written twice in a list where once is enough.
pub(super) fn twice(subject: &Subject<'_>) -> Vec<Spot> {
    let mut spots = Vec::new();
    for (name, list) in lists(subject) {
        let mut first: BTreeMap<&str, u32> = BTreeMap::new();
        for text in list.iter().filter(|text| !text.trim().is_empty()) {
            let Some(line) = first.insert(text, text.line()) else {
                continue;
            };
            first.insert(text, line);
            if spots.len() >= MOST {
                return spots;
            }
            let what = format!("'{}' is in `{name}` already, in line {line}", &**text);
            let fix = Fix::item(text);
            spots.push(subject.spot(text, what).fixed_by(fix));
        }
    }
    spots
}

/// The lists that people add to most are not sorted.
pub(super) fn order(subject: &Subject<'_>) -> Vec<Spot> {
    let recipe = subject.recipe;
    let lists = [
        (
            "environment.contents.packages",
            &recipe.environment.contents.packages,
        ),
        (
            "package.dependencies.runtime",
            &recipe.package.dependencies.runtime,
        ),
    ];
    let unsorted = lists.into_iter().filter_map(|(name, list)| {
        let pairs = list.iter().zip(list.iter().skip(1));
        let mut wrong = pairs.filter(|(one, two)| one.as_str() > two.as_str());
        let (_, at) = wrong.next()?;
        let what = format!("`{name}` is not sorted: '{}' comes too late", &**at);
        Some(subject.spot(at, what))
    });
    unsorted.collect()
}
