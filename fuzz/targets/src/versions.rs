//! apk's versions and dependencies: text both ways, and the laws of the order.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

use boltworks_version::apk::{Dependency, Op, Version};

use crate::{taken, text};

/// How many lines of an input are looked at: every three of them are compared.
const LINES: usize = 8;

fn hash(version: &Version) -> u64 {
    let mut hasher = DefaultHasher::new();
    version.hash(&mut hasher);
    hasher.finish()
}

/// A version on every line.
pub fn versions(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    let versions: Vec<Version> = text
        .lines()
        .filter_map(|line| line.parse().ok())
        .take(LINES)
        .collect();
    for a in &versions {
        taken();
        let again = a
            .to_string()
            .parse::<Version>()
            .expect("what is shown can be read");
        assert_eq!(a.as_str(), again.as_str());
        assert!(a.starts_with(a), "{a} does not begin with itself");
        for b in &versions {
            check_pair(a, b);
            for c in &versions {
                assert!(!(a <= b && b <= c && a > c), "{a} ≤ {b} ≤ {c} < {a}");
            }
        }
    }
}

fn check_pair(a: &Version, b: &Version) {
    assert_eq!(
        a.cmp(b),
        b.cmp(a).reverse(),
        "{a} and {b} are ordered by who asks"
    );
    assert_eq!(
        a == b,
        a.cmp(b).is_eq(),
        "{a} and {b} are equal and are not"
    );
    assert!(
        a != b || hash(a) == hash(b),
        "{a} and {b} are equal with different hashes"
    );
    let met = |op: Op| op.is_met(a, b);
    let one_of = [Op::Equal, Op::Less, Op::Greater]
        .into_iter()
        .filter(|op| met(*op))
        .count();
    assert_eq!(one_of, 1, "{a} and {b} are in {one_of} of three relations");
    assert_eq!(met(Op::LessOrEqual), met(Op::Less) || met(Op::Equal));
    assert_eq!(met(Op::GreaterOrEqual), met(Op::Greater) || met(Op::Equal));
    assert!(a != b || met(Op::Fuzzy), "{a} is not like its equal {b}");
}

/// A dependency on every line.
pub fn dependencies(data: &[u8]) {
    let Some(text) = text(data) else {
        return;
    };
    let dependencies: Vec<Dependency> = text
        .lines()
        .filter_map(|line| line.parse().ok())
        .take(LINES)
        .collect();
    for dependency in &dependencies {
        taken();
        let shown = dependency.to_string();
        let again: Dependency = shown.parse().expect("what is shown can be read");
        assert_eq!(again, *dependency, "{shown} reads as something else");
        assert_eq!(again.to_string(), shown, "the text is not stable");
        let json = serde_json::to_string(dependency).expect("a text");
        assert_eq!(
            serde_json::from_str::<Dependency>(&json).ok().as_ref(),
            Some(dependency)
        );
        assert_ne!(dependency.is_satisfied_by(None), dependency.conflict);
        for other in &dependencies {
            let version = other.constraint.as_ref().map(|(_, version)| version);
            let matches = dependency.matches(version);
            assert_eq!(
                matches != dependency.conflict,
                dependency.is_satisfied_by(version)
            );
        }
    }
}
