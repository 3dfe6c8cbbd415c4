//! `melange source`: a recipe's commit laid out, changed, and written back as patches.

#![expect(
    clippy::disallowed_methods,
    reason = "files are what the tests are about"
)]

use std::path::PathBuf;

use anyhow::{Result, ensure};
use boltworks_tests::program::program;
use boltworks_tests::{Command, Folder};

use crate::upstream::{Manner, Repository, Upstream};

/// A folder with a recipe that applies one patch to somebody's commit.
struct Desk {
    folder: Folder,
    _upstream: Upstream,
    commit: String,
}

const RECIPE: &str = "\
# A recipe with a patch.
package:
  name: words
  version: 1.0
  epoch: 0
  description: words
pipeline:
  - uses: git-checkout
    with:
      repository: ADDRESS
      tag: v${{package.version}}
      expected-commit: COMMIT

  # Ours.
  - uses: patch
    with:
      patches: one.patch

  - uses: autoconf/make   # as usual
";

const PATCH: &str = "\
--- a/words
+++ b/words
@@ -1,3 +1,3 @@
 a
-b
+B
 c
";

impl Desk {
    fn new() -> Result<Self> {
        let folder = Folder::new()?;
        let upstream = Upstream::new();
        let mut repository = upstream.repository("words");
        let commit = repository.commit("words", "a\nb\nc\n");
        repository.git(["tag", "v1.0"]);
        let address = format!("{}/words", upstream.http(Manner::Serve));
        let recipe = RECIPE
            .replace("ADDRESS", &address)
            .replace("COMMIT", &commit);
        let desk = Self {
            folder,
            _upstream: upstream,
            commit,
        };
        std::fs::write(desk.path("words.yaml"), recipe)?;
        std::fs::create_dir(desk.path("words"))?;
        std::fs::write(desk.path("words/one.patch"), PATCH)?;
        Ok(desk)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn melange(&self, words: &str) -> Result<Command> {
        let command = Command::new(program()?).arg("melange");
        Ok(command
            .dir(self.folder.path())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .args(words.split_whitespace()))
    }
}

#[test]
fn an_input_that_is_no_number_is_not_taken_for_another() -> Result<()> {
    let desk = Desk::new()?;
    let whole = std::fs::read_to_string(desk.path("words.yaml"))?;
    for (input, value) in [("strip-components", "one"), ("fuzz", "-1")] {
        let odd = format!("patches: one.patch\n      {input}: \"{value}\"");
        std::fs::write(
            desk.path("words.yaml"),
            whole.replace("patches: one.patch", &odd),
        )?;
        let refused = desk.melange("source get words.yaml -o out")?.fails(2)?;
        refused.says(&format!("'{value}' is no {input} of the recipe's patches"))?;
        refused.says(&format!("help: write a whole number as `{input}`"))?;
        ensure!(!desk.path("out/words").exists(), "{refused}");
    }
    Ok(())
}

#[test]
fn what_is_committed_on_top_becomes_patches() -> Result<()> {
    let desk = Desk::new()?;
    let nothing = desk.melange("source pop words.yaml -o out")?.fails(2)?;
    nothing.says("help: lay it out first: `melange source get ")?;
    nothing.says("words.yaml -o ")?;
    let got = desk.melange("source get words.yaml -o out")?.ok()?;
    got.says(&desk.commit)?;
    got.says("1 change applied")?;
    let tree = desk.path("out/words");
    ensure!(std::fs::read_to_string(tree.join("words"))? == "a\nB\nc\n");
    desk.melange("source get words.yaml -o out")?
        .fails(1)?
        .says("there is something in it")?;

    let mut repository = Repository::at(&tree);
    repository.commit("words", "a\nB\nC\n");
    let popped = desk.melange("source pop words.yaml -o out")?.ok()?;
    popped.says("words.yaml: 2 changes applied by git-am")?;
    let before = RECIPE.split("  - uses: patch").next().unwrap_or_default();
    let after = "
  - uses: autoconf/make   # as usual
";
    let step = "  - uses: git-am
    with:
      patches: |
        0001-one.patch
        0002-words-changes.patch
";
    let text = std::fs::read_to_string(desk.path("words.yaml"))?;
    let expected = format!("{before}{step}{after}");
    let given = text.replace(&desk.commit, "COMMIT");
    let given: Vec<_> = given
        .lines()
        .filter(|line| !line.contains("repository:"))
        .collect();
    let expected: Vec<_> = expected
        .lines()
        .filter(|line| !line.contains("repository:"))
        .collect();
    ensure!(given == expected, "{text}");
    for patch in ["0001-one.patch", "0002-words-changes.patch"] {
        ensure!(
            desk.path("words").join(patch).exists(),
            "{patch} is missing"
        );
    }

    // The recipe as it is now leads to the same.
    desk.melange("source get words.yaml -o again")?
        .ok()?
        .says("2 changes applied")?;
    let again = std::fs::read_to_string(desk.path("again/words/words"))?;
    ensure!(again == "a\nB\nC\n", "{again}");
    Ok(())
}

#[test]
fn commits_are_kept_in_a_folder_as_archives_are() -> Result<()> {
    let desk = Desk::new()?;
    let kept = desk
        .melange("update-cache words.yaml --cache-dir kept")?
        .ok()?;
    kept.says("1 source in kept")?;
    let names = std::fs::read_dir(desk.path("kept"))?;
    let names: Vec<_> = names
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let prefix = format!("git:{}", desk.commit);
    ensure!(
        names.len() == 1 && names[0].starts_with(&prefix),
        "{names:?}"
    );
    Ok(())
}

#[test]
fn a_commit_is_moved_and_a_missing_one_is_told_with_its_place() -> Result<()> {
    let desk = Desk::new()?;
    let file = desk.path("words.yaml");
    let before = std::fs::read_to_string(&file)?;
    desk.melange("bump words.yaml 1.1")?
        .fails(2)?
        .says("--expected-commit")?;
    let other = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    desk.melange(&format!("bump words.yaml 1.1 --expected-commit {other}"))?
        .ok()?;
    let after = before.replace("1.0", "1.1").replace(&desk.commit, other);
    ensure!(std::fs::read_to_string(&file)? == after, "{after}");

    let line = format!("      expected-commit: {}\n", desk.commit);
    std::fs::write(&file, before.replace(&line, ""))?;
    desk.melange("compile words.yaml")?.ok()?;
    let told = desk.melange("source get words.yaml")?.fails(2)?;
    told.says("words.yaml:8:11")?;
    told.says("git ls-remote -- http://127.0.0.1")?;
    told.says("refs/tags/v1.0")?;
    let kept = desk.melange("update-cache words.yaml --cache-dir kept")?;
    let kept = kept.ok()?;
    kept.says("0 sources in kept")?;
    kept.says("expected-commit")
}
