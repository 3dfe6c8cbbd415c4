//! A recipe that is built from a commit: somebody's repositories on loopback, with a tag, a submodule
//! and a fix that is applied on top.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use boltworks_tests::{Command, Factory, Report};

use crate::made::Made;
use crate::upstream::{Manner, Upstream};

/// The repositories, and the recipe's commit.
#[derive(Debug)]
pub(crate) struct Cloned {
    upstream: Upstream,
    address: String,
    commit: String,
}

impl Cloned {
    /// Makes them, and writes the recipe.
    pub(crate) fn new(folder: &Path, factory: &Factory) -> Result<Self> {
        boltworks_tests::tools::need("git")?;
        let upstream = Upstream::at(folder);
        let mut inner = upstream.repository("inner");
        let inner_commit = inner.commit("inner.txt", "inner\n");
        let mut outer = upstream.repository("outer");
        outer.commit("text", "wrong\n");
        outer.write(
            ".gitmodules",
            "[submodule \"inner\"]\n\tpath = lib/inner\n\turl = ../inner\n",
        );
        let link = format!("160000,{inner_commit},lib/inner");
        outer.git(["update-index", "--add", "--cacheinfo", &link]);
        outer.git(["add", ".gitmodules"]);
        outer.git(["commit", "--quiet", "--message=link"]);
        let commit = outer.git(["rev-parse", "HEAD"]);
        outer.git(["tag", "--annotate", "--message=release", "v1.2"]);
        outer.git(["checkout", "--quiet", "-b", "fixes"]);
        outer.commit("other", "not wanted\n");
        let fix = outer.commit("text", "right\n");
        let address = format!("{}/outer", upstream.http(Manner::Serve));
        factory.write(
            "recipes/cloned.yaml",
            &format!(
                "\
package:
  name: cloned
  version: 1.2
  epoch: 0
  description: A commit with a submodule and a fix on top
  copyright:
    - license: Apache-2.0

environment:
  contents:
    packages: [busybox]

pipeline:
  - uses: git-checkout
    with:
      repository: {address}
      tag: v${{{{package.version}}}}
      expected-commit: {commit}
      recurse-submodules: true
      destination: src
      cherry-picks: |
        # It was wrong.
        fixes/{fix}: says what is right
  - working-directory: src
    runs: |
      share=${{{{targets.destdir}}}}/usr/share/cloned
      mkdir -p $share
      cp text lib/inner/inner.txt $share
      git describe --dirty > $share/version
      git rev-parse HEAD HEAD^ > $share/commits
      find . -name .git -prune -o -type f -printf '%p %TY\\n' | sort > $share/times
"
            ),
        )?;
        Ok(Self {
            upstream,
            address,
            commit,
        })
    }
}

#[test]
fn a_commit_becomes_a_package_and_is_fetched_once() -> Result<()> {
    let made = Made::get()?;
    let share = "usr/share/cloned";
    let names = ["commits", "inner.txt", "text", "times", "version"];
    let names = names.map(|name| format!("{share}/{name}"));
    made.holds("cloned", &names.each_ref().map(String::as_str))?;
    let read = |name: &str| -> Result<String> {
        let cat = Command::new("cat").arg(made.file("cloned", &format!("{share}/{name}")));
        Ok(cat.ok()?.stdout)
    };
    ensure!(read("text")? == "right\n" && read("inner.txt")? == "inner\n");
    let version = read("version")?;
    ensure!(
        version.starts_with("v1.2-1-g") && !version.contains("dirty"),
        "{version}"
    );
    let commits = read("commits")?;
    ensure!(
        commits.lines().nth(1) == Some(made.cloned.commit.as_str()),
        "{commits}"
    );
    let times = read("times")?;
    let expected = "./.gitmodules 2023\n./lib/inner/inner.txt 2023\n./text 2023\n";
    ensure!(times == expected, "{times}");

    let explained = made.factory.explain("cloned")?;
    let materials = explained[0]["materials"]
        .as_array()
        .context("no materials")?;
    let source = materials.iter().find(|material| material["kind"] == "git");
    let source = source.context("the commit is not among the materials")?;
    let uri = format!("git+{}@{}", made.cloned.address, made.cloned.commit);
    ensure!(source["uri"] == uri.as_str(), "{source}");
    ensure!(source.get("fetched_from").is_none(), "{source}");

    ensure!(
        !made.cloned.upstream.requests().is_empty(),
        "nothing was asked for"
    );
    let (_copied, again) = made.factory.copy()?;
    again.edit("recipes/cloned.yaml", "epoch: 0", "epoch: 1")?;
    let report = Report::of(&again.command(["--offline", "up", "--json"])?.ok()?)?;
    ensure!(
        report.with("made").contains("recipe cloned"),
        "{:?}",
        report.document()
    );
    let asked = made.cloned.upstream.requests();
    ensure!(asked.is_empty(), "{asked:?}");
    let verified = again.command(["source", "verify", "cloned"])?.ok()?;
    verified.says(&made.cloned.address)
}
