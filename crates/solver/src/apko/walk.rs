//! apko's way through the packages.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use boltworks_version::apk::Dependency;

use super::order::{Moment, Present};
use super::rules::{Failure, Walk};
use super::shelf::{Constraint, NameIx, PackageIx, Shelf};
use super::{Choice, LikeApko};
use crate::solution::{Chosen, Solution};
use crate::solve::Unsolvable;
use crate::universe::{Options, Universe};

pub(super) fn walk(
    universe: &Universe,
    world: &[Dependency],
    options: &Options,
    others: &[(Options, &Universe)],
) -> Result<LikeApko, Unsolvable> {
    let shelf = Shelf::new(universe, options);
    let mut wishes: Vec<_> = world.iter().map(|wish| shelf.constraint(wish)).collect();
    wishes.sort_by(|a, b| a.text.cmp(&b.text));
    let mut walk = Walk {
        out: vec![None; shelf.packages.len()],
        shelf: &shelf,
        selected: HashMap::new(),
        because: BTreeMap::new(),
        choices: Vec::new(),
        steps: 0,
    };
    for (package, arch) in shelf.missing_elsewhere(others) {
        walk.out[package] = Some(format!("{arch} does not have it"));
    }
    let installed = walk.world(&wishes).map_err(|lines| Unsolvable {
        explanation: lines.join("\n"),
        help: vec![
            "apko never goes back on a choice: Boltworks' own solver may find another one"
                .to_owned(),
        ],
    })?;
    let packages = installed.into_iter().map(|package| {
        let item = &shelf.packages[package];
        Chosen {
            repository: item.repository.name.clone(),
            entry: item.entry.clone(),
            because: walk.because.remove(&package).unwrap_or_default(),
        }
    });
    let packages = packages.collect();
    Ok(LikeApko {
        solution: Solution { packages },
        choices: walk.choices,
    })
}

/// A package whose dependencies are being followed.
struct Frame<'u> {
    package: PackageIx,
    /// What it was taken for.
    demand: String,
    open: Vec<Constraint<'u>>,
    found: Vec<PackageIx>,
}

