//! Links that Debian's maintainer scripts would make.
//!
//! A link belongs to the package it points into, so that none points nowhere: the first of its
//! packages that is in the closure carries it.

use serde::Serialize;

use crate::names::Closure;

/// A link in `/usr/bin` and what it may point to.
struct Rule {
    link: &'static str,
    /// Packages, best first, and the name of a program of theirs. A `*` at the end stands for a
    /// version.
    targets: &'static [(&'static str, &'static str)],
}

const RULES: &[Rule] = &[
    Rule {
        link: "aclocal",
        targets: &[("automake", "aclocal-*")],
    },
    Rule {
        link: "automake",
        targets: &[("automake", "automake-*")],
    },
    Rule {
        link: "awk",
        targets: &[
            ("gawk", "gawk"),
            ("mawk", "mawk"),
            ("original-awk", "original-awk"),
        ],
    },
    Rule {
        link: "c++",
        targets: &[("g++", "g++"), ("clang", "clang++")],
    },
    Rule {
        link: "c89",
        targets: &[("gcc", "c89-gcc")],
    },
    Rule {
        link: "c99",
        targets: &[("gcc", "c99-gcc")],
    },
    Rule {
        link: "cc",
        targets: &[("gcc", "gcc"), ("clang", "clang")],
    },
    Rule {
        link: "fakeroot",
        targets: &[("fakeroot", "fakeroot-sysv")],
    },
    Rule {
        link: "lex",
        targets: &[("flex", "flex")],
    },
    Rule {
        link: "nawk",
        targets: &[("gawk", "gawk"), ("mawk", "mawk")],
    },
    Rule {
        link: "pager",
        targets: &[("less", "less")],
    },
    // Build steps are written for a shell with `pipefail`, which dash 0.5.12 does not have.
    Rule {
        link: "sh",
        targets: &[("bash", "bash"), ("dash", "dash")],
    },
    Rule {
        link: "which",
        targets: &[
            ("debianutils", "which.debianutils"),
            ("gnu-which", "which.gnu"),
        ],
    },
    Rule {
        link: "yacc",
        targets: &[("bison", "bison.yacc"), ("byacc", "byacc")],
    },
];

/// A link that a package of the closure carries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Link {
    /// The name in `/usr/bin`.
    pub name: &'static str,
    /// The program in `/usr/bin` it points to, perhaps with a `*` at the end.
    pub target: &'static str,
}

/// The links that a package carries.
pub fn links_of(package: &str, closure: &Closure<'_>) -> Vec<Link> {
    let carried = |rule: &Rule| {
        let (carrier, target) = rule.targets.iter().find(|(name, _)| closure.has(name))?;
        (*carrier == package).then_some(Link {
            name: rule.link,
            target,
        })
    };
    RULES.iter().filter_map(carried).collect()
}

/// Names in `/usr/bin` that a package must not have itself, because another package of the
/// closure carries them as links: dash's own `sh`, where bash is `sh`.
pub fn gives_way(package: &str, closure: &Closure<'_>) -> Vec<&'static str> {
    let is_one_of = |rule: &&Rule| rule.targets.iter().any(|(name, _)| *name == package);
    let is_carrier = |rule: &Rule| {
        rule.targets
            .iter()
            .find(|(name, _)| closure.has(name))
            .is_some_and(|(name, _)| *name == package)
    };
    RULES
        .iter()
        .filter(is_one_of)
        .filter(|rule| !is_carrier(rule))
        .map(|rule| rule.link)
        .collect()
}
