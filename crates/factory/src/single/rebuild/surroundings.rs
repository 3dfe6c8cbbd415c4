//! The packages among which a package is made again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use boltworks_apk::{OpenOptions, PackageFile};
use boltworks_model::{Ambient, Sha1, Sha256};
use boltworks_plan::{ActionInputs, Pick, picks};
use boltworks_rootfs::{Locked, LockedPackage};
use boltworks_solver::{Options, solve};
use boltworks_version::apk::{Dependency, Op};
use rayon::prelude::*;

use super::Inside;
use crate::planning::is_lost;
use crate::recipes::locked;
use crate::single::Bench;
use crate::{Error, Home};

/// How the packages were chosen among which a package is made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// They are those of then, byte for byte: the records know them, and the store has them.
    Recorded,
    /// They have the versions that the recipe inside the package names.
    Named,
    /// They are the newest that satisfy the recipe.
    Newest,
}

impl Choice {
    /// The word in documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Named => "named",
            Self::Newest => "newest",
        }
    }
}

/// What the records know of how a package was made.
pub(super) struct Then {
    /// What decided its bytes.
    pub(super) inputs: ActionInputs,
}

impl Then {
    /// Looks for the action that gave a package: the one whose index lists it by its content.
    pub(super) fn of(home: &Home, inside: &Inside) -> Result<Option<Self>, Error> {
        let control = inside.package.control();
        let name = format!("{}-{}", control.name, control.version);
        let found = home.records().find_artifact(&name)?;
        for (_, record) in found.iter().filter(|(_, record)| record.ok) {
            let Some(index) = if_there(home.index_of(record))?.flatten() else {
                continue;
            };
            let identity = inside.package.identity();
            if index.entries.iter().any(|entry| entry.identity == identity)
                && let Some(inputs) = if_there(home.inputs_of(record))?.flatten()
            {
                return Ok(Some(Self { inputs }));
            }
        }
        Ok(None)
    }
}

