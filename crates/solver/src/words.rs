//! Says why there is no solution, and what would help.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use boltworks_version::apk::Dependency;

use crate::refute::{Block, Demand, Failure, Refutation, Way};
use crate::solve::Unsolvable;
use crate::table::{PackageIx, Table};

/// Candidates, versions and names listed before "and … more".
const MAX_LISTED: usize = 6;
/// Names suggested for one that nobody has.
const MAX_SUGGESTIONS: usize = 3;

/// Puts a refutation of the smallest failing world into words.
pub(crate) fn unsolvable(
    table: &Table<'_>,
    world: &[&Dependency],
    refutation: Option<&Refutation<'_>>,
) -> Unsolvable {
    let mut report = Report {
        table,
        told: BTreeSet::new(),
        text: String::new(),
        help: Vec::new(),
        met_a_block: false,
    };
    match refutation {
        Some(refutation) => report.tell(refutation, 0),
        None => {
            let wishes: Vec<_> = world.iter().map(ToString::to_string).collect();
            let line = format!("no choice of packages satisfies {} together", wishes.join(", "));
            report.line(0, &line);
            report.met_a_block = true;
        }
    }
    if report.met_a_block {
        report.help_with(world);
    }
    Unsolvable {
        explanation: report.text,
        help: report.help,
    }
}

struct Report<'t, 'u> {
    table: &'t Table<'u>,
    /// The demands that stand in the text already.
    told: BTreeSet<Demand<'t>>,
    text: String,
    help: Vec<String>,
    met_a_block: bool,
}

