//! Which of several candidates apko likes best, and by which rule.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::shelf::{Item, NameIx, PackageIx, Shelf, VersionIx};

/// What is known when candidates for a name are compared.
#[derive(Clone, Copy)]
pub(super) struct Moment<'a> {
    /// The name that is asked for.
    pub(super) name: NameIx,
    /// The tag of the wish; empty for none.
    pub(super) pin: &'a str,
    /// What is chosen already; `None` while the world's own packages are looked for.
    pub(super) chosen: Option<&'a Present<'a>>,
}

/// What is chosen already.
#[derive(Clone, Default)]
pub(super) struct Present<'u> {
    /// The package of each name.
    pub(super) packages: HashMap<NameIx, PackageIx>,
    /// The version of each origin.
    pub(super) origins: HashMap<&'u str, VersionIx>,
}

impl<'u> Present<'u> {
    pub(super) fn insert(&mut self, package: PackageIx, item: &Item<'u>) {
        self.packages.insert(item.name, package);
        if !item.entry.origin.is_empty() {
            self.origins.insert(&item.entry.origin, item.version);
        }
    }
}

/// The rule that decides between two candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    Chosen,
    Origin,
    Tag,
    ProvidedVersion,
    Version,
    Priority,
    AnyVersion,
    Name,
    Place,
}

impl Rule {
    /// Why the other one was left.
    pub(super) const fn why(self) -> &'static str {
        match self {
            Self::Chosen => "that is not chosen already",
            Self::Origin => "of whose origin nothing is chosen already in that version",
            Self::Tag => "of a repository with another tag",
            Self::ProvidedVersion => "with a lower version of the name that is asked for",
            Self::Version => "of a lower version",
            Self::Priority => "of lower provider priority",
            Self::AnyVersion => "whose own version is lower",
            Self::Name => "equally good, but later in the alphabet",
            Self::Place => "equally good, but in a later repository",
        }
    }
}

impl Shelf<'_> {
    /// The first of the best candidates.
    pub(super) fn best(&self, candidates: &[PackageIx], moment: Moment<'_>) -> Option<PackageIx> {
        let (&first, others) = candidates.split_first()?;
        Some(others.iter().fold(first, |best, &other| {
            let is_better = self.compare(other, best, moment).0.is_lt();
            if is_better { other } else { best }
        }))
    }

    /// The better candidate is the lesser.
    pub(super) fn compare(
        &self,
        a: PackageIx,
        b: PackageIx,
        moment: Moment<'_>,
    ) -> (Ordering, Rule) {
        let (a, b) = (&self.packages[a], &self.packages[b]);
        let first = |one: bool, other: bool| other.cmp(&one);
        let is_chosen = |item: &Item<'_>| {
            let same_name = moment.chosen?.packages.get(&item.name)?;
            Some(self.packages[*same_name].version == item.version)
        };
        let is_of_origin = |item: &Item<'_>| {
            let version = moment.chosen?.origins.get(item.entry.origin.as_str())?;
            Some(*version == item.version)
        };
        let has = |answer: Option<bool>| answer.unwrap_or(false);
        let is_pinned = |item: &Item<'_>| item.tag() == moment.pin;
        let (named_a, named_b) = (a.version_of(moment.name), b.version_of(moment.name));
        let by_name = match (named_a, named_b) {
            (Some(one), Some(other)) => self.newer(one, other),
            _ => Ordering::Equal,
        };
        let own = self.newer(a.version, b.version);
        let (same_name, unequal) = (a.name == b.name, Ordering::Equal);
        let steps = [
            (first(has(is_chosen(a)), has(is_chosen(b))), Rule::Chosen),
            (
                first(has(is_of_origin(a)), has(is_of_origin(b))),
                Rule::Origin,
            ),
            (first(is_pinned(a), is_pinned(b)), Rule::Tag),
            (by_name, Rule::ProvidedVersion),
            (if same_name { own } else { unequal }, Rule::Version),
            (b.priority().cmp(&a.priority()), Rule::Priority),
            (own, Rule::AnyVersion),
            (a.entry.name.cmp(&b.entry.name), Rule::Name),
        ];
        let decisive = steps.into_iter().find(|(order, _)| order.is_ne());
        decisive.unwrap_or((Ordering::Equal, Rule::Place))
    }

    /// The newer is the lesser; one that apko cannot read comes after the other, whatever that is.
    fn newer(&self, a: VersionIx, b: VersionIx) -> Ordering {
        if a == b {
            return Ordering::Equal;
        }
        match (&self.versions[a], &self.versions[b]) {
            (Some(a), Some(b)) => b.cmp(a),
            (None, _) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
        }
    }
}
