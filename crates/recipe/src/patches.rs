//! A recipe's text with other patches: what somebody committed on top of its commit.
//!
//! Steps are replaced line by line, and not one comment or blank line elsewhere changes. That needs
//! steps written on lines of their own, as all public recipes have them.

use crate::parsed::{Recipe, Step, Text};
use crate::{Error, Problem};

/// The pipelines that apply patches.
const PATCHING: [&str; 2] = ["patch", "git-am"];
/// The pipeline that they follow.
const CHECKOUT: &str = "git-checkout";

/// The text in which one `git-am` step applies these patches, in place of all steps that applied
/// patches before, or else right after the commit is checked out.
///
/// # Errors
/// [`Problem::Unchangeable`] where the steps are not written on lines of their own.
pub fn patched(recipe: &Recipe, text: &str, patches: &[String]) -> Result<String, Error> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let is = |step: &Step, names: &[&str]| {
        let uses = step.uses.as_ref();
        uses.is_some_and(|uses| names.contains(&uses.as_str()))
    };
    let steps = || recipe.pipeline.iter();
    let applying: Vec<&Step> = steps().filter(|step| is(step, &PATCHING)).collect();
    let checkout = steps().find(|step| is(step, &[CHECKOUT]));
    let folder = match (applying.first(), checkout) {
        (Some(step), _) => step.working_directory.as_ref(),
        (None, Some(step)) => step.with.get("destination"),
        (None, None) => None,
    };
    let folder = folder.map(Text::as_str).filter(|folder| *folder != ".");
    let replaced: Vec<Item> = applying
        .iter()
        .map(|step| Item::of(recipe, step, &lines))
        .collect::<Result<_, Error>>()?;
    let (at, indent) = match (replaced.first(), checkout) {
        (Some(item), _) => (item.start, item.indent),
        (None, Some(step)) => {
            let item = Item::of(recipe, step, &lines)?;
            (item.end, item.indent)
        }
        (None, None) => {
            return Err(unchangeable(
                recipe,
                &Text::NOWHERE,
                "it checks nothing out",
            ));
        }
    };
    let mut out = String::with_capacity(text.len());
    for (number, line) in lines.iter().enumerate() {
        if number == at {
            out += &written(patches, folder, indent);
        }
        if !replaced
            .iter()
            .any(|item| (item.start..item.end).contains(&number))
        {
            out += line;
        }
    }
    if at >= lines.len() {
        if !out.ends_with('\n') {
            out.push('\n');
        }
        out += &written(patches, folder, indent);
    }
    Ok(out)
}

fn written(patches: &[String], folder: Option<&str>, indent: usize) -> String {
    let margin = " ".repeat(indent);
    let folder = folder.map(|folder| format!("  working-directory: {folder}"));
    let head = std::iter::once("- uses: git-am".to_owned()).chain(folder);
    let with = ["  with:", "    patches: |"].map(str::to_owned);
    let names = patches.iter().map(|patch| format!("      {patch}"));
    let lines = head.chain(with).chain(names);
    lines
        .map(|line| format!("{margin}{line}\n"))
        .collect::<Vec<_>>()
        .concat()
}

/// The lines of a step.
struct Item {
    start: usize,
    end: usize,
    indent: usize,
}