impl<'t> Report<'t, '_> {
    fn tell(&mut self, refutation: &Refutation<'t>, depth: usize) {
        self.chain(&refutation.chain, depth);
        let Some(demand) = refutation.chain.last() else {
            return;
        };
        for (_, failure) in &refutation.failures {
            if let Failure::Blocked(block) = failure {
                self.met_a_block = true;
                self.chain(&block.chain, depth);
            }
        }
        match &refutation.failures[..] {
            [] => self.nothing_fits(demand.dependency, depth),
            [(_, Failure::Refuted(inner))] => self.tell(inner, depth),
            [(package, Failure::Blocked(block))] => {
                let line = format!(
                    "only {} would do, but {}",
                    self.label(*package),
                    self.block(*package, block)
                );
                self.line(depth, &line);
            }
            several => self.several(demand.dependency, several, depth),
        }
    }

    fn several(
        &mut self,
        dependency: &Dependency,
        failures: &[(PackageIx, Failure<'t>)],
        depth: usize,
    ) {
        self.line(depth, &format!("nothing that satisfies {dependency} can be had:"));
        for (package, failure) in failures.iter().take(MAX_LISTED) {
            let label = self.label(*package);
            match failure {
                Failure::Blocked(block) => {
                    let line = format!("{label}: {}", self.block(*package, block));
                    self.line(depth + 1, &line);
                }
                Failure::Refuted(inner) => {
                    self.line(depth + 1, &format!("{label}:"));
                    self.tell(inner, depth + 2);
                }
            }
        }
        if failures.len() > MAX_LISTED {
            let more = failures.len() - MAX_LISTED;
            self.line(depth + 1, &format!("and {more} more"));
        }
    }

    fn chain(&mut self, chain: &[Demand<'t>], depth: usize) {
        for &demand in chain {
            if self.told.insert(demand) {
                let by = demand.by.map_or("world".to_owned(), |by| self.label(by));
                self.line(depth, &format!("{by} needs {}", demand.dependency));
            }
        }
    }

    fn line(&mut self, depth: usize, line: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        // Writing to a String cannot fail.
        let _ = write!(self.text, "{:1$}{line}", "", depth * 2);
    }

    fn label(&self, package: PackageIx) -> String {
        self.table.packages[package].to_string()
    }

    fn block(&self, package: PackageIx, block: &Block<'t>) -> String {
        let other = block.other.map_or("the world".to_owned(), |other| self.label(other));
        let own = |package: PackageIx| self.table.packages[package].entry.name.as_str();
        match block.way {
            Way::Theirs(conflict) => format!("{other} forbids it ({conflict})"),
            Way::Ours(conflict) => format!("it forbids {other} ({conflict})"),
            Way::Name(name) if own(package) == name && block.other.map(own) == Some(name) => {
                format!("{other} is needed, and of one package there is one version at a time")
            }
            Way::Name(name) => format!("{other} stands for {name} too, and only one package can"),
        }
    }

    /// There is no candidate at all.
    fn nothing_fits(&mut self, dependency: &Dependency, depth: usize) {
        let name = &dependency.name;
        let providers = self.table.providers(dependency);
        if let Some(tag) = &dependency.tag {
            self.line(depth, &format!("{name} is pinned to @{tag}, and no repository has a tag"));
            self.help.push(format!("write {name} without @{tag}"));
        } else if providers.is_empty() {
            self.line(depth, &format!("no repository has {name}"));
        } else {
            let have: Vec<String> = providers
                .iter()
                .map(|provider| {
                    let row = &self.table.packages[provider.package];
                    let version = &row.entry.version;
                    if provider.real {
                        format!("{version} ({})", row.repository)
                    } else {
                        format!("{provider} by {row} ({})", row.repository)
                    }
                })
                .collect();
            self.line(depth, &format!("repositories have {name} {}", listed(&have)));
        }
        let denied: Vec<String> = self
            .table
            .denied(dependency)
            .map(|row| format!("{row} ({})", row.repository))
            .collect();
        if !denied.is_empty() && dependency.tag.is_none() {
            let line = format!(
                "{} would do, but nothing is taken from that repository here",
                listed(&denied)
            );
            self.help.push(line);
        }
        if providers.is_empty() && dependency.tag.is_none() {
            let near = nearest(self.table, name.as_str());
            if !near.is_empty() {
                self.help.push(format!("did you mean {}?", near.join(" or ")));
            }
        } else if denied.is_empty() && dependency.tag.is_none() {
            self.help.push(format!("build a {name} that satisfies {dependency}, or ask for less"));
        }
    }

    /// What to leave out, where things stand against each other.
    fn help_with(&mut self, world: &[&Dependency]) {
        let of = |conflict: bool| {
            let wishes = world.iter().filter(|wish| wish.conflict == conflict);
            wishes.map(ToString::to_string).collect::<Vec<_>>()
        };
        let (wanted, forbidden) = (of(false), of(true));
        if !forbidden.is_empty() {
            self.help.push(format!("allow what the world forbids: {}", forbidden.join(", ")));
        }
        match &wanted[..] {
            [] => {}
            [only] if forbidden.is_empty() => self.help.push(format!(
                "{only} stands in its own way: one of the packages above has to change"
            )),
            several => self.help.push(format!("leave out {}", several.join(" or "))),
        }
    }
}

fn listed(items: &[String]) -> String {
    let shown = items.iter().take(MAX_LISTED).cloned().collect::<Vec<_>>().join(", ");
    match items.len().checked_sub(MAX_LISTED) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

/// The names most like one that nobody has: few letters apart, or the same after or with a
/// kind in front (`cmd:make`).
fn nearest<'u>(table: &Table<'u>, wanted: &str) -> Vec<&'u str> {
    let bare = |name: &str| name.split_once(':').map_or(0, |(kind, _)| kind.len() + 1);
    let stem = |name: &'u str| name.get(bare(name)..).unwrap_or(name);
    let wanted_stem = wanted.get(bare(wanted)..).unwrap_or(wanted);
    let most = (wanted_stem.len() / 3).clamp(1, 4);
    let mut near: Vec<(usize, &'u str)> = table
        .names
        .iter()
        .filter_map(|name| {
            let other = stem(name.text);
            let is_kin = bare(name.text) == bare(wanted) || other == wanted_stem;
            let distance = distance(wanted_stem.as_bytes(), other.as_bytes(), most)?;
            is_kin.then_some((distance, name.text))
        })
        .collect();
    near.sort_unstable();
    near.truncate(MAX_SUGGESTIONS);
    near.into_iter().map(|(_, name)| name).collect()
}

/// Letters to change, add or remove to come from one text to the other; `None` past `most`.
fn distance(a: &[u8], b: &[u8], most: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (other, above) in b.iter().zip(row.iter_mut().skip(1)) {
            let best = (diagonal + usize::from(letter != other)).min(left + 1).min(*above + 1);
            diagonal = *above;
            *above = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        if row.iter().min().is_some_and(|least| *least > most) {
            return None;
        }
    }
    row.last().copied().filter(|&distance| distance <= most)
}
