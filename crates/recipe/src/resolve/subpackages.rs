//! Which packages are split off: `range` over `data`, then `if`.

use std::collections::{BTreeMap, BTreeSet};

use boltworks_yaml::closest;

use super::Resolver;
use super::package::Fields;
use super::variables::Variables;
use crate::parsed::{DataSet, Subpackage, Text};
use crate::{Error, Problem};

/// The most packages of one recipe.
const MAX_PACKAGES: usize = 20_000;

/// A package that is split off, before its fields are filled in.
pub(super) struct Kept<'a> {
    pub(super) name: String,
    pub(super) parsed: &'a Subpackage,
    /// `${{range.key}}` and `${{range.value}}`.
    pub(super) item: Option<(&'a str, String)>,
}

/// A subpackage as written, and the items it is ranged over.
type Ranged<'a> = (&'a Subpackage, Option<&'a BTreeMap<String, Text>>);

impl<'a> Resolver<'a> {
    /// The subpackages whose condition holds, with their names. All names become variables, also
    /// of those whose condition does not, before any condition is decided.
    pub(super) fn kept_subpackages(
        &self,
        variables: &mut Variables,
        main: &str,
    ) -> Result<Vec<Kept<'a>>, Error> {
        let mut all = Vec::new();
        let mut consider =
            |parsed: &'a Subpackage, item: Option<(&'a str, &'a Text)>| -> Result<(), Error> {
                let item = match item {
                    Some((key, value)) => Some((key, self.scope(variables).fill(value)?)),
                    None => None,
                };
                let here = variables.at_any(item.as_ref());
                let name = Fields(&self.scope(&here)).own_name(&parsed.name)?;
                let name = name.as_str().to_owned();
                all.push(Kept { name, parsed, item });
                Ok(())
            };
        for (parsed, items) in self.ranged(variables)? {
            match items {
                None => consider(parsed, None)?,
                Some(items) => items
                    .iter()
                    .try_for_each(|(key, value)| consider(parsed, Some((key, value))))?,
            }
        }
        for one in &all {
            variables.add_package(&one.name);
        }
        let mut names = BTreeSet::from([main.to_owned()]);
        let mut kept = Vec::new();
        for one in all {
            let here = variables.at_any(one.item.as_ref()).within(&one.name, true);
            let scope = self.scope(&here);
            if !scope.makes(one.parsed.condition.as_ref())? {
                continue;
            }
            if !names.insert(one.name.clone()) {
                let name = one.name;
                return Err(scope.problem(&one.parsed.name, Problem::TwicePackage { name }));
            }
            kept.push(one);
        }
        Ok(kept)
    }

    /// The subpackages with their data. How many packages they make is counted before any is
    /// made.
    fn ranged(&self, variables: &Variables) -> Result<Vec<Ranged<'a>>, Error> {
        let recipe = self.recipe;
        let scope = self.scope(variables);
        let mut data: BTreeMap<&str, &DataSet> = BTreeMap::new();
        for set in &recipe.data {
            if data.insert(&set.name, set).is_some() {
                let rule = [
                    "are given twice",
                    "give one of them another `name`, or make one list of both `items`",
                ];
                let problem = Problem::value("the data", &set.name, rule);
                return Err(scope.problem(&set.name, problem));
            }
        }
        let mut packages = 1_usize;
        let mut ranged = Vec::new();
        for subpackage in &recipe.subpackages {
            let range = subpackage.range.as_ref();
            let items = match range.filter(|range| !range.is_empty()) {
                None => None,
                Some(range) => {
                    let set = data.get(range.as_str()).ok_or_else(|| {
                        let known = data.keys().copied();
                        let problem = Problem::UnknownData {
                            name: boltworks_model::visible_start(range, 160),
                            suggestion: closest(range, known).map(str::to_owned),
                        };
                        scope.problem(range, problem)
                    })?;
                    Some(&set.items)
                }
            };
            packages = packages.saturating_add(items.map_or(1, BTreeMap::len));
            if packages > MAX_PACKAGES {
                let what = "the recipe makes too many packages";
                let problem = Problem::TooMuch {
                    what,
                    limit: MAX_PACKAGES,
                };
                return Err(scope.problem(range.unwrap_or(&subpackage.name), problem));
            }
            ranged.push((subpackage, items));
        }
        Ok(ranged)
    }
}