impl Item {
    fn of(recipe: &Recipe, step: &Step, lines: &[&str]) -> Result<Self, Error> {
        let nowhere = Text::NOWHERE;
        let uses = step.uses.as_ref().unwrap_or(&nowhere);
        let odd = || {
            let reason = "the step is not written on lines of its own: write `uses: git-am` and its \
                          patches by hand";
            unchangeable(recipe, uses, reason)
        };
        let named = (uses.line() as usize).checked_sub(1).ok_or_else(odd)?;
        let key = lines
            .get(named)
            .and_then(|line| line.find("uses:"))
            .ok_or_else(odd)?;
        let start = (0..=named)
            .rev()
            .find(|at| {
                lines
                    .get(*at)
                    .is_some_and(|line| is_text(line) && depth(line) < key)
            })
            .filter(|at| {
                lines
                    .get(*at)
                    .is_some_and(|line| line.trim_start().starts_with("- "))
            })
            .ok_or_else(odd)?;
        let indent = lines.get(start).map_or(0, |line| depth(line));
        let is_next = |line: &&str| is_text(line) && depth(line) <= indent;
        let rest = lines.get(start + 1..).unwrap_or_default();
        let mut end = start + 1 + rest.iter().position(is_next).unwrap_or(rest.len());
        // What stands before the next step is about that.
        let is_between = |line: &&str| {
            let text = line.trim();
            text.is_empty() || (text.starts_with('#') && depth(line) <= indent)
        };
        while end > start + 1 && lines.get(end - 1).is_some_and(is_between) {
            end -= 1;
        }
        Ok(Self { start, end, indent })
    }
}

/// Whether a line is more than a comment.
fn is_text(line: &str) -> bool {
    let text = line.trim();
    !text.is_empty() && !text.starts_with('#')
}

/// How far a line is indented.
fn depth(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn unchangeable(recipe: &Recipe, text: &Text, reason: &'static str) -> Error {
    let problem = Problem::Unchangeable {
        old: if text.is_empty() {
            "pipeline"
        } else {
            text.as_str()
        }
        .to_owned(),
        reason,
    };
    Error::at(recipe.origin.place(text), problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_recipe;

    const HEAD: &str = "\
package:
  name: x
  version: 1
  epoch: 0
  description: x
pipeline:
  # Where it is.
  - uses: git-checkout
    with:
      repository: https://a.example/x
      expected-commit: cafe
";
    const TAIL: &str = "
  # Made as usual.
  - uses: autoconf/make
subpackages: []
";

    fn check(text: &str, expected: &str) {
        let recipe = parse_recipe("x.yaml", text).unwrap();
        let names = ["0001-a.patch".to_owned(), "0002-b.patch".to_owned()];
        let changed = patched(&recipe, text, &names).unwrap();
        assert_eq!(changed, expected);
        let again = parse_recipe("x.yaml", &changed).unwrap();
        assert_eq!(patched(&again, &changed, &names).unwrap(), changed);
    }

    const STEP: &str = "  - uses: git-am
    with:
      patches: |
        0001-a.patch
        0002-b.patch
";

    #[test]
    fn patches_follow_the_checkout() {
        check(&format!("{HEAD}{TAIL}"), &format!("{HEAD}{STEP}{TAIL}"));
        check(HEAD, &format!("{HEAD}{STEP}"));
        let placed = HEAD.to_owned() + "      destination: src\n";
        let step = STEP.replace("git-am\n", "git-am\n    working-directory: src\n");
        check(&format!("{placed}{TAIL}"), &format!("{placed}{step}{TAIL}"));
    }

    #[test]
    fn steps_that_applied_patches_are_replaced_and_nothing_else() {
        let old = "
  # These are ours.
  - name: fix
    uses: patch   # all of them
    with:
      patches: |
        # not a comment of YAML's
        one.patch

        two.patch
  - uses: patch
    with: {patches: three.patch}

  # Made.
";
        let new = format!("\n  # These are ours.\n{STEP}\n  # Made.\n");
        check(&format!("{HEAD}{old}{TAIL}"), &format!("{HEAD}{new}{TAIL}"));
    }

    #[test]
    fn what_is_written_in_one_line_is_refused_with_its_place() {
        let head = HEAD.split("pipeline:").next().unwrap();
        let text = format!("{head}pipeline: [{{uses: git-checkout, with: {{repository: x}}}}]\n");
        let recipe = parse_recipe("x.yaml", &text).unwrap();
        let error = patched(&recipe, &text, &[]).unwrap_err().to_string();
        assert!(error.starts_with("x.yaml:6:"), "{error}");
        assert!(error.contains("by hand"), "{error}");
    }
}