impl<'u> Walk<'_, 'u> {
    fn world(&mut self, wishes: &[Constraint<'_>]) -> Result<Vec<PackageIx>, Failure> {
        self.constrain(wishes)?;
        let mut present: BTreeMap<NameIx, PackageIx> = BTreeMap::new();
        let mut open: Vec<&Constraint<'_>> = wishes.iter().collect();
        while !open.is_empty() {
            let next = self.next_wish(&open)?;
            let package = self.wish(next)?;
            present.insert(self.item(package).name, package);
            open.retain(|wish| wish.text != next.text);
            self.put_out_rivals(package);
        }
        let mut installed = Vec::new();
        let mut names = HashSet::new();
        for wish in wishes {
            let package = self.wish(wish)?;
            let mut found = self.below(package, wish, &present)?;
            self.add_triggered(&mut found);
            for package in found.into_iter().chain([package]) {
                let name = self.item(package).name;
                if names.insert(name) {
                    installed.push(package);
                }
                present.entry(name).or_insert(package);
            }
        }
        Ok(installed)
    }

    /// The wish with the fewest candidates, the first of several.
    fn next_wish<'w>(
        &mut self,
        open: &[&'w Constraint<'w>],
    ) -> Result<&'w Constraint<'w>, Failure> {
        let mut least: Option<(usize, &Constraint<'_>)> = None;
        for &wish in open {
            let count = self.candidates_of_wish(wish)?.len();
            if least.is_none_or(|(fewest, _)| count < fewest) {
                least = Some((count, wish));
            }
        }
        least.map(|(_, wish)| wish).ok_or_else(Vec::new)
    }

    fn candidates_of_wish(&mut self, wish: &Constraint<'_>) -> Result<Vec<PackageIx>, Failure> {
        let by = "world";
        let failure = |last| vec![format!("{by} needs {}", wish.text), last];
        let name = wish.name.filter(|_| !wish.dependency.conflict);
        let Some(name) = name else {
            return Err(failure(nothing_provides(wish)));
        };
        let candidates = self.fitting(wish, name, wish.pin(), None)?;
        if candidates.is_empty() {
            return Err(failure(self.none_left(name)));
        }
        Ok(candidates)
    }

    fn wish(&mut self, wish: &Constraint<'_>) -> Result<PackageIx, Failure> {
        let candidates = self.candidates_of_wish(wish)?;
        let moment = Moment {
            name: wish.name.unwrap_or_default(),
            pin: wish.pin(),
            chosen: None,
        };
        self.choose(&candidates, moment, &format!("world needs {}", wish.text))
    }

    /// Takes the best of some candidates and writes down why.
    fn choose(
        &mut self,
        candidates: &[PackageIx],
        moment: Moment<'_>,
        demand: &str,
    ) -> Result<PackageIx, Failure> {
        let shelf = self.shelf;
        let best = shelf.best(candidates, moment).ok_or_else(Vec::new)?;
        let reasons = self.because.entry(best).or_default();
        if reasons.iter().any(|reason| reason == demand) {
            return Ok(best);
        }
        reasons.push(demand.to_owned());
        let mut left = Vec::new();
        let mut seen = BTreeSet::from([best]);
        for &other in shelf.names[moment.name]
            .iter()
            .filter(|&&other| seen.insert(other))
        {
            let why = match &self.out[other] {
                Some(why) => why.clone(),
                None if candidates.contains(&other) => {
                    let (_, rule) = shelf.compare(best, other, moment);
                    format!("it is preferred to one {}", rule.why())
                }
                None => "that does not fit".to_owned(),
            };
            left.push((shelf.packages[other].to_string(), why));
        }
        self.choices.push(Choice {
            demand: demand.to_owned(),
            taken: shelf.packages[best].to_string(),
            left,
        });
        Ok(best)
    }

    /// Everything that a wish's package depends on, what is deeper first, some perhaps twice.
    fn below(
        &mut self,
        root: PackageIx,
        wish: &Constraint<'_>,
        before: &BTreeMap<NameIx, PackageIx>,
    ) -> Result<Vec<PackageIx>, Failure> {
        let mut present = Present::default();
        for &package in before.values() {
            present.insert(package, self.item(package));
        }
        let mut path = Vec::new();
        let demand = format!("world needs {}", wish.text);
        path.push(self.open(root, demand).map_err(|last| told(&path, last))?);
        let mut names = HashSet::from([self.item(root).name]);
        while let Some(frame) = path.last_mut() {
            let step = self.step(frame, wish.pin(), &present);
            if let Some((child, demand)) = step.map_err(|last| told(&path, last))? {
                if names.insert(self.item(child).name) {
                    let opened = self.open(child, demand);
                    path.push(opened.map_err(|last| told(&path, last))?);
                } else if let Some(frame) = path.last_mut() {
                    frame.found.push(child);
                }
                continue;
            }
            let Some(mut done) = path.pop() else {
                break;
            };
            names.remove(&self.item(done.package).name);
            let Some(parent) = path.last_mut() else {
                return Ok(done.found);
            };
            for &package in &done.found {
                present.insert(package, &self.shelf.packages[package]);
            }
            parent.found.append(&mut done.found);
            parent.found.push(done.package);
        }
        Ok(Vec::new())
    }

    fn open(&mut self, package: PackageIx, demand: String) -> Result<Frame<'u>, Failure> {
        let shelf = self.shelf;
        let depends = shelf.packages[package].entry.depends.iter();
        let open: Vec<_> = depends
            .map(|dependency| shelf.constraint(dependency))
            .collect();
        self.constrain(&open)?;
        Ok(Frame {
            package,
            demand,
            open,
            found: Vec::new(),
        })
    }

    /// Takes the next package that `frame` depends on; `None` when there is nothing left.
    fn step(
        &mut self,
        frame: &mut Frame<'u>,
        pin: &str,
        present: &Present<'u>,
    ) -> Result<Option<(PackageIx, String)>, Failure> {
        let mut fewest: Option<(usize, Vec<PackageIx>)> = None;
        let mut kept: Vec<Constraint<'u>> = Vec::new();
        for constraint in std::mem::take(&mut frame.open) {
            let is_known = kept.iter().any(|other| other.text == constraint.text);
            if is_known || self.is_satisfied(frame.package, &constraint)? {
                continue;
            }
            let candidates = self.candidates(frame.package, &constraint, pin, present)?;
            let is_fewer = fewest.as_ref().is_none_or(|(place, least)| {
                let ours = (candidates.len(), &constraint.text);
                let text = kept.get(*place).map(|other| &other.text);
                text.is_none_or(|text| ours < (least.len(), text))
            });
            if is_fewer {
                fewest = Some((kept.len(), candidates));
            }
            kept.push(constraint);
        }
        let Some((place, candidates)) = fewest else {
            return Ok(None);
        };
        let constraint = kept.swap_remove(place);
        frame.open = kept;
        let demand = format!("{} needs {}", self.item(frame.package), constraint.text);
        let moment = Moment {
            name: constraint.name.unwrap_or_default(),
            pin: "",
            chosen: Some(present),
        };
        let best = self.choose(&candidates, moment, &demand)?;
        self.put_out_rivals(best);
        self.select(frame.package)?;
        Ok(Some((best, demand)))
    }

    fn candidates(
        &mut self,
        by: PackageIx,
        constraint: &Constraint<'_>,
        pin: &str,
        present: &Present<'_>,
    ) -> Result<Vec<PackageIx>, Failure> {
        let item = self.item(by);
        let failure = |last| vec![format!("{item} needs {}", constraint.text), last];
        let Some(name) = constraint.name else {
            return Err(failure(nothing_provides(constraint)));
        };
        let there = present.packages.get(&name).copied();
        let candidates = self.fitting(constraint, name, pin, there)?;
        if candidates.is_empty() {
            return Err(failure(self.none_left(name)));
        }
        Ok(candidates)
    }

    /// Adds the packages whose `install_if` names only packages found, by name or by name and
    /// exact version.
    fn add_triggered(&mut self, found: &mut Vec<PackageIx>) {
        let mut names = HashMap::new();
        found.retain(|&package| {
            let is_new = !names.contains_key(&self.item(package).name);
            names.entry(self.item(package).name).or_insert(package);
            is_new
        });
        let mut at = 0;
        while let Some(&package) = found.get(at) {
            at += 1;
            let item = self.item(package);
            for &triggered in self.shelf.triggered_by(item) {
                let other = self.item(triggered);
                let mut conditions = other.entry.install_if.iter();
                if !names.contains_key(&other.name)
                    && conditions.all(|condition| self.is_there(condition, &names))
                {
                    names.insert(other.name, triggered);
                    found.push(triggered);
                    let conditions: Vec<_> = other
                        .entry
                        .install_if
                        .iter()
                        .map(ToString::to_string)
                        .collect();
                    self.because
                        .entry(triggered)
                        .or_default()
                        .push(format!("installed with {}", conditions.join(" ")));
                }
            }
        }
    }

    fn is_there(&self, condition: &Dependency, names: &HashMap<NameIx, PackageIx>) -> bool {
        let Some(package) = self
            .shelf
            .name(condition.name.as_str())
            .and_then(|name| names.get(&name))
        else {
            return false;
        };
        let version = self.item(*package).entry.version.as_str();
        !condition.conflict
            && condition
                .constraint
                .as_ref()
                .is_none_or(|(_, wanted)| wanted.as_str() == version)
    }
}

/// Puts the way to a failure before it.
fn told(path: &[Frame<'_>], failure: Failure) -> Failure {
    let mut lines: Vec<_> = path.iter().map(|frame| frame.demand.clone()).collect();
    lines.extend(failure);
    lines
}

fn nothing_provides(constraint: &Constraint<'_>) -> String {
    format!("nothing provides {}", constraint.text)
}