/// Nothing, where the store has lost it.
fn if_there<T>(found: Result<T, Error>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_lost(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The packages among which a package is made again.
pub(super) struct Surroundings {
    pub(super) choice: Choice,
    /// The packages.
    pub(super) locked: Locked,
    /// What was another then, in words, as far as that is known.
    pub(super) changes: Vec<String>,
}

impl Surroundings {
    pub(super) fn find(
        bench: &Bench<'_>,
        inside: &Inside,
        then: Option<&Then>,
        ambient: &Ambient<'_>,
    ) -> Result<Self, Error> {
        let recorded = then.map(|then| as_recorded(bench, &then.inputs.packages));
        if let Some(locked) = recorded.transpose()?.flatten() {
            return Ok(Self {
                choice: Choice::Recorded,
                locked,
                changes: Vec::new(),
            });
        }
        let wanted = &inside.recipe().build_packages;
        let pinned = pins(wanted);
        let mut choice = if pinned.len() == wanted.len() {
            Choice::Named
        } else {
            Choice::Newest
        };
        let mut now = chosen(bench, wanted, ambient);
        if matches!(now, Err(Error::Unsolvable { .. })) && !pinned.is_empty() {
            // A version that is no longer there is no reason to give up.
            choice = Choice::Newest;
            let loose: Vec<Dependency> = wanted.iter().map(without_version).collect();
            now = chosen(bench, &loose, ambient);
        }
        let (now, locked) = now?;
        let changes = match then {
            Some(then) => changes(&then.inputs.packages, &now),
            None => moved(&pinned, &now),
        };
        Ok(Self {
            choice,
            locked,
            changes,
        })
    }
}

/// The packages of then, if the store has all of them.
fn as_recorded(bench: &Bench<'_>, then: &[Pick]) -> Result<Option<Locked>, Error> {
    let known = bench.home.known_stage0(&bench.keys)?;
    let known: BTreeMap<Sha256, Sha1> = known
        .iter()
        .flat_map(|stage0| &stage0.files)
        .map(|(identity, file)| (*file, *identity))
        .collect();
    let store = &bench.home.store;
    let lock = |pick: &Pick| -> Result<Option<LockedPackage>, Error> {
        if !store.has(&pick.sha256)? {
            return Ok(None);
        }
        let mut identity = known.get(&pick.sha256).copied();
        if identity.is_none() {
            let blob = if_there(store.open_blob(&pick.sha256).map_err(Error::from))?;
            let Some(blob) = blob else { return Ok(None) };
            let file = Arc::clone(blob.file());
            let package = PackageFile::open(file, &OpenOptions::default())?;
            identity = Some(package.identity());
        }
        let fault = || Error::Inconsistent {
            what: format!("'{}-{}' is not a package", pick.name, pick.version),
        };
        Ok(Some(LockedPackage {
            name: pick.name.parse().map_err(|_| fault())?,
            version: pick.version.parse().map_err(|_| fault())?,
            sha256: pick.sha256,
            identity: identity.ok_or_else(fault)?,
            repository: pick.repository.clone(),
        }))
    };
    let packages: Option<Vec<LockedPackage>> = then
        .par_iter()
        .map(lock)
        .collect::<Result<Vec<_>, Error>>()?
        .into_iter()
        .collect();
    Ok(packages.map(|packages| Locked { packages }))
}

/// The newest packages there are that give what is wanted.
fn chosen(
    bench: &Bench<'_>,
    wanted: &[Dependency],
    ambient: &Ambient<'_>,
) -> Result<(Vec<Pick>, Locked), Error> {
    let home = bench.home;
    let mut world = bench.stage0(wanted, ambient)?.world();
    if !home.is_makeshift {
        for record in bench.last_records()? {
            home.add_packages(&record, &mut world)?;
        }
    }
    let solution = solve(&world.universe, wanted, &Options::new(home.architecture()));
    let solution = solution.map_err(|unsolvable| Error::Unsolvable {
        subject: "the build".to_owned(),
        why: unsolvable.to_string(),
    })?;
    let picks = picks(&solution, &world.files).map_err(|what| Error::Inconsistent { what })?;
    let locked = locked(&picks, &world)?;
    Ok((picks, locked))
}

/// The names and versions that are asked for to the last digit.
fn pins(wanted: &[Dependency]) -> BTreeMap<String, String> {
    let pins = wanted.iter().filter_map(|one| match &one.constraint {
        Some((Op::Equal, version)) if !one.conflict => {
            Some((one.name.to_string(), version.to_string()))
        }
        _ => None,
    });
    pins.collect()
}

fn without_version(wanted: &Dependency) -> Dependency {
    Dependency {
        constraint: match &wanted.constraint {
            Some((Op::Equal, _)) => None,
            other => other.clone(),
        },
        ..wanted.clone()
    }
}

/// What tells two lists of packages apart.
fn changes(then: &[Pick], now: &[Pick]) -> Vec<String> {
    let versions: BTreeMap<String, String> = then
        .iter()
        .map(|pick| (pick.name.clone(), pick.version.clone()))
        .collect();
    let bytes: BTreeSet<(&str, Sha256)> = then
        .iter()
        .map(|pick| (pick.name.as_str(), pick.sha256))
        .collect();
    let mut changes = moved(&versions, now);
    for pick in now {
        match versions.get(&pick.name) {
            None => changes.push(format!("+ package {}-{}", pick.name, pick.version)),
            Some(version)
                if *version == pick.version
                    && !bytes.contains(&(pick.name.as_str(), pick.sha256)) =>
            {
                changes.push(format!(
                    "~ package {}-{}: other bytes",
                    pick.name, pick.version
                ));
            }
            Some(_) => {}
        }
    }
    changes
}

/// Which of these are not among the packages, or in another version.
fn moved(then: &BTreeMap<String, String>, now: &[Pick]) -> Vec<String> {
    let tell = |(name, version): (&String, &String)| match now.iter().find(|now| now.name == *name)
    {
        None => Some(format!("- package {name}-{version}")),
        Some(now) if now.version != *version => {
            Some(format!("~ package {name}: {version} → {}", now.version))
        }
        Some(_) => None,
    };
    then.iter().filter_map(tell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(name: &str, version: &str, byte: u8) -> Pick {
        Pick {
            name: name.to_owned(),
            version: version.to_owned(),
            repository: "os".to_owned(),
            sha256: Sha256::new([byte; 32]),
        }
    }

    #[test]
    fn what_is_another_package_is_told() {
        let then = [
            pick("same", "1-r0", 1),
            pick("gone", "1-r0", 2),
            pick("newer", "1-r0", 3),
            pick("other", "1-r0", 4),
        ];
        let now = [
            pick("same", "1-r0", 1),
            pick("newer", "2-r0", 5),
            pick("other", "1-r0", 6),
            pick("new", "1-r0", 7),
        ];
        let expected = [
            "- package gone-1-r0",
            "~ package newer: 1-r0 → 2-r0",
            "~ package other-1-r0: other bytes",
            "+ package new-1-r0",
        ];
        assert_eq!(changes(&then, &now), expected);
        assert!(changes(&then, &then).is_empty());
    }

    #[test]
    fn a_recipe_that_names_versions_is_asked_without_them() {
        let wanted: Vec<Dependency> = ["a=1-r0", "b", "c>2"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let pins: Vec<_> = pins(&wanted).into_iter().collect();
        assert_eq!(pins, [("a".to_owned(), "1-r0".to_owned())]);
        let loose = wanted.iter().map(without_version);
        let loose: Vec<String> = loose.map(|one| one.to_string()).collect();
        assert_eq!(loose, ["a", "b", "c>2"]);
    }
}
