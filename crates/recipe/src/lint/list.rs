//! All rules, in the order in which a recipe has what they are about.

use super::Level::{Error, Warning};
use super::{Rule, language, package, sources, steps, update};

/// All rules but [`UNDERSTOOD`](super::UNDERSTOOD).
pub const RULES: &[Rule] = &[
    Rule {
        name: "file-name",
        level: Warning,
        advice: "call the file like its package: whoever looks for one looks for the other",
        check: package::file_name,
    },
    Rule {
        name: "epoch",
        level: Warning,
        advice: "write `epoch: 0`, and count it up with every change that upstream did not make",
        check: package::epoch,
    },
    Rule {
        name: "description",
        level: Warning,
        advice: "say in a few words what the package is: people find it by that",
        check: package::description,
    },
    Rule {
        name: "licence",
        level: Error,
        advice: "write an SPDX expression, or LicenseRef-NAME for a licence of its own",
        check: package::licence,
    },
    Rule {
        name: "options",
        level: Warning,
        advice: "leave it out where you can: what is not found in files must be written by hand, and goes stale",
        check: package::options,
    },
    Rule {
        name: "checks",
        level: Warning,
        advice: "name linters of packages; docs/recipes.md lists them",
        check: package::checks,
    },
    Rule {
        name: "repositories",
        level: Warning,
        advice: "leave it to whoever builds (-r, -k, boltworks.yaml): a recipe that names its own is built differently from all others",
        check: package::repositories,
    },
    Rule {
        name: "twice",
        level: Warning,
        advice: "write it once",
        check: package::twice,
    },
    Rule {
        name: "order",
        level: Warning,
        advice: "sort the list: then a change of it is one line",
        check: package::order,
    },
    Rule {
        name: "unused",
        level: Warning,
        advice: "remove it, or use it",
        check: language::unused,
    },
    Rule {
        name: "left-over",
        level: Warning,
        advice: "it stays in the text as it is: write a variable there is",
        check: language::left_over,
    },
    Rule {
        name: "known-late",
        level: Warning,
        advice: "in a subpackage's `if` it is the empty text: name what the recipe says itself (package, vars, range), or put the `if` at the steps",
        check: language::known_late,
    },
    Rule {
        name: "inputs",
        level: Error,
        advice: "look the pipeline's inputs up in docs/recipes.md, or in its file",
        check: steps::inputs,
    },
    Rule {
        name: "digest",
        level: Error,
        advice: "write expected-sha256: a source is known by its digest",
        check: sources::digest,
    },
    Rule {
        name: "commit",
        level: Error,
        advice: "write expected-commit: a tag or a branch can be moved",
        check: sources::commit,
    },
    Rule {
        name: "source",
        level: Error,
        advice: "correct it: the recipe is understood, and nothing can be built from this",
        check: sources::source,
    },
    Rule {
        name: "tag",
        level: Warning,
        advice: "use ${{package.version}}, or a variable made from it: else a new version builds the old source",
        check: sources::tag,
    },
    Rule {
        name: "version",
        level: Warning,
        advice: "use ${{package.version}}: else a new version fetches the old source",
        check: sources::version,
    },
    Rule {
        name: "encryption",
        level: Warning,
        advice: "use https, where upstream has it: others on the way see what is fetched, and can keep it away",
        check: sources::encryption,
    },
    Rule {
        name: "network",
        level: Warning,
        advice: "steps have no network: fetch it with `fetch` or `git-checkout`, before",
        check: steps::network,
    },
    Rule {
        name: "directory",
        level: Warning,
        advice: "stay in the workspace: what lies around it is of the guest, and gone after the step",
        check: steps::directory,
    },
    Rule {
        name: "test",
        level: Warning,
        advice: "write a `test` with one step at least, that runs what is in the package",
        check: steps::test,
    },
    Rule {
        name: "update",
        level: Warning,
        advice: "say in `update` where new versions are found, or why nobody looks (`exclude-reason`)",
        check: update::missing,
    },
    Rule {
        name: "monitor",
        level: Error,
        advice: "docs/recipes.md has what `update` takes",
        check: update::monitor,
    },
];
