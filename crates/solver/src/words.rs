//! Says why there is no solution, and what would help.

use std::collections::BTreeSet;

use boltworks_version::apk::{Dependency, Op, Version};

use crate::refute::{Block, Demand, Failure, Refutation, Way};
use crate::solve::Unsolvable;
use crate::table::{Barrier, PackageIx, Provider, Row, Table};

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
        lines: Vec::new(),
        help: Vec::new(),
        it: None,
        met_a_block: false,
    };
    if let Some(refutation) = refutation {
        report.tell(refutation);
    } else {
        let wishes: Vec<_> = world.iter().map(ToString::to_string).collect();
        let wishes = wishes.join(", ");
        report.line(format!("no choice of packages satisfies {wishes} together"));
        report.met_a_block = true;
    }
    if report.met_a_block {
        report.help_with(world);
    }
    Unsolvable {
        explanation: report.lines.join("\n"),
        help: report.help,
    }
}

struct Report<'t, 'u> {
    table: &'t Table<'u>,
    /// The demands that stand in the text already.
    told: BTreeSet<Demand<'t>>,
    lines: Vec<String>,
    help: Vec<String>,
    /// The candidate that is being told of.
    it: Option<PackageIx>,
    met_a_block: bool,
}

impl<'t> Report<'t, '_> {
    fn tell(&mut self, refutation: &Refutation<'t>) {
        let Some(demand) = refutation.chain.last() else {
            return;
        };
        // Who stands in the way comes first, so that the demand is the last thing said.
        for (_, failure) in &refutation.failures {
            if let Failure::Blocked(block) = failure {
                self.met_a_block = true;
                self.chain(&block.chain);
            }
        }
        self.chain(&refutation.chain);
        match &refutation.failures[..] {
            [] => self.nothing_fits(demand.dependency),
            [(_, Failure::Refuted(inner))] => self.tell(inner),
            [(package, Failure::Blocked(block))] => {
                let (label, block) = (self.label(*package), self.block(*package, block));
                self.line(format!("only {label} would do, but {block}"));
            }
            several => self.several(demand.dependency, several),
        }
    }

    /// Tells of each candidate; those that fail alike are named together.
    fn several(&mut self, dependency: &Dependency, failures: &[(PackageIx, Failure<'t>)]) {
        let mut groups: Vec<(Vec<String>, Vec<String>)> = Vec::new();
        for (package, failure) in failures {
            let label = self.label(*package);
            let before = std::mem::take(&mut self.lines);
            let told = self.told.clone();
            let outer = self.it.replace(*package);
            match failure {
                Failure::Blocked(block) => self.line(self.block(*package, block)),
                Failure::Refuted(inner) => self.tell(inner),
            }
            self.it = outer;
            self.told = told;
            let lines = std::mem::replace(&mut self.lines, before);
            if let Some((labels, _)) = groups.iter_mut().find(|(_, other)| *other == lines) {
                labels.push(label);
            } else {
                groups.push((vec![label], lines));
            }
        }
        self.line(format!("nothing that satisfies {dependency} can be had:"));
        let more = groups.len().saturating_sub(MAX_LISTED);
        for (labels, lines) in groups.iter().take(MAX_LISTED) {
            let labels = listed(labels);
            if let [line] = &lines[..] {
                self.line(format!("  {labels}: {line}"));
            } else {
                self.line(format!("  {labels}:"));
                self.lines
                    .extend(lines.iter().map(|line| format!("    {line}")));
            }
        }
        if more > 0 {
            self.line(format!("  and {more} more"));
        }
    }

    fn chain(&mut self, chain: &[Demand<'t>]) {
        for &demand in chain {
            if self.told.insert(demand) {
                let by = demand.by.map_or("world".to_owned(), |by| self.label(by));
                self.line(format!("{by} needs {}", demand.dependency));
            }
        }
    }

    fn line(&mut self, line: String) {
        self.lines.push(line);
    }

    fn label(&self, package: PackageIx) -> String {
        if self.it == Some(package) {
            return "it".to_owned();
        }
        self.table.packages[package].to_string()
    }

    fn block(&self, package: PackageIx, block: &Block<'t>) -> String {
        let other = block
            .other
            .map_or("the world".to_owned(), |other| self.label(other));
        let own = |package: PackageIx| self.table.packages[package].entry.name.as_str();
        match block.way {
            Way::Theirs(conflict) => format!("{other} forbids it ({conflict})"),
            Way::Ours(conflict) => format!("it forbids {other} ({conflict})"),
            Way::Name(name) if own(package) == name && block.other.map(own) == Some(name) => {
                format!("{other} is needed, and only one version of {name} can be installed")
            }
            Way::Name(name) => {
                format!("{other} stands for {name} too, and only one package can do that")
            }
        }
    }

    /// There is no candidate at all.
    fn nothing_fits(&mut self, dependency: &Dependency) {
        let name = &dependency.name;
        if !self.table.knows_tag(dependency) {
            self.unknown_tag(dependency);
            return;
        }
        let (mut denied, mut foreign, mut tagged) = (Vec::new(), Vec::new(), Vec::new());
        for row in self.table.denied(dependency) {
            match row.barrier {
                Some(Barrier::Architecture) => foreign.push(row),
                Some(Barrier::Tag) => tagged.push(row),
                _ => denied.push(row),
            }
        }
        let label = |row: &&Row<'_>| format!("{row} ({})", row.repository);
        let denied: Vec<String> = denied.iter().map(label).collect();
        let foreign: Vec<String> = foreign.iter().map(label).collect();
        let providers = self.table.providers(dependency);
        if providers.is_empty() && denied.is_empty() && tagged.is_empty() {
            self.line(format!("no repository has {name}"));
        } else if providers.is_empty() {
            self.line(format!("no repository that may be used has {name}"));
        } else {
            let have: Vec<_> = providers
                .iter()
                .map(|provider| self.version(provider))
                .collect();
            self.line(format!("repositories have {name} {}", listed(&have)));
        }
        if !denied.is_empty() {
            let denied = listed(&denied);
            self.advise(format!(
                "{denied} would do, but nothing is taken from there here"
            ));
        }
        if !foreign.is_empty() {
            let foreign = listed(&foreign);
            self.advise(format!(
                "{foreign} would do, but is for another architecture"
            ));
        }
        for row in tagged.iter().take(MAX_SUGGESTIONS) {
            let tag = row.tag.unwrap_or_default();
            self.advise(format!(
                "write {name}@{tag}: {} would do, but is only for who asks for that tag",
                label(row)
            ));
        }
        let near = if providers.is_empty() && tagged.is_empty() {
            nearest(self.table, name.as_str())
        } else {
            Vec::new()
        };
        if !near.is_empty() {
            self.advise(format!("did you mean {}?", near.join(" or ")));
        } else if let Some(exact) = releases(self.table, dependency, providers).last() {
            let version = dependency.constraint.as_ref().map(|(_, version)| version);
            let begins = version.map(|version| format!(" or {name}~{version}"));
            self.advise(format!(
                "write {name}={exact}{}: a version has its release (-r0) at the end",
                begins.unwrap_or_default()
            ));
        } else if !providers.is_empty() && tagged.is_empty() {
            self.advise(format!(
                "build a {name} that satisfies {dependency}, or ask for less"
            ));
        } else if denied.is_empty() && tagged.is_empty() {
            self.advise(format!("add a recipe or a repository that has {name}"));
        }
    }

    fn unknown_tag(&mut self, dependency: &Dependency) {
        let (name, tag) = (
            &dependency.name,
            dependency.tag.as_deref().unwrap_or_default(),
        );
        let tags: Vec<_> = self.table.tags().map(|tag| format!("@{tag}")).collect();
        if tags.is_empty() {
            self.line(format!(
                "{name} is pinned to @{tag}, and no repository has a tag"
            ));
        } else {
            let tags = listed(&tags);
            self.line(format!(
                "{name} is pinned to @{tag}, and repositories have {tags}"
            ));
        }
        self.advise(format!("write {name} without @{tag}"));
    }

    /// `1.3.1-r0 (os)`, or `1 by busybox-1.37.0-r0 (os)` for who only provides the name.
    fn version(&self, provider: &Provider<'_>) -> String {
        let row = &self.table.packages[provider.package];
        if provider.real {
            format!("{} ({})", row.entry.version, row.repository)
        } else {
            format!("{provider} by {row} ({})", row.repository)
        }
    }

    fn advise(&mut self, advice: String) {
        if !self.help.contains(&advice) {
            self.help.push(advice);
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
            self.advise(format!(
                "allow what the world forbids: {}",
                forbidden.join(", ")
            ));
        }
        match &wanted[..] {
            [] => {}
            [only] if forbidden.is_empty() => self.advise(format!(
                "{only} stands in its own way: one of the packages above has to change"
            )),
            several => self.advise(format!("leave out {}", several.join(" or "))),
        }
    }
}

/// The versions that are the wanted one with a release at the end, the newest last: who asks for
/// `=1.0` most often means `1.0-r0`.
fn releases<'u>(
    table: &Table<'u>,
    dependency: &Dependency,
    providers: &[Provider<'u>],
) -> Vec<&'u Version> {
    let Some((Op::Equal, version)) = &dependency.constraint else {
        return Vec::new();
    };
    let beginning = format!("{version}-r");
    let mut found: Vec<&'u Version> = providers
        .iter()
        .filter(|provider| provider.real)
        .map(|provider| &table.packages[provider.package].entry.version)
        .filter(|version| version.to_string().starts_with(&beginning))
        .collect();
    found.sort();
    found
}

fn listed(items: &[String]) -> String {
    let shown = items
        .iter()
        .take(MAX_LISTED)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
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
            let best = (diagonal + usize::from(letter != other))
                .min(left + 1)
                .min(*above + 1);
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
