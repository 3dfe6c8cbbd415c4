//! The choice that apko makes from the same repositories.
//!
//! apko takes one package after the other and never goes back on one, so that what it takes
//! depends on the order of things, and it may find nothing where there is something. This
//! follows it step by step:
//!
//! 1. Packages that another architecture lacks are out, and so is everything that a versioned
//!    wish of the world does not mean.
//! 2. Of the world's wishes, in the order of their texts, the one with the fewest candidates is
//!    taken next; who provides one of its names otherwise is out.
//! 3. Then each wish's dependencies are followed, depth first, again those with the fewest
//!    candidates first. A name that is taken stays taken: what does not fit it is an error.
//! 4. After each wish, packages whose `install_if` names only what this wish has brought are
//!    added, without what they depend on.
//!
//! A conflict of the world is an error, since apko looks for a package whose name begins with
//! `!`; one of a package puts out what is not taken yet. Where apko's own answer differs from
//! run to run (it walks maps in no order), this gives one of its answers, always the same:
//! see `docs/compatibility.md`.
//!
//! `version` reads versions as apko does, `shelf` holds the packages, `order` says which
//! candidate is liked best, `rules` what may be taken and what will do, and `walk` makes the choice.

mod order;
mod rules;
mod shelf;
mod version;
mod walk;

use std::collections::BTreeSet;

use boltworks_version::apk::Dependency;

use crate::solution::{Chosen, Solution};
use crate::solve::Unsolvable;
use crate::universe::{Options, Universe};

/// apko's choice, and how it came to it.
#[derive(Debug, Clone, Default)]
pub struct LikeApko {
    /// The packages, in apko's order of installation.
    pub solution: Solution,
    choices: Vec<Choice>,
}

/// One choice between candidates, as text.
#[derive(Debug, Clone)]
struct Choice {
    /// `world needs web`
    demand: String,
    /// The taken package.
    taken: String,
    /// Every other provider of the name, and why it was left: "preferred to …" or "… is out: …".
    left: Vec<(String, String)>,
}

/// Makes the choice that apko makes.
///
/// `others` are the other architectures that are resolved together with this one: what one of
/// them does not have in the same version is not taken.
pub fn solve_like_apko(
    universe: &Universe,
    world: &[Dependency],
    options: &Options,
    others: &[(Options, &Universe)],
) -> Result<LikeApko, Unsolvable> {
    walk::walk(universe, world, options, others)
}

impl LikeApko {
    /// Where apko's choice and another one of the same world differ, and which rule of apko's
    /// made the difference; a line each, none where both are alike.
    pub fn differences(&self, other: &Solution) -> Vec<String> {
        let key = |chosen: &Chosen| format!("{}-{}", chosen.entry.name, chosen.entry.version);
        let keys = |solution: &Solution| solution.packages.iter().map(key).collect::<BTreeSet<_>>();
        let (own, others) = (keys(&self.solution), keys(other));
        let mut lines = Vec::new();
        let mut told = BTreeSet::new();
        for choice in self
            .choices
            .iter()
            .filter(|choice| !others.contains(&choice.taken))
        {
            for (left, why) in &choice.left {
                if others.contains(left)
                    && !own.contains(left)
                    && told.insert((&choice.taken, left))
                {
                    let Choice { demand, taken, .. } = choice;
                    lines.push(format!("{demand}: apko takes {taken}, not {left}: {why}"));
                }
            }
        }
        let is_told = |key: &str| {
            told.iter()
                .any(|(taken, left)| *taken == key || *left == key)
        };
        let mut only = |from: &Solution, against: &BTreeSet<String>, text: &str| {
            for chosen in &from.packages {
                let key = key(chosen);
                if !against.contains(&key) && !is_told(&key) {
                    let why = chosen.because.first().map(|why| format!(" ({why})"));
                    lines.push(format!("{text} {key}{}", why.unwrap_or_default()));
                }
            }
        };
        only(&self.solution, &others, "only apko takes");
        only(other, &own, "apko does not take");
        lines
    }
}
